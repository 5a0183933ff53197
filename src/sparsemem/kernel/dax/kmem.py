"""``drivers/dax/kmem.c``: a dax device becomes System RAM, in whole memory blocks. Bytes; inclusive ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.kernel.dax.bus import dev_dax_of, dev_driver_string, put_dev_dax, region_of
from sparsemem.kernel.memory_hotplug.add_remove import (
    MHP_MEMMAP_ON_MEMORY,
    MHP_NID_IS_MGID,
    add_memory,
    add_memory_driver_managed,
    remove_memory,
)
from sparsemem.kernel.memory_hotplug.groups import memory_group_register_static, memory_group_unregister
from sparsemem.kernel.memory_tiers import DAX, clear_node_memory_type, init_node_memory_type
from sparsemem.kernel.refusal import Refusal
from sparsemem.kernel.resource import (
    IORESOURCE_SYSTEM_RAM,
    Resource,
    release_resource,
    remove_resource,
    request_mem_region,
    update_resource,
)

if TYPE_CHECKING:
    from sparsemem.kernel.dax.types import DaxRange, DevDax
    from sparsemem.kernel.state import State

__all__ = ["KMEM_NAME", "dax_kmem_range", "dev_dax_kmem_probe", "dev_dax_kmem_remove", "string_get_size"]

KMEM_NAME = "System RAM (kmem)"


def dax_kmem_range(state: State, each: DaxRange) -> tuple[int, int] | None:
    """The whole memory blocks inside a range (start, inclusive end); None when there is none."""
    block: int = state.misc["memory_block_size_bytes"]
    start = -(-each.start // block) * block
    end = (each.end + 1) // block * block - 1
    return (start, end) if start < end else None


def string_get_size(size: int) -> str:
    """``string_get_size(..., STRING_UNITS_2)``: three significant digits, "126 MiB", "1.98 GiB"."""
    units = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
    unit, rest = 0, 0
    while size >= 1024:
        size, rest = divmod(size, 1024)
        unit += 1
    digits = next(nr for nr in range(3) if size * 10 ** (nr + 1) >= 1000 or nr == 2) if size else 0
    if not size:
        return f"{size} {units[unit]}"
    rest = (rest * 1000 >> 10) + (500, 50, 5)[digits]
    if rest >= 1000:
        size, rest = size + 1, rest - 1000
    fraction = f".{rest:03}"[: digits + 1] if digits and unit else ""
    return f"{size}{fraction} {units[unit]}"


def _warn(state: State, level: str, prefix: str, text: str) -> str:
    state.log(level, f"{prefix}: {text}")
    return f"{prefix}: {text}"


def dev_dax_kmem_probe(state: State, name: str) -> None:
    """Give the whole memory blocks of a device to the page allocator, on its target node.

    Raises Refusal: EINVAL (no target node; nothing left after rounding, v5.15+), EBUSY (claimed in the iomem tree), and what
    adding memory says. A range that fails after another one succeeded is skipped.
    """
    dev, f = dev_dax_of(state, name), state.kernel.features
    prefix, node = dev_driver_string(dev), region_of(state, dev.region).target_node
    if node < 0:
        region = region_of(state, dev.region)
        span = "" if f.dax_multi_range else f"[mem {region.start:#010x}-{region.end:#010x}] "
        text = _warn(state, "warn", prefix, f"rejecting DAX region {span}with invalid node: {node}")
        raise Refusal(22, "dev_dax_kmem_probe", "kmem-node", (text,))
    if not f.dax_multi_range:
        _probe_single(state, dev, prefix, node)
        return
    ranges = _rounded(state, dev, prefix)
    init_node_memory_type(state, node, DAX)
    try:
        _probe_ranges(state, dev, prefix, ranges)
    except Refusal:
        clear_node_memory_type(state, node, DAX)
        raise


def _probe_ranges(state: State, dev: DevDax, prefix: str, ranges: list[tuple[int, int] | None]) -> None:
    f, node = state.kernel.features, region_of(state, dev.region).target_node
    state.alloc("dev_dax_kmem_probe")
    group = 0
    if f.memory_groups:
        total = sum(end - start + 1 for each in ranges if each is not None for start, end in (each,))
        group = memory_group_register_static(state, node, -(-total // state.kernel.geometry.PAGE_SIZE))
    reserved: list[tuple[int, int] | None] = [None] * len(ranges)
    for index, each in enumerate(ranges):
        if each is None:
            continue
        try:
            _add_range(state, dev, prefix, index, each, group or node)
        except Refusal:
            if any(reserved):
                continue
            if group:
                memory_group_unregister(state, group)
            raise
        reserved[index] = each
    put_dev_dax(state, dev._replace(reserved=tuple(reserved), group=group))


def _rounded(state: State, dev: DevDax, prefix: str) -> list[tuple[int, int] | None]:
    """Every range rounded inward to memory blocks, with what the kernel says about what is lost."""
    f = state.kernel.features
    ranges = [dax_kmem_range(state, each) for each in dev.ranges]
    for index, (given, each) in enumerate(zip(dev.ranges, ranges, strict=True)):
        if each is None:
            text = f"mapping{index}: {given.start:#x}-{given.end:#x} too small after alignment"
            _warn(state, "info", prefix, text)
    total = sum(each[1] - each[0] + 1 for each in ranges if each is not None)
    if not total and f.kmem_rejects_nothing_left:
        text = _warn(state, "warn", prefix, "rejecting DAX region without any memory after alignment")
        raise Refusal(22, "dev_dax_kmem_probe", "kmem-alignment", (text,))
    if total != dev.size and f.kmem_truncation_logged:
        _warn(state, "warn", prefix, f"DAX region truncated by {string_get_size(dev.size - total)} due to alignment")
    return ranges


def _reserve(state: State, name: str, start: int, size: int) -> Resource | None:
    claimed = request_mem_region(state.iomem, start, size, name, log=state.log)
    if claimed is None:
        return None
    # Not busy, so that add_memory can put its own entry inside; nothing inherited from the parent.
    state.iomem, res = update_resource(claimed[0], claimed[1], flags=IORESOURCE_SYSTEM_RAM)
    return res


def _add_range(state: State, dev: DevDax, prefix: str, index: int, each: tuple[int, int], nid: int) -> None:
    start, end = each
    f, words = state.kernel.features, f"mapping{index}: {start:#x}-{end:#x}"
    before = state.iomem
    res = _reserve(state, dev.name, start, end - start + 1)
    if res is None:
        text = _warn(state, "warn", prefix, f"{words} could not reserve region")
        raise Refusal(16, "dev_dax_kmem_probe", "resource-busy", (text,))
    flags = MHP_NID_IS_MGID if f.memory_groups else 0
    if f.kmem_memmap_on_memory and dev.memmap_on_memory:
        flags |= MHP_MEMMAP_ON_MEMORY
    try:
        add_memory_driver_managed(state, nid, start, end - start + 1, KMEM_NAME, flags)
    except Refusal as refusal:
        text = _warn(state, "warn", prefix, f"{words} memory add failed")
        state.iomem = before
        raise Refusal(refusal.errno, refusal.function, refusal.rule, (*refusal.log, text)) from refusal


def _probe_single(state: State, dev: DevDax, prefix: str, node: int) -> None:
    """v5.1 to v5.9: one range, rounded in silence."""
    block: int = state.misc["memory_block_size_bytes"]
    given = dev.ranges[0]
    start = -(-given.start // block) * block
    size = max(given.size - (start - given.start), 0) // block * block
    res = _reserve(state, dev.name, start, size)
    if res is None:
        text = _warn(state, "warn", prefix, f"could not reserve region [{start:#018x}-{start + size:#018x}]")
        raise Refusal(16, "dev_dax_kmem_probe", "resource-busy", (text,))
    try:
        if state.kernel.features.driver_managed_memory:
            add_memory_driver_managed(state, node, start, size, KMEM_NAME)
        else:
            add_memory(state, node, start, size)
    except Refusal:
        state.iomem = release_resource(state.iomem, res)
        raise
    put_dev_dax(state, dev._replace(reserved=((start, start + size - 1),)))


def _entry(root: Resource, name: str, span: tuple[int, int]) -> Resource | None:
    """The entry that the driver reserved, wherever it is now."""
    node: Resource | None = root
    while node is not None:
        node = next((each for each in node.children if each.start <= span[0] and span[1] <= each.end), None)
        if node is not None and (node.start, node.end) == span and node.name == name:
            return node
    return None


def dev_dax_kmem_remove(state: State, name: str) -> None:
    """Take the memory back, range by range; what is still online stays RAM until the next reboot, and stays claimed."""
    dev, f = dev_dax_of(state, name), state.kernel.features
    prefix = dev_driver_string(dev)
    left: list[tuple[int, int] | None] = list(dev.reserved)
    if not f.kmem_removes:
        return
    success = 0
    for index, span in enumerate(dev.reserved):
        if span is None:
            skipped_counts = not f.kmem_partial_removal_fails
            success += skipped_counts and dax_kmem_range(state, dev.ranges[index]) is not None
            continue
        start, end = span
        try:
            remove_memory(state, start, end - start + 1)
        except Refusal as refusal:
            if refusal.crash:
                raise
            if f.dax_multi_range:
                words = f"mapping{index}: {start:#x}-{end:#x}"
            else:
                words = f"DAX region [mem {start:#010x}-{end:#010x}]"
            _warn(state, "err", prefix, f"{words} cannot be hotremoved until the next reboot")
            continue
        entry = _entry(state.iomem, name, span)
        if entry is not None:
            state.iomem = (remove_resource if f.dax_multi_range else release_resource)(state.iomem, entry)
        left[index] = None
        success += 1
    done = success >= len(dev.ranges)
    if done and dev.group:
        memory_group_unregister(state, dev.group)
    if done:
        clear_node_memory_type(state, region_of(state, dev.region).target_node)
    new = dev._replace(reserved=() if done else tuple(left), group=0 if done else dev.group)
    put_dev_dax(state, new)
