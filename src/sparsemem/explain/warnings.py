"""Stack traces without a message: what a WARNING or BUG at a place in the source means."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sparsemem.spec.rules import RULES

__all__ = ["Place", "find_place", "known_function"]

_AT = re.compile(
    r"(?:WARN(?:ING)?|BUG)\b.{0,80}?((?:arch|mm|kernel|drivers)/[\w./-]{1,80}\.[ch]):(\d{1,6})(?:\]?[!,:]?\s+([A-Za-z_]\w*)\+0x)?"
)
_FRAME = re.compile(r"\b([A-Za-z_]\w{3,60})\+0x[0-9a-f]+")


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the source that warns. ``rules`` are those it may stand for."""

    file: str
    function: str | None
    title: str
    what: str
    rules: tuple[str, ...]
    cases: tuple[str, ...] = ()


_PLACES = (
    Place(
        "arch/x86/mm/init_64.c",
        "add_pages",
        "adding pages failed",
        "x86 warns once whenever __add_pages() fails; the trace itself is harmless. The reason is one of the rules "
        "below, and a line before "
        "the trace may name it. The caller's name in the trace tells device memory (memremap_pages) from System RAM "
        "(add_memory_resource).",
        ("subsection-overlap", "pfn-span-alignment", "altmap-invalid", "addressable-range", "allocation-failure"),
        ("C01", "C10"),
    ),
    Place(
        "memremap.c",
        None,
        "device memory was refused",
        "The line after the header says which check it was: System RAM in the range, or a conflicting map.",
        ("mixed-region", "ram-region", "conflicting-mapping"),
        ("C01", "C09", "C45"),
    ),
    Place(
        "mm/memory_hotplug.c",
        None,
        "memory hotplug warned or stopped",
        "A BUG here is most often a removal that is no multiple of memory blocks; a WARNING is a misaligned device "
        "range or a node that was not possible.",
        ("removal-alignment", "pfn-span-alignment", "node-impossible"),
        ("C39",),
    ),
    Place(
        "drivers/base/memory.c",
        None,
        "a memory block is not what the kernel expects",
        "Onlining found pages of the block missing or not reserved: on kernels up to 4.16 the result of adding a range "
        "that is no multiple of a memory block.",
        ("block-alignment", "block-device-alignment"),
        ("C33",),
    ),
    Place(
        "mm/sparse",
        None,
        "the section table is not what the kernel expects",
        "A removal of pages that were not active, or a page array for part of a sub-section.",
        ("subsection-inactive", "vmemmap-alignment"),
    ),
)


def find_place(line: str) -> tuple[Place, str, str | None] | None:
    """The known place that a trace header names, with ``file:line`` and the function; None for others."""
    match = _AT.search(line)
    if match is None:
        return None
    file, function = match[1], match[3]
    for place in _PLACES:
        if place.file in file and (place.function is None or function in (None, place.function)):
            return place, f"{file}:{match[2]}", function
    return None


def known_function(line: str) -> str | None:
    """The first function of a stack frame that a rule names."""
    functions = {name for rule in RULES.values() for name in rule.functions}
    return next((m[1] for m in _FRAME.finditer(line) if m[1] in functions), None)
