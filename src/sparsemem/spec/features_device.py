"""Features of drivers/nvdimm and drivers/dax that decide which ranges reach mm/."""

from __future__ import annotations

from dataclasses import dataclass

from sparsemem.spec.features_memremap import MemremapFeatures
from sparsemem.spec.record import Era, choice, since, until

__all__ = ["DeviceFeatures"]

_NO_PADDING_COMMIT = ("5.3", "a3619190d62e", "libnvdimm/pfn: stop padding pmem namespaces to section alignment")
_NO_PADDING = Era(True, *_NO_PADDING_COMMIT)


@dataclass(frozen=True, slots=True, kw_only=True, init=False, repr=False, eq=False)  # cheap: Features makes them
class DeviceFeatures(MemremapFeatures):
    """libnvdimm info blocks and alignment; device-dax; dax_kmem."""

    # -- drivers/nvdimm
    pfn_pads_to_sections: bool = until(
        *_NO_PADDING_COMMIT,
        note="A new fsdax or devdax namespace is padded at both ends so that it shares no section with RAM or its "
        "neighbours.",
    )
    pfn_section_pad_message: str = choice(
        Era("%s alignment collision, truncate %d bytes"), Era("", *_NO_PADDING_COMMIT),
        note="The info line about that padding.",
    )  # fmt: skip
    info_block_minor: int = choice(
        Era(2), Era(3, "5.3", "7e3e888dfc13", "libnvdimm/pfn: fix fsdax-mode namespace info-block zero-fields",
            {"4.19": "4.19.304"}),
        Era(4, "5.4", "edbb52c24441", "libnvdimm/pfn_dev: Add page size and struct page size to pfn superblock"),
        note="The minor version of the info block that this kernel writes.",
    )  # fmt: skip
    dax_label_reserve: bool = until(
        "5.1", "f101ada7da65", "libnvdimm/pfn: Account for PAGE_SIZE > info-block-size in nd_pfn_init()",
        backports={"4.19": "4.19.37"},
        note="A new devdax namespace reserves 128 KiB more for a label area (seen in 5.0.1, gone in 5.2.1).",
    )  # fmt: skip
    namespace_end_not_truncated: bool = until(
        "5.3-rc8", "274b924088e9", "libnvdimm/pfn: Fix namespace creation on misaligned addresses", first=_NO_PADDING,
        bug=1,
        note="A namespace whose end misses the alignment keeps it, and cannot be enabled (-ENXIO).",
    )  # fmt: skip
    namespace_below_compat_align: bool = until(
        "5.7", "6acd7d5ef264", "libnvdimm/namespace: Enforce memremap_compat_align()", first=_NO_PADDING,
        arches=("ppc64",), bug=16,
        note="A namespace aligned to less than the direct map's pages is mapped all the same: an oops in "
        "arch_add_memory().",
    )  # fmt: skip
    zero_sized_namespace: bool = until(
        "6.6", "e96d9a938e89", "nvdimm/pfn_dev: Prevent the creation of zero-sized namespaces", bug=18,
        note="A namespace that its own metadata fills up is created with size 0.",
    )  # fmt: skip
    raw_fallback_on_bad_info_block: bool = until(
        "5.7", "b2ba7e91fa81", "libnvdimm/pfn: Prevent raw mode fallback if pfn-infoblock valid", bug=32,
        note="A namespace whose valid info block this kernel cannot use comes up raw, its metadata open to being "
        "overwritten.",
    )  # fmt: skip
    region_align_attribute: bool = since(
        "5.7", "2522afb86a8c", "libnvdimm/region: Introduce an 'align' attribute",
        note="A region has an align file (16 MiB by default) that namespace sizes must follow.",
    )  # fmt: skip
    region_align_too_big_for_small_regions: bool = until(
        "5.18", "d9d290d7e659", "nvdimm/region: Fix default alignment for small regions",
        first=Era(True, "5.7", "2522afb86a8c", "libnvdimm/region: Introduce an 'align' attribute"), bug=17,
        backports={"5.10": "5.10.110", "5.15": "5.15.33", "5.16": "5.16.19", "5.17": "5.17.2"},
        note="In a region below 16 MiB no namespace can be made.",
    )  # fmt: skip
    size_granularity: str = choice(
        Era("4K"),
        Era("page", "5.4", "5b26db95fee3", "libnvdimm: Use PAGE_SIZE instead of SZ_4K for align check"),
        Era("region align", "5.7", "2522afb86a8c", "libnvdimm/region: Introduce an 'align' attribute"),
        note="What the size of a labelled namespace must be a multiple of (times the interleave ways).",
    )  # fmt: skip
    struct_page_size_checked: bool = since(
        "6.2", "c91d71363084", "nvdimm: Support sizeof(struct page) > MAX_STRUCT_PAGE_SIZE",
        note="A build whose struct page is above 64 bytes does not make map=dev namespaces (-EINVAL).",
        backports={"6.1": "6.1.12"},
    )  # fmt: skip

    # -- drivers/dax
    dax_multi_range: bool = since(
        "5.10", "60e93dc097f7", "device-dax: add dis-contiguous resource support",
        note="A dax device may have several ranges, and can be created and resized.",
    )  # fmt: skip
    dax_region_conflicts: bool = since(
        "7.1", "34f80bb969cc", "dax: Track all dax_region allocations under a global resource tree",
        note="Overlapping dax regions are refused.",
    )  # fmt: skip
    dax_region_conflict_logged: bool = since(
        "7.2", "cd1a8d788763", "dax/bus: Upgrade resource conflict message to dev_err() in alloc_dax_region()",
        note="That refusal is logged as an error; before, at level debug.",
    )  # fmt: skip
    kmem: bool = since("5.1", "c221c0b0308f", 'device-dax: "Hotplug" persistent memory for use like normal RAM',
                       note="dax_kmem exists: device-dax memory can become System RAM.")  # fmt: skip
    kmem_removes: bool = since(
        "5.3", "9f960da72b25", "device-dax: \"Hotremove\" persistent memory that is used like normal RAM",
        note="dax_kmem can give the memory back; before, unbinding was refused.",
    )  # fmt: skip
    kmem_rejects_nothing_left: bool = since(
        "5.15", "eedf634aac3b", "dax/kmem: use a single static memory group for a single probed unit",
        note="A device without one whole memory block is refused (-EINVAL); before, its probe succeeded with "
        "nothing added.",
    )  # fmt: skip
    kmem_truncation_logged: bool = since(
        "6.16", "3592a86a2b6b", "DAX: warn when kmem regions are truncated for memory block alignment",
        note="Capacity lost to rounding is logged.",
    )  # fmt: skip
    kmem_memmap_on_memory: bool = since(
        "6.8", "4eca0ef49af9", "dax/kmem: allow kmem to add memory with memmap_on_memory",
        note="A dax device says whether kmem may put the memmap on its memory; that of a CXL region says yes.",
    )  # fmt: skip
    dax_memmap_on_memory_attribute: bool = since(
        "6.9", "73954d379efd", "dax: add a sysfs knob to control memmap_on_memory behavior",
        note="A dax device has a memmap_on_memory file.",
    )  # fmt: skip
    kmem_partial_removal_fails: bool = until(
        "7.2", "8aa442cfce79", "dax/kmem: account for partial discontiguous resource upon removal",
        first=Era(True, "5.10", "60e93dc097f7", "device-dax: add dis-contiguous resource support"), bug=29,
        backports={"6.1": "6.1.178", "6.12": "6.12.97"},
        note="A device of which one range was skipped when it was added cannot be removed cleanly.",
    )  # fmt: skip
