"""Operations on libnvdimm and device-dax that user space does not write to sysfs: what firmware has, what lies on the medium, and who
holds a block device.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from typing import TYPE_CHECKING
from urllib.parse import unquote

from sparsemem.kernel.dax.hmem import cxl_dax_region_probe, dax_hmem_probe
from sparsemem.kernel.fs import bdev
from sparsemem.kernel.nvdimm import media
from sparsemem.kernel.nvdimm.core import ida_get
from sparsemem.kernel.nvdimm.interleave import qemu_member
from sparsemem.kernel.nvdimm.label_bytes import encode_index, fresh_index
from sparsemem.kernel.nvdimm.nfit import (
    LINE,
    Dimm,
    acpi_nfit_init,
    acpi_nfit_register_dimm,
    acpi_nfit_register_region,
)
from sparsemem.kernel.refusal import Refusal
from sparsemem.units import parse_size

if TYPE_CHECKING:
    from collections.abc import Callable

    from sparsemem.kernel.state import State
    from sparsemem.machine.operations import Operation

__all__ = ["LABEL_AREA", "OPERATIONS", "OPTIONS", "pack", "unpack"]

LABEL_AREA = 2 << 20
"""Bytes of the label area of a DIMM with ``labels``, as in the recorded guests (QEMU's label-size=2M)."""

_LABEL_SIZES = {"1.1": 128, "1.2": 256}
_MAX_BYTES = 64 << 20


def pack(data: bytes) -> str:
    """Bytes as a word of a layout line."""
    return base64.urlsafe_b64encode(zlib.compress(data, 9)).decode().rstrip("=")


def unpack(text: str) -> bytes:
    """The bytes of such a word. Raises ValueError."""
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        work = zlib.decompressobj()
        data = work.decompress(raw, _MAX_BYTES)
    except (binascii.Error, zlib.error) as error:
        raise ValueError(str(error)) from None
    if not work.eof:
        raise ValueError("cut short, or too large")
    return data


def _labels(op: Operation, index: int) -> tuple[int, tuple[tuple[int, bytes], ...]]:
    """Bytes of the label area of a DIMM of the set, and what is in it."""
    kind, given = op.option("labels", ""), op.option("label", "")
    if given:
        areas = given.split(",")
        data = unpack(areas[min(index, len(areas) - 1)])
        return len(data), ((0, data),)
    if not kind:
        return 0, ()
    size = parse_size(op.option("label_size", str(LABEL_AREA)))
    if kind == "blank":
        return size, ()
    blocks = [encode_index(fresh_index(size, _LABEL_SIZES[kind], number, 3 - number, ndctl=True)) for number in (0, 1)]
    return size, ((0, blocks[0]), (len(blocks[0]), blocks[1]))


def _number(op: Operation, name: str) -> int | None:
    text = op.option(name, "")
    return int(text) if text else None


def _nfit(state: State, op: Operation) -> str | None:
    r, ways = op.ranges[0], int(op.option("ways", "1"))
    bus = acpi_nfit_init(state)
    slot = _number(op, "slot")
    first = sum(1 for name in state.nd.dimms if state.nd[name].bus == bus) if slot is None else slot
    nmem = _number(op, "nmem")
    names = []
    for index in range(ways):
        number = None if nmem is None else nmem + index
        size, labels = _labels(op, index)
        dimm = Dimm(first + index, size, labels, number, op.option("armed", "Y") == "N")
        names.append(acpi_nfit_register_dimm(state, bus, dimm))
    ids = tuple(_ids(op.option("ids", "")))
    region = _number(op, "region")
    if region is None:
        region = ida_get(state.nd[name].id for name in state.nd.regions)
    if ids:
        state.put(state.misc, f"nd_ids:region{region}", ids)
    members = [qemu_member(first + index, index * LINE) for index in range(ways)]
    found = acpi_nfit_register_region(
        state,
        bus,
        r.start,
        r.size,
        names,
        members,
        range_index=(first + 1) * 2,
        numa_node=int(op.option("node", "0")),
        target_node=int(op.option("target_node", op.option("node", "0"))),
        by_address=op.option("lookup", "") == "address",
        id=region,
    )
    state.drop(state.misc, f"nd_ids:region{region}")
    return found


def _ids(text: str) -> list[tuple[str, int]]:
    """Numbers of namespaces by uuid, "UUID:NUMBER,...", where they are not as the kernel would give them now."""
    pairs = (word.split(":") for word in text.split(",") if word)
    return [(uuid, int(number)) for uuid, number in pairs]


def _cxl(state: State, op: Operation) -> str | None:
    from sparsemem.kernel.nvdimm.cxl_pmem import cxl_nvdimm_bridge_probe, cxl_nvdimm_probe, cxl_pmem_region_probe

    r, node, nmem = op.ranges[0], int(op.option("node", "0")), _number(op, "nmem")
    bus = cxl_nvdimm_bridge_probe(state)
    names = []
    for index in range(int(op.option("ways", "1"))):
        size, labels = _labels(op, index)
        names.append(cxl_nvdimm_probe(state, bus, size or LABEL_AREA, labels, None if nmem is None else nmem + index))
    target = int(op.option("target_node", str(node)))
    return cxl_pmem_region_probe(
        state, bus, r.start, r.size, names, numa_node=node, target_node=target, id=_number(op, "region")
    )


def _without_dimms(state: State, op: Operation) -> str | None:
    from sparsemem.kernel.nvdimm.e820 import e820_register_one
    from sparsemem.kernel.nvdimm.virtio_pmem import virtio_pmem_probe

    node = int(op.option("node", "0"))
    target = int(op.option("target_node", str(node)))
    r = op.ranges[0]
    number = _number(op, "region")
    if op.option("bus", "e820") == "e820":
        return e820_register_one(state, r.start, r.size, numa_node=node, target_node=target, id=number)
    fails = op.option("flush", "works") == "fails"
    return virtio_pmem_probe(state, r.start, r.size, numa_node=node, target_node=target, id=number, flush_fails=fails)


def _nd_region(state: State, op: Operation) -> None:
    """Firmware has persistent memory there: bus, DIMMs and region appear and are probed. That nothing comes of it is in the log."""
    register = {"nfit": _nfit, "cxl": _cxl}.get(op.option("bus", "nfit"), _without_dimms)
    name = register(state, op)
    if name is None:
        raise Refusal(12, "nvdimm_pmem_region_create", "region-registration")
    if domain := op.option("persistence", ""):
        state.put(state.misc, f"nd_persist:{name}", domain)


def _nd_media(state: State, op: Operation) -> None:
    """Put bytes on a medium: ``on`` is the name of a region (which need not be there yet), ``at`` the byte in it."""
    data = unpack(op.option("data", "")) if op.option("data", "") else b""
    media.write(state, op.option("on", "region0"), int(op.option("at", "0"), 0), data)


def _dax_region(state: State, op: Operation) -> None:
    """A soft-reserved range (hmem) or a CXL RAM region (cxl) becomes a dynamic dax region."""
    r, node = op.ranges[0], int(op.option("node", "0"))
    target = int(op.option("target_node", str(node)))
    driver = op.option("driver", "hmem")
    number = _number(op, "region")
    if number is None:
        number = sum(
            1
            for each in state.dax.values()
            if getattr(each, "driver", "") == {"hmem": "hmem"}.get(driver, "cxl_dax_region")
        )
    if driver == "cxl":
        cxl_dax_region_probe(state, number, r.start, r.end - 1, target, numa_node=node)
    else:
        idle = op.option("idle", "N") == "Y"
        dax_hmem_probe(state, number, r.start, r.end - 1, target, region_idle=idle, numa_node=node)


# -- who holds a block device


def _claim(state: State, op: Operation) -> None:
    """Open a block device for oneself. Raises Refusal: ENXIO (there is none), EBUSY (somebody else has it)."""
    disk, holder = op.option("disk", ""), unquote(op.option("holder", ""))
    if disk not in state.nd.disks:
        raise Refusal(6, "blkdev_get_by_dev", "block-device-there")
    if any(each == disk for each, _ in bdev.claims(state)):
        raise Refusal(16, "bd_prepare_to_claim", "mount-busy")
    bdev.claim(state, disk, holder)


def _release(state: State, op: Operation) -> None:
    """Let go of a block device: one ``holder``, or all. Raises Refusal(EINVAL): not held."""
    disk, holder = op.option("disk", ""), unquote(op.option("holder", ""))
    found = [each for each in bdev.claims(state) if each[0] == disk and holder in ("", each[1])]
    if not found:
        raise Refusal(22, "bd_end_claim", "mount-there")
    for each in found:
        bdev.release(state, *each)


#: name -> (how it is performed, what it takes), for operations.OPERATIONS
OPERATIONS: dict[str, tuple[Callable[[State, Operation], None], str]] = {
    "claim": (_claim, ""),
    "dax_region": (_dax_region, "range"),
    "nd_media": (_nd_media, ""),
    "nd_region": (_nd_region, "range"),
    "release": (_release, ""),
}


def _one_of(*words: str) -> Callable[[str], object]:
    return words.index


#: option -> how its value is checked
OPTIONS: dict[str, Callable[[str], object]] = {
    "armed": _one_of("N", "Y"),
    "at": lambda text: int(text, 0),
    "bus": _one_of("cxl", "e820", "nfit", "virtio"),
    "data": unpack,
    "disk": str,
    "driver": _one_of("cxl", "hmem"),
    "flush": _one_of("fails", "works"),
    "holder": str,
    "ids": _ids,
    "idle": _one_of("N", "Y"),
    "label": lambda text: [unpack(area) for area in text.split(",")],
    "label_size": parse_size,
    "labels": _one_of("1.1", "1.2", "blank"),
    "lookup": _one_of("address"),
    "nmem": int,
    "node": int,
    "on": str,
    "persistence": _one_of("cpu_cache", "memory_controller"),
    "region": int,
    "slot": int,
    "target_node": int,
    "ways": lambda text: range(1, 33).index(int(text)),
}
