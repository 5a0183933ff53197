"""Persistent memory that is there and can not be used: free space off the region's align, cut namespaces, wasted page arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.doctor.finding import Remedy
from sparsemem.doctor.intervals import Intervals, align_down, align_up
from sparsemem.doctor.rules import BACK_UP, finding
from sparsemem.ranges import Range
from sparsemem.units import MIB, format_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.doctor.context import Context
    from sparsemem.doctor.finding import Finding
    from sparsemem.machine.description import NamespaceFact, RegionFact

__all__ = ["cut_namespaces", "free_space", "page_arrays", "region_align"]


def region_align(ctx: Context, region: RegionFact) -> int | None:
    """Bytes that namespaces of the region are multiples of (v5.7 and later): as read, or as the kernel chooses; None when unknown."""
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


def free_space(ctx: Context) -> Iterator[Finding]:
    """Labelled regions: free extents, counted inward to the align, as the kernel hands them out."""
    assert ctx.description is not None
    for region in ctx.description.regions:
        own = [fact for fact in ctx.description.namespaces if fact.region == region.dev]
        align = region_align(ctx, region)
        if (
            region.range is None
            or region.labels is not True
            or not own
            or align is None
            or any(n.range is None for n in own)
        ):
            continue
        yield from _region(ctx, region, region.range, own, align)


def _region(ctx: Context, region: RegionFact, whole: Range, own: list[NamespaceFact], align: int) -> Iterator[Finding]:
    taken = Intervals(fact.range for fact in own if fact.range is not None)
    gaps: list[Range] = []
    at = whole.start
    for r in taken.ranges:
        gaps.append(Range(at, r.start))
        at = max(at, r.end)
    gaps.append(Range(at, whole.end))
    gaps = [gap for gap in gaps if gap.size > 0]
    lost: list[Range] = []
    for gap in gaps:
        start = whole.start + align_up(gap.start - whole.start, align)
        end = whole.start + align_down(gap.end - whole.start, align)
        if start >= end:
            lost.append(gap)
        else:
            lost += [part for part in (Range(gap.start, start), Range(end, gap.end)) if part.size]
    if not lost:
        return
    size = sum(part.size for part in lost)
    # A rest below the align at the end of a region whose own size is no multiple is nobody's fault.
    tail = whole.size % align
    misplaced = [
        fact.dev for fact in own if fact.range and ((fact.range.start - whole.start) % align or fact.range.size % align)
    ]
    if not misplaced and size <= tail:
        return
    yield finding(
        "region-align-finding", "notice",
        f"{format_size(size)} of free space in {region.dev} can not be given out: namespaces there start and end off the region's align "
        f"of {format_size(align)}.",
        "region-align", ranges=tuple(lost), devices=tuple(misplaced) or (region.dev,), capacity=size, lost=True,
        remedies=(
            Remedy("See what the region asks of new namespaces.", ("cat", f"/sys/bus/nd/devices/{region.dev}/align")),
            Remedy("To get the space back, save the data of these namespaces and make them anew with sizes that are multiples of it."),
        ),
    )  # fmt: skip


def cut_namespaces(ctx: Context) -> Iterator[Finding]:
    """fsdax and devdax namespaces that an old kernel padded: their data ends before they do, or their mapping starts late."""
    for device in ctx.devices:
        fact = device.namespace
        if fact is None or fact.mode not in ("fsdax", "devdax") or fact.range is None:
            continue
        start, end = fact.range
        if device.answer is not None and device.answer.operation.ranges:
            start = max(start, device.answer.operation.ranges[0].start)
        if fact.data is not None and start < fact.data.end < end:
            # less than the alignment is the normal rounding of the end
            align = max(fact.align or 0, ctx.kernel.geometry.SUBSECTION_SIZE)
            end = fact.data.end if end - fact.data.end >= align else end
        parts = tuple(part for part in (Range(fact.range.start, start), Range(end, fact.range.end)) if part.size > 0)
        if not parts:
            continue
        size = sum(part.size for part in parts)
        what = f"{fact.dev} does not use {format_size(size)} at its {'start' if start > fact.range.start else 'end'}: a kernel up to 5.2 "
        what += "cut it at a section boundary when it was made."
        if start > fact.range.start:
            what += " With a start_pad, direct access (DAX) is off although block I/O works."
        yield finding(
            "start-pad", "warning", what, "section-padding", ranges=parts, devices=(fact.dev,), capacity=size, lost=True,
            remedies=(
                BACK_UP,
                Remedy("Make it anew on a kernel from 5.3 on.", ("ndctl", "create-namespace", "-f", "-e", fact.dev)),
            ),
        )  # fmt: skip


def page_arrays(ctx: Context) -> Iterator[Finding]:
    """map=dev on x86-64: the page array of a section that is only partly the namespace's comes from RAM all the same."""
    g, f = ctx.kernel.geometry, ctx.kernel.features
    if not f.subsection_hotplug or ctx.kernel.arch != "x86_64":
        return
    per_byte = g.PAGE_SIZE // g.sizeof_struct_page
    parts: list[Range] = []
    names: list[str] = []
    for device in ctx.devices:
        fact = device.namespace
        if fact is None or fact.map != "dev" or not device.live or not ctx.mapped.touches(device.range):
            continue
        r = device.span
        if r.start // ctx.section == (r.end - 1) // ctx.section:
            mine = [r] if r.size < ctx.section else []
        else:
            head, tail = Range(r.start, align_up(r.start, ctx.section)), Range(align_down(r.end, ctx.section), r.end)
            mine = [part for part in (head, tail) if part.size]
        if mine:
            parts += mine
            names.append(device.name)
    if parts:
        cost = sum(part.size for part in parts) // per_byte
        yield finding(
            "info-block-altmap-in-ram", "notice",
            f"{format_size(cost)} of RAM hold page arrays that map=dev was to keep in the device: these namespaces fill their first or "
            "last section only partly.",
            "altmap-exhausted", why="x86-64 takes the page array of a section that is filled only partly from RAM, and that of a whole "
            "section from the device; the room reserved for it in the device is wasted.",
            ranges=tuple(sorted(parts)), devices=tuple(names), capacity=cost,
            source="arch/x86/mm/init_64.c vmemmap_populate (read in 5.10, 6.1, 6.12, 7.2)",
        )  # fmt: skip
