"""Tables derived from a flat bitmap of 64-bit words: 64-ary summaries and packed prefix counts, in plain Python.

A *summary* answers "where is the next word that is not zero": bit ``i`` of level 0 stands for word ``i``, bit ``i``
of level 1 for word ``i`` of level 0, bit ``i`` of the top for word ``i`` of level 1.

A *prefix row* is one Python integer of 64 fields; field ``k`` holds how many bits are set in children ``0 .. k-1`` of
the row. Adding ``delta * AFTER[i]`` moves every field after child ``i`` at once, and a shift reads any field: updates
and queries are both O(levels), where a Fenwick tree needs up to 19 steps for 64 TiB. Fields never borrow from each
other because every true value is >= 0.
"""

from __future__ import annotations

import struct
from array import array
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["AFTER16", "AFTER32", "AFTER_TOP", "FULL_ROW16", "FULL_WORD", "LOW", "Summary", "row16", "row32", "row_top"]

FULL_WORD = (1 << 64) - 1
LOW = tuple((1 << n) - 1 for n in range(65))
"""``LOW[n]``: a word with its ``n`` lowest bits set."""


def _after(bits: int, fields: int) -> tuple[int, ...]:
    """For each child, a one in every field after its own."""
    ones = sum(1 << (bits * k) for k in range(fields))
    return tuple(ones >> (bits * (i + 1)) << (bits * (i + 1)) for i in range(fields))


AFTER16 = _after(16, 64)
AFTER32 = _after(32, 64)
AFTER_TOP = _after(32, 128)
"""The uppermost rows have 128 fields, so that one row covers 64 TiB of x86-64."""

_PACK16 = struct.Struct("<64H").pack
_PACK32 = struct.Struct("<64I").pack
_PACK_TOP = struct.Struct("<128I").pack


def row16(counts: Sequence[int]) -> int:
    """The prefix row, in 16-bit fields, of 64 children with these counts."""
    return int.from_bytes(_PACK16(*accumulate(counts[:63], initial=0)), "little")


def row32(counts: Sequence[int]) -> int:
    """As ``row16``, in 32-bit fields."""
    return int.from_bytes(_PACK32(*accumulate(counts[:63], initial=0)), "little")


def row_top(counts: Sequence[int]) -> int:
    """As ``row32``, of 128 children."""
    return int.from_bytes(_PACK_TOP(*accumulate(counts[:127], initial=0)), "little")


FULL_ROW16 = sum((64 * k) << (16 * k) for k in range(64))


class Summary:
    """A 64-ary "any" summary over ``nr_words`` words, which the owner reports as they become zero or non-zero.

    Two levels of words and a ``top`` that is one integer: unrolled, since a search is what a question costs.
    """

    __slots__ = ("level0", "level1", "top")

    def __init__(self, nr_words: int) -> None:
        size0 = (nr_words + 63) >> 6
        size1 = (size0 + 63) >> 6
        # Two words of padding: a search that runs off the end lands on a zero instead of an IndexError.
        self.level0: array[int] = array("Q", bytes(8 * (size0 + 2)))
        self.level1: array[int] = array("Q", bytes(8 * (size1 + 2)))
        self.top = 0

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Summary):
            return NotImplemented
        return (self.top, self.level1, self.level0) == (other.top, other.level1, other.level0)

    __hash__ = None  # type: ignore[assignment]  # mutable

    def raise_bit(self, word: int) -> None:
        """Word ``word`` has become non-zero."""
        i = word >> 6
        old = self.level0[i]
        self.level0[i] = old | 1 << (word & 63)
        if old:
            return
        j = i >> 6
        old = self.level1[j]
        self.level1[j] = old | 1 << (i & 63)
        if not old:
            self.top |= 1 << j

    def lower_bit(self, word: int) -> None:
        """Word ``word`` has become zero."""
        i = word >> 6
        new = self.level0[i] & ~(1 << (word & 63))
        self.level0[i] = new
        if new:
            return
        j = i >> 6
        new = self.level1[j] & ~(1 << (i & 63))
        self.level1[j] = new
        if not new:
            self.top &= ~(1 << j)

    def fill(self, start: int, stop: int) -> None:
        """Words ``[start, stop)`` have become non-zero."""
        _fill(self.level0, start, stop)
        start, stop = start >> 6, (stop + 63) >> 6
        _fill(self.level1, start, stop)
        start, stop = start >> 6, (stop + 63) >> 6
        self.top |= ((1 << (stop - start)) - 1) << start

    def clear(self, start: int, stop: int) -> None:
        """Words ``[start, stop)`` have become zero."""
        for level in (self.level0, self.level1):
            _clear(level, start, stop)
            # A parent bit falls only when all of its word is zero: the two edges may keep others.
            first, last = start >> 6, (stop - 1) >> 6
            start = first + 1 if level[first] else first
            stop = last if level[last] else last + 1
            if start >= stop:
                return
        self.top &= ~(((1 << (stop - start)) - 1) << start)

    def next(self, word: int) -> int:
        """The first non-zero word at or after ``word``, or -1."""
        i = word >> 6
        bits = self.level0[i] >> (word & 63)
        if bits:
            return word + (bits & -bits).bit_length() - 1
        i += 1
        level1 = self.level1
        j = i >> 6
        bits = level1[j] >> (i & 63)
        if bits:
            i += (bits & -bits).bit_length() - 1
        else:
            bits = self.top >> (j + 1)
            if not bits:
                return -1
            j += (bits & -bits).bit_length()
            bits = level1[j]
            i = j << 6 | (bits & -bits).bit_length() - 1
        bits = self.level0[i]
        return i << 6 | (bits & -bits).bit_length() - 1

    def rebuild(self, nonzero: Iterable[int]) -> None:
        """Start over from the numbers of all non-zero words."""
        level0 = self.level0
        level0[:] = array("Q", bytes(8 * len(level0)))
        for word in nonzero:
            level0[word >> 6] |= 1 << (word & 63)
        self.rebuild_upper()

    def rebuild_upper(self) -> None:
        """Recompute what lies above level 0, which the caller has just written."""
        level1 = self.level1
        level1[:] = array("Q", bytes(8 * len(level1)))
        for i, bits in enumerate(self.level0):
            if bits:
                level1[i >> 6] |= 1 << (i & 63)
        self.top = sum(1 << j for j, bits in enumerate(level1) if bits)

    def nbytes(self) -> int:
        """Bytes of all levels."""
        return 8 * (len(self.level0) + len(self.level1)) + self.top.__sizeof__()


def _fill(level: array[int], start: int, stop: int) -> None:
    first, last = start >> 6, (stop - 1) >> 6
    head, tail = FULL_WORD ^ LOW[start & 63], LOW[((stop - 1) & 63) + 1]
    if first == last:
        level[first] |= head & tail
        return
    level[first] |= head
    level[last] |= tail
    if last - first > 1:
        level[first + 1 : last] = array("Q", [FULL_WORD]) * (last - first - 1)


def _clear(level: array[int], start: int, stop: int) -> None:
    first, last = start >> 6, (stop - 1) >> 6
    head, tail = LOW[start & 63], FULL_WORD ^ LOW[((stop - 1) & 63) + 1]
    if first == last:
        level[first] &= head | tail
        return
    level[first] &= head
    level[last] &= tail
    if last - first > 1:
        level[first + 1 : last] = array("Q", bytes(8 * (last - first - 1)))
