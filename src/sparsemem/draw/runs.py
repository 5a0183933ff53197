"""Runs of equal sections: the one pass over the section table."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from sparsemem.kernel.mmzone import SECTION_HAS_MEM_MAP, SECTION_MARKED_PRESENT
from sparsemem.kernel.state import MemoryBlock, MemSection

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sparsemem.kernel.state import State

__all__ = ["Run", "absent_between", "present_runs"]

_PRESENT = SECTION_MARKED_PRESENT | SECTION_HAS_MEM_MAP

#: first section nr, how many, the section (None: absent), its memory block
Run = tuple[int, int, MemSection | None, MemoryBlock | None]


def present_runs(state: State, per_block: int, breaks: set[int]) -> Iterator[Run]:
    """Runs of equal sections in equal memory blocks, cut at ``breaks`` (section numbers); absent sections are left out."""
    sections, blocks = state.sections, state.blocks
    first = previous = -2
    run_ms = MemSection(0, None)
    run_block: MemoryBlock | None = None
    for nr in sorted(sections):
        ms = sections[nr]
        if not ms.section_mem_map & _PRESENT:
            continue
        block = blocks.get(nr // per_block)
        if (
            nr == previous + 1
            and (ms is run_ms or ms == run_ms)
            and (block is run_block or _same_block(block, run_block))
            and nr not in breaks
        ):
            previous = nr
            continue
        if first >= 0:
            yield first, previous + 1 - first, run_ms, run_block
        first = previous = nr
        run_ms, run_block = ms, block
    if first >= 0:
        yield first, previous + 1 - first, run_ms, run_block


def _same_block(a: MemoryBlock | None, b: MemoryBlock | None) -> bool:
    if a is None or b is None:
        return a is b
    return a == b or a._replace(group=None) == b._replace(group=None)


def absent_between(runs: Iterable[Run], breaks: set[int], last: int) -> Iterator[Run]:
    """The runs with what is absent before, between and after them, up to section ``last``; cut at ``breaks``, too."""
    cuts = sorted(breaks)
    at = 0
    for run in runs:
        yield from _absent(at, run[0], cuts)
        yield run
        at = run[0] + run[1]
    yield from _absent(at, last, cuts)


def _absent(low: int, high: int, cuts: list[int]) -> Iterator[Run]:
    while low < high:
        at = bisect_right(cuts, low)
        stop = min(cuts[at], high) if at < len(cuts) else high
        yield low, stop - low, None, None
        low = stop
