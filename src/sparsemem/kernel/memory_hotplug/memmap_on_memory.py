"""``memory_hotplug.memmap_on_memory`` (v5.14+): hot-added RAM that holds its own memmap, block by block.

Linux kernel commit a08a2ae34613 ("mm,memory_hotplug: allocate memmap from the added memory range") (in v5.14)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sparsemem.kernel.state import State

__all__ = [
    "memory_block_memmap_on_memory_pages",
    "memory_block_memmap_size",
    "mhp_memmap_on_memory",
    "mhp_supports_memmap_on_memory",
]


def mhp_memmap_on_memory(state: State) -> bool:
    """Is the module parameter on? It is "N", "Y" or, from v6.6 on, "force"."""
    f = state.kernel.features
    return f.memmap_on_memory and f.memmap_on_memory_arch and state.misc.get("memmap_on_memory", "N") != "N"


def memory_block_memmap_size(state: State) -> int:
    """Bytes of memmap that one memory block needs."""
    g = state.kernel.geometry
    block: int = state.misc["memory_block_size_bytes"]
    return (block >> g.PAGE_SHIFT) * g.sizeof_struct_page


def memory_block_memmap_on_memory_pages(state: State) -> int:
    """Pages of memmap per block; "force" pads them to whole pageblocks."""
    g = state.kernel.geometry
    pages = -(-memory_block_memmap_size(state) // g.PAGE_SIZE)
    if state.misc.get("memmap_on_memory") == "force":
        pages = -(-pages // g.pageblock_nr_pages) * g.pageblock_nr_pages
    return pages


def mhp_supports_memmap_on_memory(state: State, size: int) -> bool:
    """Can a hot-add of ``size`` bytes hold its own memmap? Up to v6.5 only exactly one block can; later each block does.

    Linux kernel commit 6b8f0798b85a ("mm/memory_hotplug: split memmap_on_memory requests across memblocks") (in v6.8)
    """
    f, g = state.kernel.features, state.kernel.geometry
    if not mhp_memmap_on_memory(state):
        return False
    pageblock = g.pageblock_nr_pages
    if not f.memmap_on_memory_falls_back:
        vmemmap = (size >> g.PAGE_SHIFT) * g.sizeof_struct_page
        remaining = size - vmemmap
        block: int = state.misc["memory_block_size_bytes"]
        return size == block and vmemmap % g.PMD_SIZE == 0 and remaining % (pageblock << g.PAGE_SHIFT) == 0
    if not f.altmap_per_block and size != state.misc["memory_block_size_bytes"]:
        return False
    vmemmap = memory_block_memmap_size(state)
    pages = memory_block_memmap_on_memory_pages(state)
    if vmemmap % g.PAGE_SIZE or pages % pageblock or pages << g.PAGE_SHIFT == state.misc["memory_block_size_bytes"]:
        return False
    if state.kernel.arch == "ppc64" and g.PAGE_SIZE != 4096:
        return True
    return vmemmap % g.PMD_SIZE == 0
