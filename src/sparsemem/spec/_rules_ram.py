"""Rules of system RAM: mm/memory_hotplug.c, drivers/base/memory.c, drivers/base/memory block devices."""

from __future__ import annotations

from sparsemem.spec._rule import Rule

__all__ = ["RULES"]

_READ = "(read in 5.10, 6.1, 6.12, 7.2)"
_BLOCK_SIZE = 'Linux kernel commit fe124c95df9e ("x86/mm: use max memory block size on bare metal") (in v5.9)'

RULES: tuple[Rule, ...] = (
    Rule(
        "block-alignment",
        "system RAM comes and goes in whole memory blocks",
        "Start and size of RAM that is added or removed must be multiples of the memory block size (block_size_bytes),"
        " and not zero. Sub-section hotplug changed nothing here: it is for device memory.",
        ("check_hotplug_memory_range",),
        f"mm/memory_hotplug.c {_READ}; up to 4.16 the unit was a section",
        errnos=("EINVAL",),
    ),
    Rule(
        "memory-block-size",
        "the memory block size is the kernel's choice",
        "On x86-64 a memory block is 128 MiB below 64 GiB of memory, else up to 2 GiB: on bare metal 2 GiB, in a"
        " virtual machine the largest power of two that divides the end of boot memory. A CXL window whose bounds are"
        " aligned to less lowers it again from 6.16. arm64, riscv and loongarch use one section; s390x the larger of a"
        " section and the storage increment; ppc64 what the firmware says.",
        ("memory_block_size_bytes", "probe_memory_block_size"),
        _BLOCK_SIZE,
    ),
    Rule(
        "resource-busy",
        "an address range has one owner",
        "Before memory is added its range is reserved in /proc/iomem. A busy entry that overlaps it refuses the add.",
        ("register_memory_resource", "__request_region"),
        f"mm/memory_hotplug.c, kernel/resource.c {_READ}",
        errnos=("EEXIST",),
    ),
    Rule(
        "resource-name",
        "driver-managed RAM is named System RAM (...)",
        'A driver that adds memory must name it "System RAM (" followed by its name and a closing parenthesis.',
        ("add_memory_driver_managed",),
        f"mm/memory_hotplug.c {_READ}",
        since="5.8",
        errnos=("EINVAL",),
    ),
    Rule(
        "node-impossible",
        "memory is added only to a NUMA node that booted as possible",
        "The set of possible nodes is fixed at boot from the firmware tables (SRAT, CEDT). Memory for another node is"
        " refused.",
        ("add_memory_resource",),
        f"mm/memory_hotplug.c {_READ}",
        since="5.10",
        errnos=("EINVAL",),
    ),
    Rule(
        "group-unknown",
        "a memory group must exist",
        "The memory group that the driver names is not registered.",
        ("add_memory_resource", "memory_group_find_by_id"),
        "mm/memory_hotplug.c (read in 6.1, 6.12, 7.2)",
        since="5.15",
        errnos=("EINVAL",),
    ),
    Rule(
        "group-invalid",
        "a memory group has a size and a possible node",
        "A static group needs a page limit above zero; a dynamic group a unit that is a power of two and at least a"
        " memory block; both a node that is possible.",
        ("memory_group_register_static", "memory_group_register_dynamic"),
        "drivers/base/memory.c (read in 6.1, 6.12, 7.2)",
        since="5.15",
        errnos=("EINVAL",),
    ),
    Rule(
        "group-busy",
        "a memory group with blocks stays",
        "A memory group can be unregistered only when no memory block belongs to it.",
        ("memory_group_unregister",),
        "drivers/base/memory.c (read in 6.1, 6.12, 7.2)",
        since="5.15",
        errnos=("EBUSY",),
    ),
    Rule(
        "memory-limit",
        "mem= caps memory while booting",
        "While the system boots, memory above a limit given with mem= is refused.",
        ("register_memory_resource",),
        f"mm/memory_hotplug.c {_READ}",
        errnos=("E2BIG",),
    ),
    Rule(
        "memmap-on-memory-unsupported",
        "memmap_on_memory fits only some blocks",
        "The page array of a memory block can lie in the block itself only if it fills whole page-table mappings (on"
        " x86-64 a multiple of 2 MiB) and the rest stays a multiple of a pageblock. 5.14 to 6.5 also need the added"
        " range to be exactly one block and refuse otherwise; from 6.6 the request is dropped silently and the page"
        " array comes from other RAM.",
        ("mhp_supports_memmap_on_memory", "add_memory_resource"),
        "mm/memory_hotplug.c (read in 6.1, 6.12, 7.2)",
        since="5.14",
        errnos=("EINVAL",),
    ),
    Rule(
        "memmap-on-memory-granularity",
        "a block with its own memmap is removed alone",
        "Memory added with memmap_on_memory is removed one block at a time up to 6.7. Later kernels remove a range"
        " whose blocks all have, or all lack, their own memmap.",
        ("try_remove_memory",),
        "mm/memory_hotplug.c (read in 6.1, 6.12, 7.2)",
        since="5.14",
        errnos=("EINVAL",),
    ),
    Rule(
        "block-exists",
        "a memory block device exists once",
        "A block device of the range exists already; those created in this call are undone.",
        ("create_memory_block_devices", "add_memory_block"),
        f"drivers/base/memory.c {_READ}",
        errnos=("EEXIST",),
    ),
    Rule(
        "block-device-alignment",
        "block devices cover whole blocks",
        "Creating or removing block devices for part of a block is a bug of the caller.",
        ("create_memory_block_devices", "remove_memory_block_devices"),
        f"drivers/base/memory.c {_READ}",
        errnos=("EINVAL",),
    ),
    Rule(
        "block-online",
        "only offline memory is removed",
        "Every memory block of the range must be offline before the range can be removed.",
        ("try_remove_memory", "check_memblock_offlined_cb"),
        f"mm/memory_hotplug.c {_READ}",
        errnos=("EBUSY",),
    ),
    Rule(
        "block-state",
        "a block changes state only from the other state",
        "Onlining needs an offline block, offlining an online one; writing the state it already has is refused.",
        ("state_store", "memory_block_change_state"),
        f"drivers/base/memory.c {_READ}",
        errnos=("EINVAL",),
    ),
    Rule(
        "sysfs-path",
        "only files that exist can be written",
        "Below /sys/devices/system/memory there is a directory for each memory block and a few files; other names are"
        " not there, and some files can not be written.",
        ("open",),
        f"drivers/base/memory.c {_READ}",
        errnos=("ENOENT", "EACCES"),
    ),
    Rule(
        "block-state-word",
        "the state file knows four words",
        "/sys/devices/system/memory/memoryN/state takes online, online_kernel, online_movable or offline.",
        ("state_store", "mhp_online_type_from_str"),
        f"drivers/base/memory.c {_READ}",
        errnos=("EINVAL",),
    ),
    Rule(
        "online-span-alignment",
        "onlining works on whole sections",
        "A range that goes online or offline ends at a section and starts at one (with its own memmap in front: at a"
        " pageblock).",
        ("online_pages", "offline_pages"),
        f"mm/memory_hotplug.c {_READ}",
        errnos=("EINVAL",),
    ),
    Rule(
        "memory-holes",
        "a block with a hole never goes offline",
        "Offlining needs every page of the block to be System RAM. A boot block that is partly a hole, reserved, or"
        " device memory can never be offlined.",
        ("offline_pages", "walk_system_ram_range"),
        f"mm/memory_hotplug.c {_READ}",
        since="5.5",
        errnos=("EINVAL",),
    ),
    Rule(
        "multizone-block",
        "a block in two zones never goes offline",
        "Offlining needs all pages of the block in one zone and one node. A boot block across a zone border (at 16 MiB"
        " or 4 GiB on x86-64) or with two nodes stays online.",
        ("offline_pages", "memory_block_offline"),
        f"mm/memory_hotplug.c, drivers/base/memory.c {_READ}",
        errnos=("EINVAL",),
    ),
    Rule(
        "isolation-failure",
        "pages that can not be isolated keep a block online",
        "Before migration every pageblock is isolated; a page that can not move (kernel data, pinned, reserved) makes"
        " that fail.",
        ("start_isolate_page_range", "offline_pages"),
        f"mm/memory_hotplug.c {_READ}",
        errnos=("EBUSY",),
    ),
    Rule(
        "unmovable-page",
        "a page that can not move keeps a block online",
        "Pages of a block that goes offline are migrated. One that appears and can not be migrated ends the attempt.",
        ("offline_pages", "scan_movable_pages"),
        f"mm/memory_hotplug.c {_READ}",
        errnos=("EBUSY",),
    ),
    Rule(
        "notifier-refused",
        "a driver may veto",
        "Drivers are asked before memory goes online or offline; one of them refused.",
        ("memory_notify", "online_pages", "offline_pages"),
        f"mm/memory_hotplug.c {_READ}",
        errnos=("EBUSY", "EPERM"),
    ),
    Rule(
        "boot-memory-offline",
        "arm64 keeps its boot memory",
        "On arm64 memory that was present at boot can be neither offlined nor removed.",
        ("prevent_bootmem_remove_notifier",),
        f"arch/arm64/mm/mmu.c {_READ}",
        errnos=("EPERM",),
    ),
    Rule(
        "hwpoisoned-block",
        "a block with a bad page does not come back",
        "A block in which a page was poisoned by a hardware error is not put online again.",
        ("memory_block_online",),
        "drivers/base/memory.c (read in 6.1, 6.12, 7.2)",
        errnos=("EHWPOISON",),
    ),
    Rule(
        "removal-alignment",
        "RAM is removed in whole memory blocks",
        "A driver that removes RAM with a range that is not a multiple of memory blocks crashes the kernel (BUG_ON); "
        "offline_and_remove_memory() refuses it instead.",
        ("try_remove_memory", "offline_and_remove_memory"),
        f"mm/memory_hotplug.c {_READ}",
        errnos=("EINVAL",),
    ),
    Rule(
        "no-memory-hotplug",
        "memory hot-plug is not in every kernel",
        "A kernel whose architecture has no memory hot-plug lacks these functions: arm64 before 5.1 (removal: 5.7), riscv64 "
        "before 6.11. Without removal, remove_memory() is a stub and no block goes offline.",
        ("add_memory", "remove_memory", "offline_pages", "arch_add_memory", "arch_remove_memory"),
        "mm/Kconfig and arch/*/Kconfig, include/linux/memory_hotplug.h (read in 5.10, 6.1, 6.12, 7.2)",
        errnos=("ENOSYS", "EBUSY", "EINVAL"),
    ),
    Rule(
        "linear-region",
        "hot-added memory lies in the direct map",
        "arm64 maps all memory at one offset; what lies beyond the end of that map can not be added.",
        ("arch_add_memory",),
        'Linux kernel commit 58284a901b42 ("arm64/mm: Validate hotplug range before creating linear mapping") (in v5.11)',
        "5.10",
        "5.11",
        errnos=("EINVAL",),
    ),
    Rule(
        "function-later",
        "the function came with a later kernel",
        "add_memory_driver_managed() and offline_and_remove_memory() came with 5.8: no driver of an older kernel can call them.",
        ("add_memory_driver_managed", "offline_and_remove_memory"),
        'Linux kernel commits 7b7b27214bba ("mm/memory_hotplug: introduce add_memory_driver_managed()") and 08b3acd7a68f '
        '("mm/memory_hotplug: Introduce offline_and_remove_memory()") (in v5.8)',
        until="5.7",
        errnos=("ENOSYS",),
    ),
    Rule(
        "virtio-mem-block-size",
        "a block of a virtio-mem device fits into a memory block",
        "The driver plugs sub-blocks of a memory block; a device whose own blocks are larger is not used at all. Later kernels use it "
        "in big blocks.",
        ("virtio_mem_init",),
        'Linux kernel commit 4ba50cd3355d ("virtio-mem: Big Block Mode (BBM) memory hotplug") (in v5.11)',
        "5.8",
        "5.10",
        errnos=("EINVAL",),
    ),
)
