"""Bulk questions and bulk writes of an ``EffectiveMap`` compiled with numba (extra ``numba``).

Importing this costs about half a second, so it pays from some 10^8 pfns or 10^5 writes in one process. The hot loops
are written flat: helpers marked ``inline="always"`` doubled their time.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from sparsemem.errors import MissingExtraError

try:
    import numba
    import numpy as np
except ImportError as error:
    raise MissingExtraError(
        "numba is not installed",
        why="compiled bulk answers need it",
        remedy="install the extra: pip install 'sparsemem[numba]'",
    ) from error

from sparsemem.bulk.numpy_backend import bounds, prepare, refresh, words

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sparsemem.bulk.effective import EffectiveMap

__all__ = ["apply_batch", "holes", "pfn_valid", "runs"]

_jit = numba.njit(cache=True, nogil=True, error_model="numpy")


_CHUNK = 4096
_WIDE = 1 << 23
# In sub-sections: a chunk that spans more than 1 MiB of map misses the cache, so the summaries (128 KiB) come first.
_MANY = 1 << 22
_SAMPLE = 1 << 15


@_jit
def _one_by_one(words, nr_subsections, shift, pfns, out):  # type: ignore[no-untyped-def]
    six, low, one = np.uint64(6), np.uint64(63), np.uint64(1)
    for i in range(pfns.size):
        sub = np.uint64(pfns[i]) >> shift
        if sub < nr_subsections:
            out[i] = np.uint8((words[sub >> six] >> (sub & low)) & one)
        else:
            out[i] = np.uint8(0)


@_jit
def _summary_first(words, some, room, nr_subsections, shift, pfns, out):  # type: ignore[no-untyped-def]
    six, low, one = np.uint64(6), np.uint64(63), np.uint64(1)
    for i in range(pfns.size):
        sub = np.uint64(pfns[i]) >> shift
        if sub < nr_subsections:
            word = sub >> six
            block, bit = word >> six, word & low
            has_set = (some[block] >> bit) & one
            has_clear = (room[block] >> bit) & one
            if has_set & has_clear:
                out[i] = np.uint8((words[word] >> (sub & low)) & one)
            else:
                out[i] = np.uint8(has_set)
        else:
            out[i] = np.uint8(0)


@_jit
def _pfn_valid(words, some, room, nr_subsections, shift, mostly_uniform, pfns, out):  # type: ignore[no-untyped-def]
    if not mostly_uniform:
        _one_by_one(words, nr_subsections, shift, pfns, out)
        return
    for begin in range(0, pfns.size, _CHUNK):
        end = min(begin + _CHUNK, pfns.size)
        # Four samples tell pfns in order from scattered ones; a wrong guess costs time only.
        least, most = np.uint64(0xFFFFFFFFFFFFFFFF), np.uint64(0)
        for i in range(begin, end, max(1, (end - begin) // 3)):
            least = min(least, np.uint64(pfns[i]) >> shift)
            most = max(most, np.uint64(pfns[i]) >> shift)
        if most - least > np.uint64(_WIDE):
            _summary_first(words, some, room, nr_subsections, shift, pfns[begin:end], out[begin:end])
        else:
            _one_by_one(words, nr_subsections, shift, pfns[begin:end], out[begin:end])


@_jit
def _apply(words, nr_subsections, starts, counts, adds, answers, dirty):  # type: ignore[no-untyped-def]
    full, zero, one = np.uint64(0xFFFFFFFFFFFFFFFF), np.uint64(0), np.uint64(1)
    six, low = np.uint64(6), np.uint64(63)
    for i in range(starts.size):
        start, n = starts[i], counts[i]
        if start < 0 or n < 1 or n > nr_subsections - start:
            return i
        first = np.uint64(start)
        last = np.uint64(start + n - 1)
        word, word2 = first >> six, last >> six
        head = full << (first & low)
        tail = full >> (low - (last & low))
        # What must be zero before the write: the bits themselves for an add, their complement for a removal.
        flip = zero if adds[i] else full
        if word == word2:
            mask = head & tail
            hit = (words[word] ^ flip) & mask
            if hit == zero:
                words[word] ^= mask
                dirty[word >> six] = 1
                answers[i] = -1
                continue
            position = word
        else:
            position = word
            hit = (words[word] ^ flip) & head
            while hit == zero and position < word2:
                position += one
                hit = words[position] ^ flip
                if position == word2:
                    hit &= tail
            if hit == zero:
                words[word] ^= head
                dirty[word >> six] = 1
                for between in range(word + one, word2):
                    words[between] = ~flip
                    dirty[between >> six] = 1
                words[word2] ^= tail
                dirty[word2 >> six] = 1
                answers[i] = -1
                continue
        x = (hit & (~hit + one)) - one  # the number of ones below the lowest one is its position
        x -= (x >> one) & np.uint64(0x5555555555555555)
        x = (x & np.uint64(0x3333333333333333)) + ((x >> np.uint64(2)) & np.uint64(0x3333333333333333))
        x = (x + (x >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
        answers[i] = np.int64((position << six) + ((x * np.uint64(0x0101010101010101)) >> np.uint64(56)))
    return -1


@_jit
def _edges(words, some, room, first, stop, flip, out):  # type: ignore[no-untyped-def]
    """Write the edges of the set runs (``flip`` 0) or of the clear runs (all ones) of ``[first, stop)``; return how
    many there are."""
    full, zero, one = np.uint64(0xFFFFFFFFFFFFFFFF), np.uint64(0), np.uint64(1)
    six, low = np.uint64(6), np.uint64(63)
    found = 0
    carry = zero  # the bit before the one in hand, after the flip
    word, last = np.uint64(first) >> six, np.uint64(stop - 1) >> six
    start_word = word
    # A whole block of 64 words without a set bit (or without a clear one) is passed over in one step.
    nothing, everything = (some, room) if flip == zero else (room, some)
    while word <= last:
        if word & low == zero:
            skip = everything[word >> six] if carry else nothing[word >> six]
            if skip == zero:
                word += np.uint64(64)
                continue
        bits = words[word] ^ flip
        if word == start_word:
            bits &= full << (np.uint64(first) & low)
        if word == last:
            bits &= full >> (low - (np.uint64(stop - 1) & low))
        edges = bits ^ ((bits << one) | carry)
        carry = bits >> np.uint64(63)
        while edges:
            bit = edges & (~edges + one)
            edges ^= bit
            # The number of ones below the lowest one is its position.
            x = bit - one
            x -= (x >> one) & np.uint64(0x5555555555555555)
            x = (x & np.uint64(0x3333333333333333)) + ((x >> np.uint64(2)) & np.uint64(0x3333333333333333))
            x = (x + (x >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
            if found < out.size:
                out[found] = np.int64((word << six) + ((x * np.uint64(0x0101010101010101)) >> np.uint64(56)))
            found += 1
        word += one
    if carry:
        if found < out.size:
            out[found] = stop
        found += 1
    return found


def _summaries_pay(table: Any, some: Any, room: Any, nr: Any, shift: Any, flat: Any, view: Any) -> bool:
    """Whether asking the summaries first is the quicker of two ways to the same answers. It is where a miss of the second-level cache
    is dear, and is not where that is cheap; so many pfns are worth a trial on the first of them."""
    if flat.size < _MANY:
        return True
    pfns, out = flat[:_SAMPLE], view[:_SAMPLE]
    took = []
    for _ in range(3):
        start = time.thread_time_ns()
        _one_by_one(table, nr, shift, pfns, out)
        middle = time.thread_time_ns()
        _summary_first(table, some, room, nr, shift, pfns, out)
        took.append((middle - start, time.thread_time_ns() - middle))
    return min(each[1] for each in took[1:]) < min(each[0] for each in took[1:])


def pfn_valid(
    m: EffectiveMap, pfns: NDArray[Any], out: NDArray[np.bool_] | None = None, threads: int = 1
) -> NDArray[np.bool_]:
    """``pfn_valid()`` of each pfn, as a bool array of the same shape; ``threads`` share the work (the GIL is
    released)."""
    flat, answer = prepare(pfns, out)
    if flat.dtype.kind == "i":
        flat = flat.astype(np.int64).view(np.uint64)
    table, view = words(m), answer.view(np.uint8)
    nr, shift = np.uint64(m.nr_subsections), np.uint64(m.pages_per_subsection.bit_length() - 1)
    tables = m.tables()
    some, room = (np.frombuffer(summary.level0, np.uint64) for summary in (tables.any, tables.room))
    uniform = int(np.bitwise_count(some & room).sum()) * 16 < table.size
    uniform = uniform and _summaries_pay(table, some, room, nr, shift, flat, view)
    if threads <= 1:
        _pfn_valid(table, some, room, nr, shift, uniform, flat, view)
    else:
        cuts = [flat.size * i // threads for i in range(threads + 1)]
        with ThreadPoolExecutor(threads) as pool:
            parts = pairwise(cuts)
            jobs = [
                pool.submit(_pfn_valid, table, some, room, nr, shift, uniform, flat[a:b], view[a:b]) for a, b in parts
            ]
            for job in jobs:
                job.result()
    return answer.reshape(np.shape(pfns))


def apply_batch(m: EffectiveMap, starts: NDArray[Any], counts: NDArray[Any], adds: NDArray[Any]) -> NDArray[np.int64]:
    """Run ``add(start, count)`` where ``adds`` is true and ``remove(start, count)`` where it is not, one after the
    other.

    Answers, one for each operation: -1 when done, else the first sub-section in its way (nothing was changed then).
    The derived tables of the blocks that were touched are recomputed once, at the end. Raises ValueError at a range
    that is outside the map: the operations before it have been done.
    """
    first = np.ascontiguousarray(starts, np.int64)
    length = np.ascontiguousarray(counts, np.int64)
    which = np.ascontiguousarray(adds, np.bool_)
    if not first.shape == length.shape == which.shape == (first.size,):
        raise ValueError("starts, counts and adds must be arrays of one length")
    answers = np.empty(first.size, np.int64)
    dirty = np.zeros(len(m.block_counts), np.uint8)
    bad = _apply(words(m), m.nr_subsections, first, length, which, answers, dirty)
    refresh(m, np.flatnonzero(dirty))
    if bad >= 0:
        raise ValueError(f"operation {bad}: {int(length[bad])} sub-sections from {int(first[bad])} are outside the map")
    return answers


def runs(m: EffectiveMap, start: int = 0, end: int | None = None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """``EffectiveMap.runs`` as two arrays: first and stop of each maximal run of set sub-sections."""
    return _list(m, start, end, 0)


def holes(m: EffectiveMap, start: int = 0, end: int | None = None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """``EffectiveMap.holes`` as two arrays: first and stop of each maximal run of clear sub-sections."""
    return _list(m, start, end, 0xFFFFFFFFFFFFFFFF)


def _list(m: EffectiveMap, start: int, end: int | None, flip: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    first, stop = bounds(m, start, end)
    if first == stop:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    tables = m.tables()
    some, room = (np.frombuffer(summary.level0, np.uint64) for summary in (tables.any, tables.room))
    size = 1 << 14
    while True:
        out = np.empty(size, np.int64)
        found = _edges(words(m), some, room, first, stop, np.uint64(flip), out)
        if found <= size:
            return out[:found:2], out[1:found:2]
        size = found
