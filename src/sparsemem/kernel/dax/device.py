"""``drivers/dax/device.c``: a dax device as /dev/daxX.Y, with its pages mapped. Bytes; pfns where named so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.kernel.dax.bus import dev_dax_of, dev_driver_string, put_dev_dax, region_of
from sparsemem.kernel.memremap import memremap_pages, memunmap_pages
from sparsemem.kernel.refusal import Refusal
from sparsemem.kernel.resource import release_mem_region, request_mem_region

if TYPE_CHECKING:
    from sparsemem.kernel.dax.types import DevDax
    from sparsemem.kernel.state import State

__all__ = ["dev_dax_probe", "dev_dax_remove"]


def _pfns(state: State, dev: DevDax) -> tuple[tuple[int, int], ...]:
    if dev.pgmap is not None:
        return (dev.pgmap.pfns,)
    shift = state.kernel.geometry.PAGE_SHIFT
    return tuple((each.start >> shift, (each.end + 1) >> shift) for each in dev.ranges)


def dev_dax_probe(state: State, name: str) -> None:
    """Claim the ranges and map their pages.

    Raises Refusal: EBUSY (a range is claimed in the iomem tree), EINVAL (a static device of several ranges; a dynamic one whose
    last probe failed, v5.17+), and what ``memremap_pages`` says. What was claimed is given back.
    """
    dev = dev_dax_of(state, name)
    f, prefix = state.kernel.features, dev_driver_string(dev)
    if dev.pgmap is not None and len(dev.ranges) > 1:
        text = f"{prefix}: static pgmap / multi-range device conflict"
        state.log("warn", text)
        raise Refusal(22, "dev_dax_probe", "dax-static", (text,))
    dynamic = dev.pgmap is None and f.dax_failed_probe_keeps_pgmap
    if dynamic and dev.stale_pgmap:
        text = f"{prefix}: dynamic-dax with pre-populated page map"
        state.log("warn", text)
        raise Refusal(22, "dev_dax_probe", "dax-stale-pgmap", (text,))
    try:
        _map(state, dev, name, prefix)
    except Refusal:
        if dynamic:
            put_dev_dax(state, dev_dax_of(state, name)._replace(stale_pgmap=True))
        raise


def _map(state: State, dev: DevDax, name: str, prefix: str) -> None:
    f = state.kernel.features
    before = state.iomem
    for index, each in enumerate(dev.ranges):
        claimed = request_mem_region(state.iomem, each.start, each.size, name, log=state.log)
        if claimed is None:
            if f.dax_multi_range:
                text = f"{prefix}: mapping{index}: {each.start:#x}-{each.end:#x} could not reserve range"
            else:
                text = f"{prefix}: could not reserve region [mem {each.start:#010x}-{each.end:#010x}]"
            state.log("warn", text)
            state.iomem = before
            raise Refusal(16, "dev_dax_probe", "resource-busy", (text,))
        state.iomem = claimed[0]
    g = state.kernel.geometry
    shift = (dev.align // g.PAGE_SIZE - 1).bit_length() if dev.align > g.PAGE_SIZE else 0
    try:
        memremap_pages(
            state,
            _pfns(state, dev),
            max(region_of(state, dev.region).numa_node, 0),
            type="generic",
            altmap=None if dev.pgmap is None else dev.pgmap.altmap,
            owner=prefix,
            vmemmap_shift=shift,
        )
    except Refusal:
        state.iomem = before
        raise


def dev_dax_remove(state: State, name: str) -> None:
    """Unmap the pages and give the claims back."""
    dev = dev_dax_of(state, name)
    memunmap_pages(state, _pfns(state, dev))
    for each in reversed(dev.ranges):
        state.iomem = release_mem_region(state.iomem, each.start, each.size, log=state.log)
