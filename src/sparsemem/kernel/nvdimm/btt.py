"""``drivers/nvdimm/btt.c``: the block translation table of a ``mode=sector`` namespace: its arenas, found or made. Bytes.

Data is not modelled: what a new BTT writes is its info blocks, its log, and zeros over its map, as the kernel does.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from sparsemem.kernel.nvdimm.btt_bytes import (
    ARENA_MAX_SIZE,
    ARENA_MIN_SIZE,
    LOG_GRP_SIZE,
    MAP_ENT_SIZE,
    ND_MAX_LANES,
    Arena,
    alloc_arena,
    decode,
    encode,
    initial_log,
    parse_arena_meta,
    to_sb,
)
from sparsemem.kernel.nvdimm.btt_devs import initial_offset, nd_btt_arena_is_valid, nd_btt_version
from sparsemem.kernel.nvdimm.claim import (
    devm_namespace_enable,
    nvdimm_read_bytes,
    nvdimm_write_bytes,
    nvdimm_zero_bytes,
)
from sparsemem.kernel.nvdimm.core import UUID_NULL, btt_of, dev_printk, put, region_of
from sparsemem.kernel.nvdimm.info_block import SB_SIZE
from sparsemem.kernel.refusal import Refusal

if TYPE_CHECKING:
    from sparsemem.kernel.nvdimm.types import NdNamespace
    from sparsemem.kernel.state import State

__all__ = ["btt_sector_size", "create_arenas", "discover_arenas", "nvdimm_namespace_attach_btt"]

_GROUP = struct.Struct("<16I")
_PADDING = (0, 0, 0, 0)
_LBA = (1 << 30) - 1
_Entry = tuple[int, int, int, int]


class _Btt(NamedTuple):
    """A btt device at work: its namespace, and where in it the arenas begin."""

    key: str
    ndns: NdNamespace
    rawsize: int
    offset: int


def btt_sector_size(lbasize: int) -> int:
    """The logical block size of the disk: 4096 from there on, 512 below (the rest of a block is integrity metadata)."""
    return 4096 if lbasize >= 4096 else 512


def _read(state: State, btt: _Btt, offset: int, size: int) -> bytes:
    at = offset + btt.offset
    if at + size > btt.ndns.size:
        line = dev_printk(state, "warn", btt.ndns.name, "request out of range")
        raise Refusal(14, "nsio_rw_bytes", "btt-corrupt", (line,))
    return nvdimm_read_bytes(state, btt.ndns, at, size)


def _write(state: State, btt: _Btt, offset: int, data: bytes) -> None:
    nvdimm_write_bytes(state, btt.ndns, offset + btt.offset, data)


# -- the log


def _groups(state: State, btt: _Btt, arena: Arena) -> list[tuple[_Entry, ...]]:
    data = _read(state, btt, arena.logoff, arena.nfree * LOG_GRP_SIZE)
    return [tuple(each[at : at + 4] for at in (0, 4, 8, 12)) for each in _GROUP.iter_unpack(data)]


def _log_set_indices(state: State, btt: _Btt, groups: list[tuple[_Entry, ...]]) -> tuple[int, int]:
    """Which two of a group's four entries are used: (0, 1), or (0, 2) as kernels before 4.15 wrote them. Raises Refusal(ENXIO)."""
    index: list[int] = []
    initial = True
    for group in groups:
        padding = 0
        for slot, entry in enumerate(group):
            if len(index) == 2:
                wrong = entry == _PADDING if slot == index[0] else slot != index[1] and entry != _PADDING
                if wrong:
                    raise Refusal(6, "log_set_indices", "btt-corrupt")
            elif entry == _PADDING:
                padding += 1
            elif slot not in index:
                index.append(slot)
        if padding < 3:
            initial = False
    if not initial and len(index) < 2:
        raise Refusal(6, "log_set_indices", "btt-corrupt")
    first = index[0] if index else -1
    second = 1 if initial else index[1]
    if first != 0 or second not in (1, 2):
        line = dev_printk(state, "err", btt.key, "Found an unknown padding scheme")
        raise Refusal(6, "log_set_indices", "btt-corrupt", (line,))
    return first, second


def _newest(state: State, btt: _Btt, lane: int, group: tuple[_Entry, ...], index: tuple[int, int]) -> _Entry:
    """``btt_log_read`` of the new entry. Raises Refusal(EIO): the sequence numbers make no sense."""
    one, two = group[index[0]][3], group[index[1]][3]
    if one == 0:
        return group[index[1]]
    if one == two or one + two > 5:
        text = f"log corruption (-22): lane {lane} seq [{one}, {two}]"
        line = dev_printk(state, "err", btt.key, text)
        raise Refusal(5, "btt_log_read", "btt-corrupt", (line,))
    if one < two:
        old = 0 if two - one == 1 else 1
    else:
        old = 1 if one - two == 1 else 0
    return group[index[1 - old]]


def _btt_freelist_init(state: State, btt: _Btt, arena: Arena, groups: list[tuple[_Entry, ...]]) -> None:
    """Recover the map of the last write of every lane. Raises Refusal(EIO)."""
    index = _log_set_indices(state, btt, groups)
    for lane, group in enumerate(groups):
        lba, raw_old, raw_new, _ = _newest(state, btt, lane, group, index)
        old, new = raw_old & _LBA, raw_new & _LBA
        if old == new:
            continue
        if lba >= arena.external_nlba:
            text = f"btt_map_read: lba {lba:#x} out of range (max: {arena.external_nlba:#x})"
            dev_printk(state, "err", btt.key, text)
        at = arena.mapoff + lba * MAP_ENT_SIZE
        raw = int.from_bytes(_read(state, btt, at, MAP_ENT_SIZE), "little")
        entry = raw & _LBA if raw >> 30 else lba
        if new != entry and old == entry:
            _write(state, btt, at, (raw_new | 3 << 30).to_bytes(4, "little"))


# -- arenas


def discover_arenas(state: State, key: str, ndns: NdNamespace, rawsize: int) -> list[Arena]:
    """The arenas on the medium; none where the first info block is no valid one (logged).

    Raises Refusal: ENODEV (a later arena is broken; fewer free blocks than lanes), ENXIO and EIO (its log is), EFAULT (it claims
    more than there is).
    """
    btt = _Btt(key, ndns, rawsize, initial_offset(btt_of(state, key)))
    arenas: list[Arena] = []
    remaining, at = rawsize, 0
    while remaining:
        state.alloc("discover_arenas")
        data = _read(state, btt, at, SB_SIZE)
        if not nd_btt_arena_is_valid(state, key, data):
            if not arenas:
                dev_printk(state, "info", key, "No existing arenas")
                return []
            line = dev_printk(state, "err", key, "Found corrupted metadata!")
            raise Refusal(19, "discover_arenas", "btt-corrupt", (line,))
        arena = parse_arena_meta(decode(data), at)
        if state.kernel.features.btt_checks_free_blocks and arena.nfree < ND_MAX_LANES:
            line = dev_printk(state, "err", key, f"nfree {arena.nfree} smaller than lane count {ND_MAX_LANES}")
            raise Refusal(19, "discover_arenas", "btt-corrupt", (line,))
        groups = _groups(state, btt, arena)
        try:
            _log_set_indices(state, btt, groups)
        except Refusal as refusal:
            line = dev_printk(state, "err", key, "Unable to deduce log/padding indices")
            raise Refusal(refusal.errno, refusal.function, refusal.rule, (*refusal.log, line)) from refusal
        _btt_freelist_init(state, btt, arena, groups)
        arenas.append(arena)
        remaining = (remaining - arena.size) % (1 << 64)
        at += arena.size
        if not arena.nextoff:
            break
    return arenas


def create_arenas(rawsize: int, lbasize: int) -> list[Arena]:
    """The arenas of a new BTT: 512 GiB each, the last what is left, which is nothing when that is below 16 MiB."""
    arenas: list[Arena] = []
    at = 0
    while rawsize - at >= ARENA_MIN_SIZE:
        size = min(ARENA_MAX_SIZE, rawsize - at)
        arenas.append(alloc_arena(size, lbasize, at, last=rawsize - at - size < ARENA_MIN_SIZE))
        at += size
    return arenas


def _write_layout(state: State, btt: _Btt, arena: Arena, parent_uuid: str) -> None:
    """``btt_arena_write_layout``: the map zeroed, the log written, then both info blocks, the copy first."""
    state.alloc("btt_map_init")
    dev = btt_of(state, btt.key)
    nvdimm_zero_bytes(state, btt.ndns, btt.offset + arena.mapoff, arena.logoff - arena.mapoff)
    log = initial_log(arena)
    _write(state, btt, arena.logoff, log.ljust(arena.info2off - arena.logoff, b"\0"))
    data = encode(to_sb(arena, dev.uuid, parent_uuid, dev.version))
    _write(state, btt, arena.info2off, data)
    _write(state, btt, arena.infooff, data)


def _btt_init(state: State, key: str, ndns: NdNamespace, rawsize: int) -> int:
    """The size of the BTT, in its sectors. Raises Refusal, which the caller answers as ENOMEM."""
    dev, region = btt_of(state, key), region_of(state, ndns.region)
    state.alloc("btt_init")
    try:
        arenas = discover_arenas(state, key, ndns, rawsize)
    except Refusal as refusal:
        line = dev_printk(state, "err", key, f"init: error in arena_discover: -{refusal.errno}")
        raise Refusal(refusal.errno, "btt_init", refusal.rule, (*refusal.log, line)) from refusal
    if not arenas and region.ro:
        text = f"{region.name} is read-only, unable to init btt metadata"
        line = dev_printk(state, "warn", key, text)
        raise Refusal(6, "btt_init", "region-read-only", (line,))
    if not arenas:
        arenas = create_arenas(rawsize, dev.lbasize)
        btt = _Btt(key, ndns, rawsize, initial_offset(dev))
        try:
            for arena in arenas:
                _write_layout(state, btt, arena, ndns.uuid or UUID_NULL)
        except Refusal as refusal:
            line = dev_printk(state, "err", key, f"init: error in meta_init: -{refusal.errno}")
            raise Refusal(refusal.errno, "btt_init", refusal.rule, (*refusal.log, line)) from refusal
    return sum(arena.external_nlba for arena in arenas)


def nvdimm_namespace_attach_btt(state: State, ndns: NdNamespace) -> int:
    """Bring up the BTT of a claimed namespace; bytes of its disk.

    Raises Refusal: ENODEV (no uuid, namespace or sector size yet), EBUSY (claimed in the iomem tree), ENXIO (below 16 MiB), ENOMEM
    (everything else that goes wrong).
    """
    key = ndns.claim
    dev = btt_of(state, key)
    if not dev.uuid or not dev.ndns or not dev.lbasize:
        dev_printk(state, "debug", key, "incomplete btt configuration")
        raise Refusal(19, "nvdimm_namespace_attach_btt", "info-block-settings")
    state.alloc("nvdimm_namespace_attach_btt")
    if state.kernel.features.probe_maps_info_block_only:  # before, the caller has mapped it
        devm_namespace_enable(state, key, ndns, ndns.size)
    nd_btt_version(state, key, ndns)
    rawsize = ndns.size - initial_offset(btt_of(state, key))
    if rawsize < ARENA_MIN_SIZE:
        least = ARENA_MIN_SIZE + initial_offset(btt_of(state, key))
        dev_printk(state, "debug", key, f"{ndns.name} must be at least {least} bytes")
        raise Refusal(6, "nvdimm_namespace_attach_btt", "namespace-size")
    try:
        nlba = _btt_init(state, key, ndns, rawsize)
        state.alloc("btt_blk_init")
    except Refusal as refusal:
        raise Refusal(12, "nvdimm_namespace_attach_btt", refusal.rule, refusal.log) from refusal
    size = nlba * btt_sector_size(dev.lbasize)
    put(state, btt_of(state, key)._replace(size=size))
    return size
