"""Folding: rows that look alike become one, so that a large machine stays readable. Counts are conserved."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sparsemem.ranges import Range

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sparsemem.draw.scene import BlockInfo, Row, Scene

__all__ = ["fold", "joined"]

_MANY = 64


def _same_claims(a: Row, b: Row) -> bool:
    """Joined claims that go on from one row into the next, or none in both."""
    return [name for name, _ in a.claims] == [name for name, _ in b.claims] and len(a.claims) < 2


def _block(a: BlockInfo | None, b: BlockInfo | None) -> BlockInfo | None:
    return a if a is None or b is None else replace(a, last=b.last)


def _same_block(a: BlockInfo | None, b: BlockInfo | None) -> bool:
    if a is None or b is None:
        return a is b
    return (a.state, a.zone, a.nid, a.early) == (b.state, b.zone, b.nid, b.early)


def _kinds(scene: Scene, row: Row) -> list[tuple[str, int]]:
    return [(scene.owners[index].kind, units) for index, units in row.cells]


def _joinable(scene: Scene, a: Row, b: Row, by_kind: bool) -> bool:
    if a.first + a.count != b.first or a.present != b.present or a.flags != b.flags:
        return False
    if a.notes or b.notes or a.faults != b.faults or not _same_claims(a, b) or not _same_block(a.block, b.block):
        return False
    return a.cells == b.cells or (by_kind and _kinds(scene, a) == _kinds(scene, b))


def _join(a: Row, b: Row) -> Row:
    owners = a.owners
    if a.cells != b.cells or owners or b.owners:
        mine = owners or tuple(index for index, _ in a.cells)
        owners = tuple(dict.fromkeys(mine + (b.owners or tuple(index for index, _ in b.cells))))
    claims = a.claims
    if claims:
        name, low = claims[0]
        claims = ((name, Range(low.start, b.claims[0][1].end)),)
    return replace(
        a,
        count=a.count + b.count,
        range=Range(a.range.start, b.range.end),
        owners=owners,
        block=_block(a.block, b.block),
        claims=claims,
    )


def joined(scene: Scene, a: Row, b: Row) -> Row | None:
    """The two as one row, or None when they do not look alike."""
    return _join(a, b) if _joinable(scene, a, b, by_kind=False) else None


def _pass(scene: Scene, rows: Iterable[Row], by_kind: bool) -> list[Row]:
    folded: list[Row] = []
    for row in rows:
        if folded and _joinable(scene, folded[-1], row, by_kind):
            folded[-1] = _join(folded[-1], row)
        else:
            folded.append(row)
    return folded


def fold(scene: Scene, rows: Iterable[Row], *, exact: bool = False) -> list[Row]:
    """Equal neighbours become one row; when more than a screenful is left, and unless ``exact``, so do those that differ only in
    *which* device.
    """
    folded = _pass(scene, rows, by_kind=False)
    return _pass(scene, folded, by_kind=True) if len(folded) > _MANY and not exact else folded
