"""Where a journal and its machine stand: what the machine shows tells whether an interrupted command took effect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sparsemem.planner.apply.view import differences, show_words, view_of

if TYPE_CHECKING:
    from sparsemem.planner.apply.journal import Journal
    from sparsemem.planner.apply.view import View

__all__ = ["Standing", "place", "standing"]


@dataclass(frozen=True, slots=True)
class Standing:
    """``kind``:

    * "ready": command ``step`` (from 1) is the next, and the machine is as it was before it;
    * "took": ``step`` was interrupted and took effect;
    * "half": ``step`` was interrupted half-way: ``found`` says what is there;
    * "changed": the machine is another than the journal says, by somebody else: ``found`` says in what;
    * "undoing": going back was begun; "undone": it is finished; "done": all of the plan is.

    ``again``: nothing that the machine shows tells whether ``step`` ran, and running it again does what it did.
    """

    kind: str
    step: int
    found: tuple[str, ...] = ()
    again: bool = False


def place(journal: Journal) -> int:
    """The command (from 1) that was interrupted, else the first that is not done; one more than there are when all are."""
    states = [journal.status(n) for n in range(1, len(journal.steps) + 1)]
    open_ones = [n for n, state in enumerate(states, 1) if state in ("begun", "back")]
    return next(iter(open_ones or [n for n, state in enumerate(states, 1) if state != "done"]), len(states) + 1)


def _first(journal: Journal) -> bool:
    return not any(each["event"] == "begin" for each in journal.events)


def standing(journal: Journal, lists: dict[str, Any]) -> Standing:
    """Compare ``lists`` (what a runner observed) with the journal. Nothing is run or written."""
    view, number = view_of(lists), place(journal)
    if journal.going_back:
        return Standing("undone" if journal.ended == "undone" else "undoing", number)
    if number > len(journal.steps):
        found = differences(view, journal.views[-1])
        return Standing("changed" if found and journal.ended is None else "done", number, tuple(found))
    before, after, step = journal.holding(but=number), journal.holding(also=number), journal.steps[number - 1]
    others = [name for name in {**before, **view} if name not in step.changes]
    found = differences(view, before, others)
    if found:
        return Standing("changed", number, tuple(found))
    if _same(view, before, step.changes):
        return Standing("ready", number, again=not step.changes and journal.status(number) == "begun")
    if journal.status(number) == "" or _first(journal):
        return Standing("changed", number, tuple(differences(view, before, step.changes)))
    if _same(view, after, step.changes):
        return Standing("took", number)
    wrong = [name for name in step.changes if view.get(name) != after.get(name)]
    words = [f"{name}: {show_words(view.get(name))} (finished: {show_words(after.get(name))})" for name in wrong]
    return Standing("half", number, tuple(words))


def _same(view: View, other: View, names: dict[str, Any]) -> bool:
    return all(view.get(name) == other.get(name) for name in names)
