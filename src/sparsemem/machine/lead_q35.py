"""QEMU's q35 machine with SeaBIOS: where RAM, DIMMs and NVDIMMs lie, and what the guest's iomem tree is at boot.

Measured on QEMU 7.2 with Debian's 5.10, 6.1, 6.12 and 7.2 kernels (tests/transcripts). Bytes; ranges half-open.
"""

from __future__ import annotations

from dataclasses import dataclass

from sparsemem.kernel.iomem_text import flags_for_name
from sparsemem.kernel.ioport import Resource
from sparsemem.kernel.resource import insert_resource, iomem_resource, request_resource
from sparsemem.machine.lead_e820 import E820, PERSISTENT, RAM, Entry, apply_cmdline, ram_buffers
from sparsemem.ranges import Range
from sparsemem.spec import Kernel
from sparsemem.units import GIB, MIB

__all__ = ["DimmRefusedError", "Q35", "Slot"]

_LOW_LIMIT, _LOW_SPLIT = 0xB0000000, 0x80000000
_HIGH = 1 << 32
_ALIGN = 2 * MIB
_SLOT_SPACE = GIB
_PCI64 = 32 * GIB


class DimmRefusedError(Exception):
    """QEMU does not take a memory device; the text is its message."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A memory device in its slot: ``size`` bytes at ``start``."""

    name: str
    number: int
    start: int
    size: int

    @property
    def range(self) -> Range:
        return Range(self.start, self.start + self.size)


def _up(value: int, unit: int) -> int:
    return -(-value // unit) * unit


class Q35:
    """One guest: ``memory`` bytes of RAM, ``slots`` memory slots, ``maxmem`` bytes at most. ``devices`` fill the slots."""

    def __init__(self, memory: int, slots: int = 8, maxmem: int = 16 * GIB) -> None:
        self.memory = memory
        self.slots = slots
        self.maxmem = maxmem if slots else memory
        self.low = memory if memory < _LOW_LIMIT else _LOW_SPLIT
        self.high = memory - self.low
        self.devices: list[Slot] = []

    # -- addresses

    @property
    def device_memory(self) -> Range:
        """The window for DIMMs and NVDIMMs: above RAM at the next GiB; a GiB a slot of room for alignment."""
        base = _up(_HIGH + self.high, GIB)
        return Range(base, base + (self.maxmem - self.memory + self.slots * _SLOT_SPACE if self.slots else 0))

    def plug(self, name: str, size: int) -> Slot:
        """Put a DIMM into the lowest free slot at the first address that fits, 2 MiB aligned.

        Raises DimmRefusedError with QEMU's words, checked in its order.
        """
        if any(device.name == name for device in self.devices):
            raise DimmRefusedError(f"Duplicate device ID '{name}'")
        if not self.slots:
            raise DimmRefusedError("no slots where allocated, please specify the 'slots' option")
        used = {device.number for device in self.devices}
        if len(used) >= self.slots:
            raise DimmRefusedError("no free slots available")
        total = self.maxmem - self.memory
        taken = sum(device.size for device in self.devices)
        if taken + size > total:
            raise DimmRefusedError(
                f"not enough space, currently {taken:#x} in use of total space for memory devices {total:#x}"
            )
        if not size or size % _ALIGN:
            raise DimmRefusedError(f"backend memory size must be multiple of {_ALIGN:#x}")
        number = next(n for n in range(self.slots) if n not in used)
        slot = Slot(name, number, self._first_fit(size), size)
        self.devices.append(slot)
        return slot

    def _first_fit(self, size: int) -> int:
        at = self.device_memory.start
        for device in sorted(self.devices, key=lambda d: d.start):
            if at + size <= device.start:
                break
            at = max(at, _up(device.start + device.size, _ALIGN))
        return at

    def unplug(self, name: str) -> None:
        """Take a device out of its slot (the guest has let it go)."""
        self.devices = [device for device in self.devices if device.name != name]

    # -- what firmware tells

    def firmware_map(self) -> E820:
        """The e820 map of SeaBIOS: the ACPI tables lie in a reserved tail of low RAM, a page larger with memory hotplug."""
        tail = 0x22000 if self.slots else 0x21000
        entries = [
            Entry(0, 0x9FC00, RAM),
            Entry(0x9FC00, 0xA0000, "reserved"),
            Entry(0xF0000, 0x100000, "reserved"),
            Entry(0x100000, self.low - tail, RAM),
            Entry(self.low - tail, self.low, "reserved"),
            Entry(0xB0000000, 0xC0000000, "reserved"),
            Entry(0xFED1C000, 0xFED20000, "reserved"),
            Entry(0xFFFC0000, _HIGH, "reserved"),
        ]
        if self.high:
            entries.append(Entry(_HIGH, _HIGH + self.high, RAM))
        entries.append(Entry(0xFD00000000, 0x10000000000, "reserved"))
        return tuple(entries)

    def _windows(self, kernel: Kernel) -> list[tuple[int, int, str]]:
        window = self.device_memory
        start = _up(window.end if self.slots else _HIGH + self.high, GIB)
        ecam = "PCI ECAM" if kernel.features.pci_ecam_in_iomem else "PCI MMCONFIG"
        found = [
            (0xA0000, 0xC0000, "PCI Bus 0000:00"),
            (self.low, 0xB0000000, "PCI Bus 0000:00"),
            (0xB0000000, 0xC0000000, f"{ecam} 0000 [bus 00-ff]"),
            (0xC0000000, 0xFEC00000, "PCI Bus 0000:00"),
            (0xFEC00000, 0xFEC00400, "IOAPIC 0"),
            (0xFED00000, 0xFED00400, "HPET 0"),
            (start, start + _PCI64, "PCI Bus 0000:00"),
        ]
        if kernel.features.local_apic_in_iomem:
            found.append((0xFEE00000, 0xFEE01000, "Local APIC"))
        return found

    def boot(self, kernel: Kernel, cmdline: str = "") -> tuple[E820, Resource]:
        """The e820 map after the command line, and the iomem tree at boot without namespaces. Raises InputError."""
        table = apply_cmdline(self.firmware_map(), cmdline)
        root = iomem_resource()
        names = {RAM: "System RAM", "reserved": "Reserved", PERSISTENT: "Persistent Memory (legacy)"}
        first_page = [Entry(0, 0x1000, "reserved"), *(Entry(max(e.start, 0x1000), e.end, e.kind) for e in table if e.end > 0x1000)]
        for entry in first_page:
            name = names.get(entry.kind, "Reserved")
            flags, desc = flags_for_name(name, entry.start)
            root = insert_resource(root, Resource(entry.start, entry.end - 1, name, flags, desc))
        for start, end, name in [(0xC0000, 0xC0600, "Video ROM"), *self._windows(kernel)]:
            flags, desc = flags_for_name(name, start)
            root = insert_resource(root, Resource(start, end - 1, name, flags, desc))
        extra = "PNP0C01:00" if kernel.features.pnp_names_in_iomem else "pnp 00:06"
        for start, end, name in [
            (0xF0000, 0x100000, "System ROM"),
            (0xB0000000, 0xC0000000, extra),
            (0xFEBFF000, 0xFEC00000, "0000:00:1f.2"),
            (0xFED00000, 0xFED00400, "PNP0103:00"),
        ]:
            root = _nest(root, start, end, name)
        for start, end in ram_buffers(table):
            root = _fill(root, start, end, "RAM buffer")
        for device in self.devices:
            if device.name.startswith("nvdimm"):
                flags, desc = flags_for_name("Persistent Memory", device.start)
                root = insert_resource(root, Resource(device.start, device.range.end - 1, "Persistent Memory", flags, desc))
        return table, root


def _nest(root: Resource, start: int, end: int, name: str) -> Resource:
    """Put an entry inside the deepest one that contains it."""
    parent: Resource | None = None
    for _, res in root.walk():
        if res.start <= start and end - 1 <= res.end:
            parent = res
    kind = (parent.flags, parent.desc) if parent is not None else None
    flags, desc = flags_for_name(name, start, kind)
    return request_resource(root, Resource(start, end - 1, name, flags, desc), parent)


def _fill(root: Resource, start: int, end: int, name: str) -> Resource:
    """``reserve_region_with_split``: the parts of a range where nothing else is."""
    flags, desc = flags_for_name(name, start)
    at = start
    for res in [*root.children, None]:
        low, high = (res.start, res.end + 1) if res is not None else (end, end)
        if low > at and min(low, end) > at:
            root = request_resource(root, Resource(at, min(low, end) - 1, name, flags, desc))
        at = max(at, high)
        if at >= end:
            break
    return root
