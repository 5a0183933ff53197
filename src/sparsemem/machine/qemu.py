"""A QEMU q35 guest from a scenario's machine table: its firmware map, its NVDIMMs and DIMMs, its ``/proc/iomem`` at
boot.

The board is QEMU 7.2 with SeaBIOS, started as the lab starts it: ``-M q35,nvdimm=on -cpu max -m
MEMORY,slots=S,maxmem=X -nic none -vga none -kernel ...`` under software emulation, one ``memory-backend-ram`` a
DIMM, labels of 2 MiB. All numbers are bytes. Measured on kernels 5.10, 6.1, 6.12 and 7.2; the transcripts in
``tests/transcripts`` hold it to that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from sparsemem.errors import InputError, NotModelledError
from sparsemem.kernel.refusal import Refusal
from sparsemem.machine.cxl_board import window_after, with_window
from sparsemem.machine.e820 import (
    E820_TYPE_PMEM,
    E820_TYPE_PRAM,
    E820_TYPE_RAM,
    E820_TYPE_RESERVED,
    E820Entry,
    boot_e820,
    boot_region,
)
from sparsemem.machine.memory_devices import DeviceMemory, DimmRefusedError, MemoryDevice, qom_order
from sparsemem.machine.numa import Numa, numa_init, srat
from sparsemem.machine.q35_iomem import PHYS_BITS, insert_persistent_memory, q35_iomem
from sparsemem.machine.virtio_mem import VirtioMemDevice, VirtioMemSpec, plug_virtio_mem
from sparsemem.ranges import Range, format_range
from sparsemem.units import GIB, KIB, MIB, format_size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sparsemem.kernel.ioport import Resource
    from sparsemem.machine.description import BootRegion
    from sparsemem.spec import Kernel

__all__ = [
    "DEFAULT_MAXMEM",
    "DEFAULT_SLOTS",
    "LABEL_SIZE",
    "Guest",
    "MemoryLayout",
    "PmemDevice",
    "PmemRegion",
    "memory_layout",
    "start",
]

DEFAULT_SLOTS = 8
DEFAULT_MAXMEM = 16 * GIB
LABEL_SIZE = 2 * MIB

_FOUR_GIB = 4 * GIB
_LOW_LIMIT = 0xB0000000
_LOW_WHEN_SPLIT = 2 * GIB
_HOLE64_SIZE = 32 * GIB
_MAX_SLOTS = 256
_AMD_HT = Range(0xFD00000000, 1 << 40)
_ABOVE_1TB = 1 << 40
# SeaBIOS keeps QEMU's ACPI tables (0x20000) and pages of its own at the top of low RAM; hot-plug adds a page.
_FIRMWARE_TAIL = 0x21000
# memory_block_size_bytes() of a guest with less than 64 GiB at boot: what ACPI's DIMMs must be multiples of.
_BLOCK_SIZE = 128 * MIB
# Real mode code that starts the other CPUs: the kernel panics without a place for it below 1 MiB.
_TRAMPOLINE = 64 * KIB
# Where the kernel image must find RAM with nokaslr; the largest one read ends at 0x4200000 (7.2).
_KERNEL_IMAGE = Range(16 * MIB, 66 * MIB)


class PmemDevice(NamedTuple):
    """An NVDIMM of the scenario: bytes without the label area, whether it has one, QEMU's node, and ``addr=`` (0: where QEMU puts
    it)."""

    size: int
    labels: bool = False
    node: int = 0
    addr: int = 0


class PmemRegion(NamedTuple):
    """A libnvdimm region as the guest finds it: ``regionN``.

    ``kind``: "e820" for a ``memmap=`` range, "nfit" for an NVDIMM; ``device`` is the NVDIMM's id. Without
    ``labels`` it is one namespace, ``namespaceN.0``, which the kernel tries to attach while booting.
    """

    number: int
    range: Range
    kind: str
    labels: bool
    device: str | None = None


class MemoryLayout(NamedTuple):
    """Where ``-m`` puts things. ``window``: for memory devices (empty without maxmem); ``hole64``: the 64-bit PCI
    window; ``cxl``: the window for CXL.
    """

    low: int
    high: int
    window: Range
    hole64: Range
    cxl: Range | None = None


@dataclass(frozen=True, slots=True)
class Guest:
    """A guest as it is when its kernel has booted and before any namespace is attached or any DIMM's memory is added.

    ``firmware``: the e820 map as SeaBIOS gives it; ``e820``: after the command line; ``iomem``: with "Persistent
    Memory" entries and without namespaces; ``regions``: in order of their numbers (e820 ones first, as when nd_e820
    is loaded before nfit); ``devices``: the window with what is plugged, to plug more; ``dimms``: those from the
    command line, which ACPI adds at boot; ``max_mem_size``: ``mem=`` also refuses memory added during boot above
    this; ``numa``: which node has which address; ``virtio_mems``: the virtio-mem devices, in order of their numbers in the guest.
    """

    firmware: tuple[BootRegion, ...]
    e820: tuple[BootRegion, ...]
    iomem: Resource
    nvdimms: tuple[Range, ...]
    dimms: tuple[MemoryDevice, ...]
    regions: tuple[PmemRegion, ...]
    devices: DeviceMemory
    max_mem_size: int | None
    numa: Numa
    virtio_mems: tuple[VirtioMemDevice, ...] = ()
    cxl_window: Range | None = None

    @property
    def device_memory_base(self) -> int:
        """Where the window for memory devices starts."""
        return self.devices.window.start


def _round_up(value: int, unit: int) -> int:
    return -(-value // unit) * unit


def _stopped(words: str) -> InputError:
    return InputError(f"QEMU would not start: {words}", where="[machine]")


def memory_layout(
    memory: int, slots: int = DEFAULT_SLOTS, maxmem: int = DEFAULT_MAXMEM, cxl_window: int = 0
) -> MemoryLayout:
    """RAM below and above 4 GiB, the device window and the 64-bit PCI window. ``slots`` 0: neither slots nor maxmem
    is given. ``cxl_window``: bytes of the window for CXL, 0 for none.

    Raises InputError with QEMU's words where it does not start.
    """
    memory = _round_up(memory, 8 * KIB)
    if slots:
        if maxmem < memory:
            raise _stopped(
                f"invalid value of maxmem: maximum memory size ({maxmem:#x}) must be at least the initial memory size "
                f"({memory:#x})"
            )
        if maxmem == memory:
            raise _stopped(
                "invalid value of maxmem: memory slots were specified but maximum memory size "
                f"({maxmem:#x}) is equal to the initial memory size ({memory:#x})"
            )
        if slots > _MAX_SLOTS:
            raise _stopped(f"unsupported amount of memory slots: {slots}")
        if maxmem % (4 * KIB):
            raise _stopped("maximum memory size must by aligned to multiple of 4096 bytes")
    low = _LOW_WHEN_SPLIT if memory >= _LOW_LIMIT else memory
    layout = _above_4g(_FOUR_GIB, memory, low, slots, maxmem, cxl_window)
    if layout.hole64.end > _AMD_HT.start:
        layout = _above_4g(_ABOVE_1TB, memory, low, slots, maxmem, cxl_window)
    if layout.hole64.end > 1 << PHYS_BITS:
        raise _stopped(
            f"Address space limit {(1 << PHYS_BITS) - 1:#x} < {layout.hole64.end - 1:#x} phys-bits too low "
            f"({PHYS_BITS})"
        )
    return layout


def _above_4g(high_start: int, memory: int, low: int, slots: int, maxmem: int, cxl_window: int) -> MemoryLayout:
    end = high_start + memory - low
    base = _round_up(end, GIB)
    window = Range(base, base + maxmem - memory + slots * GIB) if slots else Range(base, base)
    end = window.end if slots else end
    cxl = window_after(end, cxl_window) if cxl_window else None
    hole = _round_up(end if cxl is None else cxl.end, GIB)
    return MemoryLayout(low, memory - low, window, Range(hole, hole + _HOLE64_SIZE), cxl)


def _firmware_map(layout: MemoryLayout, slots: int) -> list[E820Entry]:
    tail = _FIRMWARE_TAIL + (0x1000 if slots else 0)
    ranges = [
        (0, 0x9FC00, E820_TYPE_RAM),
        (0x9FC00, 0xA0000, E820_TYPE_RESERVED),
        (0xF0000, 0x100000, E820_TYPE_RESERVED),
        (0x100000, layout.low - tail, E820_TYPE_RAM),
        (layout.low - tail, layout.low, E820_TYPE_RESERVED),
        (0xB0000000, 0xC0000000, E820_TYPE_RESERVED),
        (0xFED1C000, 0xFED20000, E820_TYPE_RESERVED),
        (0xFFFC0000, 0x100000000, E820_TYPE_RESERVED),
        (_FOUR_GIB, _FOUR_GIB + layout.high, E820_TYPE_RAM),
        (_AMD_HT.start, _AMD_HT.end, E820_TYPE_RESERVED),
    ]
    return [E820Entry(begin, end - begin, kind) for begin, end, kind in ranges if begin < end]


def _plugged(
    devices: DeviceMemory, dimms: Sequence[tuple[int, int]], addrs: Sequence[int], pmem: Sequence[PmemDevice]
) -> tuple[DeviceMemory, list[MemoryDevice], list[MemoryDevice]]:
    cold: list[MemoryDevice] = []
    nvdimms: list[MemoryDevice] = []
    try:
        for index, (size, node) in enumerate(dimms):
            devices, device = devices.plug(f"cold{index}", size, node=node, addr=addrs[index] if addrs else 0)
            cold.append(device)
        for index, entry in enumerate(pmem):
            label = LABEL_SIZE if entry.labels else 0
            devices, device = devices.plug(
                f"nvdimm{index}", entry.size, addr=entry.addr, node=entry.node, nvdimm=True, label=label, backend=f"mem{index}"
            )  # fmt: skip
            nvdimms.append(device)
    except DimmRefusedError as refusal:
        raise _stopped(refusal.what) from None
    return devices, cold, nvdimms


def _check_kernel_fits(entries: Sequence[E820Entry]) -> None:
    if not any(e.type == E820_TYPE_RAM and min(e.end, MIB) - max(e.addr, 4 * KIB) >= _TRAMPOLINE for e in entries):
        raise NotModelledError(
            "I cannot tell whether this guest boots",
            where="[machine]",
            why="its real-mode code needs RAM below 1 MiB: 5.10 to 7.2 panic without",
            remedy="keep memmap= away from there",
        )
    if not any(
        e.type == E820_TYPE_RAM and e.addr <= _KERNEL_IMAGE.start and e.end >= _KERNEL_IMAGE.end for e in entries
    ):
        raise NotModelledError(
            "I cannot tell whether this guest boots",
            where="[machine]",
            why=f"the kernel image needs RAM at {format_range(_KERNEL_IMAGE)}",
            remedy=f"give it more memory ({format_size(128 * MIB)} do), or keep memmap= and mem= away from there",
        )


def start(
    kernel: Kernel,
    memory: int,
    cmdline: str = "",
    pmem: Sequence[PmemDevice] = (),
    *,
    slots: int = DEFAULT_SLOTS,
    maxmem: int = DEFAULT_MAXMEM,
    dimms: Sequence[tuple[int, int]] = (),
    nodes: Sequence[int] = (),
    addrs: Sequence[int] = (),
    virtio_mem: Sequence[VirtioMemSpec] = (),
    cxl_window: int = 0,
) -> Guest:
    """The guest that this machine table gives, for this kernel. ``dimms``: cold-plugged DIMMs, before the NVDIMMs, as size and
    node, ``addrs`` their ``addr=`` (0, or none at all: where QEMU puts them); ``virtio_mem`` devices come after these; ``nodes``:
    memory of each node (none: one node has all); ``cxl_window``: bytes of the window for CXL devices, 0 without them.

    Raises InputError where QEMU does not start or the kernel would panic, NotModelledError where it cannot be told.
    """
    if cxl_window and (not slots or pmem or virtio_mem or len(nodes) > 1):
        others = (("NVDIMMs", pmem), ("virtio-mem devices", virtio_mem), ("several nodes", len(nodes) > 1))
        what = next((name for name, there in others if there), "no slots")
        raise NotModelledError(f"I cannot tell how CXL devices go with {what}", where="[machine] cxl")
    layout = memory_layout(memory, slots, maxmem, cxl_window)
    firmware = _firmware_map(layout, slots)
    boot = boot_e820(firmware, cmdline)
    _check_kernel_fits(boot.entries)
    capacity = maxmem - _round_up(memory, 8 * KIB) if slots else 0
    board = DeviceMemory(layout.window, capacity, slots, nodes=max(len(nodes), 1))
    devices, cold, nvdimms = _plugged(board, dimms, addrs, pmem)
    virtio_mems: list[VirtioMemDevice] = []
    try:
        for index, spec in enumerate(virtio_mem):
            devices, virtio = plug_virtio_mem(devices, f"vm{index}", spec)
            virtio_mems.append(virtio)
    except DimmRefusedError as refusal:
        raise _stopped(refusal.what) from None
    limit = boot.max_mem_size or layout.window.end
    taken = [d.range for d in cold if d.range.end <= limit and not (d.range.start | d.range.end) % _BLOCK_SIZE]
    iomem = q35_iomem(boot.entries, layout.low, layout.hole64, kernel, taken)
    if layout.cxl is not None and kernel.features.cxl_regions:
        iomem = with_window(iomem, layout.cxl)
    try:
        iomem = insert_persistent_memory(iomem, (device.range for device in nvdimms))
    except Refusal:
        raise NotModelledError(
            "I cannot tell what becomes of an NVDIMM that a memmap= parameter overlaps", where="[machine] cmdline"
        ) from None
    ids = [*(d.name for d in (*cold, *nvdimms)), *(v.name for v in virtio_mems)]
    order = [name for name in qom_order(ids) if name.startswith("nvdimm")]
    by_name = {device.name: (device, entry.labels) for device, entry in zip(nvdimms, pmem, strict=True)}
    regions = [
        PmemRegion(number, Range(entry.addr, entry.end), "e820", False)
        for number, entry in enumerate(e for e in boot.entries if e.type in (E820_TYPE_PRAM, E820_TYPE_PMEM))
    ]
    for name in order:
        device, labels = by_name[name]
        regions.append(PmemRegion(len(regions), device.range, "nfit", labels, name))
    return Guest(
        tuple(boot_region(entry) for entry in firmware),
        tuple(boot_region(entry) for entry in boot.entries),
        iomem,
        tuple(device.range for device in nvdimms),
        tuple(cold),
        tuple(regions),
        devices,
        boot.max_mem_size,
        _numa(nodes or (memory,), layout, boot.entries, [by_name[name][0] for name in order]),
        tuple(virtio_mems),
        layout.cxl,
    )


def _numa(
    nodes: Sequence[int], layout: MemoryLayout, entries: Sequence[E820Entry], nvdimms: Sequence[MemoryDevice]
) -> Numa:
    """Raises NotModelledError where RAM lies outside of the nodes: the kernel then gives up on all of them."""
    table = srat(nodes, layout.low, _FOUR_GIB, layout.window, [(d.range, d.node) for d in nvdimms])
    ram = [(entry.addr, entry.end) for entry in entries if entry.type == E820_TYPE_RAM]
    found = numa_init(len(nodes), table, ram)
    inside = sum(max(min(end, stop) - max(start, first), 0) for start, end in ram for first, stop, _ in found.meminfo)
    if len(nodes) > 1 and inside < sum(end - start for start, end in ram):
        raise NotModelledError(
            "I cannot tell which node RAM outside of all nodes is given to",
            where="[machine] cmdline",
            why="the kernel may give up on all of them",
            remedy="keep memmap=...@... inside the memory of the machine",
        )
    return found
