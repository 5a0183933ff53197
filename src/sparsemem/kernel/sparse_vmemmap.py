"""``mm/sparse-vmemmap.c``: backing the memmap, from RAM or from the device's own altmap.

What is accounted is which sub-sections have their ``struct page`` array mapped and where its pages came from.
"""

from __future__ import annotations

from sparsemem.kernel.refusal import Refusal
from sparsemem.kernel.state import State, VmemAltmap, Vmemmap

__all__ = [
    "altmap_alloc_block_buf",
    "depopulate_section_memmap",
    "free_map_bootmem",
    "mhp_altmap_offset",
    "populate_section_memmap",
    "vmem_altmap_free",
    "vmem_altmap_offset",
    "vmemmap_bytes",
]

_EMPTY = Vmemmap(0, 0, 0)


def vmem_altmap_offset(altmap: VmemAltmap | None) -> int:
    """Pages from the start of the range to its first data page; 0 without an altmap."""
    return 0 if altmap is None else altmap.reserve + altmap.free


mhp_altmap_offset = vmem_altmap_offset


def altmap_alloc_block_buf(state: State, base_pfn: int, size: int) -> None:
    """Take ``size`` bytes (a page multiple) from the altmap at ``base_pfn``.

    The start is aligned to the lowest set bit of the number of pages asked for, and that padding is never given back.
    Raises Refusal(ENOMEM) when the altmap is exhausted: the kernel does not fall back to RAM for it.
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
    whole = nr_pages == state.kernel.geometry.PAGES_PER_SECTION
    return backing == "everything" or (backing == "whole sections" and whole)


def _memmap_pages(state: State, nr_pages: int) -> int:
    g = state.kernel.geometry
    return -(-nr_pages * g.sizeof_struct_page // g.PAGE_SIZE)


def populate_section_memmap(
    state: State, pfn: int, nr_pages: int, mask: int, altmap: int | None, where: str = "populate_section_memmap"
) -> None:
    """Map the memmap of ``[pfn, pfn + nr_pages)`` (inside one section; ``mask`` its sub-sections).

    Raises Refusal(ENOMEM) when memory or the altmap is exhausted. v5.3 to v5.8 rounded a misaligned range out to
    sub-sections, later kernels refuse it; ``check_pfn_span`` lets neither happen.

    Linux kernel commit 6cda72047ea4 ("mm/sparse: only sub-section aligned range would be populated") (in v5.9)
    """
    state.alloc(where)
    from_altmap = altmap is not None and _from_altmap(state, nr_pages)
    if from_altmap and altmap is not None:
        altmap_alloc_block_buf(state, altmap, _memmap_pages(state, nr_pages) * state.kernel.geometry.PAGE_SIZE)
    nr = pfn >> state.kernel.geometry.PFN_SECTION_SHIFT
    old = state.vmemmap.get(nr, _EMPTY)
    taken = old.altmap | mask if from_altmap else old.altmap
    state.put(state.vmemmap, nr, Vmemmap(old.populated | mask, taken, old.boot))


def depopulate_section_memmap(state: State, pfn: int, nr_pages: int, mask: int, altmap: int | None) -> None:
    """Unmap the memmap of a range; pages that came from the altmap go back to it.

    On arm64 with 4K pages before v6.15 the memmap was mapped by whole PMDs, so removing one sub-section took its
    neighbours' memmap with it (the mask is widened to the section).

    Linux kernel commit d4234d131b0a ("arm64: mm: Populate vmemmap at the page level if not section aligned") (in v6.15)
    """
    g = state.kernel.geometry
    nr = pfn >> g.PFN_SECTION_SHIFT
    old = state.vmemmap.get(nr)
    if old is None:
        return
    if altmap is not None and old.altmap & mask:
        vmem_altmap_free(state, altmap, _memmap_pages(state, nr_pages))
    if state.kernel.features.section_teardown_breaks_shared_pmd and nr_pages < g.PAGES_PER_SECTION:
        mask = g.FULL_SUBSECTION_MAP
    left = Vmemmap(old.populated & ~mask, old.altmap & ~mask, old.boot & ~mask)
    if left.populated:
        state.put(state.vmemmap, nr, left)
    else:
        state.drop(state.vmemmap, nr)


def free_map_bootmem(state: State, nr: int) -> None:
    """Free the memmap that boot gave section ``nr``: all of it."""
    state.drop(state.vmemmap, nr)


def vmemmap_bytes(state: State) -> dict[str, int]:
    """Bytes of memmap by where they come from: ``{"boot", "altmap", "ram"}``; rounded up to pages per section and source."""
    g = state.kernel.geometry
    per_subsection = g.PAGES_PER_SUBSECTION * g.sizeof_struct_page
    totals = {"boot": 0, "altmap": 0, "ram": 0}
    for entry in state.vmemmap.values():
        ram = entry.populated & ~entry.boot & ~entry.altmap
        for name, mask in (("boot", entry.boot), ("altmap", entry.altmap), ("ram", ram)):
            size = mask.bit_count() * per_subsection
            totals[name] += -(-size // g.PAGE_SIZE) * g.PAGE_SIZE
    return totals
