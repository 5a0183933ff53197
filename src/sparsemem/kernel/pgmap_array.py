"""``pgmap_array`` of ``mm/memremap.c``: which ``dev_pagemap`` covers a pfn.

Kept as a sorted tuple of disjoint ``(start_pfn, end_pfn, key)`` in ``state.misc``; ``key`` is the pgmap's key in ``state.pgmaps``.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from sparsemem.kernel.state import DevPagemap, State

__all__ = ["Entry", "get_dev_pagemap", "pgmap_array", "pgmap_array_delete", "xa_store_range"]

Key = tuple[tuple[int, int], ...]
Entry = tuple[int, int, Key]


def pgmap_array(state: State) -> tuple[Entry, ...]:
    entries: tuple[Entry, ...] = state.misc.get("pgmap_array", ())
    return entries


def get_dev_pagemap(state: State, pfn: int) -> DevPagemap | None:
    """The live pagemap that covers ``pfn``, or None."""
    entries = pgmap_array(state)
    index = bisect_right(entries, pfn, key=lambda e: e[0]) - 1
    if index < 0 or entries[index][1] <= pfn:
        return None
    return state.pgmaps.get(entries[index][2])


def xa_store_range(state: State, start_pfn: int, end_pfn: int, key: Key | None) -> None:
    """Store ``key`` over ``[start_pfn, end_pfn)``, replacing whatever was there (None erases)."""
    entries = pgmap_array(state)
    low = bisect_right(entries, start_pfn, key=lambda e: e[1])
    high = bisect_left(entries, end_pfn, lo=low, key=lambda e: e[0])
    middle: list[Entry] = []
    for begin, end, other in entries[low:high]:
        if begin < start_pfn:
            middle.append((begin, start_pfn, other))
        if end > end_pfn:
            middle.append((end_pfn, end, other))
    if key is not None:
        middle.append((start_pfn, end_pfn, key))
        middle.sort()
    stored = (*entries[:low], *middle, *entries[high:])
    if stored:
        state.put(state.misc, "pgmap_array", stored)
    else:
        state.drop(state.misc, "pgmap_array")


def pgmap_array_delete(state: State, start_pfn: int, end_pfn: int) -> None:
    """Erase the entries of a range, whoever stored them."""
    xa_store_range(state, start_pfn, end_pfn, None)
