"""Features of mm/memory_hotplug.c and kernel/resource.c: adding, removing, onlining and offlining memory."""

from __future__ import annotations

from dataclasses import dataclass

from sparsemem.spec.features_sparse import SparseFeatures
from sparsemem.spec.record import Era, choice, since, until

__all__ = ["HotplugFeatures"]

_SHRINK = ("5.5-rc6", "feee6b298916", "mm/memory_hotplug: shrink zones when offlining memory")


@dataclass(frozen=True, slots=True, kw_only=True, init=False, repr=False, eq=False)  # cheap: Features makes them
class HotplugFeatures(SparseFeatures):
    """``__add_pages()`` and ``add_memory()`` and what undoes them; zones, nodes, spans; the iomem tree."""

    # -- what a range must be
    check_pfn_span: bool = since(
        "5.3", "", "mm/sparsemem: prepare for sub-section ranges",
        note="__add_pages() and __remove_pages() want whole sub-sections; before, removal wanted whole sections (BUG).",
    )  # fmt: skip
    misaligned_message: str = choice(
        Era(""),
        Era("Misaligned __%s_pages start: %#lx end: #%lx", "5.3", "", "mm/sparsemem: prepare for sub-section ranges"),
        Era("Misaligned %s start: %#lx end: #%lx", "6.0", "943189db4f3e",
            "mm/memory_hotplug: drop 'reason' argument from check_pfn_span()"),
        Era("Misaligned %s start: %#lx end: %#lx", "6.5", "501350459b1f", "mm: memory_hotplug: fix format string in warnings"),
        note="The WARN for a misaligned span; %s is add or remove at first, then the name of the function. The first "
        "two forms print the end with a plain # and without 0x.",
    )  # fmt: skip
    hotplug_addressable_check: bool = until(
        "5.12", "bca3feaa0764", "mm/memory_hotplug: prevalidate the address range being added with platform",
        first=Era(True, "5.5", "dca4436d1cf9", "mm/memory_hotplug: add a bounds check to __add_pages()"),
        note="__add_pages() refuses a range beyond MAX_PHYSMEM_BITS with -E2BIG.",
    )  # fmt: skip
    hotplug_beyond_physmem_unchecked: bool = until(
        "5.5", "dca4436d1cf9", "mm/memory_hotplug: add a bounds check to __add_pages()", bug=31,
        note="A range beyond MAX_PHYSMEM_BITS is added all the same, past the end of the section table.",
    )  # fmt: skip
    mhp_range_allowed: bool = since(
        "5.12", "bca3feaa0764", "mm/memory_hotplug: prevalidate the address range being added with platform",
        note="Ranges are checked against what the platform can address and map, before anything is done.",
    )  # fmt: skip
    physmem_end_limits_hotplug: bool = since(
        "6.11", "ea72ce5da228", "x86/kaslr: Expose and use the end of the physical memory address space",
        backports={"6.1": "6.1.110", "6.6": "6.6.51", "6.10": "6.10.10"},
        note="The limit is the end of the direct map as KASLR left it, and x86 add_pages() refuses beyond it with "
        "-ERANGE.",
    )  # fmt: skip
    kaslr_keeps_direct_map_whole: bool = since(
        "6.15", "7ffb791423c7", "x86/kaslr: Reduce KASLR entropy on most x86 systems", arches=("x86_64",),
        backports={"6.1": "6.1.141", "6.12": "6.12.31"},
        note="KASLR leaves the direct map its full size in builds that map device memory; before, it kept RAM plus "
        "10 TiB.",
    )  # fmt: skip
    add_pages_checks_pgprot: bool = since(
        "5.7", "bfeb022f8fe4", "mm/memory_hotplug: add pgprot_t to mhp_params",
        note="__add_pages() refuses params without page protection (-EINVAL).",
    )  # fmt: skip
    block_aligned_hotplug: bool = since(
        "4.17", "ba325585230e", "mm/memory_hotplug: enforce block size aligned range check",
        note="add_memory() wants ranges aligned to memory blocks; before, to sections (the release is not confirmed).",
    )  # fmt: skip
    checks_node_possible: bool = since(
        "5.8", "", "mm/memory_hotplug: refrain from adding memory into an impossible node",
        note="add_memory_resource() refuses a node that is not possible (-EINVAL).",
    )  # fmt: skip

    # -- adding
    ram_under_nonbusy_parent: bool = since(
        "5.1", "", "mm/memory-hotplug: Allow memory resources to be children",
        note="Hot-added RAM may lie under a resource that is not busy (a dax device); before, only at the top level.",
    )  # fmt: skip
    resource_busy_message: str = choice(
        Era("System RAM resource %pR cannot be added"),
        Era("Unable to reserve System RAM region: %016llx->%016llx", "5.1", "", "mm/memory-hotplug: Allow memory resources to be children"),
        note="The debug line of register_memory_resource() for a range that is taken.",
    )  # fmt: skip
    mem_parameter_limits_hotplug: str = choice(
        Era("no"),
        Era("always", "5.1", "357b4da50a62", "x86: respect memory size limiting via mem= parameter"),
        Era("while booting", "5.7", "", "mm/hotplug: only respect mem= parameter during boot stage"),
        note="Whether memory above a mem= limit is refused with -E2BIG.",
    )
    blocks_created_by_add_memory: bool = since(
        "5.3", "db051a0dac13", "mm/memory_hotplug: create memory block devices after arch_add_memory()",
        backports={"4.19": "4.19.304"},
        note="Memory block devices are created after the sections were added; before, with each section.",
    )  # fmt: skip
    node_registration_bugs: bool = until(
        "6.18", "b8179af12094", "mm/memory_hotplug: activate node before adding new memory blocks",
        note="A node that cannot be registered during hot-add is a BUG; later, the add is rolled back with a warning.",
    )  # fmt: skip
    node_online_before_memory: bool = since(
        "6.18", "b8179af12094", "mm/memory_hotplug: activate node before adding new memory blocks",
        note="A new node is set online and registered before its memory is added, with rollback; before, afterwards.",
    )  # fmt: skip
    driver_managed_memory: bool = since(
        "5.8", "7b7b27214bba", "mm/memory_hotplug: introduce add_memory_driver_managed()",
        note="add_memory_driver_managed() exists: RAM that is named after its driver and kept out of the firmware map.",
    )  # fmt: skip
    mhp_merge_resource: bool = since(
        "5.10", "9ca6551ee22d", "mm/memory_hotplug: MEMHP_MERGE_RESOURCE to specify merging of System RAM resources",
        note="A caller may ask for adjacent System RAM resources to be merged.",
    )  # fmt: skip
    memory_groups: bool = since(
        "5.15", "028fc57a1c36", 'drivers/base/memory: introduce "memory groups" to logically group memory blocks',
        note="Memory groups tie the blocks of one device together (MHP_NID_IS_MGID).",
    )  # fmt: skip

    # -- memmap_on_memory
    memmap_on_memory: bool = since(
        "5.13", "a08a2ae34613", "mm,memory_hotplug: allocate memmap from the added memory range",
        note="The memmap of hot-added memory can be placed in that memory.",
    )  # fmt: skip
    memmap_on_memory_falls_back: bool = since(
        "6.6", "e3c2bfdd33a3", "mm/memory_hotplug: allow memmap on memory hotplug request to fallback",
        note="MHP_MEMMAP_ON_MEMORY is ignored where it cannot be done; before, the add was refused (-EINVAL).",
    )  # fmt: skip
    memmap_on_memory_force: bool = since(
        "6.6", "2d1f649c7c08", "mm/memory_hotplug: support memmap_on_memory when memmap is not aligned to pageblocks",
        note="memory_hotplug.memmap_on_memory=force pads the memmap of each block to pageblocks.",
    )  # fmt: skip
    altmap_kept_by_block: bool = since(
        "6.6", "1a8c64e11043", "mm/memory_hotplug: embed vmem_altmap details in memory block",
        note="A memory block keeps the altmap of its own memmap; before, the add had one on its stack, as large as the "
        "block.",
    )  # fmt: skip
    altmap_per_block: bool = since(
        "6.8", "6b8f0798b85a", "mm/memory_hotplug: split memmap_on_memory requests across memblocks",
        note="Each memory block has an altmap of its own; before, only an add of exactly one block could hold its "
        "memmap.",
    )  # fmt: skip
    altmap_lost_on_block_failure: bool = choice(
        Era(False),
        Era(True, "5.13", "a08a2ae34613", "mm,memory_hotplug: allocate memmap from the added memory range"),
        Era(False, "6.6", "1a8c64e11043", "mm/memory_hotplug: embed vmem_altmap details in memory block",
            {"6.1": "6.1.178"}),
        Era(True, "6.8", "6b8f0798b85a", "mm/memory_hotplug: split memmap_on_memory requests across memblocks"),
        Era(False, "7.2", "2fac4afa0e2e", "mm/memory_hotplug: fix incorrect altmap passing in error path", {"6.12": "6.12.97"}),
        bug=26,
        note="When block devices cannot be created, the memmap is freed as if it were not in the memory being taken "
        "back.",
    )  # fmt: skip

    # -- online and offline
    online_pages_pageblock_aligned: bool = since(
        "5.13", "dd8e2f230d82", "mm,memory_hotplug: relax fully spanned sections check",
        note="online_pages() and offline_pages() want a start at a pageblock and an end at a section.",
    )  # fmt: skip
    online_pages_checks_alignment: bool = since(
        "5.10", "4986fac160b3", "mm/memory_hotplug: enforce section granularity when onlining/offlining",
        note="online_pages() and offline_pages() refuse (WARN, -EINVAL) what is not whole sections; before, unchecked.",
    )  # fmt: skip
    offline_checks_pageblock: bool = until(
        "5.0", "", "mm, memory_hotplug: drop pointless block alignment checks from __offline_pages",
        note="__offline_pages() refuses a range that is not whole pageblocks.",
    )  # fmt: skip
    offline_needs_full_block: bool = until(
        "5.7", "", "drivers/base/memory.c: drop section_count",
        note="A block with a section that was never present cannot go offline (-EINVAL), whatever its RAM.",
    )  # fmt: skip
    offline_refuses_holes: bool = since(
        "5.5", "c5e79ef561b0", "mm/memory_hotplug.c: don't allow to online/offline memory blocks with holes",
        note='offline_pages() refuses a range that System RAM does not cover ("memory holes").',
    )  # fmt: skip
    offline_gives_reason: bool = since(
        "5.0", "7960509329c2", "mm, memory_hotplug: print reason for the offlining failure",
        note="A failed offline names its reason in the debug line.",
    )  # fmt: skip
    unmovable_page_ends_offline: bool = since(
        "5.8", "aa218795cb5f", "mm: Allow to offline unmovable PageOffline() pages via MEM_GOING_OFFLINE",
        note='Offlining gives up at a page that cannot move ("unmovable page"); before, it tried again forever.'
    )  # fmt: skip
    offlined_pages_is_info: bool = until(
        "5.11", "7c33023aad16", "mm/memory_hotplug: quieting offline operation",
        note='"Offlined Pages %ld" is logged at level info; later at level debug.',
    )  # fmt: skip
    auto_movable_policy: bool = since(
        "5.15", "e83a437faa62", 'mm/memory_hotplug: introduce "auto-movable" online policy',
        note="memory_hotplug.online_policy=auto-movable exists.",
    )  # fmt: skip
    node_notifiers: bool = since(
        "6.17", "67929de10847", "mm,memory_hotplug: implement numa node notifier",
        note="The first and the last memory of a node are announced by a notifier of their own, which may refuse.",
    )  # fmt: skip
    fallback_order_logged: bool = since(
        "5.16", "6cf253925df7", "mm/page_alloc: Print node fallback order",
        note="Rebuilding the zonelists logs the fallback order of each node.",
    )  # fmt: skip
    zonelists_of_possible_nodes: bool = since(
        "5.18", "09f49dca570a", "mm: handle uninitialized numa nodes gracefully",
        note="The zonelists of every possible node are built, whether it is online or not.",
    )  # fmt: skip
    memoryless_node_out_of_its_list: bool = since(
        "6.7", "c2baef394af8", "mm: page_alloc: skip memoryless nodes entirely",
        note="A node without memory is not the first one of its own fallback list.",
    )  # fmt: skip
    memoryless_node_out_of_lists: bool = since(
        "6.7", "b7812c86c740", "mm: memory_hotplug: drop memoryless node from fallback lists",
        note="A node that loses its last memory is out of the fallback lists at once; before, until the next rebuild.",
    )  # fmt: skip
    demotion_targets_logged: bool = since(
        "6.9", "601e793a749d", "mm/demotion: print demotion targets",
        note="The demotion targets of each node are logged when a node gets its first memory or loses its last.",
    )  # fmt: skip
    kswapd_on_its_node: bool = since(
        "6.14", "c6a566f6c1b4", "mm: Create/affine kswapd to its preferred node",
        note="The threads kswapd and kcompactd of a node are created in its own memory; before, anywhere.",
    )  # fmt: skip

    # -- removing
    removal_of_online_memory_bugs: bool = until(
        "5.3", "eca499ab3749", "mm/hotplug: make remove_memory() interface usable",
        note="remove_memory() of a block that is online is a BUG; later, it answers -EBUSY.",
    )  # fmt: skip
    offline_and_remove_memory: bool = since(
        "5.8", "08b3acd7a68f", "mm/memory_hotplug: Introduce offline_and_remove_memory()",
        note="offline_and_remove_memory() exists.",
    )  # fmt: skip
    offline_and_remove_many: bool = since(
        "5.11", "8dc4bb58a146",
        "mm/memory_hotplug: extend offline_and_remove_memory() to handle more than one memory block",
        backports={"5.10": "5.10.185"},
        note="offline_and_remove_memory() takes several blocks, and puts them online again when one refuses; before, "
        "one.",
    )  # fmt: skip
    unreleased_resource_warns: bool = until(
        "5.10", "ec62d04e3fdc", "kernel/resource: make release_mem_region_adjustable() never fail",
        note='A range whose System RAM resource cannot be released gives "Unable to release resource <%pa-%pa> (%d)".',
    )  # fmt: skip
    try_offline_node_ignores_zone_device: bool = until(
        "5.4", "2c91f8fc6c99", "mm/memory_hotplug: fix try_offline_node()",
        backports={"4.19": "4.19.304", "5.3": "5.3.12"}, bug=14,
        note="A node can go offline while it still has device memory, or memory blocks that are offline.",
    )  # fmt: skip

    # -- zones and spans
    arm64_zones: str = choice(
        Era("DMA32"),
        Era("DMA 1G and DMA32", "5.5", "1a8e1cef7603", "arm64: use both ZONE_DMA and ZONE_DMA32"),
        Era("DMA 4G", "5.11", "2b8652936f0c", "arm64: mm: Set ZONE_DMA size based on early IORT scan", {"5.10": "5.10.22"}),
        note="The zones below Normal on arm64: 4 GiB in DMA32; or 1 GiB in DMA, to 4 GiB in DMA32; or 4 GiB in DMA.",
    )  # fmt: skip
    zones_shrink_at_offline: bool = since(
        *_SHRINK, backports={"4.19": "4.19.304", "5.4": "5.4.9"},
        note="Zone spans shrink when memory goes offline, and never for device memory; before, when it was removed.",
    )  # fmt: skip
    node_span_from_zones: bool = since(
        "5.4", "00d6c019b5bc", "mm/memory_hotplug: don't access uninitialized memmaps in shrink_pgdat_span()",
        backports={"4.19": "4.19.304", "5.3": "5.3.13"},
        note="The node span is the hull of its zones; before, the memmap was scanned.",
    )  # fmt: skip
    zone_shrink_reads_uninitialised_memmap: bool = until(
        "5.4", "7ce700bf11b5", "mm/memory_hotplug: don't access uninitialized memmaps in shrink_zone_span()",
        backports={"4.19": "4.19.304", "5.3": "5.3.14"}, bug=12,
        note="Shrinking a zone reads the memmap of pages that were never initialised.",
    )  # fmt: skip
    never_onlined_removal_reads_zone: bool = until(
        *_SHRINK, backports={"4.19": "4.19.304", "5.4": "5.4.9"}, bug=13,
        note="Removing memory that was never online takes its zone from an uninitialised memmap.",
    )  # fmt: skip
    zone_shrink_rescans_for_holes: bool = until(
        "5.6", "950b68d9178b", "mm/memory_hotplug: don't check for \"all holes\" in shrink_zone_span()",
        note="Shrinking looks through the whole zone, so that one that has become all hole is emptied."
    )  # fmt: skip
    removed_memmap_poisoned: bool = since(
        "5.6", "d33695b16a9f", "mm/memory_hotplug: poison memmap in remove_pfn_range_from_zone()",
        note="The memmap of pages that leave their zone is poisoned again.",
    )  # fmt: skip

    # -- arch/x86/virt/vmx/tdx/tdx.c
    tdx_memory_is_static: bool = since(
        "6.8", "abe8dbab8f9f", "x86/virt/tdx: Use all system memory when initializing TDX module as TDX memory",
        note="On a host whose TDX module is initialized, memory that was not there then is added, and can not go online (-EPERM).",
    )  # fmt: skip

    # -- kernel/resource.c
    region_intersects_descends: bool = since(
        "6.12", "b4afe4183ec7", "resource: fix region_intersects() vs add_memory_driver_managed()",
        backports={"5.4": "5.4.285", "5.10": "5.10.227", "5.15": "5.15.168", "6.1": "6.1.113", "6.6": "6.6.55",
                   "6.10": "6.10.14", "6.11": "6.11.3"},
        note='region_intersects() looks below top-level resources ("CXL Window 0" over System RAM) too.',
    )  # fmt: skip
    exclusive_system_ram: bool = since(
        "5.16", "a9e7b8d4f663", "kernel/resource: disallow access to exclusive system RAM regions",
        note="A driver may keep user space out of the System RAM it manages (virtio-mem).",
    )  # fmt: skip
