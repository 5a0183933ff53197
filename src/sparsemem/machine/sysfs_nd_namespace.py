"""The files of namespaces, btt, pfn and dax devices: drivers/nvdimm/{namespace,btt,pfn,dax}_devs.c."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.kernel.nvdimm import btt_devs, claim, pfn_devs
from sparsemem.kernel.nvdimm import namespace_attributes as ns
from sparsemem.kernel.nvdimm.core import namespace_of
from sparsemem.kernel.nvdimm.namespace_size import size_store
from sparsemem.machine.sysfs_nd_attribute import COMMON, Attribute, has_target_node, numa, ro, rw, text

if TYPE_CHECKING:
    from sparsemem.kernel.state import State

__all__ = ["btt_attributes", "namespace_attributes", "pfn_attributes"]


_NAMESPACE = {
    "force_raw": rw(ns.force_raw_show, ns.force_raw_store),
    "holder": ro(ns.holder_show),
    "holder_class": rw(ns.holder_class_show, ns.holder_class_store),
    "mode": ro(ns.mode_show),
    "nstype": ro(ns.nstype_show),
    "resource": ro(ns.resource_show, 0o400),
    "size": ro(ns.size_show),
}
_PMEM = {
    "alt_name": rw(ns.alt_name_show, ns.alt_name_store),
    "dpa_extents": ro(ns.dpa_extents_show),
    "sector_size": rw(ns.sector_size_show, ns.sector_size_store),
    "size": rw(ns.size_show, size_store),
    "uuid": rw(ns.uuid_show, ns.uuid_store),
}


def _uuid(state: State, key: str) -> str:
    return f"{state.nd[key].uuid}\n"


def _namespace(state: State, key: str) -> str:
    return f"{state.nd[key].ndns}\n"


_CLAIMER = {"namespace": rw(_namespace, claim.nd_namespace_store)}
_BTT = {
    **_CLAIMER,
    "log_zero_flags": text("Y"),
    "sector_size": rw(btt_devs.sector_size_show, btt_devs.sector_size_store),
    "size": ro(btt_devs.size_show),
    "uuid": rw(_uuid, btt_devs.uuid_store),
}
_PFN = {
    **_CLAIMER,
    "align": rw(lambda state, key: f"{state.nd[key].align}\n", pfn_devs.align_store),
    "mode": rw(lambda state, key: f"{state.nd[key].mode}\n", pfn_devs.mode_store),
    "resource": ro(pfn_devs.resource_show, 0o400),
    "size": ro(pfn_devs.size_show),
    "supported_alignments": ro(lambda state, key: pfn_devs.supported_alignments_show(state)),
    "uuid": rw(_uuid, pfn_devs.uuid_store),
}


def _tables(*parts: dict[str, Attribute]) -> tuple[dict[str, Attribute], dict[str, Attribute]]:
    """The files without and with a target node."""
    merged = {name: each for part in parts for name, each in part.items()}
    return {**COMMON, **numa(target=False), **merged}, {**COMMON, **numa(target=True), **merged}


_NAMESPACE_IO = _tables(_NAMESPACE)
_NAMESPACE_PMEM = _tables(_NAMESPACE, _PMEM)
_BTT_TABLES = _tables(_BTT)
_PFN_TABLES = _tables(_PFN)


def _target(state: State, key: str) -> bool:
    return has_target_node(state, state.nd[state.nd[key].region])


def namespace_attributes(state: State, key: str) -> dict[str, Attribute]:
    """The files, by ``namespace_visible``: a label-less one has no name, uuid or sector size, and a fixed size."""
    tables = _NAMESPACE_IO if namespace_of(state, key).type == "io" else _NAMESPACE_PMEM
    return tables[_target(state, key)]


def btt_attributes(state: State, key: str) -> dict[str, Attribute]:
    """The files of a btt device."""
    return _BTT_TABLES[_target(state, key)]


def pfn_attributes(state: State, key: str) -> dict[str, Attribute]:
    """The files of a pfn or dax device."""
    return _PFN_TABLES[_target(state, key)]
