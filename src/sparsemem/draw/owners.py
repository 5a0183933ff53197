"""Who owns what: devices, RAM and claims of one state, looked up by section."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

from sparsemem.draw.scene import Owner
from sparsemem.kernel.ioport import IORESOURCE_BUSY, IORESOURCE_SYSTEM_RAM, Resource
from sparsemem.kernel.mmzone import subsection_mask
from sparsemem.ranges import Range
from sparsemem.units import format_size

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sparsemem.kernel.state import DevPagemap, State

__all__ = ["KEYS", "Devices", "Ram", "overlapping", "unmapped_claims"]

#: Letters for devices; R, r, H, h, o, x are taken or too close to other glyphs.
KEYS = "abcdefgijklmnpqstuvwyzABCDEFGIJKLMNPQSTUVWYZ"
_CLAIMS = ("Persistent Memory", "Soft Reserved", "CXL Window")
_BUSY_RAM = IORESOURCE_SYSTEM_RAM | IORESOURCE_BUSY

Piece = tuple[int, int, str]


def overlapping(pieces: list[Piece], starts: list[int], low: int, high: int) -> Iterable[Piece]:
    """Those of the sorted, disjoint ``(start, end, name)`` that touch ``[low, high)``, cut to it."""
    at = max(bisect_right(starts, low) - 1, 0)
    for start, end, name in pieces[at : bisect_left(starts, high)]:
        if end > low:
            yield max(start, low), min(end, high), name


class Ram:
    """Busy System RAM of the iomem tree, as sorted half-open byte pieces with their names."""

    def __init__(self, state: State) -> None:
        self.pieces: list[Piece] = []
        root: Resource | None = state.misc.get("iomem")
        if root is not None:
            self._collect(root)
        self.pieces.sort()
        self.starts = [start for start, _, _ in self.pieces]

    def _collect(self, res: Resource) -> None:
        for child in res.children:
            if child.flags & _BUSY_RAM == _BUSY_RAM:
                self.pieces.append((child.start, child.end + 1, child.name or "System RAM"))
            else:
                self._collect(child)

    def name_at(self, address: int) -> str | None:
        """The name of the entry that covers ``address`` (bytes), or None."""
        at = bisect_right(self.starts, address) - 1
        return self.pieces[at][2] if at >= 0 and self.pieces[at][1] > address else None

    def covered(self, low: int, high: int) -> int:
        """Bytes of ``[low, high)`` that are RAM."""
        return sum(end - start for start, end, _ in overlapping(self.pieces, self.starts, low, high))

    def merged(self) -> list[tuple[int, int]]:
        """The pieces with neighbours joined."""
        joined: list[tuple[int, int]] = []
        for start, end, _ in self.pieces:
            if joined and joined[-1][1] == start:
                joined[-1] = (joined[-1][0], end)
            else:
                joined.append((start, end))
        return joined

    def ragged(self, unit: int) -> set[int]:
        """Numbers of the ``unit``-sized pieces of memory that RAM covers only partly."""
        found: set[int] = set()
        for start, end in self.merged():
            for edge in (start, end):
                if edge % unit:
                    found.add(edge // unit)
        return {nr for nr in found if self.covered(nr * unit, (nr + 1) * unit) < unit}


def _device_name(root: Resource | None, pgmap: DevPagemap, address: int) -> str:
    """The owner that the driver gave, else the innermost iomem entry at ``address``, else the pagemap's type."""
    if pgmap.owner:
        return pgmap.owner
    name = None
    while root is not None:
        at = bisect_right(root.children, address, key=lambda child: child.start) - 1
        root = root.children[at] if at >= 0 and root.children[at].end >= address else None
        if root is not None and root.name and root.name not in ("System RAM",):
            name = root.name
    return name or pgmap.type


class Devices:
    """The live device mappings, lettered in address order, and their masks by section."""

    def __init__(self, state: State) -> None:
        g = state.kernel.geometry
        self._mapped = state.kernel.features.subsection_hotplug
        self._geometry = g
        self.owners: list[Owner] = []
        self._edges: dict[int, list[tuple[int, int]]] = {}
        self._whole: list[tuple[int, int, int]] = []
        self.pieces: list[Piece] = []
        self.breaks: set[int] = set()
        root: Resource | None = state.misc.get("iomem")
        for number, pgmap in enumerate(sorted(state.pgmaps.values(), key=lambda p: p.ranges)):
            ranges = tuple(Range(low << g.PAGE_SHIFT, high << g.PAGE_SHIFT) for low, high in pgmap.ranges)
            name = _device_name(root, pgmap, ranges[0].start)
            detail = pgmap.type
            altmap = state.altmaps.get(pgmap.altmap) if pgmap.altmap is not None else None
            if altmap is not None:
                detail += f", {format_size((altmap.reserve + altmap.free) << g.PAGE_SHIFT)} kept for its own memmap"
            self.owners.append(Owner("device", name, KEYS[number % len(KEYS)], number, detail, ranges))
            self.pieces.extend((r.start, r.end, name) for r in ranges)
            for first, stop in pgmap.mapped:
                self._add(number, first, stop)
        self.pieces.sort()
        self._inner = _flattened(self._whole)
        self._inner_starts = [low for low, _, _ in self._inner]

    def _add(self, number: int, first: int, stop: int) -> None:
        g = self._geometry
        low, high = first >> g.PFN_SECTION_SHIFT, (stop - 1) >> g.PFN_SECTION_SHIFT
        self.breaks.update((low, low + 1, high, high + 1))
        for nr in {low, high}:
            begin = max(first, nr << g.PFN_SECTION_SHIFT)
            end = min(stop, (nr + 1) << g.PFN_SECTION_SHIFT)
            mask = subsection_mask(g, begin, end - begin) if self._mapped else 1
            self._edges.setdefault(nr, []).append((number, mask))
        if high - low > 1:
            self._whole.append((low + 1, high, number))

    def at(self, nr: int, full: int) -> list[tuple[int, int]]:
        """``(device number, mask)`` of section ``nr``; ``full`` is the mask of a whole section."""
        found = list(self._edges.get(nr, ()))
        at = bisect_right(self._inner_starts, nr) - 1
        if at >= 0 and self._inner[at][1] > nr:
            found += [(number, full) for number in self._inner[at][2]]
        return found


def _flattened(spans: list[tuple[int, int, int]]) -> list[tuple[int, int, tuple[int, ...]]]:
    """Overlapping ``(low, high, number)`` as disjoint pieces with all the numbers that cover each."""
    events = sorted([(low, 1, number) for low, _, number in spans] + [(high, 0, number) for _, high, number in spans])
    pieces: list[tuple[int, int, tuple[int, ...]]] = []
    open_now: list[int] = []
    at = 0
    for place, opens, number in events:
        if open_now and place > at:
            pieces.append((at, place, tuple(sorted(open_now))))
        at = place
        if opens:
            open_now.append(number)
        else:
            open_now.remove(number)
    return pieces


def _subtract(pieces: list[Piece], taken: list[Piece]) -> list[Piece]:
    starts = [start for start, _, _ in taken]
    left: list[Piece] = []
    for start, end, name in pieces:
        at = start
        for low, high, _ in overlapping(taken, starts, start, end):
            if low > at:
                left.append((at, low, name))
            at = max(at, high)
        if at < end:
            left.append((at, end, name))
    return left


def _claims(res: Resource) -> list[Piece]:
    inner: list[Piece] = []
    for child in res.children:
        if child.name and child.flags & _BUSY_RAM != _BUSY_RAM:
            inner += _claims(child)
    return sorted(inner + _subtract([(res.start, res.end + 1, res.name or "")], sorted(inner)))


def unmapped_claims(state: State, devices: Devices, ram: Ram) -> list[Piece]:
    """Device memory of the iomem tree that neither a device mapping nor RAM covers: ``(start, end, name)``, sorted."""
    root: Resource | None = state.misc.get("iomem")
    if root is None:
        return []
    pieces: list[Piece] = []
    for child in root.children:
        if child.name and child.name.startswith(_CLAIMS):
            pieces += _claims(child)
    merged: list[Piece] = []
    for start, end, name in sorted(devices.pieces + ram.pieces):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]), name)
        else:
            merged.append((start, end, name))
    return _subtract(sorted(pieces), merged)
