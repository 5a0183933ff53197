"""Messages of drivers/base/memory.c and of whoever chooses the memory block size; and ACPI's memory device."""

from __future__ import annotations

from sparsemem.explain.messages._steps import BLOCK_SIZE, DMESG
from sparsemem.explain.records import Message, Wording

__all__ = ["MESSAGES"]

_ACPI = "drivers/acpi/acpi_memhotplug.c"

MESSAGES: tuple[Message, ...] = (
    Message(
        id="x86-block-size",
        title="the memory block size of this boot",
        file="arch/x86/mm/init_64.c",
        function="probe_memory_block_size",
        rule="memory-block-size",
        wordings=(Wording("x86/mm: Memory block size: %ldMB", fields=("block_mib",)),),
        what=(
            "Not an error: the kernel says that System RAM is added, removed and onlined in blocks of {block_mib} MiB "
            "until the next boot."
        ),
        steps=(BLOCK_SIZE,),
        see=("memory block", "block-size-2g"),
    ),
    Message(
        id="block-size-not-suitable",
        title="a memory block size that is no power of two",
        file="drivers/base/memory.c",
        function="memory_dev_init",
        wordings=(Wording("Memory block size not suitable: 0x%lx", fields=("block",)),),
        rule="memory-block-size",
        what=(
            "The kernel stops at boot: the platform named a block size that is no power of two or smaller than a "
            "section."
        ),
    ),
    Message(
        id="acpi-add-memory-failed",
        title="a hot-added DIMM was refused",
        file=_ACPI,
        function="acpi_memory_enable_device",
        wordings=(Wording("add_memory failed"),),
        rule="block-alignment",
        hint="PNP0C80",
        what=(
            "The firmware announced memory and the kernel did not take it. The reason stands in the line before this "
            "one, usually an unaligned range."
        ),
        steps=(DMESG, BLOCK_SIZE),
        cases=("C33", "C35"),
        see=("dimm-misaligned",),
    ),
    Message(
        id="acpi-enable-device-error",
        title="a hot-added DIMM was refused",
        file=_ACPI,
        function="acpi_memory_device_add",
        wordings=(Wording("acpi_memory_enable_device() error"),),
        rule="block-alignment",
        what="No part of the announced memory could be added; the lines before this one say why.",
        steps=(DMESG,),
        cases=("C33",),
        see=("dimm-misaligned",),
    ),
    Message(
        id="acpi-enumeration-failure",
        title="a device that the firmware announced was not taken",
        file="drivers/acpi/scan.c",
        function="acpi_scan_device_check",
        wordings=(Wording("Enumeration failure", None, "5.9", note="last release not verified; not in 5.10"),),
        hint="PNP0C80",
        what=(
            "ACPI gave up on a device; for memory (PNP0C80) that follows from a refused add, reported in the lines "
            "before."
        ),
        steps=(DMESG,),
        cases=("C33", "C35"),
    ),
    Message(
        id="acpi-device-empty",
        title="a memory device without memory",
        file=_ACPI,
        function="acpi_memory_enable_device",
        errno="EINVAL",
        wordings=(Wording("device is empty", "5.11", note="first release not verified; read in 6.1"),),
        hint="PNP0C80",
        what="The firmware announced a memory device whose ranges are all empty or not memory.",
    ),
)
