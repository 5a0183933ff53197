"""The shortest scenario that still shows a difference: delta debugging over its steps, then a simpler machine."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sparsemem.play.scenario import MachineTable

__all__ = ["fewest", "simpler_machines", "simplest"]

_T = TypeVar("_T")
_MIB = 1 << 20


class _Spent(Exception):  # noqa: N818  (not an error: the answer so far is good)
    pass


class _Oracle(Generic[_T]):
    """Asks no question twice, and no more than ``budget`` in all."""

    def __init__(self, shows: Callable[[tuple[_T, ...]], bool], budget: int) -> None:
        self._shows = shows
        self._known: dict[tuple[_T, ...], bool] = {}
        self._left = budget

    def __call__(self, steps: Sequence[_T]) -> bool:
        key = tuple(steps)
        if key not in self._known:
            if not self._left:
                raise _Spent
            self._left -= 1
            self._known[key] = self._shows(key)
        return self._known[key]


def fewest(steps: Sequence[_T], shows: Callable[[tuple[_T, ...]], bool], budget: int = 60) -> tuple[_T, ...]:
    """Steps of which none can be left out, or the fewest that ``budget`` questions led to.

    ``shows`` says whether a scenario of those steps still has the difference; the whole one has it. The last step, which is where the
    difference is seen, stays last.
    """
    best = tuple(steps)
    oracle = _Oracle(shows, budget)
    try:
        parts = 2
        while len(best) > 1:
            size = max(1, (len(best) - 1 + parts - 1) // parts)
            smaller = None
            for start in range(0, len(best) - 1, size):
                rest = best[:start] + best[min(start + size, len(best) - 1) :]
                if len(rest) < len(best) and oracle(rest):
                    smaller = rest
                    break
            if smaller is not None:
                best, parts = smaller, max(parts - 1, 2)
            elif size == 1:
                break
            else:
                parts = min(parts * 2, len(best))
    except _Spent:
        pass
    return best


def simpler_machines(table: MachineTable) -> Iterator[MachineTable]:
    """Machines with one thing less than this one."""
    if table.cmdline:
        words = table.cmdline.split()
        for index in range(len(words)):
            yield replace(table, cmdline=" ".join(words[:index] + words[index + 1 :]))
    if table.dimms:
        yield replace(table, dimms=())
    for index in reversed(range(len(table.pmem))):
        yield replace(table, pmem=table.pmem[:index] + table.pmem[index + 1 :])
    if table.nodes:
        dimms = tuple(replace(each, node=0) for each in table.dimms)
        yield replace(table, nodes=(), dimms=dimms, pmem=tuple(replace(each, node=0) for each in table.pmem))
    elif table.memory != 512 * _MIB:
        yield replace(table, memory=512 * _MIB)
    for index, entry in enumerate(table.pmem):
        for size in (64 * _MIB, 128 * _MIB, 256 * _MIB):
            if size < entry.size:
                yield replace(table, pmem=(*table.pmem[:index], replace(entry, size=size), *table.pmem[index + 1 :]))


def simplest(table: MachineTable, shows: Callable[[MachineTable], bool], budget: int = 10) -> MachineTable:
    """A machine with nothing that could be left out, or the simplest that ``budget`` questions led to."""
    again = True
    while again and budget:
        again = False
        for simpler in simpler_machines(table):
            if not budget:
                break
            budget -= 1
            if shows(simpler):
                table, again = simpler, True
                break
    return table
