"""``drivers/nvdimm/namespace_devs.c``: the namespaces of a region as devices, and what every driver asks of one first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.kernel.memremap import memremap_compat_align
from sparsemem.kernel.nvdimm.core import dev_name, dev_printk, nvdimm_of, put, region_of
from sparsemem.kernel.nvdimm.namespace_attributes import (
    alt_name_show,
    alt_name_store,
    dpa_extents_show,
    force_raw_show,
    force_raw_store,
    holder_class_show,
    holder_class_store,
    holder_show,
    mode_show,
    resource_show,
    sector_size_show,
    sector_size_store,
    size_show,
    uuid_show,
    uuid_store,
)
from sparsemem.kernel.nvdimm.namespace_scan import deactivate_labels, init_active_labels, scan_labels
from sparsemem.kernel.nvdimm.namespace_size import size_store
from sparsemem.kernel.nvdimm.region_devs import ND_DEVICE_NAMESPACE_IO, nd_region_to_nstype
from sparsemem.kernel.nvdimm.types import NdNamespace, NdRegion
from sparsemem.kernel.refusal import Refusal
from sparsemem.kernel.resource import IORESOURCE_SYSTEM_RAM, REGION_MIXED, region_intersects

if TYPE_CHECKING:
    from sparsemem.kernel.state import State

__all__ = [
    "alt_name_show",
    "alt_name_store",
    "deactivate_labels",
    "dpa_extents_show",
    "force_raw_show",
    "force_raw_store",
    "holder_class_show",
    "holder_class_store",
    "holder_show",
    "mode_show",
    "nd_is_uuid_unique",
    "nd_region_create_ns_seed",
    "nd_region_register_namespaces",
    "nvdimm_namespace_common_probe",
    "nvdimm_namespace_disk_name",
    "nvdimm_namespace_locked",
    "pmem_sector_size",
    "pmem_should_map_pages",
    "resource_show",
    "sector_size_show",
    "sector_size_store",
    "size_show",
    "size_store",
    "uuid_show",
    "uuid_store",
]


def nd_is_uuid_unique(state: State, region: str, uuid: str) -> bool:
    """Has no namespace, btt or pfn device on the region's bus this uuid? (devdax devices are not asked.)"""
    bus = region_of(state, region).bus
    for key in state.nd.uuids.get(uuid, ()):
        if not key.startswith("nd:") and region_of(state, state.nd[key].region).bus == bus:
            return False
    return True


def pmem_should_map_pages(state: State, key: str) -> bool:
    """Does a raw namespace get page structures? (Where the region asks for them, and it is not beside System RAM.)"""
    ndns = state.nd[key]
    if not isinstance(ndns, NdNamespace) or not region_of(state, ndns.region).pagemap:
        return False
    if ndns.force_raw and state.kernel.features.force_raw_without_pages:
        return False
    descend = state.kernel.features.region_intersects_descends
    kind = region_intersects(state.iomem, ndns.start, ndns.size, IORESOURCE_SYSTEM_RAM, descend=descend)
    return kind != REGION_MIXED


def pmem_sector_size(state: State, ndns: NdNamespace) -> int:
    """Bytes of a logical block: what the label says, 512 or 4096."""
    if ndns.type == "pmem":
        if ndns.lbasize == 4096:
            return 4096
        if ndns.lbasize not in (0, 512):
            dev_printk(state, "warn", ndns.name, f"unsupported sector size: {ndns.lbasize}")
    return 512


def nvdimm_namespace_disk_name(state: State, ndns: NdNamespace) -> str:
    """``pmem0``, ``pmem0.1``, and with an s behind it for a btt."""
    suffix = "s" if ndns.claim.startswith("btt") else ""
    number = region_of(state, ndns.region).id
    return f"pmem{number}.{ndns.id}{suffix}" if ndns.type == "pmem" and ndns.id else f"pmem{number}{suffix}"


def nvdimm_namespace_locked(state: State, ndns: NdNamespace) -> bool:
    """Is a DIMM of the namespace locked?"""
    return any(nvdimm_of(state, each.nvdimm).locked for each in region_of(state, ndns.region).mappings)


def nvdimm_namespace_common_probe(state: State, key: str) -> NdNamespace:
    """The namespace that a driver is to use: that of a namespace, btt, pfn or dax device.

    Raises Refusal: ENODEV (no namespace, no uuid, or too small), EBUSY (a driver has it), ENXIO (another claims it), EACCES (locked),
    EOPNOTSUPP (logged: a raw namespace that needs pages is not aligned).
    """
    dev, rule = state.nd[key], "namespace-busy"
    function = "nvdimm_namespace_common_probe"
    if isinstance(dev, NdNamespace):
        ndns = dev
        if ndns.claim:
            state.log("debug", f"nd {key}: claimed by {dev_name(ndns.claim)}, failing probe")
            raise Refusal(6, function, rule)
    else:
        if not dev.ndns:
            raise Refusal(19, function, "namespace-none")
        found = state.nd[dev.ndns]
        assert isinstance(found, NdNamespace)
        ndns = found
        if ndns.driver:
            state.log("debug", f"{ndns.driver} {ndns.name}: is active, can't bind {dev_name(key)}")
            raise Refusal(16, function, rule)
        if ndns.claim != key:
            text = f"nd {ndns.name}: host ({dev_name(key)}) vs claim ({dev_name(ndns.claim)}) mismatch"
            state.log("warn", text, once=function)
            raise Refusal(6, function, rule, (text,))
    if nvdimm_namespace_locked(state, ndns):
        raise Refusal(13, function, "dimm-locked")
    least = state.kernel.geometry.PAGE_SIZE
    if ndns.size < least:
        text = f"{ndns.size:#018x}, too small must be at least {least:#x}"
        state.log("debug", f"{ndns.driver or 'nd'} {ndns.name}: {text}")
        raise Refusal(19, function, "namespace-size")
    if state.kernel.features.memremap_compat_align and pmem_should_map_pages(state, key):
        align = memremap_compat_align(state)
        if ndns.start % align or (ndns.end + 1) % align:
            text = f"{ndns.resource_text(decode=False)} misaligned, unable to map"
            line = dev_printk(state, "err", ndns.name, text)
            raise Refusal(95, function, "namespace-alignment", (line,))
    if ndns.type == "pmem" and not ndns.uuid:
        raise Refusal(19, function, "namespace-uuid")
    return ndns


# -- devices


def nd_region_create_ns_seed(state: State, region: str) -> None:
    """A labelled region gets a new namespace of size 0 for user space to configure."""
    nd_region = region_of(state, region)
    if nd_region_to_nstype(state, nd_region) == ND_DEVICE_NAMESPACE_IO:
        return
    try:
        state.alloc("nd_namespace_pmem_create")
    except Refusal:
        kind = "pmem " if state.kernel.features.local_labels_are_blk else ""
        dev_printk(state, "err", region, f"failed to create {kind}namespace")
        put(state, nd_region._replace(ns_seed=""))
        return
    ndns = _named(state, nd_region, NdNamespace("", -1, region, "pmem", nd_region.ndr_start, 0))
    put(state, nd_region._replace(ns_seed=ndns.name))
    _register(state, ndns)


def _named(state: State, region: NdRegion, ndns: NdNamespace) -> NdNamespace:
    given = dict(
        state.misc.get(f"nd_ids:{region.name}", ())
    )  # a captured machine numbered them in the order of its own history
    number = given.get(ndns.uuid, -1)
    if number < 0:
        number = state.nd.lowest_free_number(region.name, "namespace")
        while number in given.values():
            number += 1
    return ndns._replace(name=f"namespace{region.id}.{number}", id=number)


def _register(state: State, ndns: NdNamespace) -> None:
    from sparsemem.kernel.nvdimm.bus import nd_device_register

    if ndns.name not in state.nd:
        put(state, ndns)
    nd_device_register(state, ndns.name)


def _create_namespace_io(state: State, region: NdRegion) -> list[NdNamespace]:
    state.alloc("create_namespace_io")
    return [NdNamespace("", 0, region.name, "io", region.ndr_start, region.ndr_size)]


def nd_region_register_namespaces(state: State, region: str) -> None:
    """Make the namespaces of a region: one that spans it, or those of its labels; the first is the region's seed.

    Sets ``ns_active`` and ``ns_count``. Raises Refusal: ENXIO (a DIMM with labels is disabled), ENODEV (the labels contradict
    themselves: see the log), ENOMEM; the DIMMs are let go then.
    """
    init_active_labels(state, region)
    nd_region = region_of(state, region)
    labelled = nd_region_to_nstype(state, nd_region) != ND_DEVICE_NAMESPACE_IO
    try:
        if labelled and not nd_region.mappings:
            raise Refusal(19, "create_namespaces", "label-set")
        found = scan_labels(state, region) if labelled else _create_namespace_io(state, nd_region)
    except Refusal as refusal:
        deactivate_labels(state, region)
        raise Refusal(19, "nd_region_register_namespaces", refusal.rule, refusal.log) from None
    names = []
    for each in found:
        ndns = _named(state, nd_region, each)
        put(state, ndns)
        names.append(ndns)
    nd_region = region_of(state, region)
    put(state, nd_region._replace(ns_seed=names[0].name, ns_active=len(names), ns_count=len(names)))
    for ndns in names:
        _register(state, ndns)
