"""A listing of ndctl alone, as people paste it: sizes of regions and namespaces, nothing of RAM, and mostly no address.

What follows from the sizes is taken (a namespace that leaves nothing free is all of its region); what does not follow is assumed in the way
that does the least harm, and each assumption is a note: a region begins on a multiple of 1 GiB, behind the one before it.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from sparsemem.errors import InputError
from sparsemem.machine.description import NamespaceFact, Note, RegionFact
from sparsemem.ranges import Range
from sparsemem.units import GIB, MIB, format_size

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sparsemem.machine.description import MachineDescription

__all__ = ["check_whole", "place"]

_UNIT = GIB
"""Where an assumed region begins: a multiple of every align, section and memory block but the largest, 2 GiB."""
_FIRST = 4 * GIB
_WAYS = (1, 2, 3, 4, 6, 8, 12, 16)


def place(
    regions: tuple[RegionFact, ...], namespaces: tuple[NamespaceFact, ...], source: str
) -> tuple[tuple[RegionFact, ...], tuple[NamespaceFact, ...], tuple[Note, ...]]:
    """The regions with an address each, the namespaces with theirs where the sizes tell it, and what was assumed."""
    if not any(region.size and region.type in (None, "pmem") for region in regions):
        return regions, namespaces, ()
    notes = [Note(source, "", "it tells nothing of RAM: what RAM and device memory do to each other is not judged")]
    taken = [region.range for region in regions if region.range is not None]
    found: list[RegionFact] = []
    for region in sorted(regions, key=_number):
        own = [fact for fact in namespaces if fact.region == region.dev and fact.size]
        if region.type not in (None, "pmem") or not region.size:
            found.append(region)
            continue
        region = _with_dimms(region, own, notes, source)
        if region.range is None:
            start = _free_place(taken, region.size)
            region = replace(region, range=Range(start, start + region.size))
            taken.append(Range(start, start + region.size))
            notes.append(Note(source, region.dev, f"its address is not told: taken to begin at {start:#x}"))
        found.append(region)
    placed = {region.dev: region for region in found}
    found.sort(key=lambda region: [each.dev for each in regions].index(region.dev))
    return tuple(found), tuple(_in_region(fact, namespaces, placed, notes, source) for fact in namespaces), tuple(notes)


def check_whole(description: MachineDescription) -> None:
    """Are the namespaces of every region there? Raises InputError: a plan would take what they have for free."""
    for region in description.regions:
        free = region.available_size
        own = any(fact.region == region.dev and fact.size for fact in description.namespaces)
        if free is not None and free < region.size and not own:
            raise InputError(
                f"{region.dev} has namespaces that are not told: {format_size(region.size - free)} of it are taken",
                where=description.source,
                remedy="list the namespaces, too: ndctl list -RNv (with -i, those that are idle)",
            )


def _number(region: RegionFact) -> int:
    return int(re.sub(r"\D", "", region.dev) or 0)


def _free_place(taken: Iterable[Range], size: int) -> int:
    """The lowest multiple of the unit from 4 GiB up with that much room."""
    at = _FIRST
    for r in sorted(taken):
        if at + size <= r.start:
            break
        at = max(at, -(-r.end // _UNIT) * _UNIT)
    return at


def _with_dimms(region: RegionFact, own: list[NamespaceFact], notes: list[Note], source: str) -> RegionFact:
    """How many DIMMs it is interleaved over, and whether labels divide it.

    The kernel makes the align of a region from 16 MiB and the number of DIMMs (rule region-align): 48, 96 or 192 MiB tell it.
    """
    if region.mappings is None:
        ways = next((n for n in _WAYS if region.align == (16 * MIB if 16 % n == 0 else 16 * MIB * n)), 1)
        if region.size % ways:
            ways = 1
        how = (
            f"follows from its align of {format_size(region.align)}"
            if region.align and ways > 1
            else "is not told: taken for 1"
        )
        what = f"the number of its DIMMs {how}" if ways == 1 else f"that it is interleaved over {ways} DIMMs {how}"
        notes.append(Note(source, region.dev, what))
        region = replace(region, mappings=ways)
    if region.labels is None and (not own or all(fact.uuid is not None for fact in own)) and region.available_size:
        region = replace(region, labels=True)
    return region


def _in_region(
    fact: NamespaceFact,
    every: tuple[NamespaceFact, ...],
    regions: dict[str, RegionFact],
    notes: list[Note],
    source: str,
) -> NamespaceFact:
    """Its extent, where it is the only one there and the free space tells how much it has of the region."""
    region = regions.get(fact.region)
    if fact.range is not None or not fact.size or region is None or region.range is None:
        return fact
    alone = [each for each in every if each.region == fact.region and each.size] == [fact]
    free = region.available_size
    if not alone or free is None or region.size - free < fact.size:
        notes.append(Note(source, fact.dev, "where it lies, and its raw size, do not follow from this listing"))
        return fact
    extent = Range(region.range.start, region.range.end - free)
    if free:
        notes.append(Note(source, fact.dev, f"taken to lie at the start of {region.dev}"))
    usable = fact.usable if fact.usable is not None else fact.size
    return replace(fact, range=extent, size=extent.size, usable=usable)
