"""``pgmap_array`` of ``mm/memremap.c``: which ``dev_pagemap`` covers a pfn.

Kept as disjoint entries, ``state.pgmap_array[start_pfn] = (end_pfn, key)``, with their sorted starts beside them; ``key`` is the
pgmap's key in ``state.pgmaps``.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.kernel.state import DevPagemap, State

__all__ = [
    "STALE_DEVICE_PAGES",
    "Entry",
    "entries",
    "get_dev_pagemap",
    "pgmap_array_delete",
    "stale_device_page",
    "xa_store_range",
]

STALE_DEVICE_PAGES = "stale_device_pages"
"""The entry of ``state.misc``: pfn pairs of early sections that devices have left."""

Key = tuple[tuple[int, int], ...]
Entry = tuple[int, int, Key]


def entries(state: State) -> Iterator[Entry]:
    """``(start_pfn, end_pfn, key)`` in order."""
    for start in state.pgmap_starts:
        end, key = state.pgmap_array[start]
        yield start, end, key


def get_dev_pagemap(state: State, pfn: int) -> DevPagemap | None:
    """The live pagemap that covers ``pfn``, or None."""
    starts = state.pgmap_starts
    index = bisect_right(starts, pfn) - 1
    if index < 0:
        return None
    end, key = state.pgmap_array[starts[index]]
    return state.pgmaps.get(key) if pfn < end else None


def xa_store_range(state: State, start_pfn: int, end_pfn: int, key: Key | None) -> None:
    """Store ``key`` over ``[start_pfn, end_pfn)``, replacing whatever was there (None erases)."""
    starts, array = state.pgmap_starts, state.pgmap_array
    low = bisect_right(starts, start_pfn)
    if low and array[starts[low - 1]][0] > start_pfn:
        low -= 1
    high = bisect_left(starts, end_pfn, lo=low)
    for begin in starts[low:high]:
        end, other = array[begin]
        state.put_pgmap(begin, None)
        if begin < start_pfn:
            state.put_pgmap(begin, (start_pfn, other))
        if end > end_pfn:
            state.put_pgmap(end_pfn, (end, other))
    if key is not None:
        state.put_pgmap(start_pfn, (end_pfn, key))


def pgmap_array_delete(state: State, start_pfn: int, end_pfn: int) -> None:
    """Erase the entries of a range, whoever stored them."""
    xa_store_range(state, start_pfn, end_pfn, None)


def stale_device_page(state: State, pfn: int) -> bool:
    """Was this page of an early section a device's once, so that its struct page still says ZONE_DEVICE? (See ``memunmap_pages``.)"""
    return any(start <= pfn < end for start, end in state.misc.get(STALE_DEVICE_PAGES, ()))
