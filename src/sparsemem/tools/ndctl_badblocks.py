"""Bad blocks in ndctl's JSON: of a region, of the part of it that a device covers, and of a block device (ndctl/json.c)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sparsemem.tools.libndctl_base import ULLONG_MAX

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.tools.daxctl_json import Flags, Json
    from sparsemem.tools.libndctl import Dimm, Region
    from sparsemem.tools.libndctl_devices import Btt, Pfn
    from sparsemem.tools.libndctl_namespace import Namespace

__all__ = ["Badblocks", "btt_badblocks", "namespace_badblocks", "pfn_badblocks", "region_badblocks"]


Badblocks = tuple[int, "list[Json] | None"]
"""How many blocks of 512 bytes, and the objects of the list where media errors are asked for."""


def _parse(text: str | None) -> Iterator[tuple[int, int]]:
    for line in (text or "").splitlines():
        match = re.match(r"\s*(\d+)\s+(\d+)", line)
        if match is None:
            return
        yield int(match[1]), int(match[2])


def _jdimms(region: Region, start: int) -> list[str]:
    """The one DIMM of a region that is not interleaved; of others the firmware would have to tell (Translate SPA)."""
    bus = region.bus
    for each in bus.regions():
        begin = each.resource()
        if begin <= start < begin + each.size:
            mappings = each.mappings()
            found: list[Dimm] = [mappings[0].dimm] if each.ways == 1 and mappings else []
            return [dimm.devname for dimm in found]
    return []


def _entry(region: Region | None, begin: int, offset: int, length: int) -> Json:
    entry: Json = {"offset": offset, "length": length}
    dimms = _jdimms(region, begin) if region is not None else []
    if dimms:
        entry["dimms"] = dimms
    return entry


def region_badblocks(region: Region, flags: Flags) -> Badblocks:
    """All of a region, offsets in blocks from its start."""
    count, found = 0, []
    start = region.resource()
    for offset, length in _parse(region.now("badblocks")):
        count += length
        if "media_errors" in flags:
            if start == ULLONG_MAX:
                return 0, None
            found.append(_entry(region, start + (offset << 9), offset, length))
    return count, found if "media_errors" in flags and count else None


def _within(region: Region, begin: int, size: int, flags: Flags) -> Badblocks:
    count, found = 0, []
    start, end = region.resource(), begin + size - 1
    if start == ULLONG_MAX:
        return 0, None
    for offset, length in _parse(region.now("badblocks")):
        first = start + (offset << 9)
        last = first + (length << 9) - 1
        if last <= begin or first >= end:
            continue
        first, last = max(first, begin), min(last, end)
        blocks = (last - first + 1) >> 9
        count += blocks
        if "media_errors" in flags:
            found.append(_entry(region, first, (first - begin) >> 9, blocks))
    return count, found if "media_errors" in flags and count else None


def namespace_badblocks(ndns: Namespace, blockdev: str, flags: Flags) -> Badblocks:
    """Those of the block device, and only where media errors are asked for."""
    if "media_errors" not in flags:
        return 0, None
    text = ndns.context.read(f"/sys/block/{blockdev}/badblocks") if blockdev else None
    blocks = list(_parse(text))
    count = sum(length for _, length in blocks)
    return count, [_entry(None, 0, *each) for each in blocks] if count else None


def pfn_badblocks(region: Region, pfn: Pfn, flags: Flags) -> Badblocks:
    """Those of the data area of an enabled pfn or dax device."""
    if ULLONG_MAX in (pfn.resource, pfn.size):
        return 0, None
    return _within(region, pfn.resource, pfn.size, flags)


def btt_badblocks(ndns: Namespace, btt: Btt) -> int:
    """How many lie in the namespace below a BTT."""
    if btt.get_namespace() is None or ULLONG_MAX in (ndns.resource, ndns.size):
        return 0
    return _within(ndns.region, ndns.resource, ndns.size, frozenset())[0]
