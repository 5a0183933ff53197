"""``drivers/dax/pmem.c``: a libnvdimm dax device (devdax namespace) becomes a static dax region. Bytes; inclusive ends."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sparsemem.kernel.dax.bus import alloc_dax_region, devm_create_dev_dax, unregister_region
from sparsemem.kernel.dax.types import DaxRegion, StaticPagemap
from sparsemem.kernel.refusal import Refusal
from sparsemem.kernel.resource import release_mem_region, request_mem_region

if TYPE_CHECKING:
    from sparsemem.kernel.state import State, VmemAltmap

__all__ = ["dax_pmem_probe", "dax_pmem_remove"]

_NAMESPACE = re.compile(r"namespace(\d+)\.(\d+)\Z")


def dax_pmem_probe(
    state: State,
    nd_dax: str,
    namespace: str,
    resource: tuple[int, int],
    pgmap_range: tuple[int, int],
    dataoff: int,
    align: int,
    altmap: VmemAltmap | None,
    target_node: int,
    *,
    path: str,
    numa_node: int = 0,
) -> str:
    """Everything after ``nvdimm_setup_pfn``: claim the metadata, make the region and its one device; the device's name.

    ``nd_dax`` is the nd device ("dax0.0"), ``namespace`` its namespace ("namespace0.1"), ``resource`` the namespace's
    (start, end), ``pgmap_range`` what setup maps, ``dataoff`` from the namespace's start, ``path`` the nd device's sysfs path.
    Raises Refusal: EBUSY (metadata claimed), EINVAL (an odd namespace name), ENOMEM (range not aligned, or taken).
    """
    start = resource[0]
    claimed = request_mem_region(state.iomem, start, dataoff, namespace, log=state.log)
    if claimed is None:
        text = f"dax_pmem {nd_dax}: could not reserve metadata"
        state.log("warn", text)
        raise Refusal(16, "dax_pmem_probe", "resource-busy", (text,))
    before, state.iomem = state.iomem, claimed[0]
    match = _NAMESPACE.match(namespace)
    try:
        if match is None:
            raise Refusal(22, "dax_pmem_probe", "dax-static")
        region = DaxRegion(
            int(match[1]),
            pgmap_range[0] + dataoff,
            pgmap_range[1],
            target_node,
            align,
            nd_dax,
            "dax_pmem",
            path,
            static=True,
            numa_node=numa_node,
        )
        key = alloc_dax_region(state, region)
        shift = state.kernel.geometry.PAGE_SHIFT
        pgmap = StaticPagemap((pgmap_range[0] >> shift, (pgmap_range[1] + 1) >> shift), altmap)
        try:
            return devm_create_dev_dax(state, key, region.size, id=int(match[2]), pgmap=pgmap)
        except Refusal:
            state.drop(state.dax, key)
            raise
    except Refusal:
        state.iomem = before
        raise


def dax_pmem_remove(state: State, nd_dax: str, resource_start: int, dataoff: int) -> None:
    """The nd device loses its driver: device, region and the claim on the metadata go."""
    key = state.dax.backed.get(nd_dax)
    if key is not None:
        unregister_region(state, key)
    state.iomem = release_mem_region(state.iomem, resource_start, dataoff, log=state.log)
