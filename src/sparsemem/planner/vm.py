"""Where the memory devices of a QEMU guest (q35) should lie, so that no section and no memory block is shared and nothing is lost.

A DIMM is hot-plugged in whole memory blocks of the guest's kernel; QEMU aligns to 2 MiB only. Every device gets an ``addr=`` here, and
the guest that comes of it is booted on the model before anything is said.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from sparsemem.errors import InputError, SparsememError, UsageError
from sparsemem.kernel.memory_block_size import memory_block_size_bytes
from sparsemem.machine.qemu import LABEL_SIZE, PmemDevice, memory_layout, start
from sparsemem.planner.intent import size_word
from sparsemem.play.scenario import DimmTable, MachineTable, PmemTable, Scenario
from sparsemem.play.setup import set_up
from sparsemem.ranges import Range, format_range
from sparsemem.spec import kernel as kernel_for
from sparsemem.units import GIB, MIB, format_size, parse_size

if TYPE_CHECKING:
    from sparsemem.machine.machine import Machine
    from sparsemem.machine.qemu import Guest
    from sparsemem.spec import Kernel

__all__ = ["VmDevice", "VmPlan", "VmSpec", "make_vm", "parse_vm", "vm_text"]

_WORD = re.compile(r"(?:(\d+)\s*[x*]\s*)?(ram|dimm|pmem)\s+(\S+)\Z", re.IGNORECASE)
_MOST_SLOTS = 256


class VmSpec(NamedTuple):
    """``ram``: bytes at boot; ``dimms`` and ``pmem``: bytes of each (an NVDIMM's without its label area)."""

    ram: int
    dimms: tuple[int, ...] = ()
    pmem: tuple[int, ...] = ()


class VmDevice(NamedTuple):
    """A device where it is to be. ``kind``: "dimm" or "pmem"."""

    name: str
    kind: str
    range: Range


@dataclass(frozen=True, slots=True, kw_only=True)
class VmPlan:
    """``qemu``: arguments, in order. ``lost``: what goes wrong without ``addr=``, ``scarce``: what may go wrong for want of memory, in
    sentences; ``impossible``: why there is no such guest, with ``nearest`` specifications. ``machine``: the guest, booted on the model,
    with labels on every NVDIMM."""

    spec: VmSpec
    kernel: str
    block_size: int
    qemu: tuple[str, ...] = ()
    devices: tuple[VmDevice, ...] = ()
    lost: tuple[str, ...] = ()
    scarce: tuple[str, ...] = ()
    impossible: str | None = None
    nearest: tuple[str, ...] = ()
    machine: Machine | None = field(default=None, repr=False, compare=False)


def vm_text(spec: VmSpec) -> str:
    """The specification as ``parse_vm`` reads it."""
    words = [f"ram {size_word(spec.ram)}"]
    for kind, sizes in (("dimm", spec.dimms), ("pmem", spec.pmem)):
        at = 0
        while at < len(sizes):
            count = next((n for n in range(1, len(sizes) - at) if sizes[at + n] != sizes[at]), len(sizes) - at)
            words.append(f"{count} x {kind} {size_word(sizes[at])}" if count > 1 else f"{kind} {size_word(sizes[at])}")
            at += count
    return ", ".join(words)


def parse_vm(text: str) -> VmSpec:
    """``"ram 4G, dimm 2G, 2 x pmem 10G"``. Raises InputError with what to write instead."""
    ram = 0
    dimms: list[int] = []
    pmem: list[int] = []
    for number, part in enumerate((p.strip() for p in re.split(r"[,;]", text) if p.strip()), 1):
        where, found = f"--vm, part {number}", _WORD.match(part)
        if found is None:
            raise InputError(
                f"{part!r} is not understood", where=where, remedy='write "ram 4G", "dimm 2G" or "2 x pmem 10G"'
            )
        try:
            size = parse_size(found[3])
        except UsageError as error:
            raise InputError(error.what, where=where, remedy=error.remedy) from None
        count, kind = int(found[1] or 1), found[2].lower()
        if not 0 < size < 1 << 46 or not 0 < count <= _MOST_SLOTS:
            raise InputError(f"{part!r} is more than a guest can have", where=where)
        if kind == "ram":
            if ram or count > 1:
                raise InputError(
                    "RAM is given twice", where=where, remedy="write it once: what is added later is a dimm"
                )
            ram = size
        else:
            (dimms if kind == "dimm" else pmem).extend([size] * count)
    if not ram:
        raise InputError("no RAM", where="--vm", remedy='begin with "ram 4G"')
    if len(dimms) + len(pmem) > _MOST_SLOTS:
        raise InputError(
            f"{len(dimms) + len(pmem)} devices", where="--vm", remedy=f"QEMU has at most {_MOST_SLOTS} slots"
        )
    return VmSpec(ram, tuple(dimms), tuple(pmem))


def _up(value: int, unit: int) -> int:
    return -(-value // unit) * unit


def _ram_end(spec: VmSpec) -> int:
    layout = memory_layout(spec.ram, 0, 0)
    return layout.low if not layout.high else 4 * GIB + layout.high


def _unit(kernel: Kernel, spec: VmSpec, block: int) -> int:
    """What each device starts at: a memory block, a section, and 1 GiB where a device has that much (for 1 GiB pages)."""
    large = any(size >= GIB for size in (*spec.dimms, *spec.pmem))
    return max(block, kernel.geometry.SECTION_SIZE, GIB if large else 0)


def _table(spec: VmSpec, maxmem: int, addrs: tuple[tuple[int, ...], tuple[int, ...]] | None) -> MachineTable:
    dimm_addrs, pmem_addrs = addrs if addrs is not None else ((0,) * len(spec.dimms), (0,) * len(spec.pmem))
    pmem = tuple(PmemTable(size, labels=True, addr=addr) for size, addr in zip(spec.pmem, pmem_addrs, strict=True))
    dimms = tuple(DimmTable(size, addr=addr) for size, addr in zip(spec.dimms, dimm_addrs, strict=True))
    return MachineTable("memory", "", spec.ram, "", pmem, len(dimms) + len(pmem), maxmem, dimms)


def _boot(table: MachineTable, kernel: Kernel) -> tuple[Machine, Guest]:
    version = kernel.version.text
    machine, _ = set_up(Scenario("--vm", version, None, table, ()), version)
    guest = start(
        kernel, table.memory, "", [PmemDevice(each.size, each.labels, each.node, each.addr) for each in table.pmem], slots=table.slots,
        maxmem=table.maxmem, dimms=[(each.size, each.node) for each in table.dimms], addrs=[each.addr for each in table.dimms],
    )  # fmt: skip
    return machine, guest


def _refused(machine: Machine) -> list[str]:
    """What the kernel said about DIMMs that it did not take in."""
    return [line.text for line in machine.state.lines if line.level in ("err", "warn", "emerg")]


def _shared(ranges: list[tuple[str, Range]], unit: int, what: str) -> list[str]:
    """Neighbours that have a section, or a memory block, together."""
    found: list[str] = []
    ordered = sorted(ranges, key=lambda each: each[1].start)
    for (left, a), (right, b) in pairwise(ordered):
        if (a.end - 1) // unit == b.start // unit:
            at = b.start // unit * unit
            found.append(f"{left} and {right} share the {what} {format_range(Range(at, at + unit))}")
    return found


def _ranges(guest: Guest) -> list[tuple[str, Range]]:
    ram = [("RAM", each.range) for each in guest.e820 if each.kind == "usable" and each.range.start >= 4 * GIB]
    return [*ram, *((device.name, device.range) for device in guest.devices.devices)]


def _problems(machine: Machine, guest: Guest, kernel: Kernel, block: int) -> list[str]:
    ranges = _ranges(guest)
    found = [f"the kernel refuses a DIMM: {line}" for line in _refused(machine)]
    found += _shared(ranges, kernel.geometry.SECTION_SIZE, "section")
    if block != kernel.geometry.SECTION_SIZE:
        dimms = [(name, r) for name, r in ranges if name == "RAM" or name.startswith("cold")]
        found += _shared(dimms, block, "memory block")
    for device in guest.devices.devices:
        off = device.range.start % block
        if device.nvdimm and off:
            found.append(
                f"{device.name} starts {format_size(off)} behind a memory block of {format_size(block)}: as system-ram it loses up to "
                f"{format_size(block - off)} in front"
            )
    return found


def _nearest(spec: VmSpec, block: int, unit: int) -> tuple[str, ...]:
    """Sizes rounded down and up."""
    found: list[str] = []
    for sign in (-1, 1):
        dimms = tuple(max(sign * _up(sign * size, block), block) for size in spec.dimms)
        pmem = tuple(max(sign * _up(sign * size, unit), unit) for size in spec.pmem)
        text = vm_text(VmSpec(spec.ram, dimms, pmem))
        if text not in found:
            found.append(text)
    return tuple(found)


def _scarce(spec: VmSpec, kernel: Kernel) -> tuple[str, ...]:
    """DIMMs whose page arrays take a good part of the RAM that the guest boots with: each comes out of what is free when it is plugged."""
    g = kernel.geometry
    arrays = [(size >> g.PAGE_SHIFT) * g.sizeof_struct_page for size in spec.dimms]
    return tuple(
        f"dimm{index}: its page array takes {format_size(array)} of RAM, and the guest boots with {format_size(spec.ram)}. Where so much "
        "is not free, the kernel refuses it (-ENOMEM): give the guest more at boot, or plug smaller DIMMs and online each before the next"
        for index, array in enumerate(arrays)
        if 4 * array >= spec.ram
    )


def make_vm(spec: VmSpec, version: str) -> VmPlan:
    """Place the devices for this guest kernel and boot the guest on the model. Raises InputError where QEMU would not start, and
    NotModelledError."""
    kernel = kernel_for(version)
    block = memory_block_size_bytes(kernel, _ram_end(spec), hypervisor=True)
    grain = 16 * MIB if kernel.features.subsection_hotplug else kernel.geometry.SECTION_SIZE
    said = str(kernel.version)
    wrong = [
        f"dimm {size_word(size)} is no multiple of the guest's memory block of {format_size(block)}"
        for size in spec.dimms
        if size % block
    ]
    wrong += [
        f"pmem {size_word(size)} is no multiple of {format_size(grain)}, and namespaces are"
        for size in spec.pmem
        if size % grain
    ]
    if wrong:
        return VmPlan(
            spec=spec,
            kernel=said,
            block_size=block,
            impossible="; ".join(dict.fromkeys(wrong)),
            nearest=_nearest(spec, block, grain),
        )
    unit = _unit(kernel, spec, block)
    total = sum(spec.dimms) + sum(spec.pmem)
    slots = len(spec.dimms) + len(spec.pmem)
    if not slots:
        machine, _ = _boot(_table(spec, 0, None), kernel)
        return VmPlan(
            spec=spec, kernel=said, block_size=block, qemu=("-M", "q35", "-m", size_word(spec.ram)), machine=machine
        )
    # the window has a GiB more for each slot: enough to align each device to 1 GiB, not to more
    maxmem = _up(spec.ram + total, GIB) + (slots * unit if unit > GIB else 0)
    window = memory_layout(spec.ram, slots, maxmem).window
    at = _up(window.start, unit)
    places: list[Range] = []
    for size in (*spec.dimms, *spec.pmem):
        places.append(Range(at, at + size))
        at = _up(at + size, unit)
    dimm_addrs = tuple(r.start for r in places[: len(spec.dimms)])
    pmem_addrs = tuple(r.start for r in places[len(spec.dimms) :])
    machine, guest = _boot(_table(spec, maxmem, (dimm_addrs, pmem_addrs)), kernel)
    left = _problems(machine, guest, kernel, block)
    if left:
        return VmPlan(spec=spec, kernel=said, block_size=block, impossible="; ".join(left))
    names = [*(f"dimm{i}" for i in range(len(spec.dimms))), *(f"nvdimm{i}" for i in range(len(spec.pmem)))]
    kinds = ["dimm"] * len(spec.dimms) + ["pmem"] * len(spec.pmem)
    devices = tuple(VmDevice(name, kind, place) for name, kind, place in zip(names, kinds, places, strict=True))
    return VmPlan(
        spec=spec, kernel=said, block_size=block, qemu=_arguments(spec, slots, maxmem, devices), devices=devices,
        lost=_without(spec, maxmem, kernel, block), scarce=_scarce(spec, kernel), machine=machine,
    )  # fmt: skip


def _without(spec: VmSpec, maxmem: int, kernel: Kernel, block: int) -> tuple[str, ...]:
    """The same guest with the addresses that QEMU chooses."""
    try:
        machine, guest = _boot(_table(spec, maxmem, None), kernel)
    except SparsememError as error:
        return (f"it cannot be told what QEMU's own addresses would do: {error.what}",)
    return tuple(_problems(machine, guest, kernel, block))


def _arguments(spec: VmSpec, slots: int, maxmem: int, devices: tuple[VmDevice, ...]) -> tuple[str, ...]:
    words = [
        "-M",
        "q35,nvdimm=on" if spec.pmem else "q35",
        "-m",
        f"{size_word(spec.ram)},slots={slots},maxmem={size_word(maxmem)}",
    ]
    for device in devices:
        size, memory = device.range.size, f"mem-{device.name}"
        if device.kind == "dimm":
            words += ["-object", f"memory-backend-ram,id={memory},size={size_word(size)}"]
            words += ["-device", f"pc-dimm,id={device.name},memdev={memory},addr={device.range.start:#x}"]
        else:
            backend = f"memory-backend-file,id={memory},share=on,mem-path={device.name}.img,align=2M,size={size_word(size + LABEL_SIZE)}"
            words += ["-object", backend]
            words += [
                "-device",
                f"nvdimm,id={device.name},memdev={memory},label-size={size_word(LABEL_SIZE)},addr={device.range.start:#x}",
            ]
    return tuple(words)
