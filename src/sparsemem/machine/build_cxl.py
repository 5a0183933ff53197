"""A captured machine's CXL as an operation: where its topology is the one that the model has."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sparsemem.kernel.cxl.core import SZ_256M
from sparsemem.kernel.cxl.mem import Device
from sparsemem.machine.cxl_board import MOST_DEVICES, root_ports
from sparsemem.machine.cxl_operations import devices_text
from sparsemem.machine.description import Note
from sparsemem.machine.operations import Operation

if TYPE_CHECKING:
    from sparsemem.machine.description import CxlFact, MachineDescription
    from sparsemem.machine.machine import Answer, Machine
    from sparsemem.spec import Kernel

__all__ = ["cxl_devices"]


def _why_not(fact: CxlFact) -> str | None:
    """Why the model can not be this machine's CXL; None where it can."""
    named = [each.name for each in fact.devices]
    if fact.regions:
        return f"{', '.join(fact.regions)} is there already, and how it is made up is not read"
    if fact.roots != 1 or fact.ports != 1:
        return f"{fact.roots} root decoders and {fact.ports} ports: the model has one host bridge with one window"
    if len(named) > MOST_DEVICES or named != [f"mem{number}" for number in range(len(named))]:
        return f"the devices are {', '.join(named)}: the model has up to {MOST_DEVICES}, from mem0 on"
    if fact.endpoints != len(named):
        return f"{len(named)} memory devices and {fact.endpoints} endpoints: one of them has no driver"
    if any(each.ram or each.pmem < SZ_256M for each in fact.devices):
        return "a device has volatile capacity, or no persistent one"
    return None


def _operation(description: MachineDescription, k: Kernel) -> Operation | None:
    """What makes the model's drivers find this; None where there is nothing, or nothing that it can be."""
    fact = description.cxl
    if fact is None or not k.features.cxl_regions or _why_not(fact) is not None:
        return None
    devices = [Device(each.pmem, each.serial, each.label_area) for each in fact.devices]
    names = [each.dev for each in description.regions] + [each.region or "" for each in description.dax]
    taken = sorted({int(number[0]) for name in names if (number := re.findall(r"\d+", name))})
    options = {
        "devices": devices_text(devices), "dports": str(root_ports(len(devices))),
        "flushes": "N" if description.hypervisor else "Y", "msi": "N",
    }  # fmt: skip
    if taken:
        options["taken"] = ",".join(map(str, taken))
    return Operation("cxl_acpi_probe", (fact.window,), options=tuple(sorted(options.items())))


def cxl_devices(machine: Machine, description: MachineDescription, notes: list[Note]) -> list[tuple[str, Answer]]:
    """The CXL devices, where the model has such a topology; else a note that says why not."""
    fact = description.cxl
    if fact is None:
        return []
    operation = _operation(description, machine.kernel)
    why = _why_not(fact) or "no entry of /proc/iomem is its window"
    if not machine.kernel.features.cxl_regions:
        why = f"Linux {machine.kernel.version} makes no CXL regions, or none is known of it"
    window = any((res.start, res.end + 1) == fact.window for res in machine.state.iomem.children)
    if operation is None or not window:
        notes.append(Note(description.source, "CXL", f"its CXL devices are left out: {why}"))
        return []
    return [("CXL", machine.apply(operation))]
