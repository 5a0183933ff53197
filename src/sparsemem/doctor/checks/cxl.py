"""CXL windows: whole memory blocks or not, the low memory hole, and two drivers for one soft-reserved range; devices in no region."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.doctor.check import Check, Kind
from sparsemem.doctor.checks.nothing import no_cxl, no_windows
from sparsemem.doctor.finding import Remedy
from sparsemem.doctor.intervals import Intervals, outside
from sparsemem.doctor.needs import BLOCK_SIZE, CXL_DEVICES, TREE
from sparsemem.doctor.rules import SMALLER_BLOCKS, finding
from sparsemem.kernel.memory_block_size import cxl_windows
from sparsemem.ranges import Range
from sparsemem.units import GIB, MIB, format_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.doctor.context import Context
    from sparsemem.doctor.finding import Finding
    from sparsemem.machine.description import CxlDeviceFact

__all__ = ["CxlUnused", "CxlWindows", "LowMemoryHole", "SoftReserved"]

_GRANULE = 256 * MIB
_WAYS = (2, 3, 4, 6, 8, 12, 16)


def _less(r: Range, held: Intervals) -> list[Range]:
    """What of ``r`` no device has as RAM: what those lose is told of them."""
    edges = [r.start, *(edge for part in held.within(r) for edge in part), r.end]
    return [Range(start, end) for start, end in zip(edges[::2], edges[1::2], strict=True) if start < end]


class CxlWindows(Check):
    """CXL windows that are no whole memory blocks: what of them could never become RAM."""

    id = "cxl-windows"
    question = "Are CXL windows whole memory blocks?"
    about = "CXL windows and memory blocks"
    needs = (TREE, BLOCK_SIZE)
    finds = (
        Kind("kmem-stranded", ("warning",), "kmem-alignment"),
        Kind("cxl-window-alignment", ("warning",), "cxl-window-alignment"),
    )

    def nothing(self, ctx: Context) -> str | None:
        return no_windows(ctx)

    def run(self, ctx: Context) -> Iterator[Finding]:
        block, advised = ctx.block_size, ctx.kernel.features.block_size_rule == "advised"
        facts = ctx.description.dax if ctx.description is not None else ()
        held = Intervals(each for dax in facts if dax.mode == "system-ram" for each in dax.ranges)
        for name, r in cxl_windows(ctx.state.iomem):
            if r.start % _GRANULE or r.end % _GRANULE:
                yield finding(
                    "cxl-window-alignment",
                    "warning",
                    f"{name} does not start and end on multiples of 256 MiB: a firmware bug.",
                    "cxl-window-alignment",
                    ranges=(r,),
                    devices=(name,),
                    capacity=r.size,
                    kernel_says=("CFMWS: [BIOS BUG] base/size alignment violates spec",) if advised else (),
                    remedies=(
                        Remedy(
                            "Ask the firmware's vendor; windows are multiples of 256 MiB times their interleave ways."
                        ),
                    ),
                )
            lost = tuple(part for rim in outside((r,), block) for part in _less(rim, held))
            if not lost:
                continue
            size = sum(part.size for part in lost)
            yield finding(
                "kmem-stranded",
                "warning",
                f"{format_size(size)} of {name} lie outside whole memory blocks of {format_size(block)} and can not become RAM.",
                "kmem-alignment",
                ranges=lost,
                devices=(name,),
                capacity=size,
                lost=True,
                remedies=(
                    Remedy("Let firmware place the window on multiples of the memory block size, and size it so."),
                    *(() if advised else (SMALLER_BLOCKS,)),
                ),
            )


class LowMemoryHole(Check):
    """A window that starts at 0 ends where the low memory hole begins; decoders of 3, 6 or 12 ways are longer than it (cxl-lmh.rst)."""

    id = "cxl-low-memory-hole"
    question = "Does the low memory hole cut a CXL window below what interleaved decoders need?"
    about = "CXL windows below the low memory hole"
    needs = (TREE,)
    finds = (Kind("cxl-low-memory-hole", ("warning",), "cxl-window-alignment"),)

    def nothing(self, ctx: Context) -> str | None:
        return no_windows(ctx)

    def run(self, ctx: Context) -> Iterator[Finding]:
        windows = cxl_windows(ctx.state.iomem)
        above = any(r.start >= 4 * GIB for _, r in windows)
        for name, r in windows:
            if r.start != 0 or r.end > 4 * GIB or not above:
                continue
            short = [(ways, -r.size % (ways * _GRANULE)) for ways in _WAYS if r.size % (ways * _GRANULE)]
            if not short:
                continue
            lacking = ", ".join(f"{ways}: {format_size(size)}" for ways, size in short)
            yield finding(
                "cxl-low-memory-hole", "warning",
                f"{name} ends at the low memory hole, at {r.end:#x}. Decoders of a region are multiples of {format_size(_GRANULE)} times "
                f"its devices, so some are longer than this window (by devices, what has no address: {lacking}): creating such a region "
                "fails, or, on a kernel that knows of the hole, only what lies in the window is there.",
                "cxl-window-alignment", ranges=(r,), devices=(name,), source="Documentation/driver-api/cxl/conventions/cxl-lmh.rst",
                remedies=(Remedy("Let firmware end the window on a multiple of 256 MiB times the ways, or place it all above 4 GiB."),),
            )  # fmt: skip


class SoftReserved(Check):
    """Soft Reserved memory inside a CXL window: dax_hmem and the CXL drivers both want it; the first one wins."""

    id = "soft-reserved"
    question = "Do two drivers want the same soft-reserved memory?"
    about = "soft-reserved memory in CXL windows"
    needs = (TREE,)
    finds = (Kind("soft-reserved-twice", ("warning", "notice"), "soft-reserved-order"),)

    def nothing(self, ctx: Context) -> str | None:
        return no_windows(ctx)

    def run(self, ctx: Context) -> Iterator[Finding]:
        windows = cxl_windows(ctx.state.iomem)
        soft = Intervals(
            Range(res.start, res.end + 1) for _, res in ctx.state.iomem.walk() if res.name == "Soft Reserved"
        )
        daxes = [(dax, r) for dax in (ctx.description.dax if ctx.description is not None else ()) for r in dax.ranges]
        for name, window in windows:
            for part in soft.within(window):
                holders = [dax for dax, r in daxes if r.overlaps(part)]
                used = any(dax.mode is not None for dax in holders)
                text = f"[mem {part.start:#010x}-{part.end - 1:#010x}"
                if used:
                    what = f"{holders[0].dev} has {format_size(part.size)} that are Soft Reserved and lie in {name}: dax_hmem or the "
                    what += "CXL driver took it, and whichever comes second fails."
                else:
                    what = f"{format_size(part.size)} of {name} are Soft Reserved and nobody's: dax_hmem takes them whole, or a CXL region "
                    what += "does, and each can keep the other out, so that the memory is not there."
                f = ctx.kernel.features
                says = [f"hmem range {text} flags 0x80000200] already active"] if f.dax_kmem_by_default else []
                if f.dax_region_conflicts:
                    says.append(f"cxl_dax_region dax_region0: dax_region resource conflict for {text}]")
                yield finding(
                    "soft-reserved-twice",
                    "notice" if used else "warning",
                    what,
                    "soft-reserved-order",
                    ranges=(part,),
                    devices=(name, *(dax.dev for dax in holders)),
                    kernel_says=tuple(says),
                    capacity=part.size,
                    remedies=(
                        Remedy("See which of the two has it.", ("daxctl", "list", "-RDu")),
                        Remedy(
                            "Boot with efi=nosoftreserve to have it as plain RAM, or without dax_hmem to leave it to CXL."
                        ),
                    ),
                )


class CxlUnused(Check):
    """CXL memory devices with persistent capacity, and no region at all: libnvdimm shows nothing of them."""

    id = "cxl-unused"
    question = "Is the persistent memory of CXL devices in a region?"
    about = "CXL memory devices in no region"
    needs = (CXL_DEVICES,)
    finds = (Kind("cxl-no-region", ("notice",), None, "6.0 and later"),)

    def nothing(self, ctx: Context) -> str | None:
        return no_cxl(ctx)

    def run(self, ctx: Context) -> Iterator[Finding]:
        fact = ctx.description.cxl if ctx.description is not None else None
        able = [each for each in fact.devices if each.pmem >= _GRANULE] if fact is not None else []
        if fact is None or fact.regions or not able or not ctx.kernel.features.cxl_regions:
            return
        size = sum(each.pmem for each in able)
        names = [f"{each.name} ({format_size(each.pmem)})" for each in able]
        remedies = [Remedy("See what can be had of it.", ("sparsemem", "plan", "region, fsdax rest"))]
        if fact.roots == fact.ports == 1:
            chosen = _largest_set(able)
            argv = ("cxl", "create-region", "-t", "pmem", "-d", "decoder0.0", "-w", str(len(chosen)), "-m", *chosen)
            remedies.insert(
                0, Remedy("Make the largest region of them; namespaces are then made on it.", argv, steps=(argv,))
            )
        yield finding(
            "cxl-no-region", "notice",
            f"{', '.join(names)}: this persistent memory is in no CXL region. cxl list shows the devices; ndctl list shows nothing, and "
            "nothing can use them.",
            None, why="A region gives devices addresses in the window; libnvdimm makes a region of its own of it, with namespaces.",
            kernels="6.0 and later", ranges=(fact.window,), devices=tuple(each.name for each in able), capacity=size,
            remedies=tuple(remedies), source="drivers/cxl/core/region.c, drivers/cxl/pmem.c (read in 6.1, 6.12, 7.2)",
        )  # fmt: skip


def _largest_set(devices: list[CxlDeviceFact]) -> list[str]:
    """The devices of the largest region below one host bridge: a power of two of them, equal parts of each."""
    by_size = sorted(devices, key=lambda each: -each.pmem)
    ways = max((1, 2, 4, 8, 16), key=lambda n: (by_size[n - 1].pmem * n, n) if n <= len(by_size) else (0, 0))
    chosen = {each.name for each in by_size[:ways]}
    return [each.name for each in devices if each.name in chosen]
