"""The lines of a journal's file: whole ones or none, each on the disk when it is written, and nothing else taken for one."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sparsemem.errors import InputError
from sparsemem.planner.apply.errors import ApplyError
from sparsemem.planner.plan import Expectation

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FORMAT", "Step", "load", "now", "step_of", "sync_directory", "write_line"]

FORMAT = 1
_MAX_SIZE = 1 << 28
_EVENTS = {"begin", "done", "failed", "found", "named", "boot", "stop", "undo", "back", "backed", "end"}


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


def step_of(told: dict[str, Any]) -> Step:
    """A command as the file has it. Raises what indexing raises."""
    undo = told["undo"]
    return Step(
        tuple(map(str, told["argv"])), str(told["why"]), tuple(Expectation(e["tool"], e["dev"], e["shows"]) for e in told["expect"]),
        None if undo is None else tuple(tuple(map(str, argv)) for argv in undo), tuple(told["destroys"]), dict(told["changes"]),
    )  # fmt: skip


def now() -> str:
    """The time as lines have it, UTC."""
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"


def write_line(descriptor: int, line: dict[str, Any]) -> None:
    """Append a line; it is on the disk when this returns. Raises OSError, and then there is nothing of it."""
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


def sync_directory(path: Path) -> None:
    """Make a new name in it last."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _check_head(head: dict[str, Any], path: Path) -> None:
    """Raises InputError for a format that is not known, and what indexing raises for what is no head."""
    if head["journal"] != FORMAT:
        newer = isinstance(head["journal"], int) and head["journal"] > FORMAT
        raise InputError(
            f"a journal of format {head['journal']}: I know {FORMAT}", where=str(path),
            remedy="go on with the newer sparsemem that wrote it" if newer else None,
        )  # fmt: skip
    for each in head["steps"]:
        step_of(each)
    for key in ("start", "facts", "ids"):
        dict(head[key] if key == "start" else head.get(key, {}))


def _is_event(line: dict[str, Any], steps: int) -> bool:
    number = line.get("step", 1)
    return line["event"] in _EVENTS and isinstance(number, int) and ("step" not in line or 1 <= number <= steps)


def load(path: Path, descriptor: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Lock an open journal and read it: its head and its events. What a kill cut off is cut off. Raises ApplyError, InputError."""
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
            if len(lines) == 1:
                _check_head(lines[0], path)
            elif not _is_event(lines[-1], len(lines[0]["steps"])):
                raise ValueError
        head = lines[0]
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        raise InputError(
            "not a journal of plan --apply",
            where=f"{path}:{max(len(lines), 1)}",
            remedy="give the file that plan --apply named",
        ) from None
    if torn:
        os.ftruncate(descriptor, about.st_size - len(torn))
    return head, lines[1:]
