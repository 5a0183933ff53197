"""The operation that gives a machine CXL: what ACPI and PCI tell the drivers at boot. What follows is written to sysfs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.kernel.cxl.mem import Device, cxl_acpi_probe

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sparsemem.kernel.state import State
    from sparsemem.machine.operations import Operation

__all__ = ["OPERATIONS", "OPTIONS", "devices_text"]


def devices_text(devices: Sequence[Device]) -> str:
    """Memory devices as the value of an option: SIZE:SERIAL:LABEL_AREA each, bytes."""
    return ",".join(":".join(map(str, each)) for each in devices)


def _devices(text: str) -> list[Device]:
    found = [Device(*(int(part) for part in word.split(":"))) for word in text.split(",") if word]
    if any(min(each) < 0 for each in found):
        raise ValueError(text)
    return found


def _numbers(text: str) -> frozenset[int]:
    return frozenset(int(word) for word in text.split(",") if word)


def _cxl_acpi_probe(state: State, op: Operation) -> None:
    r = op.ranges[0]
    cxl_acpi_probe(
        state, r.start, r.size, _devices(op.option("devices", "")), dports=int(op.option("dports", "1")),
        taken=_numbers(op.option("taken", "")), flushes=op.option("flushes", "Y") == "Y", interrupts=op.option("msi", "Y") == "Y",
    )  # fmt: skip


#: name -> (how it is performed, what it takes), for operations.OPERATIONS
OPERATIONS: dict[str, tuple[Callable[[State, Operation], None], str]] = {"cxl_acpi_probe": (_cxl_acpi_probe, "range")}

#: option -> how its value is checked
OPTIONS: dict[str, Callable[[str], object]] = {
    "devices": _devices,
    "dports": lambda text: range(1, 9).index(int(text)),
    "flushes": ("N", "Y").index,
    "msi": ("N", "Y").index,
    "taken": _numbers,
}
