"""Half-open ranges inside, inclusive ranges at the rim, as the kernel prints them."""

from __future__ import annotations

import re
from typing import NamedTuple

from sparsemem.errors import UsageError

__all__ = ["Range", "format_range", "parse_range"]

_RANGE = re.compile(r"\[?(?:mem\s+)?(?:0x)?([0-9a-fA-F]{1,16})\s*-\s*(?:0x)?([0-9a-fA-F]{1,16})\]?\Z")


class Range(NamedTuple):
    """``[start, end)`` in bytes or in pfns; the holder says which."""

    start: int
    end: int

    @property
    def size(self) -> int:
        return self.end - self.start

    def overlaps(self, other: Range) -> bool:
        return self.start < other.end and other.start < self.end

    def contains(self, other: Range) -> bool:
        return self.start <= other.start and other.end <= self.end

    def intersect(self, other: Range) -> Range | None:
        start, end = max(self.start, other.start), min(self.end, other.end)
        return Range(start, end) if start < end else None

    def __str__(self) -> str:
        return format_range(self)


def format_range(r: Range) -> str:
    """``0x200000000-0x2fbffffff``: inclusive, as in the kernel's messages."""
    return f"{r.start:#x}-{r.end - 1:#x}"


def parse_range(text: str) -> Range:
    """Read an inclusive hexadecimal range: ``0x200000000-0x2fbffffff``, ``[mem 0x...-0x...]`` or ``200000000-2fbffffff``.

    Raises UsageError when the text is not a range or runs backwards.
    """
    match = _RANGE.match(text.strip())
    if match is None:
        raise UsageError(
            f"not an address range: {text!r}",
            why="a range is START-END in hexadecimal, END inclusive",
            remedy="write it as the kernel prints it, for example 0x200000000-0x2fbffffff",
        )
    start, last = int(match[1], 16), int(match[2], 16)
    if last < start:
        raise UsageError(f"the range {text!r} ends before it starts", remedy="give START-END with START <= END")
    return Range(start, last + 1)
