"""What a libnvdimm region gives out, and in which units. Bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.doctor.intervals import Intervals, align_down, align_up
from sparsemem.kernel.ioport import IORES_DESC_PERSISTENT_MEMORY_LEGACY
from sparsemem.ranges import Range
from sparsemem.units import MIB

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sparsemem.doctor.context import Context
    from sparsemem.doctor.devices import Device
    from sparsemem.kernel.ioport import Resource
    from sparsemem.machine.description import NamespaceFact, RegionFact

__all__ = ["all_there_is", "first_place", "free_extents", "is_legacy", "ndctl_unit", "region_align"]


def region_align(ctx: Context, region: RegionFact) -> int | None:
    """What namespaces of the region are multiples of (v5.7 and later): as read, or as the kernel chooses; None when unknown."""
    f = ctx.kernel.features
    if not f.region_align_attribute:
        return None
    if region.align and ctx.own_kernel:
        return region.align
    if region.mappings is None:
        return region.align
    align = 16 * MIB
    if region.size < align and not f.region_align_too_big_for_small_regions:
        align = ctx.kernel.page_size
    ways = max(1, region.mappings)
    return align if align % ways == 0 else align * ways


def ndctl_unit(ctx: Context, region: RegionFact) -> int | None:
    """What ndctl asks of ``--size``: interleave ways times the usual align of 2 MiB; the region's align where there is one."""
    align = region_align(ctx, region)
    if align is not None:
        return align
    return None if region.mappings is None else max(1, region.mappings) * 2 * MIB


def free_extents(
    whole: Range, taken: Iterable[Range], align: int | None
) -> tuple[tuple[Range, ...], tuple[Range, ...]]:
    """(what can be given out, what can not): free extents, counted inward to the align as the kernel does; all of it without one."""
    gaps: list[Range] = []
    at = whole.start
    for r in Intervals(taken).ranges:
        gaps.append(Range(at, max(r.start, at)))
        at = max(at, r.end)
    gaps.append(Range(at, max(whole.end, at)))
    free: list[Range] = []
    lost: list[Range] = []
    for gap in (each for each in gaps if each.size > 0):
        start, end = gap
        if align:
            start = whole.start + align_up(gap.start - whole.start, align)
            end = whole.start + align_down(gap.end - whole.start, align)
        if start >= end:
            lost.append(gap)
            continue
        free.append(Range(start, end))
        lost += [part for part in (Range(gap.start, start), Range(end, gap.end)) if part.size]
    return tuple(free), tuple(lost)


def first_place(ctx: Context, region: RegionFact, size: int, gone: NamespaceFact) -> Range | None:
    """Where the kernel puts a new namespace of ``size`` bytes once ``gone`` is destroyed: in the first free extent that is large enough."""
    assert ctx.description is not None
    if region.range is None:
        return None
    own = (n for n in ctx.description.namespaces if n.region == region.dev and n.dev != gone.dev)
    free, _ = free_extents(region.range, (n.range for n in own if n.range is not None), region_align(ctx, region))
    return next((Range(gap.start, gap.start + size) for gap in free if gap.size >= size), None)


def _around(ctx: Context, device: Device) -> Resource | None:
    """The entry at the top of the iomem tree that the device lies in."""
    return next((r for r in ctx.state.iomem.children if r.start <= device.range.start <= r.end), None)


def is_legacy(ctx: Context, device: Device) -> bool:
    """Memory of memmap=, which has struct pages in raw mode, too."""
    around = _around(ctx, device)
    return around is not None and around.desc == IORES_DESC_PERSISTENT_MEMORY_LEGACY


def all_there_is(ctx: Context, device: Device) -> bool:
    """A namespace that is all of its region, without labels: made anew it is the same, so the region has to change."""
    if device.region is not None and device.region.labels is True:
        return False
    around = _around(ctx, device)
    whole = Range(around.start, around.end + 1) if around is not None else None
    return device.range in (whole, device.region.range if device.region is not None else whole)
