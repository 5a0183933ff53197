"""What the search for a plan works on: regions while they are being filled, and what placing one more namespace does to them.

The kernel puts a namespace at the start of the first free extent that holds it, so the order and the sizes decide every address.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from sparsemem.planner.intent import Amount, Item
from sparsemem.planner.predict import Outcome, Refused

if TYPE_CHECKING:
    from sparsemem.planner.intent import Intent
    from sparsemem.planner.predict import Rules
    from sparsemem.planner.spaces import Space

__all__ = ["Cost", "Placement", "Problem", "Room", "Want", "waste"]

Gaps = tuple[tuple[int, int], ...]
Cost = tuple[int, int]
"""(stranded bytes, minus the bytes that "rest" items got)."""
_MOST_TRIED = 6_000
_MOST_SPENT = 30_000


class Placement(NamedTuple):
    """A namespace of item ``item`` in space ``space``."""

    item: int
    space: int
    start: int
    size: int
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Want:
    """An item as the search takes it: ``spaces`` by index, ``raw`` the size in each of them, None where it is found by place. A part of
    a "rest" of which the size is known is like any other item."""

    item: int
    what: Item
    spaces: tuple[int, ...]
    raw: dict[int, int] | None

    @property
    def is_rest(self) -> bool:
        return self.what.amount.kind == "rest" and self.raw is None


class Room(NamedTuple):
    """A region while it is being filled. ``mapped``: sections that have struct pages (up to v5.2 nobody else can have them)."""

    gaps: Gaps
    mapped: Gaps
    made: int = 0


def _groups(rests: list[Want]) -> list[list[Want]]:
    """Those that may be in the same regions together."""
    groups: list[list[Want]] = []
    for want in rests:
        with_it = [group for group in groups if any(set(want.spaces) & set(each.spaces) for each in group)]
        groups = [group for group in groups if group not in with_it]
        groups.append([*(each for group in with_it for each in group), want])
    return groups


def waste(problem: Problem, placement: Placement) -> int:
    """Stranded bytes of one namespace: padding, data outside memory blocks, and what it has beyond a usable amount."""
    got, amount = placement.outcome, problem.intent.items[placement.item].amount
    more = got.usable - amount.size if amount.kind == "usable" else 0
    return got.padding + got.outside_blocks + more


class Problem:
    """One question: the spaces, the wants, the rules, and how a namespace is placed."""

    def __init__(
        self, rules: Rules, intent: Intent, spaces: list[Space], wants: list[Want], ndctl: tuple[int, ...]
    ) -> None:
        self.rules = rules
        self.intent = intent
        self.spaces = spaces
        self.wants = wants
        self.ndctl = ndctl
        self.tried = 0
        self.certain = True
        """Has every search of it looked at everything so far? Else that nothing was found does not say that there is nothing."""
        self.most_tried = _MOST_TRIED
        self.most_spent = rules.spent + _MOST_SPENT
        self.must: dict[int, int] = {}
        """By item: the region in which a "rest" has to get something."""
        self.whole_sections = not rules.f.subsection_hotplug
        groups = _groups([want for want in wants if want.is_rest])
        self.equal = [group for group in groups if len(group) > 1 or group[0].what.count > 1]
        """The "rest" items that share what is left in equal parts: those that may be in the same regions, or one with a count."""
        self.fills = [group[0] for group in groups if group not in self.equal]
        """The others, each with its regions for itself: it fills every free extent."""

    def _goes(self, address: int) -> bool:
        """Is this the mapping of something that is replaced?"""
        return any(each.start <= address <= each.end for space in self.spaces for each in space.replaced)

    def room(self, index: int) -> Room:
        """A region at the start."""
        mapped: Gaps = ()
        if self.whole_sections:
            page, section = self.rules.page, self.rules.section
            mapped = tuple(
                (low * page // section, -(-high * page // section))
                for pgmap in self.rules.state.pgmaps.values()
                if not self._goes(pgmap.ranges[0][0] * page)
                for low, high in pgmap.mapped
            )
        return Room(self.spaces[index].gaps, mapped)

    def _take(self, want: Want, index: int, room: Room, at: int, size: int) -> tuple[Placement, Room] | None:
        space = self.spaces[index]
        got = self.rules.outcome(space, want.what, at, size)
        if isinstance(got, Refused) or (space.slots is not None and room.made >= space.slots):
            return None
        mapped = room.mapped
        if self.whole_sections and got.mapped is not None:
            section = self.rules.section
            low, high = got.mapped[0] // section, -(-got.mapped[1] // section)
            if any(low < end and start < high for start, end in mapped):
                return None
            mapped = (*mapped, (low, high))
        gaps = tuple(
            each
            for start, end in room.gaps
            for each in ([(start, end)] if start != at else [(at + size, end)])
            if each[0] < each[1]
        )
        return Placement(want.item, index, at, size, got), Room(gaps, mapped, room.made + 1)

    def place(self, want: Want, index: int, room: Room, size: int | None = None) -> tuple[Placement, Room] | None:
        """The next namespace of this want: where the kernel puts it, None where it does not fit or is refused there."""
        self.tried += 1
        space = self.spaces[index]
        if size is None and want.raw is not None:
            size = want.raw[index]
        tried: list[tuple[int, int]] = []
        for start, end in room.gaps:
            needed = size
            if needed is None:
                found = self.rules.for_usable(space, want.what, start, want.what.amount.size, end - start)
                if found is None:
                    tried.append((start, end))
                    continue
                needed = found[0]
            if any(b - a >= needed for a, b in tried):
                return None  # the kernel would take the earlier extent, where it is too small for what is wanted
            if end - start >= needed:
                if not space.labelled and (needed != space.range.size or needed % self.rules.unit(space, want.what)):
                    return None
                return self._take(want, index, room, start, needed)
        return None

    def fill(self, want: Want, index: int, room: Room) -> tuple[list[Placement], Room]:
        """A "rest": every free extent becomes a namespace, the largest extent first."""
        space, made = self.spaces[index], []
        while room.gaps:
            start, end = max(room.gaps, key=lambda gap: gap[1] - gap[0])
            if space.labelled:
                found = self.rules.for_most(space, want.what, start, end - start)
                size = found[0] if found is not None else 0
            else:
                size = end - start
            done = self.place(want, index, room, size) if size else None
            if done is None and self.whole_sections and size:
                done = self._shorter(want, index, room, start, end)
            if done is None:
                break
            made.append(done[0])
            room = done[1]
        return made, room

    def _shorter(self, want: Want, index: int, room: Room, start: int, end: int) -> tuple[Placement, Room] | None:
        """Up to v5.2: the end of a region may be in a section that another one has; then whole sections short of it."""
        unit, section = self.rules.unit(self.spaces[index], want.what), self.rules.section
        for back in range(3):
            size = (end // section * section - back * section - start) // unit * unit
            if size >= self.rules.least(self.spaces[index], want.what):
                done = self.place(want, index, room, size)
                if done is not None:
                    return done
        return None

    def unusable(self, index: int, room: Room) -> int:
        """Free bytes that no namespace can be given: off the region's align, or below the smallest legal size."""
        space = self.spaces[index]
        least = self.rules.least(space, Item(mode="devdax" if space.dax is not None else "raw", amount=Amount("rest")))
        free = space.range.size - space.taken - sum(end - start for start, end in space.gaps)
        return free + sum(end - start for start, end in room.gaps if end - start < least)

    def close(self, index: int, room: Room) -> list[tuple[Cost, list[Placement], Room]]:
        """Nothing more goes there, but the "rest" that may: the ways to end it, each with its cost and what it makes.

        What a "rest" that may be there leaves free counts as stranded here: it was asked for.
        """
        rests = [want for want in self.fills if index in want.spaces]
        if not rests:
            return [((self.unusable(index, room), 0), [], room)]
        ways = [self.fill(rests[0], index, room)]
        if self.whole_sections and len(room.gaps) == 1:
            start, end = room.gaps[0]
            shorter = self._shorter(rests[0], index, room, start, end)
            if shorter is not None:
                ways.append(([shorter[0]], shorter[1]))
        ended = []
        for made, left in ways:
            if not made and self.must.get(rests[0].item) == index:
                continue
            cost = sum(waste(self, each) for each in made) + self.unusable(index, left)
            cost += sum(end - start for start, end in left.gaps) if self.spaces[index].labelled else 0
            ended.append(((cost, -sum(each.outcome.usable for each in made)), made, left))
        return ended
