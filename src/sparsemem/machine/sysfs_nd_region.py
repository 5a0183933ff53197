"""The files of a region: drivers/nvdimm/region_devs.c, and the nfit group of drivers/acpi/nfit/core.c."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from sparsemem.kernel.nvdimm import region_devs
from sparsemem.kernel.nvdimm.core import region_of
from sparsemem.kernel.nvdimm.nfit import nfit_spa_of
from sparsemem.kernel.refusal import Refusal
from sparsemem.machine.sysfs_nd_attribute import COMMON, Attribute, has_target_node, numa, ro, rw

if TYPE_CHECKING:
    from collections.abc import Callable

    from sparsemem.kernel.nvdimm.types import NdRegion
    from sparsemem.kernel.state import State

__all__ = ["region_attributes", "region_groups"]

_MAX_MAPPING_FILES = 32


def _field(show: Callable[[State, NdRegion], object]) -> Attribute:
    return ro(lambda state, key: f"{show(state, region_of(state, key))}\n")


def _init_namespaces(state: State, key: str) -> str:
    region = region_of(state, key)
    if not region.driver:
        raise Refusal(6, "init_namespaces_show", "device-disabled")
    return f"{region.ns_active}/{region.ns_count}\n"


def _badblocks(state: State, key: str) -> str:
    if not region_of(state, key).driver:
        raise Refusal(6, "region_badblocks_show", "device-disabled")
    return ""


def _mapping(index: int) -> Attribute:
    def show(state: State, key: str) -> str:
        each = region_of(state, key).mappings[index]
        return f"{each.nvdimm},{each.start},{each.size},{each.position}\n"

    return ro(show)


def _deep_flush_store(state: State, key: str, text: str) -> None:
    """Flush: nothing is buffered in a model. Raises Refusal(EINVAL)."""
    from sparsemem.kernel.kstrtox import kstrtobool

    if not kstrtobool(text, "deep_flush_store"):
        raise Refusal(22, "deep_flush_store", "attribute-syntax")


_ALWAYS = {
    "badblocks": ro(_badblocks),
    "btt_seed": _field(lambda state, region: region.btt_seed),
    "dax_seed": _field(lambda state, region: region.dax_seed),
    "init_namespaces": ro(_init_namespaces),
    "mappings": _field(lambda state, region: region.ndr_mappings),
    "max_available_extent": _field(region_devs.nd_region_allocatable_dpa),
    "namespace_seed": _field(lambda state, region: region.ns_seed),
    "nstype": _field(region_devs.nd_region_to_nstype),
    "pfn_seed": _field(lambda state, region: region.pfn_seed),
    "read_only": rw(lambda state, key: f"{int(region_of(state, key).ro)}\n", region_devs.read_only_store),
    "resource": ro(lambda state, key: f"{region_of(state, key).ndr_start:#x}\n", 0o400),
    "size": _field(lambda state, region: region.ndr_size),
}
_ALIGN = rw(lambda state, key: f"{region_of(state, key).align:#x}\n", region_devs.align_store)
_AVAILABLE_SIZE = _field(region_devs.nd_region_available_dpa)
_SET_COOKIE = _field(lambda state, region: f"{region_devs.nd_region_interleave_set_cookie(state, region):#x}")
_DEEP_FLUSH = _field(lambda state, region: region_devs.nvdimm_has_flush(region))
_MAPPINGS = tuple(_mapping(index) for index in range(_MAX_MAPPING_FILES))
_PERSISTENCE_DOMAIN = ro(lambda state, key: f"{state.misc[f'nd_persist:{key}']}\n")
_RANGE_INDEX = ro(lambda state, key: f"{nfit_spa_of(state, key)}\n")


@cache
def _table(
    align: bool, target: bool, cookie: bool, available: bool, persist: bool, flush: int, mappings: int
) -> dict[str, Attribute]:
    found = {**COMMON, **numa(target=target), **_ALWAYS}
    if align:
        found["align"] = _ALIGN
    if cookie:
        found["set_cookie"] = _SET_COOKIE
    if available:
        found["available_size"] = _AVAILABLE_SIZE
    if persist:
        found["persistence_domain"] = _PERSISTENCE_DOMAIN
    if flush >= 0:
        found["deep_flush"] = _DEEP_FLUSH._replace(mode=0o644, store=_deep_flush_store) if flush else _DEEP_FLUSH
    for index in range(min(mappings, _MAX_MAPPING_FILES)):
        found[f"mapping{index}"] = _MAPPINGS[index]
    return found


def region_attributes(state: State, key: str) -> dict[str, Attribute]:
    """The files, by ``region_visible`` and ``mapping_visible``."""
    region = region_of(state, key)
    cookie = region.cookie1 is not None
    labelled = region_devs.nd_region_to_nstype(state, region) == region_devs.ND_DEVICE_NAMESPACE_PMEM
    return _table(
        state.kernel.features.region_align_attribute,
        has_target_node(state, region),
        cookie,
        cookie or labelled,
        f"nd_persist:{key}" in state.misc,
        region_devs.nvdimm_has_flush(region),
        region.ndr_mappings,
    )


def region_groups(state: State, key: str) -> dict[str, dict[str, Attribute]]:
    """The directories of attributes: nfit."""
    return {} if nfit_spa_of(state, key) is None else {"nfit": {"range_index": _RANGE_INDEX}}
