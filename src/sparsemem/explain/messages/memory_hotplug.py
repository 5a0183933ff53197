"""Messages of mm/memory_hotplug.c: adding, removing, onlining."""

from __future__ import annotations

from sparsemem.explain.messages._steps import BLOCK_SIZE, DOCTOR, IOMEM, LIST, REGION_ALIGN
from sparsemem.explain.records import Message, Step, Wording

__all__ = ["MESSAGES"]

_FILE = "mm/memory_hotplug.c"
_OFFLINE = Step(
    "Put the blocks of the range offline first.",
    ("sh", "-c", "echo offline > /sys/devices/system/memory/<memoryN>/state"),
)
_PLACE = Step(
    "Give the range a start and a size that are multiples of the memory block size: place the DIMM there (hypervisor), "
    "or make what lies before it, such as "
    "an NVDIMM with its label area, a multiple of that size."
)

MESSAGES: tuple[Message, ...] = (
    Message(
        id="unaligned-hotplug-range",
        title="System RAM that is no multiple of a memory block",
        file=_FILE,
        function="check_hotplug_memory_range",
        errno="EINVAL",
        rule="block-alignment",
        core="unaligned hotplug range",
        wordings=(
            Wording(
                "Block size [%#lx] unaligned hotplug range: start %#llx, size %#llx",
                "4.17",
                fields=("block", "start", "size"),
            ),
            Wording(
                "Section-unaligned hotplug range: start 0x%llx, size 0x%llx", None, "4.16", fields=("start", "size")
            ),
        ),
        units=("block", "section"),
        what=(
            "The kernel was asked to add (or remove) System RAM whose start or size is not a multiple of the memory "
            "block size. An add is refused whole; a removal with such a range ends in a kernel BUG. Sub-sections of 2 "
            "MiB do not help here: they are for device memory only."
        ),
        steps=(BLOCK_SIZE, _PLACE, DOCTOR),
        cases=("C33", "C35", "C37", "C39"),
        see=("memory block", "block-size-2g", "dimm-misaligned"),
    ),
    Message(
        id="misaligned-pages",
        title="device memory that is no multiple of a sub-section",
        file=_FILE,
        function="check_pfn_span",
        errno="EINVAL",
        rule="pfn-span-alignment",
        wordings=(
            Wording(
                "Misaligned %s start: %#lx end: %#lx",
                "6.5",
                fields=("caller", "start_pfn", "last_pfn"),
                note="the fix was posted in May 2023; read in 6.12",
            ),
            Wording(
                "Misaligned %s start: %#lx end: #%lx",
                "5.3",
                "6.4",
                fields=("caller", "start_pfn", "last_pfn"),
                note="up to 5.19 the name is spelt out in the format",
            ),
        ),
        units=("subsection",),
        what=(
            "A driver added or removed device pages whose first page or number is not a multiple of a sub-section (2 "
            "MiB). The numbers in the line are page frame "
            "numbers, the end inclusive. An add is refused; a remove removes nothing."
        ),
        steps=(
            Step(
                "Round the range that the driver maps outward or inward to 2 MiB; a PCI BAR smaller than 2 MiB can "
                "not be mapped with pages.",
                ("lspci", "-vv"),
            ),
            LIST,
        ),
        cases=("C44",),
        see=("sub-section", "subsection-misaligned"),
    ),
    Message(
        id="invalid-altmap",
        title="the area reserved for the page array does not fit the range",
        file=_FILE,
        function="__add_pages",
        errno="EINVAL",
        rule="altmap-invalid",
        wordings=(Wording("memory add fail, invalid altmap"),),
        what=(
            "Device memory was to keep its own page array, but that area does not start where the added range starts"
            " (or is larger than the range). Up to 5.2 the cause is a namespace that starts inside a 128 MiB section:"
            " the range is widened to the section and no longer matches. From 5.3 it is a namespace that does not start"
            " at 2 MiB."
        ),
        steps=(
            LIST,
            REGION_ALIGN,
            Step(
                "Make the namespace anew with a size that is a multiple of 16 MiB (times the interleave ways).",
                ("ndctl", "create-namespace", "-r", "<region>", "-s", "<size>"),
            ),
            Step(
                "Or keep the page array in RAM, which needs no reserved area.",
                ("ndctl", "create-namespace", "-f", "-e", "<namespace>", "--map=mem"),
            ),
            Step(
                "In a virtual machine, let every NVDIMM with its label area fill whole 128 MiB sections, or use "
                "kernel 5.3 or later."
            ),
        ),
        cases=("C07", "C17"),
        see=("altmap", "namespace-misaligned"),
    ),
    Message(
        id="exceeds-addressable",
        title="memory above the kernel's address limit",
        file=_FILE,
        function="mhp_range_allowed",
        errno="E2BIG",
        rule="addressable-range",
        wordings=(
            Wording(
                "Hotplug memory [%#llx-%#llx] exceeds maximum addressable range [%#llx-%#llx]",
                "5.12",
                fields=("start", "last", "first", "limit"),
            ),
            Wording(
                "Hotplugged memory exceeds maximum addressable address, range=%#llx-%#llx, maximum=%#llx",
                "5.4",
                "5.11",
                fields=("start", "last", "limit"),
            ),
        ),
        what=(
            "The range lies above the highest address that this kernel maps. On x86-64 with KASLR the limit is not the"
            " architecture's: the direct map ends a little above RAM (10 TiB by default), so device memory placed far"
            " up does not fit. System RAM gets E2BIG, a device map EINVAL (E2BIG up to 5.11)."
        ),
        steps=(
            Step(
                "Place the device memory lower: right above RAM, not at the top of the address space (hypervisor or "
                "firmware)."
            ),
            Step(
                "Check whether KASLR is the reason: boot once with nokaslr on the kernel command line.",
                ("cat", "/proc/cmdline"),
            ),
        ),
        cases=("C41",),
        see=("physical address limit",),
    ),
    Message(
        id="node-absent",
        title="memory for a node that was not possible at boot",
        file=_FILE,
        function="add_memory_resource",
        errno="EINVAL",
        rule="node-impossible",
        wordings=(Wording("node %d was absent from the node_possible_map", "5.10", fields=("nid",)),),
        what=(
            "Memory was to join NUMA node {nid}, which the firmware tables did not mention at boot. Nodes can not be "
            "added later."
        ),
        steps=(
            Step("See which nodes are possible.", ("cat", "/sys/devices/system/node/possible")),
            Step("Let the firmware (SRAT or CEDT; in QEMU: -numa node) name the node at boot."),
        ),
    ),
    Message(
        id="memory-is-onlined",
        title="memory that is online can not be removed",
        file=_FILE,
        function="check_memblock_offlined_cb",
        errno="EBUSY",
        rule="block-online",
        wordings=(Wording("removing memory fails, because memory [%pa-%pa] is onlined", fields=("start", "last")),),
        units=("section",),
        what=(
            "A driver or the firmware asked to remove memory, and at least the block named here is still online. "
            "Nothing was removed."
        ),
        steps=(
            Step("Offline the memory before unbinding the driver.", ("daxctl", "offline-memory", "<daxX.Y>")),
            _OFFLINE,
            Step(
                "Keep the kernel or udev from onlining it at once.",
                ("cat", "/sys/devices/system/memory/auto_online_blocks"),
            ),
        ),
        cases=("C26",),
        see=("kmem-stranded", "offline"),
    ),
    Message(
        id="unable-to-reserve-ram",
        title="the range has an owner already",
        file=_FILE,
        function="register_memory_resource",
        errno="EEXIST",
        rule="resource-busy",
        wordings=(Wording("Unable to reserve System RAM region: %016llx->%016llx", fields=("start", "last")),),
        what=(
            "System RAM was to be added, but an entry of /proc/iomem that is in use overlaps the range. The line is a "
            "debug message, so often only the errno is seen."
        ),
        steps=(IOMEM,),
    ),
    Message(
        id="wrong-granularity",
        title="a block with its own page array is removed alone",
        file=_FILE,
        function="try_remove_memory",
        errno="EINVAL",
        rule="memmap-on-memory-granularity",
        wordings=(Wording("Refuse to remove %#llx - %#llx,wrong granularity", "5.14", "6.7", fields=("start", "end")),),
        what=(
            "Memory that was added with memmap_on_memory must be removed one memory block at a time on this kernel. "
            "The second number is the end, exclusive."
        ),
        steps=(BLOCK_SIZE,),
        see=("memmap_on_memory",),
    ),
    Message(
        id="memmap-on-memory-waste",
        title="memmap_on_memory=force costs pages in every block",
        file=_FILE,
        function="set_memmap_mode",
        rule="memmap-on-memory-unsupported",
        wordings=(Wording("Memory hotplug will waste %ld pages in each memory block", "6.6", fields=("nr_wasted",)),),
        what=(
            "With memmap_on_memory=force the page array in each block is padded to a whole pageblock: {nr_wasted} "
            "pages of every block are not usable."
        ),
        see=("memmap_on_memory",),
    ),
    Message(
        id="null-pgdat",
        title="a node without its structures",
        file=_FILE,
        function="__try_online_node",
        errno="ENOMEM",
        rule="allocation-failure",
        wordings=(Wording("Cannot online node %d due to NULL pgdat", fields=("nid",)),),
        what="Node {nid} could not be set up, so its memory was not added.",
    ),
    Message(
        id="failed-to-remove",
        title="memory went offline and could not be removed",
        file=_FILE,
        function="offline_and_remove_memory",
        rule="removal-alignment",
        wordings=(
            Wording("%s: Failed to remove memory: %d", "5.8", fields=("caller", "errno")),
            Wording("%s: Failed to re-online memory: %d", "5.8", fields=("caller", "errno")),
        ),
        what="A driver (virtio-mem, for example) offlined memory to remove it and the last step failed.",
    ),
    Message(
        id="altmap-not-unmapped",
        title="the page array in a block was not given back",
        file=_FILE,
        function="remove_memory_blocks_and_altmaps",
        rule="altmap-leak",
        wordings=(Wording("Altmap not fully unmapped", "6.8"),),
        what=(
            "When a memory block with its own page array was removed, some of its pages were still counted as used: a "
            "fault of the kernel."
        ),
    ),
)
