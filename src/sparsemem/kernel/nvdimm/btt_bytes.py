"""``drivers/nvdimm/btt.h``: the info block of a BTT arena as bytes, and the layout of an arena. Bytes; blocks where named so."""

from __future__ import annotations

import struct
from typing import NamedTuple

from sparsemem.kernel.nvdimm.info_block import (
    SB_SIZE,
    SbFields,
    checksum_valid,
)

__all__ = [
    "ARENA_MAX_SIZE",
    "ARENA_MIN_SIZE",
    "BTT_PG_SIZE",
    "BTT_SIG",
    "IB_FLAG_ERROR_MASK",
    "LOG_GRP_SIZE",
    "MAP_ENT_SIZE",
    "ND_MAX_LANES",
    "Arena",
    "BttSb",
    "alloc_arena",
    "checksum_valid",
    "decode",
    "encode",
    "initial_log",
    "parse_arena_meta",
    "to_sb",
]

BTT_SIG = b"BTT_ARENA_INFO\0\0"
ARENA_MIN_SIZE = 1 << 24
ARENA_MAX_SIZE = 1 << 39
BTT_PG_SIZE = 4096
ND_MAX_LANES = 256
MAP_ENT_SIZE = 4
LOG_GRP_SIZE = 64
INT_LBASIZE_ALIGNMENT = 64
IB_FLAG_ERROR_MASK = 1

_FIELDS = SbFields("<16s16s16sIHHIIIIIIQQQQQ")
_LOG_GROUP = struct.Struct("<16I")


class BttSb(NamedTuple):
    """``struct btt_sb``; offsets from the start of the arena. ``padding`` without its trailing zeros; ``checksum`` as read."""

    signature: bytes
    uuid: str
    parent_uuid: str
    flags: int
    version_major: int
    version_minor: int
    external_lbasize: int
    external_nlba: int
    internal_lbasize: int
    internal_nlba: int
    nfree: int
    infosize: int
    nextoff: int
    dataoff: int
    mapoff: int
    logoff: int
    info2off: int
    padding: bytes = b""
    checksum: int = 0


def decode(data: bytes) -> BttSb:
    """The fields of 4 KiB of any content."""
    return BttSb._make(_FIELDS.decode(data))


def encode(sb: BttSb) -> bytes:
    """The 4 KiB of an info block, with the checksum of its bytes."""
    return _FIELDS.encode(sb)


class Arena(NamedTuple):
    """``struct arena_info``; offsets from the start of the BTT (which is ``initial_offset`` into the namespace)."""

    size: int
    external_lbasize: int
    external_nlba: int
    internal_lbasize: int
    internal_nlba: int
    nfree: int
    infooff: int
    dataoff: int
    mapoff: int
    logoff: int
    info2off: int
    nextoff: int = 0
    flags: int = 0


def alloc_arena(size: int, lbasize: int, arena_off: int, *, last: bool) -> Arena:
    """``alloc_arena`` and what ``create_arenas`` adds: how ``size`` bytes at ``arena_off`` are divided in a new BTT.

    Two pages of info blocks, the log, and between them data and map so that each block has its map entry.
    """
    internal = -(-lbasize // INT_LBASIZE_ALIGNMENT) * INT_LBASIZE_ALIGNMENT
    log = -(-ND_MAX_LANES * LOG_GRP_SIZE // BTT_PG_SIZE) * BTT_PG_SIZE
    available = size - size % BTT_PG_SIZE - 2 * BTT_PG_SIZE - log
    internal_nlba = (available - BTT_PG_SIZE) // (internal + MAP_ENT_SIZE)
    external_nlba = internal_nlba - ND_MAX_LANES
    mapsize = -(-external_nlba * MAP_ENT_SIZE // BTT_PG_SIZE) * BTT_PG_SIZE
    dataoff = arena_off + BTT_PG_SIZE
    mapoff = dataoff + available - mapsize
    logoff = mapoff + mapsize
    return Arena(
        size,
        lbasize,
        external_nlba,
        internal,
        internal_nlba,
        ND_MAX_LANES,
        arena_off,
        dataoff,
        mapoff,
        logoff,
        logoff + log,
        0 if last else size,
    )


def to_sb(arena: Arena, uuid: str, parent_uuid: str, version: tuple[int, int]) -> BttSb:
    """The info block of an arena."""
    at = arena.infooff
    return BttSb(
        BTT_SIG,
        uuid,
        parent_uuid,
        arena.flags,
        *version,
        arena.external_lbasize,
        arena.external_nlba,
        arena.internal_lbasize,
        arena.internal_nlba,
        arena.nfree,
        SB_SIZE,
        arena.nextoff,
        arena.dataoff - at,
        arena.mapoff - at,
        arena.logoff - at,
        arena.info2off - at,
    )


def parse_arena_meta(sb: BttSb, arena_off: int) -> Arena:
    """The arena that an info block at ``arena_off`` describes."""
    return Arena(
        sb.nextoff or sb.info2off + BTT_PG_SIZE,
        sb.external_lbasize,
        sb.external_nlba,
        sb.internal_lbasize,
        sb.internal_nlba,
        sb.nfree,
        arena_off,
        arena_off + sb.dataoff,
        arena_off + sb.mapoff,
        arena_off + sb.logoff,
        arena_off + sb.info2off,
        arena_off + sb.nextoff if sb.nextoff else 0,
        sb.flags,
    )


def initial_log(arena: Arena) -> bytes:
    """The log of an arena nobody has written to: every lane owns one of the free blocks."""
    first = arena.external_nlba
    groups = (_LOG_GROUP.pack(lane, first + lane, first + lane, 1, *(0,) * 12) for lane in range(arena.nfree))
    return b"".join(groups)
