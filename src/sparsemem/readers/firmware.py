"""``/sys/firmware/memmap``: the firmware's memory map, as x86 kernels keep it for kexec (before ``memmap=`` and the
like).

Linux kernel v6.1, drivers/firmware/memmap.c (``N/start``, ``N/end`` inclusive, ``N/type``) and arch/x86/kernel/e820.c,
``e820_type_to_string()``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.machine.description import BootRegion
from sparsemem.ranges import Range
from sparsemem.readers.text import hex_int

if TYPE_CHECKING:
    from sparsemem.readers.source import Source

__all__ = ["read_firmware_memmap"]

DIRECTORY = "/sys/firmware/memmap"
KINDS = {
    "System RAM": "usable", "Reserved": "reserved", "reserved": "reserved", "Soft Reserved": "soft reserved",
    "ACPI Tables": "ACPI data", "ACPI Non-volatile Storage": "ACPI NVS", "Unusable memory": "unusable",
    "Persistent Memory": "persistent (type 7)", "Persistent Memory (legacy)": "persistent (type 12)",
}  # fmt: skip


def read_firmware_memmap(source: Source) -> tuple[BootRegion, ...]:
    """The map in address order; a malformed entry is left out with a note."""
    regions = []
    for name in source.listdir(DIRECTORY, r"\d{1,9}"):
        texts = [source.value(f"{DIRECTORY}/{name}/{key}") for key in ("start", "end", "type")]
        start, end = hex_int(texts[0]), hex_int(texts[1])
        if start is None or end is None or end < start:
            source.note(f"{DIRECTORY}/{name}", f"not a range, left out: {texts[0]!s:.40} to {texts[1]!s:.40}")
            continue
        kind = texts[2] or "unknown"
        regions.append(BootRegion(Range(start, end + 1), KINDS.get(kind, kind)))
    return tuple(sorted(regions, key=lambda region: region.range))
