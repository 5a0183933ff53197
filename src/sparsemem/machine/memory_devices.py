"""Where QEMU puts memory devices (pc-dimm, nvdimm and virtio-mem), and when it refuses them, in its own words.

Learned from QEMU 7.2 by asking it (and from hw/mem/memory-device.c, hw/mem/pc-dimm.c). All sizes and addresses are
bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from sparsemem.errors import SparsememError
from sparsemem.ranges import Range
from sparsemem.units import MIB

__all__ = ["ALIGNMENT", "DeviceMemory", "DimmRefusedError", "MemoryDevice", "qom_order"]

ALIGNMENT = 2 * MIB
"""What a ``memory-backend-ram`` on x86-64 is aligned to, whatever its size."""

_AUTO_SLOT = -1
_GLIB_PRIMES = (1, 2, 3, 7, 13, 31, 61, 127, 251, 509)


class DimmRefusedError(SparsememError):
    """QEMU does not take a device; ``what`` is what it prints, and the guest never hears of it."""


class MemoryDevice(NamedTuple):
    """A plugged DIMM, NVDIMM or virtio-mem device. ``range``: where it is, without the label area; ``slot`` numbers its ACPI device, and is
    -1 for a virtio-mem device, which has none; ``node`` is QEMU's.
    """

    name: str
    range: Range
    slot: int
    nvdimm: bool = False
    node: int = 0


@dataclass(frozen=True, slots=True)
class DeviceMemory:
    """The window for memory devices and what is in it: a value; ``plug`` and ``unplug`` return the next one.

    ``capacity`` is maxmem minus memory: what all devices together may have. ``window`` is larger (a GiB more a slot).
    ``nodes``: how many the board has.
    """

    window: Range
    capacity: int
    slots: int
    devices: tuple[MemoryDevice, ...] = ()
    nodes: int = 1

    @property
    def used(self) -> int:
        """Bytes of all devices."""
        return sum(device.range.size for device in self.devices)

    def find(self, name: str) -> MemoryDevice | None:
        """The device of that id."""
        return next((device for device in self.devices if device.name == name), None)

    def plug(
        self,
        name: str,
        size: int,
        *,
        addr: int = 0,
        slot: int = _AUTO_SLOT,
        node: int = 0,
        nvdimm: bool = False,
        label: int = 0,
        backend: str = "",
    ) -> tuple[DeviceMemory, MemoryDevice]:
        """Add a device: at ``addr`` (0: the lowest address that fits), in ``slot`` (-1: the lowest free one).

        ``size`` is without the ``label`` area of an NVDIMM, which has whole 2 MiB of it; ``backend`` is what QEMU calls its memory.

        Raises DimmRefusedError with the words of the first check that fails.
        """
        if self.find(name) is not None:
            raise DimmRefusedError(f"Duplicate device ID '{name}'")
        if size <= 0:
            raise DimmRefusedError("property 'size' of memory-backend-ram doesn't take value '0'")
        number = self._free_slot(slot)
        if nvdimm:
            size = _nvdimm_size(size, label, backend)
        self._check_space(size)
        if addr % ALIGNMENT:
            raise DimmRefusedError(f"address must be aligned to {ALIGNMENT:#x} bytes")
        if size % ALIGNMENT:
            raise DimmRefusedError(f"backend memory size must be multiple of {ALIGNMENT:#x}")
        place = self._at(addr, size) if addr else self._first_fit(size)
        if not 0 <= node < self.nodes:
            raise DimmRefusedError(
                f"'DIMM property node has value {node}' which exceeds the number of numa nodes: {self.nodes}"
            )
        return self._with(MemoryDevice(name, place, number, nvdimm, node))

    def plug_virtio_mem(self, name: str, size: int, align: int, node: int) -> tuple[DeviceMemory, MemoryDevice]:
        """Add a virtio-mem device at the lowest address that fits, which is a multiple of ``align`` bytes. It takes no slot.

        Raises DimmRefusedError with the words of the first check that fails.
        """
        if not self.window.size:
            raise DimmRefusedError(
                "memory devices (e.g. for memory hotplug) are not enabled, please specify the maxmem option"
            )
        self._check_space(size)
        if size % align:
            raise DimmRefusedError(f"backend memory size must be multiple of {align:#x}")
        return self._with(MemoryDevice(name, self._first_fit(size, align), _AUTO_SLOT, node=node))

    def _with(self, device: MemoryDevice) -> tuple[DeviceMemory, MemoryDevice]:
        return replace(self, devices=tuple(sorted((*self.devices, device), key=lambda d: d.range.start))), device

    def _check_space(self, size: int) -> None:
        if self.used + size > self.capacity:
            raise DimmRefusedError(
                f"not enough space, currently {self.used:#x} in use of total space for memory devices "
                f"{self.capacity:#x}"
            )

    def unplug(self, name: str) -> DeviceMemory:
        """Take a device out. Raises DimmRefusedError when there is none of that id."""
        if self.find(name) is None:
            raise DimmRefusedError(f"Device '{name}' not found")
        return replace(self, devices=tuple(device for device in self.devices if device.name != name))

    def _free_slot(self, slot: int) -> int:
        if slot != _AUTO_SLOT and not 0 <= slot < self.slots:
            last = (self.slots - 1) & ((1 << 64) - 1)
            raise DimmRefusedError(f"invalid slot number {slot}, valid range is [0-{last}]")
        if not self.slots:
            raise DimmRefusedError("no slots where allocated, please specify the 'slots' option")
        taken = {device.slot for device in self.devices}
        if slot != _AUTO_SLOT:
            if slot in taken:
                raise DimmRefusedError(f"slot {slot} is busy")
            return slot
        free = next((number for number in range(self.slots) if number not in taken), None)
        if free is None:
            raise DimmRefusedError("no free slots available")
        return free

    def _at(self, addr: int, size: int) -> Range:
        place = Range(addr, addr + size)
        if not self.window.contains(place):
            raise DimmRefusedError(
                f"can't add memory device [{addr:#x}:{size:#x}], usable range for memory devices "
                f"[{self.window.start:#x}:{self.window.size:#x}]"
            )
        for device in self.devices:
            if device.range.overlaps(place):
                raise DimmRefusedError(f"address range conflicts with memory device id='{device.name}'")
        return place

    def _first_fit(self, size: int, align: int = ALIGNMENT) -> Range:
        start = -(-self.window.start // align) * align
        for device in self.devices:
            if device.range.start >= start + size:
                break
            if device.range.end > start:
                start = -(-device.range.end // align) * align
        place = Range(start, start + size)
        if not self.window.contains(place):
            raise DimmRefusedError(
                "could not find position in guest address space for memory device - memory fragmented due to alignments"
            )
        return place


def _nvdimm_size(size: int, label: int, backend: str) -> int:
    """What is left of the backend for the guest: whole 2 MiB. Raises DimmRefusedError when that is nothing."""
    usable = size // ALIGNMENT * ALIGNMENT
    if usable <= 0:
        raise DimmRefusedError(
            f"the size of memdev {backend} ({size + label:#x}) is too small to contain nvdimm label ({label:#x}) "
            f"and aligned PMEM ({ALIGNMENT:#x})"
        )
    return usable


def _djb2(name: str) -> int:
    value = 5381
    for byte in name.encode():
        value = (value * 33 + byte) & 0xFFFFFFFF
    return value


def _probe(name: str, mod: int, mask: int, taken: set[int]) -> int:
    """The bucket of a key: open addressing with triangular steps."""
    index, step = (_djb2(name) * 11 & 0xFFFFFFFF) % mod, 0
    while index in taken:
        step += 1
        index = (index + step) & mask
    return index


def _grown(table: dict[int, str], shift: int) -> dict[int, str]:
    """The table after GLib made it larger, in place: a key that is moved evicts what it finds."""
    mod, mask = _GLIB_PRIMES[shift], (1 << shift) - 1
    settled: set[int] = set()
    for index in sorted(table):
        if index in settled:
            continue
        name: str | None = table.pop(index)
        while name is not None:
            target = _probe(name, mod, mask, settled)
            settled.add(target)
            evicted = table.get(target)
            table[target] = name
            name = evicted
    return table


def qom_order(names: list[str]) -> list[str]:
    """The order in which QEMU meets devices of these ids when it writes NFIT and SRAT, and so the order of regions.

    It walks a GLib hash table keyed by the id, so with three or more the order is not that of the command line.
    """
    shift = 3
    table: dict[int, str] = {}
    for name in names:
        table[_probe(name, _GLIB_PRIMES[shift], (1 << shift) - 1, set(table))] = name
        if 1 << shift <= len(table) + len(table) // 16:
            shift = int(len(table) * 1.333).bit_length()
            table = _grown(table, shift)
    return [table[index] for index in sorted(table)]
