"""``/sys/devices/system/memory``: memory block devices, their size and the auto-online policy.

Linux kernel v7.2, drivers/base/memory.c: ``block_size_bytes`` and ``phys_index`` are hexadecimal without 0x; a block's
number is its ``phys_index``, the address divided by the block size. The node is the link ``memoryN/nodeM``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sparsemem.machine.description import BlockFact
from sparsemem.readers.text import hex_int

if TYPE_CHECKING:
    from sparsemem.readers.source import Source

__all__ = ["MemoryBlocks", "read_memory_blocks"]

DIRECTORY = "/sys/devices/system/memory"
MAX_BLOCKS = 1 << 18


@dataclass(frozen=True, slots=True)
class MemoryBlocks:
    """Bytes of a block, the policy word of ``auto_online_blocks``, and the blocks in order of their number."""

    block_size: int | None = None
    auto_online: str | None = None
    blocks: tuple[BlockFact, ...] = ()


def read_memory_blocks(source: Source) -> MemoryBlocks:
    """The memory blocks of a machine; whatever is missing or malformed is left unknown, with a note on the source."""
    size_text = source.value(f"{DIRECTORY}/block_size_bytes")
    block_size = hex_int(size_text)
    if size_text is not None and (not block_size or block_size & (block_size - 1)):
        source.note(
            f"{DIRECTORY}/block_size_bytes", f"not a block size (a power of two, hexadecimal): {size_text[:40]!r}"
        )
        block_size = None
    names = source.listdir(DIRECTORY, r"memory\d{1,18}")
    if len(names) > MAX_BLOCKS:
        source.note(DIRECTORY, f"{len(names)} memory blocks: only the first {MAX_BLOCKS} were read")
        del names[MAX_BLOCKS:]
    blocks = [_block(source, name) for name in names]
    return MemoryBlocks(
        block_size,
        source.value(f"{DIRECTORY}/auto_online_blocks"),
        tuple(sorted((block for block in blocks if block is not None), key=lambda block: block.nr)),
    )


def _block(source: Source, name: str) -> BlockFact | None:
    directory = f"{DIRECTORY}/{name}"
    number = int(name[len("memory") :])
    index = source.value(f"{directory}/phys_index")
    if index is not None and hex_int(index) != number:
        source.note(f"{directory}/phys_index", f"says {index[:40]!r}, the name says {number:x}; the name is used")
    state = source.value(f"{directory}/state")
    if state is None:
        source.note(f"{directory}/state", "the state of this block is not known")
        state = "unknown"
    removable = source.value(f"{directory}/removable")
    zones = source.value(f"{directory}/valid_zones")
    return BlockFact(
        nr=number,
        state=state,
        valid_zones=tuple(zones.split()) if zones else (),
        nid=_node(source, directory),
        removable=None if removable not in ("0", "1") else removable == "1",
    )


def _node(source: Source, directory: str) -> int | None:
    """The node of a block. A block that straddles nodes has several links; the kernel's own nid is then not visible."""
    nodes = source.listdir(directory, r"node\d{1,9}")
    if not nodes:
        return None
    if len(nodes) > 1:
        source.note(directory, f"belongs to several nodes ({', '.join(nodes)}); the lowest is used")
    return int(nodes[0][len("node") :])
