"""Device memory as System RAM: what rounding to memory blocks strands."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from sparsemem.doctor.finding import Remedy
from sparsemem.doctor.intervals import align_down, align_up
from sparsemem.doctor.rules import finding
from sparsemem.ranges import Range
from sparsemem.units import MIB, format_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.doctor.context import Context
    from sparsemem.doctor.finding import Finding
    from sparsemem.kernel.ioport import Resource
    from sparsemem.machine.description import DaxFact

__all__ = ["cxl_windows", "inward", "kmem", "string_get_size"]


def _advice(ctx: Context, dax: DaxFact, parts: tuple[Range, ...], ranges: tuple[Range, ...]) -> tuple[Remedy, ...]:
    """Where the start is off a block, metadata or firmware put it there; where the end is, the size did."""
    block = format_size(ctx.block_size)
    found = [Remedy("See the device's range.", ("daxctl", "list", "-RDu"))]
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


def string_get_size(size: int) -> str:
    """Three digits and a binary unit, as the kernel's ``string_get_size(STRING_UNITS_2)`` prints: ``126 MiB``, ``1.87 GiB``."""
    unit, value = 0, size
    while value >> (10 * (unit + 1)):
        unit += 1
    whole, rest = divmod(size, 1 << (10 * unit))
    digits = 0 if unit == 0 or whole >= 100 else 1 if whole >= 10 else 2
    name = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")[unit]
    if not digits:
        whole += rest * 2 >= 1 << (10 * unit)
        return f"{whole} {name}"
    fraction = (rest * 10**digits + (1 << (10 * unit)) // 2) >> (10 * unit)
    whole, fraction = whole + fraction // 10**digits, fraction % 10**digits
    return f"{whole}.{fraction:0{digits}d} {name}"


def inward(r: Range, block: int) -> Range:
    """``dax_kmem_range``: start up, end down to memory blocks; empty (end at start) where nothing is left."""
    start, end = align_up(r.start, block), align_down(r.end, block)
    return Range(start, max(start, end))


def _outside(ranges: tuple[Range, ...], block: int) -> tuple[Range, ...]:
    lost: list[Range] = []
    for r in ranges:
        kept = inward(r, block)
        if kept.size == 0:
            lost.append(r)
        else:
            lost += [part for part in (Range(r.start, kept.start), Range(kept.end, r.end)) if part.size]
    return tuple(lost)


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


def _ranges(ctx: Context, dax: DaxFact) -> tuple[Range, ...]:
    """The device's ranges. Where only iomem tells of it, its metadata's end there is where the data begins."""
    assert ctx.description is not None
    if ctx.description.iomem is None:
        return dax.ranges
    for top in ctx.description.iomem.children:
        for left, right in pairwise(top.children):
            if right.name == dax.dev and dax.ranges and right.start == dax.ranges[0].start and _metadata(left, dax):
                return (Range(left.end + 1, dax.ranges[0].end), *dax.ranges[1:])
    return dax.ranges


def _metadata(res: Resource, dax: DaxFact) -> bool:
    return res.name == f"namespace{dax.dev[3:]}"


def kmem(ctx: Context) -> Iterator[Finding]:
    """Each dax device: what is lost as RAM, or would be."""
    assert ctx.description is not None
    for dax in ctx.description.dax:
        if dax.mode == "system-ram":
            yield from _in_use(ctx, dax)
        elif dax.mode in ("devdax", None):
            yield from _would(ctx, dax)


def _in_use(ctx: Context, dax: DaxFact) -> Iterator[Finding]:
    if not ctx.kernel.features.kmem:
        yield finding(
            "kmem-unavailable", "error", f"{dax.dev} is System RAM, and {ctx.kernel} has no driver for that (kmem came with 5.1).", None,
            why="dax_kmem makes System RAM of device memory; without it this memory is not there.",
            ranges=dax.ranges, devices=(dax.dev,), capacity=dax.size, lost=True,
            source='Linux kernel commit c221c0b0308f ("device-dax: "Hotplug" persistent memory for use like normal RAM") (in v5.1)',
        )  # fmt: skip
        return
    ranges, block = _ranges(ctx, dax), ctx.block_size
    if not ranges:
        return
    parts = _outside(ranges, block)
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
            kernel_says=_said(ctx, dax, lost, 0), capacity=lost, lost=True, remedies=_advice(ctx, dax, parts, ranges),
        )  # fmt: skip
        return
    what = f"{format_size(lost)} of {dax.dev} are lost as RAM: its ends do not lie on memory blocks of {format_size(block)}.{silent}"
    yield finding(
        "kmem-stranded", "warning", what, "kmem-alignment", ranges=parts, devices=(dax.dev,), capacity=lost, lost=True,
        kernel_says=_said(ctx, dax, lost, total - lost), remedies=_advice(ctx, dax, parts, ranges),
    )  # fmt: skip


def _would(ctx: Context, dax: DaxFact) -> Iterator[Finding]:
    """A device that is no RAM: told only where it could not become any."""
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
        remedies=(Remedy(f"Make it larger: a device of less than {format_size(2 * block)} may hold no whole block."),),
    )  # fmt: skip


def cxl_windows(ctx: Context) -> Iterator[Finding]:
    """CXL windows that are no whole memory blocks: what of them could never become RAM."""
    block = ctx.block_size
    for res in ctx.state.iomem.children:
        if not (res.name or "").startswith("CXL Window"):
            continue
        r = Range(res.start, res.end + 1)
        if r.start % (256 * MIB) or r.end % (256 * MIB):
            said = (
                ("CFMWS: [BIOS BUG] base/size alignment violates spec",)
                if ctx.kernel.features.block_size_rule == "advised"
                else ()
            )
            yield finding(
                "cxl-window-alignment", "warning", f"{res.name} does not start and end on multiples of 256 MiB: a firmware bug.",
                "cxl-window-alignment", ranges=(r,), devices=(str(res.name),), kernel_says=said, capacity=r.size,
                remedies=(Remedy("Ask the firmware's vendor; windows are multiples of 256 MiB times their interleave ways."),),
            )  # fmt: skip
        lost = _outside((r,), block)
        if lost:
            size = sum(part.size for part in lost)
            yield finding(
                "kmem-stranded", "warning",
                f"{format_size(size)} of {res.name} lie outside whole memory blocks of {format_size(block)} and can not become RAM.",
                "kmem-alignment", ranges=lost, devices=(str(res.name),), capacity=size, lost=True,
                remedies=(
                    Remedy("Let firmware place the window on multiples of the memory block size, and size it so."),
                    Remedy("Or boot kernel 6.16 or later, which makes memory blocks small enough for the windows.",
                           ("sparsemem", "doctor", "--kernel", "6.18")),
                ),
            )  # fmt: skip
