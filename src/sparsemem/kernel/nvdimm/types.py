"""The devices of libnvdimm as values: what ``struct nvdimm``, ``nd_region``, ``nd_namespace_*``, ``nd_pfn`` and ``nd_btt`` hold.

Addresses and sizes in bytes. Names ("nmem0", "region0", "namespace0.0") are the keys of ``state.nd``; a libnvdimm dax device is stored
as "nd:dax0.0", because device-dax has a "dax0.0" too. A uuid is its lower-case text, "" for NULL.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = [
    "CCLASS_BTT",
    "CCLASS_BTT2",
    "CCLASS_DAX",
    "CCLASS_NONE",
    "CCLASS_PFN",
    "CCLASS_UNKNOWN",
    "Devres",
    "Dpa",
    "Mapping",
    "NdBtt",
    "NdDevice",
    "NdNamespace",
    "NdPfn",
    "NdRegion",
    "Nvdimm",
    "NvdimmBus",
    "NvdimmDrvdata",
    "PfnLayout",
]

CCLASS_NONE, CCLASS_BTT, CCLASS_BTT2, CCLASS_PFN, CCLASS_DAX, CCLASS_UNKNOWN = range(6)
"""``enum nvdimm_claim_class``."""


class Devres(NamedTuple):
    """Something a driver holds for its device: "iomem" (start, size), "pages" (start pfn, end pfn), "dax" (start, size)
    or "dax-class" (a dax device without a driver of its own, up to v5.0)."""

    kind: str
    start: int
    size: int


class NvdimmBus(NamedTuple):
    """``struct nvdimm_bus``: ``provider`` is "ACPI.NFIT", "e820" or "virtio"; ``path`` where sysfs has the bus device."""

    name: str
    id: int
    provider: str
    path: str


class Dpa(NamedTuple):
    """A child of ``ndd->dpa``: DIMM bytes [start, end] given to a label id ("pmem-UUID")."""

    start: int
    end: int
    name: str

    @property
    def size(self) -> int:
        return self.end - self.start + 1


class NvdimmDrvdata(NamedTuple):
    """``struct nvdimm_drvdata``: which index block is current (-1: none), what it holds, and the DPA map.

    ``free``: the next index block's bytes behind its header (a set bit is a free slot), ``free_current`` those of the current one;
    they differ only after an update that failed half-way. ``label_size`` 128 or 256. The labels in force
    are in ``state.media`` under ("nmem0:ndd", slot), as the kernel keeps them in memory.
    """

    ns_current: int = -1
    ns_next: int = -1
    label_size: int = 256
    major: int = 1
    minor: int = 1
    seq: int = 0
    nslot: int = 0
    free: int = 0
    free_current: int = 0
    dpa: tuple[Dpa, ...] = ()


class Nvdimm(NamedTuple):
    """``struct nvdimm``. ``config_size``: bytes of its label area, 0 without one. ``busy``: regions that use it.

    ``max_xfer``: bytes that the DIMM's label commands move at once (QEMU's number). ``capacity_locked`` and ``labels_locked``:
    what the DIMM refuses with EACCES: to tell the size of its label area, or also its content.
    """

    name: str
    id: int
    bus: str
    serial: int
    config_size: int
    driver: str = ""
    ndd: NvdimmDrvdata | None = None
    labeling: bool = False
    locked: bool = False
    unarmed: bool = False
    busy: int = 0
    max_xfer: int = 4076
    capacity_locked: bool = False
    labels_locked: bool = False


class Mapping(NamedTuple):
    """``struct nd_mapping``: DIMM bytes ``start`` + ``size``. ``labels``: the slots of the labels of this mapping (None: an empty
    entry), in list order; ``ndd``: the region holds the DIMM."""

    nvdimm: str
    start: int
    size: int
    position: int
    labels: tuple[int | None, ...] = ()
    ndd: bool = False


class NdRegion(NamedTuple):
    """``struct nd_region``: ``pagemap`` is ND_REGION_PAGEMAP (raw namespaces get pages: e820). ``cookie1``/``cookie2``: the
    interleave set cookies of labels v1.1 and v1.2, None without a set. ``flush_fails``: the host answers a flush
    with an error. ``reaped``: (mapping, slot) to free at the next label write."""

    name: str
    id: int
    bus: str
    ndr_start: int
    ndr_size: int
    mappings: tuple[Mapping, ...]
    align: int
    cookie1: int | None = None
    cookie2: int | None = None
    pagemap: bool = False
    async_flush: bool = False
    flush_fails: bool = False
    ro: bool = False
    numa_node: int = 0
    target_node: int = 0
    driver: str = ""
    ns_seed: str = ""
    btt_seed: str = ""
    pfn_seed: str = ""
    dax_seed: str = ""
    ns_active: int = 0
    ns_count: int = 0
    reaped: frozenset[tuple[int, int]] = frozenset()
    altcookie: int = 0
    type_guid: str = "66f0d379-b4f3-4074-ac43-0d3318b78cdb"

    @property
    def ndr_mappings(self) -> int:
        return len(self.mappings)

    @property
    def ndr_end(self) -> int:
        return self.ndr_start + self.ndr_size - 1


class NdNamespace(NamedTuple):
    """A namespace; ``type`` "io" (label-less) or "pmem". ``claim`` is the key of the btt, pfn or dax device that has it.

    ``untyped``: its ``struct resource`` has no flags, as that of the empty namespace which a region without labels publishes.
    """

    name: str
    id: int
    region: str
    type: str
    start: int
    size: int
    uuid: str = ""
    alt_name: str = ""
    lbasize: int = 0
    claim: str = ""
    claim_class: int = CCLASS_NONE
    force_raw: bool = False
    driver: str = ""
    disk: str = ""
    devres: tuple[Devres, ...] = ()
    untyped: bool = False

    @property
    def end(self) -> int:
        return self.start + self.size - 1

    def resource_text(self, *, decode: bool) -> str:
        """``%pR`` (``decode``) or ``%pr`` of its resource."""
        kind, flags = ("???", " flags 0x0") if self.untyped else ("mem", "" if decode else " flags 0x200")
        return f"[{kind} {self.start:#010x}-{self.end:#010x}{flags}]"


class PfnLayout(NamedTuple):
    """What a bound pfn or dax device uses of its info block; bytes, ``dataoff`` from the start of the namespace."""

    dataoff: int
    start_pad: int
    end_trunc: int
    npfns: int


class NdPfn(NamedTuple):
    """``struct nd_pfn``, or the one inside ``struct nd_dax`` (``type`` "dax"). ``mode``: "none", "ram" or "pmem"."""

    name: str
    id: int
    region: str
    type: str
    mode: str
    align: int
    uuid: str = ""
    ndns: str = ""
    driver: str = ""
    layout: PfnLayout | None = None
    disk: str = ""
    devres: tuple[Devres, ...] = ()

    @property
    def key(self) -> str:
        return self.name if self.type == "pfn" else f"nd:{self.name}"


class NdBtt(NamedTuple):
    """``struct nd_btt``: ``lbasize`` 0 is not set; ``size`` the bytes it offers while bound."""

    name: str
    id: int
    region: str
    lbasize: int = 0
    uuid: str = ""
    ndns: str = ""
    driver: str = ""
    size: int = 0
    version: tuple[int, int] = (0, 0)
    disk: str = ""
    devres: tuple[Devres, ...] = ()


NdDevice = NdBtt | NdPfn | NdNamespace
