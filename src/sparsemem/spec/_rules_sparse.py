"""Rules of sections and sub-sections: mm/sparse.c, mm/sparse-vmemmap.c and the core of mm/memory_hotplug.c."""

from __future__ import annotations

from sparsemem.spec._rule import Rule

__all__ = ["RULES"]

_SUBSECTION = 'Linux kernel commit ba72b4c8cf60 ("mm/sparsemem: support sub-section hotplug") (in v5.3)'
_BOOT = (
    'Linux kernel commit f46edbd1b151 ("mm/sparsemem: add helpers track active portions of a section at boot") (in'
    " v5.3)"
)

RULES: tuple[Rule, ...] = (
    Rule(
        "subsection-overlap",
        "a sub-section is activated once",
        "Each section keeps a map with one bit per 2 MiB sub-section. A range can be added only where all its bits are"
        " clear; one bit that is already set refuses the whole part of the range in that section, and the map stays as"
        " it was.",
        ("section_activate", "fill_subsection_map"),
        _SUBSECTION,
        since="5.3",
        errnos=("EEXIST",),
    ),
    Rule(
        "section-exists",
        "a section is added once, and the refusal is swallowed",
        "The section is the smallest unit. Adding one that is already present answers EEXIST, but the caller takes"
        " EEXIST for success: two devices then share one memmap, and removing one takes the memmap from the other.",
        ("__add_section", "sparse_add_one_section", "__add_pages"),
        "mm/memory_hotplug.c and mm/sparse.c before ba72b4c8cf60 (in v5.3)",
        until="5.2",
        errnos=("EEXIST",),
    ),
    Rule(
        "empty-range",
        "a range holds at least one page",
        "An add of no pages touches no sub-section and is refused.",
        ("fill_subsection_map",),
        _SUBSECTION,
        since="5.3",
        errnos=("EINVAL",),
    ),
    Rule(
        "subsection-inactive",
        "only active sub-sections are removed",
        "A removal must find every bit of its range set in the section's map. If one is clear, nothing of that section"
        " is removed; the kernel warns and goes on.",
        ("section_deactivate", "clear_subsection_map"),
        _SUBSECTION,
        since="5.3",
        errnos=("EINVAL",),
    ),
    Rule(
        "vmemmap-alignment",
        "the memmap is populated in whole sub-sections",
        "The page array of a range is built only when start and length are multiples of a sub-section (2 MiB);"
        " otherwise the kernel warns and the add fails as if memory had run out.",
        ("__populate_section_memmap",),
        'Linux kernel commit 6cda72047ea4 ("mm/sparse: only sub-section aligned range would be populated") (in v5.9)',
        since="5.9",
        errnos=("ENOMEM",),
    ),
    Rule(
        "allocation-failure",
        "the kernel had no memory left",
        "Adding memory costs memory: a section's usage map, its page array (1.6 % of what is added, unless an altmap"
        " provides it), resources, device structures. Any of these allocations may fail.",
        ("sparse_index_init", "section_activate", "populate_section_memmap"),
        "mm/sparse.c (read in 5.10, 6.1, 6.12, 7.2)",
        errnos=("ENOMEM",),
    ),
    Rule(
        "altmap-exhausted",
        "the altmap is too small for the page array",
        "Where the page array of a whole section is to come from the device itself, there is no fallback to RAM: when"
        " the reserved area is used up, the add fails.",
        ("vmemmap_populate", "altmap_alloc_block_buf"),
        "mm/sparse-vmemmap.c, arch/x86/mm/init_64.c (read in 5.10, 6.1, 6.12, 7.2)",
        errnos=("ENOMEM",),
    ),
    Rule(
        "early-section-memmap",
        "a boot section keeps its whole memmap",
        "A section that held RAM at boot has a page array for its whole span. A device range added later inside it"
        " reuses that array: nothing is allocated, an altmap is not used, and removing the range frees nothing.",
        ("section_activate", "section_deactivate"),
        'Linux kernel commit ef69bc9f689d ("mm/sparse: never partially remove memmap for early section") (in v5.9);'
        " adding: ba72b4c8cf60 (in v5.3)",
        since="5.3",
    ),
    Rule(
        "early-section-valid",
        "pfn_valid() is true for all of a boot section",
        "For a section with boot memory pfn_valid() answers 1 for every page of the section, holes included, whatever"
        " the sub-section map says. In other sections it asks the map.",
        ("pfn_valid", "pfn_section_valid"),
        _BOOT,
        since="5.3",
    ),
    Rule(
        "boot-map-rounding",
        "boot memory fills its sub-sections outward",
        "At boot a sub-section that holds a single page of RAM is marked active as a whole. The rest of those 2 MiB can"
        " not be given to a device later, although no resource lies there.",
        ("subsection_map_init", "free_area_init"),
        _BOOT,
        since="5.3",
    ),
    Rule(
        "pfn-span-alignment",
        "device memory comes and goes in whole sub-sections",
        "Start and number of pages of an add or remove must both be multiples of a sub-section (2 MiB; a section"
        " without SPARSEMEM_VMEMMAP). A misaligned add is refused; a misaligned remove only warns and removes nothing.",
        ("check_pfn_span", "__add_pages", "__remove_pages"),
        "mm/memory_hotplug.c, prepared for ba72b4c8cf60 (in v5.3)",
        since="5.3",
        errnos=("EINVAL",),
    ),
    Rule(
        "section-span-alignment",
        "memory is removed in whole sections",
        "A removal that does not start at a section and cover whole sections crashes the kernel (BUG_ON).",
        ("__remove_pages",),
        "mm/memory_hotplug.c before ba72b4c8cf60 (in v5.3)",
        until="5.2",
    ),
    Rule(
        "addressable-range",
        "memory lies below the architecture's address limit",
        "A range that is added must lie below the highest address the kernel can keep a section for (MAX_PHYSMEM_BITS;"
        " with KASLR on x86-64 the end of the randomised direct map), and within what the direct map can hold when the"
        " pages are to be mapped.",
        ("mhp_range_allowed", "check_hotplug_memory_addressable", "add_pages"),
        "mm/memory_hotplug.c (read in 5.10, 6.1, 6.12, 7.2)",
        since="5.4",
        errnos=("E2BIG", "EINVAL", "ERANGE"),
    ),
    Rule(
        "altmap-invalid",
        "an altmap starts where its range starts",
        "The altmap says which device pages hold the page array. Its base must be the first page of the range that is"
        " added, and the reserved and free pages together must fit in the range.",
        ("__add_pages",),
        "mm/memory_hotplug.c (read in 5.10, 6.1, 6.12, 7.2)",
        errnos=("EINVAL",),
    ),
    Rule(
        "pgprot-missing",
        "an add names its page protection",
        "A caller inside the kernel passed no page protection: a driver bug.",
        ("__add_pages",),
        "mm/memory_hotplug.c (read in 5.10, 6.1, 6.12, 7.2)",
        since="5.7",
        errnos=("EINVAL",),
    ),
    Rule(
        "physmem-limit",
        "boot memory above the sparsemem limit is cut off",
        "Boot memory beyond the highest section number is dropped with a warning.",
        ("mminit_validate_memmodel_limits", "memory_present"),
        "mm/sparse.c (read in 5.10, 6.1, 6.12, 7.2)",
    ),
    Rule(
        "section-taint",
        "a section shared with device memory is marked",
        "When device memory starts or ends inside a section, that section carries SECTION_TAINT_ZONE_DEVICE:"
        " pfn_to_online_page() then looks up the device map before it calls a page online. The mark stays until the"
        " section's last sub-section is removed.",
        ("move_pfn_range_to_zone", "pfn_to_online_page"),
        'Linux kernel commit 1f90a3477df3 ("mm: teach pfn_to_online_page() about ZONE_DEVICE section collisions") (in'
        " v5.12)",
        since="5.12",
    ),
    Rule(
        "mixed-section-online-page",
        "device pages in a RAM section look online",
        "pfn_to_online_page() asks only whether the section is online. Device pages that share a section with RAM are"
        " taken for system RAM: soft offlining, compaction or page walks may touch them.",
        ("pfn_to_online_page",),
        'fixed by Linux kernel commit 1f90a3477df3 ("mm: teach pfn_to_online_page() about ZONE_DEVICE section'
        ' collisions") (in v5.12)',
        since="5.3",
        until="5.11",
    ),
    Rule(
        "zone-device-span",
        "the span of ZONE_DEVICE only grows",
        "Removing device memory leaves the spans of ZONE_DEVICE and of its node as they were. A node that ever held"
        " device memory is never taken offline.",
        ("remove_pfn_range_from_zone", "try_offline_node"),
        'Linux kernel commit feee6b298916 ("mm/memory_hotplug: shrink zones when offlining memory") (in v5.5)',
        since="5.5",
    ),
)
