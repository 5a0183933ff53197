"""Which node an address belongs to on a QEMU guest: the SRAT as QEMU 7.2 writes it, and what the kernel makes of it
(``drivers/acpi/numa/srat.c``, ``mm/numa_memblks.c``; ``arch/x86/mm/numa.c`` before v6.12).

A proximity domain (PXM) is QEMU's ``nodeid``. The kernel numbers its nodes in the order in which it meets the domains: one that the table
does not name (a node without memory, unless it is the last, whose domain the window for memory devices has) is no node at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sparsemem.units import KIB, MIB

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sparsemem.ranges import Range

__all__ = ["Numa", "numa_init", "srat"]

_HOLE_640K = 640 * KIB

Entry = tuple[int, int, int]
"""Bytes, half-open, and a domain or a node."""


def srat(
    sizes: Sequence[int], low: int, high_start: int, window: Range, nvdimms: Iterable[tuple[Range, int]]
) -> list[Entry]:
    """The memory affinity entries. ``sizes``: bytes of each domain; ``low``: the end of RAM below 4 GiB, which goes on at
    ``high_start``; ``nvdimms``: those of the command line with their domains, in QEMU's order.

    The window for memory devices is the last domain's, whatever is in it.
    """
    found: list[Entry] = []
    base = 0
    for pxm, size in enumerate(sizes):
        start, end = base, base + size
        base = end
        for first, stop in ((0, _HOLE_640K), (MIB, low), (low, 1 << 62)):
            begin, finish = max(start, first), min(end, stop)
            if begin < finish:
                shift = high_start - low if first == low else 0
                found.append((begin + shift, finish + shift, pxm))
    found += [(place.start, place.end, pxm) for place, pxm in nvdimms]
    if window.size:
        found.append((window.start, window.end, len(sizes) - 1))
    return found


@dataclass(frozen=True, slots=True)
class Numa:
    """``domains``: QEMU's nodes; ``nodes``: proximity domain -> node, for those that the SRAT names; ``meminfo``: where RAM is
    (``numa_meminfo``), holes between two ranges of a node included; ``reserved``: where other memory may be.
    """

    domains: int
    nodes: tuple[tuple[int, int], ...] = ((0, 0),)
    meminfo: tuple[Entry, ...] = ()
    reserved: tuple[Entry, ...] = ()

    def pxm_to_node(self, pxm: int) -> int:
        """The node of a domain; -1 where the SRAT does not name it."""
        return dict(self.nodes).get(pxm, -1)

    def memory_add_physaddr_to_nid(self, start: int) -> int:
        """The node of an address as x86 guesses it: where RAM of boot is, else that of the first range."""
        found = _nid(self.meminfo, start)
        return found if found >= 0 else self.meminfo[0][2] if self.meminfo else 0

    def phys_to_target_node(self, start: int) -> int:
        """The node that memory at this address would be given; -1 for none."""
        reserved = _nid(self.reserved, start)
        return reserved if reserved >= 0 else _nid(self.meminfo, start)


def _nid(entries: tuple[Entry, ...], address: int) -> int:
    return next((nid for start, end, nid in entries if start <= address < end), -1)


def numa_init(domains: int, entries: Sequence[Entry], ram: Sequence[tuple[int, int]]) -> Numa:
    """What the kernel keeps. ``ram``: usable memory at boot, bytes, half-open, sorted; node 0 has the CPUs."""
    nodes = {0: 0}
    for _, _, pxm in entries:
        nodes.setdefault(pxm, len(nodes))
    meminfo: list[Entry] = []
    reserved: list[Entry] = []
    low, high = ram[0][0], ram[-1][1]
    for start, end, pxm in entries:
        nid = nodes[pxm]
        if not any(first < end and start < stop for first, stop in ram):
            reserved.append((start, end, nid))
            continue
        if end > high:
            reserved.append((high, end, nid))
        meminfo.append((max(start, low), min(end, high), nid))
    return Numa(domains, tuple(nodes.items()), tuple(_joined(meminfo)), tuple(reserved))


def _joined(entries: list[Entry]) -> list[Entry]:
    """Ranges of a node become one where nothing of another node lies between (``numa_cleanup_meminfo``)."""
    found = list(entries)
    index = 0
    while index < len(found):
        other = index + 1
        while other < len(found):
            start, end = min(found[index][0], found[other][0]), max(found[index][1], found[other][1])
            nid = found[index][2]
            between = any(start < stop and first < end for first, stop, each in found if each != nid)
            if found[other][2] == nid and not between:
                found[index] = (start, end, nid)
                del found[other]
            else:
                other += 1
        index += 1
    return found
