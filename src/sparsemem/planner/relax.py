"""What is near an intent as a whole where one change is not enough: as much of it as can be had together.

It begins at the ground: one namespace of each item, of the smallest size, anywhere, without options. What can be had of that is grown back
towards the intent, one wish at a time, and each step is asked for. The order of the wishes is a matter of taste, so there are several.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sparsemem.planner.intent import Amount, Intent
from sparsemem.planner.nearest import had

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sparsemem.planner.intent import Item
    from sparsemem.planner.problem import Want
    from sparsemem.planner.question import Asker, Question

__all__ = ["whole"]

_MOST_ASKED = 250
_DETAILS = ("where", "align", "map", "sector_size", "movable", "name")
_ORDERS = (
    (("amount", "count", *_DETAILS), 1),
    (("count", *_DETAILS, "amount"), 1),
    (("amount", "count", *_DETAILS), -1),
    ((*_DETAILS, "amount", "count"), 1),
)
"""Which wish comes first, and whether the first item does or the last."""
_SMALLEST = Amount("usable", 1)
_OTHERS = {
    "system-ram": ("devdax",), "devdax": ("fsdax", "raw"), "fsdax": ("devdax", "sector", "raw"), "sector": ("raw", "devdax"),
    "raw": ("devdax",),
}  # fmt: skip
"""Where a mode can not be had at all: those that serve the same ends, or come nearest to it."""


def _in_mode(item: Item, mode: str) -> Item:
    """The same in another mode, with the options that go with it."""
    dax = mode in ("fsdax", "devdax")
    return replace(
        item, mode=mode, map=item.map if dax else None, align=item.align if dax else None, movable=True,
        sector_size=item.sector_size if item.mode == mode else None,
    )  # fmt: skip


@dataclass
class _Part:
    """An item as it is wished for (in a mode that can be had), and as much of it as there is by now."""

    wish: Item
    now: Item


class _Growth:
    """As much of an intent as can be had, with ``replace`` gone."""

    def __init__(self, asker: Asker, intent: Intent, gone: tuple[str, ...]) -> None:
        self.asker = asker
        self.gone = gone
        self.parts: list[_Part] = []
        for wish in intent.items:
            part = self._ground(wish)
            if part is not None:
                self.parts.append(part)
        self.bottom = [part.now for part in self.parts]

    def intent(self, index: int | None = None, item: Item | None = None) -> Intent:
        """What there is by now, with another item at ``index``."""
        items = [part.now for part in self.parts]
        if item is not None:
            items[len(items) if index is None else index : len(items) if index is None else index + 1] = [item]
        return Intent(tuple(items), self.gone)

    def _ground(self, wish: Item, tried: tuple[str, ...] = ()) -> _Part | None:
        """The least of an item that goes together with the items before it; in another mode where its own can not be had at all."""
        for amount in dict.fromkeys((wish.amount, _SMALLEST, Amount("rest"))):
            if amount.kind in ("raw", "usable") and amount is wish.amount:
                continue
            least = replace(
                wish, amount=amount, count=1, where=(), align=None, map=None, sector_size=None, movable=True, name=None
            )
            if self.asker.can(self.intent(None, least)):
                return _Part(wish, least)
        left = [mode for mode in _OTHERS[wish.mode] if mode not in tried]
        return self._ground(_in_mode(wish, left[0]), (*tried, wish.mode)) if left else None

    def grow(self, order: tuple[str, ...], step: int) -> Intent | None:
        """From the ground, wish by wish, the items in their order (``step`` 1) or the other way round (-1)."""
        for part, now in zip(self.parts, self.bottom, strict=True):
            part.now = now
        for wish in order:
            for index, part in list(enumerate(self.parts))[::step]:
                self._grow(index, part, wish)
        for index, part in enumerate(self.parts):
            if part.now.amount == _SMALLEST and part.wish.amount != _SMALLEST:
                self._said_plainly(index, part)
        plain = all(part.now.amount != _SMALLEST or part.wish.amount == _SMALLEST for part in self.parts)
        return self.intent() if plain and self.asker.can(self.intent()) else None

    def _take(self, index: int, item: Item) -> bool:
        if not self.asker.can(self.intent(index, item)):
            return False
        self.parts[index].now = item
        return True

    def _grow(self, index: int, part: _Part, wish: str) -> None:
        value = getattr(part.wish, wish)
        if getattr(part.now, wish) == value or self._take(index, replace(part.now, **{wish: value})):
            return
        if wish == "count":
            self._most(index, 1, value, lambda count: replace(part.now, count=count))
        elif wish == "amount" and value.kind != "rest":
            self._larger(index, part)

    def _larger(self, index: int, part: _Part) -> None:
        """The largest size up to the one wished for."""
        question = self.asker.ask(self.intent())
        wants = {each.item: each for each in question.problem.wants} if question is not None else {}
        want: Want | None = wants.get(index)
        if question is None or want is None:
            return
        kind = "usable" if part.wish.amount.kind == "usable" else "raw"
        space, rules = question.spaces[want.spaces[0]], question.rules
        size = part.wish.amount.size
        if part.wish.amount.share is not None:
            size = int(sum(question.spaces[each].range.size for each in want.spaces) * part.wish.amount.share)
        unit = rules.align(space, part.now) if kind == "usable" else rules.grain(space, part.now)
        self._most(index, 0, size // unit + 1, lambda n: replace(part.now, amount=Amount(kind, n * unit)))

    def _most(self, index: int, low: int, high: int, item: Callable[[int], Item]) -> None:
        """The item for the largest number between them that can be had, as if there were one border."""
        first = low
        while high - low > 1:
            middle = (low + high) // 2
            if self.asker.can(self.intent(index, item(middle))):
                low = middle
            else:
                high = middle
        if low > first:
            self._take(index, item(low))

    def _said_plainly(self, index: int, part: _Part) -> None:
        """The smallest size, as what it is."""
        question = self.asker.ask(self.intent())
        made = question.solution.placements if question is not None and question.solution is not None else ()
        found = next((each for each in made if each.item == index), None)
        if found is not None:
            plain = Amount("raw", found.size), Amount("usable", found.outcome.usable), Amount("rest")
            any(self._take(index, replace(part.now, amount=amount)) for amount in plain)


def _relaxed(question: Question, asker: Asker) -> Iterator[Intent]:
    """The nearest intents that can be had, as far as can be told without playing them."""
    intent, here = question.intent, set(question.devices)
    given = tuple(name for name in intent.replace if name not in asker.stuck)
    if given == ("all",) and here & asker.stuck:
        given = tuple(sorted(here - asker.stuck))
    best = _Growth(asker, intent, given)
    growths = [best] if best.parts else []
    if len(best.parts) < len(intent.items):
        free = tuple(sorted(here - asker.stuck - {*given, *(here if given == ("all",) else ())}))
        for gone in [(name,) for name in free[:8]] + ([free] if len(free) > 1 else []):
            more = _Growth(asker, intent, ("all",) if {*given, *gone} == here and not given else (*given, *gone))
            if len(more.parts) > len(best.parts):
                growths.insert(0, more)
                best = more
            if len(best.parts) == len(intent.items):
                break
    for growth in growths:
        for order, step in _ORDERS:
            grown = growth.grow(order, step)
            if grown is not None:
                yield grown


def _first(question: Question, asker: Asker) -> Iterator[Intent]:
    """As many items as can be had, from the first on: where there are too many to be grown one by one."""
    intent, low, high = question.intent, 0, len(question.intent.items)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if asker.can(replace(intent, items=intent.items[:middle])) else (low, middle)
    if low:
        yield replace(intent, items=intent.items[:low])


def whole(question: Question, asker: Asker) -> tuple[str, ...]:
    """The intents nearest to one that can not be had in more than one way, each played on the model."""
    near: tuple[str, ...] = ()
    for _ in range(3):
        asker.left, stuck = _MOST_ASKED, len(asker.stuck)
        near = had(_relaxed(question, asker), asker)
        if near or len(asker.stuck) == stuck:
            break  # else: once more without what turned out not to let go
    if not near:
        asker.left, asker.spent = _MOST_ASKED, 0
        near = had(_first(question, asker), asker)
    return near
