"""The libnvdimm half of ``drivers/dax/pmem.c``: a configured dax device becomes a device-dax region. Bytes; inclusive ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.kernel.dax import pmem as dax_pmem
from sparsemem.kernel.dax.bus import alloc_dax_region
from sparsemem.kernel.dax.types import DEVICE_DAX, DaxRange, DaxRegion, DevDax
from sparsemem.kernel.memremap import memremap_pages
from sparsemem.kernel.nvdimm.claim import (
    devm_namespace_disable,
    devm_namespace_enable,
    devres_add,
    nd_info_block_reserve,
    request_region,
)
from sparsemem.kernel.nvdimm.core import bus_of, dev_name, pfn_of, region_of
from sparsemem.kernel.nvdimm.namespace_devs import nvdimm_namespace_common_probe
from sparsemem.kernel.nvdimm.pfn_devs import nvdimm_setup_pfn
from sparsemem.kernel.nvdimm.types import Devres
from sparsemem.kernel.refusal import Refusal

if TYPE_CHECKING:
    from sparsemem.kernel.nvdimm.pfn_devs import Setup
    from sparsemem.kernel.nvdimm.types import NdNamespace, NdPfn, NdRegion
    from sparsemem.kernel.state import State

__all__ = ["dax_pmem_probe", "sysfs_path"]


def sysfs_path(state: State, key: str) -> str:
    """Where sysfs has the nd dax device."""
    dev = pfn_of(state, key)
    region = region_of(state, dev.region)
    return f"{bus_of(state, region.bus).path}/{region.name}/{dev.name}"


def dax_pmem_probe(state: State, key: str) -> None:
    """Bind a dax device: read or write its info block, and hand what is behind it to device-dax.

    Raises Refusal: what ``nvdimm_namespace_common_probe``, ``nvdimm_setup_pfn`` and ``drivers/dax/pmem.c`` say; up to v5.0 also what
    ``memremap_pages`` says.
    """
    ndns = nvdimm_namespace_common_probe(state, key)
    reserve = nd_info_block_reserve(state)
    devm_namespace_enable(state, key, ndns, reserve)
    setup = nvdimm_setup_pfn(state, key, reserve)
    devm_namespace_disable(state, key)
    if state.kernel.features.dax_pmem_maps_pages:
        _map_pages(state, key, ndns, setup)
    if not setup.align:  # a block of minor version 0 or 1: nothing is aligned to 0
        raise Refusal(12, "alloc_dax_region", "dax-region-alignment")
    dev = pfn_of(state, key)
    region = region_of(state, dev.region)
    if state.kernel.features.dax_pmem_maps_pages:
        _class_device(state, dev, region, ndns, setup)
        return
    dax_pmem.dax_pmem_probe(
        state,
        dev.name,
        ndns.name,
        (ndns.start, ndns.end),
        (setup.start, setup.end),
        setup.dataoff,
        setup.align,
        setup.altmap,
        region.target_node,
        path=sysfs_path(state, key),
        numa_node=region.numa_node,
    )
    devres_add(state, key, Devres("dax", ndns.start, setup.dataoff))


def _map_pages(state: State, key: str, ndns: NdNamespace, setup: Setup) -> None:
    request_region(state, key, ndns, ndns.size)
    shift = state.kernel.geometry.PAGE_SHIFT
    pfns = (setup.start >> shift, (setup.end + 1) >> shift)
    node = max(region_of(state, ndns.region).numa_node, 0)
    owner = f"dax_pmem {dev_name(key)}"
    memremap_pages(state, (pfns,), node, type="generic", altmap=setup.altmap, owner=owner)
    devres_add(state, key, Devres("pages", *pfns))


def _class_device(state: State, dev: NdPfn, region: NdRegion, ndns: NdNamespace, setup: Setup) -> None:
    """Up to v5.0: a device of the dax class, which has no driver; it is in ``state.dax`` as if device_dax had it."""
    start, end = setup.start + setup.dataoff, setup.end
    dax_region = alloc_dax_region(
        state,
        DaxRegion(
            region.id,
            start,
            end,
            region.target_node,
            setup.align,
            dev.name,
            "dax_pmem",
            sysfs_path(state, dev.key),
            static=True,
            numa_node=region.numa_node,
        ),
    )
    devres_add(state, dev.key, Devres("dax-class", start, end + 1 - start))
    child = DevDax(
        f"dax{region.id}.{ndns.id}", dax_region, ndns.id, setup.align, (DaxRange(0, start, end, 0),), DEVICE_DAX
    )
    state.put(state.dax, child.name, child)
