"""The words of a flat map and the tables derived from them: what ``EffectiveMap`` keeps, without the questions."""

from __future__ import annotations

from array import array
from operator import index
from typing import TYPE_CHECKING, NamedTuple, Self

from sparsemem.bulk._tables import (
    AFTER16,
    AFTER32,
    AFTER_TOP,
    FULL_ROW16,
    FULL_WORD,
    LOW,
    Summary,
    row16,
    row32,
    row_top,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Store", "Tables"]

_BLOCK = 64  # words a block: one word of the summary, one prefix row


class Tables(NamedTuple):
    """The derived tables of a map, for the backends, which write to them."""

    blocks: array[int]
    row0: list[int]
    row1: list[int]
    row2: list[int]
    tops: array[int]
    any: Summary
    room: Summary


class Store:
    """Words, derived tables, and the writes that keep them together."""

    __slots__ = (
        "_any",
        "_blocks",
        "_room",
        "_row0",
        "_row1",
        "_row2",
        "_shift",
        "_tops",
        "nr_sections",
        "nr_subsections",
        "pages_per_subsection",
        "subsections_per_section",
        "total",
        "words",
    )

    def __init__(self, nr_sections: int, subsections_per_section: int = 64, pages_per_subsection: int = 512) -> None:
        for name, value in (
            ("subsections_per_section", subsections_per_section),
            ("pages_per_subsection", pages_per_subsection),
        ):
            if value < 1 or value & (value - 1):
                raise ValueError(f"{name} must be a power of two, not {value}")
        if nr_sections < 1:
            raise ValueError(f"nr_sections must be at least 1, not {nr_sections}")
        self.nr_sections = nr_sections
        self.subsections_per_section = subsections_per_section
        self.pages_per_subsection = pages_per_subsection
        self.nr_subsections = nr_sections * subsections_per_section
        self._shift = pages_per_subsection.bit_length() - 1
        nr_words = (self.nr_subsections + 63) >> 6
        self.words: array[int] = array("Q", bytes(8 * nr_words))
        """The map itself, little end first: sub-section ``s`` is bit ``s & 63`` of word ``s >> 6``."""
        self.total = 0
        """How many sub-sections are set."""
        self._any = Summary(nr_words)
        self._room = Summary(nr_words)
        self._room.fill(0, nr_words)
        nr_blocks = (nr_words + 63) >> 6
        nr_groups = (nr_blocks + 63) >> 6
        nr_tops = (nr_groups + 127) >> 7
        self._blocks: array[int] = array("H", bytes(2 * nr_blocks))
        self._row0 = [0] * nr_blocks
        self._row1 = [0] * nr_groups
        self._row2 = [0] * nr_tops
        self._tops: array[int] = array("Q", bytes(8 * nr_tops))

    @property
    def block_counts(self) -> array[int]:
        """Set sub-sections in each block of 64 words (4096 sub-sections; 8 GiB). Do not write to it."""
        return self._blocks

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Store):
            return NotImplemented
        return (self.nr_sections, self.subsections_per_section, self.pages_per_subsection, self.words) == (
            other.nr_sections,
            other.subsections_per_section,
            other.pages_per_subsection,
            other.words,
        )

    __hash__ = None  # type: ignore[assignment]  # mutable

    def __repr__(self) -> str:
        shape = f"{self.nr_sections}, {self.subsections_per_section}, {self.pages_per_subsection}"
        return f"<{type(self).__name__}({shape}): {self.total} of {self.nr_subsections} sub-sections set>"

    def copy(self) -> Self:
        """An independent map with the same bits."""
        twin = type(self)(self.nr_sections, self.subsections_per_section, self.pages_per_subsection)
        twin.words[:] = self.words
        twin.rebuild()
        return twin

    def nbytes(self) -> int:
        """Bytes of the words and of every derived table (an upper bound: rows that are equal may be shared)."""
        rows = sum(row.__sizeof__() for rows in (self._row0, self._row1, self._row2) for row in rows)
        lists = sum(rows.__sizeof__() for rows in (self._row0, self._row1, self._row2))
        arrays = sum(a.itemsize * len(a) for a in (self.words, self._blocks, self._tops))
        return arrays + lists + rows + self._any.nbytes() + self._room.nbytes()

    def rebuild(self) -> None:
        """Recompute every derived table: for callers that wrote to ``words`` themselves."""
        words = self.words
        last, used = len(words) - 1, self.nr_subsections & 63
        if used and words[last] >> used:
            raise ValueError(f"bits are set beyond sub-section {self.nr_subsections - 1}")
        self._any.rebuild(i for i, word in enumerate(words) if word)
        self._room.rebuild(i for i, word in enumerate(words) if word != FULL_WORD)
        self._recount(0, len(self._blocks))

    def tables(self) -> Tables:
        """The derived tables themselves, for the backends."""
        return Tables(self._blocks, self._row0, self._row1, self._row2, self._tops, self._any, self._room)

    def _put(self, word: int, new: int) -> None:
        old = self.words[word]
        if old == new:
            return
        self.words[word] = new
        if not old:
            self._any.raise_bit(word)
        elif not new:
            self._any.lower_bit(word)
        if new == FULL_WORD:
            self._room.lower_bit(word)
        elif old == FULL_WORD:
            self._room.raise_bit(word)
        delta = new.bit_count() - old.bit_count()
        if delta:
            block = word >> 6
            group = block >> 6
            top = group >> 7
            self._blocks[block] += delta
            self._row0[block] += delta * AFTER16[word & 63]
            self._row1[group] += delta * AFTER32[block & 63]
            self._row2[top] += delta * AFTER_TOP[group & 127]
            self._tops[top] += delta
            self.total += delta

    def _write_range(self, start: int, end: int, value: int) -> int:
        start, end = index(start), index(end)
        if not 0 <= start < end <= self.nr_subsections:
            return self._empty(start, end)
        before = self.total
        words = self.words
        first, last = start >> 6, (end - 1) >> 6
        head, tail = FULL_WORD ^ LOW[start & 63], LOW[((end - 1) & 63) + 1]
        if first == last:
            head &= tail
        self._put(first, words[first] & ~head | value & head)
        if first != last:
            self._put(last, words[last] & ~tail | value & tail)
        first += 1
        if last - first < 4:
            for word in range(first, last):
                self._put(word, value)
        else:
            words[first:last] = array("Q", [value]) * (last - first)
            grown, shrunk = (self._any, self._room) if value else (self._room, self._any)
            grown.fill(first, last)
            shrunk.clear(first, last)
            self._recount(first >> 6, ((last - 1) >> 6) + 1)
        return abs(self.total - before)

    def _recount(self, first: int, stop: int) -> None:
        """Recompute the counts and prefix rows of blocks ``[first, stop)``."""
        words, blocks, row0 = self.words, self._blocks, self._row0
        count_bits = int.bit_count
        for block in range(first, stop):
            chunk = words[block * _BLOCK : (block + 1) * _BLOCK]
            data = chunk.tobytes()
            n = int.from_bytes(data, "little").bit_count()
            blocks[block] = n
            if n == 0:
                row0[block] = 0
            elif n == 64 * _BLOCK:
                row0[block] = FULL_ROW16
            else:
                row0[block] = row16(_padded([*map(count_bits, chunk)], _BLOCK))
        row1 = self._row1
        groups = range(first >> 6, ((stop - 1) >> 6) + 1)
        for group in groups:
            row1[group] = row32(_padded(blocks[group * 64 : group * 64 + 64], 64))
        for top in range(groups[0] >> 7, (groups[-1] >> 7) + 1):
            sums = [
                sum(blocks[group * 64 : group * 64 + 64]) for group in range(top * 128, min(top * 128 + 128, len(row1)))
            ]
            self._row2[top] = row_top(_padded(sums, 128))
            self._tops[top] = sum(sums)
        self.total = sum(self._tops)

    def _empty(self, start: int, end: int) -> int:
        """0 for an empty range inside the map; anything else that is no range is the caller's error."""
        if start == end and 0 <= start <= self.nr_subsections:
            return 0
        raise ValueError(f"[{start}, {end}) is no range of the map's {self.nr_subsections} sub-sections")

    def _check_section(self, nr: int) -> int:
        nr = index(nr)
        if not 0 <= nr < self.nr_sections:
            raise IndexError(f"section {nr} is outside the map of {self.nr_sections}")
        return nr


def _padded(counts: Sequence[int], size: int) -> list[int]:
    return [*counts, *[0] * (size - len(counts))]
