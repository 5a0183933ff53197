"""``drivers/dax/hmem`` and ``drivers/dax/cxl.c``: dynamic dax regions on soft-reserved memory and on CXL RAM regions. Bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.kernel import dd
from sparsemem.kernel.dax.bus import alloc_dax_region, devm_create_dev_dax, unregister_region
from sparsemem.kernel.dax.types import DaxRegion
from sparsemem.kernel.ioport import IORES_DESC_SOFT_RESERVED, IORESOURCE_MEM, Resource
from sparsemem.kernel.refusal import Refusal
from sparsemem.kernel.resource import insert_resource

if TYPE_CHECKING:
    from sparsemem.kernel.state import State

__all__ = ["cxl_dax_region_probe", "dax_hmem_probe"]


def _probe(state: State, region: DaxRegion, size: int, memmap_on_memory: bool) -> str:
    try:
        key = alloc_dax_region(state, region)
    except Refusal as refusal:
        dd.probe_failed(state, region.driver, region.dev, refusal.errno)
        raise
    try:
        return devm_create_dev_dax(state, key, size, memmap_on_memory=memmap_on_memory)
    except Refusal:
        unregister_region(state, key)
        raise


def dax_hmem_probe(
    state: State, nr: int, start: int, end: int, target_node: int, *, region_idle: bool = False, numa_node: int = 0
) -> str:
    """A soft-reserved range becomes a dax region aligned to a PMD, with one device over all of it; the device's name.

    ``region_idle`` leaves that device empty. Raises Refusal: EBUSY (its platform device does not fit into the iomem tree), ENOMEM
    (not aligned, or another region has it, v7.1+).
    """
    f, dev = state.kernel.features, f"hmem.{nr}"
    if f.hmem_resource:
        new = Resource(start, end, dev, IORESOURCE_MEM, IORES_DESC_SOFT_RESERVED, ())
        state.iomem = insert_resource(state.iomem, new)
    region = DaxRegion(
        nr,
        start,
        end,
        target_node,
        state.kernel.geometry.PMD_SIZE,
        dev,
        "hmem",
        f"/sys/devices/platform/{'hmem_platform.0/' if f.hmem_has_parent else ''}{dev}",
        kmem=f.dax_kmem_by_default and not region_idle,
        numa_node=numa_node,
    )
    return _probe(state, region, 0 if region_idle else end - start + 1, False)


def cxl_dax_region_probe(
    state: State, nr: int, start: int, end: int, target_node: int, *, path: str = "", numa_node: int = 0
) -> str:
    """A CXL RAM region becomes a dax region aligned to a PMD whose device goes to kmem (v6.3+); the device's name.

    Raises Refusal(ENOMEM): not aligned, or another region has it (v7.1+).
    """
    f, dev = state.kernel.features, f"dax_region{nr}"
    region = DaxRegion(
        nr,
        start,
        end,
        target_node,
        state.kernel.geometry.PMD_SIZE,
        dev,
        "cxl_dax_region",
        path or f"/sys/devices/platform/ACPI0017:00/root0/decoder0.0/region{nr}/{dev}",
        kmem=True,
        numa_node=numa_node,
    )
    return _probe(state, region, end - start + 1, f.kmem_memmap_on_memory)
