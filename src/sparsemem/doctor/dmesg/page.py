"""An explained boot log as a page: each known line marked at the addresses it is about, and listed with what it means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.doctor.dmesg.text import event_title, headline, summary_lines, telling_numbers
from sparsemem.doctor.picture import note_sections, scene_of
from sparsemem.draw import Mark, PageText, Section, Sentence, Table, paint_html

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.doctor.dmesg import ExplainedLog
    from sparsemem.doctor.dmesg.scan import Event
    from sparsemem.doctor.dmesg.tie import Tied
    from sparsemem.ranges import Range

__all__ = ["line_marks", "paint_log"]

_UNWRAPPED = 1 << 20


def _where(explained: ExplainedLog, tied: Tied) -> tuple[Range, ...]:
    """The bytes that a line is about: those it tells, else those of the devices it names."""
    if tied.range is not None:
        return (tied.range,)
    owners = [explained.owners.named(name) for name in tied.devices] if explained.owners is not None else []
    return tuple(dict.fromkeys(owner.range for owner in owners if owner is not None and owner.range is not None))


def _said(event: Event) -> str:
    return f"[{event.stamp}] {event.text}" if event.stamp else event.text


def _facts(explained: ExplainedLog, tied: Tied) -> Iterator[tuple[str, str]]:
    event, owners = tied.event, explained.owners
    yield "the line", _said(event)
    identity, _, what = event_title(event)
    yield "what it means", what
    for number in telling_numbers(explained, event):
        yield number.label, number.text
    if owners is not None and tied.range is not None:
        yield "owner", owners.words(tied.range)
    if tied.devices:
        yield "device", ", ".join(tied.devices)
    if tied.finding is not None:
        yield "finding", f"{tied.finding.severity} {tied.finding.id}: {tied.finding.what}"
    if event.folded:
        yield "trace", f"{event.folded + 1} lines, to line {event.last}"
    if event.again:
        yield "again", ", ".join(f"line {number}" for number in event.again)
    if event.hit is not None:
        yield "more", "in plain words:"
        yield "$", f"sparsemem explain {identity}"


def line_marks(explained: ExplainedLog) -> tuple[Mark, ...]:
    """Each known line; it is as bad as the finding that it belongs to."""
    marks = []
    for tied in explained.ties.tied:
        identity, title, _ = event_title(tied.event)
        severity = tied.finding.severity if tied.finding is not None else "notice"
        what = f"line {tied.event.first}: {title}"
        marks.append(Mark(identity, severity, what, _where(explained, tied), tuple(_facts(explained, tied))))
    return tuple(marks)


def _log(explained: ExplainedLog, *, all_lines: bool) -> Section:
    """The lines in order, each with what it is."""
    log = explained.log
    shown = {tied.event.first: tied for tied in explained.ties.tied}
    rows: list[tuple[object, ...]] = []
    inside = 0
    for number, text in enumerate(log.lines[log.start :], log.start + 1):
        if number in shown:
            event, finding = shown[number].event, shown[number].finding
            inside = event.last
            rows.append((number, _said(event), event_title(event)[1], finding.id if finding is not None else ""))
        elif all_lines and number > inside:
            rows.append((number, text, "", ""))
    return Section("The log", (Table(("line", "text", "what it is", "finding"), tuple(rows), frozenset({0})),))


def paint_log(explained: ExplainedLog, *, all_lines: bool = False) -> str:
    """The page of an explained log (``draw.paint_html``); ``explained.ctx`` must be there. ``all_lines``: also those not known."""
    assert explained.ctx is not None
    lead = (headline(explained), *summary_lines(explained, _UNWRAPPED))
    below = _log(explained, all_lines=all_lines), *note_sections(explained.notes)
    told = PageText("A boot log", "line", tuple(map(Sentence, lead)), (), below)
    return paint_html(scene_of(explained.ctx), marks=line_marks(explained), told=told)
