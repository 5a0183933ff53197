"""A pmem block device in sysfs: the directory ``block/pmemN`` of the device that has it (block/genhd.c, block/blk-sysfs.c).

What nothing in the model depends on reads as in the recorded guests: the files are those of the kernels that were recorded.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from sparsemem.kernel.fs.bdev import block_sizes
from sparsemem.kernel.nvdimm.core import namespace_of, region_of
from sparsemem.kernel.nvdimm.pmem import capacity
from sparsemem.kernel.nvdimm.types import NdBtt, NdNamespace
from sparsemem.machine.sysfs_error import SysfsError
from sparsemem.machine.sysfs_nd_attribute import POWER, Attribute, ignored, ro, rw, text

if TYPE_CHECKING:
    from sparsemem.kernel.state import State

__all__ = ["bdi_path", "block_attributes", "block_groups"]

_EXT_MAJOR = 259
_SECTOR = 512
_ERAS = ("5.10", "6.1", "6.12", "7.2")


def _minor(state: State, key: str) -> int:
    dev = state.nd[key]
    number: int = dev.id if isinstance(dev, NdNamespace) else namespace_of(state, dev.ndns).id
    return region_of(state, dev.region).id * 256 + number


def bdi_path(state: State, key: str) -> str:
    """Where the link ``bdi`` leads, out of what is modelled."""
    return f"/sys/devices/virtual/bdi/{_EXT_MAJOR}:{_minor(state, key)}"


def _uevent(state: State, key: str) -> str:
    minor = _minor(state, key)
    sequence = f"DISKSEQ={minor + 1}\n" if state.kernel.features.block_sysfs != "5.10" else ""
    return f"MAJOR={_EXT_MAJOR}\nMINOR={minor}\nDEVNAME={state.nd[key].disk}\nDEVTYPE=disk\n{sequence}"


def _fixed(value: str, mode: int = 0o444) -> Attribute:
    return rw(text(value).show, ignored) if mode == 0o644 else text(value)


def _no_show(number: int) -> Attribute:
    def show(state: State, key: str) -> str:
        raise SysfsError(number, key)

    return rw(show, ignored)


def _sizes(state: State, key: str) -> tuple[int, int]:
    return block_sizes(state, state.nd[key].disk)


def _has_dax(state: State, key: str) -> bool:
    return any(each.kind == "pages" for each in state.nd[key].devres)


def _is_btt(state: State, key: str) -> bool:
    return isinstance(state.nd[key], NdBtt)


def _max_hw_sectors(state: State, key: str) -> str:
    rounded = _is_btt(state, key) and state.kernel.features.block_sysfs != "5.10"
    return f"{2147483647 - (2147483647 % (_sizes(state, key)[0] // 1024) if rounded else 0)}\n"


_FILES: dict[str, Attribute] = {
    "alignment_offset": text("0"),
    "dev": ro(lambda state, key: f"{_EXT_MAJOR}:{_minor(state, key)}\n"),
    "discard_alignment": text("0"),
    "events": text(""),
    "events_async": text(""),
    "events_poll_msecs": _fixed("-1", 0o644),
    "ext_range": text("256"),
    "hidden": text("0"),
    "inflight": text("       0        0"),
    "range": text("0"),
    "removable": text("0"),
    "ro": ro(lambda state, key: f"{int(region_of(state, state.nd[key].region).ro)}\n"),
    "size": ro(lambda state, key: f"{capacity(state, key) // _SECTOR}\n"),
    "stat": text(" ".join(["       0"] * 17)),
    "uevent": rw(_uevent, ignored),
}
_QUEUE_FIXED = {name: _fixed("0", mode) for mode, names in ((0o444, (
    "chunk_sectors discard_granularity discard_max_hw_bytes discard_zeroes_data fua nr_zones optimal_io_size write_same_max_bytes "
    "write_zeroes_max_bytes zone_append_max_bytes zone_write_granularity")), (0o644, (
    "add_random discard_max_bytes io_poll iostats nomerges rotational stable_writes"))) for name in names.split()}  # fmt: skip
_QUEUE: dict[str, Attribute] = {
    **_QUEUE_FIXED,
    "dax": ro(lambda state, key: f"{int(_has_dax(state, key))}\n"),
    "hw_sector_size": ro(lambda state, key: f"{_sizes(state, key)[0]}\n"),
    "io_poll_delay": rw(
        lambda state, key: "0\n" if state.kernel.features.block_sysfs in ("5.10", "6.1") else "-1\n", ignored
    ),
    "logical_block_size": ro(lambda state, key: f"{_sizes(state, key)[0]}\n"),
    "max_discard_segments": text("1"),
    "max_hw_sectors_kb": ro(_max_hw_sectors),
    "max_integrity_segments": ro(
        lambda state, key: f"{int(_is_btt(state, key) and state.kernel.features.block_sysfs in ('6.12', '7.2'))}\n"
    ),
    "max_sectors_kb": rw(
        lambda state, key: "4096\n" if state.kernel.features.block_sysfs == "7.2" else "1280\n", ignored
    ),
    "max_segment_size": text("65536"),
    "max_segments": text("128"),
    "minimum_io_size": ro(lambda state, key: f"{_sizes(state, key)[1]}\n"),
    "physical_block_size": ro(lambda state, key: f"{_sizes(state, key)[1]}\n"),
    "read_ahead_kb": _fixed("128", 0o644),
    "write_cache": rw(lambda state, key: "write through\n" if _is_btt(state, key) else "write back\n", ignored),
    "zoned": text("none"),
}
#: queue files that came and went: name -> (first and last recorded kernel that has it, value, mode; None: EINVAL)
_QUEUE_BY_ERA: dict[str, tuple[str, str, str | None, int]] = {
    **{f"atomic_write_{name}": ("6.12", "7.2", "0", 0o444) for name in (
        "boundary_bytes", "max_bytes", "unit_max_bytes", "unit_min_bytes")},
    "dma_alignment": ("6.1", "7.2", "511", 0o444),
    "iostats_passthrough": ("7.2", "7.2", "0", 0o644),
    "max_write_streams": ("7.2", "7.2", "0", 0o444),
    "nr_requests": ("5.10", "6.1", "128", 0o644),
    "rq_affinity": ("5.10", "6.1", "0", 0o644),
    "scheduler": ("5.10", "6.1", "none", 0o644),
    "virt_boundary_mask": ("6.1", "7.2", "0", 0o444),
    "wbt_lat_usec": ("5.10", "6.1", None, 0o644),
    "write_stream_granularity": ("7.2", "7.2", "0", 0o444),
    "write_zeroes_unmap_max_bytes": ("7.2", "7.2", "0", 0o644),
    "write_zeroes_unmap_max_hw_bytes": ("7.2", "7.2", "0", 0o444),
}  # fmt: skip
_TRACE = {"act_mask": "disabled", "enable": "0", "end_lba": "disabled", "pid": "disabled", "start_lba": "disabled"}
_DISKSEQ = ro(lambda state, key: f"{_minor(state, key) + 1}\n")
_BADBLOCKS = rw(lambda state, key: "", ignored)


@cache
def _files(era: str, btt: bool) -> dict[str, Attribute]:
    found = {**_FILES, "capability": text("50" if era == "5.10" else "0")}
    if not btt:
        found["badblocks"] = _BADBLOCKS
    if era != "5.10":
        found["diskseq"] = _DISKSEQ
    if era in ("6.12", "7.2"):
        found["partscan"] = text("1")
    return found


@cache
def _groups(era: str, btt: bool) -> dict[str, dict[str, Attribute]]:
    nr = _ERAS.index(era)
    queue = dict(_QUEUE)
    for name, (first, last, value, mode) in _QUEUE_BY_ERA.items():
        if _ERAS.index(first) <= nr <= _ERAS.index(last):
            queue[name] = _no_show(22) if value is None else _fixed(value, mode)
    flag = _fixed("1" if era == "6.12" else "0", 0o644)
    found = {
        "holders": {},
        "integrity": {
            "device_is_integrity_capable": text("0"),
            "format": text("none"),
            "protection_interval_bytes": text("0"),
            "read_verify": flag,
            "tag_size": text("0"),
            "write_generate": flag,
        },
        "power": POWER,
        "queue": queue,
        "slaves": {},
        "trace": {name: _no_show(6) if era == "5.10" else _fixed(value, 0o644) for name, value in _TRACE.items()},
    }
    return found if btt else {**found, "dax": {"write_cache": _fixed("1", 0o644)}}


def block_attributes(state: State, key: str) -> dict[str, Attribute]:
    """The files of the disk of this device."""
    return _files(state.kernel.features.block_sysfs, _is_btt(state, key))


def block_groups(state: State, key: str) -> dict[str, dict[str, Attribute]]:
    """Its directories."""
    return _groups(state.kernel.features.block_sysfs, _is_btt(state, key))
