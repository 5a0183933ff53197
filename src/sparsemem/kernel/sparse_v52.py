"""``mm/sparse.c`` up to v5.2: sections come and go whole, and a section that exists already counts as added.

Kept beside ``sparse`` as its own room: nothing here knows of sub-sections. Source: mm/sparse.c and mm/memory_hotplug.c of v5.2.
"""

from __future__ import annotations

from sparsemem.kernel.mmzone import SECTION_HAS_MEM_MAP, SECTION_MARKED_PRESENT
from sparsemem.kernel.refusal import Refusal
from sparsemem.kernel.sparse import section_mark_present, sparse_index_init, sparse_init_one_section
from sparsemem.kernel.sparse_vmemmap import depopulate_section_memmap, free_map_bootmem, populate_section_memmap
from sparsemem.kernel.state import MemSection, MemSectionUsage, State

__all__ = ["add_section", "sparse_add_one_section", "sparse_remove_one_section"]


def sparse_add_one_section(state: State, nid: int, nr: int, altmap: int | None) -> None:
    """Add section ``nr`` whole. Raises Refusal: ENOMEM, EEXIST (marked present already; what was allocated is freed)."""
    g = state.kernel.geometry
    sparse_index_init(state, nr)
    ms = state.sections.get(nr) or MemSection(0, None)
    mark = state.mark()
    populate_section_memmap(state, nr << g.PFN_SECTION_SHIFT, g.PAGES_PER_SECTION, g.FULL_SUBSECTION_MAP, altmap)
    try:
        state.alloc("__kmalloc_section_usemap")
        if ms.section_mem_map & SECTION_MARKED_PRESENT:
            raise Refusal(17, "sparse_add_one_section", "section-exists")
    except Refusal:
        state.undo(mark)
        raise
    section_mark_present(state, nr)
    # The subsection_map field stays 0: this kernel has none.
    usage = MemSectionUsage(0, False)
    marked = MemSection(ms.section_mem_map | SECTION_MARKED_PRESENT, usage)
    sparse_init_one_section(state, nr, marked, g.vmemmap_base, usage)


def add_section(state: State, nid: int, nr: int, altmap: int | None) -> None:
    """``__add_section``: raises Refusal EEXIST for a valid section before anything is allocated."""
    ms = state.sections.get(nr)
    if ms is not None and ms.section_mem_map & SECTION_HAS_MEM_MAP:
        raise Refusal(17, "__add_section", "section-exists")
    sparse_add_one_section(state, nid, nr, altmap)


def sparse_remove_one_section(state: State, nr: int, altmap: int | None) -> None:
    """Remove section ``nr`` whole: word and usemap are zeroed, the memmap freed to where it came from.

    Nobody is asked whether another device's pages live in the section.
    """
    ms = state.sections.get(nr)
    if ms is None or not ms.section_mem_map & SECTION_HAS_MEM_MAP:
        return
    g = state.kernel.geometry
    if ms.usage is not None and ms.usage.reserved:
        free_map_bootmem(state, nr)
    else:
        start = nr << g.PFN_SECTION_SHIFT
        depopulate_section_memmap(state, start, g.PAGES_PER_SECTION, g.FULL_SUBSECTION_MAP, altmap)
    state.put_section(nr, None)
