"""Memory blocks: those that can never go offline, those that will not come back, and room for hot-plugged RAM."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.doctor.finding import Remedy
from sparsemem.doctor.intervals import Intervals, align_down, align_up, merge
from sparsemem.doctor.rules import finding
from sparsemem.doctor.verdict import answer_verdict
from sparsemem.machine.operations import Operation
from sparsemem.ranges import Range
from sparsemem.units import MIB, format_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.doctor.context import Context
    from sparsemem.doctor.finding import Finding

__all__ = ["hotplug_room", "partly_ram", "stuck_blocks", "will_not_come_back"]

_SMALLEST_DIMM = 128 * MIB


def stuck_blocks(ctx: Context) -> int:
    """Boot blocks that can never go offline: a hole in them (v5.5 and later), more than one zone, or arm64's."""
    state, block = ctx.state, ctx.block_size
    if state.misc.get("boot_memory_stays"):
        return sum(each.early for each in state.blocks.values())
    whole = ctx.ram
    count = 0
    holes = ctx.kernel.features.offline_refuses_holes
    full = Intervals(Range(align_up(r.start, block), align_down(r.end, block)) for r in whole.ranges)
    for nr, each in state.blocks.items():
        in_hole = holes and not full.touches(Range(nr * block, (nr + 1) * block))
        if each.early and (in_hole or each.zone is None):
            count += 1
    return count


def partly_ram(ctx: Context) -> Iterator[Finding]:
    """Boot blocks that hold RAM and device memory, mapped or not."""
    if not ctx.kernel.features.offline_refuses_holes:
        return
    block, blocks = ctx.block_size, ctx.state.blocks
    parts: list[Range] = []
    names: list[str] = []
    for device in ctx.devices:
        r = device.range
        for nr in {r.start // block, (r.end - 1) // block}:
            whole = Range(nr * block, (nr + 1) * block)
            mine = whole.intersect(r)
            if nr in blocks and blocks[nr].early and mine is not None and ctx.ram.touches(whole):
                parts.append(mine)
                names.append(device.name)
    if parts:
        ranges = merge(parts)
        count = len({r.start // block for r in parts})
        yield finding(
            "block-partly-ram", "notice",
            f"{count} memory block{'s' if count > 1 else ''} of {format_size(block)} hold{'' if count > 1 else 's'} RAM and device "
            "memory, and can never go offline.",
            "memory-holes", ranges=ranges, devices=tuple(dict.fromkeys(names)), capacity=sum(r.size for r in ranges),
        )  # fmt: skip


def _bare_metal(ctx: Context) -> bool:
    """A guest's kernel takes a block size that divides the end of RAM (x86-64, v5.9 and later): another one was read on metal."""
    unknown = ctx.description is not None and ctx.description.hypervisor is None
    if not unknown or ctx.kernel.arch != "x86_64" or ctx.kernel.features.block_size_rule == "largest divisor":
        return False
    return bool(ctx.ram.ranges) and ctx.ram.ranges[-1].end % ctx.block_size != 0


def hotplug_room(ctx: Context) -> Iterator[Finding]:
    """Where a hypervisor would put the next DIMM: right behind the last memory. Is that a whole memory block?

    Tried on the model with one block. Only where memory comes in multiples of 128 MiB, as that of virtual machines does.
    """
    ends = [r.end for r in ctx.ram.ranges[-1:]] + [device.range.end for device in ctx.devices if device.kind != "soft"]
    top, block = max(ends), ctx.block_size
    if top % _SMALLEST_DIMM or top % block == 0 or _bare_metal(ctx):
        return
    answer = ctx.machine.apply(Operation("add_memory", (Range(top, top + block),)))
    ctx.machine.undo()
    verdict = answer_verdict(answer)
    if verdict.rule != "block-alignment":
        return
    sure = ctx.description is None or ctx.description.hypervisor is True
    guest = "" if sure else "If this is a virtual machine: "
    free = Range(top, align_up(top, block))
    yield finding(
        "dimm-misaligned", "warning" if sure else "notice",
        f"{guest}memory ends at {top:#x}, inside a memory block of {format_size(block)}. A DIMM that is plugged right behind it is "
        f"refused (-{verdict.errno}).",
        "block-alignment", ranges=(free,), errno=verdict.errno, kernel_says=verdict.log, capacity=free.size,
        remedies=(
            Remedy(f"Let the hypervisor place the DIMM at a multiple of {format_size(block)}, and give it a size that is one."),
            Remedy("Read the memory block size of this machine (hexadecimal).", ("cat", "/sys/devices/system/memory/block_size_bytes")),
        ),
    )  # fmt: skip


def will_not_come_back(ctx: Context) -> Iterator[Finding]:
    """RAM from a device that is online in a kernel zone: pages of the kernel land there, and it will hardly go offline again."""
    assert ctx.description is not None
    size = ctx.description.block_size
    if not size:
        return
    driver = [r for dax in ctx.description.dax if dax.mode == "system-ram" for r in dax.ranges]
    stuck = [
        Range(block.nr * size, (block.nr + 1) * size)
        for block in ctx.description.blocks
        if block.state == "online" and block.valid_zones and block.valid_zones[0] not in ("Movable", "none")
        and any(align_down(r.start, size) <= block.nr * size < r.end for r in driver)
    ]  # fmt: skip
    if stuck:
        ranges = merge(stuck)
        total = sum(r.size for r in ranges)
        yield finding(
            "unmovable-block", "notice",
            f"{format_size(total)} of RAM from devices are online in a kernel zone: pages of the kernel land there, so this memory will "
            "hardly go offline again.",
            "unmovable-page", ranges=ranges, capacity=total,
            remedies=(
                Remedy("For memory that should come back: online it as movable before something uses it.",
                       ("daxctl", "reconfigure-device", "-m", "system-ram", "DAX")),
            ),
        )  # fmt: skip
