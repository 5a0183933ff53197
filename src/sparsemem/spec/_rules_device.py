"""Rules of device memory: mm/memremap.c, drivers/nvdimm, drivers/dax, and the regions they stand on."""

from __future__ import annotations

from sparsemem.spec._rule import Rule

__all__ = ["RULES"]

_READ = "(read in 5.10, 6.1, 6.12, 7.2)"
_COMPAT = 'Linux kernel commit 9ffc1d19fc4a ("mm/memremap_pages: Introduce memremap_compat_align()") (in v5.7)'
_UNPADDED = (
    'Linux kernel commit a3619190d62e ("libnvdimm/pfn: stop padding pmem namespaces to section alignment") (in v5.3)'
)

RULES: tuple[Rule, ...] = (
    Rule(
        "nr-range",
        "a device map has at least one range",
        "The driver passed a map without ranges: a driver bug.",
        ("memremap_pages",),
        f"mm/memremap.c {_READ}",
        since="5.10",
        errnos=("EINVAL",),
    ),
    Rule(
        "pgmap-type",
        "a device map has a type and what that type needs",
        "Private memory needs a migration and a free method and an owner; coherent memory a free method and an owner;"
        " fsdax a kernel with FS_DAX.",
        ("memremap_pages",),
        f"mm/memremap.c {_READ}",
        errnos=("EINVAL",),
    ),
    Rule(
        "pgmap-teardown",
        "a caller's reference count comes with its teardown",
        "A map with a reference count of its own must say how to kill it and how to clean up: otherwise a driver bug.",
        ("memremap_pages", "devm_memremap_pages"),
        "mm/memremap.c (read in 5.10)",
        until="5.16",
        errnos=("EINVAL",),
    ),
    Rule(
        "folio-size",
        "a device map's folios have a supported size",
        "The map asks for folios larger than this kernel supports.",
        ("memremap_pages",),
        "mm/memremap.c (read in 7.2)",
        errnos=("EINVAL",),
    ),
    Rule(
        "conflicting-mapping",
        "a device page belongs to one map",
        "The first and the last page of a new device map must not belong to a live map. (Up to 5.2 those are the pages"
        " at the ends of the range widened to whole sections, so a neighbour in the same section conflicts too.)",
        ("pagemap_range", "devm_memremap_pages"),
        f"mm/memremap.c {_READ}; kernel/memremap.c before",
        errnos=("ENOMEM",),
    ),
    Rule(
        "mixed-region",
        "a device map holds no System RAM beside other resources",
        "A range that is to be mapped as device memory must not overlap System RAM. Up to 5.2 the range is first"
        " widened to whole sections, so RAM that only shares the section refuses it; from 5.3 the range counts as it"
        " is. MIXED means: RAM and something else in the range.",
        ("pagemap_range", "devm_memremap_pages", "region_intersects"),
        "mm/memremap.c (read in 5.10, 6.1, 6.12, 7.2), kernel/memremap.c (read before v5.3); the exact range came with"
        " the sub-section series (in v5.3)",
        errnos=("ENXIO",),
    ),
    Rule(
        "ram-region",
        "System RAM is not mapped as device memory",
        "The whole range is System RAM already. Up to 4.20 the kernel then pretended success and handed out the RAM.",
        ("pagemap_range", "devm_memremap_pages", "region_intersects"),
        f"mm/memremap.c {_READ}",
        errnos=("ENXIO",),
    ),
    Rule(
        "not-mapped",
        "only a live device map is torn down",
        "The ranges that are to be unmapped belong to no device map. A driver does not get that far: this is how the"
        " model answers a step that cannot happen.",
        ("memunmap_pages",),
        f"mm/memremap.c {_READ}",
        errnos=("EINVAL",),
    ),
    Rule(
        "altmap-multiple-ranges",
        "an altmap goes with one range",
        "A map of several ranges can not keep its page array in the device.",
        ("pagemap_range",),
        f"mm/memremap.c {_READ}",
        since="5.10",
        errnos=("EINVAL",),
    ),
    Rule(
        "altmap-leak",
        "the page array in the device is given back",
        "When a map is torn down, every page taken from the altmap must have been returned.",
        ("memunmap_pages", "devm_memremap_pages_release"),
        f"mm/memremap.c {_READ}",
    ),
    Rule(
        "compat-align",
        "device memory starts and ends at the smallest mappable unit",
        "memremap_compat_align(): 2 MiB, and 16 MiB on ppc64 with the hash MMU. Namespaces, info blocks and device-dax"
        " allocations are held to it.",
        ("memremap_compat_align",),
        _COMPAT,
        since="5.7",
        errnos=("EINVAL", "EOPNOTSUPP"),
    ),
    Rule(
        "device-resource-busy",
        "a device's range is free in /proc/iomem",
        "A driver reserves its range before it maps it. Something else holds the range, or part of it: another driver,"
        " memory that is still online, or a firmware entry that calls it RAM.",
        ("pmem_attach_disk", "dax_pmem", "dev_dax_kmem_probe", "__request_region"),
        f"drivers/nvdimm/pmem.c, drivers/dax {_READ}",
        errnos=("EBUSY",),
    ),
    Rule(
        "region-mapping-alignment",
        "a region's DIMM ranges are page aligned",
        "Start and size of every DIMM range that the firmware puts into a region must be multiples of a page.",
        ("nd_region_create",),
        f"drivers/nvdimm/region_devs.c {_READ}",
        errnos=("EINVAL",),
    ),
    Rule(
        "region-align",
        "namespace sizes are multiples of the region's align",
        "regionX/align is 16 MiB, times the number of interleaved DIMMs where that number does not divide it (3 DIMMs:"
        " 48 MiB, 6: 96 MiB); a page for regions below 16 MiB. A namespace size that is no multiple is refused. Before"
        " 5.7 the unit is a page times the DIMMs.",
        ("__size_store", "default_align", "align_store"),
        f"drivers/nvdimm/namespace_devs.c, region_devs.c {_READ}",
        since="5.7",
        errnos=("EINVAL",),
    ),
    Rule(
        "interleave-size",
        "a namespace divides evenly over its DIMMs",
        "ndctl rounds to alignment times interleave ways, and refuses a size that is no multiple.",
        ("validate_namespace_options",),
        "ndctl/namespace.c",
        errnos=("EINVAL",),
    ),
    Rule(
        "namespace-space",
        "a namespace needs free space in one piece",
        "Free space of a region may be split; a labelled namespace is one extent on each DIMM.",
        ("__size_store", "scan_allocate"),
        f"drivers/nvdimm/namespace_devs.c {_READ}",
        errnos=("ENOSPC", "ENXIO", "EINVAL"),
    ),
    Rule(
        "namespace-alignment",
        "a namespace that is to be mapped starts and ends aligned",
        "A raw namespace that needs page structures must start and end at a multiple of memremap_compat_align() (2 MiB;"
        " ppc64 hash 16 MiB).",
        ("nvdimm_namespace_common_probe",),
        f"drivers/nvdimm/claim.c, namespace_devs.c {_READ}; {_COMPAT}",
        since="5.7",
        errnos=("EOPNOTSUPP",),
    ),
    Rule(
        "namespace-size",
        "a namespace has a minimum size",
        "4 MiB in 4.x kernels, later one page; what is left after the metadata must not be empty.",
        ("nvdimm_namespace_common_probe",),
        f"drivers/nvdimm/namespace_devs.c {_READ}",
        errnos=("ENODEV", "EINVAL"),
    ),
    Rule(
        "namespace-busy",
        "a namespace in use does not change",
        "Size, uuid or alignment change only while no driver is bound and nothing claims it.",
        ("size_store", "uuid_store", "align_store"),
        f"drivers/nvdimm/namespace_devs.c {_READ}",
        errnos=("EBUSY",),
    ),
    Rule(
        "section-padding",
        "namespaces are padded to sections",
        "A namespace that shares its first or last 128 MiB section with RAM or another region is cut at the section"
        " (start_pad, end_trunc). What is cut is lost, and a start_pad turns DAX off silently.",
        ("trim_pfn_device", "nd_pfn_init"),
        f"drivers/nvdimm/pfn_devs.c before a3619190d62e; ended by {_UNPADDED}",
        until="5.2",
    ),
    Rule(
        "info-block-alignment",
        "an info block's data starts aligned",
        "The data behind the metadata must start at a multiple of the namespace's align, and the mapped range must"
        " start and end at memremap_compat_align().",
        ("nd_pfn_validate",),
        f"drivers/nvdimm/pfn_devs.c {_READ}",
        errnos=("EOPNOTSUPP", "ENXIO"),
    ),
    Rule(
        "info-block-capacity",
        "an info block fits its namespace",
        "Metadata and page array must leave room for data: a namespace of 1 GiB with 1 GiB alignment has none.",
        ("nd_pfn_validate", "nd_pfn_init"),
        f"drivers/nvdimm/pfn_devs.c {_READ}",
        errnos=("ENXIO", "EOPNOTSUPP", "EBUSY"),
    ),
    Rule(
        "info-block-page-size",
        "an info block fits this kernel's pages",
        "The page array in the device was laid out for another page size or a smaller struct page.",
        ("nd_pfn_validate",),
        'Linux kernel commit edbb52c24441 ("libnvdimm/pfn_dev: Add page size and struct page size to pfn superblock")'
        " (in v5.4)",
        since="5.4",
        errnos=("EOPNOTSUPP",),
    ),
    Rule(
        "info-block-settings",
        "an info block matches what is asked",
        "Mode or alignment of the existing info block differ from the request.",
        ("nd_pfn_validate",),
        f"drivers/nvdimm/pfn_devs.c {_READ}",
        errnos=("EOPNOTSUPP", "EINVAL"),
    ),
    Rule(
        "supported-alignment",
        "an alignment is one the CPU can map",
        "Page size, 2 MiB with transparent huge pages, 1 GiB with huge PUDs (x86-64).",
        ("nd_pfn_validate", "align_store"),
        f"drivers/nvdimm/pfn_devs.c {_READ}",
        errnos=("EINVAL", "EOPNOTSUPP", "ENOMEM"),
    ),
    Rule(
        "page-map-debug",
        "debug options that enlarge struct page break page maps in pmem",
        "If struct page is larger than 64 bytes, the reserved area would not hold the page array.",
        ("nd_pfn_init",),
        "drivers/nvdimm/pfn_devs.c (read in 6.1, 6.12, 7.2)",
        errnos=("EINVAL",),
    ),
    Rule(
        "dax-region-conflict",
        "a dax region has one owner",
        "Another dax region already covers these addresses.",
        ("alloc_dax_region",),
        "drivers/dax/bus.c (read in 6.12, 7.2)",
        errnos=("ENOMEM",),
    ),
    Rule(
        "dax-region-alignment",
        "a dax region starts and ends at its align",
        "Start and length of a dax region must be multiples of its alignment.",
        ("alloc_dax_region",),
        f"drivers/dax/bus.c {_READ}",
        errnos=("ENOMEM",),
    ),
    Rule(
        "dax-alignment",
        "device-dax sizes are multiples of their align",
        "A size must be a multiple of the device's align and of memremap_compat_align(); mappings start at a multiple"
        " of the align.",
        ("alloc_is_aligned", "size_store", "check_vma"),
        f"drivers/dax {_READ}",
        since="5.10",
        errnos=("EINVAL", "ENXIO"),
    ),
    Rule(
        "kmem-node",
        "memory from a device needs a target node",
        "Without a NUMA node for its addresses (SRAT, CEDT or HMAT) a dax device can not become System RAM.",
        ("dev_dax_kmem_probe",),
        f"drivers/dax/kmem.c {_READ}",
        errnos=("EINVAL",),
    ),
    Rule(
        "kmem-alignment",
        "memory from a device is trimmed to whole memory blocks",
        "Each range is rounded inward to the memory block size: start up, end down. What falls off is stranded; a range"
        " smaller than that vanishes.",
        ("dax_kmem_range", "dev_dax_kmem_probe"),
        f"drivers/dax/kmem.c {_READ}",
        since="5.1",
        errnos=("EINVAL",),
    ),
    Rule(
        "kmem-removal",
        "memory from a device goes back only when offline",
        "Unbinding a device whose blocks are online leaves the memory in use and its range reserved until the next"
        " reboot.",
        ("dev_dax_kmem_remove",),
        f"drivers/dax/kmem.c {_READ}",
        since="5.3",
        errnos=("EBUSY",),
    ),
    Rule(
        "soft-reserved-order",
        "soft-reserved memory has one driver",
        "A Soft Reserved range is claimed either as a whole (dax_hmem) or through its CXL region; the first one wins"
        " and the other fails.",
        ("hmem_register_device", "cxl_dax_region_probe"),
        "drivers/dax/hmem, drivers/dax/cxl.c (read in 6.12, 7.2)",
    ),
    Rule(
        "cxl-window-alignment",
        "a CXL window starts and ends at 256 MiB",
        "Base and size of a CFMWS are multiples of 256 MiB times its ways; its alignment also advises the memory block"
        " size from 6.16.",
        ("acpi_parse_cfmws", "memory_block_advise_max_size"),
        "drivers/acpi/numa/srat.c (read in 7.2)",
        errnos=("ENXIO",),
    ),
    Rule(
        "cxl-window-space",
        "a CXL region needs free space in its window",
        "The window has no free range of that size left.",
        ("alloc_hpa",),
        "drivers/cxl/core/region.c (read in 6.1, 6.12, 7.2)",
        since="6.0",
        errnos=("ERANGE", "ENOSPC"),
    ),
    Rule(
        "zone-device-config",
        "device memory gets pages only where ZONE_DEVICE is built",
        "Without CONFIG_ZONE_DEVICE devm_memremap_pages() only warns and refuses: s390x before 6.17, riscv64 before 6.11, arm64 "
        "before 5.7 (it wants memory hot-remove).",
        ("devm_memremap_pages",),
        "include/linux/memremap.h, mm/Kconfig (read in 5.10, 6.1, 6.12, 7.2)",
        errnos=("ENXIO",),
    ),
)
