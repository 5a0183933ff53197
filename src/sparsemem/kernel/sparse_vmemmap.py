"""``mm/sparse-vmemmap.c``: backing the memmap, from RAM or from the device's own altmap.

What is accounted is which sub-sections have their ``struct page`` array mapped and where its pages came from.
"""

from __future__ import annotations

from sparsemem.kernel.mmzone import subsection_mask
from sparsemem.kernel.refusal import Refusal
from sparsemem.kernel.state import DevPagemap, State, VmemAltmap, Vmemmap

__all__ = [
    "VMEMMAP_RESERVE_NR",
    "altmap_alloc_block_buf",
    "corrupted",
    "depopulate_section_memmap",
    "free_map_bootmem",
    "mhp_altmap_offset",
    "populate_section_memmap",
    "shared_mappings",
    "take_run",
    "vmem_altmap_free",
    "vmem_altmap_offset",
    "vmemmap_bytes",
    "vmemmap_can_optimize",
]

#: Pages of memmap that a large device page keeps: its head page and one page of tails.
VMEMMAP_RESERVE_NR = 2

_EMPTY = Vmemmap(0, 0, 0)


def vmem_altmap_offset(altmap: VmemAltmap | None) -> int:
    """Pages from the start of the range to its first data page; 0 without an altmap."""
    return 0 if altmap is None else altmap.reserve + altmap.free


mhp_altmap_offset = vmem_altmap_offset


def altmap_alloc_block_buf(state: State, base_pfn: int, size: int) -> None:
    """Take ``size`` bytes (a page multiple) from the altmap at ``base_pfn``.

    The start is aligned to the lowest set bit of the number of pages asked for, and that padding is never given back.
    Raises Refusal(ENOMEM) when the altmap is exhausted: but for ppc64 (from v4.20) the kernel does not fall back to RAM for it.
    """
    altmap = state.altmaps[base_pfn]
    nr_pfns = size // state.kernel.geometry.PAGE_SIZE
    used = altmap.alloc + altmap.align
    pfn = altmap.base_pfn + altmap.reserve + used
    lowest = nr_pfns & -nr_pfns
    padding = -pfn % lowest
    if nr_pfns + padding > max(altmap.free - used, 0):
        raise Refusal(12, "altmap_alloc_block_buf", "altmap-exhausted")
    state.put(state.altmaps, base_pfn, altmap._replace(alloc=altmap.alloc + nr_pfns, align=altmap.align + padding))


def vmem_altmap_free(state: State, base_pfn: int, nr_pfns: int) -> None:
    """Give pages back to the altmap (the alignment padding stays lost)."""
    altmap = state.altmaps.get(base_pfn)
    if altmap is not None:
        state.put(state.altmaps, base_pfn, altmap._replace(alloc=altmap.alloc - nr_pfns))


def _from_altmap(state: State, nr_pages: int) -> bool:
    # On x86 base pages never come from the altmap: only a whole section's memmap, which is one PMD, does.
    backing = state.kernel.features.altmap_backing
    return backing == "everything" or (
        backing == "whole sections" and nr_pages == state.kernel.geometry.PAGES_PER_SECTION
    )


def _mapped_by_pmd(state: State) -> bool:
    g = state.kernel.geometry
    return state.kernel.features.vmemmap_pmd_for_parts and g.PAGE_SIZE == 4096


def _unit(state: State) -> int:
    """How many sub-sections' memmap one mapping of the vmemmap holds: 1 with 4 KiB pages, 32 with 64 KiB pages."""
    kernel = state.kernel
    g = kernel.geometry
    if g.PAGE_SIZE == 4096 and not kernel.features.vmemmap_pmd_for_parts:
        return 1
    if kernel.arch == "ppc64":
        return 1  # its mappings are kept until the last user is gone
    size = g.PMD_SIZE if g.PAGE_SIZE == 4096 else g.PAGE_SIZE
    return min(max(size // (g.PAGES_PER_SUBSECTION * g.sizeof_struct_page), 1), g.SUBSECTIONS_PER_SECTION)


def _mappings(state: State, pfn: int, nr_pages: int, mask: int) -> int:
    """The sub-sections (mask) behind the vmemmap mappings that a walk over a range's memmap visits.

    ``vmemmap_populate_range()`` and arm64's ``unmap_hotplug_pte_range()`` step by whole pages from an address that they do not
    align: where a page holds several sub-sections, a range that begins inside a page may miss its own last page.
    """
    unit = _unit(state)
    if unit == 1:
        return mask
    g = state.kernel.geometry
    first = (pfn & (g.PAGES_PER_SECTION - 1)) // g.PAGES_PER_SUBSECTION
    count = nr_pages // g.PAGES_PER_SUBSECTION
    low = first // unit
    high = (first + count - 1) // unit + 1 if _mapped_by_pmd(state) else low - (-count // unit)
    return (1 << high * unit) - (1 << low * unit)


def shared_mappings(state: State, mask: int) -> int:
    """The sub-sections that share a vmemmap mapping with those of ``mask``, themselves included."""
    unit = _unit(state)
    if unit == 1:
        return mask
    whole, found = (1 << unit) - 1, 0
    while mask:
        low = ((mask & -mask).bit_length() - 1) // unit * unit
        found |= whole << low
        mask &= ~(whole << low)
    return found


def _memmap_pages(state: State, mask: int) -> int:
    g = state.kernel.geometry
    return -(-mask.bit_count() * g.PAGES_PER_SUBSECTION * g.sizeof_struct_page // g.PAGE_SIZE)


def _take(state: State, base_pfn: int, nr_pages: int, fresh: int) -> None:
    """Take the memmap of the sub-sections ``fresh`` from an altmap: by PMDs where they fill one, else page by page."""
    g = state.kernel.geometry
    wanted = _memmap_pages(state, fresh)
    per_pmd = g.PMD_SIZE >> g.PAGE_SHIFT
    mark = state.mark()
    try:
        if g.PAGE_SIZE == 4096 and (_mapped_by_pmd(state) or nr_pages == g.PAGES_PER_SECTION) and not wanted % per_pmd:
            for _ in range(wanted // per_pmd):
                altmap_alloc_block_buf(state, base_pfn, g.PMD_SIZE)
        else:
            for _ in range(wanted):
                altmap_alloc_block_buf(state, base_pfn, g.PAGE_SIZE)
    except Refusal:
        state.undo(mark)
        raise


def take_run(state: State, base_pfn: int, count: int) -> bool:
    """Take the memmap of ``count`` whole sections from an altmap at once: the same as one by one, for only the first needs padding.

    False, and nothing done, where they do not come from it by PMDs, or where they do not all fit.
    """
    g = state.kernel.geometry
    wanted, per_pmd = _memmap_pages(state, g.FULL_SUBSECTION_MAP), g.PMD_SIZE >> g.PAGE_SHIFT
    if g.PAGE_SIZE != 4096 or wanted % per_pmd or not _from_altmap(state, g.PAGES_PER_SECTION):
        return False
    altmap = state.altmaps[base_pfn]
    used = altmap.alloc + altmap.align
    padding = -(altmap.base_pfn + altmap.reserve + used) % per_pmd
    if count * wanted + padding > max(altmap.free - used, 0):
        return False
    new = altmap._replace(alloc=altmap.alloc + count * wanted, align=altmap.align + padding)
    state.put(state.altmaps, base_pfn, new)
    return True


def populate_section_memmap(
    state: State, pfn: int, nr_pages: int, mask: int, altmap: int | None, where: str = "populate_section_memmap"
) -> None:
    """Map the memmap of ``[pfn, pfn + nr_pages)`` (inside one section; ``mask`` its sub-sections).

    Raises Refusal(ENOMEM) when memory or the altmap is exhausted. v5.3 to v5.8 rounded a misaligned range out to
    sub-sections, later kernels refuse it; ``check_pfn_span`` lets neither happen.

    Linux kernel commit 6cda72047ea4 ("mm/sparse: only sub-section aligned range would be populated") (in v5.9)
    """
    nr = pfn >> state.kernel.geometry.PFN_SECTION_SHIFT
    old = state.vmemmap.get(nr, _EMPTY)
    fresh = _mappings(state, pfn, nr_pages, mask) & ~old.populated
    if not fresh:
        return
    if state.failing is not None:
        state.alloc(where)
    taken = old.altmap
    if altmap is not None and _from_altmap(state, nr_pages):
        try:
            _take(state, altmap, nr_pages, fresh)
            taken |= fresh
        except Refusal:
            if not state.kernel.features.altmap_falls_back_to_ram:
                raise
    state.put(state.vmemmap, nr, Vmemmap(old.populated | fresh, taken, old.boot))


def depopulate_section_memmap(state: State, pfn: int, nr_pages: int, mask: int, altmap: int | None) -> None:
    """Unmap the memmap of a range; pages that came from the altmap go back to it.

    Where one mapping holds the memmap of several sub-sections, x86, s390x and ppc64 keep it until its last user is gone. arm64
    and riscv64 take it away at once, the neighbours' memmap with it: a PMD with 4 KiB pages (arm64 until v6.15), one page with
    16 KiB and 64 KiB pages (read in v7.2: still so).

    Linux kernel commit d4234d131b0a ("arm64: mm: Populate vmemmap at the page level if not section aligned") (in v6.15)
    """
    nr = pfn >> state.kernel.geometry.PFN_SECTION_SHIFT
    old = state.vmemmap.get(nr)
    if old is None or state.kernel.features.vmemmap_never_freed:
        return
    gone = _mappings(state, pfn, nr_pages, mask) & old.populated
    from_altmap = old.altmap & gone
    if from_altmap and altmap is not None:
        vmem_altmap_free(state, altmap, _memmap_pages(state, from_altmap))
    elif from_altmap:
        corrupted(state, "altmap-page-freed", nr)
    left = Vmemmap(old.populated & ~gone, old.altmap & ~gone, old.boot & ~gone)
    if left.populated:
        state.put(state.vmemmap, nr, left)
    else:
        state.drop(state.vmemmap, nr)


def corrupted(state: State, kind: str, nr: int) -> None:
    """Remember a corruption that no table shows; ``faults()`` reports it. ``nr`` is a section."""
    known: frozenset[tuple[str, int]] = state.misc.get("corrupted", frozenset())
    if (kind, nr) not in known:
        state.put(state.misc, "corrupted", known | {(kind, nr)})


def free_map_bootmem(state: State, nr: int) -> None:
    """Free the memmap that boot gave section ``nr``: all of it."""
    g = state.kernel.geometry
    depopulate_section_memmap(state, nr << g.PFN_SECTION_SHIFT, g.PAGES_PER_SECTION, g.FULL_SUBSECTION_MAP, None)


def vmemmap_can_optimize(state: State, pgmap: DevPagemap) -> bool:
    """Does a mapping of large pages keep only two pages of memmap for each of them?

    Linux kernel commit 4917f55b4ef9 ("mm/sparse-vmemmap: improve memory savings for compound devmaps") (in v5.19)
    """
    f, g = state.kernel.features, state.kernel.geometry
    pages = ((1 << pgmap.vmemmap_shift) * g.sizeof_struct_page) >> g.PAGE_SHIFT
    return f.compound_vmemmap_dedup and pgmap.altmap is None and pages > VMEMMAP_RESERVE_NR


def _compound_saving(state: State, first: int, stop: int, shift: int) -> tuple[int, int]:
    """Sub-sections of a deduplicated range whose memmap was allocated at hot-add, and the pages that they really took.

    A section that begins inside a large page reuses the tail page of the section before it and takes none.
    """
    g = state.kernel.geometry
    compound = 1 << shift
    subsections = pages = 0
    pfn = first
    while pfn < stop:
        end = min(stop, (pfn | (g.PAGES_PER_SECTION - 1)) + 1)
        entry = state.vmemmap.get(pfn >> g.PFN_SECTION_SHIFT, _EMPTY)
        mask = subsection_mask(g, pfn, end - pfn)
        if entry.populated & mask == mask and not (entry.boot | entry.altmap) & mask:
            subsections += mask.bit_count()
            if compound <= g.PAGES_PER_SUBSECTION or not (pfn - first) & (compound - 1):
                pages += VMEMMAP_RESERVE_NR * -(-(end - pfn) // compound)
        pfn = end
    return subsections, pages


def vmemmap_bytes(state: State) -> dict[str, int]:
    """Bytes of memmap by where they come from: ``{"boot", "altmap", "ram"}``, in whole pages (page tables not counted)."""
    g = state.kernel.geometry
    per_subsection = g.PAGES_PER_SUBSECTION * g.sizeof_struct_page
    totals = {"boot": 0, "altmap": 0, "ram": 0}
    for entry in state.vmemmap.values():
        ram = entry.populated & ~entry.boot & ~entry.altmap
        for name, mask in (("boot", entry.boot), ("altmap", entry.altmap), ("ram", ram)):
            size = mask.bit_count() * per_subsection
            totals[name] += -(-size // g.PAGE_SIZE) * g.PAGE_SIZE
    for pgmap in state.pgmaps.values():
        if pgmap.vmemmap_shift and vmemmap_can_optimize(state, pgmap):
            for first, stop in pgmap.mapped:
                subsections, pages = _compound_saving(state, first, stop, pgmap.vmemmap_shift)
                totals["ram"] += pages * g.PAGE_SIZE - subsections * per_subsection
    return totals
