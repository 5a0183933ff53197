"""Log lines quoted in public reports, with what must be read from them.

Each row: the case, the line as quoted, the message it is, and numbers (label -> text that must occur). The numbers are
from the arithmetic of the reports (sizes, sections and remainders worked out by hand), not from this program.
"""

from __future__ import annotations

QUOTED: tuple[tuple[str, str, str, dict[str, str]], ...] = (
    # two regions of 252 GiB that start 64 MiB past a section line: 64 MiB cut
    ("C01", "nd_pmem pfn0.0: namespace0.0 alignment collision, truncate 67108864 bytes", "alignment-collision",
    {"bytes": "64 MiB"}),
    ("C01", "nd_pmem pfn1.0: Conflicting mapping in same section", "conflicting-mapping", {}),
    ("C01", "WARNING: CPU: 2 PID: 1 at kernel/memremap.c:188 devm_memremap_pages+0x414/0x480", "warning", {}),
    ("C01", "WARNING: CPU: 2 PID: 1 at arch/x86/mm/init_64.c:792 add_pages+0x63/0x70", "warning", {}),
    ("C01", "pmem1: detected capacity change from 0 to 266285875200", "pmem-capacity", {}),
    ("C01", "libndctl: ndctl_pfn_enable: pfn1.0: failed to enable", "libndctl-failed-to-enable", {}),
    ("C01", "failed to create namespace: No such device or address", "ndctl-create-failed", {}),
    # 6 ways of 2 MiB: 12 MiB steps, 132 MiB = 11 of them
    ("C02", "'--size=' must align to interleave-width: 6 and alignment: 2097152", "ndctl-interleave-width",
    {"size step": "12 MiB"}),
    ("C02", "did you intend --size=132M?", "ndctl-did-you-intend", {"intended size": "132 MiB"}),
    ("C02", "libndctl: ndctl_pfn_enable: pfn1.1: failed to enable", "libndctl-failed-to-enable", {}),
    ("C02", "namespace1.2: failed to enable", "tool-failed-to-enable", {}),
    ("C03", "pfn0.1: failed to enable", "tool-failed-to-enable", {}),
    ("C07", "memory add fail, invalid altmap", "invalid-altmap", {}),
    ("C08", "nd_pmem pfn0.1: namespace0.2 unable to satisfy requested alignment", "unable-to-satisfy-alignment", {}),
    ("C08", "nd_pmem pfn1.3: namespace1.7 alignment collision, truncate 218103808 bytes", "alignment-collision",
    {"bytes": "208 MiB"}),
    # 8 GiB + 0xfc000000 = 0x2fc000000, 64 MiB into section 95
    (
        "C09", "devm_memremap_pages attempted on mixed region [mem 0x200000000-0x2fbffffff flags 0x200]",
        "mixed-region",
        {"range": "0x200000000-0x2fbffffff", "sections": "64 to 95", "end": "0x2fc000000 is 64 MiB past",
        "widened": "0x200000000-0x2ffffffff"},
    ),
    ("C10", "WARNING: CPU: 38 PID: 928 at arch/x86/mm/init_64.c:850 add_pages+0x5c/0x60", "warning", {}),
    # size 0x88b8000; the end is 0xb8000 = 736 KiB past a 2 MiB line; rounded up it is 0xea00000
    (
        "C14", "nd_pmem namespace0.0: [mem 0x06000000-0x0e8b7fff] misaligned, unable to map",
        "misaligned-unable-to-map",
        {"start": "on a sub-section boundary", "end": "0xea00000 (up)", "outside": "736 KiB: 0 bytes at the start"},
    ),
    ("C14", "nd_pmem namespace0.0: probe with driver nd_pmem failed with error -95", "probe-failed", {}),
    ("C17", "[   17.491097] memory add fail, invalid altmap", "invalid-altmap", {}),
    ("C19", "dax1.0: set_align failed: Invalid argument", "tool-attribute-failed", {}),
    # 342 times 12 MiB = 4104 MiB
    ("C19", "did you intend --size=4303355904?", "ndctl-did-you-intend", {"intended size": "4104 MiB"}),
    ("C22", "dax_pmem dax1.0: could not reserve metadata", "could-not-reserve-metadata", {}),
    ("C22", "dax_pmem: probe of dax1.0 failed with error -16", "probe-failed", {}),
    ("C23", "dax0.0: set_align failed: Invalid argument", "tool-attribute-failed", {}),
    ("C23", "dax_pmem dax0.0: alignment must be PAGE_SIZE", "dax-alignment-page-size", {}),
    ("C23", "dax2.0: failed to enable", "tool-failed-to-enable", {}),
    ("N01", "nd_pmem: probe of namespace1.0 failed with error -22", "probe-failed", {}),
    ("N04", "nd_pmem pfn6.1: Conflicting mapping in same section", "conflicting-mapping", {}),
    ("N05", "Legacy / label-less namespaces do not support sub-dividing a region", "ndctl-legacy-subdivide", {}),
    ("C25", "Legacy / label-less namespaces do not support sub-dividing a region", "ndctl-legacy-subdivide", {}),
    (
        "C26", "removing memory fails, because memory [0x0000000150000000-0x0000000157ffffff] is onlined",
        "memory-is-onlined",
        {"range": "0x150000000-0x157ffffff, 128 MiB", "section": "42 (0x150000000-0x157ffffff)"},
    ),
    (
        "C26", "kmem dax0.0: DAX region [mem 0x150000000-0x33fffffff] cannot be hotremoved until the next reboot",
        "kmem-cannot-be-hotremoved",
        {"range": "7936 MiB", "sections": "42 to 103"},
    ),
    ("C26", "nd_pmem namespace0.0: could not reserve region [mem 0x140000000-0x33fffffff]dax", "pmem-could-not-reserve",
    {"range": "8 GiB"}),
    ("C26", "nd_pmem: probe of namespace0.0 failed with error -16", "probe-failed", {}),
    ("C28", "libdaxctl: daxctl_dev_enable: dax1.0: failed to enable", "libdaxctl-failed-to-enable", {}),
    ("C28", "error reconfiguring devices: Invalid argument", "daxctl-reconfigure-failed", {}),
    # 128 GiB from 0x850000000
    ("C30", "hmem range [mem 0x850000000-0x284fffffff flags 0x80000200] already active", "hmem-already-active",
    {"range": "128 GiB"}),
    ("C30", "kmem dax0.0: mapping0: 0x850000000-0x284fffffff could not reserve region", "kmem-could-not-reserve",
    {"range": "128 GiB"}),
    ("C30", "alloc_dax_region: cxl_dax_region dax_region0: dax_region resource conflict for [mem "
    "0x850000000-0x284fffffff]", "dax-region-conflict", {"range": "128 GiB"}),
    ("C30", "region0: set_size failed: Numerical result out of range", "tool-attribute-failed", {}),
    (
        "C30", "HPA allocation error (-34) for size:0x0000002000000000 in CXL Window 0 [mem 0x850000000-0x284fffffff "
        "flags 0x200]", "cxl-hpa-allocation",
        {"bytes": "128 GiB", "range": "0x850000000-0x284fffffff"},
    ),
    # 65 GiB is an odd multiple of 1 GiB
    (
        "C33", "Block size [0x80000000] unaligned hotplug range: start 0x1040000000, size 0x80000000",
        "unaligned-hotplug-range",
        {"memory block": "2 GiB", "start": "1 GiB past", "inside": "nothing"},
    ),
    ("C33", "x86/mm: Memory block size: 2048MB", "x86-block-size", {"memory block": "2 GiB"}),
    ("C33", "acpi PNP0C80:00: add_memory failed", "acpi-add-memory-failed", {}),
    ("C33", "acpi PNP0C80:00: acpi_memory_enable_device() error", "acpi-enable-device-error", {}),
    ("C33", "acpi PNP0C80:00: Enumeration failure", "acpi-enumeration-failure", {}),
    ("C33", "WARNING: CPU: 0 PID: 1 at drivers/base/memory.c:205 pages_correctly_reserved+0x1a/0x50", "warning", {}),
    # 0xc8000000 is 128 MiB past a 1 GiB line
    (
        "C35", "Block size [0x40000000] unaligned hotplug range: start 0xc8000000, size 0x40000000",
        "unaligned-hotplug-range",
        {"memory block": "1 GiB", "start": "0xc8000000 is 128 MiB past"},
    ),
    ("C37", "Block size [0x8000000] unaligned hotplug range: .....", "unaligned-hotplug-range", {}),
    (
        "C39", "Block size [0x4000000] unaligned hotplug range: start 0x220000000, size 0x1000000",
        "unaligned-hotplug-range",
        {"range": "16 MiB", "memory block": "64 MiB", "start": "on a memory block boundary",
        "end": "0x221000000 is 16 MiB past"},
    ),
    ("C39", "kernel BUG at mm/memory_hotplug.c:1864!", "warning", {}),
    ("C42", "nd_pmem namespace0.0: could not reserve region [mem 0xfffffe000-0xfffffefff]", "pmem-could-not-reserve",
    {"range": "4 KiB"}),
    ("C44", "Misaligned __add_pages start: 0xfc605 end: #fc609", "misaligned-pages",
    {"range": "0xfc605000-0xfc609fff, 20 KiB", "pages": "5 of 4 KiB"}),
    ("C44", "Misaligned __add_pages start: 0xfc605 end: 0xfc609", "misaligned-pages",
    {"range": "0xfc605000-0xfc609fff, 20 KiB"}),
    ("C45", "nvme 0000:00:03.0: Conflicting mapping in same section", "conflicting-mapping", {}),
    ("C45", "WARNING: CPU: 1 PID: 9 at kernel/memremap.c:155 devm_memremap_pages+0x1a/0x50", "warning", {}),
    ("C48", "tdx: Unable to add memory [0x580000000, 0x600000000) on TDX enabled platform.", "tdx-unable-to-add", {}),
    ("C48", "kmem dax0.0: mapping0: 0x580000000-0x5ffffffff memory add failed", "kmem-add-failed", {"range": "2 GiB"}),
    # 0x67ffffff + 1 - 0x48000000 = 512 MiB
    ("C49", "nd_pmem namespace0.0: could not reserve region [mem 0x48000000-0x67ffffff]", "pmem-could-not-reserve",
    {"range": "512 MiB"}),
    ("C49", "nd_pmem namespace0.0: probe with driver nd_pmem failed with error -16", "probe-failed", {}),
    # wordings by era
    ("era", "Section-unaligned hotplug range: start 0x1040000000, size 0x8000000", "unaligned-hotplug-range",
    {"range": "128 MiB"}),
    ("era", "kmem dax0.0: rejecting DAX region [mem 0x150000000-0x33fffffff] with invalid node: -1",
    "kmem-invalid-node", {}),
    ("era", "kmem dax0.0: rejecting DAX region with invalid node: -1", "kmem-invalid-node", {}),
    ("era", "kmem dax0.0: could not reserve region [mem 0x150000000-0x33fffffff]", "kmem-could-not-reserve", {}),
    # 126 MiB to the next 128 MiB line (0x148200000 -> 0x150000000), and 7936 MiB left
    (
        "C26", "kmem dax0.0: mapping0: 0x148200000-0x33fffffff too small after alignment", "kmem-too-small",
        {"at 128 MiB": "7936 MiB) usable (0x150000000-0x33fffffff), 126 MiB lost"},
    ),
    ("C28", "kmem dax1.0: rejecting DAX region without any memory after alignment", "kmem-no-memory", {}),
    ("era", "kmem dax0.0: DAX region truncated by 126.0 MiB due to alignment", "kmem-truncated", {}),
    ("era", "attempted on mixed region 0x200000000-0x2fbffffff", "mixed-region", {"widened": "0x2ffffffff"}),
    ("era", "attempted on ram region 0x200000000-0x207ffffff", "ram-region", {"section": "64"}),
    ("era", "Misaligned __remove_pages start: 0x100 end: #2ff", "misaligned-pages",
    {"range": "0x100000-0x2fffff, 2 MiB"}),
)  # fmt: skip
