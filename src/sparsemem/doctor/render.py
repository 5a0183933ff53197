"""A diagnosis as text for a terminal: plain, or with ANSI colours; no dependency."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.doctor.balance_text import render_balances
from sparsemem.doctor.plain import LABEL, count, labelled, names_text, note_lines, ranges_text, wrap
from sparsemem.units import format_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.doctor.finding import Diagnosis, Finding

__all__ = ["paint", "render_text"]

_COLOURS = {"error": "1;31", "warning": "1;33", "notice": "1;36", "good": "1;32", "dim": "2"}
_MAX_NAMES = 6
_MAX_NOTES = 8


def paint(text: str, style: str, color: bool) -> str:
    """The text in a colour of ours, or as it is."""
    return f"\x1b[{_COLOURS[style]}m{text}\x1b[0m" if color else text


def _headline(diagnosis: Diagnosis, color: bool) -> str:
    kernel = f"kernel {diagnosis.kernel} {diagnosis.arch}"
    if not diagnosis.findings:
        verdict = paint("nothing wrong found", "good", color)
    else:
        numbers = [(severity, diagnosis.count(severity)) for severity in ("error", "warning", "notice")]
        verdict = ", ".join(paint(count(number, severity), severity, color) for severity, number in numbers if number)
    return f"{diagnosis.source}, {'' if diagnosis.own_kernel else 'judged for '}{kernel}: {verdict}"


def _numbers(diagnosis: Diagnosis) -> str:
    s = diagnosis.summary
    parts = [f"{format_size(s.ram)} RAM" if s.ram else "Where RAM is, is not known"]
    if s.hotplugged:
        parts.append(f"{format_size(s.hotplugged)} more from devices or hot-plug")
    if s.device:
        parts.append(f"{format_size(s.device)} device memory ({format_size(s.mapped)} mapped)")
    if s.stranded:
        parts.append(f"{format_size(s.stranded)} stranded")
    blocks = f"{count(s.blocks, 'memory block')} of {format_size(s.block_size)}"
    if s.block_size > s.section_size and s.block_size_why:
        blocks += f" ({s.block_size_why})"
    if not s.ram and not s.blocks:
        return "; ".join(parts) + "."
    parts.append(blocks + (f", {s.stuck_blocks} of them can never go offline" if s.stuck_blocks else ""))
    return "; ".join(parts) + "."


def _skipped(diagnosis: Diagnosis) -> str:
    """One sentence: the checks that were not made, by reason."""
    by_reason: dict[str, list[str]] = {}
    for check in diagnosis.skipped:
        by_reason.setdefault(check.reason, []).append(check.about)
    return "; ".join(f"{', '.join(names)}: skipped, because {reason}" for reason, names in by_reason.items())


def _finding(finding: Finding, width: int, color: bool) -> Iterator[str]:
    head = wrap(f"{finding.severity}: {finding.what}", width, "", "  ")
    yield head[0].replace(finding.severity, paint(finding.severity, finding.severity, color), 1)
    yield from head[1:]
    if finding.ranges:
        yield from labelled("where", ranges_text(finding.ranges), width)
    if finding.devices:
        yield from labelled("device", names_text(finding.devices, _MAX_NAMES), width)
    if finding.capacity is not None:
        size = finding.capacity
        if finding.lost or size != sum(r.size for r in finding.ranges):
            yield from labelled("capacity", f"{format_size(size)} {'lost' if finding.lost else 'concerned'}", width)
    rule = f"{finding.rule}, {finding.kernels}" if finding.rule else finding.kernels
    yield from labelled("why", f"{finding.why} [{rule}]" if finding.why else rule, width)
    for index, line in enumerate(finding.kernel_says):
        # never wrapped: such a line is searched for
        yield ("  kernel" if index == 0 else "").ljust(LABEL) + line
    for index, remedy in enumerate(finding.remedies):
        yield from labelled("do" if index == 0 else "", remedy.why, width)
        # never wrapped: they are pasted
        yield from (" " * LABEL + "$ " + command for command in remedy.commands)
    topic = _explained(finding)
    if topic:
        yield from labelled("more", f"sparsemem explain {topic}", width)


def _explained(finding: Finding) -> str | None:
    """What ``explain`` knows of it: the finding itself, else its rule."""
    from sparsemem.explain.lookup import find_name  # only where there is something to explain

    return next((name for name in (finding.id, finding.rule) if name and find_name(name) is not None), None)


def render_text(diagnosis: Diagnosis, width: int = 80, color: bool = False) -> str:
    """The answer as text of at most ``width`` columns where the words allow it. A clean machine gets three lines at most, long
    names aside."""
    width = max(width, 40)
    lines = wrap(_headline(diagnosis, False), width)
    if color:
        plain, painted = _headline(diagnosis, False), _headline(diagnosis, True)
        lines = [painted] if len(plain) <= width else lines
    lines += wrap(_numbers(diagnosis), width)
    for finding in diagnosis.findings:
        lines += ["", *_finding(finding, width, color)]
    lines += render_balances(diagnosis.balances, width)
    closing: list[str] = []
    if diagnosis.skipped:
        closing += wrap(f"Not judged: {_skipped(diagnosis)}.", width, "", "  ")
    broken = tuple(note for note in diagnosis.notes if note.what.startswith("the archive"))
    told = diagnosis.findings or not diagnosis.own_kernel or diagnosis.skipped
    rest = tuple(note for note in diagnosis.notes if note not in broken) if told else ()
    closing += note_lines((*broken, *rest), width, _MAX_NOTES)
    if closing and diagnosis.findings:
        lines.append("")
    return "\n".join(line.rstrip() for line in (*lines, *closing)) + "\n"
