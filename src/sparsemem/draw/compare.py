"""Two scenes side by side: before and after, or two kernels. Stretches that mean the same are marked so, whatever their letters."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sparsemem.draw import words
from sparsemem.draw.fold import joined
from sparsemem.draw.owners import KEYS
from sparsemem.draw.scene import Owner, Row, Scene, row_to_json, to_json
from sparsemem.ranges import Range, format_range

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Comparison", "Pair", "compare", "comparison_to_json"]

_FILLERS = ("hole", "ram-part")


@dataclass(frozen=True, slots=True)
class Pair:
    """A stretch of addresses and its rows on either side; several rows only where the section sizes differ."""

    range: Range
    left: tuple[Row, ...]
    right: tuple[Row, ...]
    same: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two scenes cut at the same places. Equal devices have equal letters on both sides."""

    left: Scene
    right: Scene
    pairs: tuple[Pair, ...]

    @property
    def labels(self) -> tuple[str, str]:
        """What to call the sides: their titles, else their kernels."""
        return self.left.title or f"Linux {self.left.kernel}", self.right.title or f"Linux {self.right.kernel}"


def _letters(left: Scene, right: Scene) -> Scene:
    """The right scene with the left's letters for the devices that both have, and free letters for the rest."""
    known = {(owner.name, owner.ranges[:1]): owner for owner in left.owners if owner.kind == "device"}
    by_name = {owner.name: owner for owner in left.owners if owner.kind == "device"}
    used = {owner.key for owner in known.values()}
    fresh = [key for key in KEYS if key not in used] or list(KEYS)
    number = len(known)
    owners: list[Owner] = []
    for owner in right.owners:
        if owner.kind == "device":
            twin = known.get((owner.name, owner.ranges[:1])) or by_name.get(owner.name)
            if twin is not None:
                owner = replace(owner, key=twin.key, number=twin.number)
            else:
                owner = replace(owner, key=fresh[(number - len(known)) % len(fresh)], number=number)
                number += 1
        owners.append(owner)
    return replace(right, owners=tuple(owners))


def _slice(scene: Scene, row: Row, low: int, high: int) -> Row:
    """The sections of a row that lie in ``[low, high)``."""
    start, end = max(row.range.start, low), min(row.range.end, high)
    if (start, end) == row.range:
        return row
    size, block = scene.section_size, row.block
    if block is not None:
        block = replace(block, first=start // scene.block_size, last=(end - 1) // scene.block_size)
    where = Range(start, end)
    claims = tuple((name, part) for name, r in row.claims if (part := r.intersect(where)) is not None)
    faults = tuple(fault for fault in row.faults if fault.range.overlaps(where))
    return replace(
        row, first=start // size, count=(end - start) // size, range=where, block=block, claims=claims, faults=faults
    )


def _pattern(scene: Scene, row: Row) -> tuple[tuple[str, str, int], ...]:
    return tuple((scene.owners[index].kind, scene.owners[index].name, units) for index, units in row.cells)


def _users(scene: Scene, row: Row) -> set[tuple[str, str]]:
    named = {(scene.owners[index].kind, scene.owners[index].name) for index, _ in row.cells}
    return {pair for pair in named if pair[0] not in _FILLERS} or named


def _flags(scenes: tuple[Scene, Scene], row: Row) -> set[str]:
    return set(row.flags) & set(scenes[0].flags) & set(scenes[1].flags)


def _same_row(scenes: tuple[Scene, Scene], a: Row, b: Row) -> bool:
    left, right = scenes
    if a.present != b.present or _flags(scenes, a) != _flags(scenes, b):
        return False
    if [fault.kind for fault in a.faults] != [fault.kind for fault in b.faults] or a.claims != b.claims:
        return False
    states = [None if row.block is None else (row.block.state, row.block.zone, row.block.nid) for row in (a, b)]
    if states[0] != states[1]:
        return False
    if left.unit_size == right.unit_size:
        return _pattern(left, a) == _pattern(right, b)
    # One has no sub-section map: it says the same when the only user is the same.
    users = _users(left, a)
    return users == _users(right, b) and len(users) < 2


def _same(scenes: tuple[Scene, Scene], a: Sequence[Row], b: Sequence[Row]) -> bool:
    if len(a) == 1 and len(b) == 1:
        return _same_row(scenes, a[0], b[0])
    return len(a) == len(b) == 0


def _missing(scene: Scene, low: int, high: int) -> Row:
    size = scene.section_size
    return Row(low // size, (high - low) // size, Range(low, high), False)


def _side(scene: Scene, at: int, low: int, high: int) -> tuple[tuple[Row, ...], int]:
    """The rows of ``[low, high)``, looking from row ``at`` on, and where to look next."""
    rows: list[Row] = []
    covered = low
    while at < len(scene.rows) and scene.rows[at].range.start < high:
        row = scene.rows[at]
        if row.range.end > low:
            if row.range.start > covered:
                rows.append(_missing(scene, covered, row.range.start))
            rows.append(_slice(scene, row, low, high))
            covered = rows[-1].range.end
        if row.range.end > high:
            break
        at += 1
    if covered < high:
        rows.append(_missing(scene, covered, high))
    return tuple(rows), at


def _merged(left: Scene, right: Scene, pairs: list[Pair]) -> list[Pair]:
    merged: list[Pair] = []
    for pair in pairs:
        last = merged[-1] if merged else None
        if last is not None and last.same == pair.same and len(last.left + last.right + pair.left + pair.right) == 4:
            a, b = joined(left, last.left[0], pair.left[0]), joined(right, last.right[0], pair.right[0])
            if a is not None and b is not None:
                merged[-1] = Pair(a.range, (a,), (b,), pair.same)
                continue
        merged.append(pair)
    return merged


def compare(left: Scene, right: Scene) -> Comparison:
    """Cut both scenes at the borders of either, and say which stretches are the same.

    Same means: the same sections, the same flags of those that both kernels have, the same owners by name in the same places,
    memory blocks in the same state, the same kinds of fault. Against a kernel without a sub-section map, a section is the same
    when its only user is.
    """
    right = _letters(left, right)
    if not (left.title or right.title) and words.heading(left) == words.heading(right):
        left, right = replace(left, title="before"), replace(right, title="after")
    scenes = (left, right)
    grain = max(left.section_size, right.section_size)
    cuts: set[int] = set()
    for row in left.rows + right.rows:
        cuts.add(row.range.start // grain * grain)
        cuts.add(-(-row.range.end // grain) * grain)
    edges = sorted(cuts)
    pairs: list[Pair] = []
    at = [0, 0]
    for low, high in itertools.pairwise(edges):
        a, at[0] = _side(left, at[0], low, high)
        b, at[1] = _side(right, at[1], low, high)
        pairs.append(Pair(Range(low, high), a, b, _same(scenes, a, b)))
    return Comparison(left, right, tuple(_merged(left, right, pairs)))


def comparison_to_json(comparison: Comparison) -> dict[str, Any]:
    """``{"left", "right", "pairs"}``: two scenes as ``to_json`` gives them, and ``{"range", "same", "left", "right"}`` for each
    stretch, with the rows of either side (owner indexes are those of that side's scene).
    """
    left, right = comparison.left, comparison.right
    return {
        "left": to_json(left),
        "right": to_json(right),
        "pairs": [
            {
                "range": format_range(pair.range),
                "same": pair.same,
                "left": [row_to_json(row) for row in pair.left],
                "right": [row_to_json(row) for row in pair.right],
            }
            for pair in comparison.pairs
        ],
    }
