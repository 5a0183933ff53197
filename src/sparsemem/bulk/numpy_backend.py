"""Bulk questions about an ``EffectiveMap`` with numpy (extra ``bulk``), on the map's own words and without a copy.

Every function takes the map first. pfns may be any integer array: a negative one, or one beyond the map, is not valid.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from sparsemem.bulk._tables import LOW, row32, row_top
from sparsemem.errors import MissingExtraError

try:
    import numpy as np
except ImportError as error:
    raise MissingExtraError(
        "numpy is not installed",
        why="bulk answers work on arrays",
        remedy="install the extra: pip install 'sparsemem[bulk]'",
    ) from error

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sparsemem.bulk.effective import EffectiveMap

__all__ = ["holes", "pfn_valid", "refresh", "runs", "words"]

CHUNK = 1 << 14
"""pfns answered at a time: the scratch arrays (19 bytes a pfn) then stay in the second-level cache. Measured best of
2^12..2^18."""

_BYTE_SWAP = 0 if sys.byteorder == "little" else 7  # byte i of a word is at i ^ 7 on a big-endian host


def words(m: EffectiveMap) -> NDArray[np.uint64]:
    """The map's words as an array that shares their memory. After writing to it call ``refresh``."""
    return np.frombuffer(m.words, dtype=np.uint64)


def pfn_valid(m: EffectiveMap, pfns: NDArray[Any], out: NDArray[np.bool_] | None = None) -> NDArray[np.bool_]:
    """``pfn_valid()`` of each pfn, as a bool array of the same shape."""
    flat, answer = prepare(pfns, out)
    # A word is read as eight bytes: the bit number then fits the same 8-bit lane as the byte that is looked up.
    table = np.frombuffer(m.words, dtype=np.uint8)
    shift = m.pages_per_subsection.bit_length() - 1
    sub = np.empty(CHUNK, np.uint64)
    bit = np.empty(CHUNK, np.uint8)
    inside = np.empty(CHUNK, np.bool_)
    view = answer.view(np.uint8)
    for start in range(0, flat.size, CHUNK):
        stop = min(start + CHUNK, flat.size)
        n = stop - start
        s, b, result = sub[:n], bit[:n], view[start:stop]
        if flat.dtype == np.uint64:
            np.right_shift(flat[start:stop], shift, out=s)
        else:
            np.copyto(s, flat[start:stop], casting="unsafe")
            np.right_shift(s, shift, out=s)
        beyond = int(s.max()) >= m.nr_subsections
        if beyond:
            np.less(s, m.nr_subsections, out=inside[:n])
        np.copyto(b, s, casting="unsafe")
        np.bitwise_and(b, 7, out=b)
        np.right_shift(s, 3, out=s)
        if _BYTE_SWAP:
            np.bitwise_xor(s, _BYTE_SWAP, out=s)
        np.take(table, s.view(np.int64), out=result, mode="clip")
        np.right_shift(result, b, out=result)
        np.bitwise_and(result, 1, out=result)
        if beyond:
            np.bitwise_and(result, inside[:n].view(np.uint8), out=result)
    return answer.reshape(np.shape(pfns))


def prepare(pfns: NDArray[Any], out: NDArray[np.bool_] | None) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Flat input (uint64 where that costs no copy) and flat output of a bulk question."""
    pfns = np.asarray(pfns)
    if pfns.dtype.kind not in "iu":
        raise TypeError(f"pfns must be integers, not {pfns.dtype}")
    flat = np.ascontiguousarray(pfns).reshape(-1)
    if flat.dtype.itemsize == 8 and flat.dtype.isnative:
        flat = flat.view(np.uint64)
    if out is None:
        out = np.empty(flat.size, np.bool_)
    elif out.dtype != np.bool_ or out.size != flat.size or not out.flags.c_contiguous:
        raise TypeError(f"out must be a contiguous bool array of {flat.size}")
    return flat, out.reshape(-1)


def runs(m: EffectiveMap, start: int = 0, end: int | None = None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """``EffectiveMap.runs`` as two arrays: first and stop of each maximal run of set sub-sections."""
    first, stop, edges = _edges(m, start, end)
    if first < stop and m[first]:
        edges = np.concatenate(([first], edges))
    if edges.size & 1:
        edges = np.append(edges, stop)
    return edges[0::2], edges[1::2]


def holes(m: EffectiveMap, start: int = 0, end: int | None = None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """``EffectiveMap.holes`` as two arrays: first and stop of each maximal run of clear sub-sections."""
    first, stop, edges = _edges(m, start, end)
    if first < stop and not m[first]:
        edges = np.concatenate(([first], edges))
    if edges.size & 1:
        edges = np.append(edges, stop)
    return edges[0::2], edges[1::2]


def _edges(m: EffectiveMap, start: int, end: int | None) -> tuple[int, int, NDArray[np.int64]]:
    """Where the bit differs from the one before it, strictly inside ``[start, end)``."""
    first, stop = bounds(m, start, end)
    if stop - first < 2:
        return first, stop, np.empty(0, np.int64)
    low = first >> 6
    w = words(m)[low : ((stop - 1) >> 6) + 1]
    shifted = w << np.uint64(1)
    shifted[1:] |= w[:-1] >> np.uint64(63)
    shifted ^= w
    busy = np.flatnonzero(shifted)
    bits = np.unpackbits(shifted[busy].astype("<u8").view(np.uint8), bitorder="little").reshape(-1, 64)
    row, column = np.nonzero(bits)
    edges = ((busy[row] + low) << 6) + column
    return first, stop, edges[(edges > first) & (edges < stop)]


def bounds(m: EffectiveMap, start: int, end: int | None) -> tuple[int, int]:
    """A checked half-open range of sub-sections."""
    stop = m.nr_subsections if end is None else end
    if not 0 <= start <= stop <= m.nr_subsections:
        raise ValueError(f"[{start}, {stop}) is no range of the map's {m.nr_subsections} sub-sections")
    return start, stop


def refresh(m: EffectiveMap, blocks: NDArray[np.intp] | None = None) -> None:
    """Recompute the derived tables of these blocks of 64 words (default all), after ``words(m)`` was written to.

    Raises ValueError when bits beyond the last sub-section are set.
    """
    w = words(m)
    used = m.nr_subsections & 63
    if used and int(w[-1]) & ~LOW[used]:
        raise ValueError(f"bits are set beyond sub-section {m.nr_subsections - 1}")
    t = m.tables()
    nr_blocks = len(t.blocks)
    if blocks is None:
        blocks = np.arange(nr_blocks)
    whole = len(w) == nr_blocks * 64 and len(blocks) == nr_blocks
    if whole:
        chunk = w.reshape(-1, 64)
    else:
        index = (blocks[:, None] << 6) + np.arange(64)
        chunk = np.where(index < len(w), w[np.minimum(index, len(w) - 1)], np.uint64(0))
    counts = np.bitwise_count(chunk)
    fields = np.zeros(counts.shape, "<u2")
    for k in range(63):  # four times as fast as cumsum along rows this short
        np.add(fields[:, k], counts[:, k], out=fields[:, k + 1])
    np.frombuffer(t.blocks, np.uint16)[blocks] = fields[:, -1] + counts[:, -1]
    data, read, row0 = fields.tobytes(), int.from_bytes, t.row0
    for position, block in enumerate(blocks.tolist()):
        row0[block] = read(data[position << 7 : (position + 1) << 7], "little")
    for summary, full in ((t.any, np.uint64(0)), (t.room, np.uint64(0xFFFFFFFFFFFFFFFF))):
        flags = chunk != full
        if full and not whole:
            flags &= index < len(w)
        level0, level1 = np.frombuffer(summary.level0, np.uint64), np.frombuffer(summary.level1, np.uint64)
        level0[blocks] = np.packbits(flags, axis=1, bitorder="little").view("<u8")[:, 0]
        # The words of padding of a level stand for nothing, so the bits they become are zero as well.
        raised = np.zeros(level1.size * 64, np.bool_)
        raised[: level0.size] = level0 != 0
        level1[:] = np.packbits(raised, bitorder="little").view("<u8")
        summary.top = int.from_bytes(np.packbits(level1 != 0, bitorder="little").tobytes(), "little")
    _refresh_upper(m)


def _refresh_upper(m: EffectiveMap) -> None:
    t = m.tables()
    blocks = np.frombuffer(t.blocks, np.uint16).astype(np.int64)
    padded = np.zeros(len(t.row1) * 64, np.int64)
    padded[: len(blocks)] = blocks
    groups = padded.reshape(-1, 64)
    t.row1[:] = [row32(group) for group in groups.tolist()]
    sums = np.zeros(len(t.row2) * 128, np.int64)
    sums[: len(t.row1)] = groups.sum(axis=1)
    tops = sums.reshape(-1, 128)
    t.row2[:] = [row_top(top) for top in tops.tolist()]
    for i, total in enumerate(tops.sum(axis=1).tolist()):
        t.tops[i] = total
    m.total = int(sums.sum())
