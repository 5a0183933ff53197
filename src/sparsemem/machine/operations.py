"""Operations: the kernel calls that a machine can be asked to make, as values with a text form.

``str(op)`` and ``parse_operation`` are inverses. Ranges are printed inclusive, as the kernel prints them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from sparsemem.errors import UsageError
from sparsemem.kernel import memory_block
from sparsemem.kernel.acpi_memhotplug import acpi_memory_device_add, acpi_memory_device_remove
from sparsemem.kernel.memory_hotplug import add_remove, pages
from sparsemem.kernel.memremap import MEMORY_TYPES, memremap_pages, memunmap_pages
from sparsemem.kernel.refusal import Refusal
from sparsemem.kernel.resource import release_mem_region, request_mem_region
from sparsemem.kernel.state import State, VmemAltmap
from sparsemem.kernel.virtio_mem.driver import run_queued_work
from sparsemem.machine import cxl_operations, fs_operations, nd_operations, sysfs, virtio_mem_operations
from sparsemem.ranges import Range, format_range, parse_range

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["OPERATIONS", "Operation", "parse_operation", "perform", "store_operation"]


@dataclass(frozen=True, slots=True)
class Operation:
    """``name`` of OPERATIONS, byte ``ranges`` (or the ``block`` for online/offline), and options as sorted pairs.

    ``fail`` makes the n-th allocation of the operation fail (from 1).
    """

    name: str
    ranges: tuple[Range, ...] = ()
    block: int | None = None
    options: tuple[tuple[str, str], ...] = ()
    fail: int | None = None

    def option(self, name: str, default: str) -> str:
        for key, value in self.options:
            if key == name:
                return value
        return default

    def __str__(self) -> str:
        words = [self.name]
        if self.ranges:
            words.append(",".join(format_range(each) for each in self.ranges))
        if self.block is not None:
            words.append(f"memory{self.block}")
        words += [f"{key}={value}" for key, value in self.options]
        if self.fail is not None:
            words.append(f"fail={self.fail}")
        return " ".join(words)


def _pfns(state: State, r: Range) -> tuple[int, int]:
    shift = state.kernel.geometry.PAGE_SHIFT
    return r.start >> shift, r.end >> shift


def _memremap(state: State, op: Operation) -> None:
    pairs = tuple(_pfns(state, each) for each in op.ranges)
    altmap = None
    if text := op.option("altmap", ""):
        reserve, _, free = text.partition(":")
        # libnvdimm aligns the base down to what the kernel adds: sub-sections, or sections up to v5.2.
        g = state.kernel.geometry
        mask = (g.PAGES_PER_SUBSECTION if state.kernel.features.subsection_hotplug else g.PAGES_PER_SECTION) - 1
        start, end = pairs[0]
        base = start & ~mask
        altmap = VmemAltmap(base, end - 1, int(reserve) + start - base, int(free))
    memremap_pages(
        state,
        pairs,
        int(op.option("nid", "0")),
        type=op.option("type", "fs_dax"),
        altmap=altmap,
        owner=op.option("owner", ""),
        vmemmap_shift=int(op.option("vmemmap_shift", "0")),
    )


def _memunmap(state: State, op: Operation) -> None:
    memunmap_pages(state, tuple(_pfns(state, each) for each in op.ranges))


def _add(state: State, op: Operation) -> None:
    r = op.ranges[0]
    add_remove.add_memory(state, int(op.option("nid", "0")), r.start, r.size, int(op.option("flags", "0"), 0))


def _add_driver_managed(state: State, op: Operation) -> None:
    r, nid = op.ranges[0], int(op.option("nid", "0"))
    name = op.option("name", "System RAM (kmem)").replace("_", " ")
    add_remove.add_memory_driver_managed(state, nid, r.start, r.size, name, int(op.option("flags", "0"), 0))


def _remove(state: State, op: Operation) -> None:
    add_remove.remove_memory(state, op.ranges[0].start, op.ranges[0].size)


def _offline_and_remove(state: State, op: Operation) -> None:
    add_remove.offline_and_remove_memory(state, op.ranges[0].start, op.ranges[0].size)


def _arch_add(state: State, op: Operation) -> None:
    pages.arch_add_memory(state, int(op.option("nid", "0")), op.ranges[0].start, op.ranges[0].size)


def _arch_remove(state: State, op: Operation) -> None:
    pages.arch_remove_memory(state, op.ranges[0].start, op.ranges[0].size)


def _store_state(word: str) -> Callable[[State, Operation], None]:
    def perform(state: State, op: Operation) -> None:
        if op.block not in state.blocks:
            raise Refusal(2, "state_store", "block-exists")
        memory_block.state_store(state, op.block, word)

    return perform


def _acpi_add(state: State, op: Operation) -> None:
    r = op.ranges[0]
    acpi_memory_device_add(state, r.start, r.size, int(op.option("nid", "0")), op.option("device", "PNP0C80:00"))


def _acpi_remove(state: State, op: Operation) -> None:
    r = op.ranges[0]
    first = state.blocks.get(r.start // state.misc["memory_block_size_bytes"])
    acpi_memory_device_remove(state, r.start, r.size, first.group if first is not None else None)


def _request_region(state: State, op: Operation) -> None:
    r = op.ranges[0]
    claimed = request_mem_region(state.iomem, r.start, r.size, unquote(op.option("name", "")), log=state.log)
    if claimed is None:
        raise Refusal(16, "__request_region", "resource-busy")
    state.iomem = claimed[0]


def _release_region(state: State, op: Operation) -> None:
    state.iomem = release_mem_region(state.iomem, op.ranges[0].start, op.ranges[0].size, log=state.log)


_quoted = lru_cache(maxsize=2048)(quote)  # the same attributes are written again and again
_unquoted = lru_cache(maxsize=2048)(unquote)


def _store(state: State, op: Operation) -> None:
    path = _unquoted(op.option("path", ""))
    try:
        sysfs.store(state, path, _unquoted(op.option("text", "")))
    except sysfs.SysfsError as error:
        raise error.refusal or Refusal(error.number, "open", "sysfs-path") from None


def store_operation(path: str, text: str) -> Operation:
    """Writing ``text`` to a file of the attribute tree, as an operation."""
    return Operation("store", options=(("path", _quoted(path)), ("text", _quoted(text, safe=""))))


#: name -> (how it is performed, what it takes: "ranges", "range", "block" or "")
OPERATIONS: dict[str, tuple[Callable[[State, Operation], None], str]] = {
    "acpi_memory_device_add": (_acpi_add, "range"),
    "acpi_memory_device_remove": (_acpi_remove, "range"),
    "add_memory": (_add, "range"),
    "add_memory_driver_managed": (_add_driver_managed, "range"),
    "arch_add_memory": (_arch_add, "range"),
    "arch_remove_memory": (_arch_remove, "range"),
    "memremap_pages": (_memremap, "ranges"),
    "memunmap_pages": (_memunmap, "ranges"),
    "offline": (_store_state("offline"), "block"),
    "offline_and_remove_memory": (_offline_and_remove, "range"),
    "online": (_store_state("online"), "block"),
    "online_kernel": (_store_state("online_kernel"), "block"),
    "online_movable": (_store_state("online_movable"), "block"),
    "release_mem_region": (_release_region, "range"),
    "remove_memory": (_remove, "range"),
    "request_mem_region": (_request_region, "range"),
    "store": (_store, ""),
    **cxl_operations.OPERATIONS,
    **nd_operations.OPERATIONS,
    **fs_operations.OPERATIONS,
    **virtio_mem_operations.OPERATIONS,
}


def _natural(text: str, below: int = 1 << 52) -> int:
    value = int(text)
    if not 0 <= value < below:
        raise ValueError(text)
    return value


#: options that an operation takes -> how its value is checked
_OPTIONS: dict[str, Callable[[str], object]] = {
    "altmap": lambda text: (
        [_natural(part) for part in text.split(":", 1)] if ":" in text else int("altmap wants RESERVE:FREE")
    ),
    "device": str,
    "flags": lambda text: int(text, 0),
    "name": str,
    "nid": lambda text: _natural(text, 1 << 10),
    "owner": str,
    "path": str,
    "text": str,
    "type": str,
    "vmemmap_shift": lambda text: _natural(text, 64),
    **cxl_operations.OPTIONS,
    **nd_operations.OPTIONS,
    **fs_operations.OPTIONS,
    **virtio_mem_operations.OPTIONS,
}


def perform(state: State, op: Operation) -> None:
    """Carry the operation out on the state, and the work that drivers queued meanwhile. Raises Refusal."""
    try:
        OPERATIONS[op.name][0](state, op)
    except Refusal:
        run_queued_work(state)
        raise
    run_queued_work(state)


def parse_operation(text: str) -> Operation:
    """Read ``memremap_pages 0x200000000-0x2fbffffff type=generic``. Raises UsageError with the place and the remedy."""
    words = text.split()
    if not words or words[0] not in OPERATIONS:
        raise UsageError(
            f"no such operation: {words[0] if words else text!r}", remedy="one of " + ", ".join(sorted(OPERATIONS))
        )
    name, takes = words[0], OPERATIONS[words[0]][1]
    ranges: tuple[Range, ...] = ()
    block: int | None = None
    options: dict[str, str] = {}
    for word in words[1:]:
        key, equals, value = word.partition("=")
        if equals:
            _check_option(text, key, value)
            options[key] = value
        elif takes == "block" and word.startswith("memory") and word[6:].isdecimal() and block is None:
            block = int(word[6:])
        elif takes in ("range", "ranges") and not ranges:
            ranges = tuple(parse_range(part) for part in word.split(","))
        else:
            raise UsageError(f"{name} does not take {word!r}", where=text)
    if takes == "block" and block is None:
        raise UsageError(f"{name} needs a memory block", where=text, remedy=f"write {name} memory32")
    if takes in ("range", "ranges") and (not ranges or (takes == "range" and len(ranges) > 1)):
        raise UsageError(f"{name} needs {'one range' if takes == 'range' else 'a range'}", where=text)
    fail = options.pop("fail", None)
    return Operation(name, ranges, block, tuple(sorted(options.items())), None if fail is None else int(fail))


def _check_option(text: str, key: str, value: str) -> None:
    if key == "fail":
        if not value.isdecimal() or value == "0":
            raise UsageError(f"fail={value}: the number of the allocation, from 1", where=text)
        return
    if key not in _OPTIONS:
        raise UsageError(
            f"no such option: {key}", where=text, remedy="one of " + ", ".join(sorted((*_OPTIONS, "fail")))
        )
    try:
        _OPTIONS[key](value)
    except ValueError:
        raise UsageError(f"{key}={value} is not a value for {key}", where=text) from None
    if key == "type" and "memremap" in text and value not in MEMORY_TYPES:
        raise UsageError(f"no such pagemap type: {value}", where=text, remedy="one of " + ", ".join(MEMORY_TYPES))
