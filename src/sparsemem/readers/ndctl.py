"""``ndctl list`` and ``daxctl list``: regions, namespaces and dax devices as JSON.

Any nesting is accepted (``-R``, ``-N``, ``-RN``, ``-BRNDv``, ``daxctl list -RD``): an object is known by its ``dev`` or
``chardev``. A namespace's ``size`` is what is left for data; its raw extent and its place are not in the listing, only
a region's or a dax mapping's are (with ``-v`` and ``-M``). ndctl 60 to 81, ``ndctl/json.c`` and ``daxctl/json.c``.
"""

from __future__ import annotations

import re
from typing import Any

from sparsemem.machine.description import DaxFact, NamespaceFact, Note, RegionFact
from sparsemem.ranges import Range
from sparsemem.readers.jsontext import JsonReader

__all__ = ["looks_like_ndctl", "parse_ndctl"]

_REGION = re.compile(r"region\d{1,9}")
_NAMESPACE = re.compile(r"namespace(\d{1,9})\.\d{1,9}")
_DAX = re.compile(r"dax(\d{1,9})\.\d{1,9}")
_PATH_REGION = re.compile(r"/(region\d{1,9}|dax_region\d{1,9}|hmem\.\d{1,9})(?=/|$)")
_OLD_MODES = {"memory": "fsdax", "dax": "devdax", "safe": "sector"}
"""Words of ndctl before 60."""

Facts = tuple[tuple[RegionFact, ...], tuple[NamespaceFact, ...], tuple[DaxFact, ...], tuple[Note, ...]]


def looks_like_ndctl(documents: list[Any]) -> bool:
    """True when any object in it is a region, a namespace, a dax device, a bus or a DIMM of these tools."""
    reader = JsonReader("")
    names = re.compile(r"(region|namespace|dax|nmem|ndbus|ndctl)\d+(\.\d+)?")
    for document in documents:
        for _, item, _ in reader.objects(document):
            for key in ("dev", "chardev"):
                value = item.get(key)
                if isinstance(value, str) and names.fullmatch(value):
                    return True
            if isinstance(item.get("path"), str) and isinstance(item.get("devices"), list):
                return True
    return False


def parse_ndctl(documents: list[Any], source: str) -> Facts:
    """Facts of one or more listings. Malformed fields become notes; an object that names no device is passed over."""
    reader = JsonReader(source)
    regions: dict[str, RegionFact] = {}
    namespaces: dict[str, NamespaceFact] = {}
    daxes: dict[str, DaxFact] = {}
    for document in documents:
        for place, item, above in reader.objects(document):
            dev, chardev = item.get("dev"), item.get("chardev")
            if isinstance(dev, str) and _REGION.fullmatch(dev):
                region = _region(reader, item, dev, place)
                if region is not None:
                    regions[dev] = region
            elif isinstance(dev, str) and (match := _NAMESPACE.fullmatch(dev)):
                namespaces[dev] = _namespace(reader, item, dev, "region" + match[1], place)
            elif isinstance(chardev, str) and (match := _DAX.fullmatch(chardev)):
                dax = _dax(reader, item, chardev, above, place)
                if dax is not None:
                    daxes[chardev] = dax
    return tuple(regions.values()), tuple(namespaces.values()), tuple(daxes.values()), reader.finish()


def _range(reader: JsonReader, item: dict[str, Any], size: int | None, place: str) -> Range | None:
    start = reader.size(item, "resource", place)
    if start is None or not size or start + size > 1 << 64:
        return None
    return Range(start, start + size)


def _region(reader: JsonReader, item: dict[str, Any], dev: str, place: str) -> RegionFact | None:
    size = reader.size(item, "size", place)
    if size is None:
        reader.note(place, f"{dev} has no size; left out")
        return None
    mappings = item.get("mappings")
    return RegionFact(
        dev=dev,
        range=_range(reader, item, size, place),
        size=size,
        align=reader.size(item, "align", place),
        mappings=len(mappings) if isinstance(mappings, list) else None,
        available_size=reader.size(item, "available_size", place),
        max_available_extent=reader.size(item, "max_available_extent", place),
        numa_node=_node(reader, item, "numa_node", place),
        target_node=_node(reader, item, "target_node", place),
        type=reader.text(item, "type", place),
        enabled=item.get("state") != "disabled",
    )


def _namespace(reader: JsonReader, item: dict[str, Any], dev: str, region: str, place: str) -> NamespaceFact:
    mode = reader.text(item, "mode", place) or "unknown"
    size = reader.size(item, "size", place)
    where = reader.text(item, "map", place)
    return NamespaceFact(
        dev=dev,
        region=region,
        mode=_OLD_MODES.get(mode, mode),
        map=None if where == "none" else where,
        size=size,
        uuid=reader.text(item, "uuid", place),
        align=reader.size(item, "align", place),
        sector_size=reader.size(item, "sector_size", place),
        blockdev=reader.text(item, "blockdev", place),
        name=reader.text(item, "name", place),
        enabled=item.get("state") != "disabled",
        usable=size,
        target_node=_node(reader, item, "target_node", place),
    )


def _dax(
    reader: JsonReader, item: dict[str, Any], dev: str, above: tuple[dict[str, Any], ...], place: str
) -> DaxFact | None:
    if "size" not in item or _is_namespace(item):
        return None  # a namespace names its chardev without describing it
    size = reader.size(item, "size", place)
    if size is None:
        return None
    ranges = []
    mappings = item.get("mappings")
    for index, mapping in enumerate(mappings if isinstance(mappings, list) else ()):
        if isinstance(mapping, dict):
            spot = f"{place}.mappings[{index}]"
            start, end = reader.size(mapping, "start", spot), reader.size(mapping, "end", spot)
            if start is not None and end is not None and end >= start:
                ranges.append(Range(start, end + 1))
            else:
                reader.note(spot, "not a range; left out")
    region = None
    for outer in reversed(above):
        path = outer.get("path")
        if isinstance(path, str) and (found := _PATH_REGION.findall(path)):
            region = found[-1]
            break
        name = outer.get("dev")
        if isinstance(name, str) and (match := _NAMESPACE.fullmatch(name)):
            region = "region" + match[1]
            break
    mode = reader.text(item, "mode", place)
    movable = item.get("movable")
    return DaxFact(
        dev=dev,
        size=size,
        ranges=tuple(ranges),
        align=reader.size(item, "align", place),
        mode=None if item.get("state") == "disabled" else mode,
        target_node=_node(reader, item, "target_node", place),
        region=region,
        blocks=_count(item, "total_memblocks"),
        online=_count(item, "online_memblocks"),
        movable=movable if isinstance(movable, bool) else None,
    )


def _count(item: dict[str, Any], key: str) -> int | None:
    value = item.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 31 else None


def _is_namespace(item: dict[str, Any]) -> bool:
    return isinstance(item.get("dev"), str) and _NAMESPACE.fullmatch(item["dev"]) is not None


def _node(reader: JsonReader, item: dict[str, Any], key: str, place: str) -> int | None:
    value = item.get(key)
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and -1 <= value < 1 << 31:
        return value if value >= 0 else None
    reader.note(f"{place}.{key}".lstrip("."), "not a node number")
    return None
