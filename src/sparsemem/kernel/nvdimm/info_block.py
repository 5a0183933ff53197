"""What info blocks of all kinds share: 4 KiB, little endian, a fletcher64 in the last eight bytes (``struct nd_gen_sb``)."""

from __future__ import annotations

import struct
from itertools import accumulate
from typing import Any

__all__ = [
    "SB_SIZE",
    "SbFields",
    "checksum_valid",
    "nd_fletcher64",
    "nd_sb_checksum",
    "significant",
    "uuid_bytes",
    "uuid_text",
]

SB_SIZE = 4096
_CHECKSUM = SB_SIZE - 8
_LOW = 0xFFFFFFFF
_STEPS = tuple((size, bytes(size)) for size in (2048, 1024, 512, 256, 128, 64, 32))


def significant(data: bytes, end: int) -> int:
    """An ``end`` as small as may be in multiples of 32 bytes, so that all behind it up to ``end`` is zero."""
    for size, zeros in _STEPS:
        while end >= size and data.startswith(zeros, end - size):
            end -= size
    return end


def nd_fletcher64(data: bytes, size: int = -1) -> int:
    """``nd_fletcher64`` of the first ``size`` bytes: the sum of the 32-bit words, and in the high half the sum of all sums on the way.

    A tail below a word is ignored. Zeros at the end only add the low sum once a word, so they are not walked.
    """
    words = (len(data) if size < 0 else size) >> 2
    count = (significant(data, words << 2) + 3) >> 2
    sums: tuple[int, ...] = tuple(accumulate(struct.unpack_from(f"<{count}I", data))) or (0,)
    return (sum(sums) + (words - count) * sums[-1] & _LOW) << 32 | (sums[-1] & _LOW)


def nd_sb_checksum(data: bytes) -> int:
    """``nd_sb_checksum``: of a block with its checksum field taken as zero."""
    low = nd_fletcher64(data, _CHECKSUM)
    return (low + ((low & _LOW) << 33)) & (1 << 64) - 1


def checksum_valid(data: bytes) -> bool:
    """Does the block carry the checksum of its bytes?"""
    return int.from_bytes(data[_CHECKSUM:SB_SIZE], "little") == nd_sb_checksum(data)


def uuid_text(data: bytes) -> str:
    """16 bytes in the order in which they are printed (``%pUb``), lower case."""
    digits = data.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def uuid_bytes(text: str) -> bytes:
    """The 16 bytes of a uuid; all zero for ""."""
    return bytes.fromhex(text.replace("-", "")) if text else bytes(16)


class SbFields:
    """How a kind of block is laid out: a signature, two uuids and numbers (``fields``, for struct), then bytes that are kept."""

    def __init__(self, fields: str) -> None:
        self._fields = struct.Struct(fields)
        self._unused = bytes(_CHECKSUM - self._fields.size)

    def decode(self, data: bytes) -> tuple[Any, ...]:
        """Signature, both uuids as text, the numbers, the bytes behind them without zeros at the end, and the checksum."""
        size = self._fields.size
        signature, uuid, parent, *numbers = self._fields.unpack_from(data)
        end = size if data.startswith(self._unused, size) else significant(data, _CHECKSUM)
        checksum = int.from_bytes(data[_CHECKSUM:SB_SIZE], "little")
        return (signature, uuid_text(uuid), uuid_text(parent), *numbers, data[size:end].rstrip(b"\0"), checksum)

    def encode(self, sb: tuple[Any, ...]) -> bytes:
        """The 4 KiB of such a tuple, with the checksum of its bytes."""
        signature, uuid, parent, *numbers, padding, _ = sb
        head = self._fields.pack(signature, uuid_bytes(uuid), uuid_bytes(parent), *numbers)
        body: bytes = (head + padding).ljust(_CHECKSUM, b"\0")
        return body + nd_sb_checksum(body + bytes(8)).to_bytes(8, "little")
