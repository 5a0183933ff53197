"""One command at a time: written down, run, looked at, written down again. And back by the same way."""

from __future__ import annotations

import functools
import time
from typing import TYPE_CHECKING, Any

from sparsemem.errors import UsageError
from sparsemem.planner.apply.arrive import arrive
from sparsemem.planner.apply.identity import identities
from sparsemem.planner.apply.names import Named, guess_names, real_words, told_names
from sparsemem.planner.apply.outcome import Outcome
from sparsemem.planner.apply.standing import place, standing
from sparsemem.planner.apply.undo import asked_sizes, lost_things, take_back
from sparsemem.planner.apply.view import differences, unmet, uuids_of, view_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from sparsemem.planner.apply.journal import Journal, Step
    from sparsemem.planner.apply.runners import Runner

__all__ = ["Applier"]

_LOOK_AGAIN = 0.2


class Applier:
    """A journal and the machine that it is about. ``tell(number, argv)`` is called before each command, and with a number one too high at
    the end; ``stop()`` is asked between commands; ``settle``: seconds that a machine may take to show what a command did; ``boot``: which
    boot of it this is."""

    def __init__(
        self, journal: Journal, runner: Runner, *, tell: Callable[[int, tuple[str, ...]], None] = lambda number, argv: None,
        stop: Callable[[], bool] = lambda: False, settle: float = 0.0, boot: str | None = None,
    ) -> None:  # fmt: skip
        self.journal = journal
        self.runner = Named(runner, journal)
        self.tell = tell
        self.stop = stop
        self.settle = settle
        self.boot = boot
        self._raw = runner

    # -- forward

    def run(self, *, repair: bool = False) -> Outcome:
        """Carry the plan out from where the journal is. ``repair``: what an interrupted command left half-made may be taken back first.

        Whatever is raised while a command runs leaves a journal to go on with. Raises UsageError where going back was begun.
        """
        journal = self.journal
        if journal.going_back:
            raise UsageError(
                f"this plan {'was' if journal.ended == 'undone' else 'is being'} taken back", where=str(journal.path),
                remedy="make a new plan" if journal.ended == "undone" else "go on with --undo",
            )  # fmt: skip
        wrong = arrive(journal, self._raw, self.boot)
        if wrong:
            return self._outcome("changed", place(journal), found=tuple(wrong))
        self._learn(place(journal))
        at = standing(journal, self.runner.observe())
        if at.kind == "half" and repair and journal.steps[at.step - 1].undo:
            refused = take_back(journal, self.runner, at.step, self.runner.observe())
            if refused is not None:
                return self._outcome("failed", refused.step, **refused.fields)
            at = standing(journal, self.runner.observe())
        if at.kind == "took":
            journal.write(
                "found", step=at.step, took_effect=True, **_made(journal.steps[at.step - 1], self.runner.observe())
            )
        elif at.kind == "done":
            return self._finish()
        elif at.kind != "ready":
            return self._outcome(at.kind, at.step, found=at.found)
        for number in range(1, len(journal.steps) + 1):
            if journal.status(number) == "done":
                continue
            if self.stop():
                return self._outcome("interrupted", number)
            failed = self._step(number, journal.steps[number - 1])
            if failed is not None:
                return failed
        return self._finish()

    def _step(self, number: int, step: Step) -> Outcome | None:
        journal = self.journal
        self.tell(number, self.runner.real(step.argv))
        journal.write("begin", step=number)
        code, output = self.runner.run(step.argv)
        wanted = journal.holding(also=number)
        lists = self.runner.observe()
        told = told_names(journal, number, output, lists) if code == 0 else {}
        if told:  # the tool says what it has made: no need to guess
            journal.write("named", names=told)
            lists = self.runner.observe()
        end = time.monotonic() + self.settle
        while code == 0 and view_of(lists) != wanted and time.monotonic() < end:
            time.sleep(_LOOK_AGAIN)
            lists = self.runner.observe()
        names = guess_names(journal, number, lists) if code == 0 and view_of(lists) != wanted else {}
        if names:
            journal.write("named", names=names)
            lists = self.runner.observe()
        found = unmet(step.expect, lists) if code == 0 else []
        named = {sentence.split(" ")[0].rstrip(":") for sentence in found}
        found += [each for each in differences(view_of(lists), wanted) if each.split(" ")[0].rstrip(":") not in named]
        made = _made(step, lists)
        if code or found:
            journal.write("failed", step=number, exit_code=code, output=output, found=found, **made)
            return self._outcome(
                "failed", number, step.argv, exit_code=code, output=output, log=self.runner.log(), found=tuple(found)
            )
        journal.write("done", step=number, exit_code=code, output=output, **made)
        self.runner.log()
        return None

    def _learn(self, number: int) -> None:
        """A command that was interrupted may have got another name than planned: only where something was taken back or renamed before."""
        journal = self.journal
        moved = any(each["event"] in ("backed", "named", "boot") for each in journal.events)
        if moved and number <= len(journal.steps) and journal.status(number) in ("begun", "back"):
            sizes = asked_sizes(journal.steps[number - 1])
            names = guess_names(journal, number, self.runner.observe(), sizes) if sizes else {}
            if names:
                journal.write("named", names=names)

    def _finish(self) -> Outcome:
        if self.journal.ended is None:
            self.journal.write("end", outcome="done")
        total = len(self.journal.steps)
        self.tell(total + 1, ())
        return self._outcome("done", None)

    # -- back

    def undo(self) -> Outcome:
        """Take back what the journal shows that this plan did, last first. What it destroyed stays lost; nothing else is destroyed."""
        journal = self.journal
        wrong = arrive(journal, self._raw, self.boot, back=True)
        if wrong:
            return self._outcome("changed", None, undo=True, found=tuple(wrong))
        if not journal.going_back:
            journal.write("undo")
        numbers = [n for n in range(len(journal.steps), 0, -1) if journal.status(n) not in ("", "kept")]
        for at, number in enumerate(numbers, 1):
            if self.stop():
                return self._outcome("interrupted", number, undo=True)
            step = journal.steps[number - 1]
            self._learn(number)
            argv = step.undo[0] if step.undo else ()
            refused = take_back(
                journal, self.runner, number, self.runner.observe(), functools.partial(self._tell_back, at, argv)
            )
            if refused is not None:
                return self._outcome("failed", refused.step, undo=True, **refused.fields)
        if journal.ended != "undone":
            journal.write("end", outcome="undone")
        self.tell(len(journal.steps) + 1, ())
        return self._outcome("undone", None, undo=True)

    def _tell_back(self, at: int, argv: tuple[str, ...]) -> None:
        self.tell(at, self.runner.real(argv))

    # -- both

    def _outcome(
        self, result: str, number: int | None, argv: tuple[str, ...] = (), *, undo: bool = False, **more: Any
    ) -> Outcome:
        journal = self.journal
        argv = more.pop("argv", argv)
        if result == "interrupted":
            journal.write("stop", why="interrupted")
        numbers = range(1, len(journal.steps) + 1)
        begun = [n for n in numbers if any(e["event"] == "begin" and e["step"] == n for e in journal.events)]
        if undo:
            done, total = sum(journal.status(n) == "" for n in begun), len(begun)
            lost = lost_things(journal)
            left = differences(view_of(self.runner.observe()), journal.views[0]) if result == "undone" else []
            more |= {
                "lost": tuple(lost.values()),
                "left": tuple(each for each in left if each.split(" ")[0].rstrip(":") not in lost),
            }
        else:
            done, total = sum(journal.status(n) == "done" for n in numbers), len(numbers)
        for key in ("found", "lost", "left"):
            more[key] = tuple(real_words(journal.names, each) for each in more.get(key, ()))
        return Outcome(
            result=result, done=done, total=total, journal=str(journal.path), step=number if begun or result == "failed" else None,
            argv=self.runner.real(argv), undoing=undo, **more,
        )  # fmt: skip


def _made(step: Step, lists: dict[str, Any]) -> dict[str, Any]:
    """What a command left behind, as the journal's ``made`` and ``ids``."""
    uuids, there = uuids_of(lists), identities(lists)
    return {
        "made": {name: uuids[name] for name in step.changes if name in uuids},
        "ids": {name: there[name] for name in step.changes if name in there},
    }
