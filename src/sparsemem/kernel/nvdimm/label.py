"""``drivers/nvdimm/label.c``: labels as the kernel writes them, write by write. What reads them is in ``label_read``.

A label is never changed in place: a new one goes into a free slot, and then the older of the two index blocks is written, which
frees the slot of the old one and is the current one from then on. So a power cut leaves one or the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from sparsemem.kernel.nvdimm import media
from sparsemem.kernel.nvdimm.core import nvdimm_of, put, region_of
from sparsemem.kernel.nvdimm.dimm_devs import label_id
from sparsemem.kernel.nvdimm.label_bytes import (
    ABSTRACTION,
    GUID_NULL,
    INDEX_HEADER,
    INDEX_SIGNATURE,
    NAME_LEN,
    UPDATING,
    NsIndex,
    NsLabel,
    encode_index,
    encode_label,
    fresh_index,
    nd_inc_seq,
    sizeof_namespace_index,
)
from sparsemem.kernel.nvdimm.label_read import forget, nd_label_data_init, need_ndd, put_ndd, remember, slots_of
from sparsemem.kernel.refusal import Refusal

if TYPE_CHECKING:
    from sparsemem.kernel.nvdimm.types import Dpa, NdNamespace, NdRegion, NvdimmDrvdata
    from sparsemem.kernel.state import State

__all__ = ["nd_label_data_init", "nd_pmem_namespace_label_update", "nvdimm_set_config_data"]


def nvdimm_set_config_data(state: State, name: str, offset: int, data: bytes) -> None:
    """Write to a DIMM's label area, in pieces of what its command takes. Raises Refusal: ENXIO (beyond the end), ENOMEM."""
    dimm = nvdimm_of(state, name)
    if offset + len(data) > dimm.config_size:
        raise Refusal(6, "nvdimm_set_config_data", "label-area")
    state.alloc("nvdimm_set_config_data")
    for at in range(0, len(data), dimm.max_xfer):
        media.write_label_area(state, name, offset + at, data[at : at + dimm.max_xfer])


def _nd_label_write_index(state: State, name: str) -> None:
    """Write the staged index block over the older one; from then on it is the current one.

    A write that fails has counted all the same: the next one skips a sequence number, and a later boot takes the other block.
    """
    dimm, ndd = nvdimm_of(state, name), need_ndd(state, name, "nd_label_write_index")
    size, number = sizeof_namespace_index(dimm.config_size, ndd.label_size), ndd.ns_next
    minor, seq = 1 if ndd.label_size < 256 else 2, nd_inc_seq(ndd.seq)
    index = NsIndex(
        INDEX_SIGNATURE, bytes(3), ndd.label_size >> 8, seq, number * size, size, (1 - number) * size, 2 * size,
        ndd.nslot, 1, minor, 0, ndd.free.to_bytes(size - INDEX_HEADER, "little"),
    )  # fmt: skip
    try:
        nvdimm_set_config_data(state, name, index.myoff, encode_index(index))
    except Refusal:
        put_ndd(state, name, ndd._replace(seq=seq))
        raise
    put_ndd(
        state,
        name,
        ndd._replace(ns_current=number, ns_next=1 - number, major=1, minor=minor, seq=seq, free_current=ndd.free),
    )


def _init_labels(state: State, region: str, index: int, num_labels: int) -> None:
    """Room for the label in the mapping's list; an area without index blocks gets them."""
    nd_region = region_of(state, region)
    mapping = nd_region.mappings[index]
    missing = num_labels - len(mapping.labels)
    if missing > 0:
        state.alloc("init_labels")
        _put_labels(state, region, index, (*mapping.labels, *[None] * missing))
    name = mapping.nvdimm
    dimm, ndd = nvdimm_of(state, name), need_ndd(state, name, "init_labels")
    if ndd.ns_current >= 0 and ndd.ns_next >= 0:
        return
    blocks = [fresh_index(dimm.config_size, ndd.label_size, number, 3 - number) for number in (0, 1)]
    for block in blocks:
        nvdimm_set_config_data(state, name, block.myoff, encode_index(block))
    first = blocks[0]
    free = int.from_bytes(first.free, "little")
    ndd = ndd._replace(
        ns_current=0,
        ns_next=1,
        major=1,
        minor=first.minor,
        seq=blocks[1].seq,
        nslot=first.nslot,
        free=free,
        free_current=free,
    )
    put_ndd(state, name, ndd)


def _put_labels(state: State, region: str, index: int, labels: tuple[int | None, ...]) -> None:
    nd_region = region_of(state, region)
    mapping = nd_region.mappings[index]._replace(labels=labels)
    mappings = (*nd_region.mappings[:index], mapping, *nd_region.mappings[index + 1 :])
    put(state, nd_region._replace(mappings=mappings))


def _cookie(region: NdRegion, ndd: NvdimmDrvdata) -> int:
    """``nd_region_interleave_set_cookie`` for the labels of this DIMM."""
    if region.cookie1 is None or region.cookie2 is None:
        return 0
    return region.cookie1 if (ndd.major, ndd.minor) == (1, 1) else region.cookie2


def _new_label(
    region: NdRegion, ndns: NdNamespace, ndd: NvdimmDrvdata, dpa: Dpa, pos: int, slot: int, flags: int
) -> NsLabel:
    v12 = ndd.label_size >= 256
    # a class that this kernel does not know keeps its GUID in the slot, which has just been cleared
    abstraction = ABSTRACTION.get(ndns.claim_class, GUID_NULL) if v12 else GUID_NULL
    return NsLabel(
        uuid=ndns.uuid,
        name=ndns.alt_name.encode("utf-8", "surrogateescape")[:NAME_LEN].ljust(NAME_LEN, b"\0"),
        flags=flags,
        nlabel=region.ndr_mappings,
        position=pos,
        isetcookie=_cookie(region, ndd),
        lbasize=ndns.lbasize,
        dpa=dpa.start,
        rawsize=dpa.size,
        slot=slot,
        type_guid=region.type_guid if v12 else GUID_NULL,
        abstraction_guid=abstraction,
        checksum=0 if v12 else None,
    )


def _pmem_label_update(state: State, region: str, index: int, ndns: NdNamespace, flags: int) -> None:
    """Write one DIMM's label into a free slot, then the index block that frees the label it replaces.

    Raises Refusal(ENXIO): no free slot, or nothing allocated.
    """
    nd_region = region_of(state, region)
    name = nd_region.mappings[index].nvdimm
    dimm, ndd = nvdimm_of(state, name), need_ndd(state, name, "__pmem_label_update")
    if ndd.ns_next < 0:
        raise Refusal(6, "__pmem_label_update", "label-area")
    wanted = label_id(ndns.uuid)
    dpa = next((each for each in ndd.dpa if each.name == wanted), None)
    if dpa is None:
        state.log("warn", "WARNING: __pmem_label_update: no DIMM address space", once="__pmem_label_update")
        raise Refusal(6, "__pmem_label_update", "namespace-space")
    free = ndd.free & ((1 << ndd.nslot) - 1)
    if not free:
        raise Refusal(6, "__pmem_label_update", "label-slots")
    slot = (free & -free).bit_length() - 1
    data = encode_label(_new_label(nd_region, ndns, ndd, dpa, index, slot, flags), ndd.label_size)
    size = sizeof_namespace_index(dimm.config_size, ndd.label_size)
    bits = ndd.free & ~(1 << slot)
    put_ndd(state, name, ndd._replace(free=bits))  # it stays taken if the label cannot be written
    nvdimm_set_config_data(state, name, 2 * size + slot * ndd.label_size, data)
    labels, victims = list(nd_region.mappings[index].labels), []
    reaped = [held for at, held in nd_region.reaped if at == index]
    for held in {*slots_of(state, name, data), *reaped}:
        if held in labels:
            if state.kernel.features.renamed_label_reaped:
                labels[labels.index(held)] = None
            else:  # it goes to the end of the list
                labels.remove(held)
                labels.append(None)
            bits |= 1 << held
            victims.append(held)
    put_ndd(state, name, ndd._replace(free=bits))
    _put_labels(state, region, index, tuple(labels))
    if reaped:
        nd_region = region_of(state, region)
        put(state, nd_region._replace(reaped=nd_region.reaped - {(index, held) for held in reaped}))
    _nd_label_write_index(state, name)
    for held in victims:
        forget(state, name, held)
    remember(state, name, slot, data)
    if None in labels:
        labels[labels.index(None)] = slot
        _put_labels(state, region, index, tuple(labels))
        return
    line = f"nd {ndns.name}: failed to track label: {slot}"
    state.log("warn", line, once="failed to track label")
    raise Refusal(6, "__pmem_label_update", "label-slots", (line,))


def _del_labels(state: State, region: str, index: int, uuid: str) -> None:
    """Free the slots of a namespace's label on one DIMM: one write, of the index block, even where there was no label."""
    if not uuid:
        return
    mapping = region_of(state, region).mappings[index]
    name = mapping.nvdimm
    ndd = need_ndd(state, name, "del_labels")
    if ndd.ns_next < 0:
        return
    labels, free, victims = list(mapping.labels), ndd.free, []
    for held in slots_of(state, name, UUID(uuid).bytes):
        if held in labels:
            labels.remove(held)
            labels.append(None)
            free |= 1 << held
            victims.append(held)
    _put_labels(state, region, index, tuple(labels) if labels.count(None) < len(labels) else ())
    if free != ndd.free:
        put_ndd(state, name, ndd._replace(free=free))
    _nd_label_write_index(state, name)
    for held in victims:
        forget(state, name, held)


def nd_pmem_namespace_label_update(state: State, region: str, namespace: str, size: int) -> None:
    """Write the namespace's label on every DIMM of its region, twice: with the UPDATING flag, then without (up to v5.0 only
    with it). Size 0 deletes it.

    Raises Refusal: ENXIO (a DIMM has no free label slot), ENOMEM; PowerCut where a test cuts the power.
    """
    ndns: NdNamespace = state.nd[namespace]
    ways = region_of(state, region).ndr_mappings
    for index in range(ways):
        if not size:
            _del_labels(state, region, index, ndns.uuid)
            continue
        name = region_of(state, region).mappings[index].nvdimm
        ndd = need_ndd(state, name, "nd_pmem_namespace_label_update")
        blk = state.kernel.features.local_labels_are_blk
        count = sum(each.name.startswith("pmem") for each in ndd.dpa) if blk else len(ndd.dpa)
        _init_labels(state, region, index, count)
        _pmem_label_update(state, region, index, ndns, UPDATING)
    if size and state.kernel.features.label_updating_flag_cleared:
        for index in range(ways):
            _pmem_label_update(state, region, index, ndns, 0)
