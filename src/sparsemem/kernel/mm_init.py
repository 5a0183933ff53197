"""Boot: from the memory map to sections, zones, nodes and memory blocks (``mm/mm_init.c``, ``mm/page_alloc.c`` before v6.5).

``ranges`` are RAM as memblock holds it: ``(start, end, nid)`` in bytes, half-open, sorted, disjoint.
"""

from __future__ import annotations

from sparsemem.kernel.memory_block import memory_dev_init
from sparsemem.kernel.memory_hotplug.zones import ZONE_MOVABLE, ZONE_NORMAL, pages_per_block
from sparsemem.kernel.memory_tiers import memory_tier_init
from sparsemem.kernel.sparse import memory_present, sparse_init, sparse_init_subsection_map
from sparsemem.kernel.state import Pgdat, State, Zone

__all__ = ["boot_memory", "free_area_init", "mem_pfn_ranges"]

BootRange = tuple[int, int, int]


def mem_pfn_ranges(state: State, ranges: tuple[BootRange, ...]) -> list[tuple[int, int, int]]:
    """``for_each_mem_pfn_range``: whole pages only, adjacent ranges of one node merged as memblock merges them."""
    g = state.kernel.geometry
    merged: list[tuple[int, int, int]] = []
    for start, end, nid in sorted(ranges):
        low, high = (start + g.PAGE_SIZE - 1) >> g.PAGE_SHIFT, end >> g.PAGE_SHIFT
        if low >= high:
            continue
        if merged and merged[-1][1] == low and merged[-1][2] == nid:
            low = merged.pop()[0]
        merged.append((low, high, nid))
    return merged


def boot_memory(state: State, ranges: tuple[BootRange, ...]) -> None:
    """Everything that boot builds out of RAM. ``state.misc`` holds the parameters: block size, zone limits, movable_node, ..."""
    pfns = mem_pfn_ranges(state, ranges)
    nids: dict[int, int] = {}
    g = state.kernel.geometry
    reach = 1 << (g.MAX_PHYSMEM_BITS - g.PAGE_SHIFT)
    state.hold(sum(min(end, reach) - start >> g.PFN_SECTION_SHIFT for start, end, _ in pfns if start < reach))
    for start, end, nid in pfns:
        memory_present(state, nid, start, end, nids)
    sparse_init(state)
    limit = 1 << (state.kernel.geometry.MAX_PHYSMEM_BITS - state.kernel.geometry.PAGE_SHIFT)
    pfns = [(start, min(end, limit), nid) for start, end, nid in pfns if start < limit]
    sparse_init_subsection_map(state, ((start, end) for start, end, _ in pfns))
    full = state.kernel.geometry.FULL_SUBSECTION_MAP
    state.misc["boot_maps"] = {
        nr: ms.usage.subsection_map for nr, ms in state.sections.items() if ms.usage and ms.usage.subsection_map != full
    }
    free_area_init(state, pfns)
    names = [name for name, _ in state.misc["zone_limits"]]
    state.misc["policy_zone"] = max((names.index(name) for _, name in state.zones if name in names), default=0)
    last: dict[int, int] = {}
    shift = state.kernel.geometry.PFN_SECTION_SHIFT
    for start, end, nid in pfns:
        last.update(dict.fromkeys(range(start >> shift, ((end - 1) >> shift) + 1), nid))
    memory_dev_init(state, last, _shared_blocks(state, pfns))
    memory_tier_init(state)
    _kernel_holds(state, pfns)


def _shared_blocks(state: State, pfns: list[tuple[int, int, int]]) -> dict[int, tuple[int, ...]]:
    """Blocks that several nodes have pages in: each of their ranges begins or ends there."""
    per_block, owners = pages_per_block(state), dict[int, set[int]]()
    for start, end, nid in pfns:
        for edge in (start, end - 1):
            owners.setdefault(edge // per_block, set()).add(nid)
    return {nr: tuple(sorted(nids)) for nr, nids in owners.items() if len(nids) > 1}


def _kernel_holds(state: State, pfns: list[tuple[int, int, int]]) -> None:
    """Which blocks the kernel's own pages keep online. Where they are is not modelled, but for what 5.10, 6.1, 6.12 and 7.2 showed:
    the first block of a Normal zone that boot filled, and the top of RAM, where boot put the memmap. Others could be offlined."""
    g, per_block = state.kernel.geometry, pages_per_block(state)
    held = {zone.zone_start_pfn // per_block for (_, name), zone in state.zones.items() if name == ZONE_NORMAL}
    for nid in {nid for _, _, nid in pfns}:
        mine = [(start, end) for start, end, owner in pfns if owner == nid]
        left = sum(end - start for start, end in mine) * g.sizeof_struct_page >> g.PAGE_SHIFT
        for start, end in reversed(mine):
            taken = min(left, end - start)
            if taken:
                held |= set(range((end - taken) // per_block, (end - 1) // per_block + 1))
            left -= taken
    movable = {nr for nr, block in state.blocks.items() if block.zone == ZONE_MOVABLE}
    state.misc["unmovable_blocks"] = state.misc.get("unmovable_blocks", frozenset()) | (held - movable)


def _movable_starts(state: State, pfns: list[tuple[int, int, int]]) -> dict[int, int]:
    """First pfn of ZONE_MOVABLE per node, from ``movablecore=``/``kernelcore=`` (pages) or hotpluggable nodes."""
    starts: dict[int, int] = dict(state.misc.get("movable_starts", {}))
    if state.misc.get("movable_node"):  # goes by hot-pluggable nodes alone
        return starts
    wanted: int | None = state.misc.get("movablecore_pages")
    kernelcore: int | None = state.misc.get("kernelcore_pages")
    total = sum(end - start for start, end, _ in pfns)
    if wanted is not None:
        max_order = 1024
        wanted = min(-(-wanted // max_order) * max_order, total)
        kernelcore = max(kernelcore or 0, total - wanted)
    if kernelcore is None or kernelcore >= total or starts:
        return starts
    return _spread_kernelcore(state, pfns, kernelcore)


def _spread_kernelcore(state: State, pfns: list[tuple[int, int, int]], kernelcore: int) -> dict[int, int]:
    """``find_zone_movable_pfns_for_nodes``: kernel memory is spread evenly over the nodes, movable is what lies above it."""
    limits: tuple[tuple[str, int], ...] = state.misc.get("zone_limits", ())
    usable_start = limits[-2][1] if len(limits) > 1 else 0
    highest = max(end for _, end, _ in pfns)
    names = [name for name, _ in limits]
    usable_start = max(
        (limits[i - 1][1] if i else 0) for i, name in enumerate(names) if (limits[i - 1][1] if i else 0) < highest
    )
    nodes = sorted({nid for _, _, nid in pfns})
    starts: dict[int, int] = {}
    remaining = dict.fromkeys(nodes, 0)
    usable_nodes, required = len(nodes), kernelcore
    while usable_nodes and required > usable_nodes:
        per_node = required // usable_nodes
        for nid in nodes:
            if required < per_node:
                per_node = required // usable_nodes
            left = per_node
            for start, end, owner in pfns:
                begin = max(start, starts.get(nid, 0))
                if owner != nid or begin >= end:
                    continue
                if begin < usable_start:
                    kernel = min(end, usable_start) - begin
                    left -= min(kernel, left)
                    required -= min(kernel, required)
                    if end <= usable_start:
                        starts[nid] = end
                        continue
                    begin = usable_start
                size = min(end - begin, left)
                starts[nid] = begin + size
                required -= min(required, size)
                left -= size
                if not left:
                    break
            remaining[nid] = left
        usable_nodes -= 1
    return {nid: -(-start // 1024) * 1024 for nid, start in starts.items()}


def free_area_init(state: State, pfns: list[tuple[int, int, int]]) -> None:
    """Zones and nodes: a zone spans its limits clamped to the node, holes included; present are the pages of RAM in it."""
    limits: tuple[tuple[str, int], ...] = state.misc["zone_limits"]
    movable = _movable_starts(state, pfns)
    boot_zones: list[tuple[int, int, int, str]] = []
    for nid in sorted({nid for _, _, nid in pfns}):
        mine = [(start, end) for start, end, owner in pfns if owner == nid]
        node_start, node_end = mine[0][0], max(end for _, end in mine)
        state.nodes[nid] = Pgdat(node_start, node_end - node_start, True)
        low, cut = 0, movable.get(nid, 0)
        for name, high in limits:
            start, end = max(node_start, low), min(node_end, high)
            low = high
            pieces = [(name, start, end)]
            if cut and start < end and end > cut:
                pieces = [(name, start, min(cut, end)), (ZONE_MOVABLE, max(cut, start), end)]
            for piece, first, stop in pieces:
                if first < stop:
                    present = sum(max(min(end, stop) - max(start, first), 0) for start, end in mine)
                    _span(state, nid, piece, first, stop, present)
                    boot_zones.append((first, stop, nid, piece))
    state.misc["boot_zones"] = tuple(boot_zones)
    names = [name for name, _ in limits]
    state.misc["lower_zones"] = tuple(names[: names.index(ZONE_NORMAL)]) if ZONE_NORMAL in names else ()


def _span(state: State, nid: int, name: str, first: int, stop: int, present: int) -> None:
    old = state.zones.get((nid, name))
    if old is not None:
        first, stop, present = min(first, old.zone_start_pfn), max(stop, old.end_pfn), present + old.present_pages
    state.zones[nid, name] = Zone(first, stop - first, present)
    state.misc[f"present_early_pages:{nid}:{name}"] = present
