"""What the virtio-mem driver does when memory blocks change their state: it may have more to plug or to unplug now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.kernel.virtio_mem.table import devices, offline_size, virtio_mem_retry

if TYPE_CHECKING:
    from sparsemem.kernel.state import State
    from sparsemem.kernel.virtio_mem.table import VirtioMem

__all__ = ["NB_OFFLINE_THRESHOLD", "virtio_mem_could_add_memory", "virtio_mem_memory_notifier_cb"]

NB_OFFLINE_THRESHOLD = 10
"""``VIRTIO_MEM_NB_OFFLINE_THRESHOLD``, up to v5.10: as many memory blocks may be added and offline."""


def virtio_mem_could_add_memory(state: State, vm: VirtioMem, size: int) -> bool:
    """May ``size`` bytes more be added and offline?"""
    return offline_size(state, vm) + size <= vm.offline_threshold


def virtio_mem_memory_notifier_cb(state: State, block_id: int, action: str) -> None:
    """A memory block went "online" or "offline" and has its new state. Nothing of it is refused: a block that the driver would not
    let go online is none that exists.
    """
    if "virtio_mem" not in state.misc:
        return
    size: int = state.misc["memory_block_size_bytes"]
    start = block_id * size
    for vm in devices(state):
        if start + size <= vm.addr or start >= vm.addr + vm.region_size:
            continue
        if not state.kernel.features.virtio_mem_big_block_mode:
            again = action == "offline" or offline_size(state, vm) == (NB_OFFLINE_THRESHOLD - 1) * size
        elif action == "offline":
            again = not vm.unplug_online
        else:
            at_work = state.misc.get("virtio_mem_active") == vm.name
            again = not at_work and virtio_mem_could_add_memory(state, vm, vm.offline_threshold // 2)
        if again:
            virtio_mem_retry(state, vm.name)
