"""The overview: the whole address space in one bar, and the cells of a section in lines."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from sparsemem.draw.palette import ABSENT, CLAIM, MIXED
from sparsemem.draw.scene import Owner, Row, Scene
from sparsemem.ranges import Range
from sparsemem.units import GIB, MIB, TIB

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sparsemem.draw.compare import Comparison

__all__ = ["CellLine", "Piece", "Side", "cell_lines", "overview", "place"]


class Side(NamedTuple):
    """What one scene has there: an owner kind or a pseudo kind, and the owner if there is just one."""

    kind: str
    owner: Owner | None


class Piece(NamedTuple):
    """A stretch of the bar: one side for a scene, two for a comparison; ``columns`` wide."""

    sides: tuple[Side, ...]
    range: Range
    columns: int


class CellLine(NamedTuple):
    """Units ``first`` to ``last`` of a section as runs of (owner index, units); a folded line stands for several."""

    first: int
    last: int
    runs: tuple[tuple[int, int], ...]


_MIXED = Side(MIXED, None)


def _side(scene: Scene, row: Row) -> Side:
    if not row.present:
        return Side(CLAIM if row.claims else ABSENT, None)
    indexes = {index for index, _ in row.cells if scene.owners[index].kind != "ram-part"}
    if len(indexes) == 1 and len(row.owners) < 2:
        owner = scene.owners[indexes.pop()]
        return Side(owner.kind, owner)
    return _MIXED


def _sides(scene: Scene, rows: Sequence[Row]) -> Side:
    found = {_side(scene, row) for row in rows}
    return found.pop() if len(found) == 1 else _MIXED


def _stretches(picture: Scene | Comparison) -> list[tuple[tuple[Side, ...], Range]]:
    if isinstance(picture, Scene):
        return [((_side(picture, row),), row.range) for row in picture.rows]
    left, right = picture.left, picture.right
    return [((_sides(left, pair.left), _sides(right, pair.right)), pair.range) for pair in picture.pairs]


def _chunk(chunk: list[tuple[tuple[Side, ...], Range]]) -> tuple[tuple[Side, ...], Range]:
    sides = tuple(
        each[0] if len(set(each)) == 1 else _MIXED for each in zip(*(sides for sides, _ in chunk), strict=True)
    )
    return sides, Range(chunk[0][1].start, chunk[-1][1].end)


def overview(picture: Scene | Comparison, columns: int) -> list[Piece]:
    """The whole address space in at most ``columns`` columns, each piece at least one: not to scale, sizes by logarithm.

    Where there are more pieces than columns, neighbours go together as one mixed piece.
    """
    pieces = [_chunk(list(group)) for _, group in groupby(_stretches(picture), key=lambda stretch: stretch[0])]
    if len(pieces) > columns:
        # What would be less than a column to scale goes together first.
        least = sum(where.size for _, where in pieces) // columns
        groups = groupby(pieces, key=lambda piece: piece[1].size >= least and piece)
        pieces = [_chunk(list(group)) for _, group in groups]
    if len(pieces) > columns:
        step = -(-len(pieces) // columns)
        pieces = [_chunk(pieces[at : at + step]) for at in range(0, len(pieces), step)]
    smallest = min((where.size for _, where in pieces), default=1)
    weights = [(where.size // smallest).bit_length() for _, where in pieces]
    spare, total = columns - len(pieces), sum(weights) or 1
    return [Piece(*piece, 1 + spare * weight // total) for piece, weight in zip(pieces, weights, strict=True)]


def place(address: int) -> str:
    """An address in the fewest characters that are exact: ``4G``, ``12160M``, ``0x9f000``."""
    if address == 0:
        return "0"
    for unit, letter in ((TIB, "T"), (GIB, "G"), (MIB, "M")):
        if address % unit == 0:
            return f"{address // unit}{letter}"
    return f"{address:#x}"


def cell_lines(row: Row, per_line: int, *, fold: bool) -> list[CellLine]:
    """The pattern of one section cut into lines of ``per_line`` units; ``fold``: neighbouring lines of one owner are one."""
    lines: list[CellLine] = []
    at, room = 0, per_line
    runs: list[tuple[int, int]] = []

    def put() -> None:
        nonlocal runs, room
        first = at - sum(units for _, units in runs)
        alike = fold and lines and len(runs) == 1 and lines[-1].runs[0] == runs[0]
        if alike:
            first = lines.pop().first
        lines.append(CellLine(first, at - 1, tuple(runs)))
        runs, room = [], per_line

    for index, units in row.cells:
        left = units
        while left:
            step = min(left, room)
            runs.append((index, step))
            at, left, room = at + step, left - step, room - step
            if not room:
                put()
    if runs:
        put()
    return lines
