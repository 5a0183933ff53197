"""Which buses, DIMMs, regions and namespaces an ndctl command is about (ndctl/filter.c)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from sparsemem.tools.libndctl_base import EINVAL, number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sparsemem.tools.libndctl import Bus, Context, Device, Dimm, Region
    from sparsemem.tools.libndctl_namespace import Namespace

__all__ = [
    "Filter",
    "Walker",
    "bus_filter",
    "bus_filter_by_dimm",
    "bus_filter_by_namespace",
    "bus_filter_by_region",
    "dimm_filter",
    "dimm_filter_by_namespace",
    "dimm_filter_by_numa_node",
    "dimm_filter_by_region",
    "filter_walk",
    "named_namespaces",
    "namespace_filter",
    "nsmode",
    "region_filter",
    "region_filter_by_dimm",
    "region_filter_by_namespace",
]

_MODES = {
    "memory": "fsdax",
    "fsdax": "fsdax",
    "sector": "sector",
    "safe": "sector",
    "dax": "devdax",
    "devdax": "devdax",
    "raw": "raw",
}
_ULONG_MAX = (1 << 64) - 1


class Filter(NamedTuple):
    """``struct ndctl_filter_params``: what the options ask for; None does not filter."""

    bus: str | None = None
    region: str | None = None
    type: str | None = None
    dimm: str | None = None
    mode: str | None = None
    namespace: str | None = None
    numa_node: str | None = None


class Walker(NamedTuple):
    """``struct ndctl_filter_ctx``: what is called for each; False from ``bus`` and ``region`` leaves out what is below."""

    bus: Callable[[Bus], bool]
    dimm: Callable[[Dimm], None] | None
    region: Callable[[Region], bool]
    namespace: Callable[[Namespace], None] | None


def nsmode(mode: str | None) -> str | None:
    """util_nsmode(): the mode by its name or its old name; None for what is none."""
    return None if mode is None else _MODES.get(mode.lower())


def _ordinal(words: list[str]) -> int:
    """The number that the filters read: always the first word's, whichever word they look at."""
    match = re.fullmatch(r"\+?(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)", words[0]) if words else None
    if match is None:
        return _ULONG_MAX
    digits = match[1]
    return int(digits, 8 if digits[0] == "0" and digits[1:2].isdecimal() else 0)


def _matches(device: Device, ident: str | None, *other: str | None) -> bool:
    if ident is None:
        return True
    words = [word for word in ident.split(" ") if word]
    ordinal = _ordinal(words)
    if ordinal < _ULONG_MAX:
        return "all" in words or bool(words and ordinal == device.id)
    return any(word == "all" or word == device.devname or word in other for word in words)


def bus_filter(bus: Bus, ident: str | None) -> bool:
    """By number, name or provider."""
    return _matches(bus, ident, bus.provider)


def region_filter(region: Region, ident: str | None) -> bool:
    """By number or name."""
    return _matches(region, ident)


def dimm_filter(dimm: Dimm, ident: str | None) -> bool:
    """By number or name."""
    return _matches(dimm, ident)


def namespace_filter(ndns: Namespace, ident: str | None) -> bool:
    """By name, or as ``0.1``."""
    if ident is None:
        return True
    for word in ident.split(" "):
        if word and (word in ("all", ndns.devname)):
            return True
        match = re.match(r"\s*([+-]?\d+)\.([+-]?\d+)", word)
        if match is not None and int(match[1]) == ndns.region.id and int(match[2]) == ndns.id:
            return True
    return False


def _all(ident: str | None) -> bool:
    return ident is None or ident == "all"


def bus_filter_by_dimm(bus: Bus, ident: str | None) -> bool:
    return _all(ident) or any(dimm_filter(dimm, ident) for dimm in bus.dimms())


def bus_filter_by_region(bus: Bus, ident: str | None) -> bool:
    return _all(ident) or any(region_filter(region, ident) for region in bus.regions())


def bus_filter_by_namespace(bus: Bus, ident: str | None) -> bool:
    return _all(ident) or any(region_filter_by_namespace(region, ident) for region in bus.regions())


def region_filter_by_dimm(region: Region, ident: str | None) -> bool:
    return _all(ident) or any(dimm_filter(dimm, ident) for dimm in region.dimms())


def region_filter_by_namespace(region: Region, ident: str | None) -> bool:
    return _all(ident) or any(namespace_filter(ndns, ident) for ndns in region.namespaces())


def dimm_filter_by_region(dimm: Dimm, ident: str | None) -> bool:
    regions = [] if _all(ident) else [each for each in dimm.bus.regions() if region_filter(each, ident)]
    return _all(ident) or any(dimm in region.dimms() for region in regions)


def dimm_filter_by_namespace(dimm: Dimm, ident: str | None) -> bool:
    if _all(ident):
        return True
    return any(dimm in each.dimms() and region_filter_by_namespace(each, ident) for each in dimm.bus.regions())


def _numa_node(region: Region) -> int | None:
    """The node of a region; None where the kernel has no such attribute."""
    if not region.context.tree.exists(f"{region.path}/numa_node"):
        return None
    return number(region.attr("numa_node") or "-1")


def dimm_filter_by_numa_node(dimm: Dimm, node: int | None) -> bool:
    """In a region of that node; None asks for none."""
    if node is None:
        return True
    return any(dimm in each.dimms() and _numa_node(each) == node for each in dimm.bus.regions())


def named_namespaces(region: Region, name: str) -> Iterator[Namespace]:
    """The namespaces that ``name`` or "all" means to a command that acts on them; a name is not searched for in a list."""
    if name != "all":
        found = region.find_namespace(name)
        if found is not None:
            yield found
        return
    yield from region.namespaces()


def _refused(context: Context, param: Filter) -> int:
    if param.type is not None and param.type not in ("pmem", "blk"):
        context.console.error(f'unknown type "{param.type}" must be "pmem" or "blk"\n')
        return -EINVAL
    if param.mode and nsmode(param.mode) is None:
        context.console.error(f"invalid mode: '{param.mode}'\n")
        return -EINVAL
    if param.numa_node is not None and param.numa_node != "all":
        if not context.tree.live and not context.tree.exists(
            "/sys/devices/system/node"
        ):  # a modelled kernel has CONFIG_NUMA
            context.console.error("This system does not support NUMA")
            return -EINVAL
        if re.fullmatch(r"\s*[+-]?(0[xX][0-9a-fA-F]+|[0-9]+)", param.numa_node) is None:
            context.console.error(f"invalid numa_node: '{param.numa_node}'\n")
            return -EINVAL
    return 0


def filter_walk(context: Context, walker: Walker, param: Filter) -> int:
    """ndctl_filter_walk(): buses, their DIMMs, their regions, and the namespaces of each."""
    rc = _refused(context, param)
    if rc:
        return rc
    node = None if param.numa_node in (None, "all") else number(param.numa_node)
    node = None if node == -1 else node
    for bus in context.buses():
        wanted = (
            bus_filter(bus, param.bus)
            and bus_filter_by_dimm(bus, param.dimm)
            and bus_filter_by_region(bus, param.region)
            and bus_filter_by_namespace(bus, param.namespace)
        )
        if not wanted or not walker.bus(bus):
            continue
        if walker.dimm is not None:
            _walk_dimms(bus, walker.dimm, param, node)
        for region in bus.regions():
            _walk_region(region, walker, param, node)
    return 0


def _walk_dimms(bus: Bus, found: Callable[[Dimm], None], param: Filter, node: int | None) -> None:
    for dimm in bus.dimms():
        if (
            dimm_filter(dimm, param.dimm)
            and dimm_filter_by_region(dimm, param.region)
            and dimm_filter_by_namespace(dimm, param.namespace)
            and dimm_filter_by_numa_node(dimm, node)
        ):
            found(dimm)


def _walk_region(region: Region, walker: Walker, param: Filter, node: int | None) -> None:
    if not (
        region_filter(region, param.region)
        and region_filter_by_dimm(region, param.dimm)
        and region_filter_by_namespace(region, param.namespace)
    ):
        return
    if node is not None:
        mine = _numa_node(region)
        if mine is None and walker.namespace is None:
            region.context.console.err("This kernel does not provide NUMA node information per-region\n")
            return
        if mine is not None and mine != node:
            return
    if param.type is not None and region.is_pmem != (param.type == "pmem"):
        return
    if not walker.region(region) or walker.namespace is None:
        return
    for ndns in region.namespaces():
        if not namespace_filter(ndns, param.namespace):
            continue
        if param.mode and nsmode(param.mode) != ndns.mode:
            continue
        if node is not None and ndns.numa_node != node:
            continue
        walker.namespace(ndns)
