"""Several "rest" items, or one with a count: the largest equal parts of what is left. Bytes.

A size is asked for by making each part an item of that size: the search tells whether there is an arrangement, and the best one. The
sizes: halving first, between nothing and what the bare bytes could hold; then, where a larger size can do though a smaller one does not
(system-ram and its memory blocks, alignments larger than parts, whole sections), each size above what was found.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd
from typing import TYPE_CHECKING

from sparsemem.planner.problem import Problem, Want
from sparsemem.planner.search import Searched, free_of_place, least_cost, placed, search

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sparsemem.planner.search import Found

__all__ = ["equal_parts"]

_MOST_PACKED = 5_000
_MOST_ABOVE = 64
_MOST_WORK = 40_000


def _size(problem: Problem, want: Want, index: int, size: int) -> int | None:
    """A part of ``size`` bytes as it is in a region: rounded down to what is legal; all of one that can not be divided."""
    space, rules = problem.spaces[index], problem.rules
    if not space.labelled:
        return space.range.size if space.range.size >= size and space.gaps else None
    grain = rules.grain(space, want.what)
    rounded = size // grain * grain
    return rounded if rounded >= rules.least(space, want.what) else None


@dataclass
class _Load:
    """What has to fit: these wants (one as often as its count says), each of ``sizes`` bytes (by region) or more."""

    sizes: dict[int, int]
    wants: list[Want]


def _packed(bins: list[tuple[int, int]], loads: list[_Load]) -> tuple[bool, list[tuple[int, ...]]]:
    """Do the bare bytes fit into the free extents (region, bytes) in any way? And then how many of each load go into each extent; True
    with nothing where that is too much to look at."""
    seen: set[tuple[int, tuple[int, ...]]] = set()
    looked = 0

    def fillings(place: int, index: int, room: int, counts: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        """What goes into an extent, from the load ``place`` on. Of the last one as much as there is room for: that is never worse."""
        size = loads[place].sizes.get(index)
        most = 0 if size is None else min(counts[place], room // size)
        if place == len(loads) - 1:
            yield (most,)
            return
        for number in range(most, -1, -1):
            for more in fillings(place + 1, index, room - number * (size or 0), counts):
                yield (number, *more)

    def fit(number: int, counts: tuple[int, ...]) -> list[tuple[int, ...]] | None:
        nonlocal looked
        if not any(counts):
            return []
        if number == len(bins) or (number, counts) in seen:
            return None
        seen.add((number, counts))
        index, room = bins[number]
        for filling in fillings(0, index, room, counts):
            looked += 1
            if looked > _MOST_PACKED:
                raise _TooMuchError
            left = tuple(count - taken for count, taken in zip(counts, filling, strict=True))
            rest = fit(number + 1, left)
            if rest is not None:
                return [filling, *rest]
        return None

    try:
        found = fit(0, tuple(len(load.wants) for load in loads))
    except (_TooMuchError, RecursionError):
        return True, []
    return found is not None, found or []


class _TooMuchError(Exception):
    """There are too many ways to fill the extents."""


class _Division:
    """One question, with the sizes of the parts of each group as they become known."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        parts = {want.item for group in problem.equal for want in group}
        self.fixed = [want for want in problem.wants if want.item not in parts]
        self.most_tried = problem.most_tried
        self.work = 0
        self.hard = False
        self.asked: dict[tuple[int, ...], Searched] = {}
        self.step = 0
        for want in (want for group in problem.equal for want in group):
            for index in want.spaces:
                self.step = gcd(self.step, problem.rules.grain(problem.spaces[index], want.what))

    def wants(self, sizes: tuple[int, ...]) -> list[Want] | None:
        """All items, with parts of these sizes; None where one is nowhere legal."""
        made = list(self.fixed)
        for group, size in zip(self.problem.equal, sizes, strict=True):
            for want in group:
                raw = {index: found for index in want.spaces if (found := _size(self.problem, want, index, size))}
                if not raw:
                    return None
                made.append(Want(want.item, want.what, tuple(raw), raw))
        return made

    def ask(self, sizes: tuple[int, ...]) -> Searched:
        """The best arrangement of such parts."""
        found = self.asked.get(sizes)
        if found is None:
            found = self.asked[sizes] = self._ask(sizes)
        return found

    def _ask(self, sizes: tuple[int, ...]) -> Searched:
        old, wants = self.problem, self.wants(sizes)
        if wants is None:
            return Searched(None, True, None)
        problem = Problem(old.rules, old.intent, old.spaces, wants, old.ndctl)
        problem.most_tried = self.most_tried
        problem.most_spent = old.most_spent
        done = Searched(None, False, None) if self.hard else search(problem)
        if not done.exact or self.work + problem.tried > _MOST_WORK:
            self.hard = True  # for the other sizes, too: from here on by their bare bytes, or by the quick search
            problem.most_tried = 0
            made = self._by_bytes(problem)
            done = Searched(made, made[0][0] == least_cost(problem), None) if made is not None else search(problem)
        self.work += problem.tried
        old.certain = old.certain and problem.certain
        return done

    def bins(self) -> list[tuple[int, int]]:
        """The free extents."""
        return [(index, end - start) for index, space in enumerate(self.problem.spaces) for start, end in space.gaps]

    def loads(self, wants: list[Want]) -> list[_Load]:
        """The bare bytes of everything."""
        rules, made = self.problem.rules, dict[tuple[tuple[int, int], ...], _Load]()
        for want in wants:
            least = {index: rules.least(self.problem.spaces[index], want.what) for index in want.spaces}
            sizes = want.raw or {index: max(size, want.what.amount.size) for index, size in least.items()}
            load = made.setdefault(tuple(sorted(sizes.items())), _Load(sizes, []))
            load.wants += [want] * want.what.count
        return list(made.values())

    def could(self, sizes: tuple[int, ...]) -> bool:
        """Would such parts fit if only bytes mattered? If not, there is no arrangement."""
        wants = self.wants(sizes)
        return wants is not None and _packed(self.bins(), self.loads(wants))[0]

    def _by_bytes(self, problem: Problem) -> Found | None:
        """The arrangement that the bare bytes suggest, where it goes."""
        loads, bins = self.loads(problem.wants), self.bins()
        filled = _packed(bins, loads)[1]
        left = [list(load.wants) for load in loads]
        wanted = [
            (wants.pop(0), index)
            for (index, _), filling in zip(bins, filled, strict=False)
            for wants, number in zip(left, filling, strict=True)
            for _ in range(number)
        ]
        return placed(problem, wanted) if filled and not any(left) and not problem.fills else None

    def safe(self, sizes: tuple[int, ...]) -> bool:
        """Is it certain that smaller parts fit where larger ones do? Then nothing depends on where anything begins."""
        old, wants = self.problem, self.wants(sizes)
        problem = Problem(old.rules, old.intent, old.spaces, wants or [], old.ndctl)
        return wants is not None and all(
            free_of_place(problem, index, extents=1 << 30) and space.labelled for index, space in enumerate(old.spaces)
        )


def _largest(division: _Division, sizes: tuple[int, ...], number: int) -> tuple[int, bool]:
    """The largest size of the parts of one group beside ``sizes`` of the others, and whether that is proven; 0: there is none."""
    step, bins = division.step, division.bins()

    def of(steps: int) -> tuple[int, ...]:
        return (*sizes[:number], steps * step, *sizes[number + 1 :])

    def halve(low: int, high: int, good: Callable[[int], bool]) -> int:
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if good(middle) else (low, middle)
        return low

    start = sizes[number] // step
    ceiling = halve(
        start - 1, max((room for _, room in bins), default=0) // step + 1, lambda steps: division.could(of(steps))
    )
    if ceiling < start:
        return 0, True
    if division.ask(of(ceiling)).found is not None:
        return ceiling * step, True
    best = halve(start - 1, ceiling, lambda steps: division.ask(of(steps)).found is not None)
    above = range(ceiling, best, -1)
    if best >= start and division.safe(of(best)) and division.ask(of(best + 1)).exact:
        return best * step, True
    if len(above) > _MOST_ABOVE or division.hard:
        return best * step if best >= start else 0, False
    proven = True
    for steps in above:
        done = division.ask(of(steps))
        if done.found is not None:
            return steps * step, proven
        proven = proven and done.exact
    return best * step if best >= start else 0, proven


def _smallest(division: _Division) -> tuple[int, ...]:
    """The least size of the parts of each group."""
    problem, rules, step = division.problem, division.problem.rules, division.step
    sizes = []
    for group in problem.equal:
        least = step
        for want in group:
            spaces = [problem.spaces[index] for index in want.spaces]
            grains = [
                (rules.grain(space, want.what), rules.least(space, want.what)) for space in spaces if space.labelled
            ]
            least = max(least, min((-(-low // grain) * grain for grain, low in grains), default=step))
        sizes.append(-(-least // step) * step)
    return tuple(sizes)


def equal_parts(problem: Problem) -> Searched:
    """The largest equal parts, of the first group first, and the arrangement of them that strands least. ``exact``: both are proven."""
    division = _Division(problem)
    sizes, proven = _smallest(division), True
    for number, group in enumerate(problem.equal):
        size, certain = _largest(division, sizes, number)
        if not size:
            return Searched(None, False, group[0])
        sizes = (*sizes[:number], size, *sizes[number + 1 :])
        proven = proven and certain
    done = division.ask(sizes)
    return Searched(done.found, proven and done.exact, done.blocked)
