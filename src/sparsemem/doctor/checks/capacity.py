"""Persistent memory that is there and can not be used: free space off the region's align, cut namespaces, wasted page arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.doctor.check import Check, Kind
from sparsemem.doctor.checks.nothing import no_namespaces, no_regions
from sparsemem.doctor.finding import Remedy
from sparsemem.doctor.intervals import align_down, align_up
from sparsemem.doctor.needs import NAMESPACES, REGIONS
from sparsemem.doctor.regions import free_extents, region_align
from sparsemem.doctor.rules import BACK_UP, cure, finding, remake, replace
from sparsemem.ranges import Range
from sparsemem.units import format_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.doctor.context import Context
    from sparsemem.doctor.finding import Finding
    from sparsemem.machine.description import NamespaceFact, RegionFact

__all__ = ["CutNamespaces", "FreeSpace", "PageArrays"]


class FreeSpace(Check):
    """Labelled regions: free extents, counted inward to the align, as the kernel hands them out."""

    id = "free-space"
    question = "Which free space of a region can not be given out?"
    about = "free space that can not be given out"
    needs = (REGIONS, NAMESPACES)
    finds = (Kind("region-align-finding", ("warning", "notice"), "region-align"),)

    def nothing(self, ctx: Context) -> str | None:
        return no_regions(ctx)

    def run(self, ctx: Context) -> Iterator[Finding]:
        assert ctx.description is not None
        by_region: dict[str, list[NamespaceFact]] = {}
        for fact in ctx.description.namespaces:
            by_region.setdefault(fact.region, []).append(fact)
        for region in ctx.description.regions:
            own = by_region.get(region.dev, [])
            align = region_align(ctx, region)
            if align is not None and region.size < align and region.labels is True and not own:
                yield _too_small(region, align)
                continue
            if (
                region.range is None
                or region.labels is not True
                or not own
                or align is None
                or any(n.range is None for n in own)
            ):
                continue
            yield from _region(ctx, region, region.range, own, align)


def _too_small(region: RegionFact, align: int) -> Finding:
    """A region below its own align, as 5.7 to 5.17 made it: there is no size that could be asked for."""
    return finding(
        "region-align-finding", "warning",
        f"No namespace can be made in {region.dev}: it has {format_size(region.size)}, and namespaces are multiples of its align of "
        f"{format_size(align)}.",
        "region-align", ranges=(region.range,) if region.range is not None else (), devices=(region.dev,), errno="ENOSPC",
        capacity=region.size, lost=True,
        remedies=(
            cure("Lower the align of the region to a page.", "sh", "-c", f"echo 4096 > /sys/bus/nd/devices/{region.dev}/align"),
            Remedy("Or boot kernel 5.18 or later (5.10.110, 5.15.33): there a region that small has an align of a page."),
        ),
    )  # fmt: skip


def _region(ctx: Context, region: RegionFact, whole: Range, own: list[NamespaceFact], align: int) -> Iterator[Finding]:
    _, lost = free_extents(whole, (fact.range for fact in own if fact.range is not None), align)
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
        "region-align", ranges=lost, devices=tuple(misplaced) or (region.dev,), capacity=size, lost=True,
        remedies=(
            Remedy("See what the region asks of new namespaces.", ("cat", f"/sys/bus/nd/devices/{region.dev}/align")),
            Remedy("To get the space back, save the data of these namespaces and make them anew with sizes that are multiples of it.",
                   *_anew([fact for fact in own if fact.dev in misplaced], whole, align)),
        ),
    )  # fmt: skip


def _anew(
    misplaced: list[NamespaceFact], whole: Range, align: int
) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """(the first command, all of them): each of these namespaces with the next smaller legal size, elsewhere where its start is off; none
    where one is too small."""
    steps: list[tuple[str, ...]] = []
    for fact in sorted(misplaced, key=lambda fact: fact.range or whole):
        size = align_down(fact.range.size, align) if fact.range is not None else 0
        if not size or fact.range is None or fact.mode not in ("fsdax", "devdax", "sector"):
            return (), ()
        off = (fact.range.start - whole.start) % align
        anew = replace("", fact.dev, fact.region, fact.mode, size) if off else remake("", fact.dev, fact.mode, size)
        steps += anew.steps
    return (steps[0] if steps else ()), tuple(steps)


class CutNamespaces(Check):
    """fsdax and devdax namespaces that an old kernel padded: their data ends before they do, or their mapping starts late."""

    id = "cut-namespaces"
    question = "Which namespaces did an old kernel cut?"
    about = "namespaces that an old kernel cut"
    needs = (NAMESPACES,)
    finds = (Kind("start-pad", ("warning",), "section-padding"),)

    def nothing(self, ctx: Context) -> str | None:
        return no_namespaces(ctx)

    def run(self, ctx: Context) -> Iterator[Finding]:
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
            parts = tuple(
                part for part in (Range(fact.range.start, start), Range(end, fact.range.end)) if part.size > 0
            )
            if not parts:
                continue
            size = sum(part.size for part in parts)
            where = "start" if start > fact.range.start else "end"
            what = f"{fact.dev} does not use {format_size(size)} at its {where}: a kernel up to 5.2 "
            what += "cut it at a section boundary when it was made."
            if start > fact.range.start:
                what += " With a start_pad, direct access (DAX) is off although block I/O works."
            argv = ("ndctl", "create-namespace", "-f", "-e", fact.dev)
            anew = Remedy("Make it anew on a kernel from 5.3 on.", argv)
            if ctx.kernel.features.subsection_hotplug:
                anew = cure("Then make it anew; this kernel pads nothing.", *argv, "-m", fact.mode)
            yield finding(
                "start-pad", "warning", what, "section-padding", ranges=parts, devices=(fact.dev,), capacity=size, lost=True,
                remedies=(BACK_UP, anew),
            )  # fmt: skip


class PageArrays(Check):
    """map=dev on x86-64: the page array of a section that is only partly the namespace's comes from RAM all the same."""

    id = "page-arrays"
    question = "Which page arrays are in RAM in spite of map=dev?"
    about = "page arrays in RAM in spite of map=dev"
    needs = (NAMESPACES,)
    finds = (Kind("info-block-altmap-in-ram", ("notice",), "altmap-exhausted"),)

    def nothing(self, ctx: Context) -> str | None:
        return no_namespaces(ctx)

    def run(self, ctx: Context) -> Iterator[Finding]:
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
                head, tail = (
                    Range(r.start, align_up(r.start, ctx.section)),
                    Range(align_down(r.end, ctx.section), r.end),
                )
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
