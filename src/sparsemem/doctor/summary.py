"""The numbers of a machine, and why its memory blocks have the size they have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.doctor.finding import Summary
from sparsemem.doctor.intervals import Intervals, align_down, align_up
from sparsemem.kernel.memory_block_size import cxl_windows, memory_block_advise_max_size, memory_block_size_bytes
from sparsemem.ranges import Range
from sparsemem.units import GIB, format_size

if TYPE_CHECKING:
    from sparsemem.doctor.context import Context
    from sparsemem.doctor.finding import Finding

__all__ = ["block_size_why", "stuck_blocks", "summarize"]

_LARGE = 64 * GIB


def stuck_blocks(ctx: Context) -> tuple[int, ...]:
    """Boot blocks that can never go offline: a hole in them (v5.5 and later), more than one zone, or arm64's."""
    state, block = ctx.state, ctx.block_size
    if state.misc.get("boot_memory_stays"):
        return tuple(nr for nr, each in state.blocks.items() if each.early)
    holes = ctx.kernel.features.offline_refuses_holes
    full = Intervals(Range(align_up(r.start, block), align_down(r.end, block)) for r in ctx.ram.ranges)
    return tuple(
        nr
        for nr, each in state.blocks.items()
        if each.early and (each.zone is None or (holes and not full.touches(Range(nr * block, (nr + 1) * block))))
    )


def block_size_why(ctx: Context) -> str:
    """The rule that gives this machine its memory block size, with the numbers that went into it."""
    k, size = ctx.kernel, ctx.block_size
    section, read = k.geometry.SECTION_SIZE, ctx.machine.layout.block_size is not None
    if k.arch in ("ppc64", "s390x"):
        return "firmware chooses it" if read else "the usual one; firmware chooses it, and was not read"
    if k.arch != "x86_64":
        return f"a section of {k.arch} with pages of {format_size(k.geometry.PAGE_SIZE)}"
    top = ctx.ram.ranges[-1].end if ctx.ram.ranges else 0
    if top < _LARGE:
        rule, expected = f"RAM ends at {top:#x}, below 64 GiB: a section", {section}
    else:
        rule, expected = _large(ctx, top)
    if size in expected:
        return rule
    return f"as read; the rule of {k.version} gives another ({rule}), so the command line or the platform set it"


def _large(ctx: Context, top: int) -> tuple[str, set[int]]:
    k, name = ctx.kernel, ctx.kernel.features.block_size_rule
    d = ctx.description
    known = d is None or d.hypervisor is not None
    hypervisor = ctx.machine.layout.hypervisor
    advice = memory_block_advise_max_size(tuple(r for _, r in cxl_windows(ctx.state.iomem)))

    def size(guest: bool) -> int:
        return memory_block_size_bytes(k, top, hypervisor=guest, advice=advice)

    divides = f"the largest size up to 2 GiB that divides the end of RAM, {top:#x}"
    if name == "advised" and advice is not None:
        return (
            f"the largest size up to {format_size(min(advice, 2 * GIB))}, which CXL windows advise, that divides the end of RAM",
            {size(hypervisor)},
        )
    if name == "largest divisor":
        return divides, {size(hypervisor)}
    if not known:
        return f"2 GiB on bare metal, in a virtual machine {divides}", {size(True), size(False)}
    return (
        (f"a virtual machine: {divides}", {size(True)})
        if hypervisor
        else ("bare metal with 64 GiB or more", {size(False)})
    )


def summarize(ctx: Context, findings: list[Finding]) -> Summary:
    """The numbers."""
    shift = ctx.kernel.geometry.PAGE_SHIFT
    live = Intervals(Range(start << shift, end << shift) for p in ctx.state.pgmaps.values() for start, end in p.mapped)
    added = sum(not block.early for block in ctx.state.blocks.values()) * ctx.block_size
    whole = [d.range for d in ctx.devices]
    if ctx.description is not None:
        whole += [region.range for region in ctx.description.regions if region.range is not None]
    return Summary(
        ram=ctx.ram.size,
        device=Intervals(whole).size,
        mapped=live.size,
        hotplugged=added,
        stranded=Intervals(r for each in findings if each.lost for r in each.ranges).size,
        block_size=ctx.block_size,
        section_size=ctx.section,
        blocks=len(ctx.state.blocks),
        stuck_blocks=len(stuck_blocks(ctx)),
        block_size_why=block_size_why(ctx),
    )
