"""A diff as text, and as JSON.

The public format of ``diff --json``::

    {"before": SIDE, "after": SIDE, "same": true | false,
     "entries": [{"kind": "kernel" | "ram" | "block" | "device" | "region" | "namespace" | "dax" | "section" | "finding" | "capacity",
                  "change": "added" | "removed" | "renamed" | "changed", "name_before" | null, "name_after" | null, "range": RANGE | null,
                  "before": {FIELD: VALUE}, "after": {FIELD: VALUE}}],
     "notes": [{"source", "where", "what"}]}

SIDE is ``{"source", "kernel", "arch", "worst"}``. "before" and "after" of an entry hold the same fields where both sides have it, only
those that differ; VALUE is text, a number (bytes for sizes), true, false, null, a list of names, or a list of RANGE (as in
``doctor --json``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sparsemem.doctor.diff.entry import KINDS, Entry, Value
from sparsemem.doctor.plain import count, note_lines, notes_to_json, range_to_json, wrap
from sparsemem.doctor.render import paint
from sparsemem.ranges import Range, format_range
from sparsemem.units import format_size

if TYPE_CHECKING:
    from sparsemem.doctor.diff import Diff
    from sparsemem.doctor.diff.portrait import Portrait

__all__ = ["diff_to_json", "entry_words", "render_diff", "value_words"]

_HEADS = {
    "kernel": "Kernel and geometry",
    "ram": "RAM at boot",
    "block": "Memory blocks",
    "device": "Other device memory",
    "region": "Regions",
    "namespace": "Namespaces",
    "dax": "Dax devices",
    "section": "Shared sections",
    "finding": "Findings",
    "capacity": "Capacity",
}
_SIGNS = {"added": ("+", "good"), "removed": ("-", "error"), "changed": ("~", "warning"), "renamed": ("~", "warning")}
_SIZES = ("size", "free", "align", "usable", "sector_size", "capacity", "bytes")


def value_words(key: str, value: Value) -> str:
    """The value of a field for people."""
    if value is None:
        return "not known"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return format_size(value) if key in _SIZES else str(value)
    if isinstance(value, tuple):
        shown = [format_range(each) if isinstance(each, Range) else str(each) for each in value[:4]]
        return ", ".join(shown) + (f" and {len(value) - 4} more" if len(value) > 4 else "")
    return value or "none"


def _whole(entry: Entry) -> str:
    """All of what came or went, in one line."""
    fields = entry.after if entry.name_before is None else entry.before
    words = [str(fields[key]) for key in ("state", "zone", "mode", "type", "severity") if fields.get(key)]
    if isinstance(fields.get("map"), str):
        words.append(f"map={fields['map']}")
    if isinstance(fields.get("size"), int):
        words.append(value_words("size", fields["size"]))
    if entry.range is not None and "shared by" not in fields:
        words.append(f"at {format_range(entry.range)}" if "size" in fields else f"{format_range(entry.range)}")
        if "size" not in fields:
            words.append(f"({format_size(entry.range.size)})")
    if "shared by" in fields:
        words.append(f"shared by {value_words('', fields['shared by'])}")
    text = " ".join(words)
    return f"{text}: {fields['what']}" if "what" in fields else text


def _geometry(entry: Entry, key: str, value: Value) -> str:
    return value_words("size", value) if (entry.name_after or "").endswith("size") else value_words(key, value)


def _changed(entry: Entry) -> str:
    if entry.kind == "capacity":
        old, new = entry.before["bytes"], entry.after["bytes"]
        assert isinstance(old, int)
        assert isinstance(new, int)
        return f"{format_size(old)} -> {format_size(new)} ({'+' if new > old else '-'}{format_size(abs(new - old))})"
    parts = []
    for key, old in entry.before.items():
        new = entry.after[key]
        name = "" if key == "value" else f"{key} "
        parts.append(f"{name}{_geometry(entry, key, old)} -> {_geometry(entry, key, new)}")
    if entry.kind == "block" and entry.range is not None:
        parts.append(f"({format_range(entry.range)}, {format_size(entry.range.size)})")
        return " ".join(parts)
    return ", ".join(parts)


def entry_words(entry: Entry) -> str:
    """``NAME: what differs``."""
    if entry.change in ("added", "removed"):
        return f"{entry.name_before or entry.name_after}: {_whole(entry)}"
    name = entry.name_before or ""
    if entry.name_before != entry.name_after:
        name += f" is now {entry.name_after}"
    return f"{name}: {_changed(entry)}" if entry.before else name


def render_diff(diff: Diff, width: int = 80, color: bool = False) -> str:
    """The differences as text of at most ``width`` columns where the words allow it."""
    width = max(width, 40)
    sides = [f"{side.source} ({side.kernel} {side.arch})" for side in (diff.before, diff.after)]
    lines = [*wrap(f"- {sides[0]}", width, "", "  "), *wrap(f"+ {sides[1]}", width, "", "  ")]
    if diff.same:
        lines.append("no difference in what both tell")
    for kind in KINDS:
        found = [entry for entry in diff.entries if entry.kind == kind]
        if not found:
            continue
        lines += ["", f"{_HEADS[kind]}: {count(len(found), 'difference')}"]
        for entry in found:
            sign, style = _SIGNS[entry.change]
            wrapped = wrap(entry_words(entry), width, f"  {sign} ", "      ")
            lines += [f"  {paint(sign, style, color)}{wrapped[0][3:]}", *wrapped[1:]]
    if diff.notes:
        lines += ["", *note_lines(diff.notes, width)]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _json_value(value: Value) -> Any:
    if isinstance(value, tuple):
        return [range_to_json(each) if isinstance(each, Range) else each for each in value]
    return value


def _side(side: Portrait) -> dict[str, Any]:
    return {"source": side.source, "kernel": side.kernel, "arch": side.arch, "worst": side.diagnosis.worst}


def diff_to_json(diff: Diff) -> dict[str, Any]:
    """The diff as plain types; see the module for the format."""
    return {
        "before": _side(diff.before),
        "after": _side(diff.after),
        "same": diff.same,
        "entries": [
            {
                "kind": entry.kind,
                "change": entry.change,
                "name_before": entry.name_before,
                "name_after": entry.name_after,
                "range": range_to_json(entry.range) if entry.range is not None else None,
                "before": {key: _json_value(value) for key, value in entry.before.items()},
                "after": {key: _json_value(value) for key, value in entry.after.items()},
            }
            for entry in diff.entries
        ],
        "notes": notes_to_json(diff.notes),
    }
