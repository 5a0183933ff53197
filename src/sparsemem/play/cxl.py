"""``cxl`` of a scenario's ``[machine]``: memory devices below a CXL host bridge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sparsemem.errors import InputError
from sparsemem.machine.cxl_board import DEFAULT_WINDOW, MOST_DEVICES, CxlDevice, boot_operations
from sparsemem.machine.sysfs import listdir
from sparsemem.units import MIB

if TYPE_CHECKING:
    from collections.abc import Callable

    from sparsemem.machine.machine import Machine
    from sparsemem.machine.qemu import Guest
    from sparsemem.play.scenario import MachineTable

__all__ = ["parse_cxl", "parse_window", "take_in"]

_KEYS = {"size", "serial"}
_UNIT = 256 * MIB


def parse_cxl(entries: list[Any], where: str, size_of: Callable[[Any, str, str], int]) -> tuple[CxlDevice, ...]:
    """The devices of the list. Raises InputError with the place."""
    found = []
    for index, entry in enumerate(entries, 1):
        place = f"{where} cxl {index}"
        if not isinstance(entry, dict) or "size" not in entry:
            raise InputError('it must be a table with a size: { size = "256M", serial = 1 }', where=place)
        for key in set(entry) - _KEYS:
            raise InputError(f"unknown key {key!r}", where=place, remedy="known are " + ", ".join(sorted(_KEYS)))
        size, serial = size_of(entry["size"], "size", place), entry.get("serial", index)
        if size % _UNIT:
            raise InputError(f"size = {entry['size']!r}", where=place, why="a CXL device tells its size in 256 MiB")
        if isinstance(serial, bool) or not isinstance(serial, int) or not 0 <= serial < 1 << 63:
            raise InputError("serial must be a whole number, 0 for none", where=place)
        found.append(CxlDevice(size, serial))
    if len(found) > MOST_DEVICES:
        raise InputError(f"{len(found)} CXL devices: {MOST_DEVICES} is the most", where=where)
    return tuple(found)


def parse_window(table: dict[str, Any], where: str, size_of: Callable[[Any, str, str], int]) -> int:
    """``cxl_window``: bytes for regions. Raises InputError."""
    if "cxl_window" not in table:
        return DEFAULT_WINDOW
    size = size_of(table["cxl_window"], "cxl_window", where)
    if size % _UNIT or "cxl" not in table:
        why = "it goes with cxl" if "cxl" not in table else "QEMU takes multiples of 256 MiB"
        raise InputError(f"cxl_window = {table['cxl_window']!r}", where=where, why=why)
    return size


def take_in(machine: Machine, guest: Guest, table: MachineTable) -> None:
    """The CXL drivers find the devices; the log before the first command is not looked at."""
    if guest.cxl_window is None:
        return
    names = listdir(machine.state, "/sys/bus/dax/devices") or []
    taken = {region.number for region in guest.regions} | {int(each[3:].partition(".")[0]) for each in names}
    for operation in boot_operations(
        machine.kernel, guest.cxl_window, table.cxl, table.cmdline, hypervisor=table.hypervisor, taken=taken
    ):
        machine.apply(operation)
