"""What could not be read, where that makes the answer worth less."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.doctor.check import Check, Kind
from sparsemem.doctor.finding import Remedy
from sparsemem.doctor.rules import finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.doctor.context import Context
    from sparsemem.doctor.finding import Finding
    from sparsemem.machine.description import MachineDescription

__all__ = ["INPUTS", "Access", "inputs"]

INPUTS: tuple[tuple[str, str], ...] = (
    ("iomem", "/proc/iomem"),
    ("boot_map", "the firmware's memory map"),
    ("kernel_release", "the kernel release"),
    ("cmdline", "the kernel command line"),
    ("block_size", "the memory block size"),
    ("blocks", "memory blocks"),
    ("zones", "zones"),
    ("regions", "libnvdimm regions"),
    ("namespaces", "namespaces"),
    ("dax", "dax devices"),
)
"""Fields of a description, and what people call them."""


def inputs(description: MachineDescription) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What the description tells, and what it does not."""
    read = tuple(words for field, words in INPUTS if getattr(description, field))
    return read, tuple(words for field, words in INPUTS if not getattr(description, field))


class Access(Check):
    """The kernel hid its addresses."""

    id = "access"
    question = "Could the addresses of this machine be read?"
    about = "whether addresses could be read"
    finds = (Kind("zero-iomem", ("warning",)),)

    def run(self, ctx: Context) -> Iterator[Finding]:
        description = ctx.description
        if description is None or description.iomem is not None:
            return
        if any(note.what.startswith("every address in it is zero") for note in description.notes):
            yield finding(
                "zero-iomem", "warning",
                "/proc/iomem shows zeros instead of addresses: only root sees them. Where devices and RAM lie is not known, and "
                "nothing of it was judged.",
                None, why="The kernel hides physical addresses from whoever lacks CAP_SYS_ADMIN.",
                remedies=(Remedy("Run as root.", ("sudo", "sparsemem", "doctor")),), source="kernel/resource.c r_show()",
            )  # fmt: skip
