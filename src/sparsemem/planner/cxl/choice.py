"""Which memory devices a CXL region is made of, where the intent leaves it open: so that the fewest bytes are stranded. Bytes.

The model has one host bridge, as QEMU's boards have: any order of devices below it can be interleaved, and its one decoder is for one
region. What is not in that region waits until it is gone.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING

from sparsemem.kernel.cxl.core import (
    PORT_DECODER,
    ROOT_DECODER,
    SZ_256M,
    decoder_of,
    endpoint_decoder,
    memdevs,
    root_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.kernel.cxl.core import CxlMemdev
    from sparsemem.kernel.state import State
    from sparsemem.planner.cxl.item import RegionItem

__all__ = ["WAYS", "choose", "complete", "largest_size", "unclaimed", "window_gaps"]

WAYS = (1, 2, 4, 8, 16)
"""Targets below one host bridge: powers of two (kernel/cxl/region.py, ``interleave_ways_store``)."""


def unclaimed(state: State) -> list[CxlMemdev]:
    """The memory devices that a region can be made of now: with a driver, with a decoder that is free, below a host bridge whose decoder
    is free."""
    if root_of(state) is None or decoder_of(state, PORT_DECODER).region:
        return []
    found = []
    for each in memdevs(state):
        decoder = decoder_of(state, endpoint_decoder(each)) if each.endpoint else None
        if decoder is not None and not decoder.region and not decoder.enabled and each.size >= SZ_256M:
            found.append(each)
    return found


def window_gaps(state: State) -> list[tuple[int, int]]:
    """What is free of the window, half-open."""
    root = root_of(state)
    if root is None:
        return []
    window = next((each for each in state.iomem.children if (each.start, each.end) == (root.start, root.end)), None)
    at, gaps = root.start, []
    for child in () if window is None else window.children:
        gaps.append((at, child.start))
        at = max(at, child.end + 1)
    return [(start, end) for start, end in [*gaps, (at, root.end + 1)] if start < end]


def _room(state: State) -> int:
    """The largest region that the window holds, in whole 256 MiB."""
    sizes = [end // SZ_256M * SZ_256M - -(-start // SZ_256M) * SZ_256M for start, end in window_gaps(state)]
    return max([0, *sizes])


def largest_size(state: State, devices: list[CxlMemdev]) -> int:
    """The largest region of all these devices: equal parts of each, whole 256 MiB, inside the window."""
    line = SZ_256M * len(devices)
    return (
        min(min((each.size for each in devices), default=0) // SZ_256M * line, _room(state) // line * line)
        if line
        else 0
    )


def complete(state: State, item: RegionItem) -> RegionItem:
    """An item whose devices are named, with everything said. What does not go together stays as it is: the tool will say so."""
    have = {each.name: each for each in memdevs(state)}
    ways = item.ways or len(item.memdevs)
    size = item.size
    if size is None:
        size = largest_size(state, [have[name] for name in item.memdevs[:ways] if name in have]) or None
    return replace(item, ways=ways, size=size, decoder=item.decoder or ROOT_DECODER)


def _sets(state: State, item: RegionItem) -> Iterator[RegionItem]:
    free = unclaimed(state)
    for ways in WAYS if item.ways is None else (item.ways,):
        for devices in combinations(free, ways):
            most = largest_size(state, list(devices))
            size = most if item.size is None else item.size
            if size and size <= most and size % (SZ_256M * ways) == 0:
                names = tuple(each.name for each in devices)
                yield replace(item, memdevs=names, ways=ways, size=size, decoder=item.decoder or ROOT_DECODER)


def choose(state: State, item: RegionItem) -> list[RegionItem]:
    """What an item without devices can be, the best first: the largest, then the one that leaves least of its devices unused, then the one
    over more devices."""
    sizes = {each.name: each.size for each in memdevs(state)}

    def cost(each: RegionItem) -> tuple[int, int, int, tuple[int, ...]]:
        assert each.size is not None
        own = sum(sizes[name] for name in each.memdevs)
        return -each.size, own - each.size, -len(each.memdevs), tuple(int(name[3:]) for name in each.memdevs)

    return sorted(_sets(state, item), key=cost)
