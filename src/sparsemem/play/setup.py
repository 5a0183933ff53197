"""From a scenario's ``[machine]`` to a machine that runs."""

from __future__ import annotations

import os
from itertools import count
from typing import TYPE_CHECKING

from sparsemem.errors import InputError, NotModelledError, SparsememError
from sparsemem.kernel.page_alloc import numa_map_to_online_node
from sparsemem.machine.build import DEFAULT_KERNEL, build
from sparsemem.machine.e820 import memparse
from sparsemem.machine.layout import OPTIONS, BootLayout
from sparsemem.machine.machine import Machine
from sparsemem.machine.notation import parse_layout, parse_machine
from sparsemem.machine.operations import Operation
from sparsemem.machine.qemu import Guest, PmemDevice, PmemRegion, start
from sparsemem.machine.virtio_mem import VirtioMemSpec
from sparsemem.play.cxl import take_in
from sparsemem.play.dimm import DimmBoard
from sparsemem.spec import Kernel
from sparsemem.spec import kernel as kernel_for

if TYPE_CHECKING:
    from sparsemem.machine.numa import Numa
    from sparsemem.play.scenario import MachineTable, Scenario

__all__ = ["set_up"]

_FOUR_GIB = 4 << 30
_TRUE = {"1", "y", "yes", "on", "t", "true"}


def set_up(scenario: Scenario, kernel: str | None = None) -> tuple[Machine, DimmBoard | None]:
    """Boot the scenario's machine for ``kernel``, or for its own. Raises SparsememError."""
    version = kernel or scenario.kernel
    table = scenario.machine
    if table.kind == "memory":
        if scenario.arch not in (None, "x86_64"):
            raise InputError("memory describes a QEMU q35 machine, which is x86_64", where=scenario.name)
        return _q35(table, kernel_for(version or DEFAULT_KERNEL), scenario.name)
    if table.kind == "layout":
        own = parse_layout(table.source)[0]
        override = (
            None if version is None else kernel_for(version, scenario.arch or own.arch, own.page_size, own.levels)
        )
        return parse_machine(table.source, kernel_override=override), None
    return _described(scenario, version), None


def _described(scenario: Scenario, version: str | None) -> Machine:
    from dataclasses import replace

    from sparsemem import fixtures
    from sparsemem.readers import read_machine, read_text

    source = scenario.machine.source
    if scenario.machine.kind == "iomem" and "\n" in source.strip():
        description = read_text(source, f"{scenario.name}: iomem")
    else:
        if source.startswith("example:"):
            path = fixtures.path(source.removeprefix("example:"))
        else:
            path = os.path.join(scenario.directory or "", source)
        description = read_machine(path)
    if scenario.arch is not None and description.arch is None:
        description = replace(description, arch=scenario.arch)
    return build(description, version, devices=True).machine


def _core_size(value: str, total: int) -> int:
    """Bytes of ``kernelcore=`` and ``movablecore=``: a size, or a percentage of all ``total`` bytes of RAM.

    Linux kernel commit a5c6d6509342 ("mm, page_alloc: extend kernelcore and movablecore for percent") (in v4.17).
    """
    number, rest = memparse(value)
    if rest.startswith("%"):
        return (total >> 12) * 100 * number // 10000 << 12
    return number


def _ram_bytes(guest: Guest) -> int:
    """RAM as the kernel counts it: whole pages."""
    ram = (each.range for each in guest.e820 if each.kind == "usable")
    return sum(max((r.end >> 12) - (r.start + 0xFFF >> 12), 0) for r in ram) << 12


def _options(cmdline: str, kernel: Kernel, total: int, *, high: bool = False) -> dict[str, str]:
    """The kernel parameters that the model knows, as layout options; an unknown value keeps the default, as in the kernel.

    ``total``: bytes of RAM; ``high``: some of it is above 4 GiB.
    """
    found: dict[str, str] = {}
    mirror = False
    for word in cmdline.split():
        key, _, value = word.partition("=")
        key = key.replace("-", "_")
        low = value.lower()
        if key == "movable_node":
            found["movable_node"] = "Y"
        elif key == "kernelcore" and value == "mirror":
            mirror = True
        elif key in ("movablecore", "kernelcore") and value[:1].isdigit():
            found[key] = str(_core_size(value, total))
        elif key == "memhp_default_state":
            states = OPTIONS["auto_online"] or ()
            if value in states and (kernel.features.auto_online_types or value in ("online", "offline")):
                found["auto_online"] = value
        elif key == "memory_hotplug.memmap_on_memory":
            forced = low == "force" and kernel.features.memmap_on_memory_force
            found["memmap_on_memory"] = "force" if forced else "Y" if low in _TRUE or not value else "N"
        elif key == "memory_hotplug.online_policy" and value in (OPTIONS["online_policy"] or ()):
            found["online_policy"] = value
        elif key == "memory_hotplug.auto_movable_ratio" and value.isdecimal():
            found["auto_movable_ratio"] = value
        elif key == "memory_hotplug.auto_movable_numa_aware":
            found["auto_movable_numa_aware"] = "Y" if low in _TRUE else "N"
    if mirror and high:
        raise NotModelledError(
            "I cannot tell what kernelcore=mirror does with RAM above 4 GiB", where="[machine] cmdline"
        )
    if "movable_node" in found or mirror:  # these win; QEMU's RAM is neither hot-pluggable at boot nor mirrored
        found.pop("movablecore", None)
        found.pop("kernelcore", None)
    return found


def _q35(table: MachineTable, kernel: Kernel, name: str) -> tuple[Machine, DimmBoard]:
    pmem = [PmemDevice(entry.size, entry.labels, entry.node, entry.addr) for entry in table.pmem]
    dimms = [(entry.size, entry.node) for entry in table.dimms]
    try:
        guest = start(
            kernel, table.memory, table.cmdline, pmem,
            slots=table.slots, maxmem=table.maxmem, dimms=dimms, nodes=table.nodes, addrs=[entry.addr for entry in table.dimms],
            virtio_mem=[VirtioMemSpec(e.size, e.requested, e.block_size, e.node) for e in table.virtio_mem],
            cxl_window=table.cxl_window if table.cxl else 0,
        )  # fmt: skip
    except SparsememError as error:
        where = f"{name}: {error.where or '[machine]'}"
        raise type(error)(error.what, where=where, why=error.why, remedy=error.remedy) from None
    high = any(each.kind == "usable" and each.range.end > _FOUR_GIB for each in guest.e820)
    parameters = _options(table.cmdline, kernel, _ram_bytes(guest), high=high)
    nodes: tuple[tuple[int, int, int], ...] = ()
    if len(table.nodes) > 1:
        nodes = tuple(sorted(guest.numa.meminfo))
        parameters |= {"cpu_nodes": "1", "possible_nodes": str(len(guest.numa.nodes))}
    if table.cxl and kernel.features.cxl_regions:
        parameters["possible_nodes"] = "2"  # the CEDT gives the window a node of its own
    options = tuple(sorted(parameters.items()))
    machine = Machine(kernel, BootLayout(guest.iomem, nodes, hypervisor=table.hypervisor, options=options))
    board = DimmBoard(guest.devices, guest.numa, guest.virtio_mems)
    for device in guest.dimms:
        if guest.max_mem_size is None or device.range.end <= guest.max_mem_size:
            board.take_in(machine, device)
        else:
            board.pass_over(device)
    slots = sorted(device.slot for device in guest.devices.devices if device.nvdimm)
    blank = {f"nvdimm{index}" for index, entry in enumerate(table.pmem) if entry.blank}
    for region in guest.regions:
        nvdimm = guest.devices.find(region.device or "")
        if nvdimm is None:
            _legacy(machine, region, guest.numa)
        else:
            labels = "" if not region.labels else "blank" if nvdimm.name in blank else "1.1"
            nmem = slots.index(nvdimm.slot)
            board.announce(machine, nvdimm, labels, {"nmem": str(nmem), "region": str(region.number)})
    _soft_reserved(machine, guest)
    board.attach_virtio_mem(machine, _virtio_mem_parameters(table.cmdline))
    take_in(machine, guest, table)
    return machine, board


def _virtio_mem_parameters(cmdline: str) -> list[tuple[str, str]]:
    """The parameters of the virtio_mem module, which modprobe takes from the command line; an unknown value keeps the default."""
    found = []
    for word in cmdline.split():
        name, _, value = word.replace("-", "_").partition("=")
        key = name.removeprefix("virtio_mem.")
        if key == name:
            continue
        if key in ("force_bbm", "unplug_online"):
            found.append((key, "Y" if value.lower() in _TRUE or not value else "N"))
        elif key == "bbm_block_size" and value.isdecimal():
            found.append((key, value))
    return found


def _soft_reserved(machine: Machine, guest: Guest) -> None:
    """dax_hmem makes a dax region of each soft-reserved range; the log before the first command is not looked at."""
    if not machine.kernel.features.hmem_without_hmat:
        return
    taken = {region.number for region in guest.regions}  # they share their numbers with the regions of libnvdimm
    numbers = (number for number in count() if number not in taken)
    for place in [each.range for each in guest.e820 if each.kind == "soft reserved"]:
        options = {"driver": "hmem", "region": str(next(numbers)), **_nodes(machine, guest.numa, place.start)}
        machine.apply(Operation("dax_region", (place,), options=tuple(sorted(options.items()))))


def _nodes(machine: Machine, numa: Numa, address: int) -> dict[str, str]:
    """Node of the device and of its memory, for memory that the e820 map has; nothing where both are 0."""
    target = numa.phys_to_target_node(address)
    if target <= 0:
        return {}
    return {"node": str(numa_map_to_online_node(machine.state, target)), "target_node": str(target)}


def _legacy(machine: Machine, region: PmemRegion, numa: Numa) -> None:
    """nd_e820 finds a range that ``memmap=`` cut out of RAM."""
    options = {"bus": region.kind, "region": str(region.number), **_nodes(machine, numa, region.range.start)}
    machine.apply(Operation("nd_region", (region.range,), options=tuple(sorted(options.items()))))
