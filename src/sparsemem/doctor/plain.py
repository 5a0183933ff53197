"""What all that the doctor prints shares: ranges as JSON, and text that wraps where the words allow it."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

from sparsemem.ranges import format_range
from sparsemem.units import format_size

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sparsemem.machine.description import Note
    from sparsemem.ranges import Range

__all__ = [
    "LABEL",
    "count",
    "labelled",
    "names_text",
    "note_lines",
    "notes_to_json",
    "range_to_json",
    "ranges_text",
    "wrap",
]

LABEL = 12
_KEEP: dict[str, Any] = {"break_long_words": False, "break_on_hyphens": False}
_FEW = 4


def range_to_json(r: Range) -> dict[str, Any]:
    """A range with an inclusive end, as the kernel prints it."""
    return {"start": f"{r.start:#x}", "end": f"{r.end - 1:#x}", "size": r.size}


def notes_to_json(notes: Iterable[Note]) -> list[dict[str, str]]:
    """Notes as plain dicts."""
    return [{"source": note.source, "where": note.where, "what": note.what} for note in notes]


def count(number: int, word: str) -> str:
    """``1 block``, ``2 blocks``."""
    return f"{number} {word}{'' if number == 1 else 's'}"


def wrap(text: str, width: int, first: str = "", rest: str = "") -> list[str]:
    """The text in lines of at most ``width`` columns; a longer word stands alone."""
    return textwrap.wrap(text, width, initial_indent=first, subsequent_indent=rest, **_KEEP) or [first.rstrip()]


def labelled(label: str, text: str, width: int) -> list[str]:
    """``  where     0x...``, continued below the text."""
    return wrap(text, width, f"  {label}".ljust(LABEL), " " * LABEL)


def ranges_text(ranges: tuple[Range, ...]) -> str:
    """The first few ranges, and the size of all."""
    shown = ", ".join(format_range(r) for r in ranges[:_FEW])
    more = len(ranges) - _FEW
    return f"{shown}{f' and {more} more' if more > 0 else ''} ({format_size(sum(r.size for r in ranges))})"


def names_text(names: tuple[str, ...], most: int = _FEW) -> str:
    """The first ``most`` names."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def note_lines(notes: Iterable[Note], width: int, most: int = 40) -> list[str]:
    """Notes, each with its place. What is said of more than a few places is said once; beyond ``most`` they are counted."""
    places: dict[tuple[str, str], list[str]] = {}
    for note in notes:
        places.setdefault((note.source, note.what), []).append(note.where)
    told: list[str] = []
    for (source, what), wheres in places.items():
        groups = [[where] for where in wheres] if len(wheres) <= _FEW else [wheres]
        for group in groups:
            names = names_text(tuple(where for where in group if where), 2)
            told.append(f"Note: {source}: {names + ': ' if names else ''}{what}")
    lines: list[str] = []
    for text in told[:most]:
        lines += wrap(text, width, "", "  ")
    if len(told) > most:
        lines.append(f"Note: {len(told) - most} more notes; --json has them all")
    return lines
