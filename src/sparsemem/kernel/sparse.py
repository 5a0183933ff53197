"""``mm/sparse.c``: the section table at boot, and adding and removing (parts of) sections at run time.

Units: ``pfn``/``nr_pages`` are pages; a section is ``PAGES_PER_SECTION`` of them, a sub-section ``PAGES_PER_SUBSECTION`` (2 MiB).
Up to v5.2 sections come and go whole: see ``sparse_v52``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.kernel.mmzone import (
    SECTION_HAS_MEM_MAP,
    SECTION_IS_EARLY,
    SECTION_IS_ONLINE,
    SECTION_MAP_MASK,
    SECTION_MARKED_PRESENT,
    sparse_encode_mem_map,
    subsection_mask,
)
from sparsemem.kernel.refusal import Refusal
from sparsemem.kernel.sparse_vmemmap import (
    corrupted,
    depopulate_section_memmap,
    free_map_bootmem,
    populate_section_memmap,
)
from sparsemem.kernel.state import MemSection, MemSectionUsage, State, Vmemmap

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "clear_subsection_map",
    "fill_subsection_map",
    "memory_present",
    "mminit_validate_memmodel_limits",
    "offline_mem_sections",
    "online_mem_sections",
    "section_activate",
    "section_deactivate",
    "section_mark_present",
    "sparse_add_section",
    "sparse_index_init",
    "sparse_init",
    "sparse_init_one_section",
    "sparse_init_subsection_map",
    "sparse_remove_section",
]

#: x86-64's __PAGE_OFFSET; where the direct map begins matters to one bug's word only.
_DIRECT_MAP = 0xFFFF888000000000


def sparse_index_init(state: State, nr: int) -> None:
    """Make sure ``mem_section[root]`` of section ``nr`` exists; it is never freed again. Raises Refusal(ENOMEM)."""
    root = nr // state.kernel.geometry.SECTIONS_PER_ROOT
    if root not in state.roots:
        state.alloc("sparse_index_init")
        state.put(state.roots, root, True)


def section_mark_present(state: State, nr: int) -> None:
    """Bump ``__highest_present_section_nr``, which only grows (the flag itself is set with the word)."""
    if nr > state.misc.get("highest_present_section_nr", -1):
        state.put(state.misc, "highest_present_section_nr", nr)


# -- boot


def mminit_validate_memmodel_limits(state: State, start_pfn: int, end_pfn: int) -> tuple[int, int]:
    """Clamp a boot range to what SPARSEMEM can address, with the kernel's warning."""
    limit = 1 << (state.kernel.geometry.MAX_PHYSMEM_BITS - state.kernel.geometry.PAGE_SHIFT)
    if start_pfn > limit:
        state.log("warn", f"Start of range {start_pfn} -> {end_pfn} exceeds SPARSEMEM max {limit}")
        return limit, limit
    if end_pfn > limit:
        state.log("warn", f"End of range {start_pfn} -> {end_pfn} exceeds SPARSEMEM max {limit}")
        return start_pfn, limit
    return start_pfn, end_pfn


def memory_present(state: State, nid: int, start_pfn: int, end_pfn: int, nids: dict[int, int]) -> None:
    """Mark every section that ``[start_pfn, end_pfn)`` touches as present: one page of RAM makes a whole section.

    ``nids`` collects section nr -> node; a section shared by two nodes keeps the first.
    """
    g = state.kernel.geometry
    start_pfn, end_pfn = mminit_validate_memmodel_limits(state, start_pfn & ~(g.PAGES_PER_SECTION - 1), end_pfn)
    if start_pfn >= end_pfn:
        return
    first, last = start_pfn >> g.PFN_SECTION_SHIFT, (end_pfn - 1) >> g.PFN_SECTION_SHIFT
    word = SECTION_IS_ONLINE | SECTION_MARKED_PRESENT
    present = MemSection(word, None)
    for root in range(first // g.SECTIONS_PER_ROOT, last // g.SECTIONS_PER_ROOT + 1):
        state.roots[root] = True
    for nr in range(first, last + 1):
        if state.sections.setdefault(nr, present) is present:
            nids.setdefault(nr, nid)
    section_mark_present(state, last)


def sparse_init(state: State) -> None:
    """Give every present section its memmap (all of it, holes included) and a usage from boot memory."""
    g = state.kernel.geometry
    flags = SECTION_HAS_MEM_MAP | (SECTION_IS_EARLY if state.kernel.features.section_is_early else 0)
    usage = MemSectionUsage(0, True)
    backed = Vmemmap(g.FULL_SUBSECTION_MAP, 0, g.FULL_SUBSECTION_MAP)
    words: dict[int, MemSection] = {}
    for nr, ms in state.sections.items():
        word = ms.section_mem_map | g.vmemmap_base | flags
        state.sections[nr] = words.setdefault(word, MemSection(word, usage))
    state.vmemmap.update(dict.fromkeys(state.sections, backed))


def sparse_init_subsection_map(state: State, ranges: Iterable[tuple[int, int]]) -> None:
    """Set the bits of every sub-section that a boot RAM range touches: rounded *outward* (``subsection_map_init``).

    A partly populated sub-section at a RAM boundary is therefore active, and a device cannot be added there.

    Linux kernel commit f46edbd1b151 ("mm/sparsemem: add helpers track active portions of a section at boot") (in v5.3)
    """
    g = state.kernel.geometry
    if not state.kernel.features.subsection_hotplug:
        return
    full: dict[int, MemSection] = {}
    sections = state.sections
    for start_pfn, end_pfn in ranges:
        first, last = start_pfn >> g.PFN_SECTION_SHIFT, (end_pfn - 1) >> g.PFN_SECTION_SHIFT
        for nr in range(first, last + 1):
            ms = sections[nr]
            begin = max(start_pfn, nr << g.PFN_SECTION_SHIFT)
            pages = min(end_pfn, (nr + 1) << g.PFN_SECTION_SHIFT) - begin
            word = ms.section_mem_map
            if pages == g.PAGES_PER_SECTION:
                shared = full.get(word)
                if shared is None:
                    shared = full[word] = MemSection(word, MemSectionUsage(g.FULL_SUBSECTION_MAP, True))
                sections[nr] = shared
            else:
                old = ms.usage.subsection_map if ms.usage else 0
                sections[nr] = MemSection(word, MemSectionUsage(old | subsection_mask(g, begin, pages), True))


def sparse_init_one_section(state: State, nr: int, ms: MemSection, coded: int, usage: MemSectionUsage | None) -> None:
    """Store the coded memmap and HAS_MEM_MAP; the flag bits that were there (EARLY, ONLINE, TAINT) stay."""
    word = (ms.section_mem_map & ~SECTION_MAP_MASK) | coded | SECTION_HAS_MEM_MAP
    state.put_section(nr, MemSection(word, usage))


# -- hot-add and hot-remove, v5.3 and later


def fill_subsection_map(state: State, usage: MemSectionUsage, mask: int) -> MemSectionUsage:
    """Set ``mask`` in the usage map. Raises Refusal: EINVAL for an empty mask, EEXIST when any bit is set already."""
    if not mask:
        raise Refusal(22, "fill_subsection_map", "pfn-span-alignment")
    if usage.subsection_map & mask:
        raise Refusal(17, "fill_subsection_map", "subsection-overlap")
    return MemSectionUsage(usage.subsection_map | mask, usage.reserved)


def clear_subsection_map(
    state: State, usage: MemSectionUsage | None, pfn: int, nr_pages: int, mask: int
) -> MemSectionUsage | None:
    """Clear ``mask``, all of which must be set; else the kernel warns, and None: nothing was cleared."""
    if usage is None or usage.subsection_map & mask != mask:
        state.log("warn", f"section already deactivated ({pfn:#x} + {nr_pages})")
        return None
    return MemSectionUsage(usage.subsection_map ^ mask, usage.reserved)


def section_activate(state: State, nr: int, pfn: int, nr_pages: int, altmap: int | None) -> MemSection:
    """Activate ``[pfn, pfn + nr_pages)`` of section ``nr`` and back its memmap; returns the section with its new usage.

    A partial range of an early section reuses the boot memmap and allocates nothing. Raises Refusal: ENOMEM (usage or
    memmap), EEXIST (a sub-section is active already), each leaving the section as it was.

    Linux kernel commit ba72b4c8cf60 ("mm/sparsemem: support sub-section hotplug") (in v5.3)
    """
    g = state.kernel.geometry
    ms = state.sections.get(nr) or MemSection(0, None)
    usage = ms.usage
    if usage is None:
        state.alloc("section_activate")
        usage = MemSectionUsage(0, False)
    mask = subsection_mask(g, pfn, nr_pages)
    ms = MemSection(ms.section_mem_map, fill_subsection_map(state, usage, mask))
    if nr_pages < g.PAGES_PER_SECTION and ms.section_mem_map & SECTION_IS_EARLY:
        return ms
    state.put_section(nr, ms)
    try:
        populate_section_memmap(state, pfn, nr_pages, mask, altmap)
    except Refusal:
        # A new usage is freed, a shared one loses the bits again; v5.3 to v5.5 leave the stale word of a removed section.
        section_deactivate(state, pfn, nr_pages, altmap)
        raise
    return ms


def sparse_add_section(state: State, nid: int, start_pfn: int, nr_pages: int, altmap: int | None) -> None:
    """Add a section, or populate part of one; the range lies in one section and is sub-section aligned.

    Raises Refusal: ENOMEM, or EEXIST from the sub-section map.
    """
    g = state.kernel.geometry
    nr = start_pfn >> g.PFN_SECTION_SHIFT
    sparse_index_init(state, nr)
    ms = section_activate(state, nr, start_pfn, nr_pages, altmap)
    section_mark_present(state, nr)
    coded = g.vmemmap_base
    if state.kernel.features.section_word_encodes_kaddr and start_pfn & (g.PAGES_PER_SECTION - 1):
        # Up to v5.6 the word of a section that is added from its middle coded the address of the memory itself.
        coded = sparse_encode_mem_map(g, _DIRECT_MAP + (nr << g.PA_SECTION_SHIFT), nr) & SECTION_MAP_MASK
    marked = MemSection(ms.section_mem_map | SECTION_MARKED_PRESENT, ms.usage)
    sparse_init_one_section(state, nr, marked, coded, ms.usage)


def section_deactivate(state: State, pfn: int, nr_pages: int, altmap: int | None) -> None:
    """Deactivate a range of one section and free what backs it; when the map gets empty, the section is gone.

    A range that is not wholly active only warns and changes nothing. The usage of a boot section stays attached: its page
    holds other sections' usages.

    Linux kernel commits 1f503443e7df ("mm/sparse.c: reset section's mem_map when fully deactivated") (in v5.6),
    b943f045a9af ("mm/sparse: fix kernel crash with pfn_section_valid check") (in v5.6),
    ef69bc9f689d ("mm/sparse: never partially remove memmap for early section") (in v5.9)
    """
    f, g = state.kernel.features, state.kernel.geometry
    nr = pfn >> g.PFN_SECTION_SHIFT
    ms = state.sections.get(nr) or MemSection(0, None)
    mask = subsection_mask(g, pfn, nr_pages)
    usage = clear_subsection_map(state, ms.usage, pfn, nr_pages, mask)
    if usage is None:
        return
    is_early = bool(ms.section_mem_map & SECTION_IS_EARLY)
    if usage.subsection_map:
        if not is_early or f.partial_early_depopulates_boot_memmap:
            depopulate_section_memmap(state, pfn, nr_pages, mask, altmap)
        state.put_section(nr, MemSection(ms.section_mem_map, usage))
        return
    if is_early:
        free_map_bootmem(state, nr)
    else:
        depopulate_section_memmap(state, pfn, nr_pages, mask, altmap)
    kept: MemSectionUsage | None = usage if usage.reserved else None
    if f.boot_usage_freed_twice and not is_early:
        if usage.reserved:
            corrupted(state, "boot-usage-freed", nr)
        kept = None
    word = 0
    if f.removed_section_word_stale:
        word = -((nr << g.PFN_SECTION_SHIFT) * g.sizeof_struct_page) & ((1 << 64) - 1)
    state.put_section(nr, MemSection(word, kept) if word or kept else None)


def sparse_remove_section(state: State, pfn: int, nr_pages: int, altmap: int | None) -> None:
    """Remove a range of one section; an invalid section only warns (WARN_ON_ONCE, no text)."""
    ms = state.sections.get(pfn >> state.kernel.geometry.PFN_SECTION_SHIFT)
    if ms is None or not ms.section_mem_map & SECTION_HAS_MEM_MAP:
        return
    section_deactivate(state, pfn, nr_pages, altmap)


# -- online state


def online_mem_sections(state: State, start_pfn: int, end_pfn: int) -> None:
    """Set ONLINE on every section of ``[start_pfn, end_pfn)``."""
    shift = state.kernel.geometry.PFN_SECTION_SHIFT
    for nr in range(start_pfn >> shift, ((end_pfn - 1) >> shift) + 1):
        ms = state.sections.get(nr)
        if ms is not None and ms.section_mem_map & SECTION_HAS_MEM_MAP:
            state.put_section(nr, MemSection(ms.section_mem_map | SECTION_IS_ONLINE, ms.usage))


def offline_mem_sections(state: State, start_pfn: int, end_pfn: int) -> None:
    """Clear ONLINE on every section of ``[start_pfn, end_pfn)``."""
    shift = state.kernel.geometry.PFN_SECTION_SHIFT
    for nr in range(start_pfn >> shift, ((end_pfn - 1) >> shift) + 1):
        ms = state.sections.get(nr)
        if ms is not None and ms.section_mem_map & SECTION_HAS_MEM_MAP:
            state.put_section(nr, MemSection(ms.section_mem_map & ~SECTION_IS_ONLINE, ms.usage))
