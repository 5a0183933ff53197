"""``drivers/virtio/virtio_mem.c``: table (devices and blocks), notifier, plug, unplug, driver (probe and work queue)."""
