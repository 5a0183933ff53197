"""``/sys/bus/dax/devices``: device-dax devices, their ranges and their driver.

Linux kernel v7.2, drivers/dax/bus.c: ``mappingN/start`` and ``end`` (inclusive; root only, since v5.10), ``resource``
(the first range, root only), ``driver`` is ``device_dax`` or ``kmem``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sparsemem.machine.description import DaxFact
from sparsemem.ranges import Range
from sparsemem.readers.text import hex_int, number

if TYPE_CHECKING:
    from sparsemem.readers.source import Source

__all__ = ["read_dax"]

DIRECTORY = "/sys/bus/dax/devices"
DRIVERS = {"device_dax": "devdax", "kmem": "system-ram"}
_REGION = re.compile(r"/(region\d{1,9}|dax_region\d{1,9}|hmem\.\d{1,9})(?=/)")


def read_dax(source: Source) -> tuple[DaxFact, ...]:
    """The dax devices of a machine that have a size (seeds have none), in the order of their numbers."""
    before = set(source.unreadable)
    names = source.listdir(DIRECTORY, r"dax\d{1,9}\.\d{1,9}")
    facts = tuple(fact for name in names if (fact := _device(source, name)) is not None)
    hidden = source.denied(before)
    if hidden:
        devices = ", ".join(dict.fromkeys(match[0] for path in hidden if (match := re.search(r"dax\d+\.\d+", path))))
        source.note(
            DIRECTORY, f"addresses of {devices} cannot be read; run as root to see them", hidden[0].rpartition("/")[2]
        )
    return facts


def _device(source: Source, name: str) -> DaxFact | None:
    directory = f"{DIRECTORY}/{name}"
    text = source.value(f"{directory}/size")
    size = number(text)
    if size is None:
        source.note(
            f"{directory}/size",
            "the size of this device is not known; left out" if text is None else f"not a number: {text[:40]!r}",
        )
        return None
    if size == 0:
        return None
    driver = source.driver(directory)
    if driver is not None and driver not in DRIVERS:
        source.note(f"{directory}/driver", f"not a driver this reader knows: {driver[:40]!r}")
    path = source.realpath(directory) or ""
    regions = _REGION.findall(path)
    target = source.value(f"{directory}/target_node")
    return DaxFact(
        dev=name,
        size=size,
        ranges=_ranges(source, directory, size),
        align=number(source.value(f"{directory}/align")),
        mode=DRIVERS.get(driver or ""),
        target_node=number(target),
        region=regions[-1] if regions else None,
    )


def _ranges(source: Source, directory: str, size: int) -> tuple[Range, ...]:
    ranges = []
    for mapping in source.listdir(directory, r"mapping\d{1,9}"):
        start_text = source.value(f"{directory}/{mapping}/start", quiet=True)
        end_text = source.value(f"{directory}/{mapping}/end", quiet=True)
        start, end = hex_int(start_text), hex_int(end_text)
        if start is None or end is None or end < start:
            if start_text is not None and end_text is not None:
                source.note(f"{directory}/{mapping}", f"not a range: {start_text[:40]!r} to {end_text[:40]!r}")
            continue
        ranges.append(Range(start, end + 1))
    if ranges:
        return tuple(ranges)
    text = source.value(f"{directory}/resource", quiet=True)
    start = hex_int(text)
    # 0 and all ones are what the kernel prints for a device without ranges.
    return (Range(start, start + size),) if start and start < (1 << 64) - 1 - size else ()
