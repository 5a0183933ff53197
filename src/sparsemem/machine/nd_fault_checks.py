"""The checks behind ``faults()`` for libnvdimm: each yields ``(kind, start_pfn, end_pfn, what)``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sparsemem.kernel.fs.bdev import claims
from sparsemem.kernel.ioport import IORESOURCE_BUSY

if TYPE_CHECKING:
    from sparsemem.kernel.nvdimm.types import NdNamespace
    from sparsemem.kernel.state import State

__all__ = ["block_devices", "claims_of_drivers", "namespaces"]

Found = Iterator[tuple[str, int, int, str]]


def _namespaces(state: State, region: str) -> list[NdNamespace]:
    found = (state.nd[key] for key in state.nd.children.get(region, ()) if key.startswith("namespace"))
    return sorted((each for each in found if each.size), key=lambda each: each.start)


def namespaces(state: State) -> Found:
    """A namespace lies in its region, and no byte belongs to two."""
    shift = state.kernel.geometry.PAGE_SHIFT
    for name in state.nd.regions:
        region = state.nd[name]
        last: NdNamespace | None = None
        for each in _namespaces(state, name):
            if each.start < region.ndr_start or each.end > region.ndr_end:
                what = f"{each.name} leaves {name}"
                yield "namespace-outside-region", each.start >> shift, (each.end >> shift) + 1, what
            if last is not None and last.end >= each.start:
                what = f"{last.name} and {each.name} have the same bytes"
                yield "namespaces-overlap", each.start >> shift, (min(last.end, each.end) >> shift) + 1, what
            if last is None or each.end > last.end:
                last = each


def claims_of_drivers(state: State) -> Found:
    """What the driver of a namespace, btt, pfn or dax device holds is there: its iomem claim, its mapping."""
    shift = state.kernel.geometry.PAGE_SHIFT
    held = [(key, each) for keys in state.nd.children.values() for key in keys for each in state.nd[key].devres]
    if not held:
        return
    claimed = {(res.start, res.end) for _, res in state.iomem.walk() if res.flags & IORESOURCE_BUSY}
    mapped = {each for key in state.pgmaps for each in key}
    for key, each in held:
        if each.kind == "pages":
            if (each.start, each.size) not in mapped:
                yield "driver-lost-its-range", each.start, each.size, f"the pages of {key} are not mapped"
        elif each.kind != "dax-class" and (each.start, each.start + each.size - 1) not in claimed:
            end = each.start + each.size - 1
            yield (
                "driver-lost-its-range",
                each.start >> shift,
                (end >> shift) + 1,
                f"the claim of {key} is not in the iomem tree",
            )


def block_devices(state: State) -> Found:
    """What has a block device open has one."""
    shift = state.kernel.geometry.PAGE_SHIFT
    for disk, holder in claims(state):
        if disk in state.nd.disks:
            continue
        number = disk.removeprefix("pmem").partition(".")[0].rstrip("s")
        region = state.nd.get(f"region{number}")
        start, end = (0, 1) if region is None else (region.ndr_start >> shift, (region.ndr_end >> shift) + 1)
        yield "disk-gone-in-use", start, end, f"{holder} holds {disk}, which is gone"
