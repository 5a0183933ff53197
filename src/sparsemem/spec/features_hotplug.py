"""Features of mm/memory_hotplug.c, drivers/base/memory.c and kernel/resource.c."""

from __future__ import annotations

from dataclasses import dataclass

from sparsemem.spec.features_sparse import SparseFeatures
from sparsemem.spec.record import Era, choice, since, until

__all__ = ["HotplugFeatures"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HotplugFeatures(SparseFeatures):
    """Adding, removing, onlining and offlining memory; memory block devices; the iomem tree."""

    check_pfn_span: bool = since("5.3", note="__add_pages() and __remove_pages() refuse ranges that are not sub-section aligned.")
    misaligned_message: str = choice(
        Era(""),
        Era("Misaligned __%s_pages start: %#lx end: #%lx", "5.3"),
        Era("Misaligned %s start: %#lx end: #%lx", "6.0"),
        Era("Misaligned %s start: %#lx end: %#lx", "6.2"),
        note="The WARN of check_pfn_span(); %s is add/remove in the first form, the function's name in the later ones.",
    )
    hotplug_addressable_check: bool = until(
        "5.12", first=("5.4", "dca4436d1cf9", "mm/memory_hotplug.c: add a bounds check to check_hotplug_memory_range()"),
        note="check_hotplug_memory_addressable() refuses a range beyond MAX_PHYSMEM_BITS with -E2BIG.",
    )  # fmt: skip
    mhp_range_allowed: bool = since("5.12", "bca3feaa0764", "mm/memory_hotplug: prevalidate the address range being added with platform",
                                    note="Ranges are checked against what the platform can map, before anything is done.")  # fmt: skip
    add_pages_checks_pgprot: bool = since("5.7", note="__add_pages() refuses params without pgprot (-EINVAL).")
    block_aligned_hotplug: bool = since("4.17", note="add_memory() wants ranges aligned to memory blocks; before, to sections.")
    checks_node_possible: bool = since("5.10", note="add_memory_resource() refuses a node that is not possible (-EINVAL).")
    zones_shrink_at_offline: bool = since(
        "5.5", "feee6b298916", "mm/memory_hotplug: shrink zones when offlining memory", backports={"5.4": "5.4.9"},
        note="Zone spans shrink when memory goes offline; before, when it was removed.",
    )  # fmt: skip
    node_span_from_zones: bool = since("5.4", note="The node span is the hull of its zones; before, the memmap was scanned.")
    offline_refuses_holes: bool = since("5.5", note='offline_pages() refuses a range that System RAM does not cover ("memory holes").')
    offlined_pages_is_info: bool = until("5.11", note='"Offlined Pages %ld" is logged at level info; later at level debug.')
    block_records_zone: bool = since("5.18", note="A memory block remembers its one zone; one that spans zones cannot go offline.")
    online_pages_pageblock_aligned: bool = since("5.14", note="online_pages() wants its start aligned to pageblocks; before, to sections.")
    memmap_on_memory: bool = since("5.14", note="The memmap of hot-added memory can be placed in that memory.")
    memmap_on_memory_falls_back: bool = since("6.6", note="MHP_MEMMAP_ON_MEMORY is ignored where unsupported; before, -EINVAL.")
    memmap_on_memory_force: bool = since("6.6", note="memory_hotplug.memmap_on_memory=force pads the memmap to pageblocks.")
    altmap_per_block: bool = since("6.8", note="Each memory block has an altmap of its own, so that several blocks can be added at once.")
    memory_groups: bool = since("5.15", note="Memory groups tie blocks of one device together.")
    auto_movable_policy: bool = since("5.15", note='memory_hotplug.online_policy=auto-movable exists.')
    mhp_merge_resource: bool = since("5.10", note="MEMHP_MERGE_RESOURCE merges adjacent System RAM resources.")
    driver_managed_memory: bool = since("5.8", note="add_memory_driver_managed() exists.")
    offline_and_remove_memory: bool = since("5.8", note="offline_and_remove_memory() exists.")
    removable_always_one: bool = since("5.7", note="The removable attribute of a memory block says 1 without looking.")
    block_size_rule: str = choice(
        Era("largest divisor"), Era("bare metal 2G", "5.9"), Era("advised", "6.15"), arches=("x86_64",),
        note="How memory_block_size_bytes() chooses on a machine with 64 GiB or more.",
    )  # fmt: skip
    default_online_type_choice: bool = since("6.14", note="The default online type is a build choice of four.")
    region_intersects_descends: bool = since("6.12", note="region_intersects() looks below top-level resources too.",
                                             backports={"6.1": "6.1.113", "6.6": "6.6.55", "6.11": "6.11.3"})  # fmt: skip
    zone_shrink_reads_uninitialised_memmap: bool = until("5.4", note="Shrinking spans reads memmap that was never initialised.", bug=12)
    never_onlined_removal_reads_zone: bool = until(
        "5.5", "feee6b298916", "mm/memory_hotplug: shrink zones when offlining memory", backports={"5.4": "5.4.9"}, bug=13,
        note="Removing memory that was never online reads a zone from an uninitialised memmap.",
    )  # fmt: skip
    try_offline_node_ignores_zone_device: bool = until(
        "5.4", "2c91f8fc6c99", "mm/memory_hotplug: fix try_offline_node()", bug=14,
        note="A node can go offline while it still has device memory.",
    )  # fmt: skip
    node_online_before_memory: bool = since("7.0", note="The node is set online before its memory is added, with rollback.")
    exclusive_system_ram: bool = since("5.16", note="IORESOURCE_EXCLUSIVE/System RAM exclusivity exists.")
    auto_online_types: bool = since(
        "5.7", "5f47adf762b7", "mm/memory_hotplug: allow to specify a default online_type",
        note="auto_online_blocks also takes online_kernel and online_movable.",
    )  # fmt: skip
    online_by_default: bool = since("7.0", note="Debian's build onlines hot-added memory by default.")
