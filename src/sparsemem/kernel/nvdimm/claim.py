"""``drivers/nvdimm/claim.c``: who has a namespace, and the iomem claims while its bytes are accessed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.kernel.memremap import memunmap_pages
from sparsemem.kernel.nvdimm import media
from sparsemem.kernel.nvdimm.core import dev_printk, namespace_of, put, region_of
from sparsemem.kernel.nvdimm.types import (
    CCLASS_BTT,
    CCLASS_BTT2,
    CCLASS_DAX,
    CCLASS_NONE,
    CCLASS_PFN,
    Devres,
    NdBtt,
    NdNamespace,
    NdPfn,
)
from sparsemem.kernel.refusal import Refusal
from sparsemem.kernel.resource import release_mem_region, request_mem_region

if TYPE_CHECKING:
    from sparsemem.kernel.state import State

__all__ = [
    "devm_namespace_disable",
    "devm_namespace_enable",
    "devres_add",
    "devres_release_all",
    "nd_attach_ndns",
    "nd_detach_ndns",
    "nd_info_block_reserve",
    "nd_namespace_store",
    "nvdimm_read_bytes",
    "nvdimm_write_bytes",
    "nvdimm_zero_bytes",
    "request_region",
]

_SZ_16M = 16 << 20


def nd_info_block_reserve(state: State) -> int:
    """Bytes at the start of a namespace that are for info blocks: 8 KiB, at least a page."""
    return max(8192, state.kernel.geometry.PAGE_SIZE)


def nvdimm_read_bytes(state: State, ndns: NdNamespace, offset: int, size: int) -> bytes:
    """Bytes of a namespace."""
    return media.read(state, ndns.region, ndns.start - region_of(state, ndns.region).ndr_start + offset, size)


def nvdimm_write_bytes(state: State, ndns: NdNamespace, offset: int, data: bytes) -> None:
    """Write bytes of a namespace. Raises Refusal(EIO): they are there, but the host could not flush them."""
    region = region_of(state, ndns.region)
    media.write(state, ndns.region, ndns.start - region.ndr_start + offset, data)
    if region.flush_fails:
        raise Refusal(5, "nsio_rw_bytes", "flush-failed")


def nvdimm_zero_bytes(state: State, ndns: NdNamespace, offset: int, size: int) -> None:
    """Write zeros over ``size`` bytes of a namespace, both in whole pages: what was never written stays unwritten."""
    page = media.PAGE
    first = ndns.start - region_of(state, ndns.region).ndr_start + offset
    last = first + size
    if size // page < len(state.media):
        written = [(ndns.region, base) for base in range(first, last, page) if (ndns.region, base) in state.media]
    else:
        written = [key for key in state.media if key[0] == ndns.region and first <= key[1] < last]
    for key in written:
        state.drop(state.media, key)


# -- what a driver holds for a device


def devres_add(state: State, key: str, held: Devres) -> None:
    """Note that the driver of ``key`` holds something; released in reverse order when it goes."""
    dev = state.nd[key]
    put(state, dev._replace(devres=(*dev.devres, held)))


def devres_release_all(state: State, key: str, down_to: int = 0) -> None:
    """Give back what a device's driver holds, the latest first."""
    while len(state.nd[key].devres) > down_to:
        dev = state.nd[key]
        held: Devres = dev.devres[-1]
        put(state, dev._replace(devres=dev.devres[:-1]))
        if held.kind == "pages":
            memunmap_pages(state, ((held.start, held.size),))
        elif held.kind == "dax":
            from sparsemem.kernel.dax.pmem import dax_pmem_remove

            dax_pmem_remove(state, dev.name, held.start, held.size)
        elif held.kind == "dax-class":
            region = state.dax.backed[dev.name]
            for child in list(state.dax.devices.get(region, ())):
                state.drop(state.dax, child)
            state.drop(state.dax, region)
        else:
            state.iomem = release_mem_region(state.iomem, held.start, held.size, log=state.log)


def request_region(state: State, key: str, ndns: NdNamespace, size: int, what: str = "") -> None:
    """Claim the first ``size`` bytes of the namespace, under its name. Raises Refusal(EBUSY), logged as ``what``: the whole range."""
    claimed = request_mem_region(state.iomem, ndns.start, size, ndns.name, log=state.log)
    if claimed is None:
        text = f"could not reserve {what or f'region {ndns.resource_text(decode=True)}'}"
        line = dev_printk(state, "warn", key, text)
        raise Refusal(16, "devm_request_mem_region", "device-resource-busy", (line,))
    state.iomem = claimed[0]
    devres_add(state, key, Devres("iomem", ndns.start, size))


def devm_namespace_enable(state: State, key: str, ndns: NdNamespace, size: int) -> None:
    """Claim and map the start of the namespace for reading and writing it: all of it up to v5.4.

    Raises Refusal(EBUSY), which the pmem driver makes ENXIO up to v5.4.
    """
    if state.kernel.features.probe_maps_info_block_only:
        request_region(state, key, ndns, size)
        return
    try:
        request_region(state, key, ndns, ndns.size)
    except Refusal as refusal:
        if isinstance(state.nd[key], NdPfn) and state.nd[key].type == "dax":
            raise
        raise Refusal(6, refusal.function, refusal.rule, refusal.log) from refusal


def devm_namespace_disable(state: State, key: str) -> None:
    """Take the last claim of ``devm_namespace_enable`` back."""
    devres_release_all(state, key, len(state.nd[key].devres) - 1)


# -- claims


def nd_attach_ndns(state: State, key: str, name: str) -> bool:
    """``key`` takes the namespace; False when somebody has it."""
    ndns = namespace_of(state, name)
    if ndns.claim:
        return False
    put(state, ndns._replace(claim=key))
    put(state, state.nd[key]._replace(ndns=name))
    return True


def nd_detach_ndns(state: State, key: str) -> None:
    """``key`` lets go of its namespace."""
    dev = state.nd[key]
    if not dev.ndns:
        return
    ndns = state.nd.get(dev.ndns)
    if isinstance(ndns, NdNamespace):
        put(state, ndns._replace(claim=""))
    put(state, dev._replace(ndns=""))


def _nd_detach_and_reset(state: State, key: str) -> None:
    nd_detach_ndns(state, key)
    dev = state.nd[key]
    region = region_of(state, dev.region)
    seeds = (region.btt_seed, region.pfn_seed, f"nd:{region.dax_seed}")
    if key not in seeds and not dev.driver:
        state.drop(state.nd, key)
    elif isinstance(dev, NdBtt):
        put(state, dev._replace(lbasize=0, uuid=""))
    else:
        put(state, dev._replace(uuid="", mode="none"))


def nd_namespace_store(state: State, key: str, text: str) -> None:
    """Give a btt, pfn or dax device a namespace, or ("") take it away, which resets or destroys the device.

    Raises Refusal: EBUSY (bound; has one already; the namespace is another's, or is set up for another kind), EINVAL (not a
    namespace's name), ENODEV (not in this region), ENXIO (below 16 MiB).
    """
    dev: NdBtt | NdPfn = state.nd[key]
    if dev.driver:
        raise Refusal(16, "nd_namespace_store", "namespace-busy")
    name = text.rstrip()  # strim() leaves what leads
    if name and not name.startswith("namespace"):
        raise Refusal(22, "nd_namespace_store", "attribute-syntax")
    if not name:
        _nd_detach_and_reset(state, key)
        return
    if dev.ndns:
        raise Refusal(16, "nd_namespace_store", "namespace-busy")
    ndns = state.nd.get(name)
    if not isinstance(ndns, NdNamespace) or ndns.region != dev.region:
        raise Refusal(19, "nd_namespace_store", "namespace-busy")
    own = (CCLASS_BTT, CCLASS_BTT2) if isinstance(dev, NdBtt) else (CCLASS_PFN if dev.type == "pfn" else CCLASS_DAX,)
    if ndns.claim_class != CCLASS_NONE and ndns.claim_class not in own:
        raise Refusal(16, "nd_namespace_store", "namespace-busy")
    if ndns.size < _SZ_16M:
        raise Refusal(6, "nd_namespace_store", "namespace-size")
    if not nd_attach_ndns(state, key, name):
        raise Refusal(16, "nd_namespace_store", "namespace-busy")
