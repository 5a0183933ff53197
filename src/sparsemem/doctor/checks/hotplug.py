"""Room for hot-plugged RAM: what lies behind the last memory, and what of a boot section can never be added."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.doctor.check import Check, Kind
from sparsemem.doctor.checks.nothing import no_dax, no_ram
from sparsemem.doctor.finding import Remedy
from sparsemem.doctor.intervals import align_down, align_up, merge
from sparsemem.doctor.needs import ADDRESSES, BLOCK_SIZE
from sparsemem.doctor.rules import finding
from sparsemem.doctor.verdict import answer_verdict
from sparsemem.kernel.memory_block_size import cxl_windows
from sparsemem.machine.operations import Operation
from sparsemem.ranges import Range
from sparsemem.units import MIB, format_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.doctor.context import Context
    from sparsemem.doctor.finding import Finding

__all__ = ["EarlyEdges", "HotplugRoom"]

_SMALLEST_DIMM = 128 * MIB
_FIRMWARE, _QEMU_ALIGN = 64 * MIB, 2 * MIB


def _bare_metal(ctx: Context) -> bool:
    """A guest's kernel takes a block size that divides the end of RAM (x86-64, v5.9 and later): another one was read on metal."""
    unknown = ctx.description is not None and ctx.description.hypervisor is None
    if not unknown or ctx.kernel.arch != "x86_64" or ctx.kernel.features.block_size_rule == "largest divisor":
        return False
    return bool(ctx.ram.ranges) and ctx.ram.ranges[-1].end % ctx.block_size != 0


def _next_dimm(ctx: Context, sure: bool) -> int | None:
    """Where the next DIMM would go: behind the last memory. RAM of guests ends on multiples of 128 MiB; an NVDIMM's image has any size, and
    QEMU takes the next multiple of 2 MiB behind it. Memory that firmware placed on metal is interleaved, or ends on multiples of 64 MiB.
    """
    top, any_size = ctx.ram.ranges[-1].end, False
    for device in ctx.devices:
        if device.kind in ("soft", "legacy"):
            continue
        whole = device.region.range if device.region is not None and device.region.range is not None else device.range
        interleaved = device.region is not None and (device.region.mappings or 0) > 1
        if whole.end > top:
            top, any_size = whole.end, not interleaved and device.kind != "mapping"
    if top % _SMALLEST_DIMM and (not any_size or (not sure and top % _FIRMWARE == 0)):
        return None
    return align_up(top, _QEMU_ALIGN)


class HotplugRoom(Check):
    """Where a hypervisor would put the next DIMM: right behind the last memory. Is that a whole memory block?

    Tried on the model with one block.
    """

    id = "hotplug-room"
    question = "Is there room for a DIMM right behind the last memory?"
    about = "room for hot-plugged RAM"
    needs = (BLOCK_SIZE,)
    finds = (
        Kind(
            "dimm-misaligned",
            (
                "warning",
                "notice",
            ),
            "block-alignment",
        ),
    )

    def nothing(self, ctx: Context) -> str | None:
        return no_ram(ctx)

    def run(self, ctx: Context) -> Iterator[Finding]:
        sure = ctx.description is None or ctx.description.hypervisor is True
        top, block = _next_dimm(ctx, sure), ctx.block_size
        if top is None or top % block == 0 or _bare_metal(ctx):
            return
        answer = ctx.machine.apply(Operation("add_memory", (Range(top, top + block),)))
        ctx.machine.undo()
        verdict = answer_verdict(answer)
        if verdict.rule != "block-alignment":
            return
        guest = "" if sure else "If this is a virtual machine: "
        free = Range(top, align_up(top, block))
        yield finding(
            "dimm-misaligned", "warning" if sure else "notice",
            f"{guest}memory ends at {top:#x}, inside a memory block of {format_size(block)}. A DIMM that is plugged right behind it is "
            f"refused (-{verdict.errno}).",
            "block-alignment", ranges=(free,), errno=verdict.errno, kernel_says=verdict.log, capacity=free.size,
            remedies=(
                Remedy(f"Let the hypervisor place the DIMM at a multiple of {format_size(block)}, and give it a size that is one. In QEMU:",
                       ("device_add", f"pc-dimm,id=dimm1,memdev=mem1,addr={free.end:#x}"),
                       steps=(("add_memory", f"{free.end:#x}-{free.end + block - 1:#x}"),)),
                Remedy("Read the memory block size of this machine (hexadecimal).", ("cat", "/sys/devices/system/memory/block_size_bytes")),
            ),
        )  # fmt: skip


class EarlyEdges(Check):
    """A block that held RAM at boot exists already, so the rest of it can not be added as RAM: only a whole block can, and only once."""

    id = "early-edges"
    question = "Which device memory lies in a memory block that RAM had at boot, and can never be added as RAM?"
    about = "edges of boot sections"
    needs = (ADDRESSES, BLOCK_SIZE)
    finds = (Kind("early-section-edge", ("notice",), "block-alignment"),)

    def nothing(self, ctx: Context) -> str | None:
        windows = cxl_windows(ctx.state.iomem)
        soft = any(device.kind == "soft" for device in ctx.devices)
        return None if windows or soft else no_dax(ctx)

    def run(self, ctx: Context) -> Iterator[Finding]:
        block = ctx.block_size
        candidates = [
            (d.name, d.range) for d in ctx.devices if d.kind in ("soft", "dax") or d.mode in ("devdax", "system-ram")
        ]
        candidates += cxl_windows(ctx.state.iomem)
        parts: list[Range] = []
        names: list[str] = []
        for name, r in candidates:
            for at in {align_down(r.start, block), align_down(r.end - 1, block)}:
                whole = Range(at, at + block)
                mine = whole.intersect(r)
                held = ctx.state.blocks.get(at // block)
                if (
                    mine is not None
                    and held is not None
                    and held.early
                    and not r.contains(whole)
                    and ctx.ram.touches(whole)
                ):
                    parts.append(mine)
                    names.append(name)
        if not parts:
            return
        ranges = merge(parts)
        first = align_down(ranges[0].start, block)
        answer = ctx.machine.apply(Operation("add_memory", (Range(first, first + block),)))
        ctx.machine.undo()
        verdict = answer_verdict(answer)
        size = sum(r.size for r in ranges)
        where = "" if block == ctx.section else " with blocks of that size"
        yield finding(
            "early-section-edge", "notice",
            f"{format_size(size)} of device memory lie in a memory block of {format_size(block)} that held RAM at boot: they can never "
            f"become RAM, on any kernel{where} (the block exists: -{verdict.errno or 'EEXIST'}).",
            "block-alignment", ranges=ranges, devices=tuple(dict.fromkeys(names)), errno=verdict.errno, kernel_says=verdict.log,
            capacity=size,
            remedies=(Remedy(f"Firmware or the hypervisor would have to start the device on a multiple of {format_size(block)}."),),
        )  # fmt: skip
