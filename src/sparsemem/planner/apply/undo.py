"""Taking one command back: only where what is there is what the journal shows that this plan made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sparsemem.errors import SparsememError
from sparsemem.planner.apply.cxl import is_cxl, others_on, way_back
from sparsemem.planner.apply.identity import identities
from sparsemem.planner.apply.view import differences, same_thing, show_words, uuids_of, view_of
from sparsemem.units import parse_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sparsemem.planner.apply.identity import Identity
    from sparsemem.planner.apply.journal import Journal, Step
    from sparsemem.planner.apply.runners import Runner
    from sparsemem.planner.apply.view import View

__all__ = ["Refused", "asked_sizes", "lost_things", "take_back", "undo_preview"]


@dataclass(frozen=True, slots=True)
class Refused:
    """Command ``step`` could not be taken back: fields of the ``Outcome``."""

    step: int
    fields: dict[str, Any] = field(default_factory=dict)


def lost_things(journal: Journal) -> dict[str, str]:
    """Device -> what of it nothing brings back, for the commands that were begun."""
    lost: dict[str, str] = {}
    for number, step in enumerate(journal.steps, 1):
        state = journal.status(number)
        if state == "kept" or (step.undo is None and state):
            lost |= {name: f"what was on {name}" for name in step.destroys}
            kinds = ("namespace", "dax", "memory", *(("region", "cxl:") if is_cxl(step) else ()))
            for name in step.changes if not step.destroys else ():
                if name.startswith(kinds):
                    lost.setdefault(name, f"{name} as it was before")
    return lost


def undo_preview(journal: Journal, lists: dict[str, Any]) -> tuple[list[tuple[str, ...]], list[str], list[str]]:
    """What going back would run, the devices whose content it destroys, and what can not come back. ``lists``: in the names of the plan
    (``Named``)."""
    view, names = view_of(lists), journal.names
    commands: list[tuple[str, ...]] = []
    gone: list[str] = []
    stay: list[Step] = []
    for number in range(len(journal.steps), 0, -1):
        step, before = journal.steps[number - 1], journal.views[number - 1]
        if not journal.status(number):
            continue
        if journal.status(number) == "kept" or not step.undo:
            stay.append(step)
            continue
        if is_cxl(step) and any(each.undo is None and not each.destroys for each in stay):
            stay.append(step)  # memory of it that is online for good
            continue
        if not _as(view, journal.views[number], {name for each in stay for name in each.changes} & set(step.changes)):
            stay.append(step)  # what it made is what can not be brought back
            continue
        made = [name for name in step.changes if name not in before and name in view]
        if journal.status(number) != "done" and step.changes and _as(view, before, step.changes):
            continue
        back = way_back(step, before, view) if is_cxl(step) else step.undo
        commands += (tuple(names.get(word, word) for word in argv) for argv in back)
        gone += [names.get(name, name) for name in made if any(name in argv and "destroy" in argv[1] for argv in back)]
    return commands, gone, list(lost_things(journal).values())


def take_back(
    journal: Journal, runner: Runner, number: int, lists: dict[str, Any], tell: Callable[[], None] = lambda: None
) -> Refused | None:
    """Take command ``number`` back and write so; None when it is as before it, or when nothing brings that back. ``tell`` is called before
    anything is run."""
    step, before, view = journal.steps[number - 1], journal.views[number - 1], view_of(lists)
    kept = [journal.steps[n - 1] for n in range(number + 1, len(journal.steps) + 1) if journal.status(n) == "kept"]
    destroyed = {name for later in kept for name in later.destroys}
    names = [name for name in step.changes if name not in destroyed]
    unfinished = journal.status(number) == "back" and len(step.undo or ()) > 1
    same = _as(view, before, names)
    if step.undo is None and step.destroys:  # what looks alike can be empty now: a namespace without labels stays
        same = journal.status(number) != "done" and all(view.get(name) == before.get(name) for name in names)
    if names and same and not unfinished:
        journal.write("backed", step=number, lost=False)
        return None
    changed = {name for later in kept for name in later.changes} & set(names)
    stays = is_cxl(step) and any(not later.destroys for later in kept)  # memory of it that is online for good
    if not step.undo or stays or not _as(view, journal.views[number], changed):
        # nothing brings it back, nothing need be done, or what it made is now what can not be brought back
        journal.write("backed", step=number, lost=step.undo != ())
        return None
    if journal.status(number) == "back" and not is_cxl(step) and _is_gone(journal, step, before, identities(lists)):
        journal.write("backed", step=number, lost=False)  # somebody else's has its name now
        return None
    foreign = _foreign(journal, number, names, view, uuids_of(lists))
    if foreign:
        return Refused(number, {"found": tuple(foreign), "argv": step.undo[0]})
    tell()
    journal.write("back", step=number)
    return _run(journal, runner, number, way_back(step, before, view) if is_cxl(step) else step.undo, before, names)


def _as(view: View, other: View, names: Iterable[str]) -> bool:
    return all(same_thing(view.get(name), other.get(name)) for name in names)


def _is_gone(journal: Journal, step: Step, before: View, there: dict[str, Identity]) -> bool:
    """Was the namespace that a command made taken back already, though nobody wrote so? Its label, by uuid, is nowhere."""
    known = journal.known()
    made = [
        known.get(name, {}).get("label") for name in step.changes if name.startswith("namespace") and name not in before
    ]
    return bool(made) and all(made) and not {one.get("label") for one in there.values()} & set(made)


def _foreign(journal: Journal, number: int, names: list[str], view: View, uuids: dict[str, str]) -> list[str]:
    """What is there and is not what this command made, by its uuid, or by its mode and size: a sentence each.

    Where taking back was begun before, what is left may show anything. Where nobody saw the command end, only what it may have left
    half-made counts as its own; where it was seen to end otherwise, the uuid that was seen then.
    """
    state, step = journal.status(number), journal.steps[number - 1]
    before, after, made = journal.views[number - 1], journal.views[number], journal.made(number)
    others = others_on(step, after, view) if is_cxl(step) else []
    found = [f"{name} is on this plan's region, and not of this plan: {show_words(view.get(name))}" for name in others]
    if state == "back":
        return found
    asked = asked_sizes(step)
    for name in names:
        now, then = view.get(name), after.get(name)
        sizes = {None, *(each.get("size") for each in (then, before.get(name)) if each is not None), *asked}
        sizes |= {0} if name.startswith("cxl:") else set()
        if made is not None and name in uuids and name not in before and uuids[name] != made.get(name):
            found.append(
                f"{name} is another namespace now: {show_words(now)}; its uuid is {uuids[name]}, not {made.get(name)}"
            )
        elif state == "done" and not same_thing(now, then):
            found.append(f"{name} is no longer what this plan made of it ({show_words(then)}): {show_words(now)}")
        elif made is not None and name in uuids and uuids[name] == made.get(name):
            continue
        elif state != "done" and now is not None and now.get("size") not in sizes:
            found.append(f"{name} is nothing that the command of this plan can have left: {show_words(now)}")
    return found


def asked_sizes(step: Step) -> set[int]:
    """The size that a command asks for, bytes; nothing where it does not."""
    words = dict(zip(step.argv, step.argv[1:], strict=False))
    try:
        return {parse_size(words["-s"])}
    except (KeyError, SparsememError):
        return set()


def _run(
    journal: Journal, runner: Runner, number: int, commands: tuple[tuple[str, ...], ...], before: View, names: list[str]
) -> Refused | None:
    for argv in commands:
        code, output = runner.run(argv)
        if code and not _as(view_of(runner.observe()), before, names):
            fields = {"argv": argv, "exit_code": code, "output": output, "log": runner.log()}
            journal.write("failed", step=number, exit_code=code, output=output, found=[])
            return Refused(number, fields)
    view = view_of(runner.observe())
    if not _as(view, before, names):
        found = tuple(differences(view, before, names))
        journal.write("failed", step=number, exit_code=0, output="", found=list(found))
        return Refused(number, {"argv": (commands or ((),))[-1], "found": found})
    journal.write("backed", step=number, lost=False)
    return None
