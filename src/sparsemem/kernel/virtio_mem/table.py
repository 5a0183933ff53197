"""The virtio-mem devices of a guest as their driver knows them, and the state of each of their blocks. Bytes and block numbers.

In Sub Block Mode (SBM) a block is a Linux memory block, and its sub-blocks are plugged one by one; in Big Block Mode (BBM) it is
one or more memory blocks, plugged as a whole: one sub-block. What the driver keeps as the state of a block follows from its plugged
sub-blocks and from the memory blocks themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sparsemem.kernel.memory_hotplug.zones import ZONE_MOVABLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.kernel.state import MemoryBlock, State

__all__ = [
    "ADDED",
    "KERNEL",
    "KERNEL_PARTIAL",
    "MOVABLE",
    "MOVABLE_PARTIAL",
    "OFFLINE",
    "OFFLINE_PARTIAL",
    "PLUGGED",
    "UNUSED",
    "VirtioMem",
    "block_state",
    "blocks_of",
    "device_of",
    "devices",
    "in_states",
    "offline_size",
    "put_device",
    "take_work",
    "virtio_mem_retry",
    "vm_of",
]

UNUSED, PLUGGED, ADDED = "unused", "plugged", "added"
OFFLINE, OFFLINE_PARTIAL = "offline", "offline partial"
KERNEL, KERNEL_PARTIAL = "kernel", "kernel partial"
MOVABLE, MOVABLE_PARTIAL = "movable", "movable partial"

_DEVICES, _WORK = "virtio_mem", "virtio_mem_work"


class VirtioMem(NamedTuple):
    """``struct virtio_mem``.

    ``requested_size`` and ``usable_region_size`` are the configuration last read. ``block_size``: bytes of a block (memory block or
    big block), ``sb_size`` of a sub-block; ``first_id``: the number of the first block, ``plugged``: for each block that was ever
    prepared, from there on, the mask of its plugged sub-blocks. ``group``: its memory group (v5.15+). ``offline_threshold``: bytes
    that may be added and offline, ``broken``: an error that the driver cannot handle has stopped it.
    """

    name: str
    addr: int
    region_size: int
    device_block_size: int
    nid: int
    requested_size: int
    usable_region_size: int
    in_sbm: bool
    block_size: int
    sb_size: int
    first_id: int
    offline_threshold: int
    unplug_online: bool = True
    group: int | None = None
    plugged: tuple[int, ...] = ()
    broken: bool = False

    @property
    def sbs(self) -> int:
        """Sub-blocks of a block."""
        return self.block_size // self.sb_size

    @property
    def all_sbs(self) -> int:
        """The mask of a block that is plugged as a whole."""
        return (1 << self.sbs) - 1

    @property
    def plugged_size(self) -> int:
        """Bytes that are plugged now."""
        return sum(mask.bit_count() for mask in self.plugged) * self.sb_size

    @property
    def next_id(self) -> int:
        """The next block to prepare."""
        return self.first_id + len(self.plugged)

    @property
    def last_usable_id(self) -> int:
        """The last block that lies in the usable region as a whole."""
        return (self.addr + self.usable_region_size) // self.block_size - 1

    def mask(self, block_id: int) -> int:
        """The plugged sub-blocks of a block."""
        return self.plugged[block_id - self.first_id]

    def start(self, block_id: int) -> int:
        """Where a block starts."""
        return block_id * self.block_size

    def with_mask(self, block_id: int, mask: int) -> VirtioMem:
        """The same with other sub-blocks of one block plugged."""
        index = block_id - self.first_id
        return self._replace(plugged=(*self.plugged[:index], mask, *self.plugged[index + 1 :]))


def devices(state: State) -> tuple[VirtioMem, ...]:
    """Every device with a driver, in order of their probes."""
    found: tuple[VirtioMem, ...] = state.misc.get(_DEVICES, ())
    return found


def device_of(state: State, name: str) -> VirtioMem | None:
    """The device of that name ("virtio0"); None where no driver has it."""
    return next((each for each in devices(state) if each.name == name), None)


def vm_of(state: State, name: str) -> VirtioMem:
    """The same, for a device that is there."""
    return next(each for each in devices(state) if each.name == name)


def put_device(state: State, vm: VirtioMem) -> None:
    """Write a device back, or add it."""
    others = devices(state)
    known = any(each.name == vm.name for each in others)
    new = tuple(vm if each.name == vm.name else each for each in others) if known else (*others, vm)
    if new != others:
        state.put(state.misc, _DEVICES, new)


def blocks_of(state: State, vm: VirtioMem, block_id: int) -> list[tuple[int, MemoryBlock]]:
    """The memory blocks that exist in one of the device's blocks, with their numbers."""
    size: int = state.misc["memory_block_size_bytes"]
    first = vm.start(block_id) // size
    numbers = range(first, first + vm.block_size // size)
    return [(nr, state.blocks[nr]) for nr in numbers if nr in state.blocks]


def block_state(state: State, vm: VirtioMem, block_id: int) -> str:
    """What ``mb_states`` or ``bb_states`` has for the block."""
    mask, present = vm.mask(block_id), blocks_of(state, vm, block_id)
    if not present:
        return PLUGGED if mask else UNUSED
    if not vm.in_sbm:
        return ADDED
    whole, block = mask == vm.all_sbs, present[0][1]
    if block.state == "offline":
        return OFFLINE if whole else OFFLINE_PARTIAL
    if block.zone == ZONE_MOVABLE:
        return MOVABLE if whole else MOVABLE_PARTIAL
    return KERNEL if whole else KERNEL_PARTIAL


def in_states(state: State, name: str, *wanted: str, reverse: bool = False) -> Iterator[tuple[VirtioMem, int]]:
    """The blocks in these states, upwards or downwards, each looked at when its turn comes, with the device as it is then."""
    vm = vm_of(state, name)
    numbers = range(vm.first_id, vm.next_id)
    for block_id in reversed(numbers) if reverse else numbers:
        vm = vm_of(state, name)
        if block_state(state, vm, block_id) in wanted:
            yield vm, block_id


def offline_size(state: State, vm: VirtioMem) -> int:
    """Bytes of the device that are added and offline."""
    size: int = state.misc["memory_block_size_bytes"]
    numbers = range(vm.first_id, vm.next_id)
    found = (block for each in numbers for _, block in blocks_of(state, vm, each))
    return sum(size for block in found if block.state == "offline")


def virtio_mem_retry(state: State, name: str) -> None:
    """Have the device's work run when what is being done now has ended."""
    waiting: frozenset[str] = state.misc.get(_WORK, frozenset())
    if name not in waiting:
        state.put(state.misc, _WORK, waiting | {name})


def take_work(state: State) -> str | None:
    """The next device whose work is to run; None when there is none."""
    waiting: frozenset[str] = state.misc.get(_WORK, frozenset())
    if not waiting:
        return None
    name = min(waiting)
    if len(waiting) > 1:
        state.put(state.misc, _WORK, waiting - {name})
    else:
        state.drop(state.misc, _WORK)
    return name
