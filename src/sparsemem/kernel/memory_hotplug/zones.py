"""Zones and nodes as memory comes and goes: spans, and which zone memory is onlined to.

A zone is named as sysfs prints it (DMA, DMA32, Normal, Movable, Device); all numbers are pfns and pages.
"""

from __future__ import annotations

from sparsemem.kernel.memory_hotplug.pages import pfn_to_online_page
from sparsemem.kernel.mmzone import SECTION_HAS_MEM_MAP, SECTION_IS_ONLINE, SECTION_TAINT_ZONE_DEVICE, pfn_valid
from sparsemem.kernel.pgmap_array import get_dev_pagemap
from sparsemem.kernel.sparse_vmemmap import corrupted
from sparsemem.kernel.state import MemoryGroup, MemSection, Pgdat, State, Zone

__all__ = [
    "ZONE_DEVICE",
    "ZONE_MOVABLE",
    "ZONE_NORMAL",
    "adjust_present_page_count",
    "move_pfn_range_to_zone",
    "page_zone",
    "pages_per_block",
    "remove_pfn_range_from_zone",
    "shrink_at_removal",
    "shrink_zone_span",
    "update_pgdat_span",
    "zone_for_pfn_range",
    "zone_intersects",
]

ZONE_NORMAL, ZONE_MOVABLE, ZONE_DEVICE = "Normal", "Movable", "Device"
_EMPTY = Zone(0, 0, 0)


def pages_per_block(state: State) -> int:
    """Pages of a memory block."""
    size: int = state.misc["memory_block_size_bytes"]
    return size >> state.kernel.geometry.PAGE_SHIFT


def zone_intersects(zone: Zone, start_pfn: int, nr_pages: int) -> bool:
    return bool(zone.spanned_pages) and start_pfn < zone.end_pfn and start_pfn + nr_pages > zone.zone_start_pfn


def page_zone(state: State, pfn: int) -> tuple[int, str] | None:
    """Node and zone that an online page belongs to; None for a page of no zone (a hole between boot zones)."""
    block = state.blocks.get(pfn // pages_per_block(state))
    if block is not None and not block.early:
        return None if block.zone is None else (block.nid, block.zone)
    for start, end, nid, name in state.misc.get("boot_zones", ()):
        if start <= pfn < end:
            # A boot block that was offlined may have been onlined to another zone since.
            return (nid, name) if block is None or block.zone is None else (block.nid, block.zone)
    return None


def _put_zone(state: State, nid: int, name: str, zone: Zone) -> None:
    if zone == _EMPTY:
        state.drop(state.zones, (nid, name))
    elif state.zones.get((nid, name)) != zone:
        state.put(state.zones, (nid, name), zone)


def _section_taint_zone_device(state: State, pfn: int) -> None:
    nr = pfn >> state.kernel.geometry.PFN_SECTION_SHIFT
    ms = state.sections.get(nr)
    if ms is not None and not ms.section_mem_map & SECTION_TAINT_ZONE_DEVICE:
        state.put_section(nr, MemSection(ms.section_mem_map | SECTION_TAINT_ZONE_DEVICE, ms.usage))


def move_pfn_range_to_zone(state: State, nid: int, name: str, start_pfn: int, nr_pages: int) -> None:
    """Widen the spans of the zone and of its node over the range; holes are fine.

    A ZONE_DEVICE range whose edge is not section aligned taints the section of that edge (v5.12+); the taint stays until
    the section's word becomes 0.
    """
    end_pfn = start_pfn + nr_pages
    zone = state.zones.get((nid, name), _EMPTY)
    if zone.spanned_pages:
        start, end = min(zone.zone_start_pfn, start_pfn), max(zone.end_pfn, end_pfn)
    else:
        start, end = start_pfn, end_pfn
    _put_zone(state, nid, name, Zone(start, end - start, zone.present_pages))
    node = state.nodes.get(nid, Pgdat(0, 0, True))
    if node.node_spanned_pages:
        start, end = min(node.node_start_pfn, start_pfn), max(node.end_pfn, end_pfn)
    else:
        start, end = start_pfn, end_pfn
    widened = Pgdat(start, end - start, node.online)
    if widened != node:
        state.put(state.nodes, nid, widened)
    if name == ZONE_DEVICE and state.kernel.features.section_taint_zone_device:
        mask = state.kernel.geometry.PAGES_PER_SECTION - 1
        if start_pfn & mask:
            _section_taint_zone_device(state, start_pfn)
        if end_pfn & mask:
            _section_taint_zone_device(state, end_pfn)


def _belongs(state: State, pfn: int, nid: int, name: str) -> bool:
    if not state.kernel.features.zone_shrink_reads_uninitialised_memmap:
        return pfn_to_online_page(state, pfn) and page_zone(state, pfn) == (nid, name)
    # Up to v5.3 every valid page was asked for its zone, a device's too.
    if not pfn_valid(state, pfn):
        return False
    pgmap = get_dev_pagemap(state, pfn)
    block = state.blocks.get(pfn // pages_per_block(state))
    if pgmap is None and block is not None and not block.early and block.zone is None:
        corrupted(state, "uninitialised-memmap-read", pfn >> state.kernel.geometry.PFN_SECTION_SHIFT)
    return (page_zone(state, pfn) if pgmap is None else (pgmap.nid, ZONE_DEVICE)) == (nid, name)


def _candidate(state: State, nr: int) -> bool:
    bit = SECTION_HAS_MEM_MAP if state.kernel.features.zone_shrink_reads_uninitialised_memmap else SECTION_IS_ONLINE
    ms = state.sections.get(nr)
    return ms is not None and bool(ms.section_mem_map & bit)


def _above(state: State, nr: int, stop: int) -> int:
    """The next section to look at above ``nr``: the neighbour, or beyond a long hole the next that exists (else past ``stop``)."""
    if stop - nr <= 2 * len(state.sections) + 64:
        return nr + 1
    return min((each for each in state.sections if nr < each <= stop), default=stop + 1)


def _below(state: State, nr: int, stop: int) -> int:
    """The same below ``nr``, down to ``stop``."""
    if nr - stop <= 2 * len(state.sections) + 64:
        return nr - 1
    return max((each for each in state.sections if stop <= each < nr), default=stop - 1)


def _find_smallest_section_pfn(state: State, nid: int, name: str, pfn: int, end_pfn: int) -> int:
    g = state.kernel.geometry
    step = g.PAGES_PER_SUBSECTION if state.kernel.features.subsection_hotplug else g.PAGES_PER_SECTION
    while pfn < end_pfn:
        if not _candidate(state, pfn >> g.PFN_SECTION_SHIFT):
            # Whole steps to the next section: the kernel walks them one by one with the same answer.
            section = _above(state, pfn >> g.PFN_SECTION_SHIFT, end_pfn >> g.PFN_SECTION_SHIFT)
            pfn += -(-((section << g.PFN_SECTION_SHIFT) - pfn) // step) * step
        elif _belongs(state, pfn, nid, name):
            return pfn
        else:
            pfn += step
    return 0


def _find_biggest_section_pfn(state: State, nid: int, name: str, start_pfn: int, end_pfn: int) -> int:
    g = state.kernel.geometry
    step = g.PAGES_PER_SUBSECTION if state.kernel.features.subsection_hotplug else g.PAGES_PER_SECTION
    pfn = end_pfn - 1
    while pfn >= start_pfn:
        if not _candidate(state, pfn >> g.PFN_SECTION_SHIFT):
            section = _below(state, pfn >> g.PFN_SECTION_SHIFT, start_pfn >> g.PFN_SECTION_SHIFT)
            pfn -= -(-(pfn + 1 - (section + 1 << g.PFN_SECTION_SHIFT)) // step) * step
        elif _belongs(state, pfn, nid, name):
            return pfn
        else:
            pfn -= step
    return 0


def shrink_zone_span(state: State, nid: int, name: str, start_pfn: int, end_pfn: int) -> None:
    """Shrink the zone when the range was at one of its ends; pfn 0 doubles as "nothing found", as in the kernel."""
    f = state.kernel.features
    zone = state.zones.get((nid, name), _EMPTY)
    if zone.spanned_pages and zone.zone_start_pfn == start_pfn:
        pfn = _find_smallest_section_pfn(state, nid, name, end_pfn, zone.end_pfn)
        shrunk = Zone(pfn, zone.end_pfn - pfn, zone.present_pages) if pfn else Zone(0, 0, zone.present_pages)
        _put_zone(state, nid, name, shrunk)
    elif zone.spanned_pages and zone.end_pfn == end_pfn:
        pfn = _find_biggest_section_pfn(state, nid, name, zone.zone_start_pfn, start_pfn)
        start = zone.zone_start_pfn
        shrunk = Zone(start, pfn - start + 1, zone.present_pages) if pfn else Zone(0, 0, zone.present_pages)
        _put_zone(state, nid, name, shrunk)
    elif (
        f.zone_shrink_rescans_for_holes
        and zone.zone_start_pfn < start_pfn
        and end_pfn < zone.end_pfn
        and not _find_smallest_section_pfn(state, nid, name, zone.zone_start_pfn, start_pfn)
        and not _find_smallest_section_pfn(state, nid, name, end_pfn, zone.end_pfn)
    ):
        # Up to v5.5 a hole in the middle made the kernel look whether anything was left around it.
        _put_zone(state, nid, name, Zone(0, 0, zone.present_pages))


def update_pgdat_span(state: State, nid: int) -> None:
    """The node's span becomes the hull of its zones."""
    zones = [zone for (node, _), zone in state.zones.items() if node == nid and zone.spanned_pages]
    start = min((zone.zone_start_pfn for zone in zones), default=0)
    end = max((zone.end_pfn for zone in zones), default=0)
    old = state.nodes.get(nid, Pgdat(0, 0, True))
    new = Pgdat(start, end - start, old.online)
    if new != old:
        state.put(state.nodes, nid, new)


def remove_pfn_range_from_zone(state: State, nid: int, name: str, start_pfn: int, nr_pages: int) -> None:
    """Take a range out of its zone when it goes offline. A ZONE_DEVICE span never shrinks (v5.4+).

    Up to v5.4 nothing happens here: the spans shrink when the memory is removed, see ``shrink_at_removal``.

    Linux kernel commit feee6b298916 ("mm/memory_hotplug: shrink zones when offlining memory") (in v5.5)
    """
    if name == ZONE_DEVICE or not state.kernel.features.zones_shrink_at_offline:
        return
    shrink_zone_span(state, nid, name, start_pfn, start_pfn + nr_pages)
    update_pgdat_span(state, nid)


def shrink_at_removal(state: State, nid: int, name: str, start_pfn: int, nr_pages: int) -> None:
    """What ``__remove_pages`` did to the spans up to v5.4, section by section; ZONE_DEVICE up to v5.3."""
    f, per_section = state.kernel.features, state.kernel.geometry.PAGES_PER_SECTION
    if f.zones_shrink_at_offline or (name == ZONE_DEVICE and not f.zone_shrink_reads_uninitialised_memmap):
        return
    end_pfn = start_pfn + nr_pages
    while start_pfn < end_pfn:
        stop = min(end_pfn, (start_pfn | (per_section - 1)) + 1)
        shrink_zone_span(state, nid, name, start_pfn, stop)
        start_pfn = stop
    update_pgdat_span(state, nid)


def adjust_present_page_count(
    state: State, nid: int, name: str, group: int | None, nr_pages: int, *, early: bool = False
) -> None:
    """Account ``nr_pages`` (negative: offlined) to the zone and to the memory group."""
    zone = state.zones.get((nid, name), _EMPTY)
    _put_zone(state, nid, name, zone._replace(present_pages=zone.present_pages + nr_pages))
    if early:
        key = f"present_early_pages:{nid}:{name}"
        state.put(state.misc, key, state.misc.get(key, 0) + nr_pages)
    if group is not None and group in state.groups:
        entry: MemoryGroup = state.groups[group]
        field = "present_movable_pages" if name == ZONE_MOVABLE else "present_kernel_pages"
        state.put(state.groups, group, entry._replace(**{field: getattr(entry, field) + nr_pages}))


# -- which zone


def _default_kernel_zone_for_pfn(state: State, nid: int, start_pfn: int, nr_pages: int) -> str:
    lower: tuple[str, ...] = state.misc.get("lower_zones", ())
    for name in lower:
        if zone_intersects(state.zones.get((nid, name), _EMPTY), start_pfn, nr_pages):
            return name
    return ZONE_NORMAL


def _early_and_movable(state: State, nid: int | None) -> tuple[int, int]:
    early = movable = 0
    for (node, name), zone in state.zones.items():
        if (nid is None or node == nid) and zone.present_pages:
            if name == ZONE_MOVABLE:
                movable += zone.present_pages
            else:
                early += state.misc.get(f"present_early_pages:{node}:{name}", 0)
    return early, movable


def _auto_movable_can_online_movable(state: State, nid: int | None, group: int | None, nr_pages: int) -> bool:
    ratio: int = state.misc.get("auto_movable_ratio", 301)
    early, movable = _early_and_movable(state, nid)
    required = grouped = 0
    for key, other in state.groups.items():
        if other.is_dynamic and key != group and (nid is None or other.nid == nid):
            required += max(other.present_movable_pages * 100 // ratio - other.present_kernel_pages, 0)
            grouped += other.present_movable_pages
    if early <= required:
        return False
    early, movable = early - required, movable - grouped
    if group is not None and state.groups[group].is_dynamic:
        early += state.groups[group].present_kernel_pages
    return movable + nr_pages <= ratio * early // 100


def _auto_movable_zone_for_pfn(state: State, nid: int, group: int | None, pfn: int, nr_pages: int) -> str:
    kernel_zone = _default_kernel_zone_for_pfn(state, nid, pfn, nr_pages)
    if not state.misc.get("auto_movable_ratio", 301):
        return kernel_zone
    online, wanted = 0, nr_pages
    entry = state.groups.get(group) if group is not None else None
    if entry is not None and not entry.is_dynamic:
        if entry.present_kernel_pages:
            return kernel_zone
        online, wanted = entry.present_movable_pages, entry.pages
    elif entry is not None and entry.pages != nr_pages:
        g = state.kernel.geometry
        wanted = entry.pages
        unit = pfn - pfn % wanted
        for each in range(unit, unit + wanted, g.PAGES_PER_SECTION):
            if pfn_to_online_page(state, each):
                if page_zone(state, each) != (nid, ZONE_MOVABLE):
                    return kernel_zone
                online += g.PAGES_PER_SECTION
    wanted -= online
    if not _auto_movable_can_online_movable(state, None, group, wanted):
        return kernel_zone
    if state.misc.get("auto_movable_numa_aware", True) and not _auto_movable_can_online_movable(
        state, nid, group, wanted
    ):
        return kernel_zone
    return ZONE_MOVABLE


def zone_for_pfn_range(
    state: State, online_type: str, nid: int, group: int | None, start_pfn: int, nr_pages: int
) -> str:
    """The zone that the range is onlined to. ``online_type`` is online, online_kernel or online_movable.

    "online" inherits a zone that alone intersects the range; else it is a kernel zone, or Movable with ``movable_node``.
    With ``online_policy=auto-movable`` (v5.15+) the ratio of movable to early kernel memory decides.
    """
    if online_type == "online_kernel":
        return _default_kernel_zone_for_pfn(state, nid, start_pfn, nr_pages)
    if online_type == "online_movable":
        return ZONE_MOVABLE
    if state.misc.get("online_policy") == "auto-movable" and state.kernel.features.auto_movable_policy:
        return _auto_movable_zone_for_pfn(state, nid, group, start_pfn, nr_pages)
    kernel_zone = _default_kernel_zone_for_pfn(state, nid, start_pfn, nr_pages)
    in_kernel = zone_intersects(state.zones.get((nid, kernel_zone), _EMPTY), start_pfn, nr_pages)
    in_movable = zone_intersects(state.zones.get((nid, ZONE_MOVABLE), _EMPTY), start_pfn, nr_pages)
    if in_kernel != in_movable:
        return kernel_zone if in_kernel else ZONE_MOVABLE
    return ZONE_MOVABLE if state.misc.get("movable_node") else kernel_zone
