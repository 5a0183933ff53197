"""Topics of the memory model: sections, sub-sections, the page array, zones."""

from __future__ import annotations

from sparsemem.explain.records import Step, Topic

__all__ = ["TOPICS"]

_DRAW = Step("See the sections and sub-sections of this machine.", ("sparsemem", "draw"))

TOPICS: tuple[Topic, ...] = (
    Topic(
        id="section",
        title="the unit in which Linux keeps a page array",
        names=("sections", "memory section", "mem_section", "sparsemem", "SECTION_SIZE_BITS"),
        text=(
            "Linux divides physical memory into sections: 128 MiB on x86-64, riscv64, arm64 with 4K or 16K pages (1 GiB"
            " before 5.12), and s390x (256 MiB in the 6.12 tree, 128 MiB in 7.2); 512 MiB on arm64 with 64K pages and"
            " loongarch; 16 MiB on ppc64. A section word says whether it is present, has a page array, is online, and"
            " was there at boot. Up to kernel 5.2 a section is also the smallest unit for device memory; from 5.3 it"
            " holds sub-sections."
        ),
        rules=("section-exists", "subsection-overlap"),
        sources=(
            "include/linux/mmzone.h, arch/*/include/asm/sparsemem.h",
            'Linux kernel commit f0b13ee23241 ("arm64/sparsemem: reduce SECTION_SIZE_BITS") (in v5.12)',
        ),
        steps=(_DRAW,),
        see=("sub-section", "memory block", "early section"),
    ),
    Topic(
        id="sub-section",
        title="2 MiB, the unit of device memory from 5.3 on",
        names=("subsection", "subsections", "sub sections", "SUBSECTION_SIZE", "subsection_map", "subsection map"),
        text=(
            "A sub-section is 2 MiB on every architecture and page size. Each section has a map with one bit per"
            " sub-section (64 bits on x86-64). Device memory (pmem, CXL, PCI peer memory) is added and removed in whole"
            " sub-sections, so several namespaces, or a namespace and RAM, may share a section. System RAM does not"
            " gain from it: RAM comes and goes in memory blocks."
        ),
        rules=("subsection-overlap", "subsection-inactive", "pfn-span-alignment"),
        kernels="5.3 and later",
        steps=(_DRAW,),
        see=("section", "memory block", "pfn_valid"),
    ),
    Topic(
        id="early-section",
        title="a section that held RAM at boot",
        names=("early section", "early sections", "early-section-edge", "SECTION_IS_EARLY", "boot section"),
        text=(
            "A section with as little as one page of RAM at boot is early: it has a page array for its whole span, "
            "pfn_valid() is true for all of it, and a device range added inside it reuses that array. "
            "It stops being early when its last sub-section is removed."
        ),
        rules=("early-section-memmap", "early-section-valid", "boot-map-rounding"),
        kernels="5.3 and later",
        sources=('Linux kernel commit 326e1b8f83a4 ("mm/sparsemem: introduce a SECTION_IS_EARLY flag") (in v5.3)',),
        see=("section", "ram-beside-device"),
    ),
    Topic(
        id="memmap",
        title="the page array: one struct page for each page",
        names=("vmemmap", "struct page", "page array", "mem_map", "sparsemem vmemmap"),
        text=(
            "Every page that Linux manages has a struct page of 64 bytes: 2 MiB for 128 MiB with 4K pages, 1.6 % of the"
            " memory. A section's array comes from RAM, or from the device itself (altmap). The array of a sub-section"
            " is 32 KiB on x86-64 with 4K pages, and x86-64 always takes the array of a partial section from RAM."
        ),
        rules=("allocation-failure", "vmemmap-alignment", "altmap-exhausted"),
        see=("altmap", "memmap_on_memory"),
    ),
    Topic(
        id="altmap",
        title="the page array inside the device",
        names=("vmem_altmap", "map=dev", "map dev", "--map=dev", "map=mem"),
        text=(
            "With map=dev (ndctl's default) a namespace reserves room at its start for its own page array, so no RAM is"
            " used; with map=mem the array takes 1.6 % of the namespace's size from RAM. The reserved area must start"
            " where the mapped range starts. Part of a section takes its array from RAM even then (x86-64)."
        ),
        rules=("altmap-invalid", "altmap-exhausted", "altmap-leak"),
        cases=("C07", "C17"),
        steps=(
            Step(
                "Choose RAM for the page array.", ("ndctl", "create-namespace", "-f", "-e", "<namespace>", "--map=mem")
            ),
        ),
        see=("memmap", "info block", "invalid-altmap"),
    ),
    Topic(
        id="pfn-valid",
        title="whether a page frame number has a struct page",
        names=("pfn_valid", "pfn valid", "pfn_to_online_page", "online page"),
        text=(
            "pfn_valid() asks the section: up to 5.2 any page of a present section is valid; from 5.3 a boot section"
            " still answers yes for its whole span, others ask the sub-section map. Valid does not mean RAM:"
            " pfn_to_online_page() says whether a page is online System RAM. From 5.3 to 5.11 it takes device pages in"
            " an online section for RAM."
        ),
        rules=("early-section-valid", "mixed-section-online-page", "section-taint"),
        cases=("C11",),
        see=("sub-section", "mixed-section-online-page"),
    ),
    Topic(
        id="zone-device",
        title="the zone of device pages",
        names=("ZONE_DEVICE", "zone device", "zone"),
        text=(
            "Device pages live in ZONE_DEVICE: they have a struct page, are never given out by the page allocator and"
            " have no memory block. The zone's span grows with every device and never shrinks, which also keeps its"
            " node online for ever."
        ),
        rules=("zone-device-span", "section-taint"),
        see=("memremap_pages",),
    ),
    Topic(
        id="memremap-pages",
        title="how a driver gets pages for device memory",
        names=("memremap_pages", "devm_memremap_pages", "pagemap", "dev_pagemap", "memunmap_pages"),
        text=(
            "memremap_pages() checks that the first and last page belong to no other map, that no System RAM lies in"
            " the range, and that the range can be mapped; then it activates the sub-sections and sets up the pages. Up"
            " to 5.2 it first widens the range to whole sections, which is where most conflicts of old kernels come"
            " from."
        ),
        rules=("conflicting-mapping", "mixed-region", "ram-region", "addressable-range", "pfn-span-alignment"),
        see=("mixed region", "ZONE_DEVICE"),
    ),
    Topic(
        id="physical-address-limit",
        title="how high memory may lie",
        names=("physical address limit", "MAX_PHYSMEM_BITS", "PHYSMEM_END", "direct map", "address limit"),
        text=(
            "The section table reaches to MAX_PHYSMEM_BITS (46 bits, 64 TiB, on x86-64; 52 with 5-level page tables)."
            " With KASLR on x86-64 the direct map is shorter: RAM at boot plus 10 TiB by default. Device memory above"
            " that is refused."
        ),
        rules=("addressable-range", "physmem-limit"),
        cases=("C41",),
        see=("exceeds-addressable",),
    ),
)
