"""A diff as a page: before beside after, every difference marked at its addresses and listed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.doctor.diff.text import entry_words, value_words
from sparsemem.doctor.picture import note_sections, scene_of
from sparsemem.doctor.plain import count
from sparsemem.draw import Mark, PageText, Sentence, compare, paint_html

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.doctor.diff import Diff
    from sparsemem.doctor.diff.entry import Entry

__all__ = ["entry_marks", "paint_diff"]

_SIDES = {"removed": 0, "added": 1}


def _facts(entry: Entry) -> Iterator[tuple[str, str]]:
    if entry.change in _SIDES:
        for key, value in (entry.before or entry.after).items():
            yield key, value_words(key, value)
        return
    for key, value in entry.before.items():
        yield key, f"before: {value_words(key, value)}\nafter: {value_words(key, entry.after[key])}"


def _mark(entry: Entry) -> Mark:
    name = entry.name_before or entry.name_after or ""
    what = entry_words(entry).removeprefix(name).lstrip(": ")
    ranges = () if entry.range is None else (entry.range,)
    return Mark(name, entry.change, f"{entry.kind}: {what}", ranges, tuple(_facts(entry)), _SIDES.get(entry.change))


def entry_marks(diff: Diff) -> tuple[Mark, ...]:
    """What went, marked before; what came, marked after; what differs, marked on both sides."""
    return tuple(map(_mark, diff.entries))


def paint_diff(diff: Diff) -> str:
    """The page of a diff (``draw.paint_html``)."""
    sides = (("before", diff.before), ("after", diff.after))
    lead = [Sentence(f"{name}: {side.source} ({side.kernel} {side.arch})") for name, side in sides]
    found = count(len(diff.entries), "difference")
    lead.append(Sentence("no difference in what both tell" if diff.same else found))
    picture = compare(*(scene_of(side.ctx, name) for name, side in sides))
    told = PageText("Before and after", "change", tuple(lead), (), note_sections(diff.notes))
    return paint_html(picture, marks=entry_marks(diff), told=told)
