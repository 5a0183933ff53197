"""Memory blocks: those that can never go offline, those that will not come back, and room for hot-plugged RAM."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.doctor.check import Check, Kind
from sparsemem.doctor.checks.nothing import no_devices
from sparsemem.doctor.intervals import merge
from sparsemem.doctor.needs import ADDRESSES
from sparsemem.doctor.rules import finding
from sparsemem.ranges import Range
from sparsemem.units import format_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.doctor.context import Context
    from sparsemem.doctor.finding import Finding

__all__ = ["PartlyRam"]


class PartlyRam(Check):
    """Boot blocks that hold RAM and device memory, mapped or not."""

    id = "blocks"
    question = "Which memory blocks hold RAM and device memory, and can never go offline?"
    about = "memory blocks that hold device memory"
    needs = (ADDRESSES,)
    finds = (Kind("block-partly-ram", ("notice",), "memory-holes"),)

    def nothing(self, ctx: Context) -> str | None:
        return no_devices(ctx)

    def run(self, ctx: Context) -> Iterator[Finding]:
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
