"""``mm/memory_hotplug.c``, a room a file: pages, zones, online, add_remove, groups, memmap_on_memory."""
