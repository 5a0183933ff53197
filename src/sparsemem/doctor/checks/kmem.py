"""Device memory as System RAM: what rounding to memory blocks strands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.doctor.check import Check, Kind
from sparsemem.doctor.checks.nothing import no_dax
from sparsemem.doctor.devices import dax_ranges
from sparsemem.doctor.finding import Remedy
from sparsemem.doctor.intervals import Intervals, align_down, align_up, inward, outside
from sparsemem.doctor.needs import BLOCK_SIZE, DAX
from sparsemem.doctor.regions import first_place, ndctl_unit
from sparsemem.doctor.rules import BACK_UP, SMALLER_BLOCKS, finding, remake, replace
from sparsemem.kernel.dax.kmem import string_get_size
from sparsemem.kernel.memory_block_size import cxl_windows
from sparsemem.ranges import Range
from sparsemem.units import format_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.doctor.context import Context
    from sparsemem.doctor.finding import Finding
    from sparsemem.machine.description import DaxFact

__all__ = ["Kmem"]

_FEW = 8
"""More findings of one kind than that are told as one."""
_INFO, _STRUCT_PAGE, _DAX_LABEL = 8192, 64, 128 << 10
"""Bytes in front of a namespace's page array, what libnvdimm reserves for a page, and what some kernels keep free in devdax."""


def _advice(
    ctx: Context, windows: Intervals, parts: tuple[Range, ...], ranges: tuple[Range, ...]
) -> tuple[Remedy, ...]:
    """Where the start is off a block, metadata or firmware put it there; where the end is, the size did."""
    block = format_size(ctx.block_size)
    found = [Remedy("See the device's range.", ("daxctl", "list", "-RDu"))]
    if all(windows.within(r) == (r,) for r in ranges):
        found.append(Remedy(f"Let firmware place the CXL window on multiples of {block}, and size it so."))
        if ctx.kernel.features.block_size_rule != "advised":
            found.append(SMALLER_BLOCKS)
        return tuple(found)
    if any(part.start == r.start for part in parts for r in ranges):
        found.append(
            Remedy(
                f"The start is off a multiple of {block}. Behind a namespace's metadata that can not be helped: it costs at most one "
                "block a device, so one large device loses less than several small ones. Firmware places CXL ranges."
            )
        )
    if any(part.end == r.end for part in parts for r in ranges):
        found.append(Remedy(f"The end is off a multiple of {block}: choose a size that ends on one."))
    return tuple(found)


def _said(ctx: Context, dax: DaxFact, lost: int, kept: int) -> tuple[str, ...]:
    """The lines of dax_kmem. "Too small" prints the range as it was before rounding."""
    f, block = ctx.kernel.features, ctx.block_size
    lines = []
    for index, r in enumerate(dax.ranges):
        if inward(r, block).size == 0 and f.dax_multi_range:
            lines.append(f"kmem {dax.dev}: mapping{index}: {r.start:#x}-{r.end - 1:#x} too small after alignment")
    if kept == 0 and f.kmem_rejects_nothing_left:
        lines.append(f"kmem {dax.dev}: rejecting DAX region without any memory after alignment")
    elif lost and f.kmem_truncation_logged:
        lines.append(f"kmem {dax.dev}: DAX region truncated by {string_get_size(lost)} due to alignment")
    return tuple(lines)


class Kmem(Check):
    """Each dax device: what is lost as RAM, or would be."""

    id = "kmem"
    question = "What does rounding to memory blocks cost each dax device as RAM?"
    about = "device memory as RAM"
    needs = (
        DAX,
        BLOCK_SIZE,
    )
    finds = (
        Kind(
            "kmem-stranded",
            (
                "error",
                "warning",
                "notice",
            ),
            "kmem-alignment",
        ),
        Kind("kmem-unavailable", ("error",), says="up to 5.0"),
    )

    def nothing(self, ctx: Context) -> str | None:
        return no_dax(ctx)

    def run(self, ctx: Context) -> Iterator[Finding]:
        assert ctx.description is not None
        places, small = dax_ranges(ctx.description), 0
        windows = Intervals(window for _, window in cxl_windows(ctx.state.iomem))
        for dax in ctx.description.dax:
            if dax.mode == "system-ram":
                for each in _in_use(ctx, windows, dax, places[dax.dev], look=small < _FEW):
                    small += 1
                    yield each
            elif dax.mode in ("devdax", None):
                for each in _would(ctx, dax, look=small < _FEW):
                    small += 1
                    yield each


def _in_use(
    ctx: Context, windows: Intervals, dax: DaxFact, ranges: tuple[Range, ...], *, look: bool
) -> Iterator[Finding]:
    """A device that is RAM. ``look``: for a namespace that strands nothing."""
    if not ctx.kernel.features.kmem:
        yield finding(
            "kmem-unavailable", "error", f"{dax.dev} is System RAM, and {ctx.kernel} has no driver for that (kmem came with 5.1).", None,
            why="dax_kmem makes System RAM of device memory; without it this memory is not there.",
            ranges=dax.ranges, devices=(dax.dev,), capacity=dax.size, lost=True,
            source='Linux kernel commit c221c0b0308f ("device-dax: "Hotplug" persistent memory for use like normal RAM") (in v5.1)',
        )  # fmt: skip
        return
    block = ctx.block_size
    if not ranges:
        yield from _counted(ctx, dax)
        return
    parts = outside(ranges, block)
    total, lost = sum(r.size for r in ranges), sum(r.size for r in parts)
    if not lost:
        return
    silent = "" if ctx.kernel.features.kmem_truncation_logged else " The kernel says nothing about it."
    if lost == total:
        rejects = ctx.kernel.features.kmem_rejects_nothing_left
        what = (
            f"{dax.dev} holds no whole memory block of {format_size(block)}: none of its {format_size(total)} becomes RAM"
            + (", and the driver refuses it." if rejects else ", though the driver reports success.")
        )
        yield finding(
            "kmem-stranded", "error", what, "kmem-alignment", ranges=parts, devices=(dax.dev,), errno="EINVAL" if rejects else None,
            kernel_says=_said(ctx, dax, lost, 0), capacity=lost, lost=True, remedies=_advice(ctx, windows, parts, ranges),
        )  # fmt: skip
        return
    what = f"{format_size(lost)} of {dax.dev} are lost as RAM: its ends do not lie on memory blocks of {format_size(block)}.{silent}"
    yield finding(
        "kmem-stranded", "warning", what, "kmem-alignment", ranges=parts, devices=(dax.dev,), capacity=lost, lost=True,
        kernel_says=_said(ctx, dax, lost, total - lost),
        remedies=(look and _same_ram(ctx, dax, ranges)) or _advice(ctx, windows, parts, ranges),
    )  # fmt: skip


def _counted(ctx: Context, dax: DaxFact) -> Iterator[Finding]:
    """A device of which only the size and the number of its memory blocks are known."""
    block = ctx.block_size
    lost = dax.size - (dax.blocks or 0) * block
    if not dax.blocks or not 0 < lost < 2 * block:
        return
    silent = "" if ctx.kernel.features.kmem_truncation_logged else " The kernel says nothing about it."
    yield finding(
        "kmem-stranded", "warning",
        f"{format_size(lost)} of {dax.dev} are lost as RAM: it has {dax.size} bytes, of which {dax.blocks} whole memory blocks of "
        f"{format_size(block)} became RAM.{silent}",
        "kmem-alignment", devices=(dax.dev,), capacity=lost, lost=True, kernel_says=_said(ctx, dax, lost, dax.size - lost),
        remedies=(
            Remedy("See where it begins and ends, as root.", ("sudo", "cat", "/proc/iomem")),
            Remedy(
                "What lies in front of the first whole block and behind the last is lost, at most one block at each end: one large device "
                "loses less than several small ones."
            ),
        ),
    )  # fmt: skip


def _would(ctx: Context, dax: DaxFact, *, look: bool) -> Iterator[Finding]:
    """A device that is no RAM: told only where it could not become any. ``look``: for room to make it larger."""
    block = ctx.block_size
    nothing = all(inward(r, block).size == 0 for r in dax.ranges) if dax.ranges else dax.size < block
    if not nothing or not ctx.kernel.features.kmem:
        return
    rejects = ctx.kernel.features.kmem_rejects_nothing_left
    answer = "is refused (-EINVAL)" if rejects else "succeeds, and adds nothing"
    yield finding(
        "kmem-stranded", "notice",
        f"{dax.dev} ({format_size(dax.size)}) holds no whole memory block of {format_size(block)}: making it system-ram {answer}.",
        "kmem-alignment", ranges=dax.ranges, devices=(dax.dev,), errno="EINVAL" if rejects else None,
        kernel_says=_said(ctx, dax, dax.size, 0), capacity=dax.size,
        remedies=(*(_larger(ctx, dax) if look else ()),
                  Remedy(f"Make it larger: a device of less than {format_size(2 * block)} may hold no whole block.")),
    )  # fmt: skip


def _same_ram(ctx: Context, dax: DaxFact, ranges: tuple[Range, ...]) -> tuple[Remedy, ...]:
    """The largest namespace that gives no less RAM and loses least: what it leaves stays free in the region.

    A smaller one has a smaller page array in front, so its data begins earlier. Only where the arithmetic of v5.3 and later (info block,
    64 bytes a page, rounded up to the align) gives the start that the device has.
    """
    assert ctx.description is not None
    f, g, block = ctx.kernel.features, ctx.kernel.geometry, ctx.block_size
    fact = next((n for n in ctx.description.namespaces if n.range is not None and n.range.contains(ranges[0])), None)
    region = next((r for r in ctx.description.regions if fact is not None and r.dev == fact.region), None)
    if fact is None or fact.range is None or region is None or region.labels is not True or len(ranges) > 1:
        return ()
    unit = ndctl_unit(ctx, region)
    if not f.subsection_hotplug or not f.kmem_removes or unit is None or fact.map not in ("dev", "mem"):
        return ()
    whole, align, kept = fact.range, max(fact.align or 0, g.SUBSECTION_SIZE), inward(ranges[0], block).size

    def data(size: int) -> Range:
        array = _STRUCT_PAGE * ((size - _INFO) // g.PAGE_SIZE) if fact.map == "dev" else 0
        return Range(whole.start + align_up(_INFO + array, align), whole.start + align_down(size, align))

    if data(whole.size).start != ranges[0].start or not kept:
        return ()
    least, size, at = ranges[0].size - kept, 0, align_down(whole.size - 1, unit)
    while least and inward(r := data(at), block).size >= kept:
        if r.size - kept < least:
            least, size = r.size - kept, at
        at -= unit
    if not size:
        return ()
    still = f"; {format_size(least)} are still lost" if least else ""
    why = (
        f"Make it anew, of {format_size(size)}: as much becomes RAM, and {format_size(whole.size - size)} stay free in the region{still}. "
        "Nothing must need its RAM meanwhile."
    )
    anew = remake(why, fact.dev, "devdax", size)
    argv = (*anew.argv, *(("-M", "mem") if fact.map == "mem" else ()))
    back, forth = (("daxctl", "reconfigure-device", "-f", "-m", mode, dax.dev) for mode in ("devdax", "system-ram"))
    return (Remedy(why, argv, steps=(back, argv, forth)),)


def _larger(ctx: Context, dax: DaxFact) -> tuple[Remedy, ...]:
    """The least size that holds a whole block behind the metadata, where its region has the room in one piece."""
    assert ctx.description is not None
    fact = next(
        (n for n in ctx.description.namespaces if n.range is not None and any(n.range.overlaps(r) for r in dax.ranges)),
        None,
    )
    region = next((r for r in ctx.description.regions if fact is not None and r.dev == fact.region), None)
    if fact is None or region is None or region.labels is not True:
        return ()
    unit = ndctl_unit(ctx, region) or ctx.block_size
    size = align_up(ctx.block_size, unit)
    while size <= 4 * ctx.block_size and (place := first_place(ctx, region, size, fact)) is not None:
        if _holds_a_block(ctx, place, fact.range):
            why = f"Then make it anew, of {format_size(size)}; the region has the room."
            return (BACK_UP, replace(why, fact.dev, region.dev, "devdax", size))
        size += unit
    return ()


def _holds_a_block(ctx: Context, r: Range, gone: Range | None) -> bool:
    """Does a new devdax namespace there hold a whole memory block? Up to v5.2 counted as if it were padded at both ends, and only where
    nobody else has its first section; ``gone``: what is destroyed before."""
    g, block = ctx.kernel.geometry, ctx.block_size
    start, end = r
    if not ctx.kernel.features.subsection_hotplug:
        start, end = align_up(start, ctx.section), align_down(end, ctx.section)
        parts = Range(align_down(r.start, ctx.section), r.start), Range(r.end, align_up(r.end, ctx.section))
        left = Intervals(part for each in ctx.mapped.ranges for part in _without(each, gone))
        if any(left.touches(part) for part in parts):
            return False
    first = align_up(start + _INFO + _DAX_LABEL + _STRUCT_PAGE * (r.size // g.PAGE_SIZE), g.PMD_SIZE)
    return inward(Range(min(first, end), end), block).size > 0


def _without(r: Range, gone: Range | None) -> tuple[Range, ...]:
    if gone is None or not r.overlaps(gone):
        return (r,)
    parts = Range(r.start, max(r.start, gone.start)), Range(min(r.end, gone.end), r.end)
    return tuple(part for part in parts if part.size)
