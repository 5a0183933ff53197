"""Features of mm/sparse.c, mm/sparse-vmemmap.c and the vmemmap code of the architectures."""

from __future__ import annotations

from dataclasses import dataclass

from sparsemem.spec.record import Era, choice, since, until

__all__ = ["SparseFeatures"]

_SUB = ("5.3", "ba72b4c8cf60", "mm/sparsemem: support sub-section hotplug")


@dataclass(frozen=True, slots=True, kw_only=True)
class SparseFeatures:
    """The section word, its usage map, activation and deactivation, ``pfn_valid()`` and the vmemmap behind it."""

    subsection_hotplug: bool = since(
        *_SUB, note="Sections have a sub-section map, and device memory is added and removed in 2 MiB sub-sections."
    )
    section_is_early: bool = since(
        "5.3", "326e1b8f83a4", "mm/sparsemem: introduce a SECTION_IS_EARLY flag",
        note="Sections present at boot carry SECTION_IS_EARLY, and pfn_valid() answers for their whole span.",
    )  # fmt: skip
    eexist_is_success: bool = until(
        *_SUB, bug=30,
        note="__add_pages() takes -EEXIST of a section for success, so that two ranges in one section share a memmap.",
    )  # fmt: skip
    removed_section_word_stale: bool = until(
        "5.6", "1f503443e7df", "mm/sparse.c: reset section's mem_map when fully deactivated", first=_SUB, bug=2,
        backports={"5.4": "5.4.18", "5.5": "5.5.2"},
        note="A fully removed section keeps an encoded NULL memmap in its word instead of 0, which misleads dump tools.",
    )  # fmt: skip
    boot_usage_freed_twice: bool = until(
        "5.5", "8068df3b6037", "mm/memory_hotplug: don't free usage map when removing a re-added early section",
        first=_SUB, bug=7, backports={"5.4": "5.4.14"},
        note="Ownership of the usage map follows SECTION_IS_EARLY, so removing a re-added boot section frees memory of the boot allocator.",
    )  # fmt: skip
    partial_early_depopulates_boot_memmap: bool = until(
        "5.9", "ef69bc9f689d", "mm/sparse: never partially remove memmap for early section", first=_SUB, bug=9,
        note="Removing one sub-section from a boot section unmaps its part of the boot memmap.",
    )  # fmt: skip
    populate_rounds_out: bool = until(
        "5.9", "6cda72047ea4", "mm/sparse: only sub-section aligned range would be populated", first=_SUB, bug=10,
        note="__populate_section_memmap() rounds its range out to sub-sections instead of refusing a misaligned one.",
    )  # fmt: skip
    section_word_encodes_kaddr: bool = until(
        "5.7", "", "mm/sparsemem: get address to page struct instead of address to pfn", first=_SUB, bug=6,
        note="An add that does not start at the section start stores the address of memory instead of the address of the memmap.",
    )  # fmt: skip
    section_taint_zone_device: bool = since(
        "5.12", "1f90a3477df3", "mm: teach pfn_to_online_page() about ZONE_DEVICE section collisions",
        note="A section that holds both RAM and device pages carries SECTION_TAINT_ZONE_DEVICE.",
    )  # fmt: skip
    section_vmemmap_preinit: bool = since("6.15", note="SECTION_IS_VMEMMAP_PREINIT exists (bit 5 of the section word).")
    pfn_to_online_page_checks_subsection: bool = since(
        "5.12", "9f9b02e5b346", "mm: teach pfn_to_online_page() to consider subsection validity",
        note="pfn_to_online_page() also asks the sub-section map.", bug=19,
    )  # fmt: skip
    pfn_valid_checks_upper_bits: bool = since("5.14", note="pfn_valid() refuses a pfn whose upper bits do not survive the way to an address.")
    usage_freed_by_rcu: bool = since(
        "6.8", "5ec8e8ea8b77", "mm/sparsemem: fix race in accessing memory_section->usage", bug=20,
        backports={"5.10": "5.10.210", "5.15": "5.15.149", "6.1": "6.1.76", "6.6": "6.6.15", "6.7": "6.7.3"},
        note="The usage map is freed after a grace period, and readers look at it under RCU.",
    )  # fmt: skip
    pfn_walk_iterators: bool = since("6.16", note="for_each_valid_pfn() with first_valid_pfn() and next_valid_pfn() exists.")
    uninitialised_holes_in_last_section: bool = until(
        "5.6", "e822969cab48", "mm/page_alloc.c: fix uninitialized memmaps on a partially populated last section", bug=8,
        note="The memmap of holes in the last boot section is never initialised, though pfn_valid() says yes.",
    )  # fmt: skip
    section_teardown_breaks_shared_pmd: bool = until(
        "6.15", "d4234d131b0a", "arm64: mm: Populate vmemmap at the page level if not section aligned", first=_SUB,
        arches=("arm64",), bug=22,
        note="With 4 KiB pages, removing one sub-section tears down the PMD that maps the memmap of its neighbours.",
    )  # fmt: skip
    altmap_backs_base_pages: bool = since(
        "4.0", arches=("arm64", "ppc64", "riscv64", "loongarch64"),
        note="The memmap of less than a section may come from the altmap; on x86 only a whole PMD of memmap does.",
    )  # fmt: skip
    sparse_index_init_eexist_is_zero: bool = since(*_SUB, note="sparse_index_init() returns 0 for an existing root; before, -EEXIST.")
    usage_map_only_vmemmap: bool = since(
        "5.7", "0a9f9f623172", "mm/sparse.c: add note about only VMEMMAP supporting sub-section hotplug",
        note="Only SPARSEMEM_VMEMMAP kernels keep a sub-section map.",
    )  # fmt: skip
    deactivate_order: str = choice(
        Era("sections"), Era("reset first", *_SUB),
        Era("clear HAS_MEM_MAP first", "5.6", "b943f045a9af", "mm/sparse: fix kernel crash with pfn_section_valid check"),
        note="When section_deactivate() makes the word invalid: with the reset, or before the usage map goes away.",
    )  # fmt: skip
    shared_vmemmap_pmd_tracked: bool = since(
        "5.13", "8d400913c231", "x86/vmemmap: handle unpopulated sub-pmd ranges", arches=("x86_64",), bug=23,
        note="A PMD of the vmemmap that several ranges share is freed when the last of them goes.",
    )  # fmt: skip
