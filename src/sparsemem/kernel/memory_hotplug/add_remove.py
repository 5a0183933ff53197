"""System RAM coming and going: ``add_memory`` and its relatives, whole memory blocks only. Addresses and sizes in bytes."""

from __future__ import annotations

from sparsemem.kernel._resource_tree import overlapping
from sparsemem.kernel.memory_block import create_memory_block_devices, remove_memory_block_devices, walk_memory_blocks
from sparsemem.kernel.memory_hotplug.memmap_on_memory import (
    memory_block_memmap_on_memory_pages,
    mhp_memmap_on_memory,
    mhp_supports_memmap_on_memory,
)
from sparsemem.kernel.memory_hotplug.onlining import device_offline_each, online_memory_blocks, reonline
from sparsemem.kernel.memory_hotplug.pages import (
    arch_add_memory,
    arch_remove_memory,
    has_memory_hotplug,
    has_memory_hotremove,
    mhp_range_allowed,
)
from sparsemem.kernel.memory_hotplug.zones import shrink_at_removal
from sparsemem.kernel.page_alloc import build_all_zonelists
from sparsemem.kernel.pgmap_array import get_dev_pagemap
from sparsemem.kernel.refusal import Refusal
from sparsemem.kernel.resource import (
    IORESOURCE_SYSRAM_DRIVER_MANAGED,
    IORESOURCE_SYSTEM_RAM,
    Resource,
    __request_region,
    merge_system_ram_resource,
    release_mem_region_adjustable,
    release_resource,
)
from sparsemem.kernel.sparse_vmemmap import corrupted
from sparsemem.kernel.state import Pgdat, State, VmemAltmap

__all__ = [
    "MHP_MEMMAP_ON_MEMORY",
    "MHP_MERGE_RESOURCE",
    "MHP_NID_IS_MGID",
    "add_memory",
    "add_memory_driver_managed",
    "add_memory_resource",
    "check_hotplug_memory_range",
    "offline_and_remove_memory",
    "register_memory_resource",
    "remove_memory",
    "try_offline_node",
    "try_remove_memory",
]

MHP_MERGE_RESOURCE = 1 << 0
MHP_MEMMAP_ON_MEMORY = 1 << 1
MHP_NID_IS_MGID = 1 << 2


def check_hotplug_memory_range(state: State, start: int, size: int) -> None:
    """System RAM comes in whole memory blocks (v4.17+; whole sections before) and never as nothing. Raises Refusal(EINVAL)."""
    if state.kernel.features.block_aligned_hotplug:
        unit: int = state.misc["memory_block_size_bytes"]
        text = f"Block size [{unit:#x}] unaligned hotplug range: start {start:#x}, size {size:#x}"
    else:
        unit = state.kernel.geometry.SECTION_SIZE
        text = f"Section-unaligned hotplug range: start {start:#x}, size {size:#x}"
    if not size or start % unit or size % unit:
        state.log("err", text)
        raise Refusal(22, "check_hotplug_memory_range", "block-alignment", (text,))


def register_memory_resource(state: State, start: int, size: int, name: str) -> Resource:
    """Claim the range in the iomem tree. Raises Refusal: E2BIG (not addressable, v5.12+), EEXIST (claimed by another)."""
    if state.kernel.features.mhp_range_allowed and not mhp_range_allowed(state, start, size, True):
        raise Refusal(7, "register_memory_resource", "addressable-range")
    flags = IORESOURCE_SYSTEM_RAM
    if name != "System RAM":
        flags |= IORESOURCE_SYSRAM_DRIVER_MANAGED
    state.alloc("register_memory_resource")
    f = state.kernel.features
    # Up to v5.0 anything at the top of the tree is in the way, busy or not.
    taken = not f.ram_under_nonbusy_parent and any(overlapping(state.iomem, start, start + size - 1))
    claimed = None if taken else __request_region(state.iomem, start, size, name, flags, log=state.log)
    if claimed is None:
        text = f"Unable to reserve {name} region: {start:016x}->{start + size:016x}"
        if f.resource_busy_message.startswith("System RAM resource"):
            text = f"System RAM resource [mem {start:#010x}-{start + size - 1:#010x}] cannot be added"
        state.log("debug", text)
        raise Refusal(17, "register_memory_resource", "resource-busy", (text,))
    state.iomem = claimed[0]
    return claimed[1]


def _try_online_node(state: State, nid: int) -> bool:
    node = state.nodes.get(nid)
    if node is not None and node.online:
        return False
    state.alloc("__try_online_node")
    build_all_zonelists(state, nid)
    return True


def add_memory_resource(state: State, nid: int, res: Resource, mhp_flags: int = 0) -> None:
    """Add the RAM of a claimed resource: pages, memory blocks, and online them where the policy says so.

    With MHP_NID_IS_MGID ``nid`` is a memory group. Raises Refusal: EINVAL (not whole blocks, unknown group, impossible node,
    memmap_on_memory on v5.14 to v6.5), and whatever ``arch_add_memory`` and the block devices say. Errors of onlining are
    swallowed, as the kernel swallows them.
    """
    f = state.kernel.features
    start, size = res.start, res.end - res.start + 1
    check_hotplug_memory_range(state, start, size)
    group: int | None = None
    if mhp_flags & MHP_NID_IS_MGID and f.memory_groups:
        if nid not in state.groups:
            raise Refusal(22, "add_memory_resource", "group-unknown")
        group, nid = nid, state.groups[nid].nid
    if f.checks_node_possible and nid not in state.misc.get("possible_nodes", frozenset({0})):
        text = f"node {nid} was absent from the node_possible_map"
        state.log("warn", text)
        raise Refusal(22, "add_memory_resource", "node-impossible", (text,))
    new_node = _try_online_node(state, nid)
    if mhp_flags & MHP_MEMMAP_ON_MEMORY and not mhp_supports_memmap_on_memory(state, size):
        if not f.memmap_on_memory_falls_back:
            raise Refusal(22, "add_memory_resource", "memmap-on-memory-unsupported")
        mhp_flags &= ~MHP_MEMMAP_ON_MEMORY
    if mhp_flags & MHP_MEMMAP_ON_MEMORY:
        _create_altmaps_and_memory_blocks(state, nid, group, start, size)
    else:
        _add_pages_and_blocks(state, nid, group, start, size)
    if new_node:
        _register_node(state, nid, start, size)
        old = state.nodes.get(nid, Pgdat(0, 0, False))
        state.put(state.nodes, nid, old._replace(online=True))
    if mhp_flags & MHP_MERGE_RESOURCE and f.mhp_merge_resource:
        state.iomem, _ = merge_system_ram_resource(state.iomem, res)
    if state.misc["auto_online"] != "offline":
        online_memory_blocks(state, start, size, state.misc["auto_online"])


def _add_pages_and_blocks(state: State, nid: int, group: int | None, start: int, size: int) -> None:
    if not state.kernel.features.blocks_created_by_add_memory:
        # A block device comes with the first section of it; what was added before a failure stays, as in __add_pages().
        block_size: int = state.misc["memory_block_size_bytes"]
        section = state.kernel.geometry.SECTION_SIZE
        for begin in range(start, start + size, section):
            known = begin // section in state.sections
            arch_add_memory(state, nid, begin, section)
            if not known and begin // block_size not in state.blocks:
                create_memory_block_devices(state, begin // block_size * block_size, block_size, nid, group)
        return
    arch_add_memory(state, nid, start, size)
    try:
        create_memory_block_devices(state, start, size, nid, group)
    except Refusal:
        arch_remove_memory(state, start, size)
        raise


def _register_node(state: State, nid: int, start: int, size: int) -> None:
    try:
        state.alloc("register_one_node")
    except Refusal:
        if state.kernel.features.node_registration_bugs:
            lines = ("kernel BUG at mm/memory_hotplug.c",)
            raise Refusal(12, "add_memory_resource", "allocation-failure", lines, crash=True) from None
        # v6.18 and later ask before anything is added; nothing else can have changed in between.
        _take_back(state, start, size)
        raise


def _take_back(state: State, start: int, size: int) -> None:
    block_size: int = state.misc["memory_block_size_bytes"]
    hosted = [block for _, block in walk_memory_blocks(state, start, size) if block.altmap]
    if hosted:
        for begin in range(start, start + size, block_size):
            _remove_block_and_altmap(state, begin, block_size)
        return
    remove_memory_block_devices(state, start, size)
    arch_remove_memory(state, start, size)


def _create_altmaps_and_memory_blocks(state: State, nid: int, group: int | None, start: int, size: int) -> None:
    """Each block is added with an altmap in its own first pages; up to v6.7 there is one block and one altmap."""
    f, g = state.kernel.features, state.kernel.geometry
    block_size: int = state.misc["memory_block_size_bytes"]
    per_block = block_size >> g.PAGE_SHIFT
    added: list[int] = []
    try:
        for begin in range(start, start + size, block_size):
            base = begin >> g.PAGE_SHIFT
            if f.altmap_kept_by_block:
                state.alloc("create_altmaps_and_memory_blocks")
                altmap = VmemAltmap(base, base + per_block - 1, 0, memory_block_memmap_on_memory_pages(state))
            else:
                altmap = VmemAltmap(base, 0, 0, per_block)
            state.put(state.altmaps, base, altmap)
            try:
                arch_add_memory(state, nid, begin, block_size, base)
            except Refusal:
                state.drop(state.altmaps, base)
                raise
            try:
                own = state.altmaps[base].free if f.altmap_kept_by_block else state.altmaps[base].alloc
                create_memory_block_devices(state, begin, block_size, nid, group, own, altmap=True)
            except Refusal:
                arch_remove_memory(state, begin, block_size, None if f.altmap_lost_on_block_failure else base)
                state.drop(state.altmaps, base)
                raise
            added.append(begin)
    except Refusal:
        for begin in added:
            _remove_block_and_altmap(state, begin, block_size)
        raise


def _remove_block_and_altmap(state: State, start: int, block_size: int) -> None:
    base = start >> state.kernel.geometry.PAGE_SHIFT
    remove_memory_block_devices(state, start, block_size)
    arch_remove_memory(state, start, block_size, base)
    if state.altmaps[base].alloc:
        state.log("warn", "Altmap not fully unmapped")
    state.drop(state.altmaps, base)


def _add(state: State, nid: int, start: int, size: int, name: str, mhp_flags: int) -> None:
    if not has_memory_hotplug(state):
        raise Refusal(38, "add_memory", "no-memory-hotplug")
    res = register_memory_resource(state, start, size, name)
    try:
        add_memory_resource(state, nid, res, mhp_flags)
    except Refusal:
        state.iomem = release_resource(state.iomem, res)
        raise


def add_memory(state: State, nid: int, start: int, size: int, mhp_flags: int = 0) -> None:
    """Hot-add ``size`` bytes of System RAM at ``start``. Raises Refusal; the iomem claim is given back then."""
    _add(state, nid, start, size, "System RAM", mhp_flags)


def add_memory_driver_managed(
    state: State, nid: int, start: int, size: int, resource_name: str, mhp_flags: int = 0
) -> None:
    """Hot-add RAM that a driver owns: "System RAM (kmem)". Raises Refusal(EINVAL) for another form of name, first of all.

    Linux kernel commit 7b7b27214bba ("mm/memory_hotplug: introduce add_memory_driver_managed()") (in v5.8)
    """
    if not state.kernel.features.driver_managed_memory:
        raise Refusal(38, "add_memory_driver_managed", "function-later")
    if not resource_name.startswith("System RAM (") or not resource_name.endswith(")"):
        raise Refusal(22, "add_memory_driver_managed", "resource-name")
    _add(state, nid, start, size, resource_name, mhp_flags)


# -- removal


def _span_has_pages(state: State, nid: int, node: Pgdat) -> bool:
    """v5.3 and older look at the first page of each section that the node spans: is it initialised, and of this node?

    Blocks that were never online are not spanned, and the reserved pages of an altmap are not initialised.
    """
    g = state.kernel.geometry
    per_block = state.misc["memory_block_size_bytes"] >> g.PAGE_SHIFT
    for pfn in range(node.node_start_pfn, node.end_pfn, g.PAGES_PER_SECTION):
        if pfn >> g.PFN_SECTION_SHIFT not in state.sections:
            continue
        block, pgmap = state.blocks.get(pfn // per_block), get_dev_pagemap(state, pfn)
        if block is not None and block.nid == nid and block.zone is not None:
            return True
        if pgmap is not None and pgmap.nid == nid:
            altmap = None if pgmap.altmap is None else state.altmaps.get(pgmap.altmap)
            if altmap is None or pfn >= altmap.base_pfn + altmap.reserve:
                return True
    return False


def try_offline_node(state: State, nid: int) -> None:
    """Take a node offline that spans no pages, has no memory block and no CPU. ZONE_DEVICE pages keep it alive for good."""
    node = state.nodes.get(nid)
    if node is None or not node.online or nid in state.misc.get("cpu_nodes", frozenset({0})):
        return
    if state.kernel.features.try_offline_node_ignores_zone_device:
        if _span_has_pages(state, nid, node):
            return
    elif node.node_spanned_pages or any(block.nid == nid for block in state.blocks.values()):
        return
    state.put(state.nodes, nid, node._replace(online=False))


def _release_memory_resource(state: State, start: int, size: int) -> None:
    never_fails = not state.kernel.features.unreleased_resource_warns
    try:
        state.iomem = release_mem_region_adjustable(state.iomem, start, size, never_fails=never_fails, log=state.log)
    except Refusal as refusal:
        last = start + size - 1
        state.log("warn", f"Unable to release resource <{start:#018x}-{last:#018x}> ({-refusal.errno})")


def try_remove_memory(state: State, start: int, size: int) -> None:
    """Remove RAM whose blocks are all offline.

    Raises Refusal: EBUSY (a block is online), EINVAL (memmap_on_memory granularity); a range that is not whole blocks is a
    BUG in the kernel (``crash``).
    """
    f = state.kernel.features
    try:
        check_hotplug_memory_range(state, start, size)
    except Refusal as refusal:
        lines = (*refusal.log, "kernel BUG at mm/memory_hotplug.c")
        raise Refusal(22, "try_remove_memory", "removal-alignment", lines, crash=True) from None
    block_size: int = state.misc["memory_block_size_bytes"]
    nid: int | None = None
    blocks = list(walk_memory_blocks(state, start, size))
    for nr, block in blocks:
        nid = block.nid
        if block.state != "offline":
            first = nr * block_size
            text = f"removing memory fails, because memory [{first:#018x}-{first + block_size - 1:#018x}] is onlined"
            state.log("warn", text)
            if f.removal_of_online_memory_bugs:
                lines = (text, "kernel BUG at mm/memory_hotplug.c")
                raise Refusal(16, "remove_memory", "block-online", lines, crash=True)
            raise Refusal(16, "try_remove_memory", "block-online", (text,))
    hosted = [block for _, block in blocks if block.nr_vmemmap_pages] if mhp_memmap_on_memory(state) else []
    if hosted and not f.altmap_per_block and size != block_size:
        text = f"Refuse to remove {start:#x} - {start + size:#x},wrong granularity"
        state.log("warn", text)
        raise Refusal(22, "try_remove_memory", "memmap-on-memory-granularity", (text,))
    if hosted and len(hosted) != size // block_size:
        raise Refusal(22, "memory_blocks_have_altmaps", "memmap-on-memory-granularity")
    if hosted:
        for begin in range(start, start + size, block_size):
            _remove_block_and_altmap(state, begin, block_size)
    else:
        remove_memory_block_devices(state, start, size)
        arch_remove_memory(state, start, size)
        shift = state.kernel.geometry.PAGE_SHIFT
        for nr, block in blocks:
            if block.zone is None and f.never_onlined_removal_reads_zone:
                corrupted(state, "uninitialised-memmap-read", nr * block_size >> state.kernel.geometry.PA_SECTION_SHIFT)
            if block.zone is not None:
                shrink_at_removal(state, block.nid, block.zone, nr * block_size >> shift, block_size >> shift)
    _release_memory_resource(state, start, size)
    if nid is not None:
        try_offline_node(state, nid)


def remove_memory(state: State, start: int, size: int) -> None:
    """``remove_memory``: see ``try_remove_memory``. Without hot-remove a stub: -EBUSY, up to v5.2 nothing."""
    if not has_memory_hotremove(state):
        if state.kernel.features.removal_of_online_memory_bugs:
            return
        raise Refusal(16, "remove_memory", "no-memory-hotplug")
    try_remove_memory(state, start, size)


def offline_and_remove_memory(state: State, start: int, size: int) -> None:
    """Offline every block of a range and remove it; on any refusal the blocks that were offlined go online again.

    Raises Refusal: EINVAL (not whole blocks, or nothing), ENOMEM, or what offlining said. In v5.8+.
    """
    block_size: int = state.misc["memory_block_size_bytes"]
    if not state.kernel.features.offline_and_remove_memory:
        raise Refusal(38, "offline_and_remove_memory", "function-later")
    if not size or start % block_size or size % block_size:
        raise Refusal(22, "offline_and_remove_memory", "block-alignment")
    if size != block_size and not state.kernel.features.offline_and_remove_many:
        raise Refusal(22, "offline_and_remove_memory", "block-alignment")
    state.alloc("offline_and_remove_memory")
    done: list[tuple[int, str]] = []
    try:
        device_offline_each(state, start, size, done)
        try:
            try_remove_memory(state, start, size)
        except Refusal as refusal:
            state.log("err", f"offline_and_remove_memory: Failed to remove memory: {-refusal.errno}")
            raise
    except Refusal:
        reonline(state, done)
        raise
