"""Where each namespace goes: the region, and the order of creation in it, so that as few bytes as possible are stranded."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, NamedTuple

from sparsemem.planner.problem import waste

if TYPE_CHECKING:
    from sparsemem.planner.problem import Cost, Placement, Problem, Room, Want

__all__ = ["Solution", "solve"]

_MOST_DEEP = 400


class Solution(NamedTuple):
    """``placements`` in the order of creation; ``exact``: every arrangement was looked at; ``optimal``: none strands less."""

    placements: tuple[Placement, ...]
    cost: Cost
    exact: bool
    optimal: bool


def _free_of_place(problem: Problem, index: int) -> bool:
    """Does no order matter in this region: one extent, and every outcome the same wherever it starts?"""
    space, rules = problem.spaces[index], problem.rules
    if len(space.gaps) > 1 or problem.whole_sections:
        return False
    grain = 0
    for want in problem.wants:
        if index not in want.spaces:
            continue
        align = max(rules.align(space, want.what), rules.state.kernel.geometry.SUBSECTION_SIZE)
        if want.what.mode == "system-ram":
            return False
        if want.what.mode in ("fsdax", "devdax"):
            grain = max(grain, align)
            if rules.tool.resource_align_16m:
                grain = max(grain, 1 << 24)
    return all(rules.unit(space, want.what) % grain == 0 for want in problem.wants if grain and index in want.spaces)


class _TooMuchError(Exception):
    """The exact search would take too long."""


class _Exact:
    """Every order and every region, with equal questions asked once."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.wants = [want for want in problem.wants if not want.is_rest]
        self.any_order = [_free_of_place(problem, index) for index in range(len(problem.spaces))]
        self.seen: dict[object, tuple[Cost, tuple[Placement, ...]] | None] = {}

    def run(self) -> tuple[Cost, tuple[Placement, ...]] | None:
        counts = tuple(want.what.count for want in self.wants)
        states = prod(count + 1 for count in counts) * len(self.problem.spaces)
        if sum(counts) > _MOST_DEEP or states > 8 * self.problem.most_tried:
            raise _TooMuchError
        return self._best(0, counts, self.problem.room(0), 0)

    def _best(
        self, index: int, counts: tuple[int, ...], room: Room, least: int
    ) -> tuple[Cost, tuple[Placement, ...]] | None:
        key = (index, counts, room, least)
        if key in self.seen:
            return self.seen[key]
        problem = self.problem
        if problem.tried > problem.most_tried or problem.rules.spent > problem.most_spent:
            raise _TooMuchError
        best: tuple[Cost, tuple[Placement, ...]] | None = None
        for number, want in enumerate(self.wants):
            if not counts[number] or index not in want.spaces or number < least:
                continue
            done = problem.place(want, index, room)
            if done is None:
                continue
            left = (*counts[:number], counts[number] - 1, *counts[number + 1 :])
            rest = self._best(index, left, done[1], number if self.any_order[index] else 0)
            if rest is not None:
                cost = rest[0][0] + waste(problem, done[0]), rest[0][1]
                if best is None or cost < best[0]:
                    best = cost, (done[0], *rest[1])
        closed = self._closed(index, counts, room)
        if closed is not None and (best is None or closed[0] < best[0]):
            best = closed
        self.seen[key] = best
        return best

    def _closed(self, index: int, counts: tuple[int, ...], room: Room) -> tuple[Cost, tuple[Placement, ...]] | None:
        if any(
            count and not any(each > index for each in want.spaces)
            for count, want in zip(counts, self.wants, strict=True)
        ):
            return None
        best: tuple[Cost, tuple[Placement, ...]] | None = None
        for cost, made, left in self.problem.close(index, room):
            if index + 1 == len(self.problem.spaces):
                found: tuple[Cost, tuple[Placement, ...]] | None = (cost, tuple(made))
            else:
                following = self.problem.room(index + 1)
                if self.problem.whole_sections:
                    following = following._replace(mapped=tuple(sorted({*following.mapped, *left.mapped})))
                rest = self._best(index + 1, counts, following, 0)
                found = rest and ((cost[0] + rest[0][0], cost[1] + rest[0][1]), (*made, *rest[1]))
            if found is not None and (best is None or found[0] < best[0]):
                best = found
        return best


def _greedy(problem: Problem) -> tuple[tuple[Cost, tuple[Placement, ...]] | None, Want | None]:
    """The most demanding first, each where it costs least and leaves the least room; the want that found none, if any."""
    rules = problem.rules
    rooms = [problem.room(index) for index in range(len(problem.spaces))]
    made: list[list[Placement]] = [[] for _ in problem.spaces]

    def demand(want: Want) -> tuple[int, int, int, int]:
        index = want.spaces[0]
        border = rules.align(problem.spaces[index], want.what)
        if want.what.mode == "system-ram":
            border = max(border, rules.block)
        size = want.raw[index] if want.raw is not None else want.what.amount.size
        return -border, len(want.spaces), -size, want.item

    for want in sorted((each for each in problem.wants if not each.is_rest), key=demand):
        for _ in range(want.what.count):
            options = []
            for index in want.spaces:
                done = problem.place(want, index, rooms[index])
                if done is not None:
                    left = sum(end - start for start, end in done[1].gaps)
                    options.append((waste(problem, done[0]), left, index, done))
            if not options:
                return None, want
            _, _, index, done = min(options, key=lambda each: each[:3])
            made[index].append(done[0])
            rooms[index] = done[1]
            if problem.whole_sections:
                rooms = [room._replace(mapped=done[1].mapped) for room in rooms]
    cost = (0, 0)
    for index, room in enumerate(rooms):
        more, filled, _ = min(problem.close(index, room), key=lambda way: way[0])
        made[index] += filled
        cost = cost[0] + more[0], cost[1] + more[1]
    placements = tuple(each for group in made for each in group)
    fixed = sum(waste(problem, each) for each in placements if not _is_rest(problem, each))
    return ((cost[0] + fixed, cost[1]), placements), None


def _is_rest(problem: Problem, placement: Placement) -> bool:
    return problem.intent.items[placement.item].amount.kind == "rest"


def _rooms_after(problem: Problem, placements: tuple[Placement, ...]) -> list[Room]:
    wants = {want.item: want for want in problem.wants}
    rooms = [problem.room(index) for index in range(len(problem.spaces))]
    for each in placements:
        done = problem.place(wants[each.item], each.space, rooms[each.space], each.size)
        assert done is not None
        rooms[each.space] = done[1]
    return rooms


def _equal_parts(
    problem: Problem, found: tuple[Cost, tuple[Placement, ...]]
) -> tuple[Cost, tuple[Placement, ...]] | None:
    """What is left, in as many namespaces of one size as the "rest" items ask for; None where it is too little."""
    rests, rules = problem.shared_rests(), problem.rules
    where = sorted({index for want in rests for index in want.spaces})
    rooms = _rooms_after(problem, found[1])

    def tried(steps: int) -> list[Placement] | None:
        now, made = list(rooms), []
        for want in rests:
            for _ in range(want.what.count):
                for index in want.spaces:
                    space = problem.spaces[index]
                    unit = rules.grain(space, want.what)
                    size = steps * 4096 // unit * unit
                    done = (
                        problem.place(want, index, now[index], size) if size >= rules.least(space, want.what) else None
                    )
                    if done is not None:
                        break
                else:
                    return None
                made.append(done[0])
                now[index] = done[1]
        return made

    largest = max((end - start for index in where for start, end in rooms[index].gaps), default=0) // 4096 + 1
    step = min(rules.grain(problem.spaces[index], want.what) for want in rests for index in want.spaces) // 4096
    low, high = 0, -(-largest // step) + 1
    best: list[Placement] | None = None
    while high - low > 1:
        middle = (low + high) // 2
        made = tried(middle * step)
        if made is None:
            high = middle
        else:
            low, best = middle, made
    if best is None:
        return None
    extra = sum(waste(problem, each) for each in best)
    data = sum(each.outcome.usable for each in best)
    return (found[0][0] + extra, found[0][1] - data), (*found[1], *best)


def _least(problem: Problem) -> int | None:
    """No arrangement strands less than this: known where the place of a namespace does not matter, only its region."""
    if any(want.is_rest for want in problem.wants) or not all(
        _free_of_place(problem, index) for index in range(len(problem.spaces))
    ):
        return None
    total = sum(problem.unusable(index, problem.room(index)) for index in range(len(problem.spaces)))
    for want in problem.wants:
        made = (problem.place(want, index, problem.room(index)) for index in want.spaces)
        total += want.what.count * min((waste(problem, done[0]) for done in made if done is not None), default=0)
    return total


def solve(problem: Problem) -> tuple[Solution | None, Want | None]:
    """The best plan, or None and (where the quick search knows it) the want that finds no place."""
    if not problem.wants and not problem.spaces:
        return Solution((), (0, 0), exact=True, optimal=True), None
    blocked: Want | None = None
    exact = True
    try:
        found = _Exact(problem).run()
    except (_TooMuchError, RecursionError):
        exact = False
        found, blocked = _greedy(problem)
    if found is None:
        return None, blocked or _greedy(problem)[1]
    rests = problem.shared_rests()
    if len(rests) > 1 or any(want.what.count > 1 for want in rests):
        found = _equal_parts(problem, found)
        if found is None:
            return None, rests[0]
        exact = False  # the largest equal parts, which need not strand the least
    elif rests and not any(_is_rest(problem, each) for each in found[1]):
        return None, rests[0]
    return Solution(found[1], found[0], exact, exact or found[0][0] == _least(problem)), None
