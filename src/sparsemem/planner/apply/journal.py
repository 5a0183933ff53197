"""The journal: JSON lines, each on the disk before anything else happens. docs/planner.md describes it.

The first line is the plan (``head``), each other line an event. A line that a kill cut off in the middle was never written. While
a journal is open nobody else can open it, and a command that outlives us keeps it locked until it has ended.
"""

from __future__ import annotations

import fcntl
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparsemem.errors import UnreadableError, UsageError
from sparsemem.planner.apply.errors import ApplyError
from sparsemem.planner.apply.lines import FORMAT, Step, load, now, step_of, sync_directory, write_line
from sparsemem.planner.apply.view import watched

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from sparsemem.planner.apply.identity import Identity
    from sparsemem.planner.apply.view import View

__all__ = ["FORMAT", "Journal", "Step", "default_path"]


def default_path() -> Path:
    """A new journal's place: ``$XDG_STATE_HOME/sparsemem/plan-TIME-PID.jsonl``."""
    base = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    return Path(base) / "sparsemem" / f"plan-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{os.getpid()}.jsonl"


class Journal:
    """An open journal, locked. ``events`` are all so far; ``views[n]`` is what the machine shows after ``n`` commands,
    the memory blocks ``watched`` among it."""

    def __init__(self, path: Path, descriptor: int, head: dict[str, Any], events: list[dict[str, Any]]) -> None:
        self.path = path
        self.descriptor = descriptor
        self.head = head
        self.events = events
        self.steps = tuple(step_of(each) for each in head["steps"])
        self.watched = watched(step.argv for step in self.steps)
        self.views: list[View] = [dict(head["start"])]
        for number in range(1, len(self.steps) + 1):
            self.views.append(self._changed(self.views[-1], number))

    @classmethod
    def create(cls, path: Path, head: dict[str, Any]) -> Journal:
        """A new file with its head, whole or not at all. Raises ApplyError, UsageError where there is one already."""
        head = {"journal": FORMAT, "time": now(), **head}
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                write_line(descriptor, head)
                os.link(beside, path)  # unlike a rename, it never replaces a journal that is there
            except BaseException:
                os.close(descriptor)
                raise
            finally:
                os.unlink(beside)
            sync_directory(path.parent)
        except FileExistsError:
            raise UsageError(
                "there is a journal already",
                where=str(path),
                remedy="go on with --resume or --undo, or name another file",
            ) from None
        except OSError as error:
            raise ApplyError(
                f"the journal can not be written: {error.strerror}",
                where=str(path),
                remedy="name another place with --journal FILE",
            ) from None
        return cls(path, descriptor, head, [])

    @classmethod
    def open(cls, path: Path) -> Journal:
        """Open one to go on. Raises UnreadableError, InputError, ApplyError (somebody else has it open)."""
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        except OSError as error:
            raise UnreadableError(f"cannot open the journal: {error.strerror}", where=str(path)) from None
        try:
            return cls(path, descriptor, *load(path, descriptor))
        except BaseException:
            os.close(descriptor)
            raise

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def check_ours(self) -> None:
        """Raises UnreadableError where somebody else could have written it: its commands are about to be run."""
        about = os.fstat(self.descriptor)
        if about.st_uid != os.geteuid() or about.st_mode & 0o022:
            raise UnreadableError(
                "this journal is not ours alone", where=str(self.path), why="its commands would be run, and somebody else can write it",
                remedy="look at it, then chown and chmod 600 it",
            )  # fmt: skip

    def close(self) -> None:
        """Let go of it; whoever has the descriptor from us keeps it locked."""
        os.close(self.descriptor)

    def write(self, event: str, **fields: Any) -> None:
        """Add an event; it is on the disk when this returns. Raises ApplyError."""
        line = {"event": event, "time": now(), **fields}
        try:
            write_line(self.descriptor, line)
        except OSError as error:
            raise ApplyError(
                f"the journal can not be written: {error.strerror}",
                where=str(self.path),
                remedy="make room, then --resume or --undo: they look at what the last command did",
            ) from None
        self.events.append(line)

    # -- what the machine should show

    def _changed(self, view: View, number: int) -> View:
        view = dict(view)
        for name, shown in self.steps[number - 1].changes.items():
            view.pop(name, None)
            if shown is not None:
                view[name] = shown
        return view

    def view(self, numbers: Iterable[int]) -> View:
        """What it shows after these commands (from 1), and no others."""
        view = self.views[0]
        for number in sorted(numbers):
            view = self._changed(view, number)
        return view

    def holding(self, but: int = 0, also: int = 0) -> View:
        """What it shows after the commands that are done; ``but`` one is not, ``also`` one is."""
        done = {n for n in range(1, len(self.steps) + 1) if self.status(n) == "done"}
        return self.view((done - {but}) | ({also} - {0}))

    # -- where we are

    def status(self, number: int) -> str:
        """Of a command (from 1): "" (not begun, or taken back, by us or by a reboot), "begun" (nobody wrote that it is done), "done";
        "back": taking it back was begun; "kept": it was looked at when going back, and stays."""
        state = ""
        for each in self.events:
            kind = each["event"]
            if kind == "boot" and number in each["gone"]:
                state = ""
            if each.get("step") != number:
                continue
            if kind in ("begin", "back"):
                state = "begun" if kind == "begin" else "back"
            elif kind == "done":
                state = "done"
            elif kind == "found":
                state = "done" if each["took_effect"] else "begun"
            elif kind == "backed":
                state = "kept" if each.get("lost") else ""
        return state

    @property
    def going_back(self) -> bool:
        """Has ``--undo`` begun?"""
        return any(each["event"] == "undo" for each in self.events)

    @property
    def ended(self) -> str | None:
        """ "done" or "undone", when all of it is."""
        ends = [each["outcome"] for each in self.events if each["event"] == "end"]
        return ends[-1] if ends else None

    @property
    def names(self) -> dict[str, str]:
        """Name in the plan -> the name that the kernel gave, where it is another."""
        found: dict[str, str] = {}
        for each in self.events:
            new = each.get("names", {})
            real = set(new.values())  # who had that name before has it no more
            found = {name: now for name, now in found.items() if now not in real} | new
        return found

    @property
    def boot(self) -> str | None:
        """Which boot of the machine it was when the journal was last at work."""
        boots = [each["boot"] for each in self.events if each["event"] == "boot"]
        return boots[-1] if boots else self.head.get("boot")

    def flying(self) -> set[str]:
        """The devices that a command may have changed of which nobody saw the end."""
        found: set[str] = set()
        for number, step in enumerate(self.steps, 1):
            if self.status(number) in ("begun", "back"):
                found |= set(step.changes)
        return found

    def known(self) -> dict[str, Identity]:
        """Which device each name of the plan means: those of the start, and those that its commands were seen to make."""
        found: dict[str, Identity] = dict(self.head.get("ids", {}))
        for each in self.events:
            if not isinstance(each.get("step"), int):
                continue
            changes = self.steps[each["step"] - 1].changes
            if "ids" in each:
                found = {name: one for name, one in found.items() if name not in changes} | each["ids"]
            elif each["event"] == "backed" and not each.get("lost"):
                before = self.views[each["step"] - 1]
                found = {name: one for name, one in found.items() if name not in changes or name in before}
        return found

    def made(self, number: int) -> dict[str, str] | None:
        """The uuids of the namespaces that a command (from 1) left behind, as they were seen right after it; None where nobody looked."""
        found: dict[str, str] | None = None
        for each in self.events:
            if each.get("step") == number:
                found = dict(each["made"]) if "made" in each else None if each["event"] == "begin" else found
        return found
