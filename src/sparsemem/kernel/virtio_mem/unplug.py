"""Unplugging: what is offline first, then what is online, from the highest block and its highest sub-block down.

An online sub-block goes when all of its pages can be moved away. In Movable they can. In a kernel zone that is luck: it hangs on where
the kernel's own pages lie. Assumed is what is assumed of offlining: a block in ``misc["unmovable_blocks"]`` keeps every sub-block,
another one none.

Functions that return a number return 0 or a positive errno.
"""

from __future__ import annotations

from errno import EBUSY
from typing import TYPE_CHECKING

from sparsemem.kernel.memory_hotplug.add_remove import offline_and_remove_memory, remove_memory
from sparsemem.kernel.memory_hotplug.zones import ZONE_MOVABLE
from sparsemem.kernel.refusal import Refusal
from sparsemem.kernel.virtio_mem.table import (
    ADDED,
    KERNEL,
    KERNEL_PARTIAL,
    MOVABLE,
    MOVABLE_PARTIAL,
    OFFLINE,
    OFFLINE_PARTIAL,
    blocks_of,
    in_states,
    put_device,
    virtio_mem_retry,
    vm_of,
)

if TYPE_CHECKING:
    from sparsemem.kernel.state import State
    from sparsemem.kernel.virtio_mem.table import VirtioMem

__all__ = ["virtio_mem_try_remove_unplugged", "virtio_mem_unplug_request"]


def _movable(state: State, nr: int) -> bool:
    """Can the pages of a memory block be moved away? See the docstring of the module."""
    return nr not in state.misc.get("unmovable_blocks", frozenset())


def _highest(mask: int, count: int) -> int:
    """The ``count`` highest bits of a mask."""
    found = 0
    while mask and count:
        bit = 1 << mask.bit_length() - 1
        found, mask, count = found | bit, mask ^ bit, count - 1
    return found


def _removed(state: State, vm: VirtioMem) -> None:
    if state.kernel.features.virtio_mem_big_block_mode:
        virtio_mem_retry(state, vm.name)


def _offline_and_remove(state: State, vm: VirtioMem, block_id: int) -> int:
    try:
        offline_and_remove_memory(state, vm.start(block_id), vm.block_size)
    except Refusal as refusal:
        if refusal.crash:
            raise
        return EBUSY
    _removed(state, vm)
    return 0


def virtio_mem_try_remove_unplugged(state: State, name: str) -> bool:
    """Remove the memory blocks that have nothing plugged any more (v6.6+): are they all gone?"""
    gone = True
    for wanted in (MOVABLE_PARTIAL, KERNEL_PARTIAL, OFFLINE_PARTIAL):
        for vm, block_id in in_states(state, name, wanted):
            if not vm.mask(block_id) and _offline_and_remove(state, vm, block_id):
                gone = False
    return gone


def _unplug_any_sb_offline(state: State, vm: VirtioMem, block_id: int, nb_sb: int) -> int:
    taken = _highest(vm.mask(block_id), nb_sb)
    left = vm.with_mask(block_id, vm.mask(block_id) & ~taken)
    put_device(state, left)
    if not left.mask(block_id):
        remove_memory(state, vm.start(block_id), vm.block_size)
        _removed(state, vm)
    return nb_sb - taken.bit_count()


def _unplug_any_sb_online(state: State, vm: VirtioMem, block_id: int, nb_sb: int) -> int:
    taken = _highest(vm.mask(block_id), nb_sb) if _movable(state, block_id) else 0
    left = vm.with_mask(block_id, vm.mask(block_id) & ~taken)
    put_device(state, left)
    if not left.mask(block_id):
        _offline_and_remove(state, vm, block_id)
    return nb_sb - taken.bit_count()


def _sbm_unplug_request(state: State, name: str, nb_sb: int) -> int:
    order: tuple[tuple[str, ...], ...] = (
        (OFFLINE_PARTIAL,), (OFFLINE,), (KERNEL_PARTIAL, MOVABLE_PARTIAL), (KERNEL, MOVABLE),
    )  # fmt: skip
    if state.kernel.features.virtio_mem_movable_first:
        order = ((OFFLINE_PARTIAL,), (OFFLINE,), (MOVABLE_PARTIAL,), (KERNEL_PARTIAL,), (MOVABLE,), (KERNEL,))
    for index, wanted in enumerate(order):
        for vm, block_id in in_states(state, name, *wanted, reverse=True):
            unplug = _unplug_any_sb_offline if index < 2 else _unplug_any_sb_online
            nb_sb = unplug(state, vm, block_id, nb_sb)
            if not nb_sb:
                return 0
        if index == 1 and not vm_of(state, name).unplug_online:
            return 0
    return EBUSY


def _offline_remove_and_unplug_bb(state: State, vm: VirtioMem, block_id: int) -> int:
    if any(block.state == "online" and not _movable(state, nr) for nr, block in blocks_of(state, vm, block_id)):
        return EBUSY
    errno = _offline_and_remove(state, vm, block_id)
    if not errno:
        put_device(state, vm_of(state, vm.name).with_mask(block_id, 0))
    return errno


def _bbm_unplug_request(state: State, name: str, nb_bb: int) -> int:
    passes = ("offline", "movable", "any") if state.kernel.features.virtio_mem_movable_first else ("offline", "any")
    for each in passes:
        for vm, block_id in in_states(state, name, ADDED, reverse=True):
            online = [block for _, block in blocks_of(state, vm, block_id) if block.state == "online"]
            if each == "offline" and online:
                continue
            if each == "movable" and any(block.zone != ZONE_MOVABLE for block in online):
                continue
            if _offline_remove_and_unplug_bb(state, vm, block_id):
                continue
            nb_bb -= 1
            if not nb_bb:
                return 0
        if each == "offline" and not vm_of(state, name).unplug_online:
            return 0
    return EBUSY


def virtio_mem_unplug_request(state: State, name: str, diff: int) -> int:
    """Unplug ``diff`` bytes, as far as whole sub-blocks go. EBUSY: not everything can go now."""
    vm = vm_of(state, name)
    count = diff // vm.sb_size
    if not count:
        return 0
    return (_sbm_unplug_request if vm.in_sbm else _bbm_unplug_request)(state, name, count)
