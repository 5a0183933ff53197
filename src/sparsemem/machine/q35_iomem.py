"""``/proc/iomem`` of a QEMU q35 guest at boot: what the kernel writes for its e820 map, and what this board's
devices add.

Left out: the four "Kernel code/rodata/data/bss" lines (their ends depend on the build), namespaces (the pmem
drivers add them) and memory that ACPI adds while booting. Order of insertion as in arch/x86: option ROMs, what e820
calls busy, PCI host windows, PCI devices, the rest of e820, RAM buffers, then motherboard and timer resources.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.kernel.iomem_text import flags_for_name
from sparsemem.kernel.ioport import (
    IORES_DESC_PERSISTENT_MEMORY,
    IORESOURCE_BUSY,
    IORESOURCE_MEM,
    Resource,
)
from sparsemem.kernel.refusal import Refusal
from sparsemem.kernel.resource import (
    insert_resource,
    insert_resource_expand_to_fit,
    iomem_resource,
    lookup_resource,
    release_resource,
    request_mem_region,
    request_resource,
    reserve_region_with_split,
)
from sparsemem.machine.e820 import (
    E820_TYPE_ACPI,
    E820_TYPE_NVS,
    E820_TYPE_PMEM,
    E820_TYPE_PRAM,
    E820_TYPE_RAM,
    E820_TYPE_RESERVED,
    E820_TYPE_SOFT_RESERVED,
    E820_TYPE_UNUSABLE,
    E820Entry,
)
from sparsemem.units import KIB, MIB

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sparsemem.ranges import Range
    from sparsemem.spec import Kernel

__all__ = ["e820_iomem_name", "insert_persistent_memory", "q35_iomem"]

PHYS_BITS = 40
"""Physical address bits of QEMU's ``-cpu max`` under software emulation."""

_NAMES = {
    E820_TYPE_RAM: "System RAM",
    E820_TYPE_RESERVED: "Reserved",
    E820_TYPE_ACPI: "ACPI Tables",
    E820_TYPE_NVS: "ACPI Non-volatile Storage",
    E820_TYPE_UNUSABLE: "Unusable memory",
    E820_TYPE_PMEM: "Persistent Memory",
    E820_TYPE_PRAM: "Persistent Memory (legacy)",
    E820_TYPE_SOFT_RESERVED: "Soft Reserved",
}
# What drivers may claim is entered late and not busy, unless it lies in the first megabyte.
_DEVICE_TYPES = (E820_TYPE_RESERVED, E820_TYPE_SOFT_RESERVED, E820_TYPE_PRAM, E820_TYPE_PMEM)

_ECAM = (0xB0000000, 0xBFFFFFFF)
_HPET = (0xFED00000, 0xFED003FF)


def e820_iomem_name(kind: int) -> str:
    """What an entry of that type is called in ``/proc/iomem``."""
    return _NAMES.get(kind, "Unknown E820 type")


def _ram_alignment(address: int) -> int:
    """How far the end of RAM is padded: 64 KiB in the first megabyte, 1 MiB in the first 16, 64 MiB above."""
    if address < MIB:
        return 64 * KIB
    return MIB if address < 16 * MIB else 64 * MIB


def _inserted(root: Resource, new: Resource) -> Resource:
    """Insert what may conflict: the kernel then leaves it out."""
    try:
        return insert_resource(root, new)
    except Refusal:
        return root


def _device_below(root: Resource, window: Resource, device: Resource) -> Resource:
    held = lookup_resource(root, window.start)
    try:
        return request_resource(root, device, held) if held is not None and held.name == window.name else root
    except Refusal:
        return root


def q35_iomem(
    entries: Sequence[E820Entry], low_end: int, hole64: Range, kernel: Kernel, dimms: Iterable[Range] = ()
) -> Resource:
    """The tree at boot, without NVDIMMs. ``low_end``: end of RAM below 4 GiB; ``hole64``: the 64-bit PCI window
    (bytes).

    ``dimms``: those of the command line that the guest takes in. ACPI adds them before the rest of e820 is entered, which
    grows to hold them where it overlaps. They are not in the tree that is returned: adding the memory is what puts them
    there.
    """
    features = kernel.features
    root = iomem_resource((1 << PHYS_BITS) - 1)
    for start, end, name in ((0xC0000, 0xC05FF, "Video ROM"), (0xF0000, 0xFFFFF, "System ROM")):
        root = request_resource(root, Resource(start, end, name, *flags_for_name(name)))
    later: list[Resource] = []
    for entry in entries:
        name = e820_iomem_name(entry.type)
        res = Resource(entry.addr, entry.end - 1, name, *flags_for_name(name, entry.addr))
        if entry.type in _DEVICE_TYPES and entry.addr >= MIB:
            later.append(res)
            continue
        try:
            root = insert_resource(root, res)
        except Refusal:
            later.append(res)
    windows = [
        Resource(start, end, "PCI Bus 0000:00", IORESOURCE_MEM)
        for start, end in (
            (0xA0000, 0xBFFFF),
            (low_end, _ECAM[0] - 1),
            (_ECAM[1] + 1, 0xFEBFFFFF),
            (hole64.start, hole64.end - 1),
        )
        if start <= end
    ]
    for window in windows:
        root = _inserted(root, window)
    ahci = Resource(0xFEBFF000, 0xFEBFFFFF, "0000:00:1f.2", IORESOURCE_MEM)
    root = _device_below(root, next(w for w in windows if w.end == 0xFEBFFFFF), ahci)
    present: list[Resource] = []
    for place in dimms:
        ram = Resource(place.start, place.end - 1, "System RAM", *flags_for_name("System RAM"))
        try:
            root = request_resource(root, ram)
        except Refusal:
            continue
        present.append(ram)
    for res in later:
        if not (features.soft_reserved_deferred and res.name == "Soft Reserved"):
            root = insert_resource_expand_to_fit(root, res)
    for ram in present:
        root = release_resource(root, ram)
    for entry in entries:
        if entry.type == E820_TYPE_RAM:
            unit = _ram_alignment(entry.end)
            end = -(-entry.end // unit) * unit - 1
            if entry.end < end:
                root = reserve_region_with_split(root, entry.end, end, "RAM buffer")
    return _board_resources(root, kernel)


def _board_resources(root: Resource, kernel: Kernel) -> Resource:
    features = kernel.features
    motherboard = "PNP0C01:00" if features.pnp_names_in_iomem else "pnp 00:06"
    ecam = "PCI ECAM" if features.pci_ecam_in_iomem else "PCI MMCONFIG"
    got = request_mem_region(root, _ECAM[0], _ECAM[1] - _ECAM[0] + 1, motherboard)
    root = got[0] if got is not None else root
    root = _inserted(root, Resource(*_HPET, "PNP0103:00", IORESOURCE_MEM))
    late = [
        Resource(*_ECAM, f"{ecam} 0000 [bus 00-ff]", IORESOURCE_MEM | IORESOURCE_BUSY),
        Resource(0xFEC00000, 0xFEC003FF, "IOAPIC 0", IORESOURCE_MEM | IORESOURCE_BUSY),
        Resource(*_HPET, "HPET 0", IORESOURCE_MEM),
    ]
    if features.local_apic_in_iomem:
        late.append(Resource(0xFEE00000, 0xFEE00FFF, "Local APIC", IORESOURCE_MEM | IORESOURCE_BUSY))
    for res in late:
        root = _inserted(root, res)
    return root


def insert_persistent_memory(root: Resource, ranges: Iterable[Range]) -> Resource:
    """What the nfit driver adds for each NVDIMM. Raises Refusal(EBUSY) when e820 already has something else there."""
    for r in ranges:
        res = Resource(r.start, r.end - 1, "Persistent Memory", IORESOURCE_MEM, IORES_DESC_PERSISTENT_MEMORY)
        root = insert_resource(root, res)
    return root
