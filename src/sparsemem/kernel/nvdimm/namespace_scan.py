"""``drivers/nvdimm/namespace_devs.c``, reading: which namespaces the labels of a region's DIMMs describe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.kernel.nvdimm.core import dev_printk, nvdimm_of, put, region_of
from sparsemem.kernel.nvdimm.dimm_devs import label_id, to_ndd
from sparsemem.kernel.nvdimm.label_bytes import LOCAL
from sparsemem.kernel.nvdimm.label_read import label_at, nd_label_active, nsl_get_claim_class
from sparsemem.kernel.nvdimm.region_devs import nd_region_interleave_set_cookie
from sparsemem.kernel.nvdimm.types import NdNamespace
from sparsemem.kernel.refusal import Refusal

if TYPE_CHECKING:
    from sparsemem.kernel.nvdimm.label_bytes import NsLabel
    from sparsemem.kernel.nvdimm.types import NdRegion
    from sparsemem.kernel.state import State

__all__ = ["deactivate_labels", "init_active_labels", "namespace_resource", "scan_labels"]


def init_active_labels(state: State, region: str) -> None:
    """The region holds its DIMMs and lists their valid labels.

    Raises Refusal: ENXIO (logged: a disabled DIMM has labels, or is locked), ENOMEM.
    """
    for index, mapping in enumerate(region_of(state, region).mappings):
        dimm = nvdimm_of(state, mapping.nvdimm)
        if dimm.ndd is None:
            if dimm.locked or dimm.labeling:
                why = "locked" if dimm.locked else "disabled"
                line = dev_printk(state, "err", region, f"{mapping.nvdimm}: is {why}, failing probe")
                deactivate_labels(state, region)
                raise Refusal(6, "init_active_labels", "dimm-disabled", (line,))
            if not state.kernel.features.labels_beyond_disabled_dimm:
                return
            continue
        put(state, dimm._replace(busy=dimm.busy + 1))
        active = nd_label_active(state, mapping.nvdimm)
        if active:
            try:
                state.alloc("init_active_labels")
            except Refusal:
                _put_mapping(state, region, index, (), held=True)
                deactivate_labels(state, region)
                raise
        _put_mapping(state, region, index, (*mapping.labels, *active), held=True)


def deactivate_labels(state: State, region: str) -> None:
    """The region lets go of its DIMMs: on removal of its driver, and when its probe fails."""
    nd_region = region_of(state, region)
    for index, mapping in enumerate(nd_region.mappings):
        if mapping.ndd:
            dimm = nvdimm_of(state, mapping.nvdimm)
            put(state, dimm._replace(busy=dimm.busy - 1))
        _put_mapping(state, region, index, (), held=False)
    nd_region = region_of(state, region)
    if nd_region.reaped:
        put(state, nd_region._replace(reaped=frozenset()))


def _put_mapping(state: State, region: str, index: int, labels: tuple[int | None, ...], *, held: bool) -> None:
    nd_region = region_of(state, region)
    mapping = nd_region.mappings[index]._replace(labels=labels, ndd=held)
    put(state, nd_region._replace(mappings=(*nd_region.mappings[:index], mapping, *nd_region.mappings[index + 1 :])))


class _Lists:
    """The label lists of a region's mappings while they are scanned: slots in list order, and by uuid."""

    def __init__(self, state: State, region: NdRegion) -> None:
        self.region = region
        self.slots = [[slot for slot in each.labels if slot is not None] for each in region.mappings]
        self.labels: list[dict[int, NsLabel]] = []
        self.by_uuid: list[dict[str, list[int]]] = []
        for mapping, slots in zip(region.mappings, self.slots, strict=True):
            labels = {slot: label_at(state, mapping.nvdimm, slot) for slot in slots}
            named: dict[str, list[int]] = {}
            for slot in slots:
                named.setdefault(labels[slot].uuid, []).append(slot)
            self.labels.append(labels)
            self.by_uuid.append(named)

    def has_uuid_at_pos(self, uuid: str, cookie: int, pos: int) -> bool:
        """Is there one DIMM whose label of this namespace has this position? No, where a DIMM has two labels of it."""
        for labels, named in zip(self.labels, self.by_uuid, strict=True):
            found_uuid = False
            for slot in named.get(uuid, ()):
                label = labels[slot]
                if label.isetcookie != cookie:
                    continue
                if label.checksum is not None and label.type_guid != self.region.type_guid:
                    continue
                if found_uuid:
                    return False
                found_uuid = True
                if label.nlabel == self.region.ndr_mappings and label.position == pos:
                    return True
        return False

    def select_pmem_id(self, uuid: str) -> None:
        """Put the namespace's label first in every list. Raises Refusal(EINVAL): a label names bytes outside its mapping."""
        for index, mapping in enumerate(self.region.mappings):
            slot = self.by_uuid[index].get(uuid, [None])[0]
            if slot is None:
                raise Refusal(22, "select_pmem_id", "label-set")
            label = self.labels[index][slot]
            low, high = mapping.start, mapping.start + mapping.size
            start = label.dpa
            end = (start + label.rawsize) & (1 << 64) - 1
            if not (low <= start < high and low < end <= high):
                raise Refusal(22, "select_pmem_id", "label-extent")
            self.slots[index].remove(slot)
            self.slots[index].insert(0, slot)


def namespace_resource(state: State, region: NdRegion, uuid: str, size: int) -> tuple[int, int]:
    """``nd_namespace_pmem_set_resource``: (start, size) of a namespace of ``size`` bytes, where its DIMM bytes are."""
    if not size or not uuid:
        return region.ndr_start, 0
    mapping = region.mappings[0]
    ndd = to_ndd(state, mapping)
    if ndd is None:
        return region.ndr_start, 0
    wanted = label_id(uuid)
    for each in ndd.dpa:
        if each.name == wanted:
            return region.ndr_start + (each.start - mapping.start) * region.ndr_mappings, size
    return region.ndr_start, 0


def _create_namespace_pmem(state: State, lists: _Lists, label: NsLabel) -> NdNamespace | None:
    """The namespace of a label; None where the label is another set's. Raises Refusal: ENXIO, EINVAL, ENOMEM."""
    region = lists.region
    cookie = nd_region_interleave_set_cookie(state, region)
    if not cookie:
        raise Refusal(6, "create_namespace_pmem", "label-set")
    if label.isetcookie not in (cookie, region.altcookie):
        return None
    state.alloc("create_namespace_pmem")
    for pos, mapping in enumerate(region.mappings):
        if not any(lists.has_uuid_at_pos(label.uuid, each, pos) for each in (cookie, region.altcookie)):
            line = dev_printk(state, "err", region.name, f"{mapping.nvdimm} missing label for {label.uuid}")
            raise Refusal(22, "create_namespace_pmem", "label-set", (line,))
    lists.select_pmem_id(label.uuid)
    first = [lists.labels[index][slots[0]] for index, slots in enumerate(lists.slots)]
    head = next((each for each in reversed(first) if each.position == 0), None)
    if head is None:
        raise Refusal(12, "create_namespace_pmem", "label-set")
    start, size = namespace_resource(state, region, head.uuid, sum(each.rawsize for each in first) & (1 << 64) - 1)
    return NdNamespace(
        name="",
        id=-1,
        region=region.name,
        type="pmem",
        start=start,
        size=size,
        uuid=head.uuid,
        alt_name=head.name.rstrip(b"\0").decode("utf-8", "surrogateescape"),
        lbasize=head.lbasize,
        claim_class=nsl_get_claim_class(head),
    )


def scan_labels(state: State, name: str) -> list[NdNamespace]:
    """The namespaces of a labelled region, in the order in which they are numbered; one of size 0 where there are none.

    They come in the order of their first address's bytes as memory has them, lowest byte first (``cmp_dpa`` uses memcmp), so not in
    that of their addresses. Raises Refusal: ENXIO, EINVAL, ENOMEM (all of which the caller turns into ENODEV).
    """
    region = region_of(state, name)
    lists = _Lists(state, region)
    blk = state.kernel.features.local_labels_are_blk
    first = region.mappings[0]
    found: dict[str, NdNamespace] = {}
    for slot in list(lists.slots[0]):
        label = lists.labels[0][slot]
        if (blk and label.flags & LOCAL) or not first.start <= label.dpa <= first.start + first.size - 1:
            continue
        if label.uuid in found:
            line = dev_printk(state, "err", name, f"error: conflicting extents for uuid: {label.uuid}")
            raise Refusal(6, "add_namespace_resource", "label-set", (line,))
        made = _create_namespace_pmem(state, lists, label)
        if made is not None:
            found[label.uuid] = made
    if not found:
        state.alloc("scan_labels")
        _put_mapping(state, name, 0, (), held=first.ndd)
        return [NdNamespace("", -1, name, "pmem", region.ndr_start, 0, untyped=True)]
    for index, slots in enumerate(lists.slots):
        _put_mapping(state, name, index, tuple(slots[: len(found)]), held=region.mappings[index].ndd)
    return sorted(found.values(), key=lambda each: each.start.to_bytes(8, "little"))
