"""What lies on the memory devices while no region shows it: bytes of a region go to the devices' own addresses and come back from there.

A region spreads its bytes over its devices, ``granularity`` at a time. They are kept under the region's name while it is there, because
that is what the drivers of libnvdimm read and write, and under "dpa:" and the device's name otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.kernel.nvdimm import media

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.kernel.cxl.core import CxlRegion
    from sparsemem.kernel.state import State

__all__ = ["dpa_from_region", "region_from_dpa"]


def _devices(region: CxlRegion) -> list[str]:
    return [f"dpa:{name}" for name in region.members]


def _pages(state: State, medium: str) -> list[int]:
    return sorted(base for name, base in state.media if name == medium)


def _pieces(offset: int, size: int, granularity: int) -> Iterator[tuple[int, int]]:
    """(offset, size) of what lies on one device each."""
    end = offset + size
    while offset < end:
        stop = min(end, offset - offset % granularity + granularity)
        yield offset, stop - offset
        offset = stop


def dpa_from_region(state: State, region: CxlRegion) -> None:
    """The region goes: its bytes stay on its devices."""
    devices, ways, unit = _devices(region), region.ways, region.granularity
    for base in _pages(state, region.name):
        page = state.media[region.name, base]
        if ways == 1:
            media.write(state, devices[0], base, page)
        else:
            for at, size in _pieces(base, media.PAGE, unit):
                line, inside = divmod(at, unit)
                medium, dpa = devices[line % ways], line // ways * unit + inside
                media.write(state, medium, dpa, page[at - base : at - base + size])
        state.drop(state.media, (region.name, base))


def region_from_dpa(state: State, region: CxlRegion) -> None:
    """A region of these devices: what lies on them shows through it."""
    ways, unit = region.ways, region.granularity
    each = region.size // ways
    for number, medium in enumerate(_devices(region)):
        for base in _pages(state, medium):
            if base >= each:
                continue
            page = state.media[medium, base]
            if ways == 1:
                media.write(state, region.name, base, page)
            else:
                for dpa, size in _pieces(base, media.PAGE, unit):
                    line, inside = divmod(dpa, unit)
                    at = (line * ways + number) * unit + inside
                    media.write(state, region.name, at, page[dpa - base : dpa - base + size])
            state.drop(state.media, (medium, base))
