"""Memory of ``memmap=SIZE!START`` that did not come as it was asked for: in pieces, each of them a region and a disk of its own."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from sparsemem.doctor.check import Check, Kind
from sparsemem.doctor.checks.nothing import no_legacy
from sparsemem.doctor.finding import Remedy
from sparsemem.doctor.intervals import align_up, merge
from sparsemem.doctor.needs import ADDRESSES
from sparsemem.doctor.rules import finding
from sparsemem.kernel.ioport import IORES_DESC_PERSISTENT_MEMORY_LEGACY
from sparsemem.machine.e820 import kernel_parameters, memparse
from sparsemem.ranges import Range, format_range
from sparsemem.units import GIB, MIB, format_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.doctor.context import Context
    from sparsemem.doctor.finding import Finding

__all__ = ["MemmapPieces"]

_KERNEL = ("Kernel code", "Kernel rodata", "Kernel data", "Kernel bss")
_PCI_HOLE_ENDS = 4 * GIB


class MemmapPieces(Check):
    """``memmap=`` marks what it is given, whatever lies there. What the kernel itself holds is cut out of it, and a range that crosses
    other entries of the firmware's map falls apart at their borders, since type 12 entries are never joined."""

    id = "memmap"
    question = "Did memory of memmap= come in one piece?"
    about = "memory of memmap="
    needs = (ADDRESSES,)
    finds = (Kind("memmap-in-pieces", ("warning",)),)

    def nothing(self, ctx: Context) -> str | None:
        return no_legacy(ctx)

    def run(self, ctx: Context) -> Iterator[Finding]:
        kernel = _kernel(ctx)
        for asked, pieces in _requests(ctx, kernel):
            inside = tuple(r for r in kernel if r.overlaps(asked))
            if inside:
                held = merge(r for r in ctx.ram.ranges if any(r.overlaps(each) for each in inside))
                cause = (
                    f"the kernel itself lies in it, at {', '.join(format_range(r) for r in inside)}, where KASLR or the boot loader put "
                    f"it: "
                    "that part stays RAM, and the next boot may cut elsewhere"
                )
                ranges = held
            else:
                cause = "it crosses other entries of the firmware's map, so it is not RAM throughout: what is none there does not keep data"
                ranges = pieces
            yield finding(
                "memmap-in-pieces",
                "warning",
                f"{format_size(asked.size)} of memmap= memory at {format_range(asked)} came in {len(pieces)} pieces, each a region and "
                f"a disk "
                f"of its own: {cause}.",
                None,
                why="memmap=SIZE!START makes a range of the firmware's map type 12, entry by entry; such entries are never joined.",
                kernels="every kernel",
                ranges=ranges,
                devices=tuple(f"Persistent Memory (legacy) {format_range(r)}" for r in pieces),
                capacity=asked.size,
                remedies=_elsewhere(ctx, asked, kernel, bool(inside)),
                source="arch/x86/kernel/e820.c: e820__range_update(), e820__update_table()",
            )


def _kernel(ctx: Context) -> tuple[Range, ...]:
    """Where the kernel lies, from the first byte of its code to the last of its bss."""
    found = [
        Range(child.start, child.end + 1)
        for res in ctx.state.iomem.children
        for child in res.children
        if child.name in _KERNEL
    ]
    return (Range(min(found).start, max(r.end for r in found)),) if found else ()


def _legacy(ctx: Context) -> list[Range]:
    return sorted(
        Range(res.start, res.end + 1)
        for res in ctx.state.iomem.children
        if res.desc == IORES_DESC_PERSISTENT_MEMORY_LEGACY
    )


def _told(ctx: Context) -> list[Range]:
    """The ranges that the command line asks for."""
    found = []
    for name, value in kernel_parameters((ctx.description.cmdline if ctx.description is not None else None) or ""):
        for word in (value or "").split(",") if name == "memmap" else ():
            size, rest = memparse(word)
            if size and rest.startswith("!"):
                start = memparse(rest[1:])[0]
                found.append(Range(start, start + size))
    return found


def _requests(ctx: Context, kernel: tuple[Range, ...]) -> Iterator[tuple[Range, tuple[Range, ...]]]:
    """What was asked for in one piece, with the pieces: as the command line says, else as the borders betray it.

    Two parameters may well make neighbours on purpose; a border off 2 MiB, or the kernel between two pieces, nobody asks for.
    """
    legacy = _legacy(ctx)
    told = _told(ctx)
    if told:
        for asked in told:
            pieces = tuple(r for r in legacy if r.overlaps(asked))
            if len(pieces) > 1:
                yield asked, pieces
        return
    run: list[Range] = legacy[:1]
    for left, right in pairwise(legacy):
        between = Range(left.end, right.start)
        joined = left.end == right.start or any(r.overlaps(between) for r in kernel)
        if not joined:
            yield from _betrayed(run, kernel)
            run = []
        run.append(right)
    yield from _betrayed(run, kernel)


def _betrayed(run: list[Range], kernel: tuple[Range, ...]) -> Iterator[tuple[Range, tuple[Range, ...]]]:
    if len(run) < 2:
        return
    asked = Range(run[0].start, run[-1].end)
    odd = any(left.end % (2 * MIB) for left in run[:-1])
    if odd or any(r.overlaps(asked) for r in kernel):
        yield asked, tuple(run)


def _elsewhere(ctx: Context, asked: Range, kernel: tuple[Range, ...], held: bool) -> tuple[Remedy, ...]:
    """Another range of that size: RAM throughout (or marked already), above 4 GiB, without the kernel."""
    found = []
    if held:
        found.append(
            Remedy("Boot with nokaslr, so that the kernel stays low, or give memmap= a range where it is not.")
        )
    joined = [
        around
        for piece in (None, *(r for r in _legacy(ctx) if r.size >= ctx.section))
        for around in merge([*ctx.ram.ranges, *([piece] if piece is not None else [])])
    ]  # RAM alone, or with one piece: where two pieces meet is a border of the firmware's map
    known = sorted(
        part for r in joined for part in _without(Range(max(r.start, _PCI_HOLE_ENDS), r.end), kernel) if part.size > 0
    )
    for r in known:
        start = align_up(r.start, GIB)
        if start + asked.size <= r.end and (start, asked.size) != (asked.start, asked.size):
            found.append(Remedy(
                f"Take a range that is RAM throughout: memmap={_short(asked.size)}!{_short(start)} is, by this map; leave RAM to boot with."
            ))  # fmt: skip
            break
    else:
        found.append(
            Remedy("Take a range that is RAM throughout in the firmware's map, above 4 GiB, and smaller if need be.")
        )
    return tuple(found)


def _without(r: Range, holes: tuple[Range, ...]) -> Iterator[Range]:
    at = r.start
    for hole in holes:
        if hole.start < r.end and at < hole.end:
            yield Range(at, max(hole.start, at))
            at = hole.end
    if at < r.end:
        yield Range(at, r.end)


def _short(size: int) -> str:
    return f"{size // GIB}G" if size % GIB == 0 else f"{size // MIB}M" if size % MIB == 0 else f"{size:#x}"
