"""Who owns a range or a device that a line names: entries of the iomem tree, namespaces, dax devices, memory blocks."""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import TYPE_CHECKING, NamedTuple

from sparsemem.ranges import Range, format_range
from sparsemem.units import format_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.doctor.context import Context
    from sparsemem.explain.match import Hit
    from sparsemem.kernel.ioport import Resource

__all__ = ["Owner", "Owners", "device_names"]

_NAME = re.compile(r"(namespace|pfn|dax|btt|region|pmem|mapping_region)(\d+)(?:\.(\d+))?")
_FEW = 4


class Owner(NamedTuple):
    """``kind``: "iomem", "region", "namespace", "dax" or "block"; ``name`` as the kernel says; ``range`` bytes, None where not known."""

    kind: str
    name: str
    range: Range | None
    detail: str = ""

    def __str__(self) -> str:
        where = f" {format_range(self.range)}" if self.range is not None else ""
        return f"{self.name}{where}{f' ({self.detail})' if self.detail else ''}"


def device_names(hit: Hit) -> tuple[str, ...]:
    """The devices that a line names."""
    words = [hit.device or "", *(hit.words.get(key, "") for key in ("device", "namespace", "region"))]
    return tuple(dict.fromkeys(match[0] for word in words for match in _NAME.finditer(word)))


def _inside(children: tuple[Resource, ...], r: Range) -> Iterator[Resource]:
    """The entries that touch the range, each before those in it. Neighbours are sorted and disjoint."""
    for index in range(bisect_left(children, r.start, key=lambda res: res.end), len(children)):
        if children[index].start >= r.end:
            return
        yield children[index]
        yield from _inside(children[index].children, r)


class _Places:
    """Ranges of devices, to be found by address; few of them overlap."""

    def __init__(self, places: list[tuple[Range | None, int]]) -> None:
        self._sorted = sorted((r.start, r.end, index) for r, index in places if r is not None)
        self._reach: list[int] = []  # how far this range and those before it reach
        for _, end, _ in self._sorted:
            self._reach.append(max(end, self._reach[-1] if self._reach else 0))

    def overlapping(self, r: Range) -> Iterator[int]:
        at = bisect_left(self._sorted, (r.end, 0, 0)) - 1
        while at >= 0 and self._reach[at] > r.start:
            start, end, index = self._sorted[at]
            if start < r.end and end > r.start:
                yield index
            at -= 1


class Owners:
    """Looks up ranges and names in a machine."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._block = ctx.block_size
        self.devices: list[Owner] = []
        description = ctx.description
        if description is not None:
            for region in description.regions:
                self.devices.append(Owner("region", region.dev, region.range))
            for fact in description.namespaces:
                mode = f"{fact.mode}, map={fact.map}" if fact.map else fact.mode
                self.devices.append(Owner("namespace", fact.dev, fact.range, mode))
            for dax in description.dax:
                for r in dax.ranges or (None,):
                    self.devices.append(Owner("dax", dax.dev, r, dax.mode or ""))
        self._places = {
            kind: _Places([(owner.range, index) for index, owner in enumerate(self.devices) if owner.kind == kind])
            for kind in ("region", "namespace", "dax")
        }
        self._by_name = {owner.name: owner for owner in reversed(self.devices)}
        if description is not None:
            for fact in description.namespaces:
                for alias in (fact.holder, fact.blockdev):
                    if alias and fact.dev in self._by_name:
                        self._by_name.setdefault(alias, self._by_name[fact.dev])

    def named(self, name: str) -> Owner | None:
        """The device of that name, also by the names of what claims it (pfn0.1, pmem0)."""
        return self._by_name.get(name)

    def of(self, r: Range) -> tuple[Owner, ...]:
        """Everything that lies in the range: the most particular names last."""
        inside = sorted(index for places in self._places.values() for index in places.overlapping(r))
        found = list(dict.fromkeys((*self._iomem(r), *(self.devices[index] for index in inside))))
        named = {owner.name for owner in found if owner.kind != "iomem"}
        return tuple(owner for owner in found if owner.kind != "iomem" or owner.name not in named)

    def _iomem(self, r: Range) -> Iterator[Owner]:
        description = self._ctx.description
        root = description.iomem if description is not None and description.iomem is not None else self._ctx.state.iomem
        for res in _inside(root.children, r):
            if res.name:
                yield Owner("iomem", res.name, Range(res.start, res.end + 1))

    def blocks(self, r: Range) -> str:
        """The memory blocks in the range, in words; "" where there are none."""
        known = self._ctx.state.blocks
        first, last = r.start // self._block, (r.end - 1) // self._block
        if last - first > 1 << 20:
            return ""
        numbers = [nr for nr in range(first, last + 1) if nr in known]
        if not numbers:
            return ""
        states = sorted({known[nr].state for nr in numbers})
        names = f"memory{numbers[0]}" if len(numbers) == 1 else f"memory{numbers[0]}-{numbers[-1]}"
        return f"{names} of {format_size(self._block)} ({', '.join(states)})"

    def words(self, r: Range) -> str:
        """The owners of the range in one line; who is not there is said, too."""
        owners = self.of(r)
        if not owners:
            return "nothing that this machine tells of"
        shown = ", ".join(str(owner) for owner in owners[:_FEW])
        return shown + (f" and {len(owners) - _FEW} more" if len(owners) > _FEW else "")
