"""``online_pages`` and ``offline_pages``: whole memory blocks, never less. pfns and page counts."""

from __future__ import annotations

from errno import EPERM
from typing import TYPE_CHECKING

from sparsemem.kernel.memory_hotplug.pages import has_memory_hotremove
from sparsemem.kernel.memory_hotplug.zones import (
    ZONE_MOVABLE,
    adjust_present_page_count,
    move_pfn_range_to_zone,
    page_zone,
    pages_per_block,
    remove_pfn_range_from_zone,
)
from sparsemem.kernel.memory_tiers import memory_node_changed
from sparsemem.kernel.mmzone import SECTION_IS_EARLY
from sparsemem.kernel.page_alloc import build_all_zonelists, node_memory
from sparsemem.kernel.refusal import Refusal
from sparsemem.kernel.resource import walk_system_ram_range
from sparsemem.kernel.sparse import offline_mem_sections, online_mem_sections

if TYPE_CHECKING:
    from sparsemem.kernel.state import State

__all__ = [
    "mhp_deinit_memmap_on_memory",
    "mhp_init_memmap_on_memory",
    "offline_pages",
    "online_pages",
    "populated_zone",
]


def _check_online_span(state: State, pfn: int, nr_pages: int) -> None:
    g, f = state.kernel.geometry, state.kernel.features
    start_mask = (g.pageblock_nr_pages if f.online_pages_pageblock_aligned else g.PAGES_PER_SECTION) - 1
    misaligned = not nr_pages or pfn & start_mask or (pfn + nr_pages) & (g.PAGES_PER_SECTION - 1)
    if f.online_pages_checks_alignment and misaligned:
        raise Refusal(22, "online_pages", "online-span-alignment")


def _check_offline_span(state: State, pfn: int, nr_pages: int) -> None:
    g, f = state.kernel.geometry, state.kernel.features
    if f.online_pages_checks_alignment:
        start_mask = (g.pageblock_nr_pages if f.online_pages_pageblock_aligned else g.PAGES_PER_SECTION) - 1
        if not nr_pages or pfn & start_mask or (pfn + nr_pages) & (g.PAGES_PER_SECTION - 1):
            raise Refusal(22, "offline_pages", "online-span-alignment")
    elif f.offline_checks_pageblock and (pfn | nr_pages) & (g.pageblock_nr_pages - 1):
        raise Refusal(22, "offline_pages", "online-span-alignment")


def populated_zone(state: State, nid: int, name: str) -> bool:
    """Has the zone any present page?"""
    zone = state.zones.get((nid, name))
    return zone is not None and zone.present_pages > 0


def _hold(state: State, block: int, held: bool) -> None:
    blocks: frozenset[int] = state.misc["unmovable_blocks"]
    if held != (block in blocks):
        state.put(state.misc, "unmovable_blocks", blocks | {block} if held else blocks - {block})


def mhp_init_memmap_on_memory(state: State, nid: int, name: str, pfn: int, nr_pages: int) -> None:
    """Put the block's own memmap pages into its zone and mark the sections they fill."""
    move_pfn_range_to_zone(state, nid, name, pfn, nr_pages)
    per_section = state.kernel.geometry.PAGES_PER_SECTION
    if nr_pages >= per_section:
        online_mem_sections(state, pfn, (pfn + nr_pages) & ~(per_section - 1))


def mhp_deinit_memmap_on_memory(state: State, nid: int, name: str, pfn: int, nr_pages: int) -> None:
    """Take the block's own memmap pages out of their zone again."""
    per_section = state.kernel.geometry.PAGES_PER_SECTION
    if nr_pages >= per_section:
        offline_mem_sections(state, pfn, (pfn + nr_pages) & ~(per_section - 1))
    remove_pfn_range_from_zone(state, nid, name, pfn, nr_pages)


def online_pages(state: State, pfn: int, nr_pages: int, nid: int, name: str, group: int | None) -> None:
    """Put a range into its zone, mark its sections ONLINE and hand its pages to the allocator.

    Raises Refusal: EINVAL for a span that is not whole blocks, the errno of a MEM_GOING_ONLINE notifier (the zone gives the
    range back then).
    """
    _check_online_span(state, pfn, nr_pages)
    move_pfn_range_to_zone(state, nid, name, pfn, nr_pages)
    try:
        state.alloc("memory_notify(MEM_GOING_ONLINE)")
        if state.misc.get("tdx_host") and state.kernel.features.tdx_memory_is_static and not _is_early(state, pfn):
            raise Refusal(EPERM, "tdx_memory_notifier", "notifier-refused")
    except Refusal:
        shift = state.kernel.geometry.PAGE_SHIFT
        last = ((pfn + nr_pages) << shift) - 1
        state.log("debug", f"online_pages [mem {pfn << shift:#010x}-{last:#010x}] failed")
        remove_pfn_range_from_zone(state, nid, name, pfn, nr_pages)
        raise
    rebuild = not populated_zone(state, nid, name)
    first = nid not in node_memory(state)
    online_mem_sections(state, pfn, pfn + nr_pages)
    early = _is_early(state, pfn)
    adjust_present_page_count(state, nid, name, group, nr_pages, early=early)
    if rebuild:
        build_all_zonelists(state)
        if name != ZONE_MOVABLE and _preferred(state, nid, first=first):
            _hold(state, pfn // pages_per_block(state), True)
    if first:
        memory_node_changed(state, nid, has_memory=True)


def _preferred(state: State, nid: int, *, first: bool) -> bool:
    """Are the kernel's own allocations in a kernel zone that was empty before anybody can ask for its first block back?

    Seen on 5.10, 6.1, 6.12 and 7.2: yes on a node with CPUs, which prefer it; on another one only what is asked for by node lies there:
    its kswapd and kcompactd, once they begin with its first memory.
    """
    return nid in state.misc.get("cpu_nodes", frozenset({0})) or (first and state.kernel.features.kswapd_on_its_node)


def _is_early(state: State, pfn: int) -> bool:
    ms = state.sections.get(pfn >> state.kernel.geometry.PFN_SECTION_SHIFT)
    return ms is not None and bool(ms.section_mem_map & SECTION_IS_EARLY)


def offline_pages(state: State, pfn: int, nr_pages: int, nid: int, name: str, group: int | None) -> None:
    """Take a range away from the allocator and out of its zone.

    System RAM must cover every page of it, so a boot block that is only partly RAM can never be offlined (v5.5+). Raises
    Refusal: EINVAL (span, "memory holes", several zones), EBUSY (unmovable pages), the errno of a notifier.
    """
    g = state.kernel.geometry
    if not has_memory_hotremove(state):
        raise Refusal(22, "offline_pages", "no-memory-hotplug")
    _check_offline_span(state, pfn, nr_pages)

    def failed(errno: int, rule: str, reason: str) -> Refusal:
        first, last = pfn << g.PAGE_SHIFT, ((pfn + nr_pages) << g.PAGE_SHIFT) - 1
        text = f"memory offlining [mem {first:#010x}-{last:#010x}] failed due to {reason}"
        state.log("debug", text)
        return Refusal(errno, "offline_pages", rule, (text,))

    if state.kernel.features.offline_refuses_holes:
        ram = sum(pages for _, pages in walk_system_ram_range(state.iomem, pfn, nr_pages, g.PAGE_SHIFT))
        if ram != nr_pages:
            raise failed(22, "memory-holes", "memory holes")
    if page_zone(state, pfn) != (nid, name) or page_zone(state, pfn + nr_pages - 1) != (nid, name):
        raise failed(22, "multizone-block", "multizone range")
    block = pfn // pages_per_block(state)
    if block in state.misc.get("unmovable_blocks", frozenset()):
        state.log("warn", "page dumped because: unmovable page")
        raise failed(16, "isolation-failure", "failure to isolate range")
    if state.misc.get("boot_memory_stays") and _is_early(state, pfn):
        # arm64: prevent_bootmem_remove_notifier()
        first, last = pfn << g.PAGE_SHIFT, (pfn + nr_pages) << g.PAGE_SHIFT
        state.log("warn", f"Boot memory [{first:x} {last:x}] offlining attempted")
        raise failed(1, "boot-memory-offline", "notifier failure")
    early = _is_early(state, pfn)
    offline_mem_sections(state, pfn, pfn + nr_pages)
    level = "info" if state.kernel.features.offlined_pages_is_info else "debug"
    state.log(level, f"Offlined Pages {nr_pages}")
    adjust_present_page_count(state, nid, name, group, -nr_pages, early=early)
    last = nid not in node_memory(state)
    if not populated_zone(state, nid, name):
        build_all_zonelists(state, leaving=nid)
    if last:
        memory_node_changed(state, nid, has_memory=False)
    remove_pfn_range_from_zone(state, nid, name, pfn, nr_pages)
