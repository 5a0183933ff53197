"""daxctl's JSON: objects field for field, in the order of the tool."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sparsemem.tools.daxctl_features import daxctl_features
from sparsemem.tools.json_out import hex_value, size_value
from sparsemem.tools.releases import known

if TYPE_CHECKING:
    from sparsemem.tools.libdaxctl import Device, Region

__all__ = ["Flags", "Json", "device_filter", "device_json", "devices_json", "region_filter", "region_json"]

Json = dict[str, Any]
Flags = frozenset[str]


def _size(size: int, flags: Flags) -> Any:
    return size_value(size, human="human" in flags)


def _hex(value: int, flags: Flags) -> Any:
    return hex_value(value, human="human" in flags)


def device_json(dev: Device, flags: Flags) -> Json:
    """A device as ``daxctl list`` shows it."""
    memory = dev.memory()
    found: Json = {"chardev": dev.name, "size": _size(dev.size, flags)}
    if dev.target_node >= 0:
        found["target_node"] = dev.target_node
    if dev.align > 0 and daxctl_features(dev.ctx.version).align:
        found["align"] = _size(dev.align, flags)
    found["mode"] = "devdax" if memory is None else "system-ram"
    if dev.mode() == "famfs" and known(
        daxctl_features(dev.ctx.version).famfs, "a device of fsdev_dax is of mode famfs"
    ):
        found["mode"] = "famfs"
    if memory is not None and dev.resource:
        if daxctl_features(dev.ctx.version).memblock_counts:
            total = memory.num_sections()
            found["online_memblocks"] = memory.num_online()
            found["total_memblocks"] = total
        movable = memory.is_movable()
        if movable >= 0:
            found["movable"] = bool(movable)
    if not dev.is_enabled:
        found["state"] = "disabled"
    if "mappings" in flags and (mappings := dev.mappings()):
        found["mappings"] = [
            {
                "page_offset": _hex(offset, flags),
                "start": _hex(start, flags),
                "end": _hex(end, flags),
                "size": _size(end - start + 1, flags),
            }
            for offset, start, end in mappings
        ]
    return found


def devices_json(region: Region, ident: str | None, flags: Flags) -> list[Json]:
    """The devices of a region; those without a size only with "idle"."""
    found = []
    for dev in region.devices():
        if device_filter(dev, ident) and (flags & {"idle", "configured"} or dev.size):
            found.append(device_json(dev, flags))
    return found


def region_json(region: Region, ident: str | None, flags: Flags) -> Json:
    """A region, with its devices when they are asked for; with the flag dax the one who asks knows where it is."""
    found: Json = {} if "dax" in flags else {"path": region.path.removeprefix("/sys/devices")}
    found["id"] = region.id
    size, available, align = (region.number(name) for name in ("size", "available_size", "align"))
    if size is not None:
        found["size"] = _size(size, flags)
    if available:
        found["available_size"] = _size(available, flags)
    if align is not None:
        found["align"] = align
    if "devices" in flags and (devices := devices_json(region, ident, flags)):
        found["devices"] = devices
    return found


def region_filter(region: Region, ident: str | None) -> bool:
    """By number, by "regionN", or all."""
    if ident is None or ident == "all":
        return True
    match = re.match(r"(?:region)?\s*([+-]?\d+)", ident)
    return match is not None and int(match[1]) == region.id


def device_filter(dev: Device, ident: str | None) -> bool:
    """By name, "X.Y", or all."""
    if ident is None or ident in ("all", dev.name):
        return True
    match = re.match(r"\s*([+-]?\d+)\.\s*([+-]?\d+)", ident)
    return match is not None and (int(match[1]), int(match[2])) == (dev.region.id, dev.id)
