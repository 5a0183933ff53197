"""``include/linux/mmzone.h``: the section word, its flags, the usage map, and the pfn walks.

pfns are page frame numbers of the kernel's page size; sections are numbered from physical address 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.kernel.state import MemSection, State
    from sparsemem.spec import Geometry

__all__ = [
    "SECTION_HAS_MEM_MAP",
    "SECTION_IS_EARLY",
    "SECTION_IS_ONLINE",
    "SECTION_MAP_MASK",
    "SECTION_MARKED_PRESENT",
    "SECTION_TAINT_ZONE_DEVICE",
    "early_section",
    "first_valid_pfn",
    "flag_names",
    "for_each_valid_pfn",
    "next_present_section_nr",
    "next_valid_pfn",
    "online_device_section",
    "online_section",
    "pfn_section_first_valid",
    "pfn_section_valid",
    "pfn_to_section_nr",
    "pfn_valid",
    "present_section",
    "section_nr_to_pfn",
    "sparse_decode_mem_map",
    "sparse_encode_mem_map",
    "subsection_map_index",
    "subsection_mask",
    "valid_section",
]

SECTION_MARKED_PRESENT = 1 << 0
SECTION_HAS_MEM_MAP = 1 << 1
SECTION_IS_ONLINE = 1 << 2
#: Linux kernel commit 326e1b8f83a4 ("mm/sparsemem: introduce a SECTION_IS_EARLY flag") (in v5.3)
SECTION_IS_EARLY = 1 << 3
#: Linux kernel commit 1f90a3477df3 ("mm: teach pfn_to_online_page() about ZONE_DEVICE section collisions") (in v5.12)
SECTION_TAINT_ZONE_DEVICE = 1 << 4
SECTION_MAP_MASK = ~((1 << 6) - 1)

_FLAGS = (
    (SECTION_HAS_MEM_MAP, "HAS_MEM_MAP"),
    (SECTION_IS_EARLY, "IS_EARLY"),
    (SECTION_IS_ONLINE, "IS_ONLINE"),
    (SECTION_MARKED_PRESENT, "MARKED_PRESENT"),
    (SECTION_TAINT_ZONE_DEVICE, "TAINT_ZONE_DEVICE"),
)
_ULONG = (1 << 64) - 1


def flag_names(word: int) -> tuple[str, ...]:
    """The flags of a section word without their ``SECTION_`` prefix, sorted."""
    return tuple(name for bit, name in _FLAGS if word & bit)


def pfn_to_section_nr(g: Geometry, pfn: int) -> int:
    """The section that holds ``pfn``."""
    return pfn >> g.PFN_SECTION_SHIFT


def section_nr_to_pfn(g: Geometry, nr: int) -> int:
    """The first pfn of section ``nr``."""
    return nr << g.PFN_SECTION_SHIFT


def subsection_map_index(g: Geometry, pfn: int) -> int:
    """The bit of ``pfn`` in its section's sub-section map."""
    return (pfn & (g.PAGES_PER_SECTION - 1)) // g.PAGES_PER_SUBSECTION


def subsection_mask(g: Geometry, pfn: int, nr_pages: int) -> int:
    """Bits of every sub-section that ``[pfn, pfn + nr_pages)`` touches (``subsection_mask_set``); one section only.

    Rounds outward. 0 for ``nr_pages`` 0 at a sub-section start, as in the kernel.
    """
    first = subsection_map_index(g, pfn)
    last = ((pfn & (g.PAGES_PER_SECTION - 1)) + nr_pages - 1) // g.PAGES_PER_SUBSECTION
    return ((2 << last) - (1 << first)) if last >= first else 0


def sparse_encode_mem_map(g: Geometry, mem_map: int, nr: int) -> int:
    """The coded memmap of section ``nr`` whose first ``struct page`` is at ``mem_map`` (bytes): an unsigned long."""
    return (mem_map - section_nr_to_pfn(g, nr) * g.sizeof_struct_page) & _ULONG


def sparse_decode_mem_map(g: Geometry, word: int, nr: int) -> int:
    """The address of the first ``struct page`` of section ``nr``; the flag bits are masked off."""
    return ((word & SECTION_MAP_MASK) + section_nr_to_pfn(g, nr) * g.sizeof_struct_page) & _ULONG


def present_section(ms: MemSection | None) -> bool:
    return ms is not None and bool(ms.section_mem_map & SECTION_MARKED_PRESENT)


def valid_section(ms: MemSection | None) -> bool:
    return ms is not None and bool(ms.section_mem_map & SECTION_HAS_MEM_MAP)


def online_section(ms: MemSection | None) -> bool:
    return ms is not None and bool(ms.section_mem_map & SECTION_IS_ONLINE)


def early_section(ms: MemSection | None) -> bool:
    """Present at boot. Such a section is valid as a whole, whatever its sub-section map says."""
    return ms is not None and bool(ms.section_mem_map & SECTION_IS_EARLY)


def online_device_section(ms: MemSection | None) -> bool:
    """Online and tainted: RAM and device pages share it, and only the pagemaps can tell them apart."""
    both = SECTION_IS_ONLINE | SECTION_TAINT_ZONE_DEVICE
    return ms is not None and ms.section_mem_map & both == both


def pfn_section_valid(state: State, ms: MemSection, pfn: int) -> bool:
    """The bit of ``pfn`` in the sub-section map; always true up to v5.2, which has no map.

    Linux kernel commit f46edbd1b151 ("mm/sparsemem: add helpers track active portions of a section at boot") (in v5.3)
    """
    if not state.kernel.features.subsection_hotplug:
        return True
    if ms.usage is None:
        return False
    return bool(ms.usage.subsection_map >> subsection_map_index(state.kernel.geometry, pfn) & 1)


def pfn_valid(state: State, pfn: int) -> bool:
    """Is there a ``struct page`` for ``pfn``? Early sections answer yes for their whole span, holes included.

    Linux kernel commit ba72b4c8cf60 ("mm/sparsemem: support sub-section hotplug") (in v5.3)
    """
    g = state.kernel.geometry
    nr = pfn >> g.PFN_SECTION_SHIFT
    if pfn < 0 or nr >= g.NR_MEM_SECTIONS:
        return False
    ms = state.sections.get(nr)
    if ms is None or not ms.section_mem_map & SECTION_HAS_MEM_MAP:
        return False
    return bool(ms.section_mem_map & SECTION_IS_EARLY) or pfn_section_valid(state, ms, pfn)


def next_present_section_nr(state: State, nr: int) -> int:
    """The next present section after ``nr``, or -1. Up to the highest one that was ever present."""
    sections, highest = state.sections, state.misc.get("highest_present_section_nr", -1)
    for candidate in range(nr + 1, highest + 1):
        if present_section(sections.get(candidate)):
            return candidate
    return -1


def pfn_section_first_valid(state: State, ms: MemSection, pfn: int) -> int | None:
    """The first pfn at or after ``pfn`` in its section whose map bit is set; None when there is none."""
    g = state.kernel.geometry
    if ms.usage is None:
        return None
    index = subsection_map_index(g, pfn)
    if ms.usage.subsection_map >> index & 1:
        return pfn
    rest = ms.usage.subsection_map >> (index + 1)
    if not rest:
        return None
    bit = index + 1 + (rest & -rest).bit_length() - 1
    return (pfn & ~(g.PAGES_PER_SECTION - 1)) + bit * g.PAGES_PER_SUBSECTION


def first_valid_pfn(state: State, pfn: int, end_pfn: int) -> int:
    """The first valid pfn at or after ``pfn``; ``end_pfn`` or higher when there is none before it (v6.16+).

    Offered for every kernel: older ones ask ``pfn_valid()`` pfn by pfn, with the same answers.
    """
    g = state.kernel.geometry
    nr = pfn >> g.PFN_SECTION_SHIFT
    highest = state.misc.get("highest_present_section_nr", -1)
    while nr <= highest and pfn < end_pfn:
        ms = state.sections.get(nr)
        if ms is not None and ms.section_mem_map & SECTION_HAS_MEM_MAP:
            if ms.section_mem_map & SECTION_IS_EARLY or not state.kernel.features.subsection_hotplug:
                return pfn
            found = pfn_section_first_valid(state, ms, pfn)
            if found is not None:
                return found
        nr += 1
        pfn = nr << g.PFN_SECTION_SHIFT
    return end_pfn


def next_valid_pfn(state: State, pfn: int, end_pfn: int) -> int:
    """The valid pfn after ``pfn`` (itself valid), ``end_pfn`` or higher when there is none before it (v6.16+)."""
    pfn += 1
    if pfn >= end_pfn:
        return end_pfn
    g = state.kernel.geometry
    step = g.PAGES_PER_SUBSECTION if state.kernel.features.subsection_hotplug else g.PAGES_PER_SECTION
    if pfn & (step - 1):
        return pfn
    return first_valid_pfn(state, pfn, end_pfn)


def for_each_valid_pfn(state: State, start_pfn: int, end_pfn: int) -> Iterator[int]:
    """Every valid pfn of ``[start_pfn, end_pfn)``."""
    pfn = first_valid_pfn(state, start_pfn, end_pfn)
    while pfn < end_pfn:
        yield pfn
        pfn = next_valid_pfn(state, pfn, end_pfn)
