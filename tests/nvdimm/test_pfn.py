"""drivers/nvdimm/pfn.h: the info block as bytes, held to what real kernels wrote and to a fletcher64 word by word."""

from __future__ import annotations

import hashlib
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsemem.kernel.nvdimm import pfn
from sparsemem.kernel.nvdimm.info_block import nd_fletcher64, nd_sb_checksum
from sparsemem.kernel.nvdimm.pfn import DAX_SIG, PFN_SIG, NdPfnSb
from tests.nvdimm.board import MIB, UUID
from tests.nvdimm.recorded import info_blocks

BLOCK = pfn.encode(
    NdPfnSb(PFN_SIG, UUID, UUID[::-1].replace("-", "0"), dataoff=18 * MIB, npfns=257536, mode=2, align=2 * MIB, page_size=4096,
            page_struct_size=64)
)  # fmt: skip


def noise(size: int) -> bytes:
    return hashlib.shake_128(b"noise").digest(size)


def fletcher64(data: bytes) -> int:
    """As the kernel's loop goes: a 32-bit sum, and a 64-bit sum of it."""
    low = high = 0
    for (word,) in struct.iter_unpack("<I", data[: len(data) // 4 * 4]):
        low = (low + word) % (1 << 32)
        high = (high + low) % (1 << 64)
    return (high << 32 | low) % (1 << 64)


@settings(deadline=None)
@given(st.binary(max_size=600), st.integers(0, 4096))
def test_the_checksum_is_the_sum_word_by_word(head: bytes, size: int) -> None:
    data = head.ljust(size, b"\0")
    assert nd_fletcher64(data) == fletcher64(data)
    dense = noise(size)
    assert nd_fletcher64(dense) == fletcher64(dense)


def test_the_checksum_of_a_block_leaves_its_own_field_out() -> None:
    dense = noise(4096)
    assert nd_sb_checksum(dense) == fletcher64(dense[:4088] + bytes(8))
    assert nd_sb_checksum(BLOCK) == int.from_bytes(BLOCK[4088:], "little") == fletcher64(BLOCK[:4088] + bytes(8))


def test_the_fields_are_where_the_format_has_them() -> None:
    assert BLOCK[:16] == b"NVDIMM_PFN_INFO\0"
    assert BLOCK[16:20].hex() == "8d1ed20a"
    assert struct.unpack_from("<IHHQQIIIIIH", BLOCK, 48) == (0, 1, 4, 18 * MIB, 257536, 2, 0, 0, 2 * MIB, 4096, 64)
    assert len(BLOCK) == 4096
    assert not any(BLOCK[94:4088])


@given(st.builds(
    NdPfnSb, st.sampled_from([PFN_SIG, DAX_SIG, bytes(16)]), st.uuids().map(str), st.uuids().map(str), st.integers(0, 2**32 - 1),
    st.integers(0, 65535), st.integers(0, 65535), st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1),
    st.integers(0, 65535), st.binary(max_size=40).map(lambda data: data.rstrip(b"\0")), st.just(0),
))  # fmt: skip
def test_a_block_of_any_content_is_read_and_written_back_identical(sb: NdPfnSb) -> None:
    data = pfn.encode(sb)
    assert pfn.checksum_valid(data)
    assert pfn.decode(data)._replace(checksum=0) == sb
    assert pfn.encode(pfn.decode(data)) == data


def test_every_single_bit_flip_breaks_the_checksum() -> None:
    for bit in range(4096 * 8):
        flipped = bytearray(BLOCK)
        flipped[bit >> 3] ^= 1 << (bit & 7)
        assert not pfn.checksum_valid(bytes(flipped)), bit


def test_the_page_map_in_the_words_of_ndctl() -> None:
    sb = pfn.decode(BLOCK)
    assert [pfn.page_map(sb._replace(mode=mode)) for mode in range(4)] == ["none", "mem", "dev", "none"]


@pytest.mark.skipif(not info_blocks(), reason="no recorded info blocks")
def test_recorded_blocks_have_the_fields_of_the_format() -> None:
    names = {"flags", "dataoff", "npfns", "mode", "start_pad", "end_trunc", "align", "page_size", "page_struct_size"}
    seen = 0
    for step, block in info_blocks():
        if block["signature"] in ("NVDIMM_PFN_INFO", "NVDIMM_DAX_INFO"):
            seen += 1
            assert names <= set(block), step
            assert names <= set(NdPfnSb._fields)
    assert seen
