"""Painting a scene as text: for a terminal, with or without colour, and for files."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from sparsemem.draw import words
from sparsemem.draw.overview import cell_lines, overview, place
from sparsemem.draw.palette import FLAG_LETTERS, PSEUDO, clean, flag_text, glyph, style
from sparsemem.ranges import format_range

if TYPE_CHECKING:
    from sparsemem.draw.overview import Piece
    from sparsemem.draw.scene import FaultMark, Owner, Row, Scene

__all__ = ["MINIMUM_WIDTH", "Pen", "legend_lines", "overview_lines", "paint_scene", "picture", "remarks"]

MINIMUM_WIDTH = 40
_BESIDE = 22
_DEVICES_IN_LEGEND = 24
_FAULTS_IN_ROW = 6


class Pen:
    """Writes lines of at most ``width`` columns. ``width`` below 40 counts as 40."""

    def __init__(self, width: int, color: bool, unicode: bool) -> None:
        self.width = max(width, MINIMUM_WIDTH)
        self.color = color
        self.unicode = unicode
        self.lines: list[str] = []

    def ink(self, text: str, sgr: str) -> str:
        return f"\x1b[{sgr}m{text}\x1b[0m" if self.color and text else text

    def text(self, text: str, indent: str = "", hang: str | None = None, sgr: str = "") -> None:
        """A wrapped paragraph."""
        for line in self.wrap(text, self.width, indent, indent if hang is None else hang):
            self.lines.append(self.ink(line, sgr) if sgr else line)

    def wrap(self, text: str, width: int, indent: str = "", hang: str = "") -> list[str]:
        text = clean(text, self.unicode)
        return textwrap.wrap(text, width, initial_indent=indent, subsequent_indent=hang, break_on_hyphens=False)

    def blank(self) -> None:
        self.lines.append("")

    def cell(self, kind: str, owner: Owner | None, count: int) -> str:
        """``count`` columns of one owner's glyph."""
        return self.ink(glyph(kind, owner, self.unicode) * count, style(kind, owner.number if owner else -1).ansi)


def _cell_lines(pen: Pen, scene: Scene, row: Row, room: int) -> list[str]:
    """The pattern of one section: groups of eight, as many as fit; of more than 64 units, lines of one owner are told once."""
    total = scene.units_per_section
    numbered = total > 64
    label = 9 if numbered else 0
    groups = min(max((room - label + 1) // 9, 1), 8)
    while groups & (groups - 1):
        groups &= groups - 1
    lines: list[str] = []
    for line in cell_lines(row, min(groups * 8, total), fold=numbered):
        text, at = "", 0
        for index, units in line.runs:
            owner = scene.owners[index]
            while units:
                step = min(units, 8 - at % 8)
                text += (" " if at and not at % 8 else "") + pen.cell(owner.kind, owner, step)
                at, units = at + step, units - step
        lines.append((f"{line.first}-{line.last}".rjust(label - 1) + " " if numbered else "") + text)
    return lines


def whole_bar(pen: Pen, scene: Scene, row: Row, room: int) -> str:
    """The one cell of a section of a kernel without a map."""
    owner = scene.owners[row.cells[0][0]]
    label = clean(f" {words.short(owner)}, the whole section ", pen.unicode)[: max(room - 4, 0)]
    line = "─" if pen.unicode else "-"
    return pen.ink("[" + label.center(min(room, 71) - 2, line) + "]", style(owner.kind, owner.number).ansi)


def picture(pen: Pen, scene: Scene, row: Row, indent: str, room: int) -> list[str]:
    """The cells of a row that is worth it; nothing for a uniform one."""
    if not row.detailed or not row.cells:
        return []
    if not scene.has_map:
        return [indent + whole_bar(pen, scene, row, room)]
    if len(row.cells) == 1:
        return []
    return [indent + line for line in _cell_lines(pen, scene, row, room)]


def remarks(row: Row, told: set[FaultMark]) -> list[tuple[str, str]]:
    """(sentence, SGR) for notes and faults of a row; ``told`` are the faults that were printed before, in full."""
    found = [(note, "") for note in row.notes]
    for fault in row.faults[:_FAULTS_IN_ROW]:
        sgr = "38;5;166" if fault.severity == "error" else "38;5;172"
        found.append((f"! {fault.kind}" + (", as above" if fault in told else f": {fault.what}"), sgr))
        told.add(fault)
    left = len(row.faults) - _FAULTS_IN_ROW
    if left > 0:
        found.append((f"! and {left} more {'fault' if left == 1 else 'faults'} here", "38;5;166"))
    return found


def _table(pen: Pen, scene: Scene, limit: int) -> None:
    rows = scene.rows[:limit]
    nodes = len({row.block.nid for row in scene.rows if row.block}) > 1
    numbers = max((len(words.section_words(row)) for row in rows), default=0)
    numbers = max(numbers, len("sections"))
    places = max((len(format_range(row.range)) for row in rows), default=0)
    flags = max(len(flag_text((), scene.flags)), len("flags"))
    head = numbers + places + flags + 6
    beside = pen.width - head - 2 >= _BESIDE
    told: set[FaultMark] = set()
    if beside:
        pen.lines.append(pen.ink(f"  {'sections':<{numbers}} {'addresses':<{places}} flags", "1"))
    for row in rows:
        mark = "!" if row.faults else " "
        shown = flag_text(row.flags, scene.flags) if row.present else ""
        line = f"{mark} {words.section_words(row):<{numbers}} {format_range(row.range):<{places}} {shown:<{flags}}"
        sentence = words.describe(scene, row, nodes)
        if beside:
            body = pen.wrap(sentence, pen.width - head)
            pen.lines.append(f"{line}  {body[0]}".rstrip())
            pen.lines.extend(" " * head + each for each in body[1:])
        else:
            pen.text(" ".join(line.split()), "" if row.faults else "  ", "    ")
            pen.text(sentence, "    ")
        pen.lines.extend(picture(pen, scene, row, "    ", pen.width - 4))
        for sentence, sgr in remarks(row, told):
            pen.text(sentence, "    ", "      ", sgr)
    left = scene.rows[limit:]
    if left:
        pen.text(
            f"... {len(left):,} more rows ({sum(row.count for row in left if row.present):,} sections) not shown", "  "
        )


def overview_lines(pen: Pen, pieces: list[Piece], side: int = 0) -> tuple[str, str]:
    """The bar of the address space and the addresses below it."""
    bar, labels, at = "", "", 0
    columns = sum(piece.columns for piece in pieces)
    for piece in pieces:
        kind, owner = piece.sides[side]
        bar += pen.cell(kind, owner, piece.columns)
        label = place(piece.range.start)
        if len(labels) <= at and at + len(label) <= columns:
            labels = labels.ljust(at) + label + " "
        at += piece.columns
    return bar, labels.rstrip()


def legend_lines(pen: Pen, scenes: tuple[Scene, ...], pieces: list[Piece]) -> None:
    """Every glyph that occurs, once, and the flags."""
    entries: dict[tuple[str, str, str], tuple[Owner, str]] = {}
    for scene in scenes:
        for owner, sentence in words.legend(scene):
            if len(scenes) > 1:
                sentence = sentence.rpartition(": ")[0]
            entries.setdefault((owner.kind, owner.key, sentence), (owner, sentence))
    devices = [entry for entry in entries.values() if entry[0].kind == "device"]
    hidden = {id(entry) for entry in devices[_DEVICES_IN_LEGEND:]}
    for entry in entries.values():
        if id(entry) not in hidden:
            _entry(pen, entry[0].kind, entry[0], entry[1])
        elif entry is devices[-1]:
            pen.text(f"... and {len(hidden):,} more devices", "  ")
    pseudo = {side.kind for piece in pieces for side in piece.sides}
    for kind, sentence in PSEUDO.items():
        if kind in pseudo:
            _entry(pen, kind, None, f"in the overview: {sentence}")
    known = {name for scene in scenes for name in scene.flags}
    letters = [f"{letter} {name}" for name, letter in FLAG_LETTERS.items() if name in known]
    pen.text("flags: " + ", ".join(letters), "  ", "         ")


def _entry(pen: Pen, kind: str, owner: Owner | None, sentence: str) -> None:
    body = pen.wrap(sentence, pen.width - 4)
    pen.lines.append(f"  {pen.cell(kind, owner, 1)} {body[0]}")
    pen.lines.extend("    " + line for line in body[1:])


def paint_scene(scene: Scene, width: int = 80, *, color: bool = False, unicode: bool = True, limit: int = 200) -> str:
    """The picture, no line longer than ``width`` (40 at least); ends in a newline.

    ``unicode`` False keeps to ASCII; ``limit`` rows at most are printed, and the rest is counted.
    """
    pen = Pen(width, color, unicode)
    pen.text(words.heading(scene), sgr="1")
    for line in words.summary(scene):
        pen.text(line, "  ", "    ")
    if scene.rows:
        pen.blank()
        pieces = overview(scene, pen.width - 2)
        pen.lines += ["  " + line for line in overview_lines(pen, pieces)]
        pen.blank()
        _table(pen, scene, limit)
        pen.blank()
        legend_lines(pen, (scene,), pieces)
    return "\n".join(pen.lines) + "\n"
