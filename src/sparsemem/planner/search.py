"""Where each namespace goes: the region, and the order of creation in it, so that as few bytes as possible are stranded."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, NamedTuple

from sparsemem.planner.problem import Problem, waste

if TYPE_CHECKING:
    from sparsemem.planner.problem import Cost, Placement, Room, Want

__all__ = ["Found", "Searched", "blocked_in", "free_of_place", "least_cost", "placed", "search"]

_MOST_DEEP = 400
Found = tuple["Cost", tuple["Placement", ...]]


class Searched(NamedTuple):
    """What was ``found``, None where there is nothing; ``exact``: every arrangement was looked at; else ``blocked`` may be the want that
    found no place."""

    found: Found | None
    exact: bool
    blocked: Want | None


def free_of_place(problem: Problem, index: int, extents: int = 1) -> bool:
    """Does no order matter in this region: few enough free extents, and every outcome the same wherever it starts?"""
    space, rules = problem.spaces[index], problem.rules
    if len(space.gaps) > extents or problem.whole_sections:
        return False
    grain, sizes = 0, []
    for want in problem.wants:
        if index not in want.spaces:
            continue
        sizes.append(rules.unit(space, want.what) if want.raw is None else want.raw[index])
        if want.what.mode == "system-ram":
            return False
        if want.what.mode in ("fsdax", "devdax"):
            grain = max(grain, rules.align(space, want.what), rules.state.kernel.geometry.SUBSECTION_SIZE)
            if rules.tool.resource_align_16m:
                grain = max(grain, 1 << 24)
    return not grain or all(size % grain == 0 for size in sizes)


class _TooMuchError(Exception):
    """The exact search would take too long."""


class _Exact:
    """Every order and every region, with equal questions asked once."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.wants = [want for want in problem.wants if not want.is_rest]
        self.any_order = [free_of_place(problem, index) for index in range(len(problem.spaces))]
        self.seen: dict[object, Found | None] = {}

    def run(self) -> Found | None:
        counts = tuple(want.what.count for want in self.wants)
        states = prod(count + 1 for count in counts) * len(self.problem.spaces)
        if sum(counts) > _MOST_DEEP or states > 8 * self.problem.most_tried:
            raise _TooMuchError
        return self._best(0, counts, self.problem.room(0), 0)

    def _best(self, index: int, counts: tuple[int, ...], room: Room, least: int) -> Found | None:
        key = (index, counts, room, least)
        if key in self.seen:
            return self.seen[key]
        problem = self.problem
        if problem.tried > problem.most_tried or problem.rules.spent > problem.most_spent:
            raise _TooMuchError
        best: Found | None = None
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

    def _closed(self, index: int, counts: tuple[int, ...], room: Room) -> Found | None:
        if any(
            count and not any(each > index for each in want.spaces)
            for count, want in zip(counts, self.wants, strict=True)
        ):
            return None
        best: Found | None = None
        for cost, made, left in self.problem.close(index, room):
            if index + 1 == len(self.problem.spaces):
                found: Found | None = (cost, tuple(made))
            else:
                following = self.problem.room(index + 1)
                if self.problem.whole_sections:
                    following = following._replace(mapped=tuple(sorted({*following.mapped, *left.mapped})))
                rest = self._best(index + 1, counts, following, 0)
                found = rest and ((cost[0] + rest[0][0], cost[1] + rest[0][1]), (*made, *rest[1]))
            if found is not None and (best is None or found[0] < best[0]):
                best = found
        return best


def _greedy(problem: Problem) -> tuple[Found | None, Want | None]:
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
    return _closed(problem, rooms, made), None


def placed(problem: Problem, wanted: list[tuple[Want, int]]) -> Found | None:
    """These wants in these regions, in this order; None where one of them does not go."""
    rooms = [problem.room(index) for index in range(len(problem.spaces))]
    made: list[list[Placement]] = [[] for _ in problem.spaces]
    for want, index in wanted:
        done = problem.place(want, index, rooms[index]) if index in want.spaces else None
        if done is None:
            return None
        made[index].append(done[0])
        rooms[index] = done[1]
        if problem.whole_sections:
            rooms = [room._replace(mapped=done[1].mapped) for room in rooms]
    return _closed(problem, rooms, made)


def _closed(problem: Problem, rooms: list[Room], made: list[list[Placement]]) -> Found | None:
    """With what fills the rest, and the cost of it all; None where a rest gets nothing that has to."""
    cost = sum(waste(problem, each) for group in made for each in group), 0
    for index, room in enumerate(rooms):
        ways = problem.close(index, room)
        if not ways:
            return None
        more, filled, _ = min(ways, key=lambda way: way[0])
        made[index] += filled
        cost = cost[0] + more[0], cost[1] + more[1]
    return cost, tuple(each for group in made for each in group)


def search(problem: Problem) -> Searched:
    """All orders and regions, or (where that takes too long) a quick choice. Every "rest" gets something."""
    done = _search(problem)
    for rest in problem.fills:
        if done.found is not None and rest.item not in {each.item for each in done.found[1]}:
            done = _with_something(problem, rest, done.exact)
    return done


def _with_something(problem: Problem, rest: Want, exact: bool) -> Searched:
    """The arrangement that strands least leaves a "rest" nothing: the best of those that leave it something, in one region or another."""
    best: tuple[Found, int] | None = None
    for index in rest.spaces:
        other = Problem(problem.rules, problem.intent, problem.spaces, problem.wants, problem.ndctl)
        other.most_tried, other.most_spent = problem.most_tried, problem.most_spent
        other.must = {**problem.must, rest.item: index}
        done = _search(other)
        exact = exact and done.exact
        problem.certain = problem.certain and other.certain
        if done.found is not None and (best is None or done.found[0] < best[0][0]):
            best = done.found, index
    if best is None:
        return Searched(None, exact, rest)
    problem.must[rest.item] = best[1]
    return Searched(best[0], exact, None)


def _search(problem: Problem) -> Searched:
    try:
        return Searched(_Exact(problem).run(), True, None)
    except (_TooMuchError, RecursionError):
        found, blocked = _greedy(problem)
        problem.certain = problem.certain and _too_many_bytes(problem)
        return Searched(found, False, blocked)


def _too_many_bytes(problem: Problem) -> bool:
    """Is more asked for than is free? Then there is no arrangement, whatever the search has looked at."""
    free = sum(end - start for space in problem.spaces for start, end in space.gaps)
    sizes = (min(want.raw.values()) if want.raw else want.what.amount.size for want in problem.wants)
    return sum(size * want.what.count for size, want in zip(sizes, problem.wants, strict=True)) > free


def blocked_in(problem: Problem) -> Want | None:
    """The want for which the quick search finds no place."""
    return _greedy(problem)[1]


def least_cost(problem: Problem) -> int | None:
    """No arrangement strands less than this: known where the place of a namespace does not matter, only its region."""
    if any(want.is_rest for want in problem.wants) or not all(
        free_of_place(problem, index) for index in range(len(problem.spaces))
    ):
        return None
    total = sum(problem.unusable(index, problem.room(index)) for index in range(len(problem.spaces)))
    for want in problem.wants:
        made = (problem.place(want, index, problem.room(index)) for index in want.spaces)
        total += want.what.count * min((waste(problem, done[0]) for done in made if done is not None), default=0)
    return total
