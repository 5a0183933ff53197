"""Painting a scene or a comparison as one self-contained SVG document."""

from __future__ import annotations

import textwrap
from html import escape
from typing import TYPE_CHECKING

from sparsemem.draw import words
from sparsemem.draw.compare import Comparison
from sparsemem.draw.overview import Piece, cell_lines, overview, place
from sparsemem.draw.palette import ABSENT, CLAIM, FLAG_LETTERS, PSEUDO, clean, flag_text, glyph
from sparsemem.draw.svg_style import HATCH, STYLESHEET, css_class, hatched
from sparsemem.ranges import Range, format_range

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sparsemem.draw.scene import FaultMark, Owner, Row, Scene

__all__ = ["svg_document"]

_MARGIN, _LINE, _CHAR = 24, 18, 7.25
_CELL, _GAP, _HEIGHT = 14, 3, 18
_PANEL_CELL = 9
_COLUMNS = 120  # of the overview bar
_DEVICES_IN_LEGEND = 48
_BLANK = ("hole", "empty", ABSENT, CLAIM)


class _Canvas:
    """Elements from top to bottom; ``y`` is where the next one goes. Lengths are pixels."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.y = _MARGIN
        self.parts: list[str] = []

    def text(self, x: float, y: float, content: str, cls: str = "", extra: str = "") -> None:
        mark = f' class="{cls}"' if cls else ""
        self.parts.append(f'<text x="{x:g}" y="{y:g}"{mark}{extra}>{escape(clean(content))}</text>')

    def paragraph(self, x: float, content: str, width: float, cls: str = "", char: float = _CHAR) -> None:
        """A wrapped paragraph; the cursor goes below it."""
        for line in textwrap.wrap(clean(content), max(int(width / char), 20), break_on_hyphens=False):
            self.y += _LINE
            self.text(x, self.y - 5, line, cls)

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        kind: str,
        owner: Owner | None,
        tip: str,
        *,
        letter: bool = True,
    ) -> None:
        """A stretch of one owner with its letter and a tooltip."""
        cls = css_class(kind, owner.number if owner else -1)
        frame = f'x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}"'
        self.parts.append(f'<g><title>{escape(clean(tip))}</title><rect {frame} class="{cls}"/>')
        if hatched(kind):
            self.parts.append(f'<rect {frame} fill="url(#sm-hatch)"/>')
        if letter and width >= 8 and kind not in _BLANK:
            self.text(
                x + width / 2,
                y + height / 2 + 4,
                glyph(kind, owner, False),
                f"{cls}-t sm-letter",
                ' text-anchor="middle"',
            )
        self.parts.append("</g>")


def _overview(canvas: _Canvas, pieces: list[Piece], side: int, x: float, width: float, y: float) -> None:
    unit = width / sum(piece.columns for piece in pieces)
    at, free = x, x
    for piece in pieces:
        kind, owner = piece.sides[side]
        wide = unit * piece.columns
        what = words.short(owner) if owner else PSEUDO[kind]
        canvas.box(
            at,
            y,
            wide - 1,
            26,
            kind,
            owner,
            f"{format_range(piece.range)} {words.size_words(piece.range.size)}: {what}",
        )
        label = place(piece.range.start)
        if at >= free:
            canvas.text(at, y + 40, label, "sm-dim")
            free = at + (len(label) + 1) * _CHAR
        at += wide


def _cells(canvas: _Canvas, scene: Scene, row: Row, x: float, cell: float) -> None:
    """The pattern of one section: 64 units a line, gaps between groups of eight, marks between units."""
    total = scene.units_per_section
    span = 64 * cell + 7 * _GAP
    if total == 1:
        owner = scene.owners[row.cells[0][0]]
        tip = f"{format_range(row.range)}: {words.short(owner)}"
        canvas.box(x, canvas.y, span, _HEIGHT, owner.kind, owner, tip, letter=False)
        canvas.text(
            x + 12,
            canvas.y + 13,
            f"{words.short(owner)}, the whole section",
            f"{css_class(owner.kind, owner.number)}-t",
        )
        canvas.y += _HEIGHT + 6
        return
    for line in cell_lines(row, min(64, total), fold=total > 64):
        at = line.first
        for index, units in line.runs:
            owner = scene.owners[index]
            last = line.last if len(line.runs) == 1 else at + units - 1
            where = Range(row.range.start + at * scene.unit_size, row.range.start + (last + 1) * scene.unit_size)
            of = f"section {row.first}, {format_range(where)}" if row.count == 1 else "each section"
            tip = f"sub-sections {at}-{last} of {of}: {words.short(owner)}"
            column = (at - line.first) % 64
            left = x + column * cell + column // 8 * _GAP
            last = column + units - 1
            canvas.box(left, canvas.y, x + (last + 1) * cell + last // 8 * _GAP - left, _HEIGHT, owner.kind, owner, tip)
            at += units
        marks = "".join(
            f"M{x + column * cell + (column - 1) // 8 * _GAP:g} {canvas.y:g}v{_HEIGHT}"
            for column in range(1, sum(n for _, n in line.runs))
        )
        canvas.parts.append(f'<path class="sm-tick" d="{marks}"/>')
        if total > 64:
            canvas.text(x + span + 8, canvas.y + 13, f"{line.first}-{line.last}", "sm-dim")
        canvas.y += _HEIGHT + 2
    canvas.y += 4


def _remarks(canvas: _Canvas, row: Row, x: float, width: float, told: set[FaultMark]) -> None:
    for note in row.notes:
        canvas.paragraph(x, note, width, "sm-dim")
    for fault in row.faults[:6]:
        again = fault in told
        told.add(fault)
        canvas.paragraph(
            x, f"! {fault.kind}" + (", as above" if again else f": {fault.what}"), width, f"sm-{fault.severity}"
        )
    if len(row.faults) > 6:
        canvas.paragraph(x, f"! and {len(row.faults) - 6} more here", width, "sm-error")


def _picture(canvas: _Canvas, scene: Scene, row: Row, x: float, cell: float) -> None:
    if row.detailed and row.cells and (len(row.cells) > 1 or not scene.has_map):
        canvas.y += 2
        _cells(canvas, scene, row, x, cell)


def _swatch(canvas: _Canvas, scene: Scene, row: Row, x: float) -> None:
    """A small box before the words of a row that has one owner, or device memory that is not mapped."""
    if len(row.cells) == 1 and len(row.owners) < 2:
        owner = scene.owners[row.cells[0][0]]
        canvas.box(x, canvas.y + 3, 14, 13, owner.kind, owner, words.short(owner))
    elif not row.present and row.claims:
        canvas.box(x, canvas.y + 3, 14, 13, CLAIM, None, PSEUDO[CLAIM])


def _nodes(scene: Scene) -> bool:
    return len({row.block.nid for row in scene.rows if row.block}) > 1


def _rows(canvas: _Canvas, scene: Scene, limit: int) -> None:
    numbers = max((len(words.section_words(row)) for row in scene.rows[:limit]), default=8)
    places = max((len(format_range(row.range)) for row in scene.rows[:limit]), default=9)
    xs = [_MARGIN + 14.0]
    for chars in (max(numbers, 8) + 2, places + 2, 7):
        xs.append(xs[-1] + chars * _CHAR)
    canvas.y += _LINE
    for x, name in zip(xs, ("sections", "addresses", "flags", "what is there"), strict=True):
        canvas.text(x, canvas.y - 5, name, "sm-bold")
    told: set[FaultMark] = set()
    nodes = _nodes(scene)
    for row in scene.rows[:limit]:
        canvas.parts.append(f'<path class="sm-rule" d="M{_MARGIN} {canvas.y:g}H{canvas.width - _MARGIN}"/>')
        top = canvas.y + _LINE - 5
        if row.faults:
            canvas.text(_MARGIN, top, "!", f"sm-{row.faults[0].severity}")
        canvas.text(xs[0], top, words.section_words(row))
        canvas.text(xs[1], top, format_range(row.range))
        canvas.text(xs[2], top, flag_text(row.flags, scene.flags) if row.present else "")
        _swatch(canvas, scene, row, xs[3])
        canvas.paragraph(xs[3] + 20, words.describe(scene, row, nodes), canvas.width - _MARGIN - xs[3] - 20)
        _picture(canvas, scene, row, xs[0], _CELL)
        _remarks(canvas, row, xs[0], canvas.width - _MARGIN - xs[0], told)
        canvas.y += 3
    left = scene.rows[limit:]
    if left:
        canvas.paragraph(xs[0], f"... {len(left):,} more rows not shown", 600, "sm-dim")


def _legend(canvas: _Canvas, scenes: Iterable[Scene], pieces: list[Piece]) -> None:
    entries: dict[tuple[str, str, str], tuple[str, Owner | None, str]] = {}
    scenes = list(scenes)
    for scene in scenes:
        for owner, sentence in words.legend(scene):
            if len(scenes) > 1:
                sentence = sentence.rpartition(": ")[0]
            entries.setdefault((owner.kind, owner.key, sentence), (owner.kind, owner, sentence))
    shown = {side.kind for piece in pieces for side in piece.sides}
    for kind, sentence in PSEUDO.items():
        if kind in shown:
            entries[kind, "", ""] = (kind, None, f"in the overview: {sentence}")
    canvas.y += 10
    devices = [key for key in entries if key[0] == "device"]
    for key in devices[_DEVICES_IN_LEGEND:]:
        del entries[key]
    for kind, thing, sentence in entries.values():
        canvas.box(_MARGIN + 14, canvas.y + 3, 14, 13, kind, thing, sentence)
        canvas.paragraph(_MARGIN + 36, sentence, canvas.width - 2 * _MARGIN - 36)
    if len(devices) > _DEVICES_IN_LEGEND:
        canvas.paragraph(_MARGIN + 36, f"... and {len(devices) - _DEVICES_IN_LEGEND:,} more devices", 600, "sm-dim")
    known = {name for scene in scenes for name in scene.flags}
    flags = ", ".join(f"{letter} {name}" for name, letter in FLAG_LETTERS.items() if name in known)
    canvas.paragraph(_MARGIN + 14, f"flags: {flags}", canvas.width - 2 * _MARGIN)


def _head(canvas: _Canvas, scene: Scene, x: float, width: float) -> None:
    canvas.y += 4
    canvas.paragraph(x, words.heading(scene), width, "sm-title", 8.6)
    canvas.y += 2
    for line in words.summary(scene):
        canvas.paragraph(x, line, width)
    canvas.y += 8


def _scene(canvas: _Canvas, scene: Scene, limit: int) -> None:
    width = canvas.width - 2 * _MARGIN
    _head(canvas, scene, _MARGIN, width)
    pieces = overview(scene, _COLUMNS)
    if pieces:
        _overview(canvas, pieces, 0, _MARGIN, width, canvas.y)
        canvas.y += 54
        _rows(canvas, scene, limit)
        _legend(canvas, [scene], pieces)


def _comparison(canvas: _Canvas, comparison: Comparison, limit: int) -> None:
    width = (canvas.width - 3 * _MARGIN) / 2
    xs = (float(_MARGIN), 2 * _MARGIN + width)
    scenes = (comparison.left, comparison.right)
    top, low = canvas.y, canvas.y
    for scene, x in zip(scenes, xs, strict=True):
        canvas.y = top
        _head(canvas, scene, x, width)
        low = max(low, canvas.y)
    pieces = overview(comparison, _COLUMNS)
    for side, x in enumerate(xs):
        if pieces:
            _overview(canvas, pieces, side, x, width, low)
    canvas.y = low + 54
    told: tuple[set[FaultMark], set[FaultMark]] = (set(), set())
    for pair in comparison.pairs[:limit]:
        canvas.parts.append(f'<path class="sm-rule" d="M{_MARGIN} {canvas.y:g}H{canvas.width - _MARGIN}"/>')
        sides = (pair.left, pair.right)
        if pair.same:
            fuller = 1 if scenes[0].has_map and not scenes[1].has_map else 0
            row, scene = sides[fuller][0], scenes[fuller]
            said = words.describe(scene, row, _nodes(scene))
            canvas.paragraph(
                _MARGIN, f"{words.section_words(row)} {format_range(pair.range)} both: {said}", 2 * width, "sm-dim"
            )
            canvas.y += 3
            continue
        number = f"{words.section_words(sides[0][0])} " if len(pair.left) == len(pair.right) == 1 else ""
        canvas.paragraph(_MARGIN, f"differs: {number}{format_range(pair.range)}", 2 * width, "sm-bold")
        top = low = canvas.y
        for scene, rows, x, seen in zip(scenes, sides, xs, told, strict=True):
            canvas.y = top
            for row in rows:
                said = words.describe(scene, row, _nodes(scene))
                flags = flag_text(row.flags, scene.flags) + " " if row.present else ""
                number = f"{words.section_words(row)} " if len(rows) > 1 else ""
                _swatch(canvas, scene, row, x)
                canvas.paragraph(x + 20, f"{number}{flags}{said}", width - 20)
                _picture(canvas, scene, row, x, _PANEL_CELL)
                _remarks(canvas, row, x, width, seen)
            low = max(low, canvas.y)
        canvas.y = low + 6
    if len(comparison.pairs) > limit:
        canvas.paragraph(_MARGIN, f"... {len(comparison.pairs) - limit:,} more rows not shown", width, "sm-dim")
    _legend(canvas, scenes, pieces)


def svg_document(picture: Scene | Comparison, *, limit: int, styled: bool = True) -> str:
    """The document, without an XML declaration (so that a page can hold it); ends in a newline. ``styled`` False: without its style
    sheet, for a page that has one.
    """
    if isinstance(picture, Comparison):
        canvas = _Canvas(1330)
        _comparison(canvas, picture, limit)
        title = "Memory sections: " + " beside ".join(picture.labels)
        said = [words.heading(scene) for scene in (picture.left, picture.right)]
    else:
        canvas = _Canvas(1010)
        _scene(canvas, picture, limit)
        title = "Memory sections of " + (picture.title or f"Linux {picture.kernel} {picture.arch}")
        said = [words.heading(picture), *words.summary(picture)]
    height = int(canvas.y + _MARGIN)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {canvas.width} {height}" width="{canvas.width}" height="{height}" '
        f'role="img" class="sparsemem" aria-labelledby="sm-title sm-desc">\n'
        f'<title id="sm-title">{escape(clean(title))}</title>\n<desc id="sm-desc">{escape(clean(". ".join(said)))}</desc>\n'
    )
    ground = f'<rect class="sm-ground" width="{canvas.width}" height="{height}"/>\n'
    return head + (STYLESHEET if styled else HATCH) + ground + "\n".join(canvas.parts) + "\n</svg>\n"
