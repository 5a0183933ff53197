"""Painting a comparison as text: two columns where there is room, one below the other where there is not."""

from __future__ import annotations

import re
from itertools import zip_longest
from typing import TYPE_CHECKING

from sparsemem.draw import words
from sparsemem.draw.overview import overview
from sparsemem.draw.palette import clean, flag_text
from sparsemem.draw.text import Pen, legend_lines, overview_lines, picture, remarks
from sparsemem.ranges import format_range

if TYPE_CHECKING:
    from sparsemem.draw.compare import Comparison, Pair
    from sparsemem.draw.scene import FaultMark, Row, Scene

__all__ = ["paint_comparison"]

_SIDE_BY_SIDE = 72
_SGR = re.compile(r"\x1b\[[0-9;]*m")


def _body(pen: Pen, scene: Scene, rows: tuple[Row, ...], room: int, told: set[FaultMark]) -> list[str]:
    """One side of a pair, no line wider than ``room``."""
    lines: list[str] = []
    nodes = len({row.block.nid for row in scene.rows if row.block}) > 1
    for row in rows:
        sentence = words.describe(scene, row, nodes)
        if row.present:
            sentence = f"{flag_text(row.flags, scene.flags)} {sentence}"
        if len(rows) > 1:
            sentence = f"{words.section_words(row)} {sentence}"
        lines += pen.wrap(sentence, room, "", "  ")
        lines += picture(pen, scene, row, "", room)
        for remark, sgr in remarks(row, told):
            lines += [pen.ink(line, sgr) if sgr else line for line in pen.wrap(remark, room, "", "  ")]
    return lines


class _Columns:
    """Puts two lists of lines beside each other, or below each other with a label."""

    def __init__(self, pen: Pen, labels: tuple[str, str]) -> None:
        self.pen = pen
        self.beside = pen.width >= _SIDE_BY_SIDE
        self.room = (pen.width - 5) // 2 if self.beside else pen.width - 4
        self.labels = [clean(label, pen.unicode) for label in labels]
        self.bar = "│" if pen.unicode else "|"

    def put(self, left: list[str], right: list[str], *, label: bool = True) -> None:
        if self.beside:
            for a, b in zip_longest(left, right, fillvalue=""):
                padding = " " * (self.room - len(_SGR.sub("", a)))
                self.pen.lines.append(f"  {a}{padding} {self.bar} {b}".rstrip())
            return
        for name, lines in zip(self.labels, (left, right), strict=True):
            if label:
                self.pen.text(name, "  ")
            self.pen.lines += [f"    {line}".rstrip() for line in lines]


def _both(pen: Pen, comparison: Comparison, pair: Pair) -> None:
    """A stretch that is the same on both sides: one line, in the words of the kernel that tells less."""
    scene, rows = comparison.left, pair.left
    if comparison.left.has_map and not comparison.right.has_map:
        scene, rows = comparison.right, pair.right
    text = f"{words.section_words(rows[0])} {format_range(pair.range)} both: {words.describe(scene, rows[0], False)}"
    pen.text(text, "  ", "    ")


def paint_comparison(
    comparison: Comparison, width: int = 80, *, color: bool = False, unicode: bool = True, limit: int = 200
) -> str:
    """Both pictures, the stretches that differ marked; no line longer than ``width`` (40 at least); ends in a newline."""
    pen = Pen(width, color, unicode)
    columns = _Columns(pen, comparison.labels)
    scenes = (comparison.left, comparison.right)
    heads: list[list[str]] = []
    for scene in scenes:
        head = [pen.ink(line, "1") for line in pen.wrap(words.heading(scene), columns.room)]
        for line in words.summary(scene):
            head += pen.wrap(line, columns.room, "", "  ")
        heads.append(head)
    columns.put(heads[0], heads[1], label=False)
    pieces = overview(comparison, columns.room)
    columns.put(["", *overview_lines(pen, pieces, 0)], ["", *overview_lines(pen, pieces, 1)])
    pen.blank()
    told: tuple[set[FaultMark], set[FaultMark]] = (set(), set())
    mark = "≠" if unicode else "#"
    for pair in comparison.pairs[:limit]:
        if pair.same:
            _both(pen, comparison, pair)
            continue
        rows = pair.left or pair.right
        number = words.section_words(rows[0]) if len(pair.left) == len(pair.right) == 1 else ""
        pen.text(" ".join(f"{mark} {number} {format_range(pair.range)}".split()), "", "    ", "1")
        left = _body(pen, comparison.left, pair.left, columns.room, told[0])
        columns.put(left, _body(pen, comparison.right, pair.right, columns.room, told[1]))
    differing = sum(not pair.same for pair in comparison.pairs)
    if len(comparison.pairs) > limit:
        pen.text(f"... {len(comparison.pairs) - limit:,} more rows not shown", "  ")
    pen.blank()
    pen.text(f"{mark} marks the {differing} rows that differ" if differing else "both are the same", "  ")
    legend_lines(pen, scenes, pieces)
    return "\n".join(pen.lines) + "\n"
