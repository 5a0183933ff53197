"""The objects that ``cxl list`` prints, field for field (cxl/json.c). ``flags`` are words: human, targets, health, partition, alerts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.errors import NotModelledError
from sparsemem.tools.json_out import hex_value, size_value
from sparsemem.tools.libcxl import ENDPOINT, ROOT, UINT_MAX
from sparsemem.tools.libndctl_base import ULLONG_MAX, number

if TYPE_CHECKING:
    from collections.abc import Callable

    from sparsemem.tools.daxctl_json import Flags, Json
    from sparsemem.tools.libcxl import Decoder, Dport, Memdev, Port, Region

__all__ = [
    "bus_to_json",
    "decoder_to_json",
    "dports_append_json",
    "memdev_to_json",
    "port_to_json",
    "region_to_json",
    "targets_append_json",
]

INT_MAX = (1 << 31) - 1


def memdev_to_json(memdev: Memdev, flags: Flags) -> Json:
    """``util_cxl_memdev_to_json``. What takes a mailbox command of the device is not modelled."""
    human = "human" in flags
    for flag in ("health", "alerts", "partition"):
        if flag in flags:
            why = "it takes a mailbox command of the device"
            raise NotModelledError(f"the {flag} of {memdev.devname} is not modelled", why=why, remedy="use at most -vv")
    found: Json = {"memdev": memdev.devname}
    for kind in ("pmem", "ram"):
        size = number(memdev.attr(f"{kind}/size"))
        if size:
            found[f"{kind}_size"] = size_value(size, human=human)
    if memdev.serial < ULLONG_MAX:
        found["serial"] = hex_value(memdev.serial, human=human)
    node = number(memdev.attr("numa_node") or "-1")
    if node >= 0:
        found["numa_node"] = node
    found["host"] = memdev.host
    if not memdev.is_enabled:
        found["state"] = "disabled"
    return found


def bus_to_json(bus: Port) -> Json:
    """``util_cxl_bus_to_json``."""
    return {"bus": bus.devname, "provider": bus.provider}


def port_to_json(port: Port) -> Json:
    """``util_cxl_port_to_json``, and of an endpoint."""
    found: Json = {
        "endpoint" if port.kind == ENDPOINT else "port": port.devname,
        "host": port.host,
        "depth": port.depth,
    }
    if not port.is_enabled:
        found["state"] = "disabled"
    return found


def _dport(dport: Dport, key: str, human: bool, position: int | None = None) -> Json:
    found: Json = {key: dport.path.rpartition("/")[2]}
    if dport.alias:
        found["alias"] = dport.alias
    if position is not None:
        found["position"] = position
    found["id"] = hex_value(dport.id, human=human)
    return found


def dports_append_json(found: Json, port: Port, shown: Callable[[Dport], bool], flags: Flags) -> None:
    """``util_cxl_dports_append_json``."""
    if port.dports and "targets" in flags:
        found["nr_dports"] = len(port.dports)
        found["dports"] = [_dport(each, "dport", "human" in flags) for each in port.dports if shown(each)]


def decoder_to_json(decoder: Decoder, flags: Flags) -> Json:
    """``util_cxl_decoder_to_json``."""
    human = "human" in flags
    found: Json = {"decoder": decoder.devname}
    size, start = decoder.big("size"), decoder.big("start")
    if size and start < ULLONG_MAX:
        found["resource"] = hex_value(start, human=human)
    if size and size < ULLONG_MAX:
        found["size"] = size_value(size, human=human)
    ways = decoder.small("interleave_ways")
    if ways < UINT_MAX:
        found["interleave_ways"] = ways
        if ways > 1 and (granularity := decoder.small("interleave_granularity")) < UINT_MAX:
            found["interleave_granularity"] = granularity
    if decoder.region is not None:
        found["region"] = decoder.region.devname
    if size == 0:
        found["state"] = "disabled"
    if decoder.port.kind == ENDPOINT:
        _dpa(decoder, found, human)
    if decoder.port.kind == ROOT:
        _capabilities(decoder, found, human)
    return found


def _dpa(decoder: Decoder, found: Json, human: bool) -> None:
    size, start = decoder.big("dpa_size"), decoder.big("dpa_resource")
    if size and start < ULLONG_MAX:
        found["dpa_resource"] = hex_value(start, human=human)
    if size and size < ULLONG_MAX:
        found["dpa_size"] = size_value(size, human=human)
    if decoder.mode != "none":
        found["mode"] = decoder.mode


def _capabilities(decoder: Decoder, found: Json, human: bool) -> None:
    if decoder.capable("type3"):
        extent = decoder.max_available_extent()
        if extent < ULLONG_MAX:
            found["max_available_extent"] = size_value(extent, human=human)
        if decoder.capable("pmem"):
            found["pmem_capable"] = True
        if decoder.capable("ram"):
            found["volatile_capable"] = True
    if decoder.capable("type2"):
        found["accelmem_capable"] = True


def targets_append_json(found: Json, decoder: Decoder, shown: Callable[[Dport], bool], flags: Flags) -> None:
    """``util_cxl_targets_append_json``."""
    if decoder.port.kind == ENDPOINT:
        return
    targets, human = decoder.targets, "human" in flags
    found["nr_targets"] = len(targets)
    if targets and "targets" in flags:
        found["targets"] = [_dport(each.dport, "target", human, each.position) for each in targets if shown(each.dport)]


def region_to_json(region: Region, flags: Flags) -> Json:
    """``util_cxl_region_to_json``."""
    human = "human" in flags
    found: Json = {"region": region.devname, "resource": hex_value(region.start, human=human)}
    if region.size < ULLONG_MAX:
        found["size"] = size_value(region.size, human=human)
    for name in ("interleave_ways", "interleave_granularity"):
        if region.small(name) < INT_MAX:
            found[name] = region.small(name)
    found["decode_state"] = "commit" if region.committed == 1 else "reset"
    if not region.is_enabled:
        found["state"] = "disabled"
    if "targets" in flags and region.small("interleave_ways") not in (0, UINT_MAX):
        found["mappings"] = [_mapping(position, decoder) for position, decoder in region.mappings()]
    return found


def _mapping(position: int, decoder: Decoder) -> Json:
    found: Json = {"position": position}
    memdev = decoder.port.memdev if decoder.port.kind == ENDPOINT else None
    if memdev is not None:
        found["memdev"] = memdev.devname
    found["decoder"] = decoder.devname
    return found
