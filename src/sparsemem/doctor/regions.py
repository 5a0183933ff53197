"""What a libnvdimm region gives out, and in which units. Bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.doctor.intervals import Intervals, align_down, align_up
from sparsemem.ranges import Range
from sparsemem.units import MIB

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sparsemem.doctor.context import Context
    from sparsemem.machine.description import RegionFact

__all__ = ["free_extents", "ndctl_unit", "region_align"]


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
