"""The lines of a log that ``explain`` knows, each with its place; the lines of a WARN or BUG are one event."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from sparsemem.explain.clean import clean
from sparsemem.explain.match import Hit, fixed_words, match_line
from sparsemem.explain.warnings import Place, find_place, known_function

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Event", "Log", "scan"]

_STAMP = re.compile(
    r"(?:<\d{1,3}>)?\s*(?:\w+\s*:\s*\w+\s*:\s*)?\[\s*(\d{1,9}\.\d{1,9}|(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[^\]]{5,40})\]"
    r"|(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?)|((?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\s+\d{1,2} \d\d:\d\d:\d\d)"
)
_BOOT = re.compile(r"Linux version \d+\.\d+\S* \(")
_CUT, _END = "[ cut here ]", "[ end trace"
_TRACE = re.compile(
    r"Modules linked in|CPU: \d|Hardware name|Workqueue|Tainted|RIP: |Code: |R[A-Z]{2}: |R\d\d: |RSP: |EFLAGS|[FGCDE]S: |CR\d: |DR\d: |"
    r"Call [Tt]race|</?TASK>|</?IRQ>|[A-Za-z_][\w.]*\+0x[0-9a-f]+/0x|irq event|(?:hard|soft)irqs last|pstate: |pc : |lr : |sp : |x\d+ ?: |"
    r"NIP|GPR\d|MSR: |Comm: |PKRU|ORIG_RAX|WARNING: |kernel BUG at|BUG: |Oops|invalid opcode|\? "
)
_LONGEST = 150
"""Lines of one trace at most."""

_DRIVERS = re.compile(
    r"nd_|nvdimm|pmem|namespace\d|pfn\d|region\d|dax|kmem|hmem|cxl|btt|nfit|virtio.?mem|PNP0C80", re.IGNORECASE
)
_ANYBODYS = ("probe-failed", "shell-write-error", "tool-attribute-failed", "tool-failed-to-enable")
"""Messages in which any driver or program may speak: taken only where the line names one of ours."""
_AT_BOOT = ("zonelists-rebuilt",)
"""Messages that every boot prints once; they tell something only when they come again."""


@dataclass(slots=True)
class Event:
    """A known line, or a whole WARN. ``first`` and ``last`` are line numbers from 1, ``again`` those of later lines with the same words;
    ``stamp`` its time as printed ("" for none), ``text`` the line without its noise; ``hit`` None where only the ``place`` in the source
    is known."""

    first: int
    last: int
    stamp: str
    text: str
    hit: Hit | None = None
    place: tuple[Place, str, str | None] | None = None
    function: str | None = None
    again: tuple[int, ...] = ()

    @property
    def folded(self) -> int:
        """Lines of a trace that are shown as one."""
        return self.last - self.first


@dataclass(frozen=True, slots=True)
class Log:
    """``lines``: all of them; ``events`` in order; ``start``: the line (from 0) where the last boot begins; ``boots``: how many there
    are; ``from_boot``: whether that beginning is in the log; ``known``: how many lines the events stand for."""

    lines: tuple[str, ...]
    events: tuple[Event, ...]
    start: int
    boots: int
    from_boot: bool
    known: int


def _stamp(line: str) -> str:
    match = _STAMP.match(line)
    return next((group for group in match.groups() if group), "") if match is not None else ""


def _candidates(text: str, lines: list[str]) -> list[int]:
    """Line numbers (from 0) that hold a fixed word of some message: the whole text is searched at once, word by word."""
    starts = [0, *accumulate(len(line) + 1 for line in lines)]
    found: set[int] = set()
    for word in fixed_words():
        at = text.find(word)
        while at >= 0:
            number = bisect_right(starts, at) - 1
            found.add(number)
            at = text.find(word, starts[number + 1] if number + 1 < len(starts) else len(text))
    return sorted(found)


def _traces(lines: list[str], start: int) -> Iterator[tuple[int, int]]:
    """(first, last) of each WARN, BUG or oops, inclusive, from 0."""
    number = start
    while number < len(lines):
        line = lines[number]
        if not (_CUT in line or "WARNING: " in line or "kernel BUG at" in line) or (
            _CUT not in line and find_place(clean(line)) is None
        ):
            number += 1
            continue
        last = number
        cut = _CUT in line
        for other in range(number + 1, min(number + _LONGEST, len(lines))):
            if _END in lines[other]:
                last = other
                break
            if _CUT in lines[other] or (not cut and not _TRACE.search(lines[other])):
                break
            if _TRACE.search(lines[other]):
                last = other
        yield number, last
        number = last + 1


def _ours(hit: Hit) -> bool:
    return hit.message.id not in _ANYBODYS or _DRIVERS.search(hit.line) is not None


def _of_trace(lines: list[str], first: int, last: int) -> Event | None:
    """The message in a trace says most, then the place in the source, then a function that a rule names."""
    texts = [clean(line) for line in lines[first : last + 1]]
    hits = [hit for text in texts if (hit := match_line(text)) is not None and _ours(hit)]
    places = [place for text in texts if (place := find_place(text)) is not None]
    function = next((name for text in texts if (name := known_function(text)) is not None), None)
    stamp = _stamp(lines[first])
    if hits:
        return Event(first + 1, last + 1, stamp, hits[0].line, hits[0], places[0] if places else None, function)
    if places:
        head = next(text for text in texts if find_place(text) is not None)
        return Event(first + 1, last + 1, stamp, head, None, places[0], function)
    return None


def scan(text: str) -> Log:
    """Read a log. Of several boots the last is read. Never raises for any text."""
    lines = text.split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    boots = [number for number, line in enumerate(lines) if "Linux version" in line and _BOOT.search(line)]
    start = boots[-1] if len(boots) > 1 else 0
    in_trace: dict[int, int] = {}
    events: list[Event] = []
    count = 0
    same: dict[tuple[str, str], Event] = {}
    for first, last in _traces(lines, start):
        event = _of_trace(lines, first, last)
        if event is None:
            continue
        in_trace.update(dict.fromkeys(range(first, last + 1), first))
        count += last - first + 1
        known = same.get(("trace", event.text))
        if known is not None:
            known.again += (first + 1,)
            continue
        same["trace", event.text] = event
        events.append(event)
    at_boot: set[str] = set()
    for number in _candidates(text, lines):
        if number < start or number in in_trace or number >= len(lines):
            continue
        hit = match_line(clean(lines[number]))
        if hit is None or not _ours(hit):
            continue
        if boots and hit.message.id in _AT_BOOT and hit.wording.format not in at_boot:
            at_boot.add(hit.wording.format)
            continue
        known = same.get((hit.message.id, hit.line))
        count += 1
        if known is not None:
            known.again += (number + 1,)
            continue
        event = Event(number + 1, number + 1, _stamp(lines[number]), hit.line, hit)
        same[hit.message.id, hit.line] = event
        events.append(event)
    events.sort(key=lambda each: each.first)
    return Log(tuple(lines), tuple(events), start, max(1, len(boots)), bool(boots), count)
