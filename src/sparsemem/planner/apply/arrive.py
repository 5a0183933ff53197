"""Coming back to a machine: which of its devices are those of the journal, and what a reboot took away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sparsemem.planner.apply.identity import facts_of, find_names, wrong_facts
from sparsemem.planner.apply.names import Named
from sparsemem.planner.apply.view import POLICY, same_thing, view_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sparsemem.planner.apply.journal import Journal, Step
    from sparsemem.planner.apply.runners import Runner
    from sparsemem.planner.apply.view import View

__all__ = ["arrive"]

_VOLATILE = ("mode", "online_memblocks", "total_memblocks", "movable", "state")
"""What of a dax device is as the kernel sets it after each boot."""


def arrive(journal: Journal, runner: Runner, boot: str | None = None, *, back: bool = False) -> list[str]:
    """Find the journal's devices again, and write down what they are called now and what a reboot undid. The sentences say which names
    mean something else now, and how regions changed: then nothing may be run. ``boot``: which boot of the machine this is (None: that
    can not be told); ``back``: for going back, where only what that would touch counts."""
    lists = runner.observe()
    touched = None
    if back:
        touched = {name for n, step in _undoable(journal) for name in step.changes if journal.status(n)}
    names, wrong = find_names(journal, lists, touched)
    if wrong:
        return wrong
    names |= _blocks(journal, view_of(lists), {**journal.names, **names})
    if names:
        journal.write("named", names=names)
    shown = Named(runner, journal).observe()
    if not back:
        labels = not any("init-labels" in step.argv for step in journal.steps)
        own = {name for step in journal.steps for name in step.changes}  # CXL regions that the plan makes or destroys
        facts = {name: each for name, each in journal.head.get("facts", {}).items() if name not in own}
        wrong = wrong_facts(facts, facts_of(shown), model=False, labels=labels)
        if wrong:
            return wrong
    if None not in (boot, journal.boot) and boot != journal.boot:
        journal.write("boot", boot=boot, gone=_gone(journal, view_of(shown)))
    return []


def _undoable(journal: Journal) -> list[tuple[int, Step]]:
    return [(n, step) for n, step in enumerate(journal.steps, 1) if step.undo and journal.status(n) != "kept"]


def _blocks(journal: Journal, view: View, names: Mapping[str, str]) -> dict[str, str]:
    """The block devices of namespaces that have another number now."""
    found = {}
    for name, shown in journal.holding().items():
        then, now = shown.get("blockdev"), view.get(names.get(name, name), {}).get("blockdev")
        if name.startswith("namespace") and then and now and names.get(str(then), then) != now:
            found[str(then)] = str(now)
    return found


def _volatile(step: Step, before: View) -> bool:
    """Does it change only what a reboot sets back?"""
    return bool(step.changes) and all(
        name == POLICY
        or name.startswith("memory")
        or (name.startswith("dax") and _but(before.get(name)) == _but(shown) is not None)
        for name, shown in step.changes.items()
    )


def _but(shown: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if shown is None else {key: value for key, value in shown.items() if key not in _VOLATILE}


def _gone(journal: Journal, view: View) -> list[int]:
    """The commands whose effect a reboot took away: what they change is as if none of their kind had run."""
    numbers = range(1, len(journal.steps) + 1)
    volatile = [n for n in numbers if _volatile(journal.steps[n - 1], journal.views[n - 1])]
    base = journal.view(n for n in numbers if journal.status(n) == "done" and n not in volatile)
    return [
        n for n in volatile
        if journal.status(n) in ("begun", "done", "back")
        and all(same_thing(view.get(name), base.get(name)) for name in journal.steps[n - 1].changes)
    ]  # fmt: skip
