"""Adding and removing pages without onlining them: what ``memremap_pages`` and ``add_memory`` both build on.

pfns and page counts throughout; ``arch_add_memory``/``arch_remove_memory`` take bytes, as in the kernel.
"""

from __future__ import annotations

from sparsemem.kernel.mmzone import (
    SECTION_HAS_MEM_MAP,
    SECTION_IS_ONLINE,
    SECTION_MARKED_PRESENT,
    SECTION_TAINT_ZONE_DEVICE,
    pfn_section_valid,
)
from sparsemem.kernel.pgmap_array import get_dev_pagemap
from sparsemem.kernel.refusal import Refusal
from sparsemem.kernel.sparse import section_mark_present, sparse_add_section, sparse_remove_section
from sparsemem.kernel.sparse_v52 import add_section, sparse_remove_one_section
from sparsemem.kernel.sparse_vmemmap import take_run, vmem_altmap_offset
from sparsemem.kernel.state import MemSection, MemSectionUsage, State, Vmemmap

__all__ = [
    "__add_pages",
    "__remove_pages",
    "arch_add_memory",
    "arch_remove_memory",
    "check_hotplug_memory_addressable",
    "check_pfn_span",
    "has_memory_hotplug",
    "has_memory_hotremove",
    "mhp_get_pluggable_range",
    "mhp_range_allowed",
    "pfn_to_online_page",
]

_RUN, _ALTMAP_RUN = 16, 4
"""So many whole sections are worth writing at once, without and with an altmap."""


def has_memory_hotplug(state: State) -> bool:
    """CONFIG_MEMORY_HOTPLUG: can this kernel add memory on its architecture?"""
    arch = state.kernel.arch
    if arch == "arm64":
        return state.kernel.features.arm64_memory_hotplug
    return arch != "riscv64" or state.kernel.features.riscv64_memory_hotplug


def has_memory_hotremove(state: State) -> bool:
    """CONFIG_MEMORY_HOTREMOVE: can it take memory offline and remove it?"""
    return has_memory_hotplug(state) and (state.kernel.arch != "arm64" or state.kernel.features.arm64_memory_hotremove)


def check_pfn_span(state: State, pfn: int, nr_pages: int, caller: str) -> None:
    """Both must be multiples of a sub-section (it does not ask for ``nr_pages`` to be non-zero).

    Raises Refusal(EINVAL) after the kernel's warning, whose text differs by version ("#%lx" until v6.2).

    Linux kernel commit ba72b4c8cf60 ("mm/sparsemem: support sub-section hotplug") (in v5.3)
    """
    if (pfn | nr_pages) & (state.kernel.geometry.PAGES_PER_SUBSECTION - 1):
        message = state.kernel.features.misaligned_message
        name = caller if message.startswith("Misaligned __") else f"__{caller}_pages"
        text = message % (name, pfn, (pfn + nr_pages - 1) & ((1 << 64) - 1))
        state.log("warn", text)
        raise Refusal(22, "check_pfn_span", "pfn-span-alignment", (text,))


def mhp_get_pluggable_range(state: State, need_mapping: bool) -> tuple[int, int]:
    """The physical addresses, first and last, that can be plugged (the direct map's when ``need_mapping``)."""
    end = (1 << state.kernel.geometry.MAX_PHYSMEM_BITS) - 1
    limit: int = state.misc.get("physmem_end", end)
    end = min(end, limit)
    if need_mapping:
        mappable: tuple[int, int] = state.misc.get("arch_mappable_range", (0, (1 << 64) - 1))
        return max(0, mappable[0]), min(end, mappable[1])
    return 0, end


def mhp_range_allowed(state: State, start: int, size: int, need_mapping: bool) -> bool:
    """May bytes ``[start, start + size)`` be hot-plugged at all? Warns when not.

    Linux kernel commit bca3feaa0764 ("mm/memory_hotplug: prevalidate the address range being added with platform") (in v5.12)
    """
    first, last = mhp_get_pluggable_range(state, need_mapping)
    end = start + size
    if start < end and start >= first and end - 1 <= last:
        return True
    state.log(
        "warn",
        f"Hotplug memory [{start:#x}-{end:#x}] exceeds maximum addressable range [{first:#x}-{last:#x}]",
    )
    return False


def check_hotplug_memory_addressable(state: State, pfn: int, nr_pages: int) -> None:
    """v5.4 to v5.11. Raises Refusal(E2BIG); the maximum that is printed is one bit too large, as it was.

    Linux kernel commit dca4436d1cf9 ("mm/memory_hotplug: check for overflow in hot-added range") (in v5.4)
    """
    g = state.kernel.geometry
    start = pfn << g.PAGE_SHIFT
    last = start + (nr_pages << g.PAGE_SHIFT) - 1
    if last >> g.MAX_PHYSMEM_BITS:
        text = (
            "Hotplugged memory exceeds maximum addressable address, "
            f"range={start:#x}-{last:#x}, maximum={(2 << g.MAX_PHYSMEM_BITS) - 1:#x}"
        )
        state.log("warn", text)
        raise Refusal(7, "check_hotplug_memory_addressable", "addressable-range", (text,))


def _check_altmap(state: State, pfn: int, nr_pages: int, altmap: int) -> None:
    entry = state.altmaps[altmap]
    if entry.base_pfn != pfn or vmem_altmap_offset(entry) > nr_pages:
        text = "memory add fail, invalid altmap"
        state.log("warn", text, once="__add_pages:altmap")
        raise Refusal(22, "__add_pages", "altmap-invalid", (text,))
    if entry.alloc:
        state.put(state.altmaps, altmap, entry._replace(alloc=0))


def __add_pages(state: State, nid: int, pfn: int, nr_pages: int, altmap: int | None = None) -> None:
    """Add ``[pfn, pfn + nr_pages)`` section by section; stops at the first refusal.

    What was added before the refused section **stays**: no version rolls back. Up to v5.2 the range is widened to whole
    sections and one that exists already counts as added. Raises Refusal: EINVAL, E2BIG, EEXIST, ENOMEM.
    """
    f, g = state.kernel.features, state.kernel.geometry
    shift = g.PFN_SECTION_SHIFT
    end_pfn = pfn + nr_pages
    if f.hotplug_addressable_check:
        check_hotplug_memory_addressable(state, pfn, nr_pages)
    if altmap is not None:
        _check_altmap(state, pfn, nr_pages, altmap)
    state.hold(nr_pages >> shift)
    if not f.subsection_hotplug:
        first, stop = pfn >> shift, ((end_pfn - 1) >> shift) + 1
        if _worth(stop - first, altmap) and _add_run(state, first, stop, altmap):
            return
        for nr in range(first, stop):
            try:
                add_section(state, nid, nr, altmap)
            except Refusal as refusal:
                if refusal.errno != 17:
                    raise
        return
    check_pfn_span(state, pfn, nr_pages, "add")
    while pfn < end_pfn:
        step = min(end_pfn, (pfn | (g.PAGES_PER_SECTION - 1)) + 1) - pfn
        if (
            step == g.PAGES_PER_SECTION
            and _worth((end_pfn - pfn) >> shift, altmap)
            and _add_run(state, pfn >> shift, end_pfn >> shift, altmap)
        ):
            step = (end_pfn - pfn) & ~(g.PAGES_PER_SECTION - 1)
        else:
            sparse_add_section(state, nid, pfn, step, altmap)
        pfn += step


def _worth(count: int, altmap: int | None) -> bool:
    return count >= (_RUN if altmap is None else _ALTMAP_RUN)


def _add_run(state: State, first: int, stop: int, altmap: int | None) -> bool:
    """Add many whole, absent sections at once: the same tables as one by one (tests/kernel/test_add_run.py compares them)."""
    if state.failing is not None:
        return False
    run = range(first, stop)
    if first <= state.misc.get("highest_present_section_nr", -1) and not state.sections.keys().isdisjoint(run):
        return False
    if altmap is not None and not take_run(state, altmap, len(run)):
        return False
    g = state.kernel.geometry
    for root in range(first // g.SECTIONS_PER_ROOT, (stop - 1) // g.SECTIONS_PER_ROOT + 1):
        if root not in state.roots:
            state.put(state.roots, root, True)
    word = g.vmemmap_base | SECTION_MARKED_PRESENT | SECTION_HAS_MEM_MAP
    active = g.FULL_SUBSECTION_MAP if state.kernel.features.subsection_hotplug else 0
    state.put_run(state.sections, run, MemSection(word, MemSectionUsage(active, False)))
    state.put_run(state.vmemmap, run, Vmemmap(g.FULL_SUBSECTION_MAP, 0 if altmap is None else g.FULL_SUBSECTION_MAP, 0))
    section_mark_present(state, stop - 1)
    return True


def __remove_pages(state: State, pfn: int, nr_pages: int, altmap: int | None = None) -> None:
    """Remove a range section by section. A misaligned range is not removed at all: a warning, no error (v5.3+).

    Up to v5.2 a misaligned range is a BUG; the pieces come here widened to sections.
    """
    f, g = state.kernel.features, state.kernel.geometry
    end_pfn = pfn + nr_pages
    state.hold((nr_pages >> g.PFN_SECTION_SHIFT) - len(state.sections))
    if not f.subsection_hotplug:
        if (pfn | nr_pages) & (g.PAGES_PER_SECTION - 1):
            raise Refusal(
                14, "__remove_pages", "section-span-alignment", ("kernel BUG at mm/memory_hotplug.c",), crash=True
            )
        for nr in range(pfn >> g.PFN_SECTION_SHIFT, end_pfn >> g.PFN_SECTION_SHIFT):
            sparse_remove_one_section(state, nr, altmap)
        return
    try:
        check_pfn_span(state, pfn, nr_pages, "remove")
    except Refusal:
        return
    while pfn < end_pfn:
        step = min(end_pfn, (pfn | (g.PAGES_PER_SECTION - 1)) + 1) - pfn
        sparse_remove_section(state, pfn, step, altmap)
        pfn += step


def arch_add_memory(state: State, nid: int, start: int, size: int, altmap: int | None = None) -> None:
    """Map bytes ``[start, start + size)`` and add their pages. Addresses are cut to pages as the kernel shifts them.

    Raises Refusal as ``__add_pages``; x86 warns (WARN_ON_ONCE, no text) on any error.
    """
    shift = state.kernel.geometry.PAGE_SHIFT
    if not has_memory_hotplug(state):
        raise Refusal(38, "arch_add_memory", "no-memory-hotplug")
    if state.kernel.features.arm64_checks_linear_region:
        first, last = mhp_get_pluggable_range(state, True)
        if start < first or start + size - 1 > last:
            text = f"[{start:x} {start + size:x}] is outside linear mapping region"
            state.log("err", text)
            raise Refusal(22, "arch_add_memory", "linear-region", (text,))
    if state.kernel.features.physmem_end_limits_hotplug and state.kernel.arch == "x86_64":
        last = mhp_get_pluggable_range(state, False)[1]
        if start + size - 1 > last:
            raise Refusal(34, "add_pages", "addressable-range")
    __add_pages(state, nid, start >> shift, size >> shift, altmap)


def arch_remove_memory(state: State, start: int, size: int, altmap: int | None = None) -> None:
    """Remove the pages of bytes ``[start, start + size)`` and unmap them; never fails from v5.5 on."""
    shift = state.kernel.geometry.PAGE_SHIFT
    if not has_memory_hotremove(state):
        raise Refusal(38, "arch_remove_memory", "no-memory-hotplug")
    __remove_pages(state, start >> shift, size >> shift, altmap)


def pfn_to_online_page(state: State, pfn: int) -> bool:
    """Would the kernel hand out a page for ``pfn`` as online memory?

    v4.13 to v5.11 ask only whether the *section* is online, so a device's pages that share a section with boot RAM are
    wrongly taken for RAM. From v5.12 on the sub-section map is asked, and in tainted sections the live device pagemaps.

    Linux kernel commits 9f9b02e5b346 ("mm: teach pfn_to_online_page() to consider subsection validity") and
    1f90a3477df3 ("mm: teach pfn_to_online_page() about ZONE_DEVICE section collisions") (in v5.12)
    """
    g = state.kernel.geometry
    nr = pfn >> g.PFN_SECTION_SHIFT
    if nr >= g.NR_MEM_SECTIONS:
        return False
    ms = state.sections.get(nr)
    if ms is None or not ms.section_mem_map & SECTION_IS_ONLINE:
        return False
    if not state.kernel.features.pfn_to_online_page_checks_subsection:
        return True
    if not pfn_section_valid(state, ms, pfn):
        return False
    if not ms.section_mem_map & SECTION_TAINT_ZONE_DEVICE:
        return True
    return get_dev_pagemap(state, pfn) is None
