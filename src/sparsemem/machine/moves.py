"""What could be tried on a machine: candidate operations, from its devices, its blocks and what is mapped now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.kernel.ioport import (
    IORES_DESC_CXL,
    IORES_DESC_PERSISTENT_MEMORY,
    IORES_DESC_PERSISTENT_MEMORY_LEGACY,
    IORES_DESC_SOFT_RESERVED,
    IORESOURCE_BUSY,
)
from sparsemem.machine.operations import Operation
from sparsemem.ranges import Range

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.kernel.state import State
    from sparsemem.machine.machine import Answer, Machine

__all__ = ["attempts", "device_ranges", "map_unmapped"]

_DEVICE = (
    IORES_DESC_PERSISTENT_MEMORY,
    IORES_DESC_PERSISTENT_MEMORY_LEGACY,
    IORES_DESC_SOFT_RESERVED,
    IORES_DESC_CXL,
)


def device_ranges(state: State) -> list[Range]:
    """Device memory in the iomem tree: the entries themselves, and the regions that drivers requested inside them."""
    found: list[Range] = []
    for _, res in state.iomem.walk():
        if res.desc in _DEVICE and not (res.name or "").startswith("System RAM"):
            found.append(Range(res.start, res.end + 1))
    return list(dict.fromkeys(found))


def attempts(state: State) -> Iterator[Operation]:
    """Candidates, in a fixed order: map each device range, unmap each mapping, switch each block, add RAM above everything,
    remove what is offline."""
    shift = state.kernel.geometry.PAGE_SHIFT
    block_size: int = state.misc["memory_block_size_bytes"]
    for r in device_ranges(state):
        yield Operation("memremap_pages", (r,))
    for ranges in sorted(state.pgmaps):
        yield Operation("memunmap_pages", tuple(Range(start << shift, end << shift) for start, end in ranges))
    for nr, block in sorted(state.blocks.items()):
        if block.state == "online":
            yield Operation("offline", block=nr)
        else:
            for word in ("online", "online_kernel", "online_movable"):
                yield Operation(word, block=nr)
            yield Operation("remove_memory", (Range(nr * block_size, (nr + 1) * block_size),))
    busy = [res.end + 1 for res in state.iomem.children if res.flags & IORESOURCE_BUSY and res.end < 1 << 52]
    devices = [r.end for r in device_ranges(state)]
    top = -(-max((*busy, *devices, 1 << 32)) // block_size) * block_size
    yield Operation("add_memory", (Range(top, top + block_size),))


def map_unmapped(machine: Machine) -> list[Answer]:
    """Map every persistent-memory range of the iomem tree that nothing is mapped in yet, as a driver would; the answers."""
    state = machine.state
    shift = state.kernel.geometry.PAGE_SHIFT
    answers: list[Answer] = []
    for res in state.iomem.children:
        if res.desc not in (IORES_DESC_PERSISTENT_MEMORY, IORES_DESC_PERSISTENT_MEMORY_LEGACY):
            continue
        r = Range(res.start, res.end + 1)
        if not any(Range(start << shift, end << shift).overlaps(r) for key in state.pgmaps for start, end in key):
            answers.append(machine.apply(Operation("memremap_pages", (r,))))
    return answers
