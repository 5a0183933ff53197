"""Onlining and offlining the blocks of a range, as the hot-add and hot-remove paths do it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.kernel.memory_block import device_offline, device_online, walk_memory_blocks
from sparsemem.kernel.memory_hotplug.zones import ZONE_MOVABLE
from sparsemem.kernel.refusal import Refusal

if TYPE_CHECKING:
    from sparsemem.kernel.state import State

__all__ = ["device_offline_each", "online_memory_blocks", "reonline"]


def online_memory_blocks(state: State, start: int, size: int, online_type: str) -> None:
    """``online_memory_block`` over the range; the walk stops at the first error, which nobody hears of."""
    for nr, _ in list(walk_memory_blocks(state, start, size)):
        try:
            device_online(state, nr, online_type)
        except Refusal:
            return


def device_offline_each(state: State, start: int, size: int, done: list[tuple[int, str]]) -> None:
    """Offline every block of the range; ``done`` gets (block, how it was online). Raises the first Refusal."""
    for nr, block in list(walk_memory_blocks(state, start, size)):
        was = "online_movable" if block.zone == ZONE_MOVABLE else "online_kernel"
        if device_offline(state, nr):
            done.append((nr, was))


def reonline(state: State, done: list[tuple[int, str]]) -> None:
    """Put blocks back online; a failure is only logged."""
    for nr, online_type in done:
        try:
            device_online(state, nr, online_type)
        except Refusal as refusal:
            state.log("warn", f"try_reonline_memory_block: Failed to re-online memory: {-refusal.errno}")
