"""What iomem tells of a device that is System RAM: kmem reserves only the whole memory blocks inside it, so the entry around it, or the
entry before it, says how large the device is; and how much was rounded off says how large the memory blocks are.

Linux kernel v7.2, drivers/dax/kmem.c, ``dax_kmem_range()``: start up, end down to ``memory_block_size_bytes()``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from sparsemem.ranges import Range

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sparsemem.kernel.ioport import Resource

__all__ = ["KmemEntry", "block_size_of", "kmem_entries", "sizes_by_count"]

_DAX = re.compile(r"dax\d{1,9}\.\d{1,9}")
_WHOLE = re.compile(r"region\d{1,9}|Soft Reserved|hmem\.\d{1,9}|CXL Window \d{1,9}")
"""Entries that a dax device takes from end to end: a CXL region, a window, what dax_hmem was given."""
_SIZES = tuple(1 << bits for bits in range(24, 32))
"""Memory block sizes that there are: 16 MiB (ppc64) to 2 GiB (x86-64)."""


@dataclass(frozen=True, slots=True)
class KmemEntry:
    """A dax device that has System RAM in it. ``taken``: its own entry; ``around``: the entry that it should fill, None where its parent
    is none of that kind or has more in it; ``after``: where the metadata in front of it ends, None without."""

    dev: str
    taken: Range
    around: Range | None = None
    after: int | None = None

    def sizes(self, device: Range) -> tuple[int, ...]:
        """The memory block sizes that leave ``taken`` of the device."""
        return tuple(
            size for size in _SIZES if (-(-device.start // size) * size, device.end // size * size) == self.taken
        )

    def device(self, size: int | None) -> Range | None:
        """The range of the device, ``size`` bytes where a listing tells them; None where that cannot be told."""
        if size == self.taken.size:
            return self.taken
        found = None
        if self.after is not None and size is not None:
            found = Range(self.after, self.after + size)
        elif self.around is not None and size in (None, self.around.size):
            found = self.around
        return found if found is not None and self.sizes(found) else None


def kmem_entries(root: Resource | None) -> tuple[KmemEntry, ...]:
    """The dax devices of an iomem tree that kmem has."""
    found: list[KmemEntry] = []
    work = list(root.children) if root is not None else []
    while work:
        node = work.pop()
        work += node.children
        daxes = [child for child in node.children if _DAX.fullmatch(child.name or "")]
        left = {right.start: before for before, right in pairwise(node.children)}
        for dax in daxes:
            if not any((child.name or "").startswith("System RAM") for child in dax.children):
                continue
            alone = len(daxes) == 1 and len(node.children) == 1
            before = left.get(dax.start)
            own = before is not None and before.name == f"namespace{(dax.name or '')[3:]}"
            found.append(
                KmemEntry(
                    dev=dax.name or "",
                    taken=Range(dax.start, dax.end + 1),
                    around=Range(node.start, node.end + 1) if alone and _WHOLE.fullmatch(node.name or "") else None,
                    after=before.end + 1 if own and before is not None else None,
                )
            )
    return tuple(sorted(found, key=lambda each: (each.taken, each.dev)))


def sizes_by_count(size: int, blocks: int) -> set[int]:
    """The memory block sizes of which a device of ``size`` bytes holds so many whole ones, wherever it begins."""
    return {each for each in _SIZES if blocks and size // each - blocks in (0, 1)}


def block_size_of(
    entries: tuple[KmemEntry, ...], devices: dict[str, Range], counts: Iterable[tuple[int, int]] = ()
) -> int | None:
    """The one memory block size that leaves of each device what kmem has of it; None where none or several do. ``devices``: their ranges;
    ``counts``: bytes and memory blocks of each that a listing counts.

    A device that lost nothing says only what its ends are multiples of, so at least one has to have lost some, or be counted.
    """
    sizes, told = set(_SIZES), False
    for size, blocks in counts:
        sizes &= sizes_by_count(size, blocks)
        told = True
    for entry in entries:
        device = devices.get(entry.dev)
        if device is not None:
            sizes &= set(entry.sizes(device))
            told = told or device != entry.taken
    return sizes.pop() if told and len(sizes) == 1 else None
