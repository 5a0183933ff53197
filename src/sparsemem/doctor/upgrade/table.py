"""Which machine each feature of ``spec.features`` touches, and how a difference in it shows.

Every feature has a line here (a test sees to it), so that a new one can not be forgotten.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["CAUSES", "EFFECTS", "Effect"]


class Effect(NamedTuple):
    """``traits``: any of them makes the difference matter (see ``traits.TRAITS``). ``kind``: "behaviour", "words" (of the kernel log) or
    "files" (of sysfs and /proc)."""

    traits: tuple[str, ...]
    kind: str = "behaviour"


_LINES = """
subsection_hotplug: device soft
section_is_early: never
eexist_is_success: shared
sparse_index_init_eexist_is_zero: never
usage_map_only_vmemmap: never
section_taint_zone_device: mixed
section_vmemmap_preinit: never
section_map_last_bit: never
section_word_encodes_kaddr: mixed shared
removed_section_word_stale: device
pfn_to_online_page_checks_subsection: mixed
device_page_counts_as_online: mixed
pfn_valid_checks_upper_bits: never
arm64_own_pfn_valid: device
arm64_pfn_valid_false_for_device: device
pfn_walk_iterators: never
usage_freed_by_rcu: never
usage_freed_under_readers: device
pfn_section_valid_trusts_usage: device
uninitialised_holes_in_last_section: tail
deactivate_order: never
hot_remove_fails_without_vmemmap: never
usage_followed_after_free: device
boot_usage_freed_twice: mixed
partial_early_depopulates_boot_memmap: mixed
populate_rounds_out: misaligned
poison_before_section_init: never
hwpoison_cleared_on_remove: never
section_add_skips_poison: never
altmap_backing: map-dev
vmemmap_never_freed: device
vmemmap_pmd_for_parts: shared
section_teardown_breaks_shared_pmd: shared
shared_vmemmap_pmd_tracked: never
shared_vmemmap_pmd_leaks: never
compound_vmemmap_dedup: devdax-mem
compound_init_ignores_boot_memmap: mixed
vmemmap_accounting_underflow: devdax-mem
altmap_falls_back_to_ram: map-dev
ppc64_altmap_crosses_namespace: map-dev
ppc64_altmap_boundary_off: map-dev
check_pfn_span: misaligned
misaligned_message: misaligned = words
hotplug_addressable_check: high
hotplug_beyond_physmem_unchecked: high
mhp_range_allowed: high
physmem_end_limits_hotplug: high
kaslr_keeps_direct_map_whole: high
add_pages_checks_pgprot: never
block_aligned_hotplug: plug
checks_node_possible: kmem
ram_under_nonbusy_parent: kmem
resource_busy_message: never = words
mem_parameter_limits_hotplug: mem-parameter
blocks_created_by_add_memory: never
node_registration_bugs: nodes
node_online_before_memory: never
driver_managed_memory: kmem virtio-mem = files
mhp_merge_resource: virtio-mem = files
memory_groups: never
memmap_on_memory: memmap-on-memory
memmap_on_memory_falls_back: memmap-on-memory
memmap_on_memory_force: memmap-on-memory
altmap_kept_by_block: never
altmap_per_block: memmap-on-memory
altmap_lost_on_block_failure: memmap-on-memory
online_pages_pageblock_aligned: never
online_pages_checks_alignment: never
offline_checks_pageblock: never
offline_needs_full_block: partial-block
offline_refuses_holes: partial-block
offline_gives_reason: plug = words
unmovable_page_ends_offline: plug
offlined_pages_is_info: plug = words
auto_movable_policy: online-policy
node_notifiers: never
fallback_order_logged: nodes = words
zonelists_of_possible_nodes: nodes
memoryless_node_out_of_its_list: nodes
memoryless_node_out_of_lists: nodes
demotion_targets_logged: nodes = words
kswapd_on_its_node: never
nfit_node_by_address: nfit
removal_of_online_memory_bugs: plug
offline_and_remove_memory: virtio-mem
offline_and_remove_many: virtio-mem
unreleased_resource_warns: device = words
try_offline_node_ignores_zone_device: nodes
arm64_zones: ram
zones_shrink_at_offline: never
node_span_from_zones: never
zone_shrink_reads_uninitialised_memmap: device
never_onlined_removal_reads_zone: plug
zone_shrink_rescans_for_holes: never
removed_memmap_poisoned: never
region_intersects_descends: cxl
tdx_memory_is_static: never
exclusive_system_ram: virtio-mem
zone_device: device
arm64_memory_hotplug: plug
arm64_boot_memory_stays: ram
arm64_memory_hotremove: plug
arm64_checks_linear_region: high
riscv64_memory_hotplug: plug
memmap_on_memory_arch: memmap-on-memory
block_records_zone: two-zones
last_hole_in_highest_zone: tail
removable_always_one: ram = files
block_size_rule: never
node_memory_failure: plug = files
crash_hotplug: plug = files
acpi_rescan_retries: plug
pci_ecam_in_iomem: ecam = files
pnp_names_in_iomem: pnp = files
local_apic_in_iomem: apic = files
auto_online_types: plug
default_online_type_choice: plug
online_by_default: plug
online_reports_hwpoison: never
block_size_validated: never
pagemap_ranges: never
nr_range_check: never
pgmap_coherent: never
memremap_compat_align: misaligned
mixed_region_message: mixed = words
mixed_region_function: mixed = words
mixed_region_policy: never
conflict_names_device: shared = words
ref_teardown_required: never
pgmap_private_owner: never
pgmap_page_free: never
pgmap_folio_size_check: never
pgmap_vmemmap_shift: never
memremap_zone_device_init_logged: device = words
zone_device_init_message: device = words
percpu_ref_exit_before_unmap: device
altmap_destroy_reads_reserved_memmap: map-dev
memory_failure_reads_device_metadata: map-dev
pfn_pads_to_sections: pad
pfn_section_pad_message: pad = words
info_block_minor: pfn
dax_label_reserve: devdax
namespace_end_not_truncated: regions
namespace_below_compat_align: pfn
zero_sized_namespace: labels
raw_fallback_on_bad_info_block: pfn
region_align_attribute: labels
region_align_too_big_for_small_regions: small-region
size_granularity: labels
struct_page_size_checked: never
dax_multi_range: soft cxl
dax_region_conflicts: soft-cxl
dax_region_conflict_logged: soft-cxl = words
kmem: dax
kmem_removes: kmem
kmem_rejects_nothing_left: never
kmem_truncation_logged: kmem = words
kmem_memmap_on_memory: kmem
dax_memmap_on_memory_attribute: dax = files
kmem_partial_removal_fails: multi-range
nd_target_node_attribute: regions = files
nvdimm_label_flag_is_label: nfit = files
nd_firmware_group: regions = files
cxl_dimm_group: never = files
hmem_resource: soft = files
hmem_has_parent: soft = files
hmem_without_hmat: soft
dax_failed_probe_keeps_pgmap: soft cxl
nd_power_directory: regions = files
block_sysfs: never = files
nfit_platform_driver: nfit = files
max_iores_level: cxl = files
soft_reserved_deferred: soft = files
dax_mount_modes: fsdax
ext4_dax_warning: fsdax = words
dax_blocksize_message: fsdax = words
ext4_mount_message: fsdax = words
ext4_unmount_message: fsdax = words
get_tree_bdev_messages: fsdax = words
xfs_messages_name_uuid: fsdax = words
xfs_bigtime: fsdax
xfs_shows_attr2: fsdax = files
xfs_dax_warning: fsdax = words
xfs_dax_reflink: fsdax
dax_kmem_by_default: soft cxl
dax_class: dax = files
bind_returns_probe_error: regions dax
probe_failure_names_device: device dax = words
label_dpa_page_aligned: labels
index_labeloff_checked: labels
index_labelsize_checked: labels
local_labels_are_blk: labels
labels_beyond_disabled_dimm: labels
label_updating_flag_cleared: labels
renamed_label_reaped: labels
force_raw_without_pages: force-raw
uuid_in_any_form: labels
holder_class_hides_label_mismatch: never
region_align_without_mappings: unlabelled
probe_maps_info_block_only: pfn
failed_probe_advances_seed: labels
capacity_change_logged: regions = words
read_only_goes_both_ways: regions
pfn_pads_against_regions: pad
pfn_over_trims: pad
dax_pmem_maps_pages: devdax
ppc64_transparent_pud: device
virtio_pmem_has_node: virtio-pmem
btt_checks_free_blocks: sector
virtio_mem: virtio-mem
virtio_mem_big_block_mode: virtio-mem
virtio_mem_movable_first: virtio-mem
virtio_mem_says_nid_first: virtio-mem = words
virtio_mem_region_exclusive: virtio-mem
virtio_mem_pageblock_subblocks: virtio-mem
virtio_mem_keeps_removing: virtio-mem
cxl_drivers: cxl
cxl_regions: cxl
cxl_bridge_is_pci_root: cxl = files
cxl_event_interrupts: cxl
cxl_flushes_caches: cxl
cxl_nvdimm_of_memdev: cxl
cxl_names_failed_decoder: cxl = words
cxl_pmem_drivers_bindable: cxl = files
cxl_partitions: cxl
cxl_dirty_shutdown: cxl = words
cxl_pmem_needs_serial: cxl
cxl_logs_failed_attach: cxl = words
cxl_dports_with_devices: cxl = files
cxl_sysfs: cxl = files
"""


def _parse(text: str) -> dict[str, Effect]:
    table: dict[str, Effect] = {}
    for line in text.split("\n"):
        name, _, rest = line.partition(": ")
        if name:
            found, _, kind = rest.partition(" = ")
            table[name] = Effect(tuple(found.split()), kind or "behaviour")
    return table


EFFECTS: dict[str, Effect] = _parse(_LINES)
"""By the name of the feature."""

_ALIGN = ("memremap_compat_align", "raw_fallback_on_bad_info_block", "region_align_attribute")
_WHOLE = (
    "subsection_hotplug",
    "altmap_backing",
    "altmap_falls_back_to_ram",
)  # the page array of whole sections, or of what is added
_SECTIONS = ("pfn_pads_to_sections", "pfn_pads_against_regions")
_BLOCKS = ("kmem", "SECTION_SIZE", "block_size_rule", "kmem_rejects_nothing_left")
CAUSES: dict[str, tuple[str, ...]] = {
    "mixed-region": ("subsection_hotplug", "region_intersects_descends", "mixed_region_policy"),
    "ram-region": ("mixed_region_policy", "region_intersects_descends"),
    "conflicting-mapping": ("subsection_hotplug",),
    "section-exists": ("subsection_hotplug", "eexist_is_success"),
    "subsection-overlap": ("subsection_hotplug",),
    "pfn-span-alignment": ("check_pfn_span", "memremap_compat_align", "misaligned_message"),
    "vmemmap-alignment": ("populate_rounds_out", "check_pfn_span"),
    "altmap-exhausted": (*_WHOLE, "pfn_pads_against_regions"),
    "altmap-invalid": ("subsection_hotplug", "memremap_compat_align"),
    "compat-align": _ALIGN,
    "namespace-alignment": _ALIGN,
    "info-block-alignment": _ALIGN,
    "info-block-capacity": _SECTIONS,
    "zone-device-config": ("zone_device",),
    "linear-region": ("arm64_checks_linear_region", "mhp_range_allowed"),
    "boot-map-rounding": ("subsection_hotplug",),
    "addressable-range": (
        "kaslr_keeps_direct_map_whole", "physmem_end_limits_hotplug", "mhp_range_allowed", "hotplug_addressable_check",
        "hotplug_beyond_physmem_unchecked",
    ),
    "block-alignment": ("SECTION_SIZE", "block_size_rule", "block_aligned_hotplug"),
    "section-padding": _SECTIONS,
    "section-taint": ("section_taint_zone_device", "pfn_to_online_page_checks_subsection"),
    "mixed-section-online-page": ("device_page_counts_as_online", "pfn_to_online_page_checks_subsection"),
    "memory-holes": ("offline_refuses_holes", "offline_needs_full_block"),
    "kmem-alignment": _BLOCKS,
    "region-align": ("region_align_attribute", "size_granularity"),
    "zone-device": ("zone_device",),
    "kmem-unavailable": ("kmem",),
    "uninitialised-hole": ("uninitialised_holes_in_last_section",),
    "section-word-not-memmap": ("section_word_encodes_kaddr",),
    "stale-section-word": ("removed_section_word_stale",),
    "devices-share-section": ("subsection_hotplug", "section_teardown_breaks_shared_pmd", "eexist_is_success"),
    "ram-beside-device": ("subsection_hotplug", "pfn_pads_to_sections"),
    "info-block-altmap-in-ram": ("subsection_hotplug", "altmap_backing"),
    "dimm-misaligned": ("SECTION_SIZE", "block_size_rule"),
    "kmem-stranded": _BLOCKS,
    "block-partly-ram": ("offline_refuses_holes",),
    "uninitialised-device-pages": ("compound_init_ignores_boot_memmap",),
}  # fmt: skip
"""Rules and findings -> the features that may be behind a change in them: the first that differs is."""
