"""What a page marks in the address space: a finding, a fault, a step of a plan. The caller says it in words; painters only show it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sparsemem.draw.compare import Comparison
from sparsemem.ranges import Range, format_range

if TYPE_CHECKING:
    from sparsemem.draw.scene import Scene

__all__ = ["MARKS", "Mark", "fault_marks", "mark_to_json"]

MARKS: dict[str, tuple[str, str]] = {
    "error": ("!", "error"), "destroyed": ("\u00d7", "error"), "removed": ("-", "error"), "warning": ("\u25b2", "warning"),
    "changed": ("~", "differs"), "renamed": ("~", "differs"), "offline": ("-", "differs"), "notice": ("i", "notice"),
    "online": ("+", "good"), "made": ("+", "good"), "added": ("+", "good"), "better": ("+", "good"),
}  # fmt: skip
"""Severity -> its sign in the picture and the ink of ``page_style``; where marks lie over each other, the first of these is seen.

"error", "warning" and "notice" are the doctor's, and "better" what an upgrade mends; a plan has "made" and "destroyed", "removed" for
what goes without data of its own, and "online" and "offline"; a diff has "added", "removed", "changed" and "renamed".
"""


@dataclass(frozen=True, slots=True)
class Mark:
    """Something to show at some addresses, and beside the picture in a list.

    ``name`` is short (an id), ``what`` one sentence, ``severity`` a key of MARKS. ``ranges`` are bytes, half-open; without any
    the mark is in the list alone. ``facts`` are (term, text) for the list; the term ``"$"`` means that the text is a shell command.
    ``side`` is 0 or 1 for the left or right of a comparison, None for both (and for a single scene).
    """

    name: str
    severity: str
    what: str
    ranges: tuple[Range, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    side: int | None = None


def fault_marks(picture: Scene | Comparison) -> tuple[Mark, ...]:
    """The broken invariants of a picture as marks: what a page shows when it is given none."""
    sides = ((0, picture.left), (1, picture.right)) if isinstance(picture, Comparison) else ((None, picture),)
    return tuple(
        Mark(fault.kind, fault.severity, fault.what, (fault.range,), (), side)
        for side, scene in sides
        for fault in scene.faults
    )


def mark_to_json(mark: Mark) -> dict[str, Any]:
    """``{"name", "severity", "what", "ranges", "facts", "side"}``; ranges as ``scene.to_json`` writes them, empty ones left out."""
    return {
        "name": mark.name,
        "severity": mark.severity,
        "what": mark.what,
        "ranges": [format_range(r) for r in sorted(mark.ranges) if r.size > 0],
        "facts": [[term, text] for term, text in mark.facts],
        "side": mark.side,
    }
