"""Both sides next to each other: every difference, with what the kernel and what the model said, and the step it came with."""

from __future__ import annotations

import difflib
import os
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from sparsemem.kernel.refusal import errno_name
from sparsemem.lab.observe import Observation

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sparsemem.lab.guest import GuestAnswer
    from sparsemem.play.player import StepResult

__all__ = [
    "NUMBERS",
    "Difference",
    "Uuids",
    "compare_answers",
    "compare_observations",
    "errno_of",
    "masked_log",
    "masked_text",
]

_UUID = re.compile(r"\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b")
_CLOCK = re.compile(
    r"(clocksource|tsc|sched_clock): |TSC found unstable|(hrtimer|perf): interrupt took|workqueue: \S+ hogged CPU|sched: DL replenish"
)
NUMBERS = "the devices of a region are probed in parallel: which of them gets which number is the guest's luck"
_PARALLEL = "the devices of a region are probed in parallel: the order of their lines is the guest's luck"
_BUSY = re.compile(r"alloc_contig_range: \[[0-9a-f]+, [0-9a-f]+\) PFNs busy$")
"""A page was in use for a moment when virtio_mem asked for its range; it asks again, in smaller pieces."""
_ERRNOS = {os.strerror(number): errno_name(number) for number in range(1, 132)}


class Difference(NamedTuple):
    """``step`` counts from 1 (0: at boot); ``what`` is "exit code", "output", "log", "iomem", "sections" and so on.

    ``excuse``: why this one is no fault of the model; empty for a difference that counts.
    """

    step: int
    command: str
    what: str
    kernel: str
    model: str
    excuse: str = ""


class Uuids:
    """Numbers uuids in the order in which one side shows them: the two sides draw different ones. Those that the steps give stay."""

    def __init__(self, keep: str = "") -> None:
        self._known: dict[str, str] = {}
        self._keep = {each.lower() for each in _UUID.findall(keep)}

    def mask(self, text: str) -> str:
        """The text with its uuids numbered."""
        return _UUID.sub(self._number, text)

    def _number(self, match: re.Match[str]) -> str:
        uuid = match[0].lower()
        if uuid in self._keep or not uuid.strip("0-"):
            return match[0]
        return self._known.setdefault(uuid, f"00000000-0000-4000-8000-{len(self._known) + 1:012}")


def masked_log(lines: Sequence[str]) -> list[str]:
    """Log lines without numbers that follow from the size of the kernel build, and without what comes of a slow emulator or of pages that
    are in use for a moment.
    """
    kept = (line for line in lines if not _CLOCK.match(line) and not _BUSY.match(line))
    return [re.sub(r"Total pages: .*", "Total pages: N", line) for line in kept]


def masked_text(text: str) -> str:
    """Output without device numbers, which follow from the order in which modules were loaded."""
    return re.sub(r"\b(dev=|MAJOR=)2[345]\d\b", r"\1NNN", text)


def errno_of(text: str) -> str | None:
    """The errno that the last words of an output name, or None."""
    for line in reversed(text.splitlines()):
        words = line.rpartition(": ")[2].strip()
        if words in _ERRNOS:
            return _ERRNOS[words]
    return None


def compare_answers(
    step: int, guest: GuestAnswer, model: StepResult, uuids: tuple[Uuids, Uuids]
) -> Iterator[Difference]:
    """Exit code, words and kernel log of one step."""

    def differ(what: str, kernel: str, ours: str) -> Iterator[Difference]:
        if kernel != ours:
            yield Difference(step, model.command, what, kernel, ours)

    yield from differ("exit code", str(guest.exit_code), str(model.exit_code))
    errno = errno_of(guest.stdout)
    if errno is not None and model.errno is not None and errno_of(model.stdout) is not None:
        yield from differ("errno", errno, model.errno)
    yield from differ("output", masked_text(uuids[0].mask(guest.stdout)), masked_text(uuids[1].mask(model.stdout)))
    kernel_log, our_log = (
        uuids[side].mask("\n".join(masked_log(lines))) for side, lines in ((0, guest.log), (1, model.log_lines))
    )
    parallel = "enable-region" in model.command and sorted(kernel_log.split("\n")) == sorted(our_log.split("\n"))
    for each in differ("log", kernel_log, our_log):
        yield each._replace(excuse=_PARALLEL) if parallel else each


def compare_observations(
    step: int, command: str, guest: Observation, model: Observation, uuids: tuple[Uuids, Uuids]
) -> Iterator[Difference]:
    """What both sides show after a step: only the lines that differ are kept."""
    for name in Observation._fields:
        ours, theirs = _lines(getattr(model, name), uuids[1]), _lines(getattr(guest, name), uuids[0])
        if getattr(guest, name) is None or ours == theirs:
            continue
        kernel, mine = _only(theirs, ours)
        luck = "enable-region" in command and name in ("ndctl", "daxctl") and _unnumbered(theirs) == _unnumbered(ours)
        yield Difference(step, command, name.replace("_", " "), kernel, mine, NUMBERS if luck else "")


def _unnumbered(lines: list[str]) -> list[str]:
    return [re.sub(r"\b(dax|pfn|btt)\d+\.\d+", r"\1N", line) for line in lines]


def _lines(value: Any, uuids: Uuids) -> list[str]:
    if isinstance(value, str):
        return uuids.mask(value).splitlines()
    if isinstance(value, tuple):
        return [each if isinstance(each, str) else _row(each) for each in value]
    return [str(value)]


def _row(row: Any) -> str:
    words = []
    for name, value in zip(row._fields, row, strict=True):
        if name in ("subsection_map", "first", "last") and value is not None:
            value = f"{value:#x}"
        elif isinstance(value, tuple):
            value = "|".join(value)
        words.append(f"{name}={value}")
    return " ".join(words)


def _only(kernel: list[str], model: list[str]) -> tuple[str, str]:
    mine, theirs = [], []
    for line in difflib.ndiff(kernel, model):
        if line.startswith("- "):
            theirs.append(line[2:])
        elif line.startswith("+ "):
            mine.append(line[2:])
    return "\n".join(theirs), "\n".join(mine)
