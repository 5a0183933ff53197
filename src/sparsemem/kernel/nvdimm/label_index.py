"""The index blocks of a DIMM's label area as bytes: which label slots are in use, and which of two blocks counts. Pure: no state.

Sizes and offsets in bytes. The checksum and the geometry of the whole area are here, too.
"""

from __future__ import annotations

import struct
from itertools import accumulate
from typing import NamedTuple

__all__ = [
    "INDEX_ALIGN",
    "INDEX_HEADER",
    "INDEX_SIGNATURE",
    "LABEL_SIZES",
    "NsIndex",
    "best_seq",
    "decode_index",
    "encode_index",
    "free_slots",
    "fresh_index",
    "index_problem",
    "nd_fletcher64",
    "nd_inc_seq",
    "nd_label_validate",
    "nvdimm_num_label_slots",
    "sizeof_namespace_index",
]

INDEX_SIGNATURE = b"NAMESPACE_INDEX\0"
INDEX_ALIGN = 256
INDEX_HEADER = 72
LABEL_SIZES = (128, 256)
_INDEX = struct.Struct("<16s3sBIQQQQIHHQ")


class NsIndex(NamedTuple):
    """``struct nd_namespace_index``; ``free`` is the bitmap of free slots (a set bit is a free slot), to the block's end."""

    sig: bytes
    flags: bytes
    labelsize: int
    seq: int
    myoff: int
    mysize: int
    otheroff: int
    labeloff: int
    nslot: int
    major: int
    minor: int
    checksum: int
    free: bytes


def nd_fletcher64(data: bytes) -> int:
    """The checksum of everything in libnvdimm: 64 bits over little-endian 32-bit words (a rest below a word does not count)."""
    count = len(data) // 4
    if not count:
        return 0
    sums: list[int] = list(accumulate(struct.unpack_from(f"<{count}I", data)))
    return (sum(sums) & 0xFFFFFFFF) << 32 | (sums[-1] & 0xFFFFFFFF)


def nd_inc_seq(seq: int) -> int:
    """The sequence number after this one: 1, 2, 3, 1; 0 stays."""
    return (0, 2, 3, 1)[seq & 3]


def best_seq(a: int, b: int) -> int:
    """The later of two sequence numbers."""
    a, b = a & 3, b & 3
    if a in (0, b):
        return b
    if b == 0:
        return a
    return b if nd_inc_seq(a) == b else a


# -- geometry


def _index_size(nslot: int) -> int:
    return -(-(INDEX_HEADER + -(-nslot // 8)) // INDEX_ALIGN) * INDEX_ALIGN


def nvdimm_num_label_slots(config_size: int, label_size: int) -> int:
    """Labels that an area of this size has room for, beside two index blocks."""
    return max(config_size - 2 * _index_size(config_size // label_size), 0) // label_size


def sizeof_namespace_index(config_size: int, label_size: int) -> int:
    """Bytes of one index block; 0 when the area is too small for two of them and two labels."""
    nslot = nvdimm_num_label_slots(config_size, label_size)
    size = 2 * _index_size(nslot)
    return size // 2 if nslot >= 2 and size <= config_size - nslot * label_size else 0


# -- index blocks


def decode_index(data: bytes) -> NsIndex:
    """An index block of any content; ``data`` is the whole block."""
    sig, flags, *numbers = _INDEX.unpack_from(data)
    labelsize, seq, myoff, mysize, otheroff, labeloff, nslot, major, minor, checksum = numbers
    free = data[INDEX_HEADER:]
    return NsIndex(sig, flags, labelsize, seq, myoff, mysize, otheroff, labeloff, nslot, major, minor, checksum, free)


def encode_index(index: NsIndex, *, checksum: bool = True) -> bytes:
    """The bytes of an index block, its checksum computed (or, False, taken as it is)."""
    *head, stored, free = index
    if checksum:
        stored = nd_fletcher64(_INDEX.pack(*head, 0) + free)
    return _INDEX.pack(*head, stored) + free


def fresh_index(config_size: int, label_size: int, number: int, seq: int, *, ndctl: bool = False) -> NsIndex:
    """Index block 0 or 1 of an area without labels, as the kernel writes it, or (``ndctl``) ``ndctl init-labels``: that marks slots
    free up to the next multiple of 64, which do not exist."""
    size, nslot = sizeof_namespace_index(config_size, label_size), nvdimm_num_label_slots(config_size, label_size)
    bits = -(-nslot // 64) * 64 if ndctl else nslot
    free = ((1 << bits) - 1).to_bytes(size - INDEX_HEADER, "little") if size else b""
    minor = 1 if label_size < 256 else 2
    return NsIndex(
        INDEX_SIGNATURE, bytes(3), label_size >> 8, seq, number * size, size, (1 - number) * size, 2 * size, nslot,
        1, minor, 0, free,
    )  # fmt: skip


def free_slots(index: NsIndex) -> int:
    """The bitmap as a number: bit n is set when slot n is free."""
    return int.from_bytes(index.free, "little") & ((1 << index.nslot) - 1)


def index_problem(
    area: bytes,
    number: int,
    label_size: int,
    *,
    config_size: int = 0,
    labeloff_checked: bool = True,
    labelsize_checked: bool = True,
) -> str:
    """Why index block 0 or 1 of an area is not valid as one for labels of this size, in the kernel's words; "" if it is valid.

    ``config_size``: bytes of the area where ``area`` is only its beginning.
    """
    whole = config_size or len(area)
    size = sizeof_namespace_index(whole, label_size)
    block = area[number * size : number * size + (size or INDEX_HEADER)]
    index = decode_index(block.ljust(INDEX_HEADER, b"\0"))
    name = f"nsindex{number}"
    if index.sig != INDEX_SIGNATURE:
        return f"{name} signature invalid"
    bytes_per_label = 128
    if index.major * 100 + index.minor >= 102:
        if labelsize_checked and index.labelsize > 1:
            return f"{name} labelsize: {index.labelsize} invalid"
        bytes_per_label = 1 << ((7 + index.labelsize) & 31)
    if bytes_per_label != label_size:
        return f"{name} labelsize {index.labelsize} invalid"
    if nd_fletcher64(block[:64] + bytes(8) + block[INDEX_HEADER:size]) != index.checksum:
        return f"{name} checksum invalid"
    if not index.seq & 3:
        return f"{name} sequence: {index.seq:#x} invalid"
    if index.myoff != number * size:
        return f"{name} myoff: {index.myoff:#x} invalid"
    if index.otheroff != (1 - number) * size:
        return f"{name} otheroff: {index.otheroff:#x} invalid"
    if labeloff_checked and index.labeloff != 2 * size:
        return f"{name} labeloff: {index.labeloff:#x} invalid"
    if not INDEX_HEADER <= index.mysize <= size:
        return f"{name} mysize: {index.mysize:#x} invalid"
    labels = index.nslot * label_size
    if (labels if labelsize_checked else labels & 0xFFFFFFFF) + 2 * size > whole:
        return f"{name} nslot: {index.nslot} invalid, config_size: {whole:#x}"
    return ""


def nd_label_validate(
    area: bytes, *, config_size: int = 0, labeloff_checked: bool = True, labelsize_checked: bool = True
) -> tuple[int, int, tuple[str, ...]]:
    """Which index block is current (-1: none), the label size (256 where none tells), and what is wrong with the others.

    ``config_size``: bytes of the area where ``area`` is only its beginning. The two flags are features of kernels; the defaults are
    those of the newest.
    """
    whole = config_size or len(area)
    problems: list[str] = []
    for label_size in LABEL_SIZES:
        found = [
            index_problem(
                area,
                number,
                label_size,
                config_size=whole,
                labeloff_checked=labeloff_checked,
                labelsize_checked=labelsize_checked,
            )
            for number in (0, 1)
        ]
        problems += [text for text in found if text]
        valid = [number for number in (0, 1) if not found[number]]
        if len(valid) == 1:
            return valid[0], label_size, tuple(problems)
        if valid:
            size = sizeof_namespace_index(whole, label_size)
            first, second = (decode_index(area[n * size : n * size + size]).seq for n in (0, 1))
            return int(best_seq(first, second) == second & 3), label_size, tuple(problems)
    return -1, LABEL_SIZES[-1], tuple(problems)
