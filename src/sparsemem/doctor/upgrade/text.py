"""An upgrade as text, and as JSON.

The public format of ``doctor --upgrade-to --json``::

    {"source", "before", "after", "arch", "worst": "error" | "warning" | "notice" | "good" | null, "exit_code",
     "changes": [{"id", "kind", "severity", "what", "ranges": [RANGE], "devices": [], "bytes": gained (+), lost (-) | null,
                  "before": [], "after": [], "basis", "remedies": [{"why", "argv": []}],
                  "causes": [{"feature", "before", "after", "release", "commit" | null, "backport" | null, "cite", "note",
                              "bug": number | null}]}],
     "without_effect": [{"feature", "release", "cite", "note", "needs"}], "unsure": [], "notes": [{"source", "where", "what"}],
     "mapped": {"before": bytes, "after": bytes}, "stranded": {...}, "block_size": {...}}

"kind" is a key of ``change.KINDS``; RANGE as in ``doctor --json``. Every key is always there; new ones may come.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sparsemem.doctor.plain import (
    LABEL,
    labelled,
    names_text,
    note_lines,
    notes_to_json,
    range_to_json,
    ranges_text,
    wrap,
)
from sparsemem.doctor.render import paint
from sparsemem.doctor.upgrade.change import KINDS, SEVERITIES
from sparsemem.units import format_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.doctor.upgrade.cause import Cause
    from sparsemem.doctor.upgrade.change import Change, Upgrade

__all__ = ["headline", "numbers", "render_upgrade", "signed", "upgrade_to_json", "why"]

_SHORT = ("bug", "fixed", "behaviour", "words", "files")
_WORDS = {"error": "error", "warning": "warning", "notice": "notice", "good": "better"}


def signed(size: int) -> str:
    """Bytes that are gained (positive) or lost, in words."""
    return f"{format_size(abs(size))} {'gained' if size > 0 else 'lost'}"


def _log(label: str, lines: tuple[str, ...], width: int) -> Iterator[str]:
    for index, line in enumerate(lines):
        # never wrapped: such a line is searched for
        yield (f"  {label}" if index == 0 else "").ljust(LABEL) + line


def why(change: Change) -> str:
    """The commits behind a change, or the rule where none is known."""
    return "; ".join(cause.words for cause in change.causes) or change.basis


def _full(change: Change, upgrade: Upgrade, width: int, color: bool) -> Iterator[str]:
    word = _WORDS[change.severity]
    head = wrap(f"{word}: {change.what}", width, "", "  ")
    yield head[0].replace(word, paint(word, change.severity, color), 1)
    yield from head[1:]
    if change.ranges:
        yield from labelled("where", ranges_text(change.ranges), width)
    if change.devices and not all(name in change.what for name in change.devices):
        yield from labelled("device", names_text(change.devices), width)
    if change.bytes:
        yield from labelled("capacity", signed(change.bytes), width)
    if change.kind != "resized" and change.id != "online_by_default":
        yield from _log(upgrade.before, change.before, width)
        yield from _log(upgrade.after, change.after, width)
    yield from labelled("since", why(change), width)
    for index, remedy in enumerate(change.remedies):
        yield from labelled("do" if index == 0 else "", remedy.why, width)
        for command in remedy.commands:
            yield from wrap(command, width, " " * LABEL + "$ ", " " * LABEL + "  ")


def _short(change: Change, upgrade: Upgrade, width: int) -> Iterator[str]:
    since = "; ".join(cause.brief for cause in change.causes)
    yield from wrap(f"{change.what} [{since}]", width, "  * ", "    ")
    if change.before or change.after:
        yield from (f"      {upgrade.before}: {line}" for line in change.before)
        yield from (f"      {upgrade.after}: {line}" for line in change.after)


def headline(upgrade: Upgrade, color: bool = False) -> str:
    """The machine, both kernels, and how many changes of each severity."""
    counts = [(severity, upgrade.count(severity)) for severity in SEVERITIES]
    verdict = ", ".join(
        paint(f"{number} {_WORDS[severity]}{'s' if number > 1 and severity != 'good' else ''}", severity, color)
        for severity, number in counts if number
    )  # fmt: skip
    return f"{upgrade.source}, from {upgrade.before} to {upgrade.after} {upgrade.arch}: {verdict or 'nothing changes'}"


def numbers(upgrade: Upgrade) -> str:
    """The sizes that differ; "" where none does."""
    parts = [
        f"{name} {format_size(pair[0])} -> {format_size(pair[1])}"
        for name, pair in (("mapped", upgrade.mapped), ("stranded", upgrade.stranded), ("memory blocks", upgrade.block_size))
        if pair[0] != pair[1]
    ]  # fmt: skip
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}." if text else ""


def _without_effect(causes: list[Cause], width: int) -> list[str]:
    names = ", ".join(f"{cause.feature} ({cause.release})" for cause in causes)
    return wrap(f"also changed, without effect here: {names}", width, "", "  ")


def render_upgrade(upgrade: Upgrade, width: int = 80, color: bool = False, *, everything: bool = False) -> str:
    """The changes as text of at most ``width`` columns where the words allow it; ``everything`` adds the features that differ and touch
    nothing here."""
    width = max(width, 40)
    lines = wrap(headline(upgrade), width)
    if color and len(headline(upgrade)) <= width:
        lines = [headline(upgrade, True)]
    sizes = numbers(upgrade)
    if sizes:
        lines += wrap(sizes, width)
    for change in upgrade.changes:
        if change.kind not in _SHORT:
            lines += ["", *_full(change, upgrade, width, color)]
    for kind in _SHORT:
        found = [change for change in upgrade.changes if change.kind == kind]
        if found:
            lines += ["", f"{KINDS[kind][0].upper()}{KINDS[kind][1:]}:"]
            for change in found:
                lines += _short(change, upgrade, width)
    closing = [line for text in upgrade.unsure for line in wrap(f"I cannot tell {text}.", width, "", "  ")]
    if everything and upgrade.without_effect:
        closing += _without_effect([cause for cause, _ in upgrade.without_effect], width)
    closing += note_lines(upgrade.notes, width)
    if closing:
        lines += ["", *closing] if upgrade.changes else closing
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _cause(cause: Cause) -> dict[str, Any]:
    return {
        "feature": cause.feature,
        "before": cause.before,
        "after": cause.after,
        "release": cause.release,
        "commit": cause.commit or None,
        "backport": cause.backport,
        "cite": cause.cite,
        "note": cause.note,
        "bug": cause.bug,
    }


def _change(change: Change) -> dict[str, Any]:
    return {
        "id": change.id,
        "kind": change.kind,
        "severity": change.severity,
        "what": change.what,
        "ranges": [range_to_json(r) for r in change.ranges],
        "devices": list(change.devices),
        "bytes": change.bytes,
        "before": list(change.before),
        "after": list(change.after),
        "causes": [_cause(cause) for cause in change.causes],
        "basis": change.basis,
        "remedies": [{"why": remedy.why, "argv": list(remedy.argv)} for remedy in change.remedies],
    }


def upgrade_to_json(upgrade: Upgrade) -> dict[str, Any]:
    """The upgrade as dicts, lists, strings, numbers and None; see the module for the format."""
    pairs = {"mapped": upgrade.mapped, "stranded": upgrade.stranded, "block_size": upgrade.block_size}
    return {
        "source": upgrade.source,
        "before": upgrade.before,
        "after": upgrade.after,
        "arch": upgrade.arch,
        "worst": upgrade.worst,
        "exit_code": upgrade.exit_code,
        "changes": [_change(change) for change in upgrade.changes],
        "without_effect": [
            {"feature": cause.feature, "release": cause.release, "cite": cause.cite, "note": cause.note, "needs": needs}
            for cause, needs in upgrade.without_effect
        ],
        "unsure": list(upgrade.unsure),
        "notes": notes_to_json(upgrade.notes),
        **{name: {"before": pair[0], "after": pair[1]} for name, pair in pairs.items()},
    }
