"""``drivers/nvdimm/pmem.c``: namespaces, pfn and btt devices as block devices. Bytes; pfns where named so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.kernel.memremap import memremap_pages
from sparsemem.kernel.nvdimm.btt import nvdimm_namespace_attach_btt
from sparsemem.kernel.nvdimm.btt_devs import nd_btt_probe
from sparsemem.kernel.nvdimm.claim import (
    devm_namespace_disable,
    devm_namespace_enable,
    devres_add,
    nd_info_block_reserve,
    request_region,
)
from sparsemem.kernel.nvdimm.core import dev_name, dev_printk, namespace_of, put, region_of
from sparsemem.kernel.nvdimm.namespace_devs import (
    nvdimm_namespace_common_probe,
    nvdimm_namespace_disk_name,
    pmem_should_map_pages,
)
from sparsemem.kernel.nvdimm.pfn_devs import nd_pfn_probe, nvdimm_setup_pfn
from sparsemem.kernel.nvdimm.region_devs import nvdimm_has_flush
from sparsemem.kernel.nvdimm.types import Devres, NdBtt, NdNamespace, NdPfn
from sparsemem.kernel.refusal import Refusal

if TYPE_CHECKING:
    from sparsemem.kernel.nvdimm.pfn_devs import Setup
    from sparsemem.kernel.state import State

__all__ = [
    "capacity",
    "disk_read_only",
    "nd_pmem_probe",
    "nd_pmem_remove",
    "nvdimm_check_and_set_ro",
]

_RO = "nd_disk_ro"
_EOPNOTSUPP = 95


def capacity(state: State, key: str) -> int:
    """Bytes of the disk of a bound namespace, pfn or btt device."""
    dev = state.nd[key]
    if isinstance(dev, NdBtt):
        return dev.size // 512 * 512
    if isinstance(dev, NdPfn):
        layout = dev.layout
        assert layout is not None
        used = layout.dataoff + layout.start_pad + layout.end_trunc
        return (namespace_of(state, dev.ndns).size - used) // 512 * 512
    assert isinstance(dev, NdNamespace)
    return dev.size // 512 * 512


# -- the disk


def disk_read_only(state: State, disk: str) -> bool:
    """The ``ro`` file of a disk."""
    return disk in state.misc.get(_RO, ())


def nvdimm_check_and_set_ro(state: State, key: str) -> None:
    """Make the disk of a bound device follow its region: both ways since v5.12, before only to read-only."""
    dev = state.nd[key]
    region, ro = region_of(state, dev.region), disk_read_only(state, dev.disk)
    f = state.kernel.features
    if region.ro == ro or (ro and not f.read_only_goes_both_ways):
        return
    if f.read_only_goes_both_ways:
        word = "only" if region.ro else "write"
        dev_printk(state, "info", key, f"{region.name} read-{word}, marking {dev.disk} read-{word}")
    else:
        dev_printk(state, "info", key, f"{region.name} read-only, marking {dev.disk} read-only")
    known: frozenset[str] = state.misc.get(_RO, frozenset())
    _put_ro(state, known | {dev.disk} if region.ro else known - {dev.disk})


def _put_ro(state: State, disks: frozenset[str]) -> None:
    if disks:
        state.put(state.misc, _RO, disks)
    else:
        state.drop(state.misc, _RO)


def _add_disk(state: State, key: str, ndns: NdNamespace) -> None:
    state.alloc("device_add_disk")
    disk = nvdimm_namespace_disk_name(state, ndns)
    put(state, state.nd[key]._replace(disk=disk))
    size = capacity(state, key)
    if state.kernel.features.capacity_change_logged and size:
        state.log("info", f"{disk}: detected capacity change from 0 to {size}")
    nvdimm_check_and_set_ro(state, key)


def _map_pages(state: State, key: str, start: int, end: int, setup: Setup | None) -> None:
    shift = state.kernel.geometry.PAGE_SHIFT
    pfns = (start >> shift, (end + 1) >> shift)
    dev = state.nd[key]
    memremap_pages(
        state,
        (pfns,),
        max(region_of(state, dev.region).numa_node, 0),
        type="fs_dax",
        altmap=None if setup is None else setup.altmap,
        owner=f"{dev.driver} {dev_name(key)}",
    )
    devres_add(state, key, Devres("pages", *pfns))


def _pmem_attach_disk(state: State, key: str, ndns: NdNamespace) -> None:
    """Raises Refusal: EBUSY (the namespace is claimed in the iomem tree), and what ``nvdimm_setup_pfn`` and ``memremap_pages`` say."""
    state.alloc("pmem_attach_disk")
    whole = not state.kernel.features.probe_maps_info_block_only
    if not whole:
        devm_namespace_enable(state, key, ndns, nd_info_block_reserve(state))
    setup = None
    if isinstance(state.nd[key], NdPfn):
        setup = nvdimm_setup_pfn(state, key, nd_info_block_reserve(state))
    devm_namespace_disable(state, key)
    if nvdimm_has_flush(region_of(state, ndns.region)) < 0:
        dev_printk(state, "warn", key, "unable to guarantee persistence of writes")
    request_region(state, key, ndns, ndns.size)
    state.alloc("blk_alloc_disk")
    if setup is not None:
        _map_pages(state, key, setup.start, setup.end, setup)
    elif pmem_should_map_pages(state, key):
        _map_pages(state, key, ndns.start, ndns.end, None)
    _add_disk(state, key, ndns)


# -- the driver


def _personality(state: State, key: str, ndns: NdNamespace) -> bool:
    """Does the medium say btt, pfn or dax? Then a device of that kind has the namespace now.

    Raises Refusal(EOPNOTSUPP): a pfn or dax info block that is good and that this kernel cannot use (v5.4+; before, and for most
    reasons up to v5.6, such a namespace comes up raw).
    """
    try:
        nd_btt_probe(state, ndns)
    except Refusal as refusal:
        if refusal.crash:
            raise
    else:
        return True
    for kind in ("pfn", "dax"):
        try:
            nd_pfn_probe(state, ndns, kind)
        except Refusal as refusal:
            stops = refusal.errno == _EOPNOTSUPP and state.kernel.features.failed_probe_advances_seed
            if refusal.crash or stops:
                raise
        else:
            return True
    return False


def nd_pmem_probe(state: State, key: str) -> None:
    """Bind a namespace, a pfn or a btt device: by what it is configured as, or what its medium says.

    Raises Refusal: ENXIO (a namespace that a btt, pfn or dax device has now), and what the parts say.
    """
    ndns = nvdimm_namespace_common_probe(state, key)
    dev = state.nd[key]
    whole = not state.kernel.features.probe_maps_info_block_only
    if whole:
        devm_namespace_enable(state, key, ndns, ndns.size)
    if isinstance(dev, NdBtt):
        nvdimm_namespace_attach_btt(state, ndns)
        _add_disk(state, key, ndns)
        return
    if isinstance(dev, NdPfn):
        _pmem_attach_disk(state, key, ndns)
        return
    if not whole:
        devm_namespace_enable(state, key, ndns, nd_info_block_reserve(state))
    if _personality(state, key, ndns):
        raise Refusal(6, "nd_pmem_probe", "namespace-personality")
    if not whole:
        devm_namespace_disable(state, key)
    _pmem_attach_disk(state, key, namespace_of(state, key))


def nd_pmem_remove(state: State, key: str) -> None:
    """The disk goes, whoever has it open; the rest is devres."""
    dev = state.nd[key]
    _put_ro(state, state.misc.get(_RO, frozenset()) - {dev.disk})
    put(state, dev._replace(disk=""))
