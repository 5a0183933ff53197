"""``drivers/nvdimm/core.c``: what all devices of the bus share: finding them, printing, and the attribute parsers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sparsemem.kernel.kstrtox import kstrtoull
from sparsemem.kernel.nvdimm.types import NdBtt, NdNamespace, NdPfn, NdRegion, Nvdimm, NvdimmBus
from sparsemem.kernel.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sparsemem.kernel.state import State

__all__ = [
    "UUID_NULL",
    "btt_of",
    "bus_of",
    "children_of",
    "dev_name",
    "dev_printk",
    "ida_get",
    "namespace_of",
    "nd_size_select_show",
    "nd_size_select_store",
    "nd_uuid_store",
    "nvdimm_of",
    "pfn_of",
    "put",
    "region_of",
    "uuid_parse",
]

UUID_NULL = "00000000-0000-0000-0000-000000000000"
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_ANY_UUID = re.compile(r"([0-9a-fA-F]{2}[-:\n]?){16}")


def bus_of(state: State, name: str) -> NvdimmBus:
    """The bus of this name."""
    found = state.nd[name]
    assert isinstance(found, NvdimmBus)
    return found


def nvdimm_of(state: State, name: str) -> Nvdimm:
    """The DIMM of this name."""
    found = state.nd[name]
    assert isinstance(found, Nvdimm)
    return found


def region_of(state: State, name: str) -> NdRegion:
    """The region of this name."""
    found = state.nd[name]
    assert isinstance(found, NdRegion)
    return found


def namespace_of(state: State, name: str) -> NdNamespace:
    """The namespace of this name."""
    found = state.nd[name]
    assert isinstance(found, NdNamespace)
    return found


def pfn_of(state: State, key: str) -> NdPfn:
    """The pfn device ("pfn0.0") or dax device ("nd:dax0.0") under this key."""
    found = state.nd[key]
    assert isinstance(found, NdPfn)
    return found


def btt_of(state: State, name: str) -> NdBtt:
    """The btt device of this name."""
    found = state.nd[name]
    assert isinstance(found, NdBtt)
    return found


def dev_name(key: str) -> str:
    """The name of the device under a key of ``state.nd``."""
    return key.removeprefix("nd:")


def put(state: State, dev: Any) -> None:
    """Write a device back, journaled."""
    state.put(state.nd, dev.key if isinstance(dev, NdPfn) else dev.name, dev)


def children_of(state: State, region: str) -> list[str]:
    """The keys of a region's namespaces, btt, pfn and dax devices, in the order they were made."""
    return list(state.nd.children.get(region, ()))


def ida_get(used: Iterable[int]) -> int:
    """``ida_simple_get``: the lowest number that is free."""
    taken = set(used)
    number = 0
    while number in taken:
        number += 1
    return number


def dev_printk(state: State, level: str, key: str, text: str, *, registered: bool = True) -> str:
    """Log a line with the prefix that ``dev_printk`` gives: driver, or bus of an unbound device, or nothing before it is on
    the bus. Returns the line."""
    driver = getattr(state.nd.get(key), "driver", "") or ("nd" if registered else "")
    line = f"{driver} {dev_name(key)}: {text}"
    state.log(level, line)
    return line


def uuid_parse(text: str, function: str = "nd_uuid_store", *, any_form: bool = False) -> str:
    """A uuid at the start of the text; ``any_form``: sixteen pairs of digits, each with a dash, colon or newline behind it or not.

    Raises Refusal(EINVAL).
    """
    match = (_ANY_UUID if any_form else _UUID).match(text)
    if match is None:
        raise Refusal(22, function, "attribute-syntax")
    digits = "".join(char for char in match[0].lower() if char not in "-:\n")
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def nd_uuid_store(state: State, driver: str, text: str) -> str:
    """The uuid written to a device's attribute. Raises Refusal: EBUSY (a driver has the device), EINVAL (no uuid)."""
    if driver:
        raise Refusal(16, "nd_uuid_store", "namespace-busy")
    uuid = uuid_parse(text, any_form=state.kernel.features.uuid_in_any_form)
    state.alloc("nd_uuid_store")
    return uuid


def nd_size_select_show(current: int, supported: tuple[int, ...]) -> str:
    """The sizes to choose from, the current one in brackets; every one is followed by a space."""
    return "".join(f"[{size}] " if size == current else f"{size} " for size in supported) + "\n"


def nd_size_select_store(driver: str, text: str, supported: tuple[int, ...]) -> int:
    """The chosen size. Raises Refusal: EBUSY (bound), EINVAL (no number, or not one of them)."""
    if driver:
        raise Refusal(16, "nd_size_select_store", "namespace-busy")
    size = kstrtoull(text, "nd_size_select_store")
    if size not in supported:
        raise Refusal(22, "nd_size_select_store", "supported-alignment")
    return size
