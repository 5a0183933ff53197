"""``/proc/iomem`` as text: printed as ``r_show`` of kernel/resource.c does it, and a tree built back from lines.

The text holds no flags and no descriptors. ``flags_for_name`` gives those that the kernel sets for the names it
writes itself; a name it does not know is taken for a driver's, hence busy.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from sparsemem.kernel.ioport import (
    IORES_DESC_ACPI_NV_STORAGE,
    IORES_DESC_ACPI_TABLES,
    IORES_DESC_CRASH_KERNEL,
    IORES_DESC_CXL,
    IORES_DESC_NONE,
    IORES_DESC_PERSISTENT_MEMORY,
    IORES_DESC_PERSISTENT_MEMORY_LEGACY,
    IORES_DESC_RESERVED,
    IORES_DESC_SOFT_RESERVED,
    IORESOURCE_BUSY,
    IORESOURCE_EXT_TYPE_BITS,
    IORESOURCE_MEM,
    IORESOURCE_READONLY,
    IORESOURCE_SYSRAM,
    IORESOURCE_SYSRAM_DRIVER_MANAGED,
    IORESOURCE_SYSTEM_RAM,
    IORESOURCE_TYPE_BITS,
    RESOURCE_SIZE_MAX,
    Resource,
)
from sparsemem.kernel.resource import iomem_resource

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["MAX_IORES_LEVEL", "IomemEntry", "flags_for_name", "format_iomem", "tree_from_entries"]

MAX_IORES_LEVEL = 5
"""How deep the kernel indents; deeper entries print at this depth. 8 in newer kernels (read in 7.2)."""

_DEEPEST = 32  # a real tree has under ten levels; the bound keeps a damaged file from growing one of thousands
_LOW_MEGABYTE = 1 << 20

_BUSY_RAM = IORESOURCE_SYSTEM_RAM | IORESOURCE_BUSY
_BUSY = IORESOURCE_MEM | IORESOURCE_BUSY
_ROM = IORESOURCE_MEM | IORESOURCE_BUSY | IORESOURCE_READONLY

_KNOWN: dict[str, tuple[int, int]] = {
    "System RAM": (_BUSY_RAM, IORES_DESC_NONE),
    "Kernel code": (_BUSY_RAM, IORES_DESC_NONE),
    "Kernel data": (_BUSY_RAM, IORES_DESC_NONE),
    "Kernel rodata": (_BUSY_RAM, IORES_DESC_NONE),
    "Kernel bss": (_BUSY_RAM, IORES_DESC_NONE),
    "Crash kernel": (_BUSY_RAM, IORES_DESC_CRASH_KERNEL),
    "Persistent Memory": (IORESOURCE_MEM, IORES_DESC_PERSISTENT_MEMORY),
    "Persistent Memory (legacy)": (IORESOURCE_MEM, IORES_DESC_PERSISTENT_MEMORY_LEGACY),
    "Soft Reserved": (IORESOURCE_MEM, IORES_DESC_SOFT_RESERVED),
    "Reserved": (IORESOURCE_MEM, IORES_DESC_RESERVED),
    "ACPI Tables": (_BUSY, IORES_DESC_ACPI_TABLES),
    "ACPI Non-volatile Storage": (_BUSY, IORES_DESC_ACPI_NV_STORAGE),
    "Unusable memory": (_BUSY, IORES_DESC_NONE),
    "Unknown E820 type": (_BUSY, IORES_DESC_NONE),
    "RAM buffer": (_BUSY, IORES_DESC_NONE),
    "reserved": (_BUSY, IORES_DESC_NONE),
    "Local APIC": (_BUSY, IORES_DESC_NONE),
    "Video ROM": (_ROM, IORES_DESC_NONE),
    "System ROM": (_ROM, IORES_DESC_NONE),
    "Extension ROM": (_ROM, IORES_DESC_NONE),
    "Adapter ROM": (_ROM, IORES_DESC_NONE),
    "Video RAM area": (_BUSY, IORES_DESC_NONE),
}

_CXL_WINDOW = re.compile(r"CXL Window \d+\Z")
_DRIVER_RAM = re.compile(r"System RAM \(.*\)\Z")
_BUSY_DEVICE = re.compile(r"IOAPIC \d+\Z|PCI (?:MMCONFIG|ECAM) |pnp \d")
_FREE_DEVICE = re.compile(
    r"[0-9a-f]{4,}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]\Z"  # a PCI function
    r"|PCI Bus |PCI CardBus |HPET \d+\Z|region\d+\Z|hmem\.\d+\Z"
    r"|[A-Z0-9]{7,8}:[0-9a-f]{2}\Z"  # an ACPI device
)
_RAM_CARRIER = re.compile(r"(?:dax|virtio|hmem)\d")


def flags_for_name(
    name: str | None, start: int | None = None, parent: tuple[int, int] | None = None
) -> tuple[int, int]:
    """``(flags, desc)`` that the kernel gives the entry it calls ``name``.

    ``start`` (bytes) matters for firmware ranges, which are busy below 1 MiB; ``parent`` is the (flags, desc) of the
    entry around it, whose type and descriptor a requested region takes over.
    """
    if name is None:
        return IORESOURCE_MEM, IORES_DESC_NONE
    known = _KNOWN.get(name)
    if known is not None:
        flags, desc = known
        return (flags | IORESOURCE_BUSY if start is not None and start < _LOW_MEGABYTE else flags), desc
    if _DRIVER_RAM.match(name):
        return _BUSY_RAM | IORESOURCE_SYSRAM_DRIVER_MANAGED, parent[1] if parent else IORES_DESC_NONE
    if _CXL_WINDOW.match(name):
        return IORESOURCE_MEM, IORES_DESC_CXL
    if _FREE_DEVICE.match(name):
        return IORESOURCE_MEM, IORES_DESC_NONE
    if _BUSY_DEVICE.match(name) or parent is None:
        return _BUSY, IORES_DESC_NONE
    # a region that a driver requested under its own name: namespace0.0, dax0.0, ahci
    inherited = parent[0] & (IORESOURCE_TYPE_BITS | IORESOURCE_EXT_TYPE_BITS)
    return inherited | IORESOURCE_BUSY, parent[1]


def format_iomem(root: Resource, privileged: bool = True, *, max_level: int = MAX_IORES_LEVEL) -> str:
    """The text of ``/proc/iomem``; without ``privileged`` (CAP_SYS_ADMIN) every address is zero."""
    width = 4 if root.end < 0x10000 else 8
    lines = []
    for depth, res in root.walk():
        start, end = (res.start, res.end) if privileged else (0, 0)
        name = "<BAD>" if res.name is None else res.name
        lines.append(f"{'  ' * min(depth, max_level)}{start:0{width}x}-{end:0{width}x} : {name}\n")
    return "".join(lines)


class IomemEntry(NamedTuple):
    """A line of ``/proc/iomem``: its depth (0 is the top level), the range in bytes with an inclusive end, and the
    name.
    """

    depth: int
    start: int
    end: int
    name: str | None


class _Open:
    """An entry whose children are still coming."""

    __slots__ = ("children", "depth", "entry", "kind")

    def __init__(self, entry: IomemEntry, depth: int, kind: tuple[int, int]) -> None:
        self.entry = entry
        self.depth = depth
        self.kind = kind
        self.children: list[Resource] = []

    def close(self) -> Resource:
        flags, desc = self.kind
        name = self.entry.name
        if name is not None and _RAM_CARRIER.match(name) and any(c.flags & IORESOURCE_SYSRAM for c in self.children):
            flags = IORESOURCE_SYSTEM_RAM  # kmem and virtio_mem clear the busy bit so that RAM fits inside
        return Resource(self.entry.start, self.entry.end, name, flags, desc, _sorted(self.children))


def _sorted(children: list[Resource]) -> tuple[Resource, ...]:
    for left, right in pairwise(children):
        if right.start < left.start:
            return tuple(sorted(children, key=lambda res: res.start))
    return tuple(children)


def tree_from_entries(entries: Iterable[IomemEntry], end: int = RESOURCE_SIZE_MAX) -> Resource:
    """The tree of these lines, in the order printed; O(n). ``end`` is the last byte of the root.

    A line that is deeper than the one before it is its child, however much deeper. Where the kernel stopped indenting
    (``MAX_IORES_LEVEL``), an entry that lies inside the one before it is taken for its child. Nothing else is
    checked: overlaps and entries outside their parent stay as the text has them; ``name`` is kept, with flags from
    ``flags_for_name``.
    """
    top: list[Resource] = []
    stack: list[_Open] = []

    def close_to(count: int) -> None:
        while len(stack) > count:
            done = stack.pop().close()
            (stack[-1].children if stack else top).append(done)

    for entry in entries:
        keep = len(stack)
        while keep:
            above = stack[keep - 1]
            if above.depth < entry.depth:
                break
            folded = above.depth == entry.depth >= MAX_IORES_LEVEL
            if folded and above.entry.start <= entry.start and entry.end <= above.entry.end:
                break
            keep -= 1
        close_to(min(keep, _DEEPEST))
        kind = flags_for_name(entry.name, entry.start, stack[-1].kind if stack else None)
        stack.append(_Open(entry, entry.depth, kind))
    close_to(0)
    return iomem_resource(end, _sorted(top))
