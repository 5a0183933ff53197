"""Who owns a range or a device that a line names: entries of the iomem tree, namespaces, dax devices, memory blocks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from sparsemem.ranges import Range, format_range
from sparsemem.units import format_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.doctor.context import Context
    from sparsemem.explain.match import Hit

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
        found = list(dict.fromkeys((*self._iomem(r), *(d for d in self.devices if d.range and d.range.overlaps(r)))))
        named = {owner.name for owner in found if owner.kind != "iomem"}
        return tuple(owner for owner in found if owner.kind != "iomem" or owner.name not in named)

    def _iomem(self, r: Range) -> Iterator[Owner]:
        description = self._ctx.description
        root = description.iomem if description is not None and description.iomem is not None else self._ctx.state.iomem
        for top in root.children:
            if top.start >= r.end or top.end < r.start:
                continue
            for res in (top, *(inner for _, inner in top.walk())):
                if res.start < r.end and res.end >= r.start and res.name:
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
