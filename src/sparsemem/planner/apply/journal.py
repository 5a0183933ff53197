"""The journal: JSON lines, each on the disk before anything else happens. docs/planner.md describes it.

The first line is the plan (``head``), each other line an event. A line that a kill cut off in the middle was never written. While
a journal is open nobody else can open it, and a command that outlives us keeps it locked until it has ended.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparsemem.errors import InputError, UnreadableError, UsageError
from sparsemem.planner.apply.errors import ApplyError
from sparsemem.planner.apply.view import watched
from sparsemem.planner.plan import Expectation

if TYPE_CHECKING:
    from types import TracebackType

    from sparsemem.planner.apply.view import View

__all__ = ["FORMAT", "Journal", "Step", "default_path"]

FORMAT = 1
_MAX_SIZE = 1 << 28
_EVENTS = {"begin", "done", "failed", "found", "named", "stop", "undo", "back", "backed", "end"}


@dataclass(frozen=True, slots=True)
class Step:
    """A command of the plan as the journal has it. ``changes``: every device that shows something else after it, and what (None: it is
    gone)."""

    argv: tuple[str, ...]
    why: str
    expect: tuple[Expectation, ...]
    undo: tuple[tuple[str, ...], ...] | None
    destroys: tuple[str, ...]
    changes: dict[str, dict[str, Any] | None]


def default_path() -> Path:
    """A new journal's place: ``$XDG_STATE_HOME/sparsemem/plan-TIME-PID.jsonl``."""
    base = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    return Path(base) / "sparsemem" / f"plan-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{os.getpid()}.jsonl"


def _step(told: dict[str, Any]) -> Step:
    undo = told["undo"]
    return Step(
        tuple(map(str, told["argv"])), str(told["why"]), tuple(Expectation(e["tool"], e["dev"], e["shows"]) for e in told["expect"]),
        None if undo is None else tuple(tuple(map(str, argv)) for argv in undo), tuple(told["destroys"]), dict(told["changes"]),
    )  # fmt: skip


class Journal:
    """An open journal, locked. ``events`` are all so far; ``views[n]`` is what the machine shows after ``n`` commands,
    the memory blocks ``watched`` among it."""

    def __init__(self, path: Path, descriptor: int, head: dict[str, Any], events: list[dict[str, Any]]) -> None:
        self.path = path
        self.descriptor = descriptor
        self.head = head
        self.events = events
        self.steps = tuple(_step(each) for each in head["steps"])
        self.watched = watched(step.argv for step in self.steps)
        self.views: list[View] = [dict(head["start"])]
        for step in self.steps:
            view = dict(self.views[-1])
            for name, shown in step.changes.items():
                view.pop(name, None)
                if shown is not None:
                    view[name] = shown
            self.views.append(view)

    @classmethod
    def create(cls, path: Path, head: dict[str, Any]) -> Journal:
        """A new file with its head, whole or not at all. Raises ApplyError, UsageError where there is one already."""
        head = {"journal": FORMAT, "time": _now(), **head}
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _write(descriptor, head)
                os.link(beside, path)  # unlike a rename, it never replaces a journal that is there
            except BaseException:
                os.close(descriptor)
                raise
            finally:
                os.unlink(beside)
            _sync_directory(path.parent)
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
            return cls(path, descriptor, *_load(path, descriptor))
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
        line = {"event": event, "time": _now(), **fields}
        try:
            _write(self.descriptor, line)
        except OSError as error:
            raise ApplyError(
                f"the journal can not be written: {error.strerror}",
                where=str(self.path),
                remedy="make room, then --resume or --undo",
            ) from None
        self.events.append(line)

    # -- where we are

    def status(self, number: int) -> str:
        """Of a command (from 1): "" (not begun, or taken back), "begun" (nobody wrote that it is done), "done"; "back": taking it back was
        begun; "kept": it was looked at when going back, and stays."""
        state = ""
        for each in self.events:
            if each.get("step") != number:
                continue
            kind = each["event"]
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
            found |= each.get("names", {})
        return found

    def made(self, number: int) -> dict[str, str] | None:
        """The uuids of the namespaces that a command (from 1) left behind, as they were seen right after it; None where nobody looked."""
        found: dict[str, str] | None = None
        for each in self.events:
            if each.get("step") == number:
                found = dict(each["made"]) if "made" in each else None if each["event"] == "begin" else found
        return found


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _write(descriptor: int, line: dict[str, Any]) -> None:
    data = (json.dumps(line, ensure_ascii=True, separators=(",", ":")) + "\n").encode()
    at = os.fstat(descriptor).st_size
    try:
        while data:
            data = data[os.write(descriptor, data) :]
        os.fsync(descriptor)
    except OSError:
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, at)  # half a line would glue itself to the next
        raise


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _load(path: Path, descriptor: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise ApplyError(
            "the journal is in use", where=str(path), why="another sparsemem, or a command that one started, still runs",
            remedy="wait for it to end, then try again",
        ) from None  # fmt: skip
    about = os.fstat(descriptor)
    if about.st_size > _MAX_SIZE:
        raise InputError("larger than 256 MiB: not a journal", where=str(path))
    text = os.pread(descriptor, about.st_size, 0)
    whole, _, torn = text.rpartition(b"\n")
    lines: list[dict[str, Any]] = []
    try:
        for line in whole.split(b"\n"):
            lines.append(json.loads(line))
            if len(lines) > 1 and (lines[-1]["event"] not in _EVENTS or not isinstance(lines[-1].get("step", 1), int)):
                raise ValueError
        head = lines[0]
        if head["journal"] != FORMAT:
            raise InputError(f"a journal of format {head['journal']}: I know {FORMAT}", where=str(path))
        for each in head["steps"]:
            _step(each)
        dict(head["start"])
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        raise InputError(
            "not a journal of plan --apply",
            where=f"{path}:{max(len(lines), 1)}",
            remedy="give the file that plan --apply named",
        ) from None
    if torn:
        os.ftruncate(descriptor, about.st_size - len(torn))
    return head, lines[1:]
