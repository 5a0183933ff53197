"""``drivers/base/memory.c``: the memory block devices and their sysfs attributes.

A block is ``memory_block_size_bytes()`` of System RAM, numbered from address 0: the unit that is onlined and offlined.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.kernel.memory_hotplug.online import (
    mhp_deinit_memmap_on_memory,
    mhp_init_memmap_on_memory,
    offline_pages,
    online_pages,
)
from sparsemem.kernel.memory_hotplug.zones import (
    ZONE_DEVICE,
    adjust_present_page_count,
    page_zone,
    pages_per_block,
    zone_for_pfn_range,
    zone_intersects,
)
from sparsemem.kernel.mmzone import SECTION_MARKED_PRESENT
from sparsemem.kernel.pgmap_array import get_dev_pagemap, stale_device_page
from sparsemem.kernel.refusal import Refusal
from sparsemem.kernel.state import MemoryBlock, State
from sparsemem.kernel.virtio_mem.notifier import virtio_mem_memory_notifier_cb

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "ONLINE_TYPES",
    "auto_online_blocks_show",
    "auto_online_blocks_store",
    "block_nodes",
    "block_size_bytes_show",
    "block_zone",
    "create_memory_block_devices",
    "device_offline",
    "device_online",
    "memory_dev_init",
    "phys_index_show",
    "remember_online_type",
    "removable_show",
    "remove_memory_block_devices",
    "state_show",
    "state_store",
    "test_pages_in_a_zone",
    "valid_zones_show",
    "walk_memory_blocks",
]

ONLINE_TYPES = ("offline", "online", "online_kernel", "online_movable")
_MAX_ORDER_NR_PAGES = 1024


def walk_memory_blocks(state: State, start: int, size: int) -> Iterator[tuple[int, MemoryBlock]]:
    """The existing blocks that bytes ``[start, start + size)`` touch; none for size 0."""
    if not size:
        return
    block_size: int = state.misc["memory_block_size_bytes"]
    touched = range(start // block_size, (start + size - 1) // block_size + 1)
    for nr in touched if len(touched) <= len(state.blocks) else sorted(nr for nr in state.blocks if nr in touched):
        block = state.blocks.get(nr)
        if block is not None:
            yield nr, block


# -- boot


def memory_dev_init(state: State, nids: dict[int, int], shared: dict[int, tuple[int, ...]]) -> None:
    """Create a device for every block with a present section, online. ``nids``: section nr -> node (the last one counts);
    ``shared``: blocks in which several nodes have pages, which have no zone then; remembered in ``misc["shared_blocks"]``.

    Raises Refusal(EINVAL) where the kernel panics: "Memory block size not suitable".
    """
    g = state.kernel.geometry
    size: int = state.misc["memory_block_size_bytes"]
    if size & (size - 1) or size < g.SECTION_SIZE:
        text = f"Memory block size not suitable: {size:#x}"
        state.log("emerg", text)
        raise Refusal(22, "memory_dev_init", "memory-block-size", (text,))
    per_block = size // g.SECTION_SIZE
    blocks: dict[int, int] = {}
    for nr, ms in state.sections.items():
        if ms.section_mem_map & SECTION_MARKED_PRESENT:
            blocks[nr // per_block] = max(blocks.get(nr // per_block, 0), nids.get(nr, 0))
    alike: dict[tuple[int, str | None], MemoryBlock] = {}
    for block_id, nid in sorted(blocks.items()):
        zone = None if block_id in shared else _early_node_zone(state, block_id, nid)
        state.blocks[block_id] = alike.setdefault((nid, zone), MemoryBlock("online", nid, zone, True))
    if shared:
        state.misc["shared_blocks"] = shared


def block_nodes(state: State, block_id: int) -> tuple[int, ...]:
    """The nodes that a block is linked to: one, or for one of boot all that have pages in it."""
    block = state.blocks[block_id]
    several: dict[int, tuple[int, ...]] = state.misc.get("shared_blocks", {})
    return several.get(block_id, (block.nid,)) if block.early else (block.nid,)


def _early_node_zone(state: State, block_id: int, nid: int) -> str | None:
    pages = pages_per_block(state)
    names = [
        name
        for (node, name), zone in state.zones.items()
        if node == nid and zone.present_pages and zone_intersects(zone, block_id * pages, pages)
    ]
    return names[0] if len(names) == 1 else None


def block_zone(state: State, block_id: int) -> str | None:
    """The one zone of an online block, or None.

    Linux kernel commit 395f6081bad4 ("drivers/base/memory: determine and store zone for single-zone memory blocks") (in v5.18);
    before, it was looked up in the memmap each time: a device's pages among them, and there is none.
    """
    if state.kernel.features.block_records_zone:
        return state.blocks[block_id].zone
    return test_pages_in_a_zone(state, block_id)


def test_pages_in_a_zone(state: State, block_id: int) -> str | None:
    """The zone of every MAX_ORDER chunk of the block, if it is the same (up to v5.17)."""
    g = state.kernel.geometry
    pages = pages_per_block(state)
    found: tuple[int, str] | None = None
    for pfn in range(block_id * pages, (block_id + 1) * pages, _MAX_ORDER_NR_PAGES):
        ms = state.sections.get(pfn >> g.PFN_SECTION_SHIFT)
        if ms is None or not ms.section_mem_map & SECTION_MARKED_PRESENT:
            continue
        pgmap = get_dev_pagemap(state, pfn)
        if pgmap is not None:
            zone: tuple[int, str] | None = (pgmap.nid, ZONE_DEVICE)
        elif stale_device_page(state, pfn):
            zone = (state.blocks[block_id].nid, ZONE_DEVICE)
        else:
            zone = page_zone(state, pfn) or _last_hole(state, pfn)
        if zone is None or (found is not None and zone != found):
            return None
        found = zone
    return found[1] if found else None


def _last_hole(state: State, pfn: int) -> tuple[int, str] | None:
    """Behind the last RAM of boot, up to the end of its section, pages are given to the highest zone of the last node.

    ``zone_spans_pfn()`` is asked for each, so it shows only where that zone has grown over them since.
    Linux kernel commit 0740a50b9baa ("mm/page_alloc.c: refactor initialization of struct page for holes in memory layout")
    (in v5.12; 5.10.251 has it).
    """
    zones = state.misc.get("boot_zones", ())
    if not zones or not state.kernel.features.last_hole_in_highest_zone:
        return None
    _, end, nid, name = max(zones, key=lambda each: each[1])
    pages = state.kernel.geometry.PAGES_PER_SECTION
    zone = state.zones.get((nid, name))
    inside = end <= pfn < -(-end // pages) * pages
    return (nid, name) if inside and zone is not None and zone.zone_start_pfn <= pfn < zone.end_pfn else None


# -- devices


def _check_block_span(state: State, start: int, size: int, function: str) -> tuple[int, int]:
    block_size: int = state.misc["memory_block_size_bytes"]
    if start % block_size or size % block_size:
        raise Refusal(22, function, "block-device-alignment")
    return start // block_size, (start + size) // block_size


def create_memory_block_devices(
    state: State, start: int, size: int, nid: int, group: int | None, nr_vmemmap_pages: int = 0, *, altmap: bool = False
) -> None:
    """Create the blocks of bytes ``[start, start + size)``, offline.

    Raises Refusal: EINVAL (not whole blocks), EEXIST, ENOMEM; the blocks that this call created are gone again.
    """
    first, end = _check_block_span(state, start, size, "create_memory_block_devices")
    state.hold(end - first - len(state.sections))
    mark = state.mark()
    try:
        for block_id in range(first, end):
            if block_id in state.blocks:
                raise Refusal(17, "add_memory_block", "block-exists")
            for where in ("add_memory_block", "add_memory_block: device_register", "add_memory_block: xa_store"):
                state.alloc(where)
            block = MemoryBlock("offline", nid, None, False, nr_vmemmap_pages, altmap, group)
            state.put(state.blocks, block_id, block)
    except Refusal:
        state.undo(mark)
        raise


def remove_memory_block_devices(state: State, start: int, size: int) -> None:
    """Remove the blocks of a range; one that is not whole blocks only warns."""
    try:
        _check_block_span(state, start, size, "remove_memory_block_devices")
    except Refusal:
        return
    for block_id, _ in list(walk_memory_blocks(state, start, size)):
        remember_online_type(state, block_id, None)
        state.drop(state.blocks, block_id)


def _absent_section(state: State, block_id: int) -> bool:
    pages, shift = pages_per_block(state), state.kernel.geometry.PFN_SECTION_SHIFT
    for nr in range(block_id * pages >> shift, (block_id + 1) * pages >> shift):
        ms = state.sections.get(nr)
        if ms is None or not ms.section_mem_map & SECTION_MARKED_PRESENT:
            return True
    return False


def _memory_block_online(state: State, block_id: int, block: MemoryBlock, online_type: str) -> None:
    pages = pages_per_block(state)
    start_pfn, own = block_id * pages, block.nr_vmemmap_pages
    name = zone_for_pfn_range(state, online_type, block.nid, block.group, start_pfn, pages)
    if own:
        mhp_init_memmap_on_memory(state, block.nid, name, start_pfn, own)
    try:
        # The block knows its zone before its pages are accounted: page_zone() asks it.
        online_pages(state, start_pfn + own, pages - own, block.nid, name, block.group)
    except Refusal:
        if own:
            mhp_deinit_memmap_on_memory(state, block.nid, name, start_pfn, own)
        raise
    if own:
        adjust_present_page_count(state, block.nid, name, block.group, own)
    state.put(state.blocks, block_id, block._replace(state="online", zone=name))


def _memory_block_offline(state: State, block_id: int, block: MemoryBlock) -> None:
    pages = pages_per_block(state)
    if state.kernel.features.offline_needs_full_block and _absent_section(state, block_id):
        raise Refusal(22, "memory_subsys_offline", "memory-holes")
    start_pfn, own = block_id * pages, block.nr_vmemmap_pages
    zone = block_zone(state, block_id)
    if zone is None:
        # v5.18+ answers here; before, offline_pages() finds it: holes first, then "multizone range".
        if not state.kernel.features.block_records_zone:
            offline_pages(state, start_pfn, pages, block.nid, "", block.group)
        raise Refusal(22, "memory_block_offline", "multizone-block")
    mark = state.mark()
    if own:
        adjust_present_page_count(state, block.nid, zone, block.group, -own)
    try:
        offline_pages(state, start_pfn + own, pages - own, block.nid, zone, block.group)
    except Refusal:
        state.undo(mark)
        raise
    if own:
        mhp_deinit_memmap_on_memory(state, block.nid, zone, start_pfn, own)
    # Where the span shrinks at removal, the pages still remember their zone until then.
    kept = None if state.kernel.features.zones_shrink_at_offline else zone
    state.put(state.blocks, block_id, block._replace(state="offline", zone=kept))


def remember_online_type(state: State, block_id: int, online_type: str | None) -> None:
    """``mem->online_type``, which outlives a write of ``online*`` to a block that is online; None is MMOP_OFFLINE."""
    known: tuple[tuple[int, str], ...] = state.misc.get("online_types", ())
    kept = [each for each in known if each[0] != block_id]
    if online_type is not None:
        kept.append((block_id, online_type))
    new = tuple(sorted(kept))
    if new and new != known:
        state.put(state.misc, "online_types", new)
    elif known and not new:
        state.drop(state.misc, "online_types")


def device_online(state: State, block_id: int, online_type: str | None = None) -> bool:
    """Online a block; False when it was online already. Raises Refusal.

    Without ``online_type`` it is what the block was last asked for in vain (a type written to the ``state`` of a block that was
    online already stays in ``mem->online_type``), else "online".
    """
    block = state.blocks[block_id]
    if block.state == "online":
        return False
    kind = online_type or dict(state.misc.get("online_types", ())).get(block_id, "online")
    remember_online_type(state, block_id, None)
    _memory_block_online(state, block_id, block, kind)
    virtio_mem_memory_notifier_cb(state, block_id, "online")
    return True


def device_offline(state: State, block_id: int) -> bool:
    """Offline a block; False when it was offline already. Raises Refusal."""
    block = state.blocks[block_id]
    if block.state == "offline":
        return False
    _memory_block_offline(state, block_id, block)
    virtio_mem_memory_notifier_cb(state, block_id, "offline")
    return True


# -- sysfs


def state_show(state: State, block_id: int) -> str:
    return state.blocks[block_id].state + "\n"


def state_store(state: State, block_id: int, text: str) -> None:
    """``echo WORD > state``. One trailing newline is fine, anything else is not.

    Raises Refusal: EINVAL for another word and for the state that it is in already; else what onlining or offlining said.
    """
    word = text.removesuffix("\n")
    if word not in ONLINE_TYPES:
        raise Refusal(22, "state_store", "block-state-word")
    changed = device_offline(state, block_id) if word == "offline" else device_online(state, block_id, word)
    if not changed:
        raise Refusal(22, "state_store", "block-state")


def phys_index_show(state: State, block_id: int) -> str:
    return f"{block_id:08x}\n"


def block_size_bytes_show(state: State) -> str:
    return f"{state.misc['memory_block_size_bytes']:x}\n"


def removable_show(state: State, block_id: int) -> str:
    """Always 1 from v5.10 on; before, whether its pages looked movable (a guess that the kernel itself gave up)."""
    if state.kernel.features.removable_always_one:
        return "1\n"
    block = state.blocks[block_id]
    movable = block.state == "online" and block_id not in state.misc.get("unmovable_blocks", frozenset())
    return f"{int(movable)}\n"


def valid_zones_show(state: State, block_id: int) -> str:
    """The zone of an online block ("none" when it has several); for an offline one, the zones it could be onlined to."""
    block = state.blocks[block_id]
    if block.state == "online":
        return (block_zone(state, block_id) or "none") + "\n"
    pages = pages_per_block(state)
    names: list[str] = []
    default = zone_for_pfn_range(state, "online", block.nid, block.group, block_id * pages, pages)
    for online_type in ("online_kernel", "online_movable"):
        name = zone_for_pfn_range(state, online_type, block.nid, block.group, block_id * pages, pages)
        if name != default:
            names.append(name)
    return " ".join((default, *names)) + "\n"


def auto_online_blocks_show(state: State) -> str:
    policy: str = state.misc["auto_online"]
    return policy + "\n"


def auto_online_blocks_store(state: State, text: str) -> None:
    """``echo WORD > auto_online_blocks``. Raises Refusal(EINVAL) for an unknown word.

    Linux kernel commit 5f47adf762b7 ("mm/memory_hotplug: allow to specify a default online_type") (in v5.8): before, only
    "online" and "offline" are known.
    """
    word = text.removesuffix("\n")
    known = ONLINE_TYPES if state.kernel.features.auto_online_types else ("offline", "online")
    if word not in known:
        raise Refusal(22, "auto_online_blocks_store", "block-state-word")
    if state.misc["auto_online"] != word:
        state.put(state.misc, "auto_online", word)
