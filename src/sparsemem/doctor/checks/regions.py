"""What can still be made in a region: without labels only one namespace, and none in a section that an old kernel has given away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.doctor.check import Check, Kind
from sparsemem.doctor.checks.nothing import no_regions
from sparsemem.doctor.finding import Remedy
from sparsemem.doctor.intervals import align_up
from sparsemem.doctor.needs import NAMESPACES, REGIONS
from sparsemem.doctor.regions import free_extents, ndctl_unit, region_align
from sparsemem.doctor.rules import BACK_UP, NEWER_KERNEL, finding, remake
from sparsemem.doctor.verdict import answer_verdict, try_mapping
from sparsemem.machine.operations import Operation
from sparsemem.ranges import Range
from sparsemem.units import MIB, format_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.doctor.context import Context
    from sparsemem.doctor.finding import Finding
    from sparsemem.doctor.verdict import Verdict
    from sparsemem.machine.description import NamespaceFact, RegionFact

__all__ = ["FreeInSection", "FreeOffSubSection", "LabelLess"]

_TRIED = 16 * MIB


class LabelLess(Check):
    """A region without labels is one namespace: ``--size`` is ignored or refused, and nothing can be divided."""

    id = "label-less"
    question = "Which regions have no labels, so that they can not be divided?"
    about = "regions without labels"
    needs = (REGIONS,)
    finds = (Kind("label-less-region", ("notice",), "namespace-unlabelled"),)

    def nothing(self, ctx: Context) -> str | None:
        return no_regions(ctx)

    def run(self, ctx: Context) -> Iterator[Finding]:
        assert ctx.description is not None
        for region in ctx.description.regions:
            own = [fact for fact in ctx.description.namespaces if fact.region == region.dev]
            divided = any(fact.mode in ("fsdax", "devdax") and (fact.holder or fact.uuid) for fact in own)
            if region.labels is not False or region.type == "blk" or not divided:
                continue  # nobody tried: a disk image is meant to be one namespace
            dimms = bool(region.mappings)
            what = f"{region.dev} has no labels: {own[0].dev} has all {format_size(region.size)} of it, whatever --size said."
            remedy = (
                Remedy(
                    "If its DIMMs have a label area: write labels (this destroys what the region holds).",
                    ("ndctl", "init-labels", "-f", "all"),
                )
                if dimms
                else Remedy(
                    "Memory of memmap= or of a virtio device has no label area: divide it there, with several ranges."
                )
            )
            yield finding(
                "label-less-region",
                "notice",
                what,
                "namespace-unlabelled",
                ranges=(region.range,) if region.range is not None else (),
                devices=(region.dev,),
                capacity=region.size,
                remedies=(remedy,),
                kernel_says=("Legacy / label-less namespaces do not support sub-dividing a region",),
            )


def _to_section(ctx: Context, region: RegionFact, r: Range) -> int | None:
    """The next legal size with which a namespace that starts there ends on a section; None where no size does."""
    unit = ndctl_unit(ctx, region)
    if unit is None:
        return None
    size = align_up(r.size, unit)
    for _ in range(ctx.section // MIB):
        if (r.start + size) % ctx.section == 0:
            return size
        size += unit
    return None


class FreeInSection(Check):
    """Up to v5.2 the next namespace of a region begins in the section of the last one, and is refused; afterwards the region is stuck."""

    id = "free-in-section"
    question = (
        "Does the free space of a region begin in a section that a namespace has, on a kernel without sub-sections?"
    )
    about = "free space in sections that are taken"
    needs = (REGIONS, NAMESPACES)
    finds = (Kind("free-space-in-taken-section", ("warning",), "conflicting-mapping", "up to 5.2"),)

    def nothing(self, ctx: Context) -> str | None:
        return no_regions(ctx)

    def run(self, ctx: Context) -> Iterator[Finding]:
        assert ctx.description is not None
        if ctx.kernel.features.subsection_hotplug:
            return
        for region in ctx.description.regions:
            own = [fact for fact in ctx.description.namespaces if fact.region == region.dev]
            if region.range is None or region.labels is False or not own or any(fact.range is None for fact in own):
                continue
            free, _ = free_extents(
                region.range, (f.range for f in own if f.range is not None), region_align(ctx, region)
            )
            ends = {f.range.end: f for f in own if f.range is not None and f.enabled}
            for gap in free:
                before = ends.get(gap.start)
                if before is not None and gap.start % ctx.section and before.mode in ("fsdax", "devdax"):
                    yield from self._refused(ctx, region, before, gap)

    def _refused(self, ctx: Context, region: RegionFact, before: NamespaceFact, gap: Range) -> Iterator[Finding]:
        verdict = try_mapping(ctx, Range(gap.start, min(gap.end, gap.start + _TRIED)))
        if not verdict.refused:
            return
        part = Range(gap.start, min(gap.end, align_up(gap.start, ctx.section)))
        assert before.range is not None
        remedies: list[Remedy] = [NEWER_KERNEL, BACK_UP]
        size = _to_section(ctx, region, before.range)
        if size is not None and size - before.range.size <= gap.size:
            remedies.append(
                remake(f"Or make {before.dev} anew, so large that it ends on a section.", before.dev, before.mode, size)
            )
        yield _not_given(
            "free-space-in-taken-section",
            f"The free space of {region.dev} begins at {gap.start:#x}, in the section where {before.dev} ends: the next namespace there is "
            f'refused (-{verdict.errno}; ndctl says "No such device or address"), and what is half made then blocks the ones after it.',
            verdict,
            "up to 5.2",
            part,
            (before.dev, region.dev),
            remedies,
        )


def _not_given(
    topic: str, what: str, verdict: Verdict, kernels: str, part: Range, devices: tuple[str, ...], remedies: list[Remedy]
) -> Finding:
    """Free space whose first part nobody can have, as the kernel said when it was tried."""
    return finding(
        topic, "warning", what, verdict.rule, kernels=kernels, ranges=(part,), devices=devices, errno=verdict.errno,
        kernel_says=verdict.log, capacity=part.size, remedies=tuple(remedies),
    )  # fmt: skip


class FreeOffSubSection(Check):
    """v5.3 to v5.6 give out space where the last namespace ends, on any page, and refuse to map what begins inside a sub-section."""

    id = "free-off-sub-section"
    question = "Does the free space of a region begin inside a sub-section, on a kernel that gives it out all the same?"
    about = "free space off the sub-section"
    needs = (REGIONS, NAMESPACES)
    finds = (Kind("free-space-off-sub-section", ("warning",), "altmap-invalid", "5.3 to 5.6"),)

    def nothing(self, ctx: Context) -> str | None:
        return no_regions(ctx)

    def run(self, ctx: Context) -> Iterator[Finding]:
        assert ctx.description is not None
        f, unit = ctx.kernel.features, ctx.kernel.geometry.SUBSECTION_SIZE
        if not f.subsection_hotplug or f.region_align_attribute:
            return
        for region in ctx.description.regions:
            own = {n.range.end: n for n in ctx.description.namespaces if n.region == region.dev and n.range is not None}
            if region.range is None or region.labels is not True:
                continue
            free, _ = free_extents(region.range, (n.range for n in own.values() if n.range is not None), None)
            for gap in free:
                before = own.get(gap.start)
                if before is not None and gap.start % unit and gap.size > unit:
                    yield from _off(ctx, region, before, gap)


def _off(ctx: Context, region: RegionFact, before: NamespaceFact, gap: Range) -> Iterator[Finding]:
    g = ctx.kernel.geometry
    taken = Range(gap.start, min(gap.end, gap.start + _TRIED))
    array = f"{2 * MIB // g.PAGE_SIZE // 2}:{2 * MIB // g.PAGE_SIZE // 2}"
    answer = ctx.machine.apply(Operation("memremap_pages", (taken,), options=(("altmap", array),)))
    verdict = answer_verdict(answer)
    ctx.machine.undo()
    if not verdict.refused:
        return
    part = Range(gap.start, align_up(gap.start, g.SUBSECTION_SIZE))
    remedies = [
        Remedy(
            "Boot kernel 5.7 or later, which gives out space on multiples of the region's align.",
            ("sparsemem", "doctor", "--kernel", "6.1"),
        ),
        BACK_UP,
    ]
    unit = ndctl_unit(ctx, region)
    if unit is not None and before.range is not None and before.mode in ("fsdax", "devdax"):
        size = align_up(before.range.size, unit)
        if (before.range.start + size) % g.SUBSECTION_SIZE == 0 and size - before.range.size <= gap.size:
            why = f"Or make {before.dev} anew, so large that it ends on a sub-section; and so with the next ones."
            remedies.append(remake(why, before.dev, before.mode, size))
    yield _not_given(
        "free-space-off-sub-section",
        f"The free space of {region.dev} begins at {gap.start:#x}, inside a sub-section of 2 MiB, where {before.dev} ends: the next "
        f"namespace begins there and is refused (-{verdict.errno}).",
        verdict,
        "5.3 to 5.6",
        part,
        (before.dev, region.dev),
        remedies,
    )
