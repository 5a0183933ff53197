"""Topics of system RAM: memory blocks, onlining, hotplug."""

from __future__ import annotations

from sparsemem.explain.messages._steps import BLOCK_SIZE, IOMEM
from sparsemem.explain.records import Step, Topic

__all__ = ["TOPICS"]

_ZONES = Step("See the blocks with their states and zones.", ("lsmem", "-o", "+ZONES"))

TOPICS: tuple[Topic, ...] = (
    Topic(
        id="memory-block",
        title="the unit of System RAM",
        names=("memory block", "memory blocks", "block size", "block_size_bytes", "memory_block_size_bytes", "memoryN"),
        text=(
            "System RAM is added, removed, onlined and offlined in memory blocks, shown as"
            " /sys/devices/system/memory/memoryN. A block is one section or a power of two of them: on x86-64 128 MiB"
            " below 64 GiB of memory, above that 2 GiB on bare metal (from 5.9) and in virtual machines the largest"
            " power of two up to 2 GiB that divides the end of memory. The size is fixed at boot and may change with"
            " the kernel, with the amount of RAM, and between metal and virtual machine."
        ),
        rules=("block-alignment", "memory-block-size", "memory-holes"),
        cases=("C28", "C33", "C35"),
        steps=(BLOCK_SIZE, _ZONES),
        see=("block-size-2g", "kmem-stranded", "dimm-misaligned"),
    ),
    Topic(
        id="offline",
        title="taking memory offline",
        names=(
            "offlining",
            "offline memory",
            "offline_pages",
            "hot remove",
            "hot-remove",
            "unplug",
            "memory hotremove",
        ),
        text=(
            "A block goes offline when it is RAM throughout, lies in one zone and node, nobody vetoes, and every page "
            "in use can move away. Kernel data in ZONE_NORMAL can not move, so memory that is to come back belongs in "
            "ZONE_MOVABLE. Only offline memory can be removed."
        ),
        rules=(
            "memory-holes",
            "multizone-block",
            "isolation-failure",
            "unmovable-page",
            "notifier-refused",
            "block-online",
            "boot-memory-offline",
        ),
        steps=(_ZONES,),
        see=("unmovable-block", "block-partly-ram", "ZONE_MOVABLE"),
    ),
    Topic(
        id="auto-online",
        title="who onlines new memory",
        names=(
            "auto online",
            "auto-online-policy",
            "auto_online_blocks",
            "memhp_default_state",
            "online",
            "online_movable",
        ),
        text=(
            "New blocks start offline. The kernel onlines them at once where auto_online_blocks says so"
            " (memhp_default_state=, or the kernel's configuration), otherwise a udev rule or a person does. Errors of"
            " that automatic onlining are not reported: the add still succeeds."
        ),
        rules=("block-state", "block-state-word"),
        steps=(Step("Read the policy.", ("cat", "/sys/devices/system/memory/auto_online_blocks")),),
        see=("offline", "ZONE_MOVABLE"),
    ),
    Topic(
        id="zone-movable",
        title="memory that can come back",
        names=("ZONE_MOVABLE", "movable", "valid_zones", "auto-movable"),
        text=(
            "ZONE_MOVABLE holds only pages that can move, so its blocks can go offline. Blocks choose their zone when"
            " they go online (online_movable, online_kernel, or the policy). Too much of it starves the kernel, whose"
            " own data must lie elsewhere."
        ),
        rules=("unmovable-page", "isolation-failure"),
        steps=(_ZONES,),
        see=("offline", "auto online"),
    ),
    Topic(
        id="memmap-on-memory",
        title="a block that holds its own page array",
        names=("memmap_on_memory", "memmap on memory", "memory_hotplug.memmap_on_memory", "MHP_MEMMAP_ON_MEMORY"),
        text=(
            "With memory_hotplug.memmap_on_memory=1 the page array of hot-added RAM lies in the first pages of each"
            " block: no other RAM is needed. That needs a page array that fills whole page-table mappings: on x86-64"
            " with 128 MiB blocks it is exactly 2 MiB. From 5.14 to 6.5 the added range must be one block and an"
            ' unsuitable request is refused with EINVAL; from 6.6 it falls back silently, and "force" pads the array.'
            " dax/kmem asks for it from 6.8."
        ),
        rules=("memmap-on-memory-unsupported", "memmap-on-memory-granularity"),
        kernels="5.14 and later",
        steps=(
            Step("See whether it is on.", ("cat", "/sys/module/memory_hotplug/parameters/memmap_on_memory")),
            BLOCK_SIZE,
        ),
        see=("memmap", "altmap", "memory block"),
    ),
    Topic(
        id="memory-hotplug",
        title="adding RAM to a running machine",
        names=("memory hotplug", "hotplug", "add_memory", "dimm", "DIMM"),
        text=(
            "The kernel checks that the range is whole memory blocks, reserves it in /proc/iomem, checks the node,"
            " makes a page array, creates block devices, and onlines them if told to. Each step refuses with its own"
            " errno; a refused add leaves nothing behind but what the rules say."
        ),
        rules=("block-alignment", "resource-busy", "node-impossible", "addressable-range", "block-exists"),
        steps=(IOMEM, BLOCK_SIZE),
        see=("memory block", "dimm-misaligned"),
    ),
    Topic(
        id="target-node",
        title="the NUMA node of device memory",
        names=("target node", "target_node", "no-target-node", "numa node", "SRAT"),
        text=(
            "Device memory that becomes RAM joins its target node, which the firmware names (SRAT for DIMMs and "
            "NVDIMMs, CEDT windows and HMAT for CXL). Without one, kmem refuses. Nodes must be known at boot."
        ),
        rules=("kmem-node", "node-impossible"),
        cases=("C47",),
        steps=(Step("See the target nodes.", ("daxctl", "list", "-D")),),
        see=("kmem",),
    ),
)
