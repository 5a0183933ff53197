"""Plugging: sub-blocks into memory blocks that have room, then memory blocks, or big blocks, from the lowest address on.

Functions that return a number return 0 or a positive errno.
"""

from __future__ import annotations

from errno import ENOSPC
from typing import TYPE_CHECKING

from sparsemem.kernel.memory_hotplug.add_remove import (
    MHP_MERGE_RESOURCE,
    MHP_NID_IS_MGID,
    add_memory_driver_managed,
)
from sparsemem.kernel.refusal import Refusal
from sparsemem.kernel.virtio_mem.notifier import NB_OFFLINE_THRESHOLD, virtio_mem_could_add_memory
from sparsemem.kernel.virtio_mem.table import (
    KERNEL_PARTIAL,
    MOVABLE_PARTIAL,
    OFFLINE_PARTIAL,
    UNUSED,
    in_states,
    offline_size,
    put_device,
    vm_of,
)

if TYPE_CHECKING:
    from sparsemem.kernel.state import State
    from sparsemem.kernel.virtio_mem.table import VirtioMem

__all__ = ["RESOURCE_NAME", "virtio_mem_plug_request"]

RESOURCE_NAME = "System RAM (virtio_mem)"


def _add_memory(state: State, vm: VirtioMem, block_id: int) -> int:
    nid, flags = vm.nid, MHP_MERGE_RESOURCE
    if vm.group is not None:
        nid, flags = vm.group, flags | MHP_NID_IS_MGID
    try:
        add_memory_driver_managed(state, nid, vm.start(block_id), vm.block_size, RESOURCE_NAME, flags)
    except Refusal as refusal:
        if state.kernel.features.virtio_mem_big_block_mode:
            state.log("warn", f"virtio_mem {vm.name}: adding memory failed: {-refusal.errno}")
        else:
            state.log("err", f"virtio_mem {vm.name}: adding memory block {block_id} failed with {-refusal.errno}")
        return refusal.errno
    return 0


def _no_room(state: State, vm: VirtioMem) -> bool:
    """Is too much of the device offline to add another block?"""
    if state.kernel.features.virtio_mem_big_block_mode:
        return not virtio_mem_could_add_memory(state, vm, vm.block_size)
    return offline_size(state, vm) >= NB_OFFLINE_THRESHOLD * vm.block_size


def _plug_and_add(state: State, name: str, block_id: int, nb_sb: int) -> tuple[int, int]:
    """Plug the first sub-blocks of a block and add it: (errno, how many are left to plug)."""
    vm = vm_of(state, name)
    count = min(nb_sb, vm.sbs)
    put_device(state, vm.with_mask(block_id, (1 << count) - 1))
    errno = _add_memory(state, vm, block_id)
    if errno:
        put_device(state, vm.with_mask(block_id, 0))
        return errno, nb_sb
    return 0, nb_sb - count


def _plug_any_sb(state: State, vm: VirtioMem, block_id: int, nb_sb: int) -> int:
    """Plug what is unplugged in a block that was added, from its first sub-block on: how many are left to plug."""
    mask = vm.mask(block_id)
    for sb_id in range(vm.sbs):
        if not nb_sb:
            break
        if not mask >> sb_id & 1:
            mask |= 1 << sb_id
            nb_sb -= 1
    put_device(state, vm.with_mask(block_id, mask))
    return nb_sb


def virtio_mem_plug_request(state: State, name: str, diff: int) -> int:
    """Plug ``diff`` bytes more, as far as whole sub-blocks go.

    ENOSPC: the usable region is full, or too much is offline; else what adding memory said.
    """
    vm = vm_of(state, name)
    nb_sb = diff // vm.sb_size
    if not nb_sb:
        return 0
    partial: tuple[tuple[str, ...], ...] = ((KERNEL_PARTIAL, MOVABLE_PARTIAL), (OFFLINE_PARTIAL,))
    if state.kernel.features.virtio_mem_movable_first:
        partial = ((KERNEL_PARTIAL,), (MOVABLE_PARTIAL,), (OFFLINE_PARTIAL,))
    for wanted in partial:
        for vm, block_id in in_states(state, name, *wanted):
            nb_sb = _plug_any_sb(state, vm, block_id, nb_sb)
            if not nb_sb:
                return 0
    for vm, block_id in in_states(state, name, UNUSED):
        if _no_room(state, vm):
            return ENOSPC
        errno, nb_sb = _plug_and_add(state, name, block_id, nb_sb)
        if errno or not nb_sb:
            return errno
    while nb_sb:
        vm = vm_of(state, name)
        if _no_room(state, vm) or vm.next_id > vm.last_usable_id:
            return ENOSPC
        block_id = vm.next_id
        put_device(state, vm._replace(plugged=(*vm.plugged, 0)))
        errno, nb_sb = _plug_and_add(state, name, block_id, nb_sb)
        if errno:
            return errno
    return 0
