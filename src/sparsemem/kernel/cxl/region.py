"""``drivers/cxl/core/region.c``: regions of a root decoder: made, given addresses, committed, bound and deleted. Bytes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sparsemem.kernel import dd
from sparsemem.kernel.cxl.attach import cxl_region_detach
from sparsemem.kernel.cxl.core import (
    CONFIG_ACTIVE,
    CONFIG_COMMIT,
    CONFIG_IDLE,
    CONFIG_INTERLEAVE_ACTIVE,
    CONFIG_RESET_PENDING,
    SZ_256M,
    CxlRegion,
    CxlRoot,
    drop,
    put,
    region_of,
    regions,
    root_of,
)
from sparsemem.kernel.cxl.hdm import cxl_decoder_commit, cxl_decoder_reset
from sparsemem.kernel.cxl.pmem import devm_cxl_add_pmem_region, remove_pmem_region
from sparsemem.kernel.ioport import IORESOURCE_MEM, Resource
from sparsemem.kernel.kstrtox import kstrtobool, kstrtoint, kstrtoull
from sparsemem.kernel.nvdimm.core import UUID_NULL, uuid_parse
from sparsemem.kernel.refusal import Refusal
from sparsemem.kernel.resource import remove_resource
from sparsemem.kernel.resource_free import alloc_free_mem_region

if TYPE_CHECKING:
    from sparsemem.kernel.state import State

__all__ = [
    "commit_store",
    "create_pmem_region_store",
    "delete_region_store",
    "device_release_driver",
    "interleave_granularity_store",
    "interleave_ways_store",
    "region_bind",
    "size_store",
    "uuid_store",
]

_UUID_LINE = 37
_WAYS = (1, 2, 3, 4, 6, 8, 12, 16)
_GRANULARITY = tuple(256 << power for power in range(7))


def _root(state: State) -> CxlRoot:
    root = root_of(state)
    assert root is not None
    return root


# -- the root decoder's files


def create_pmem_region_store(state: State, text: str) -> None:
    """Make the region that ``create_pmem_region`` reads as. Raises Refusal: EINVAL (no such text), EBUSY (another number), ENOMEM."""
    match = re.match(r"region\s*([+-]?\d+)", text)
    if match is None:
        raise Refusal(22, "create_pmem_region_store", "attribute-syntax")
    root, number = _root(state), int(match[1])
    if number != root.next_id:
        raise Refusal(16, "create_pmem_region_store", "cxl-region-id")
    state.alloc("cxl_region_alloc")
    taken = {*root.taken, *(each.id for each in regions(state)), number}
    after = next(each for each in range(len(taken) + 1) if each not in taken)
    name = f"region{number}"
    put(state, CxlRegion(name, number))
    put(state, root._replace(next_id=after, regions=(*root.regions, name)))


def delete_region_store(state: State, text: str) -> None:
    """Delete a region, bound and committed or not. Raises Refusal(ENODEV)."""
    region = region_of(state, text.removesuffix("\n"))
    device_release_driver(state, region.name)
    for target in region.targets:
        if target:
            cxl_region_detach(state, target)
    _release_hpa(state, region_of(state, region.name))
    drop(state, region.name)
    root = _root(state)
    left = tuple(each for each in root.regions if each != region.name)
    put(state, root._replace(regions=left, next_id=min(root.next_id, region.id)))


# -- a region's files


def uuid_store(state: State, name: str, text: str) -> None:
    """Raises Refusal: EINVAL (no line with a uuid, or the null one), EBUSY (all targets are there; another region's)."""
    if len(text) != _UUID_LINE:
        raise Refusal(22, "uuid_store", "attribute-syntax")
    uuid, region = uuid_parse(text, "uuid_store"), region_of(state, name)
    if uuid == UUID_NULL:
        raise Refusal(22, "uuid_store", "attribute-syntax")
    if uuid == region.uuid:
        return
    if region.state >= CONFIG_ACTIVE or any(each.uuid == uuid for each in regions(state)):
        raise Refusal(16, "uuid_store", "cxl-region-config")
    put(state, region._replace(uuid=uuid))


def interleave_ways_store(state: State, name: str, text: str) -> None:
    """How many targets. Raises Refusal: EINVAL (not 1, 2, 4, 8 or 16: one host bridge), EBUSY (it has addresses)."""
    value = kstrtoint(text, "interleave_ways_store")
    if value not in _WAYS or value & (value - 1):
        raise Refusal(22, "interleave_ways_store", "cxl-region-config")
    region = region_of(state, name)
    if region.state >= CONFIG_INTERLEAVE_ACTIVE:
        raise Refusal(16, "interleave_ways_store", "cxl-region-config")
    put(state, region._replace(ways=value, targets=("",) * value))


def interleave_granularity_store(state: State, name: str, text: str) -> None:
    """Bytes on one target before the next one follows. Raises Refusal: EINVAL (no power of two of 256 to 16384), EBUSY."""
    value = kstrtoint(text, "interleave_granularity_store")
    if value not in _GRANULARITY:
        raise Refusal(22, "interleave_granularity_store", "cxl-region-config")
    region = region_of(state, name)
    if region.state >= CONFIG_INTERLEAVE_ACTIVE:
        raise Refusal(16, "interleave_granularity_store", "cxl-region-config")
    put(state, region._replace(granularity=value))


def size_store(state: State, name: str, text: str) -> None:
    """Take addresses of the window, or give them back.

    Raises Refusal: EBUSY (it has others; its targets are there), ENXIO (no ways, granularity or uuid yet), EINVAL (not whole 256 MiB on
    each target), ERANGE (no room).
    """
    size, region = kstrtoull(text, "size_store"), region_of(state, name)
    if not size:
        if region.size and region.state >= CONFIG_ACTIVE:
            raise Refusal(16, "free_hpa", "cxl-region-config")
        _release_hpa(state, region)
        return
    if region.size == size:
        return
    if region.size or region.state >= CONFIG_INTERLEAVE_ACTIVE:
        raise Refusal(16, "alloc_hpa", "cxl-region-config")
    if not region.ways or not region.granularity or region.uuid == UUID_NULL:
        raise Refusal(6, "alloc_hpa", "cxl-region-config")
    if size % (SZ_256M * region.ways):
        raise Refusal(22, "alloc_hpa", "cxl-256m")
    window = _window(state)
    state.iomem, new = alloc_free_mem_region(
        state.iomem, window, size, SZ_256M, name, physmem_end=state.misc["arch_mappable_range"][1]
    )  # fmt: skip
    put(state, region._replace(start=new.start, size=size, state=CONFIG_INTERLEAVE_ACTIVE))


def _window(state: State) -> Resource:
    root = _root(state)
    return next(each for each in state.iomem.children if (each.start, each.end) == (root.start, root.end))


def _release_hpa(state: State, region: CxlRegion) -> None:
    if not region.size:
        return
    own = Resource(region.start, region.start + region.size - 1, region.name, IORESOURCE_MEM)
    state.iomem = remove_resource(state.iomem, own)
    put(state, region._replace(start=0, size=0, state=CONFIG_IDLE))


def _cxl_region_invalidate_memregion(state: State, region: CxlRegion) -> None:
    if state.kernel.features.cxl_flushes_caches and not _root(state).flushes:
        driver = "cxl_region" if region.bound else "cxl"
        line = f"{driver} {region.name}: Failed to synchronize CPU cache state"
        state.log("warn", line)
        raise Refusal(6, "cxl_region_invalidate_memregion", "cxl-cache-flush", (line,))


def commit_store(state: State, name: str, text: str) -> None:
    """Commit the decoders of a region, or reset them, which takes its driver away first.

    Raises Refusal: EINVAL, ENXIO (targets are missing; v6.3+: this CPU cannot write its caches back for a range).
    """
    commit, region = kstrtobool(text, "commit_store"), region_of(state, name)
    if commit == (region.state >= CONFIG_COMMIT):
        return
    if commit and region.state < CONFIG_ACTIVE:
        raise Refusal(6, "commit_store", "cxl-region-config")
    _cxl_region_invalidate_memregion(state, region)
    if commit:
        cxl_decoder_commit(state, region)
        put(state, region._replace(state=CONFIG_COMMIT))
        return
    put(state, region._replace(state=CONFIG_RESET_PENDING))
    device_release_driver(state, name)
    region = region_of(state, name)
    cxl_decoder_reset(state, region)
    put(state, region._replace(state=CONFIG_ACTIVE))


# -- its driver


def region_bind(state: State, name: str) -> None:
    """Give a region to the driver cxl_region. Raises Refusal: ENODEV (no region of that name), ENXIO (not committed), EBUSY."""
    found = [each for each in regions(state) if each.name == name]
    bound = bool(found) and found[0].bound
    dd.bind(state, bound=bound, matches=bool(found), probe=lambda: _cxl_region_probe(state, name))


def _cxl_region_probe(state: State, name: str) -> None:
    region = region_of(state, name)
    if region.state < CONFIG_COMMIT:
        raise Refusal(6, "cxl_region_probe", "cxl-region-config")
    put(state, region._replace(bound=True))
    devm_cxl_add_pmem_region(state, name)


def device_release_driver(state: State, name: str) -> None:
    """Unbind: the libnvdimm region that was made of it goes, whatever is in it."""
    region = region_of(state, name)
    if not region.bound:
        return
    remove_pmem_region(state, name)
    put(state, region_of(state, name)._replace(bound=False))
