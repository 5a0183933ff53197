"""How a namespace can be made anew on the kernel at hand: remedies are written for new kernels, and old ones need more."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sparsemem.doctor.intervals import align_down, align_up
from sparsemem.doctor.regions import first_place
from sparsemem.doctor.rules import destroy_and_create
from sparsemem.doctor.verdict import altmap_too_small
from sparsemem.ranges import Range

if TYPE_CHECKING:
    from sparsemem.doctor.context import Context
    from sparsemem.doctor.finding import Remedy
    from sparsemem.machine.description import NamespaceFact, RegionFact

__all__ = ["for_kernel"]

_CREATE = ("ndctl", "create-namespace", "-f")
_IN_RAM = (
    " Its page array goes to RAM (-M mem): up to 5.2 one that begins inside a section may have no room in the device."
)


def for_kernel(remedy: Remedy, ctx: Context) -> Remedy:
    """The remedy as this kernel takes it; unchanged where it makes no namespace anew, or where the kernel is new."""
    if ctx.kernel.features.subsection_hotplug or ctx.description is None or not remedy.steps:
        return remedy
    return _page_array(_in_two_steps(remedy, ctx), ctx)


def _of(ctx: Context, name: str) -> tuple[NamespaceFact | None, RegionFact | None]:
    assert ctx.description is not None
    fact = next((each for each in ctx.description.namespaces if each.dev == name), None)
    region = next((each for each in ctx.description.regions if fact is not None and each.dev == fact.region), None)
    return fact, region


def _in_two_steps(remedy: Remedy, ctx: Context) -> Remedy:
    """For kernels without ``renamed_label_reaped``: ``create-namespace -e`` gives the namespace a new uuid, and they go on tracking the
    label of the old one. Where the region has no other free entry for a label, that fails ("failed to track label"); where it has one, the
    old label stays, and at the next boot two labels claim the same bytes. A namespace that is destroyed first leaves no label."""
    words = remedy.steps[0]
    if ctx.kernel.features.renamed_label_reaped or len(remedy.steps) != 1 or words[:4] != (*_CREATE, "-e"):
        return remedy
    fact, region = _of(ctx, words[4])
    if fact is None or fact.range is None or (region is not None and region.labels is False):
        return remedy
    size = () if "-s" in words else ("-s", str(fact.range.size))
    return destroy_and_create(remedy.why, fact.dev, fact.region, *words[5:], *size)


def _page_array(remedy: Remedy, ctx: Context) -> Remedy:
    """With its page array in RAM where it would have no room in the device (``altmap_too_small``)."""
    last = remedy.steps[-1]
    if last[:3] != _CREATE or "-M" in last or not {"fsdax", "devdax"}.intersection(last):
        return remedy
    anew = last[3] == "-e"
    fact, region = _of(ctx, last[4] if anew else remedy.steps[0][-1])
    if fact is None or fact.range is None or region is None or region.range is None:
        return remedy
    size = int(last[last.index("-s") + 1]) if "-s" in last else fact.range.size
    place = Range(fact.range.start, fact.range.start + size) if anew else first_place(ctx, region, size, fact)
    if place is None or not altmap_too_small(ctx, _unpadded(ctx, place, region.range)):
        return remedy
    steps = (*remedy.steps[:-1], (*last, "-M", "mem"))
    argv = steps[0] if remedy.argv == remedy.steps[0] else remedy.argv
    return replace(remedy, why=remedy.why + _IN_RAM, argv=argv, steps=steps)


def _unpadded(ctx: Context, r: Range, region: Range) -> Range:
    """What these kernels leave of a new namespace: they pad it to sections against RAM and the other regions."""

    def shared(start: int, end: int) -> bool:
        return start < end and (ctx.ram.touches(Range(start, end)) or ctx.regions.touches(Range(start, end)))

    start = align_up(r.start, ctx.section) if shared(align_down(r.start, ctx.section), region.start) else r.start
    end = align_down(r.end, ctx.section) if shared(region.end, align_up(r.end, ctx.section)) else r.end
    return Range(start, max(start, end))
