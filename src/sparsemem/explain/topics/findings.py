"""The findings of ``sparsemem doctor``, explained: what is wrong, why it matters, what to do."""

from __future__ import annotations

from sparsemem.explain.messages._steps import BLOCK_SIZE, IOMEM, LIST, REGION_ALIGN, SUBSECTION_KERNEL
from sparsemem.explain.records import Step, Topic

__all__ = ["TOPICS"]

_SAVE = Step("Save the data first: making a namespace anew loses it.", ("ndctl", "list", "-NR", "-v"))
_LSMEM = Step("See the blocks with their states and zones.", ("lsmem", "-o", "+ZONES"))

TOPICS: tuple[Topic, ...] = (
    Topic(
        id="ram-beside-device",
        title="System RAM and device memory share a section",
        finding=True,
        names=("mixed region", "mixed section", "ram and pmem in one section", "RAM/PMEM"),
        text=(
            "The border between RAM and device memory is not on a section boundary. Up to kernel 5.2 the device can "
            'not be mapped with pages (ENXIO, "attempted on mixed region"). From 5.3 it can, if the border is on a '
            "multiple of 2 MiB. From 5.3 to 5.11 the kernel takes the device pages in that section for online RAM. The "
            "memory block there can never go offline."
        ),
        rules=("mixed-region", "mixed-section-online-page", "section-taint", "memory-holes"),
        cases=("C09", "C10", "C11"),
        steps=(
            IOMEM,
            SUBSECTION_KERNEL,
            Step("Or move the border to a multiple of the section size (memmap=, firmware)."),
        ),
        see=("section", "mixed-section-online-page", "block-partly-ram"),
    ),
    Topic(
        id="devices-share-section",
        title="two devices share a section",
        finding=True,
        names=(
            "pmem shares a section",
            "two namespaces in one section",
            "namespace collision",
            "section conflict",
            "free-space-in-taken-section",
        ),
        text=(
            "Two namespaces, regions or other device ranges meet inside one section. Up to kernel 5.2 the second one is"
            ' refused ("Conflicting mapping in same section", ENOMEM), cut at the section with its DAX off, or, worse,'
            " both share one page array and removing one breaks the other. From 5.3 they live side by side if they meet"
            " on a multiple of 2 MiB."
        ),
        rules=("conflicting-mapping", "section-exists", "section-padding", "subsection-overlap"),
        cases=("C01", "C02", "C03", "N03", "N04"),
        steps=(
            LIST,
            SUBSECTION_KERNEL,
            Step("On an old kernel: make sizes multiples of 128 MiB, or use raw or sector mode for one of them."),
        ),
        see=("section", "start-pad"),
    ),
    Topic(
        id="boot-map-rounding",
        title="RAM ends inside a sub-section",
        finding=True,
        names=("boot map rounding",),
        text=(
            "RAM starts or ends in the middle of a 2 MiB sub-section. The kernel marks that sub-section as RAM's, so "
            "a device range that begins in the rest of it is refused with EEXIST, although /proc/iomem shows it free."
        ),
        rules=("boot-map-rounding", "subsection-overlap"),
        steps=(IOMEM, Step("Start the device range at the next multiple of 2 MiB.")),
        see=("sub-section", "early section"),
    ),
    Topic(
        id="half-made-namespace",
        title="a namespace that a failed command left behind",
        finding=True,
        names=("half made", "half-made", "stuck region", "create-namespace fails again"),
        text=(
            "create-namespace gives a namespace its space, then a pfn, dax or btt device, and starts that. Where the start fails, the "
            "space "
            "stays taken (ndctl 64 and later clean up, unless --no-autorecover). The next create-namespace of the region takes the same "
            "namespace again and fails, with another word for it: No such device, No space left on device."
        ),
        rules=("info-block-capacity", "conflicting-mapping"),
        cases=("C08",),
        steps=(
            Step("See what is there and has no driver.", ("ndctl", "list", "-NRi")),
            Step("Destroy it.", ("ndctl", "destroy-namespace", "-f", "<namespace>")),
        ),
        see=("devices-share-section", "align-cost"),
    ),
    Topic(
        id="memmap-in-pieces",
        title="memory of memmap= that came in pieces",
        finding=True,
        names=("memmap=", "memmap split", "KASLR and memmap=", "emulated pmem in pieces"),
        text=(
            "memmap=SIZE!START marks a range as persistent (type 12), whatever lies in it. Entries of that type are never joined, so a "
            "range "
            "that crosses others of the firmware's map, as the hole below 4 GiB, becomes several regions and disks, some of them on "
            "addresses "
            "that hold no RAM. What the kernel itself occupies stays RAM: a range that KASLR chose for it is cut in two, at an address off "
            "2 MiB, and what lies behind is refused."
        ),
        rules=("boot-map-rounding", "namespace-alignment", "pfn-span-alignment"),
        cases=("N01", "N02"),
        steps=(
            IOMEM,
            Step("See what the firmware's map calls usable, and take a range of that, above 4 GiB.", ("dmesg",)),
            Step("Or boot with nokaslr."),
        ),
        see=("boot-map-rounding", "namespace-misaligned", "label-less-region"),
    ),
    Topic(
        id="block-partly-ram",
        title="a memory block that is only partly RAM",
        finding=True,
        names=("partly ram", "memory holes", "hole in block"),
        text=(
            "A memory block holds RAM and something else: a hole, a reserved range, a device. The kernel offlines only"
            " blocks that are RAM throughout (from 5.5), so this one stays online for good; it can not be removed or"
            " handed back."
        ),
        rules=("memory-holes",),
        steps=(BLOCK_SIZE, _LSMEM),
        see=("offline", "memory block"),
    ),
    Topic(
        id="tdx-static-memory",
        title="a TDX host takes no RAM after boot",
        finding=True,
        names=("TDX", "tdx host", "tdx static memory"),
        text=(
            "On a host whose TDX module is initialized, only memory that was System RAM at that time can be online. From"
            " 6.8 on, memory that comes later is added, and each attempt to put a block online is refused (EPERM); the"
            " kernel says so only among its debug messages. A posted series of 2022 refused to add it at all. The same"
            " memory works as a dax device."
        ),
        rules=("notifier-refused",),
        kernels="6.8 and later",
        cases=("C48",),
        steps=(Step("Did the kernel initialize TDX?", ("sh", "-c", "dmesg | grep virt/tdx")), _LSMEM),
        see=("offline", "kmem-partly-online"),
    ),
    Topic(
        id="virtio-mem-misaligned",
        title="a virtio-mem device that does not fill memory blocks",
        finding=True,
        names=("virtio-mem misaligned", "virtio-mem alignment", "virtio-mem region"),
        text=(
            "The driver of a virtio-mem device adds whole memory blocks (or larger big blocks). What of the device's"
            " region lies in front of the first or behind the last is never added, so the guest gets less than the"
            " hypervisor was asked for. The hypervisor has to place the region on memory blocks of the guest."
        ),
        rules=("block-alignment", "memory-block-size"),
        kernels="5.8 and later",
        cases=("M07",),
        steps=(BLOCK_SIZE,),
        see=("dimm-misaligned", "memory block"),
    ),
    Topic(
        id="kmem-stranded",
        title="device memory that does not fill memory blocks",
        finding=True,
        names=("kmem stranded", "stranded", "stranded capacity", "kmem trim"),
        text=(
            "kmem rounds each range of a dax device inward to whole memory blocks. What lies outside is lost as RAM:"
            " less than two blocks, so up to nearly 4 GiB with 2 GiB blocks. The metadata of a map=dev namespace shifts"
            " the data's start and often costs most of a block: in one report 126 MiB of 8 GiB. Up to 6.12 the kernel"
            " says nothing; 5.10 even succeeds when nothing is left."
        ),
        rules=("kmem-alignment", "memory-block-size"),
        cases=("C26", "C28", "C31", "M01", "M04"),
        steps=(
            BLOCK_SIZE,
            Step("See the device's range.", ("daxctl", "list", "-RDu")),
            Step(
                "Choose the alignment so that the data "
                "starts on a block (1 GiB where blocks are smaller), or keep the page array in RAM.",
                ("ndctl", "create-namespace", "-f", "-e", "<namespace>", "-m", "devdax", "--map=mem"),
            ),
        ),
        see=("memory block", "block-size-2g"),
    ),
    Topic(
        id="dimm-misaligned",
        title="a DIMM that is no multiple of memory blocks",
        finding=True,
        names=("dimm misaligned", "unaligned dimm", "unaligned hotplug"),
        text=(
            "A memory device announced by firmware or hypervisor does not start and end on memory block boundaries. "
            'The kernel refuses it whole (EINVAL, "unaligned hotplug range"). A usual cause in virtual machines: an '
            "NVDIMM or image before it shifts it off the boundary."
        ),
        rules=("block-alignment", "memory-block-size"),
        cases=("C33", "C35", "C37", "M02", "M03"),
        steps=(BLOCK_SIZE, Step("Place the DIMM at a multiple of that size, and give it a size that is one.")),
        see=("memory block", "unaligned-hotplug-range"),
    ),
    Topic(
        id="namespace-misaligned",
        title="a namespace that is not aligned to what can be mapped",
        finding=True,
        names=("namespace misaligned", "misaligned namespace", "free-space-off-sub-section"),
        text=(
            "The namespace does not start or end on a multiple of 2 MiB (ppc64 hash: 16 MiB), or not on the region's"
            " align. From 5.7 the kernel refuses to map it (EOPNOTSUPP, or EINVAL when it is made). Older kernels made"
            ' such namespaces; from 5.3 to 5.6 the result was EINVAL with "invalid altmap", or on ppc64 a crash.'
        ),
        rules=("namespace-alignment", "info-block-alignment", "region-align", "compat-align"),
        cases=("C14", "C15", "C16", "C17"),
        steps=(
            LIST,
            REGION_ALIGN,
            _SAVE,
            Step("Then make it anew with a legal size.", ("ndctl", "create-namespace", "-f", "-e", "<namespace>")),
        ),
        see=("alignment", "region align"),
    ),
    Topic(
        id="region-align-finding",
        title="sizes or free space off the region's align",
        finding=True,
        names=("region-align-mismatch",),
        text=(
            "Namespaces or free extents of the region are no multiples of its align, so part of the free space can "
            "not be given out: free space is counted inward, used space outward."
        ),
        rules=("region-align", "namespace-space"),
        cases=("C15", "C19", "N06"),
        steps=(REGION_ALIGN, LIST),
        see=("region align",),
    ),
    Topic(
        id="zero-iomem",
        title="/proc/iomem shows only zeros",
        finding=True,
        names=("zero iomem", "all-zero iomem"),
        text=(
            "The kernel hides addresses from users without root: every line of /proc/iomem begins with zeros. Nothing "
            "can be judged from it."
        ),
        steps=(Step("Run as root, or read a saved copy.", ("sudo", "sparsemem", "doctor")),),
        see=("/proc/iomem",),
    ),
    Topic(
        id="tainted-section",
        title="a section that device memory marked",
        finding=True,
        names=("tainted section", "SECTION_TAINT_ZONE_DEVICE", "taint"),
        text=(
            "Device memory starts or ends inside this section, and the kernel marked it: each look at a page there"
            " first asks the device map. It costs a little time and is otherwise right. The mark stays after the device"
            " is gone, until the section itself is removed."
        ),
        rules=("section-taint",),
        kernels="5.12 and later",
        cases=("C11",),
        see=("ram-beside-device", "pfn_to_online_page"),
    ),
    Topic(
        id="mixed-section-online-page",
        title="device pages that the kernel takes for RAM",
        finding=True,
        names=("mixed section online page",),
        text=(
            "On kernels 5.3 to 5.11, device pages in a section that also holds online RAM pass for System RAM: soft"
            " offlining such an address succeeds where it must fail, and code that walks pages may read a page"
            " structure that was never set up."
        ),
        rules=("mixed-section-online-page",),
        cases=("C11",),
        kernels="5.3 to 5.11",
        steps=(
            Step("Boot 5.12 or later.", ("uname", "-r")),
            Step("Or move the border to a multiple of the section size."),
        ),
        see=("ram-beside-device",),
    ),
    Topic(
        id="unmovable-block",
        title="memory that will not come back",
        finding=True,
        names=("unmovable block", "unmovable"),
        text=(
            "The block is online in a kernel zone (or may only go there), so pages of the kernel land in it and it "
            "will probably never go offline. For memory that should come back, that is the wrong zone."
        ),
        rules=("unmovable-page", "isolation-failure", "multizone-block"),
        cases=("M06",),
        steps=(
            _LSMEM,
            Step(
                "Online such memory as movable, before something uses it.",
                ("sh", "-c", "echo online_movable > /sys/devices/system/memory/<memoryN>/state"),
            ),
        ),
        see=("offline", "ZONE_MOVABLE"),
    ),
    Topic(
        id="block-size-2g",
        title="memory blocks of 2 GiB",
        finding=True,
        names=("2g blocks", "2 GiB blocks", "2gb memory block", "block size 2g"),
        text=(
            "With 64 GiB of memory or more, x86-64 on bare metal uses 2 GiB blocks (from 5.9), and a virtual machine"
            " does if its memory ends on a multiple of 2 GiB. DIMMs, dax devices and CXL windows that are not multiples"
            " of 2 GiB are then refused or lose what lies outside. From 6.16 CXL windows make the kernel choose smaller"
            " blocks."
        ),
        rules=("memory-block-size", "block-alignment", "kmem-alignment"),
        cases=("C28", "C31", "C33"),
        steps=(BLOCK_SIZE, Step("Give devices a start and size that are multiples of 2 GiB.")),
        sources=('Linux kernel commit fe124c95df9e ("x86/mm: use max memory block size on bare metal") (in v5.9)',),
        see=("memory block", "kmem-stranded", "cxl window"),
    ),
    Topic(
        id="start-pad",
        title="a namespace that an old kernel cut",
        finding=True,
        names=("start_pad", "start pad", "end_trunc", "padding"),
        text=(
            "The info block has a start_pad or end_trunc: a kernel up to 5.2 cut the namespace at section boundaries."
            " What was cut is lost until the namespace is made anew. With a start_pad, direct access (DAX) does not"
            " work, while block I/O does."
        ),
        rules=("section-padding", "info-block-alignment"),
        cases=("C01", "C08"),
        steps=(
            _SAVE,
            Step("Make it anew on a kernel from 5.3 on.", ("ndctl", "create-namespace", "-f", "-e", "<namespace>")),
        ),
        see=("info block", "devices-share-section"),
    ),
    Topic(
        id="subsection-misaligned",
        title="a device range that is no multiple of 2 MiB",
        finding=True,
        names=("subsection misaligned", "sub-section misaligned", "subsection-shared"),
        text=(
            "A device range starts or ends inside a sub-section. From 5.3 it can not get pages: EINVAL, with "
            '"Misaligned __add_pages" in the log. Up to 5.2 it was widened to whole sections instead.'
        ),
        rules=("pfn-span-alignment", "compat-align"),
        cases=("C44", "C14"),
        steps=(IOMEM, Step("Round the range inward to 2 MiB.")),
        see=("sub-section", "namespace-misaligned"),
    ),
    Topic(
        id="info-block-altmap-in-ram",
        title="the page array of a partial section comes from RAM",
        finding=True,
        names=("info block altmap in ram", "altmap in ram"),
        text=(
            "The namespace reserves room for its page array, but x86-64 takes the array of a section that it fills only"
            " partly from RAM. The first and last section of a namespace that does not start and end at 128 MiB cost"
            " RAM in spite of map=dev: 32 KiB for each 2 MiB, less than 2 MiB for each section; the reserved room for"
            " them is wasted."
        ),
        rules=("altmap-exhausted", "early-section-memmap"),
        sources=("arch/x86/mm/init_64.c vmemmap_populate (read in 5.10, 6.1, 6.12, 7.2)",),
        see=("altmap", "memmap"),
    ),
)
