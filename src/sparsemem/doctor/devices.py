"""The device memory of a machine: what is there, what of it is mapped, and by whom."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from sparsemem.doctor.intervals import Intervals
from sparsemem.kernel.ioport import (
    IORES_DESC_PERSISTENT_MEMORY,
    IORES_DESC_PERSISTENT_MEMORY_LEGACY,
    IORES_DESC_SOFT_RESERVED,
)
from sparsemem.ranges import Range, format_range

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.machine.description import DaxFact, MachineDescription, NamespaceFact, RegionFact
    from sparsemem.machine.machine import Answer, Machine

__all__ = ["Device", "dax_ranges", "find_devices"]

_DESCRIPTIONS = (IORES_DESC_PERSISTENT_MEMORY, IORES_DESC_PERSISTENT_MEMORY_LEGACY, IORES_DESC_SOFT_RESERVED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A range of device memory, bytes.

    ``kind``: "namespace", "dax", "region" (without namespaces), "mapping" (live, of no other kind), or what /proc/iomem calls it:
    "legacy", "pmem", "soft". ``mode`` as ndctl says ("fsdax", "devdax", "raw", "sector"), "system-ram", or None. ``live``: it is
    in use, or this kernel takes it into use by itself at boot. ``answer``: how mapping it fared on the model, None when that was
    not tried.
    """

    name: str
    kind: str
    range: Range
    mode: str | None = None
    live: bool = False
    answer: Answer | None = None
    namespace: NamespaceFact | None = None
    dax: DaxFact | None = None
    region: RegionFact | None = None

    @property
    def maps(self) -> bool:
        """Does it ever get struct pages of its own? Sector mode and system RAM do not."""
        raw = self.namespace is not None and self.namespace.force_raw
        if self.mode == "raw" and self.region is not None and self.region.mappings:
            return False  # ND_REGION_PAGEMAP is for memory without DIMMs: e820, virtio, device tree
        return self.mode not in ("sector", "system-ram", "unknown-btt") and self.kind != "soft" and not raw

    @property
    def span(self) -> Range:
        """The range that is mapped: without what an old kernel padded off."""
        if self.answer is not None:
            for r in self.answer.operation.ranges:
                if self.range.contains(r):
                    return r
        return self.range


def _of_description(description: MachineDescription, answers: dict[str, Answer]) -> Iterator[Device]:
    ram = Intervals(r for dax in description.dax if dax.mode == "system-ram" for r in dax.ranges)
    regions = {region.dev: region for region in description.regions}
    for fact in description.namespaces:
        if fact.range is not None:
            mode = "system-ram" if fact.mode == "devdax" and ram.touches(fact.range) else fact.mode
            yield Device(
                name=fact.dev, kind="namespace", range=fact.range, mode=mode, live=fact.enabled,
                answer=answers.get(fact.dev), namespace=fact, region=regions.get(fact.region),
            )  # fmt: skip
    known = Intervals(fact.range for fact in description.namespaces if fact.range is not None)
    for dax in description.dax:
        if dax.ranges and not known.touches(dax.ranges[0]):
            for r in dax.ranges:
                yield Device(
                    name=dax.dev, kind="dax", range=r, mode=dax.mode, live=dax.mode is not None,
                    answer=answers.get(dax.dev), dax=dax,
                )  # fmt: skip
    known = Intervals([*known.ranges, *(r for dax in description.dax for r in dax.ranges)])
    for region in description.regions:
        if region.range is not None and region.type != "blk" and not known.touches(region.range):
            yield Device(name=region.dev, kind="region", range=region.range, region=region)


def dax_ranges(description: MachineDescription) -> dict[str, tuple[Range, ...]]:
    """The ranges of each dax device. Where only iomem tells of it, its data begins where its metadata ends there, although kmem uses
    less."""
    found = {dax.dev: dax.ranges for dax in description.dax}
    guessed = {dax.dev for dax in description.dax if not dax.listed and dax.ranges}
    for top in description.iomem.children if description.iomem is not None and guessed else ():
        for left, right in pairwise(top.children):
            name = right.name or ""
            if name in guessed and right.start == found[name][0].start and left.name == f"namespace{name[3:]}":
                found[name] = (Range(left.end + 1, found[name][0].end), *found[name][1:])
    return found


def _iomem_kind(desc: int) -> str:
    return {IORES_DESC_PERSISTENT_MEMORY_LEGACY: "legacy", IORES_DESC_SOFT_RESERVED: "soft"}.get(desc, "pmem")


def find_devices(
    machine: Machine, description: MachineDescription | None, answers: dict[str, Answer]
) -> tuple[Device, ...]:
    """Every device range, sorted by address. A range is named once, by the most specific source that knows it."""
    found = list(_of_description(description, answers)) if description is not None else []
    known = Intervals(
        [
            *(device.range for device in found),
            *(r.range for r in (description.regions if description is not None else ()) if r.range is not None),
            *(r for dax in (description.dax if description is not None else ()) for r in dax.ranges),
        ]
    )
    state = machine.state
    shift = state.kernel.geometry.PAGE_SHIFT
    for ranges, pgmap in state.pgmaps.items():
        for start, end in ranges:
            r = Range(start << shift, end << shift)
            if not known.touches(r):
                name = pgmap.owner or format_range(r)
                found.append(Device(name=name, kind="mapping", range=r, mode=pgmap.type, live=True))
    known = Intervals([*known.ranges, *(device.range for device in found if device.kind == "mapping")])
    for res in state.iomem.children:
        r = Range(res.start, res.end + 1)
        if res.desc in _DESCRIPTIONS and not known.touches(r):
            kind = _iomem_kind(res.desc)
            name = f"{res.name} {format_range(r)}"
            found.append(Device(name=name, kind=kind, range=r, live=kind == "legacy"))
    return tuple(sorted(found, key=lambda d: (d.range, d.name)))
