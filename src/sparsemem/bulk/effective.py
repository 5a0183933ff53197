"""The flat *effective* sub-section map: one bit a sub-section, early sections folded in as all ones.

``pfn_valid()`` asks whether the section is early or the sub-section bit is set; here that is one bit of one flat array
of 64-bit words, so a question never follows a pointer, and 64 TiB of x86-64 take 4 MiB. The words are an
``array('Q')``: numpy and numba work on them in place (``numpy_backend``, ``numba_backend``). Plain Python, no imports
that cost time.

Linux kernel commit ba72b4c8cf60 ("mm/sparsemem: support sub-section hotplug") (in v5.3).
"""

from __future__ import annotations

from operator import index

from sparsemem.bulk._store import Store
from sparsemem.bulk._tables import AFTER16, AFTER32, AFTER_TOP, FULL_WORD, LOW

__all__ = ["EffectiveMap"]


class EffectiveMap(Store):
    """A bit for each sub-section of ``nr_sections`` sections.

    Sub-sections are numbered flat: sub-section ``s`` belongs to section ``s // subsections_per_section`` and covers
    the pfns ``[s * pages_per_subsection, (s + 1) * pages_per_subsection)``. All ranges here are half-open and count
    sub-sections unless the name says pfn. A range outside the map raises ValueError: that is an error of the caller,
    not an answer.

    Kept up to date by every write: ``total``, set bits per block of 64 words (``block_counts``), prefix counts, and
    the summaries behind ``first_set`` and ``first_clear``.
    """

    __slots__ = ()

    # Single operations: what fill_subsection_map() and clear_subsection_map() do, with the derived tables.

    def add(self, start: int, n: int) -> int | None:
        """Set ``n`` clear sub-sections from ``start``: all of them, or none.

        Returns None when done, else the first sub-section that is already set (where the kernel says EEXIST).
        """
        if start.__class__ is not int or n.__class__ is not int:  # a numpy integer would overflow below
            start, n = index(start), index(n)
        offset = start & 63
        if offset + n > 64 or n < 1 or start < 0 or start + n > self.nr_subsections:
            return self._add_span(start, n)
        word = start >> 6
        words = self.words
        old = words[word]
        mask = LOW[n] << offset
        if old & mask:
            hit = old & mask
            return word << 6 | (hit & -hit).bit_length() - 1
        new = words[word] = old | mask
        if not old:
            self._any.raise_bit(word)
        if new == FULL_WORD:
            self._room.lower_bit(word)
        block = word >> 6
        self._blocks[block] += n
        self._row0[block] += n * AFTER16[word & 63]
        group = block >> 6
        self._row1[group] += n * AFTER32[block & 63]
        top = group >> 7
        self._row2[top] += n * AFTER_TOP[group & 127]
        self._tops[top] += n
        self.total += n
        return None

    def remove(self, start: int, n: int) -> int | None:
        """Clear ``n`` set sub-sections from ``start``: all of them, or none.

        Returns None when done, else the first sub-section that is already clear (where the kernel warns "section
        already deactivated").
        """
        if start.__class__ is not int or n.__class__ is not int:  # a numpy integer would overflow below
            start, n = index(start), index(n)
        offset = start & 63
        if offset + n > 64 or n < 1 or start < 0 or start + n > self.nr_subsections:
            return self._remove_span(start, n)
        word = start >> 6
        words = self.words
        old = words[word]
        mask = LOW[n] << offset
        if old & mask != mask:
            hit = ~old & mask
            return word << 6 | (hit & -hit).bit_length() - 1
        new = words[word] = old ^ mask
        if not new:
            self._any.lower_bit(word)
        if old == FULL_WORD:
            self._room.raise_bit(word)
        block = word >> 6
        self._blocks[block] -= n
        self._row0[block] -= n * AFTER16[word & 63]
        group = block >> 6
        self._row1[group] -= n * AFTER32[block & 63]
        top = group >> 7
        self._row2[top] -= n * AFTER_TOP[group & 127]
        self._tops[top] -= n
        self.total -= n
        return None

    def section(self, nr: int) -> int:
        """The map of section ``nr`` as one integer of ``subsections_per_section`` bits."""
        size = self.subsections_per_section
        first = self._check_section(nr) * size
        if size < 64:
            return self.words[first >> 6] >> (first & 63) & LOW[size]
        first >>= 6
        return sum(word << (64 * i) for i, word in enumerate(self.words[first : first + (size >> 6)]))

    def set_section(self, nr: int, mask: int) -> None:
        """Replace the map of section ``nr``; ``mask`` has ``subsections_per_section`` bits (all ones for an early
        section)."""
        nr, mask = self._check_section(nr), index(mask)
        size = self.subsections_per_section
        if mask < 0 or mask >> size:
            raise ValueError(f"the map {mask:#x} of section {nr} has more than {size} bits")
        first = nr * size
        word = first >> 6
        if size < 64:
            offset = first & 63
            self._put(word, self.words[word] & ~(LOW[size] << offset) | mask << offset)
            return
        while size:
            self._put(word, mask & FULL_WORD)
            mask >>= 64
            word += 1
            size -= 64

    # Bulk writes: what was there does not matter.

    def fill_range(self, start: int, end: int) -> int:
        """Set ``[start, end)`` whatever it was; returns how many sub-sections were clear."""
        return self._write_range(start, end, FULL_WORD)

    def clear_range(self, start: int, end: int) -> int:
        """Clear ``[start, end)`` whatever it was; returns how many sub-sections were set."""
        return self._write_range(start, end, 0)

    # Questions.

    def test(self, pfn: int) -> bool:
        """``pfn_valid(pfn)``; False for a pfn outside the map."""
        sub = index(pfn) >> self._shift
        return 0 <= sub < self.nr_subsections and bool(self.words[sub >> 6] >> (sub & 63) & 1)

    def __getitem__(self, sub: int) -> bool:
        sub = index(sub)
        if not 0 <= sub < self.nr_subsections:
            raise IndexError(f"sub-section {sub} is outside the map of {self.nr_subsections}")
        return bool(self.words[sub >> 6] >> (sub & 63) & 1)

    def count(self, start: int = 0, end: int | None = None) -> int:
        """How many sub-sections of ``[start, end)`` are set."""
        if end is None:
            end = self.nr_subsections
        if start.__class__ is not int or end.__class__ is not int:
            start, end = index(start), index(end)
        if not 0 <= start < end <= self.nr_subsections:
            return self._empty(start, end)
        first = start >> 6
        last = (end - 1) >> 6
        words = self.words
        if first == last:
            return (words[first] >> (start & 63) & LOW[end - start]).bit_count()
        # Bits before `start` in its word are taken off, bits up to `end` in its word are put on; the rest is a prefix
        # difference.
        edges = (words[last] & LOW[((end - 1) & 63) + 1]).bit_count() - (words[first] & LOW[start & 63]).bit_count()
        block, block2 = first >> 6, last >> 6
        rows = self._row0
        edges += (rows[block2] >> ((last & 63) << 4) & 0xFFFF) - (rows[block] >> ((first & 63) << 4) & 0xFFFF)
        if block == block2:
            return edges
        group, group2 = block >> 6, block2 >> 6
        rows = self._row1
        edges += (rows[group2] >> ((block2 & 63) << 5) & 0xFFFFFFFF) - (rows[group] >> ((block & 63) << 5) & 0xFFFFFFFF)
        if group == group2:
            return edges
        top, top2 = group >> 7, group2 >> 7
        rows = self._row2
        edges += (rows[top2] >> ((group2 & 127) << 5) & 0xFFFFFFFF) - (rows[top] >> ((group & 127) << 5) & 0xFFFFFFFF)
        return edges if top == top2 else edges + sum(self._tops[top:top2])

    def first_set(self, start: int = 0, end: int | None = None) -> int | None:
        """The first set sub-section of ``[start, end)``, or None: the first conflict of an add of that range."""
        start, end = index(start), self.nr_subsections if end is None else index(end)
        if not 0 <= start < end <= self.nr_subsections:
            self._empty(start, end)
            return None
        word = start >> 6
        bits = self.words[word] >> (start & 63)
        if bits:
            found = start + (bits & -bits).bit_length() - 1
            return found if found < end else None
        word = self._any.next(word + 1)
        if word < 0 or word << 6 >= end:
            return None
        bits = self.words[word]
        found = word << 6 | (bits & -bits).bit_length() - 1
        return found if found < end else None

    first_conflict = first_set

    def first_clear(self, start: int = 0, end: int | None = None) -> int | None:
        """The first clear sub-section of ``[start, end)``, or None: the first conflict of a removal of that range."""
        start, end = index(start), self.nr_subsections if end is None else index(end)
        if not 0 <= start < end <= self.nr_subsections:
            self._empty(start, end)
            return None
        word = start >> 6
        bits = (self.words[word] ^ FULL_WORD) >> (start & 63)
        if bits:
            found = start + (bits & -bits).bit_length() - 1
            return found if found < end else None
        word = self._room.next(word + 1)
        if word < 0 or word << 6 >= end:
            return None
        bits = self.words[word] ^ FULL_WORD
        found = word << 6 | (bits & -bits).bit_length() - 1
        return found if found < end else None

    def runs(self, start: int = 0, end: int | None = None) -> list[tuple[int, int]]:
        """The maximal runs ``(first, stop)`` of set sub-sections in ``[start, end)``, in order."""
        return self._runs(index(start), self.nr_subsections if end is None else index(end), 0)

    def holes(self, start: int = 0, end: int | None = None) -> list[tuple[int, int]]:
        """The maximal runs ``(first, stop)`` of clear sub-sections in ``[start, end)``, in order."""
        return self._runs(index(start), self.nr_subsections if end is None else index(end), FULL_WORD)

    # Internals.

    def _add_span(self, start: int, n: int) -> int | None:
        if n < 1:
            raise ValueError(f"an add of {n} sub-sections")
        split = 64 - (start & 63)
        if split < n <= split + 64 and start >= 0 and start + n <= self.nr_subsections:
            if self.words[(start >> 6) + 1] & LOW[n - split]:
                return self.first_set(start, start + n)
            conflict = self.add(start, split)
            return conflict if conflict is not None else self.add(start + split, n - split)
        conflict = self.first_set(start, start + n)
        if conflict is None:
            self._write_range(start, start + n, FULL_WORD)
        return conflict

    def _remove_span(self, start: int, n: int) -> int | None:
        if n < 1:
            raise ValueError(f"a removal of {n} sub-sections")
        split = 64 - (start & 63)
        if split < n <= split + 64 and start >= 0 and start + n <= self.nr_subsections:
            mask = LOW[n - split]
            if self.words[(start >> 6) + 1] & mask != mask:
                return self.first_clear(start, start + n)
            conflict = self.remove(start, split)
            return conflict if conflict is not None else self.remove(start + split, n - split)
        conflict = self.first_clear(start, start + n)
        if conflict is None:
            self._write_range(start, start + n, 0)
        return conflict

    def _runs(self, start: int, end: int, flip: int) -> list[tuple[int, int]]:
        """Runs of bits that differ from those of ``flip``: flat, since a call for each edge would double the time."""
        if not 0 <= start < end <= self.nr_subsections:
            self._empty(start, end)
            return []
        words = self.words
        next_wanted, next_other = (self._room.next, self._any.next) if flip else (self._any.next, self._room.next)
        runs: list[tuple[int, int]] = []
        position = start
        while True:
            word = position >> 6
            bits = (words[word] ^ flip) >> (position & 63)
            if bits:
                position += (bits & -bits).bit_length() - 1
            else:
                word = next_wanted(word + 1)
                if word < 0:
                    return runs
                bits = words[word] ^ flip
                position = word << 6 | (bits & -bits).bit_length() - 1
            if position >= end:
                return runs
            bits = (words[word] ^ flip ^ FULL_WORD) >> (position & 63)
            if bits:
                stop = position + (bits & -bits).bit_length() - 1
            else:
                word = next_other(word + 1)
                bits = words[word] ^ flip ^ FULL_WORD
                stop = word << 6 | (bits & -bits).bit_length() - 1 if word >= 0 else end
            if stop >= end:
                runs.append((position, end))
                return runs
            runs.append((position, stop))
            position = stop
