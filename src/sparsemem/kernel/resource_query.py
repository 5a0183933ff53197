"""Questions to the iomem tree, of kernel/resource.c: what overlaps a range, which RAM lies in it, may user space map
it.

Nothing here changes a tree. Addresses are bytes, ``end`` is inclusive.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from sparsemem.kernel._resource_tree import overlapping, start_of
from sparsemem.kernel.ioport import (
    IORES_DESC_NONE,
    IORESOURCE_BUSY,
    IORESOURCE_EXCLUSIVE,
    IORESOURCE_SYSTEM_RAM,
    Resource,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "REGION_DISJOINT",
    "REGION_INTERSECTS",
    "REGION_MIXED",
    "find_next_iomem_res",
    "iomem_is_exclusive",
    "lookup_resource",
    "page_is_ram",
    "region_intersects",
    "walk_iomem_res_desc",
    "walk_system_ram_range",
    "walk_system_ram_res",
]

REGION_INTERSECTS = "intersects"
REGION_DISJOINT = "disjoint"
REGION_MIXED = "mixed"


def lookup_resource(root: Resource, start: int) -> Resource | None:
    """The child of ``root`` that starts exactly there."""
    index = bisect_right(root.children, start, key=start_of) - 1
    return root.children[index] if index >= 0 and root.children[index].start == start else None


def _is_type_match(res: Resource, flags: int, desc: int) -> bool:
    return res.flags & flags == flags and desc in (IORES_DESC_NONE, res.desc)


def region_intersects(
    root: Resource, start: int, size: int, flags: int, desc: int = IORES_DESC_NONE, *, descend: bool = True
) -> str:
    """How ``size`` bytes at ``start`` lie to entries of that kind: REGION_DISJOINT, REGION_INTERSECTS or REGION_MIXED.

    Mixed is an overlap with such an entry and with another one; holes do not count. ``descend`` looks below the top
    level:
    Linux kernel commit b4afe4183ec7 ("resource: fix region_intersects() vs add_memory_driver_managed()") (in v6.12,
    and in stable trees); before, only the children of the root count.
    """
    end = start + size - 1
    matching = other = False
    for res in overlapping(root, start, end):
        if _is_type_match(res, flags, desc):
            matching = True
            continue
        if not descend or not res.children:
            other = True
            continue
        # The part of the range inside this entry is "other" unless matching descendants cover it without a gap.
        covered, reached, stop = False, max(start, res.start), min(end, res.end)
        stack = list(overlapping(res, start, end))[::-1]
        while stack:
            below = stack.pop()
            if _is_type_match(below, flags, desc):
                matching = True
                if below.start > reached:
                    break
                if below.end >= stop:
                    covered = True
                    break
                reached = max(reached, below.end + 1)
            stack.extend(list(overlapping(below, start, end))[::-1])
        if not covered:
            other = True
    if not matching:
        return REGION_DISJOINT
    return REGION_MIXED if other else REGION_INTERSECTS


def find_next_iomem_res(
    root: Resource, start: int, end: int, flags: int, desc: int = IORES_DESC_NONE, *, first_lvl: bool = False
) -> Resource | None:
    """The lowest entry of that kind that overlaps ``start..end`` (inclusive), clipped to it and without children;
    else None.

    An entry is found before the ones inside it. ``first_lvl`` looks at the children of the root only.
    """
    if start >= end:
        return None
    stack = [overlapping(root, start, end)]
    while stack:
        res = next(stack[-1], None)
        if res is None:
            stack.pop()
        elif _is_type_match(res, flags, desc):
            return Resource(max(start, res.start), min(end, res.end), res.name, res.flags, res.desc)
        elif not first_lvl and res.children:
            stack.append(overlapping(res, start, end))
    return None


def walk_iomem_res_desc(
    root: Resource, desc: int, flags: int, start: int, end: int, *, first_lvl: bool = False
) -> Iterator[Resource]:
    """Every entry of that kind that overlaps ``start..end`` (inclusive), clipped, from low to high."""
    while (res := find_next_iomem_res(root, start, end, flags, desc, first_lvl=first_lvl)) is not None:
        yield res
        start = res.end + 1


def walk_system_ram_res(root: Resource, start: int, end: int, *, first_lvl: bool = False) -> Iterator[Resource]:
    """Every busy System RAM entry in ``start..end`` (inclusive), clipped.

    ``first_lvl``: until Linux kernel commit 97f61c8f44ec ("kernel/resource: make walk_system_ram_res() find all busy
    IORESOURCE_SYSTEM_RAM resources") (in v5.13) only the children of the root were found.
    """
    flags = IORESOURCE_SYSTEM_RAM | IORESOURCE_BUSY
    return walk_iomem_res_desc(root, IORES_DESC_NONE, flags, start, end, first_lvl=first_lvl)


def walk_system_ram_range(
    root: Resource, start_pfn: int, nr_pages: int, page_shift: int = 12
) -> Iterator[tuple[int, int]]:
    """``(pfn, number of pages)`` of busy System RAM in the pfn range; entries that hold no whole page are passed over.

    Looks at all levels: Linux kernel commit 2b539aefe9e4 ("mm/resource: Let walk_system_ram_range() search child
    resources") (in v5.1).
    """
    last = ((start_pfn + nr_pages) << page_shift) - 1
    for res in walk_system_ram_res(root, start_pfn << page_shift, last):
        pfn = (res.start + (1 << page_shift) - 1) >> page_shift
        end_pfn = (res.end + 1) >> page_shift
        if end_pfn > pfn:
            yield pfn, end_pfn - pfn


def page_is_ram(root: Resource, pfn: int, page_shift: int = 12) -> bool:
    """True when the page is wholly inside busy System RAM."""
    return next(walk_system_ram_range(root, pfn, 1, page_shift), None) is not None


def iomem_is_exclusive(
    root: Resource, addr: int, page_size: int = 4096, *, strict: bool = True, io_strict_devmem: bool = True
) -> bool:
    """True when user space may not map the page at ``addr`` through ``/dev/mem``.

    ``strict`` is CONFIG_STRICT_DEVMEM without ``iomem=relaxed``; ``io_strict_devmem`` is CONFIG_IO_STRICT_DEVMEM
    (distributions set both).
    """
    addr &= -page_size
    stack = [overlapping(root, addr, addr + page_size - 1)]
    ram = IORESOURCE_SYSTEM_RAM | IORESOURCE_EXCLUSIVE
    while stack:
        res = next(stack[-1], None)
        if res is None:
            stack.pop()
            continue
        if res.flags & ram == ram:
            return True
        if strict and res.flags & IORESOURCE_BUSY and (io_strict_devmem or res.flags & IORESOURCE_EXCLUSIVE):
            return True
        stack.append(overlapping(res, addr, addr + page_size - 1))
    return False
