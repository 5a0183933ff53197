"""Machines with a virtio-mem device, and sizes to request of it, weighted to the edges of sub-blocks and memory blocks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sparsemem.play.scenario import VirtioMemTable

if TYPE_CHECKING:
    from random import Random

    from sparsemem.play.scenario import MachineTable

__all__ = ["draw_resize", "with_virtio_mem"]

_MIB = 1 << 20
_SIZES = (256, 512, 512, 600, 1024, 130, 2048)
_BLOCK_SIZES = (None, None, None, None, 1, 4, 8, 64, 128, 256)
_POLICIES = ("online_movable", "online_movable", "online_movable", "online_movable", "offline", "online")


def _requested(rng: Random, device: VirtioMemTable) -> int:
    block = device.block_size or 2 * _MIB
    near = rng.choice((0, 0, 128, 128, 256, 256, 384, 512, device.size // _MIB)) * _MIB
    offset = rng.choice((0, 0, 0, block, -block, 2 * _MIB, -2 * _MIB, 4 * _MIB, 6 * _MIB, -64 * _MIB, 32 * _MIB))
    return max(near + offset, 0)


def with_virtio_mem(rng: Random, table: MachineTable) -> MachineTable:
    """The machine with a device, sometimes two. What is onlined goes to Movable most of the time: unplugging the rest is luck."""
    devices = []
    for _ in range(rng.choice((1, 1, 1, 2))):
        block = rng.choice(_BLOCK_SIZES)
        unit = (block or 2) * _MIB
        size = max(rng.choice(_SIZES) * _MIB // unit * unit, unit)
        device = VirtioMemTable(size, block_size=None if block is None else unit)
        wanted = min(_requested(rng, device), size) // unit * unit
        devices.append(replace(device, requested=wanted))
    words = [word for word in table.cmdline.split() if not word.startswith("memhp_default_state")]
    words.append(f"memhp_default_state={rng.choice(_POLICIES)}")
    return replace(table, cmdline=" ".join(words), virtio_mem=tuple(devices))


def draw_resize(rng: Random, table: MachineTable) -> str:
    """A step that requests another size; QEMU refuses some."""
    index = rng.randrange(len(table.virtio_mem))
    device = table.virtio_mem[index]
    size = _requested(rng, device)
    if rng.random() < 0.93:  # most are whole blocks that fit
        unit = device.block_size or 2 * _MIB
        size = min(size, device.size) // unit * unit
    return f"resize vm{index} {size // _MIB}M"
