"""Where the bytes of the memory blocks are, by node: before and after. They add up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.kernel.dax.types import KMEM, DevDax
from sparsemem.planner.memory.intent import runs
from sparsemem.planner.memory.prove import chmem
from sparsemem.planner.memory.select import block_zone_word, device_blocks
from sparsemem.planner.plan import MemoryBalance

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.kernel.state import State
    from sparsemem.planner.intent import Intent
    from sparsemem.planner.plan import PlannedBlocks

__all__ = ["memory_balance", "memory_notes"]


def memory_balance(state: State) -> tuple[MemoryBalance, ...]:
    """One for each node that has memory blocks."""
    size: int = state.misc["memory_block_size_bytes"]
    found: dict[int, list[int]] = {}
    for number, block in state.blocks.items():
        parts = found.setdefault(block.nid, [0, 0, 0])
        word = block_zone_word(state, number)
        parts[2 if word == "offline" else 1 if word == "Movable" else 0] += size
    return tuple(
        MemoryBalance(numa_node=nid, kernel=kernel, movable=movable, offline=offline)
        for nid, (kernel, movable, offline) in sorted(found.items())
    )


def _partly_online(state: State, wanted: set[int]) -> Iterator[str]:
    """A sentence for each device whose memory is not all online, with the command that brings the rest. ``wanted``: blocks that are meant
    to be offline."""
    for name, dev in state.dax.items():
        if not isinstance(dev, DevDax) or dev.driver != KMEM:
            continue
        blocks = device_blocks(state, dev)
        off = [number for number in blocks if state.blocks[number].state == "offline" and number not in wanted]
        if off:
            commands = ", ".join(" ".join(chmem("online", run)) for run in runs(off)[:4])
            yield (
                f"{name} is system-ram, and {len(off)} of its {len(blocks)} memory blocks {'is' if len(off) == 1 else 'are'} offline: "
                f'"online {name}" plans what brings them online ({commands}).'
            )


def memory_notes(intent: Intent, state: State, planned: list[PlannedBlocks]) -> Iterator[str]:
    """What there is to know of an intent's memory items, and of memory that stays offline: sentences."""
    if intent.memory and not planned:
        yield "The memory is as it is wanted: there is nothing to do for it."
    if any(each.action == "online" and each.zone != "Movable" for each in planned):
        yield "Memory in a kernel zone can hold the kernel's own pages: taking it back may be refused then."
    if any(each.action == "offline" and each.zone != "Movable" for each in planned):
        yield (
            "Which pages of a kernel zone can move is not modelled beyond what real kernels showed (docs/scenarios.md): there the kernel "
            "may answer otherwise, and --apply and the script stop then."
        )
    off = {number for each in planned if each.action == "offline" for number in range(*each.blocks)}
    yield from _partly_online(state, off)
