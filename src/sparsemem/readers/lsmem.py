"""``lsmem --json`` (util-linux), with or without ``-b`` and ``-a``: ranges of memory blocks in one state.

A line is ``{"range": "0x...-0x...", "size": "3G", "state": "online", "removable": true, "block": "0-23"}``, and
``node`` and ``zones`` ("Normal", "Normal/Movable") with ``-o``. The block size is not in it: it follows from range and
block numbers.
"""

from __future__ import annotations

import re
from typing import Any

from sparsemem.machine.description import BlockFact, Note
from sparsemem.readers.jsontext import JsonReader
from sparsemem.readers.memory_blocks import MAX_BLOCKS, MemoryBlocks
from sparsemem.readers.text import number

__all__ = ["looks_like_lsmem", "parse_lsmem"]

_RANGE = re.compile(r"0x([0-9a-fA-F]{1,16})-0x([0-9a-fA-F]{1,16})")
_BLOCKS = re.compile(r"(\d{1,18})(?:-(\d{1,18}))?")


def looks_like_lsmem(documents: list[Any]) -> bool:
    """True for ``{"memory": [{"range": ...}]}``."""
    return any(
        isinstance(document, dict)
        and isinstance(document.get("memory"), list)
        and any(isinstance(item, dict) and ("range" in item or "block" in item) for item in document["memory"])
        for document in documents
    )


def parse_lsmem(documents: list[Any], source: str) -> tuple[MemoryBlocks, tuple[Note, ...]]:
    """The blocks of a listing, and the block size where the listing implies one."""
    reader = JsonReader(source)
    blocks: dict[int, BlockFact] = {}
    sizes: dict[int, str] = {}
    for document in documents:
        items = document.get("memory") if isinstance(document, dict) else None
        for index, item in enumerate(items if isinstance(items, list) else ()):
            place = f"memory[{index}]"
            if not isinstance(item, dict):
                reader.note(place, "not an object; left out")
                continue
            _line(reader, item, place, blocks, sizes)
    block_size = next(iter(sizes)) if len(sizes) == 1 else None
    if len(sizes) > 1:
        reader.note(
            "memory", "the lines imply different block sizes: " + ", ".join(f"{size:#x}" for size in sorted(sizes))
        )
    ordered = tuple(blocks[nr] for nr in sorted(blocks))
    return MemoryBlocks(block_size, None, ordered), tuple(reader.notes)


def _line(
    reader: JsonReader, item: dict[str, Any], place: str, blocks: dict[int, BlockFact], sizes: dict[int, str]
) -> None:
    text = item.get("range")
    extent = _RANGE.fullmatch(text) if isinstance(text, str) else None
    start, end = (int(extent[1], 16), int(extent[2], 16) + 1) if extent else (0, 0)
    numbers = item.get("block")
    match = (
        _BLOCKS.fullmatch(str(numbers)) if isinstance(numbers, (str, int)) and not isinstance(numbers, bool) else None
    )
    if match is not None:
        first, last = int(match[1]), int(match[2] or match[1])
        count = last - first + 1
        if count <= 0:
            reader.note(f"{place}.block", f"runs backwards: {numbers}")
            return
        if extent is not None:
            size = (end - start) // count
            if size > 0 and size * count == end - start and size & (size - 1) == 0 and start == first * size:
                sizes.setdefault(size, place)
            else:
                reader.note(place, f"range {text} and blocks {numbers} do not fit together")
    elif extent is not None:
        reader.note(place, "no block numbers in this line (list with -o +BLOCK); its state is left out")
        return
    else:
        reader.note(place, "neither a range nor block numbers; left out")
        return
    if len(blocks) + count > MAX_BLOCKS:
        reader.note(place, f"more than {MAX_BLOCKS} blocks; left out")
        return
    state = reader.text(item, "state", place) or "unknown"
    zones = reader.text(item, "zones", place)
    removable = item.get("removable")
    node = number(str(item.get("node")))
    nid = node if node is not None and node < 1 << 31 else None
    for nr in range(first, last + 1):
        blocks[nr] = BlockFact(
            nr=nr,
            state=state,
            valid_zones=tuple("none" if zone == "None" else zone for zone in (zones or "").replace("/", " ").split()),
            nid=nid,
            removable={True: True, False: False, "yes": True, "no": False}.get(removable)
            if isinstance(removable, (bool, str))
            else None,
        )
