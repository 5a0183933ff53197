"""virtio-mem devices: what of their region no memory block covers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sparsemem.doctor.check import Check, Kind
from sparsemem.doctor.finding import Remedy
from sparsemem.doctor.intervals import align_up, inward, outside
from sparsemem.doctor.needs import BLOCK_SIZE, TREE
from sparsemem.doctor.rules import finding
from sparsemem.kernel.virtio_mem.table import devices
from sparsemem.ranges import Range
from sparsemem.units import format_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.doctor.context import Context
    from sparsemem.doctor.finding import Finding

__all__ = ["VirtioMemRegions"]

_NAME = re.compile(r"virtio\d{1,9}")


def _regions(ctx: Context) -> list[tuple[str, Range, int]]:
    """Each device with its region, and the bytes of a block that it adds: a memory block, or more in big block mode."""
    known = {vm.name: vm.block_size for vm in devices(ctx.state)}
    return [
        (res.name, Range(res.start, res.end + 1), known.get(res.name, ctx.block_size))
        for res in ctx.state.iomem.children
        if res.name is not None and _NAME.fullmatch(res.name)
    ]


class VirtioMemRegions(Check):
    """The driver adds whole blocks: what of a region lies in front of the first or behind the last is never added, and the hypervisor may
    still be asked for it."""

    id = "virtio-mem"
    question = "Do the regions of virtio-mem devices begin and end on memory blocks?"
    about = "regions of virtio-mem devices"
    needs = (TREE, BLOCK_SIZE)
    finds = (Kind("virtio-mem-misaligned", ("warning",), "block-alignment", "5.8 and later"),)

    def nothing(self, ctx: Context) -> str | None:
        return None if _regions(ctx) else "there are no virtio-mem devices"

    def run(self, ctx: Context) -> Iterator[Finding]:
        for name, r, block in _regions(ctx):
            lost = outside((r,), block)
            if not lost:
                continue
            size, kept = sum(part.size for part in lost), inward(r, block)
            says = [
                f"virtio_mem {name}: The alignment of the physical {word} address can make some memory unusable."
                for word, address in (("start", r.start), ("end", r.end))
                if address % ctx.block_size
            ]
            start, unit = align_up(r.start, block), format_size(block)
            yield finding(
                "virtio-mem-misaligned",
                "warning",
                f"{format_size(size)} of the {format_size(r.size)} of {name} lie outside whole memory blocks of {unit}: at most "
                f"{format_size(kept.size)} can be plugged, whatever is requested.",
                "block-alignment",
                kernels="5.8 and later",
                ranges=lost,
                devices=(name,),
                capacity=size,
                lost=True,
                kernel_says=tuple(says),
                remedies=(
                    Remedy(
                        f"Let the hypervisor place the region at a multiple of {unit}, and give it a size that is one. In QEMU:",
                        ("-device", f"virtio-mem-pci,id={name},memdev=mem1,memaddr={start:#x}"),
                    ),
                    Remedy(
                        "Read the memory block size of this machine (hexadecimal).",
                        ("cat", "/sys/devices/system/memory/block_size_bytes"),
                    ),
                ),
            )
