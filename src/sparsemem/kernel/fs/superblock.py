"""Superblocks as bytes: what tells an ext4 or xfs file system on a medium. Nothing else of a file system is modelled.

ext4: 1024 bytes at byte 1024, little endian. xfs: the first sector, big endian.
"""

from __future__ import annotations

import struct
from typing import NamedTuple
from uuid import UUID

__all__ = ["BLOCK", "Superblock", "decode", "encode"]

BLOCK = 4096
"""Bytes at the start of a device that ``decode`` looks at."""

_EXT4_AT, _EXT4_MAGIC, _XFS_MAGIC = 1024, 0xEF53, b"XFSB"
_HAS_JOURNAL, _INCOMPAT, _RO_COMPAT = 0x4, 0x2C2, 0x46B
_REFLINK, _BIGTIME, _INOBTCNT = 0x4, 0x8, 0x8


class Superblock(NamedTuple):
    """``type`` "ext4" or "xfs"; ``blocksize`` in bytes. Of ext4: ``journal``, ``stride`` (``s_raid_stride``, blocks). Of xfs: ``reflink``,
    ``bigtime``, ``sunit`` and ``swidth`` (blocks)."""

    type: str
    blocksize: int
    blocks: int
    uuid: str
    label: str = ""
    journal: bool = True
    reflink: bool = False
    bigtime: bool = False
    sunit: int = 0
    swidth: int = 0
    sectsize: int = 512
    stride: int = 0


def encode(sb: Superblock) -> bytes:
    """The first ``BLOCK`` bytes of a fresh file system."""
    page = bytearray(BLOCK)
    uuid = UUID(sb.uuid).bytes
    if sb.type == "ext4":
        at = _EXT4_AT
        struct.pack_into("<II", page, at, sb.blocks & 0xFFFFFFFF, sb.blocks & 0xFFFFFFFF)
        struct.pack_into("<I", page, at + 24, (sb.blocksize >> 10).bit_length() - 1)
        struct.pack_into("<HH", page, at + 56, _EXT4_MAGIC, 1)
        struct.pack_into("<I", page, at + 76, 1)
        struct.pack_into("<H", page, at + 88, 256)
        struct.pack_into("<III", page, at + 92, 0x38 | (_HAS_JOURNAL if sb.journal else 0), _INCOMPAT, _RO_COMPAT)
        page[at + 104 : at + 120] = uuid
        page[at + 120 : at + 136] = sb.label.encode()[:16].ljust(16, b"\0")
        struct.pack_into("<I", page, at + 336, sb.blocks >> 32)
        struct.pack_into("<H", page, at + 356, sb.stride)
        return bytes(page)
    struct.pack_into(">4sIQ", page, 0, _XFS_MAGIC, sb.blocksize, sb.blocks)
    page[32:48] = uuid
    struct.pack_into(">HH", page, 100, 0xB4A5, sb.sectsize)
    page[108:120] = sb.label.encode()[:12].ljust(12, b"\0")
    struct.pack_into(">II", page, 184, sb.sunit, sb.swidth)
    incompat = 0x1 | 0x2 | (_BIGTIME if sb.bigtime else 0)
    struct.pack_into(
        ">III", page, 208, 0, 0x1 | (_INOBTCNT if sb.bigtime else 0) | (_REFLINK if sb.reflink else 0), incompat
    )
    return bytes(page)


def decode(page: bytes) -> Superblock | None:
    """The file system that these first bytes of a device tell of; None for none."""
    if len(page) < BLOCK:
        return None
    if page[:4] == _XFS_MAGIC:
        blocksize, blocks = struct.unpack_from(">IQ", page, 4)
        ro_compat, incompat = struct.unpack_from(">II", page, 212)
        sunit, swidth = struct.unpack_from(">II", page, 184)
        return Superblock(
            "xfs", blocksize, blocks, str(UUID(bytes=page[32:48])), page[108:120].rstrip(b"\0").decode("latin-1"), False,
            bool(ro_compat & _REFLINK), bool(incompat & _BIGTIME), sunit, swidth, struct.unpack_from(">H", page, 102)[0],
        )  # fmt: skip
    at = _EXT4_AT
    if struct.unpack_from("<H", page, at + 56)[0] != _EXT4_MAGIC:
        return None
    (low,), (log,), (compat,) = (struct.unpack_from("<I", page, at + place) for place in (4, 24, 92))
    blocks = low | struct.unpack_from("<I", page, at + 336)[0] << 32
    label = page[at + 120 : at + 136].rstrip(b"\0").decode("latin-1")
    return Superblock(
        "ext4",
        1024 << (log & 15),
        blocks,
        str(UUID(bytes=page[at + 104 : at + 120])),
        label,
        bool(compat & _HAS_JOURNAL),
        stride=struct.unpack_from("<H", page, at + 356)[0],
    )
