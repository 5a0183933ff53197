"""Everything that a page shows, as plain HTML: tables, the legend, and the list of findings. None of it needs a script."""

from __future__ import annotations

import unicodedata
from html import escape
from typing import TYPE_CHECKING

from sparsemem.draw import words
from sparsemem.draw.palette import CLAIM, FLAG_LETTERS, PSEUDO, clean, flag_text, glyph
from sparsemem.draw.scene import KINDS
from sparsemem.draw.svg_style import css_class
from sparsemem.ranges import format_range

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from sparsemem.draw.marks import Mark
    from sparsemem.draw.scene import Scene

__all__ = ["command", "findings", "legend", "table", "tables", "text"]

_PLACES = 12


def text(content: object) -> str:
    """Content as markup: names come from machines and are never markup themselves."""
    return escape(clean(str(content)))


def _readable(words: str) -> bool:
    return all(each.isprintable() and not unicodedata.category(each).startswith("M") for each in words)


def command(words: str) -> str:
    """A command as markup. One that cannot be shown as it is (a name with control characters, say) is shown with question marks and
    without ``data-copy``: what is copied is what is read, always."""
    if _readable(words):
        return f'<code data-copy="">{escape(words)}</code>'
    return f"<code>{text(words)}</code> (not as it is typed: it holds characters that cannot be shown)"


def table(head: Sequence[str], rows: Iterable[Sequence[object]], numbers: Collection[int] = ()) -> str:
    """A table as markup; the columns ``numbers`` are aligned to the right."""
    opened = [' class="number"' if column in numbers else "" for column in range(len(head))]
    cells = "".join(f'<th scope="col"{css}>{text(name)}</th>' for css, name in zip(opened, head, strict=True))
    body = "\n".join(
        "<tr>" + "".join(f"<td{css}>{text(each)}</td>" for css, each in zip(opened, row, strict=True)) + "</tr>"
        for row in rows
    )
    return f'<div class="wide"><table>\n<thead><tr>{cells}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>\n'


def tables(scene: Scene, limit: int) -> str:
    """A scene as headings, sentences and tables; ``limit`` rows at most, the rest is counted."""
    parts = [f"<h2>{text(words.heading(scene))}</h2>\n"]
    parts += [f"<p>{text(line)}</p>\n" for line in words.summary(scene)]
    if scene.faults:
        parts.append("<h3>Faults</h3>\n")
        faults = ((f.kind, format_range(f.range), f.severity, f.what) for f in scene.faults[:limit])
        parts.append(table(("kind", "addresses", "severity", "what"), faults))
    parts.append("<h3>Owners</h3>\n")
    owners = words.legend(scene)
    parts.append(table(("letter", "name", "what"), ((owner.key, owner.name, said) for owner, said in owners[:limit])))
    if len(owners) > limit:
        parts.append(f"<p>{len(owners) - limit:,} more owners are not shown.</p>\n")
    parts.append("<h3>Sections</h3>\n")
    nodes = len({row.block.nid for row in scene.rows if row.block}) > 1
    rows = (
        (
            words.section_words(row),
            format_range(row.range),
            flag_text(row.flags, scene.flags) if row.present else "",
            words.describe(scene, row, nodes),
            "; ".join([*row.notes, *(f.kind for f in row.faults)]),
        )
        for row in scene.rows[:limit]
    )
    parts.append(table(("sections", "addresses", "flags", "what is there", "remarks"), rows))
    if len(scene.rows) > limit:
        parts.append(f"<p>{len(scene.rows) - limit:,} more rows are not shown.</p>\n")
    flags = ", ".join(f"{letter} {name}" for name, letter in FLAG_LETTERS.items() if name in scene.flags)
    parts.append(f"<p>Flags: {text(flags)}</p>\n")
    return "".join(parts)


def _facts(mark: Mark) -> str:
    parts = [f"<dt>where</dt><dd>{_places(mark)}</dd>"] if mark.ranges else []
    for term, said in mark.facts:
        if term == "$":
            parts.append(f'<dd class="command">{command(said)}</dd>')
        else:
            lines = "\n".join(text(line) for line in said.split("\n"))  # the style sheet keeps them apart
            parts.append(f"<dt>{text(term)}</dt><dd>{lines}</dd>")
    return "<dl>" + "".join(parts) + "</dl>" if parts else ""


def _places(mark: Mark) -> str:
    shown = "; ".join(
        f'<code class="place">{format_range(r)}</code> ({text(words.size_words(r.size))})'
        for r in mark.ranges[:_PLACES]
    )
    more = len(mark.ranges) - _PLACES
    return shown + (f"; and {more:,} more" if more > 0 else "")


def findings(marks: Sequence[Mark], labels: Sequence[str], *, given: bool, limit: int, noun: str = "finding") -> str:
    """The list beside the picture: each mark opens to its facts. ``given`` says that a caller made the marks (a doctor's findings);
    otherwise they are the faults of the scene. ``labels`` name the sides of a comparison, ``noun`` is what a mark is called.
    """
    name = f"{noun.capitalize()}s" if given else "Faults"
    if not marks:
        nothing = "Nothing was found." if noun == "finding" else "There are none."
        return f"<h2>{name}</h2>\n<p>{nothing if given else 'No invariant is broken.'}</p>\n"
    items = []
    for number, mark in enumerate(marks[:limit]):
        side = f' <span class="which">{text(labels[mark.side])}</span>' if mark.side is not None else ""
        head = f'<b class="severity {mark.severity}">{text(mark.severity)}</b>{side} <code>{text(mark.name)}</code> {text(mark.what)}'
        items.append(
            f'<li><details name="finding" data-mark="{number}"><summary>{head}</summary>{_facts(mark)}</details></li>'
        )
    more = len(marks) - limit
    rest = f"<p>{more:,} more are marked in the picture.</p>\n" if more > 0 else ""
    return f"<h2>{name} ({len(marks):,})</h2>\n<ol>\n" + "\n".join(items) + f"\n</ol>\n{rest}"


def legend(scenes: Sequence[Scene]) -> str:
    """A swatch and a sentence for each kind of owner that occurs; devices are one entry, their names are in the picture."""
    used: dict[str, str] = {}
    for scene in scenes:
        for owner, units in zip(scene.owners, scene.totals, strict=True):
            if units and owner.kind not in used:
                swatch = "".join(
                    f'<b class="sm-device{n} sm-device{n}-t">{letter}</b>' for n, letter in enumerate("abcd")
                )
                if owner.kind != "device":
                    css = css_class(owner.kind)
                    swatch = f'<b class="{css} {css}-t">{text(glyph(owner.kind, owner, False))}</b>'
                used[owner.kind] = f'<span class="swatch">{swatch}</span> {text(KINDS[owner.kind])}'
        if any(row.claims for row in scene.rows):
            used["claim"] = f'<span class="swatch"><b class="sm-claim sm-claim-t">-</b></span> {text(PSEUDO[CLAIM])}'
    order = [*KINDS, CLAIM]
    entries = "".join(f"<li>{used[kind]}</li>" for kind in order if kind in used)
    return f'<ul class="legend" aria-label="Legend">{entries}</ul>\n'
