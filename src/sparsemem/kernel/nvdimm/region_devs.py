"""``drivers/nvdimm/region_devs.c``: interleave sets as ranges of addresses, their alignment, free space and seeds. Bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.kernel.kstrtox import kstrtobool, kstrtoull
from sparsemem.kernel.nvdimm.core import children_of, dev_printk, nvdimm_of, put, region_of
from sparsemem.kernel.nvdimm.dimm_devs import nd_pmem_available_dpa, nd_pmem_max_contiguous_dpa, to_ndd
from sparsemem.kernel.nvdimm.types import Mapping, NdBtt, NdNamespace, NdPfn, NdRegion
from sparsemem.kernel.refusal import Refusal

if TYPE_CHECKING:
    from sparsemem.kernel.state import State

__all__ = [
    "ND_DEVICE_NAMESPACE_IO",
    "ND_DEVICE_NAMESPACE_PMEM",
    "align_store",
    "default_align",
    "nd_region_advance_seeds",
    "nd_region_allocatable_dpa",
    "nd_region_available_dpa",
    "nd_region_conflict",
    "nd_region_create",
    "nd_region_interleave_set_cookie",
    "nd_region_to_nstype",
    "nvdimm_has_flush",
    "read_only_store",
]

ND_DEVICE_NAMESPACE_IO = 4
ND_DEVICE_NAMESPACE_PMEM = 5
_MEMREMAP_COMPAT_ALIGN_MAX = 16 << 20


def default_align(state: State, ndr_size: int, mappings: int) -> int:
    """The alignment of namespaces in a new region: 16 MiB, pages in a region below that; times the DIMMs if they do not divide it.

    Before v5.7 only whole pages on each DIMM are asked for.
    """
    f, page = state.kernel.features, state.kernel.geometry.PAGE_SIZE
    mappings = max(mappings, 1)
    if not f.region_align_attribute:
        return page * mappings
    align = _MEMREMAP_COMPAT_ALIGN_MAX
    if ndr_size < align and not f.region_align_too_big_for_small_regions:
        align = page
    return align * mappings if align % mappings else align


def nd_region_create(state: State, region: NdRegion) -> str | None:
    """Register a region (``align`` is filled in); its name, or None where a mapping is not page aligned (logged)."""
    page = state.kernel.geometry.PAGE_SIZE
    ro = region.ro
    for index, each in enumerate(region.mappings):
        if (each.start | each.size) % page:
            text = f"nvdimm_pmem_region_create: {each.nvdimm} mapping{index} is not {page} aligned"
            dev_printk(state, "err", region.bus, text)
            return None
        ro = ro or nvdimm_of(state, each.nvdimm).unarmed
    align = default_align(state, region.ndr_size, region.ndr_mappings)
    put(state, region._replace(ro=ro, align=align))
    return region.name


def nd_region_to_nstype(state: State, region: NdRegion) -> int:
    """What namespaces the region has: one that spans it (io), or those of the labels (pmem)."""
    labelled = any(nvdimm_of(state, each.nvdimm).labeling for each in region.mappings)
    return ND_DEVICE_NAMESPACE_PMEM if labelled else ND_DEVICE_NAMESPACE_IO


def nd_region_interleave_set_cookie(state: State, region: NdRegion) -> int:
    """The cookie for labels as the first DIMM has them: v1.2 unless its index blocks are v1.1; 0 without a set."""
    if region.cookie1 is None or region.cookie2 is None:
        return 0
    ndd = to_ndd(state, region.mappings[0]) if region.mappings else None
    if ndd is None:
        return region.cookie1
    return region.cookie1 if ndd.ns_current >= 0 and (ndd.major, ndd.minor) == (1, 1) else region.cookie2


def nd_region_available_dpa(state: State, region: NdRegion) -> int:
    """Free bytes of the region; 0 while one of its DIMMs is disabled."""
    if any(to_ndd(state, each) is None for each in region.mappings):
        return 0
    return sum(nd_pmem_available_dpa(state, region, each) for each in region.mappings)


def nd_region_allocatable_dpa(state: State, region: NdRegion) -> int:
    """Bytes of the largest namespace that could be made: the smallest of the DIMMs' largest extents, times the DIMMs."""
    found = [nd_pmem_max_contiguous_dpa(state, region, each) for each in region.mappings]
    return min((each for each in found if each), default=0) * region.ndr_mappings


def nvdimm_has_flush(region: NdRegion) -> int:
    """-6 where nothing is known of flushing (no DIMMs: e820), else 0: no flush hints are modelled."""
    if not region.ndr_mappings:
        return -6
    return int(region.async_flush)


def nd_region_conflict(state: State, region: NdRegion, start: int, size: int) -> bool:
    """Does another region of the bus begin or end inside [start, start + size)?"""
    end = start + size
    for name in state.nd.regions:
        other = region_of(state, name)
        if name == region.name or other.bus != region.bus:
            continue
        first, last = other.ndr_start, other.ndr_start + other.ndr_size
        if first <= start < last or first < end <= last:
            return True
    return False


def align_store(state: State, name: str, text: str) -> None:
    """Change the alignment of namespaces made from now on.

    Raises Refusal: EINVAL (no number; not the DIMMs times a power of two of at least a page; above the region's size), ENXIO (no
    DIMMs, before v5.12 or so).
    """
    region = region_of(state, name)
    value = kstrtoull(text, "align_store")
    if not region.ndr_mappings and not state.kernel.features.region_align_without_mappings:
        raise Refusal(6, "align_store", "region-align")
    dpa, rest = divmod(value, max(region.ndr_mappings, 1))
    power = dpa > 0 and not dpa & (dpa - 1)
    if not power or dpa < state.kernel.geometry.PAGE_SIZE or value > region.ndr_size or rest:
        raise Refusal(22, "align_store", "region-align")
    put(state, region._replace(align=value))


def read_only_store(state: State, name: str, text: str) -> None:
    """Make a region read-only or not; since v5.12 the disks in it follow. Raises Refusal(EINVAL)."""
    from sparsemem.kernel.nvdimm.pmem import nvdimm_check_and_set_ro

    put(state, region_of(state, name)._replace(ro=kstrtobool(text, "read_only_store")))
    if state.kernel.features.read_only_goes_both_ways:
        for key in children_of(state, name):
            if state.nd[key].disk:
                nvdimm_check_and_set_ro(state, key)


def nd_region_advance_seeds(state: State, name: str, key: str) -> None:
    """A device of the region was set up: where it (or its namespace) was a seed, the region gets a new one."""
    from sparsemem.kernel.nvdimm.btt_devs import nd_region_create_btt_seed
    from sparsemem.kernel.nvdimm.namespace_devs import nd_region_create_ns_seed
    from sparsemem.kernel.nvdimm.pfn_devs import nd_region_create_pfn_seed

    dev = state.nd.get(key)
    region = region_of(state, name)
    if isinstance(dev, NdNamespace):
        if region.ns_seed == dev.name:
            nd_region_create_ns_seed(state, name)
        return
    if isinstance(dev, NdBtt):
        if region.btt_seed == key:
            nd_region_create_btt_seed(state, name)
    elif isinstance(dev, NdPfn):
        if key in (region.pfn_seed, f"nd:{region.dax_seed}"):
            nd_region_create_pfn_seed(state, name, dev.type)
    else:
        return
    if dev.ndns and region_of(state, name).ns_seed == dev.ndns:
        nd_region_create_ns_seed(state, name)


def replace_mapping(region: NdRegion, index: int, mapping: Mapping) -> NdRegion:
    """The region with another mapping at ``index``."""
    return region._replace(mappings=(*region.mappings[:index], mapping, *region.mappings[index + 1 :]))
