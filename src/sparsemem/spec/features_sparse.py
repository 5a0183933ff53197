"""Features of mm/sparse.c, mm/sparse-vmemmap.c, include/linux/mmzone.h and the vmemmap code of the architectures.

Releases and stable backports were read from the sources of 46 releases from 4.19 to 7.3 (tests/spec/observed.txt) and
from the change logs of the stable releases.
"""

from __future__ import annotations

from dataclasses import dataclass

from sparsemem.spec.record import Era, choice, since, until

__all__ = ["SUBSECTION_COMMIT", "SparseFeatures"]

SUBSECTION_COMMIT = ("5.3", "ba72b4c8cf60", "mm/sparsemem: support sub-section hotplug")
SUBSECTION_HOTPLUG = Era(True, *SUBSECTION_COMMIT)
_RESET_COMMIT = ("5.6", "1f503443e7df", "mm/sparse.c: reset section's mem_map when fully deactivated")
_RESET_STABLE = {"5.4": "5.4.19", "5.5": "5.5.3"}
_HOT_REMOVE_COMMIT = ("5.6-rc7", "d41e2f3bd546", "mm/hotplug: fix hot remove failure in SPARSEMEM|!VMEMMAP case")
_HOT_REMOVE_STABLE = {"5.4": "5.4.28", "5.5": "5.5.12"}
_RCU_COMMIT = ("6.8", "5ec8e8ea8b77", "mm/sparsemem: fix race in accessing memory_section->usage")
_RCU_STABLE = {"5.10": "5.10.210", "5.15": "5.15.149", "6.1": "6.1.76", "6.6": "6.6.15", "6.7": "6.7.3"}


@dataclass(frozen=True, slots=True, kw_only=True, init=False, repr=False, eq=False)  # cheap: Features makes them
class SparseFeatures:
    """The section word, its usage map, activation and deactivation, ``pfn_valid()`` and the vmemmap behind it."""

    # -- the sub-section series
    subsection_hotplug: bool = since(
        *SUBSECTION_COMMIT,
        note="Sections have a sub-section map, and device memory is added and removed in 2 MiB sub-sections.",
    )
    section_is_early: bool = since(
        "5.3", "326e1b8f83a4", "mm/sparsemem: introduce a SECTION_IS_EARLY flag",
        note="Sections present at boot carry SECTION_IS_EARLY, and pfn_valid() answers for their whole span.",
    )  # fmt: skip
    eexist_is_success: bool = until(
        *SUBSECTION_COMMIT, bug=30,
        note="__add_pages() takes -EEXIST of a section for success, so that two ranges in one section share a memmap.",
    )  # fmt: skip
    sparse_index_init_eexist_is_zero: bool = since(
        *SUBSECTION_COMMIT, note="sparse_index_init() returns 0 for an existing root; before, -EEXIST."
    )
    usage_map_only_vmemmap: bool = since(
        "5.7", "0a9f9f623172", "mm/sparse.c: only use subsection map in VMEMMAP case",
        note="Only SPARSEMEM_VMEMMAP kernels keep a sub-section map.",
    )  # fmt: skip

    # -- the section word
    section_taint_zone_device: bool = since(
        "5.12", "1f90a3477df3", "mm: teach pfn_to_online_page() about ZONE_DEVICE section collisions",
        note="A section that holds both RAM and device pages carries SECTION_TAINT_ZONE_DEVICE.",
    )  # fmt: skip
    section_vmemmap_preinit: bool = since(
        "6.15", "d65917c42373", "mm/sparse: allow for alternate vmemmap section init at boot",
        note="SECTION_IS_VMEMMAP_PREINIT exists (bit 5 of the section word, in builds with SPARSEMEM_VMEMMAP_PREINIT).",
    )  # fmt: skip
    section_map_last_bit: int = choice(
        Era(3),
        Era(4, "5.3", "326e1b8f83a4", "mm/sparsemem: introduce a SECTION_IS_EARLY flag"),
        Era(5, "5.12", "1f90a3477df3", "mm: teach pfn_to_online_page() about ZONE_DEVICE section collisions"),
        Era(6, "6.15", "d65917c42373", "mm/sparse: allow for alternate vmemmap section init at boot"),
        note="The flags of the section word lie below this bit; the encoded memmap is in the bits above.",
    )  # fmt: skip
    section_word_encodes_kaddr: bool = until(
        "5.7", "", "mm/sparsemem: get address to page struct instead of address to pfn",
        first=SUBSECTION_HOTPLUG, bug=6,
        note="An add that does not start at the section start stores the address of memory, not of the memmap.",
    )  # fmt: skip
    removed_section_word_stale: bool = until(
        *_RESET_COMMIT, first=SUBSECTION_HOTPLUG, backports=_RESET_STABLE, bug=2,
        note="A fully removed section keeps an encoded NULL memmap in its word instead of 0, which misleads dump "
        "tools.",
    )  # fmt: skip

    # -- pfn_valid() and its relatives
    pfn_to_online_page_checks_subsection: bool = since(
        "5.12", "9f9b02e5b346", "mm: teach pfn_to_online_page() to consider subsection validity",
        note="pfn_to_online_page() also asks the sub-section map.",
    )  # fmt: skip
    device_page_counts_as_online: bool = until(
        "5.12", "1f90a3477df3", "mm: teach pfn_to_online_page() about ZONE_DEVICE section collisions",
        first=SUBSECTION_HOTPLUG, bug=19,
        note="pfn_to_online_page() takes a device page in a section with online RAM for RAM.",
    )  # fmt: skip
    pfn_valid_checks_upper_bits: bool = since(
        "5.14", "16c9afc77660", "arm64/mm: drop HAVE_ARCH_PFN_VALID",
        note="pfn_valid() refuses a pfn whose upper bits do not survive the way to an address and back.",
    )  # fmt: skip
    arm64_own_pfn_valid: bool = until(
        "5.14", "16c9afc77660", "arm64/mm: drop HAVE_ARCH_PFN_VALID", arches=("arm64",),
        note="arm64's own pfn_valid() also asks memblock whether the address is mapped memory.",
    )  # fmt: skip
    arm64_pfn_valid_false_for_device: bool = until(
        "5.12", "eeb0753ba27b", "arm64/mm: fix pfn_valid() for ZONE_DEVICE based memory", arches=("arm64",),
        backports={"5.4": "5.4.120", "5.10": "5.10.24", "5.11": "5.11.7"},
        note="pfn_valid() is false for every device page, since memblock does not know device memory.",
    )  # fmt: skip
    pfn_walk_iterators: bool = since(
        "6.16", "037926316c9d", "mm: implement for_each_valid_pfn() for CONFIG_SPARSEMEM",
        note="for_each_valid_pfn() with first_valid_pfn() and next_valid_pfn() exists.",
    )  # fmt: skip
    usage_freed_by_rcu: bool = since(
        *_RCU_COMMIT, backports=_RCU_STABLE,
        note="The usage map is freed after a grace period, and readers look at it under RCU.",
    )  # fmt: skip
    usage_freed_under_readers: bool = until(
        *_RCU_COMMIT, first=SUBSECTION_HOTPLUG, backports=_RCU_STABLE, bug=20,
        note="A pfn_valid() that runs while the section is removed follows a usage pointer that is gone "
        "(CVE-2023-52489).",
    )  # fmt: skip
    pfn_section_valid_trusts_usage: bool = until(
        "6.10-rc7", "82f0b6f041fa", "mm: prevent derefencing NULL ptr in pfn_section_valid()", first=SUBSECTION_HOTPLUG,
        backports={"5.10": "5.10.222", "5.15": "5.15.163", "6.1": "6.1.100", "6.6": "6.6.41", "6.9": "6.9.10"}, bug=21,
        note="pfn_section_valid() follows the usage pointer without a test, though a removal may have cleared it "
        "meanwhile.",
    )  # fmt: skip
    uninitialised_holes_in_last_section: bool = until(
        "5.6", "e822969cab48", "mm/page_alloc.c: fix uninitialized memmaps on a partially populated last section",
        backports={"4.19": "4.19.304", "5.4": "5.4.19", "5.5": "5.5.3"}, bug=8,
        note="The memmap of holes in the last boot section is never initialised, though pfn_valid() says yes.",
    )  # fmt: skip

    # -- activation and deactivation
    deactivate_order: str = choice(
        Era("sections"),
        Era("reset first", *SUBSECTION_COMMIT),
        Era("depopulate first", *_HOT_REMOVE_COMMIT, _HOT_REMOVE_STABLE),
        Era("clear HAS_MEM_MAP before the memmap goes", "5.6.0", "b943f045a9af",
            "mm/sparse: fix kernel crash with pfn_section_valid check", {"5.4": "5.4.29", "5.5": "5.5.14"}),
        Era("clear HAS_MEM_MAP before the usage goes", *_RCU_COMMIT, _RCU_STABLE),
        note="When section_deactivate() makes the word invalid.",
    )  # fmt: skip
    hot_remove_fails_without_vmemmap: bool = until(
        *_HOT_REMOVE_COMMIT, first=Era(True, *_RESET_COMMIT, _RESET_STABLE), backports=_HOT_REMOVE_STABLE, bug=3,
        note="Without SPARSEMEM_VMEMMAP, hot-remove finds the memmap through a word that was reset already: a BUG.",
    )  # fmt: skip
    usage_followed_after_free: bool = until(
        "5.6.0", "b943f045a9af", "mm/sparse: fix kernel crash with pfn_section_valid check",
        first=Era(True, *_HOT_REMOVE_COMMIT, _HOT_REMOVE_STABLE),
        backports={"5.4": "5.4.29", "5.5": "5.5.14"}, bug=4,
        note="The section looks valid while its usage map is freed: pfn_valid() in that moment is a NULL dereference.",
    )  # fmt: skip
    boot_usage_freed_twice: bool = until(
        "5.5-rc7", "8068df3b6037", "mm/memory_hotplug: don't free usage map when removing a re-added early section",
        first=SUBSECTION_HOTPLUG, backports={"5.4": "5.4.14"}, bug=7,
        note="A removed boot section that came back is freed as if its usage map were not the boot allocator's.",
    )  # fmt: skip
    partial_early_depopulates_boot_memmap: bool = until(
        "5.9", "ef69bc9f689d", "mm/sparse: never partially remove memmap for early section", first=SUBSECTION_HOTPLUG,
        bug=9, note="Removing one sub-section from a boot section unmaps its part of the boot memmap.",
    )  # fmt: skip
    populate_rounds_out: bool = until(
        "5.9", "6cda72047ea4", "mm/sparse: only sub-section aligned range would be populated", first=SUBSECTION_HOTPLUG,
        bug=10, note="The memmap of a misaligned range is populated for the sub-sections around it instead of refused.",
    )  # fmt: skip
    poison_before_section_init: bool = until(
        "5.6", "18e19f195cd8", "mm/sparsemem: pfn_to_page is not valid yet on SPARSEMEM",
        first=SUBSECTION_HOTPLUG, bug=5,
        backports={"5.4": "5.4.22", "5.5": "5.5.6"},
        note="Without SPARSEMEM_VMEMMAP, hot-add poisons the memmap through a section word that is not set yet: a "
        "crash.",
    )  # fmt: skip
    hwpoison_cleared_on_remove: bool = until(
        "6.2", "5033091de814", "mm/hwpoison: introduce per-memory_block hwpoison counter",
        note="sparse_remove_section() clears poisoned pages from the count, leaving out the altmap of the first "
        "section.",
    )  # fmt: skip
    section_add_skips_poison: bool = until(
        "6.19", "300709fbefd1", "mm/memory_hotplug: Remove MEM_PREPARE_ONLINE/MEM_FINISH_OFFLINE notifiers",
        first=Era(True, "6.9", "c5f1e2d18909", "mm/memory_hotplug: introduce MEM_PREPARE_ONLINE/MEM_FINISH_OFFLINE notifiers"),
        note="The memmap of memory that is not accessible yet (MHP_OFFLINE_INACCESSIBLE, s390) is not poisoned.",
    )  # fmt: skip

    # -- the vmemmap
    altmap_backing: str = choice(
        Era("nothing"),
        Era("whole sections", "4.0", arches=("x86_64",)),
        Era("everything", "4.0", arches=("ppc64",)),
        Era("everything", "5.9", "1d9cfee7535c",
            "mm/sparsemem: enable vmem_altmap support in vmemmap_populate_basepages()", arches=("arm64",)),
        Era("everything", "6.9", "1a65b73ae9ab", "s390/mm: allocate vmemmap pages from self-contained memory range",
            arches=("s390x",)),
        Era("everything", "6.11", "c75a74f4ba19", "riscv: mm: Add memory hotplugging support", arches=("riscv64",)),
        note="Which memmap is taken from the altmap: on x86 that of whole sections; where nothing is, the altmap is "
        "left alone and the memmap is in RAM.",
    )  # fmt: skip
    altmap_falls_back_to_ram: bool = since(
        "4.20", "9ef34630a461", "powerpc/mm: Fallback to RAM if the altmap is unusable", arches=("ppc64",),
        note="Where the altmap has no aligned block left for a page of the vmemmap, RAM holds that part of the memmap.",
    )  # fmt: skip
    vmemmap_never_freed: bool = choice(
        Era(False),
        Era(True, "4.0", arches=("arm64", "loongarch64")),
        Era(False, "5.7", "bbd6ec605c0f", "arm64/mm: Enable memory hot remove", None, ("arm64",)),
        note="Removing memory leaves its vmemmap mapped: vmemmap_free() does nothing.",
    )
    vmemmap_pmd_for_parts: bool = choice(
        Era(False),
        Era(True, "4.0", arches=("arm64",)),
        Era(True, "6.8", "ff172d4818ad", "riscv: Use hugepage mappings for vmemmap", arches=("riscv64",)),
        Era(False, "6.14.0", "d4234d131b0a", "arm64: mm: Populate vmemmap at the page level if not section aligned",
            {"6.1": "6.1.132", "6.6": "6.6.84", "6.12": "6.12.20", "6.13": "6.13.8"}, ("arm64",)),
        note="With 4 KiB pages, the memmap of one sub-section is mapped by a whole PMD, which its neighbours share.",
    )  # fmt: skip
    section_teardown_breaks_shared_pmd: bool = until(
        "6.14.0", "d4234d131b0a", "arm64: mm: Populate vmemmap at the page level if not section aligned",
        first=Era(True, "5.7", "bbd6ec605c0f", "arm64/mm: Enable memory hot remove"), arches=("arm64",), bug=22,
        backports={"6.1": "6.1.132", "6.6": "6.6.84", "6.12": "6.12.20", "6.13": "6.13.8"},
        note="With 4 KiB pages, removing one sub-section tears down the PMD that maps the memmap of its neighbours.",
    )  # fmt: skip
    shared_vmemmap_pmd_tracked: bool = since(
        "5.13", "8d400913c231", "x86/vmemmap: handle unpopulated sub-pmd ranges", arches=("x86_64",),
        note="A PMD of the vmemmap that several ranges share is freed when the last of them goes.",
    )  # fmt: skip
    shared_vmemmap_pmd_leaks: bool = until(
        "5.13", "8d400913c231", "x86/vmemmap: handle unpopulated sub-pmd ranges", arches=("x86_64",), bug=23,
        note="A PMD of the vmemmap that is not filled by whole sections is never freed (struct page not 64 bytes).",
    )  # fmt: skip
    compound_vmemmap_dedup: bool = since(
        "5.19", "4917f55b4ef9", "mm/sparse-vmemmap: improve memory savings for compound devmaps",
        note="Device-dax with large pages and no altmap keeps two pages of memmap for each large page.",
    )  # fmt: skip
    compound_init_ignores_boot_memmap: bool = until(
        "7.2", "cd681403a870", "mm/mm_init: fix uninitialized struct pages for ZONE_DEVICE",
        first=Era(True, "5.19", "6fd3620b3428", "mm/page_alloc: reuse tail struct pages for compound devmaps"), bug=28,
        backports={"6.1": "6.1.184", "6.12": "6.12.97"},
        note="Device-dax in a free sub-section of a boot section re-uses the full boot memmap, most of it "
        "uninitialised.",
    )  # fmt: skip
    vmemmap_accounting_underflow: bool = until(
        "7.2", "721a73e30c9e", "mm/sparse-vmemmap: fix DAX vmemmap accounting with optimization",
        first=Era(True, "6.11", "15995a352474", "mm: report per-page metadata information"), bug=27,
        backports={"6.12": "6.12.101"},
        note="nr_memmap_pages counts a deduplicated memmap as if it were whole, and a failed add below zero.",
    )  # fmt: skip
    ppc64_altmap_crosses_namespace: bool = until(
        "5.4", "cf387d9644d8", "libnvdimm/altmap: Track namespace boundaries in altmap", arches=("ppc64",), bug=15,
        note="A vmemmap page may be taken from beyond the end of the namespace.",
    )  # fmt: skip
    ppc64_altmap_boundary_off: bool = until(
        "6.5", "6722b2571205", "powerpc/mm/altmap: Fix altmap boundary check", arches=("ppc64",), bug=24,
        first=Era(True, "4.20", "9ef34630a461", "powerpc/mm: Fallback to RAM if the altmap is unusable"),
        backports={"5.4": "5.4.286", "5.10": "5.10.190", "5.15": "5.15.126", "6.1": "6.1.45", "6.4": "6.4.10"},
        note="The test whether a freed vmemmap page is the altmap's counts what is allocated twice: a page behind the altmap "
        "passes for one of it, and later hotplug can fail.",
    )  # fmt: skip
