"""``drivers/nvdimm/namespace_devs.c``, the size of a namespace: giving it bytes of its DIMMs, and taking them back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.kernel.kstrtox import kstrtoull
from sparsemem.kernel.nvdimm.core import namespace_of, put, region_of
from sparsemem.kernel.nvdimm.dimm_devs import dpa_align as _dpa_align
from sparsemem.kernel.nvdimm.dimm_devs import label_id, nvdimm_allocated_dpa, scan_allocate, scan_free, set_dpa, to_ndd
from sparsemem.kernel.nvdimm.label import nd_pmem_namespace_label_update
from sparsemem.kernel.nvdimm.namespace_scan import namespace_resource
from sparsemem.kernel.nvdimm.region_devs import nd_region_allocatable_dpa
from sparsemem.kernel.refusal import Refusal

if TYPE_CHECKING:
    from sparsemem.kernel.nvdimm.types import NdRegion
    from sparsemem.kernel.state import State

__all__ = ["nd_namespace_label_update", "size_store"]


def nd_namespace_label_update(state: State, name: str) -> None:
    """Write what was changed to the labels: one update with its size, or (size 0) the deletion of its label.

    Raises Refusal: ENXIO (a label-less namespace; no free label slot).
    """
    ndns = namespace_of(state, name)
    if ndns.driver or ndns.claim:
        text = f"{ndns.driver or 'nd'} {name}: namespace must be idle during label update"
        state.log("warn", text, once="nd_namespace_label_update")
        return
    if ndns.type != "pmem":
        raise Refusal(6, "nd_namespace_label_update", "namespace-unlabelled")
    if ndns.uuid:
        nd_pmem_namespace_label_update(state, ndns.region, name, ndns.size)


def _granularity(state: State, region: NdRegion) -> int:
    """What a size must be a multiple of. From v5.7 on the kernel divides by the low 32 bits of the region's align."""
    kind = state.kernel.features.size_granularity
    if kind == "region align":
        return region.align & 0xFFFFFFFF
    return (4096 if kind == "4K" else state.kernel.geometry.PAGE_SIZE) * region.ndr_mappings


def _grow(state: State, region: NdRegion, name: str, n: int) -> None:
    for mapping in region.mappings:
        ndd = to_ndd(state, mapping)
        assert ndd is not None
        try:
            state.alloc("nvdimm_allocate_dpa")
        except Refusal:
            dpa, left = ndd.dpa, n  # as if there were no space
        else:
            dpa, left = scan_allocate(ndd.dpa, _dpa_align(region), mapping, name, n)
        set_dpa(state, mapping.nvdimm, dpa)
        if left:
            line = f"nd_region {region.name}: allocation underrun: {n - left:#x} of {n:#x} bytes"
            state.log("warn", line, once="grow_dpa_allocation")
            raise Refusal(6, "grow_dpa_allocation", "namespace-space", (line,))


def _shrink(state: State, region: NdRegion, name: str, n: int) -> None:
    for mapping in region.mappings:
        ndd = to_ndd(state, mapping)
        assert ndd is not None
        set_dpa(state, mapping.nvdimm, scan_free(ndd.dpa, name, n))


def _set_size(state: State, name: str, value: int) -> bool:
    """``__size_store``. True: the device is to go with its size."""
    ndns = namespace_of(state, name)
    region, function = region_of(state, ndns.region), "__size_store"
    if ndns.driver or ndns.claim:
        raise Refusal(16, function, "namespace-busy")
    if not ndns.uuid:
        raise Refusal(6, function, "namespace-uuid")
    if not region.mappings:
        raise Refusal(6, function, "namespace-unlabelled")
    unit = _granularity(state, region)
    if not unit:
        raise Refusal(33, function, "region-align", crash=True)  # EDOM: the kernel divides by zero
    if value % unit:
        state.log("debug", f"nd {name}: {value} is not {unit // 1024}K aligned")
        raise Refusal(22, function, "region-align")
    wanted, allocated = label_id(ndns.uuid), 0
    for mapping in region.mappings:
        ndd = to_ndd(state, mapping)
        if ndd is None:
            raise Refusal(6, function, "dimm-disabled")
        allocated += nvdimm_allocated_dpa(ndd, wanted)
    if value > nd_region_allocatable_dpa(state, region) + allocated:
        raise Refusal(28, function, "namespace-space")
    if value == allocated:
        return False
    ways = region.ndr_mappings
    value, allocated = value // ways, allocated // ways
    if value < allocated:
        _shrink(state, region, wanted, allocated - value)
    else:
        _grow(state, region, wanted, value - allocated)
    start, size = namespace_resource(state, region, ndns.uuid, value * ways)
    put(state, ndns._replace(start=start, size=size))
    return not value and ndns.id != 0 and region.ns_seed != name


def size_store(state: State, name: str, text: str) -> None:
    """Give a labelled namespace a size in bytes; 0 deletes it: its label, its uuid and, unless it is number 0 or the seed, the device.

    Raises Refusal: EINVAL (no number; no multiple of the region's align), EBUSY (in use), ENXIO (no uuid; a disabled DIMM; no
    extent in one piece behind or before what it has: a warning says "allocation underrun"; no free label slot), ENOSPC.
    """
    value = kstrtoull(text, "size_store")
    gone = _set_size(state, name, value)
    try:
        nd_namespace_label_update(state, name)
        if not value:
            put(state, namespace_of(state, name)._replace(uuid=""))
    finally:
        if gone:
            from sparsemem.kernel.nvdimm.bus import nd_device_unregister

            nd_device_unregister(state, name)
