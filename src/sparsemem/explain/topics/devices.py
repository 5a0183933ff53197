"""Topics of device memory: namespaces, regions, labels, device-dax, CXL."""

from __future__ import annotations

from sparsemem.explain.messages._steps import BLOCK_SIZE, IOMEM, LIST, REGION_ALIGN
from sparsemem.explain.records import Step, Topic

__all__ = ["TOPICS"]

TOPICS: tuple[Topic, ...] = (
    Topic(
        id="namespace",
        title="a piece of persistent memory with a mode",
        names=("namespaces", "fsdax", "devdax", "raw", "sector", "ndctl create-namespace"),
        text=(
            "A region of persistent memory is divided into namespaces (by labels) or is one namespace (without). A mode"
            " says how it is used: raw (a disk), sector (a disk with atomic sectors), fsdax (a disk whose files can be"
            " mapped), devdax (a character device for mmap). fsdax and devdax have pages and an info block at their"
            " start, so they are smaller than asked for."
        ),
        rules=("namespace-alignment", "namespace-size", "region-align", "namespace-space"),
        cases=("C25",),
        steps=(LIST,),
        see=("info block", "region align", "label"),
    ),
    Topic(
        id="info-block",
        title="the 4 KiB that say what an fsdax or devdax namespace is",
        names=(
            "info block",
            "infoblock",
            "superblock",
            "pfn superblock",
            "dataoff",
            "info-block-corrupt",
            "info-block-old",
            "info-block-other-namespace",
            "info-block-other-page-size",
            "info-block-other-struct-page",
        ),
        text=(
            "At byte 4096 of an fsdax or devdax namespace: mode, alignment, where the data starts (dataoff), how many"
            " pages, and, in namespaces of old kernels, how much was cut at the start and end. With map=dev the page"
            " array lies between it and the data. Example, x86-64 from 5.7, map=dev, 2 MiB alignment: 16 MiB leaves 14"
            " MiB, 1 GiB leaves 1006 MiB."
        ),
        rules=("info-block-alignment", "info-block-capacity", "info-block-page-size", "info-block-settings"),
        see=("altmap", "start-pad", "alignment"),
    ),
    Topic(
        id="alignment",
        title="which sizes and starts are legal",
        names=(
            "align",
            "align-cost",
            "interleave-unit",
            "refused-by-newer-kernels",
            "1G alignment",
            "2M alignment",
            "alignments",
        ),
        text=(
            "Several alignments stack up. Pages of a device: whole sub-sections, 2 MiB. A namespace's size: a multiple"
            " of the region's align (16 MiB; 48 MiB on 3 DIMMs, 96 MiB on 6). Its mapping alignment (4K, 2M, 1G): where"
            " the data starts, so 1 GiB alignment costs up to 1 GiB. RAM made from it: whole memory blocks, 128 MiB to"
            " 2 GiB."
        ),
        rules=("pfn-span-alignment", "region-align", "compat-align", "supported-alignment", "kmem-alignment"),
        cases=("C19", "C22"),
        steps=(REGION_ALIGN, BLOCK_SIZE),
        see=("region align", "memory block", "sub-section"),
    ),
    Topic(
        id="region-align",
        title="the unit of namespaces in a region",
        names=("region align", "regionX/align", "interleave set", "interleave", "interleave-width", "96 MiB"),
        text=(
            "From kernel 5.7 every region has an align: 16 MiB, times the number of interleaved DIMMs where 16 MiB is"
            " no multiple of that number (3 DIMMs: 48 MiB, 6: 96 MiB); one page for regions below 16 MiB. Sizes of"
            " labelled namespaces are multiples of it and free space is counted in it. Root may lower it; existing"
            " namespaces are not re-checked, and what is misaligned is refused when it is mapped."
        ),
        rules=("region-align", "interleave-size"),
        cases=("C02", "C15", "C19"),
        kernels="5.7 and later",
        steps=(REGION_ALIGN, LIST),
        see=("alignment", "namespace-misaligned"),
    ),
    Topic(
        id="label",
        title="how a region is divided",
        names=(
            "labels",
            "label area",
            "label-less",
            "label-less-region",
            "legacy",
            "memmap=",
            "label-index-broken",
            "label-index-spare-broken",
            "label-corrupt",
            "label-half-written",
            "label-foreign-version",
            "label-twice",
            "label-area-too-small",
            "label-set-incomplete",
            "label-set-disagrees",
        ),
        text=(
            "Labels in a small area of each DIMM say which extents form which namespace. Without labels (memmap=,"
            " firmware type 12, blank label area) the region is exactly one namespace and its size can not be chosen."
            " In QEMU the label area is cut from the end of the NVDIMM, so a 256M device with a 2M label area has 254"
            " MiB."
        ),
        rules=("namespace-space",),
        cases=("C25",),
        steps=(
            Step(
                "If the DIMMs have a label area and the data may go: write labels.",
                ("sh", "-c", "ndctl disable-region all; ndctl init-labels -f all; ndctl enable-region all"),
            ),
        ),
        see=("namespace",),
    ),
    Topic(
        id="kmem",
        title="device memory as System RAM",
        names=(
            "system-ram",
            "system ram",
            "dax kmem",
            "daxctl reconfigure-device",
            "dax",
            "kmem-partly-online",
            "kmem-stays",
        ),
        text=(
            "The kmem driver adds the memory of a dax device as System RAM, from kernel 5.1 (and can remove it from"
            " 5.3). Each range is first rounded inward to whole memory blocks; what falls off is stranded, without a"
            " word up to 6.12. The memory must be offline before the device is unbound, or it stays until the next"
            " reboot."
        ),
        rules=("kmem-alignment", "kmem-node", "kmem-removal", "block-alignment"),
        cases=("C26", "C28", "M05"),
        steps=(BLOCK_SIZE, Step("See what became RAM.", ("daxctl", "list", "-DM"))),
        see=("kmem-stranded", "target node", "memory block"),
    ),
    Topic(
        id="soft-reserved",
        title="memory that firmware keeps for drivers",
        names=("soft reserved", "Soft Reserved", "soft-reserved-twice", "EFI_MEMORY_SP", "hmem", "dax_hmem"),
        text=(
            'Firmware marks memory "specific purpose" (CXL, high-bandwidth memory); Linux lists it as Soft Reserved and'
            " gives it to dax_hmem as a device. On CXL machines the same range is also a CXL region: whichever driver"
            " comes first owns it, and the other fails with a conflict or finds no room in the window."
        ),
        rules=("soft-reserved-order", "dax-region-conflict", "cxl-window-space"),
        cases=("C30",),
        steps=(IOMEM,),
        see=("cxl window",),
    ),
    Topic(
        id="cxl-window",
        title="where CXL memory may appear",
        names=("cxl window", "cxl-low-memory-hole", "CFMWS", "CEDT", "CXL", "cxl region", "cxl-no-region"),
        text=(
            "The firmware's CEDT lists windows (CFMWS) of host addresses; regions are made inside them. Base and size"
            " are multiples of 256 MiB times the ways, and 2 GiB is the size to prefer: memory blocks may be as large"
            " as 2 GiB, and what lies outside whole blocks is stranded. From 6.16 the windows' alignment makes the"
            " kernel choose smaller blocks. Persistent memory of a CXL device is used through a region only: cxl create-region"
            " makes one, libnvdimm shows it, and ndctl makes namespaces on it."
        ),
        rules=("cxl-window-alignment", "cxl-window-space", "memory-block-size"),
        cases=("C31", "C32"),
        steps=(Step("See the windows.", ("cxl", "list", "-DRu")), BLOCK_SIZE),
        see=("block-size-2g", "soft reserved"),
    ),
    Topic(
        id="iomem",
        title="who owns which addresses",
        names=("/proc/iomem", "proc iomem", "resource", "resource tree"),
        text=(
            "/proc/iomem lists the owners of physical addresses, nested. Before memory or a device is added its range "
            "is reserved there. A user without root sees all addresses as zero."
        ),
        rules=("resource-busy", "device-resource-busy"),
        steps=(IOMEM,),
        see=("zero-iomem",),
    ),
)
