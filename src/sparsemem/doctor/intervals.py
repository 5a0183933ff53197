"""Sorted, disjoint byte ranges and the questions that the checks ask of them, in O(log n)."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from sparsemem.ranges import Range

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Intervals", "align_down", "align_up", "inward", "merge", "outside"]


def align_down(value: int, unit: int) -> int:
    """The multiple of ``unit`` at or below ``value``."""
    return value // unit * unit


def align_up(value: int, unit: int) -> int:
    """The multiple of ``unit`` at or above ``value``."""
    return -(-value // unit) * unit


def inward(r: Range, block: int) -> Range:
    """``dax_kmem_range``: start up, end down to memory blocks; empty (end at start) where nothing is left."""
    start, end = align_up(r.start, block), align_down(r.end, block)
    return Range(start, max(start, end))


def outside(ranges: Iterable[Range], block: int) -> tuple[Range, ...]:
    """What of each range lies outside whole memory blocks."""
    lost: list[Range] = []
    for r in ranges:
        kept = inward(r, block)
        if kept.size == 0:
            lost.append(r)
        else:
            lost += [part for part in (Range(r.start, kept.start), Range(kept.end, r.end)) if part.size]
    return tuple(lost)


def merge(ranges: Iterable[Range]) -> tuple[Range, ...]:
    """The union, sorted; ranges that touch become one."""
    merged: list[Range] = []
    for r in sorted(ranges):
        if r.start >= r.end:
            continue
        if merged and r.start <= merged[-1].end:
            merged[-1] = Range(merged[-1].start, max(merged[-1].end, r.end))
        else:
            merged.append(r)
    return tuple(merged)


class Intervals:
    """The union of some ranges."""

    def __init__(self, ranges: Iterable[Range]) -> None:
        self.ranges = merge(ranges)
        self._starts = [r.start for r in self.ranges]

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(r.size for r in self.ranges)

    def within(self, r: Range) -> tuple[Range, ...]:
        """What of the union lies in ``r``."""
        if r.start >= r.end:
            return ()
        found: list[Range] = []
        at = max(bisect_right(self._starts, r.start) - 1, 0)
        while at < len(self.ranges) and self.ranges[at].start < r.end:
            part = self.ranges[at].intersect(r)
            if part is not None:
                found.append(part)
            at += 1
        return tuple(found)

    def touches(self, r: Range) -> bool:
        """Does any byte of the union lie in ``r``?"""
        if r.start >= r.end:
            return False
        at = max(bisect_right(self._starts, r.start) - 1, 0)
        while at < len(self.ranges) and self.ranges[at].start < r.end:
            if self.ranges[at].end > r.start:
                return True
            at += 1
        return False
