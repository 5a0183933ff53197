"""An explained log as text, and as JSON.

The public format of ``doctor --dmesg --json``::

    {"log", "machine": text | null, "kernel": text | null, "own_machine", "lines", "known", "unknown", "boots", "start": line, "exit_code",
     "events": [{"line", "last", "again": [line], "time", "text", "id", "title", "what", "errno" | null, "rule" | null,
                 "range": RANGE | null, "devices": [], "owners": [{"kind", "name", "range" | null, "detail"}], "blocks",
                 "numbers": [{"label", "text", "value"}], "finding": {"id", "severity"} | null}],
     "confirmed": [{"id", "severity", "lines": []}], "contradicted": [{"what", "line" | null, "finding" | null}],
     "alone": [{"id", "line"}],
     "silent": [{"id", "severity", "why"}], "notes": [{"source", "where", "what"}]}

"alone" are failures that no finding explains. "line" counts from 1; "last" is the last line of a trace; "finding" names a
finding of ``doctor --json`` for the same machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sparsemem.doctor.plain import count, note_lines, notes_to_json, range_to_json, wrap
from sparsemem.doctor.render import paint
from sparsemem.explain.numbers import decode

if TYPE_CHECKING:
    from sparsemem.doctor.dmesg import ExplainedLog
    from sparsemem.doctor.dmesg.scan import Event
    from sparsemem.doctor.dmesg.tie import Tied
    from sparsemem.explain.numbers import Number

__all__ = ["event_title", "headline", "log_to_json", "render_log", "summary_lines", "telling_numbers"]

_PLAIN = ("range", "pages", "section", "sections", "sub-sections")
_MOST = 3
_MOST_AGAINST = 12
_INDENT = " " * 7
_LABEL = 13


def _numbers(explained: ExplainedLog, event: Event) -> tuple[Number, ...]:
    hit = event.hit
    if hit is None:
        return ()
    if hit.message.rule is None and hit.message.errno is None:
        return tuple(n for n in decode(hit.values, (), explained.frame) if n.label not in ("start", "end", "widened"))
    return decode(hit.values, hit.message.units, explained.frame, trims=hit.message.trims)


def telling_numbers(explained: ExplainedLog, event: Event) -> list[Number]:
    """What is off, and what is lost, each once; where the range lies is told by its owner."""
    found: dict[str, Number] = {}
    for number in _numbers(explained, event):
        if number.label not in _PLAIN and not number.text.startswith("on a "):
            found.setdefault(number.label, number)
    return list(found.values())[:_MOST]


def event_title(event: Event) -> tuple[str, str, str]:
    """(id, title, the first sentence of what it means)"""
    if event.hit is not None:
        message = event.hit.message
        words = {**event.hit.words, "device": event.hit.device or event.hit.words.get("device", "the device")}
        what = message.what
        for key, value in words.items():
            what = what.replace(f"{{{key}}}", value)
        return message.id, message.title, _first_sentence(what)
    assert event.place is not None
    place, at, function = event.place
    where = f"{function}() in {at}" if function else at
    return "warning", place.title, f"The trace comes from {where}. {_first_sentence(place.what)}"


def _first_sentence(text: str) -> str:
    text = text.split("\n")[0]
    end = text.find(". ")
    return text if end < 0 else text[: end + 1]


def _labelled(label: str, text: str, width: int) -> list[str]:
    return wrap(text, width, f"{_INDENT}{label}".ljust(len(_INDENT) + _LABEL), " " * (len(_INDENT) + _LABEL))


def _places(explained: ExplainedLog, tied: Tied, width: int) -> list[str]:
    owners, lines = explained.owners, []
    if owners is None:
        return []
    if tied.range is not None:
        lines += _labelled("owner", owners.words(tied.range), width)
        section = explained.frame.section
        first, last = tied.range.start // section, (tied.range.end - 1) // section
        where = f"section {first}" if first == last else f"sections {first}-{last}"
        blocks = owners.blocks(tied.range)
        lines += _labelled("in", f"{where}{f'; {blocks}' if blocks else ''}", width)
        return lines
    for name in tied.devices:
        owner = owners.named(name)
        if owner is not None:
            lines += _labelled("device", f"{name} is {owner}" if name != owner.name else str(owner), width)
    return lines


def _event(explained: ExplainedLog, tied: Tied, width: int, color: bool) -> list[str]:
    event = tied.event
    stamp = f"[{event.stamp}] " if event.stamp else ""
    # never wrapped: such a line is searched for
    lines = [paint(f"{event.first:>6} {stamp}{event.text}", "notice", color)]
    identity, title, what = event_title(event)
    hit = event.hit
    errno = f" (-{hit.message.errno})" if hit is not None and hit.message.errno else ""
    lines += wrap(f"{identity}: {title}{errno}. {what}", width, _INDENT, _INDENT)
    if event.folded:
        extra = f"{count(event.folded + 1, 'line')} of a trace, to line {event.last}"
        if event.hit is not None and event.place is not None:
            extra += f", from {event.place[1]}"
        lines += _labelled("trace", extra, width)
    for number in telling_numbers(explained, event):
        lines += _labelled(number.label, number.text, width)
    lines += _places(explained, tied, width)
    if tied.finding is not None:
        told = next(each.event.first for each in explained.ties.tied if each.finding is tied.finding)
        text = f"{tied.finding.severity} {tied.finding.id}"
        text += f": {tied.finding.what}" if told == event.first else f", as in line {told}"
        lines += _labelled("finding", text, width)
    if event.again:
        shown = ", ".join(str(number) for number in event.again[:6]) + (", ..." if len(event.again) > 6 else "")
        lines += _labelled("again", f"{count(len(event.again), 'time')}: line {shown}", width)
    return lines


def summary_lines(explained: ExplainedLog, width: int) -> list[str]:
    """What the log says of the machine as a whole."""
    ties, lines = explained.ties, []
    for finding, where in ties.confirmed:
        shown = ", ".join(str(line) for line in where[:6])
        lines += wrap(
            f"confirmed: {finding.severity} {finding.id} by line{'s' if len(where) > 1 else ''} {shown}",
            width,
            "",
            "  ",
        )
    for each in ties.contradicted[:_MOST_AGAINST]:
        lines += wrap(
            f"contradicted: {f'line {each.line}: ' if each.line is not None else ''}{each.what}", width, "", "  "
        )
    if len(ties.contradicted) > _MOST_AGAINST:
        lines.append(f"contradicted: {len(ties.contradicted) - _MOST_AGAINST} more lines; --json has them all")
    if ties.alone:
        shown = ", ".join(f"{event_title(each.event)[0]} (line {each.event.first})" for each in ties.alone[:8])
        more = f" and {len(ties.alone) - 8} more" if len(ties.alone) > 8 else ""
        lines += wrap(
            f"by the log alone: {shown}{more}: no finding explains {'them' if len(ties.alone) > 1 else 'it'}",
            width,
            "",
            "  ",
        )
    for finding, why in ties.silent:
        lines += wrap(f"silent: {finding.severity} {finding.id}: {why}", width, "", "  ")
    if explained.diagnosis is not None and not lines:
        lines.append("the doctor finds nothing wrong, and the log says nothing else")
    return lines


def headline(explained: ExplainedLog) -> str:
    """The log, how much of it is known, and for which machine."""
    log = explained.log
    total = len(log.lines) - log.start
    head = f"{explained.name}: {count(total, 'line')}, {log.known} known"
    if explained.diagnosis is not None:
        whose = "the machine of the log" if explained.own_machine else explained.diagnosis.source
        head += f", explained for {whose} on kernel {explained.diagnosis.kernel} {explained.diagnosis.arch}"
    return head


def render_log(explained: ExplainedLog, width: int = 80, color: bool = False, *, all_lines: bool = False) -> str:
    """The known lines, each with its explanation; ``all_lines``: the others, too, as they are."""
    width = max(width, 40)
    log = explained.log
    lines = wrap(headline(explained), width)
    shown = {tied.event.first: tied for tied in explained.ties.tied}
    if all_lines:
        inside = {number for tied in shown.values() for number in range(tied.event.first + 1, tied.event.last + 1)}
        for number, text in enumerate(log.lines[log.start :], log.start + 1):
            if number in shown:
                lines += _event(explained, shown[number], width, color)
            elif number not in inside:
                lines.append(f"{number:>6} {_printable(text)}")
    else:
        for number in sorted(shown):
            lines += ["", *_event(explained, shown[number], width, color)]
        unknown = len(log.lines) - log.start - log.known
        lines += (
            ["", f"{count(unknown, 'other line')} left out (--all-lines shows {'it' if unknown == 1 else 'them'})"]
            if unknown
            else []
        )
    summary = summary_lines(explained, width)
    lines += ["", *summary] if summary else []
    notes = note_lines(explained.notes, width)
    lines += ["", *notes] if notes else []
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() or c == "\t" else "?" for c in text)


def _event_to_json(explained: ExplainedLog, tied: Tied) -> dict[str, Any]:
    event = tied.event
    identity, title, what = event_title(event)
    hit, owners = event.hit, explained.owners
    found = owners.of(tied.range) if owners is not None and tied.range is not None else ()
    return {
        "line": event.first,
        "last": event.last,
        "again": list(event.again),
        "time": event.stamp or None,
        "text": event.text,
        "id": identity,
        "title": title,
        "what": what,
        "errno": hit.message.errno if hit is not None else None,
        "rule": hit.message.rule if hit is not None else None,
        "range": range_to_json(tied.range) if tied.range is not None else None,
        "devices": list(tied.devices),
        "owners": [
            {
                "kind": owner.kind,
                "name": owner.name,
                "range": range_to_json(owner.range) if owner.range is not None else None,
                "detail": owner.detail,
            }
            for owner in found
        ],
        "blocks": owners.blocks(tied.range) if owners is not None and tied.range is not None else "",
        "numbers": [{"label": n.label, "text": n.text, "value": n.value} for n in _numbers(explained, event)],
        "finding": {"id": tied.finding.id, "severity": tied.finding.severity} if tied.finding is not None else None,
    }


def log_to_json(explained: ExplainedLog) -> dict[str, Any]:
    """The explained log as plain types; see the module for the format."""
    log, ties, diagnosis = explained.log, explained.ties, explained.diagnosis
    total = len(log.lines) - log.start
    return {
        "log": explained.name,
        "machine": diagnosis.source if diagnosis is not None else None,
        "kernel": diagnosis.kernel if diagnosis is not None else None,
        "own_machine": explained.own_machine,
        "lines": total,
        "known": log.known,
        "unknown": total - log.known,
        "boots": log.boots,
        "start": log.start + 1,
        "exit_code": explained.exit_code,
        "events": [_event_to_json(explained, tied) for tied in ties.tied],
        "confirmed": [{"id": f.id, "severity": f.severity, "lines": list(lines)} for f, lines in ties.confirmed],
        "contradicted": [
            {"what": each.what, "line": each.line, "finding": each.finding.id if each.finding is not None else None}
            for each in ties.contradicted
        ],
        "alone": [{"id": event_title(each.event)[0], "line": each.event.first} for each in ties.alone],
        "silent": [{"id": f.id, "severity": f.severity, "why": why} for f, why in ties.silent],
        "notes": notes_to_json(explained.notes),
    }
