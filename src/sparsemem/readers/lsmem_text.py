"""``lsmem`` as people paste it: the table (util-linux), into the form of ``lsmem --json``.

The columns are those of the head line; a cell can be empty only at the end of a line (zones of a kernel that tells none). Below the table
stands a summary with the memory block size.
"""

from __future__ import annotations

import re
from typing import Any

from sparsemem.readers.text import printed_size

__all__ = ["LSMEM_LINE", "lsmem_table"]

_HEAD = re.compile(r"\s*RANGE\b.*\bSTATE\b")
_ROW = re.compile(r"\s*0x[0-9a-fA-F]{1,16}-0x[0-9a-fA-F]{1,16}\s+\S")
_SIZE = re.compile(r"\s*Memory block size:\s+(\d{1,9}(?:\.\d+)?[KMGT]?)\s*$")
LSMEM_LINE = re.compile(
    f"(?:{_HEAD.pattern}|{_ROW.pattern}|{_SIZE.pattern}|\\s*(?:Total (?:online|offline) memory|Memmap on memory parameter):)"
)
"""A line of the table, its head or its summary."""


def lsmem_table(text: str) -> tuple[list[dict[str, Any]], int | None] | None:
    """The rows of the first table, as ``lsmem --json`` has them, and the memory block size in bytes; None without a table."""
    head: list[str] = []
    rows: list[dict[str, Any]] = []
    block_size = None
    for line in text.splitlines():
        if not head:
            if _HEAD.match(line):
                head = line.lower().split()
            continue
        if _ROW.match(line) and len(cells := line.split()) <= len(head):
            rows.append(dict(zip(head, cells, strict=False)))
        elif (found := _SIZE.match(line)) is not None:
            size = printed_size(found[1])
            block_size = size[0] if size is not None else None
    return (rows, block_size) if rows else None
