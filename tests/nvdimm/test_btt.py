"""drivers/nvdimm/btt.c and btt_devs.c: arenas as bytes, held to those of real kernels; sizes; what is refused."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparsemem.kernel.nvdimm import btt_bytes, btt_devs, bus, media
from sparsemem.kernel.nvdimm.btt import create_arenas
from sparsemem.kernel.nvdimm.claim import nvdimm_read_bytes, nvdimm_write_bytes
from sparsemem.kernel.nvdimm.core import btt_of, namespace_of, put, region_of
from sparsemem.kernel.nvdimm.types import CCLASS_BTT2
from tests.nvdimm.board import GIB, MIB, UUID, configure, errno_of, labelled, logged, region, texts
from tests.nvdimm.recorded import info_blocks, steps

if TYPE_CHECKING:
    from sparsemem.kernel.state import State

TIB = 1 << 40
VERSIONS = ("4.19", "5.2", "5.4", "5.10", "6.1", "6.12", "7.2")


def read(state: State, offset: int, name: str = "namespace0.0", size: int = 4096) -> bytes:
    return nvdimm_read_bytes(state, namespace_of(state, name), offset, size)


def write(state: State, offset: int, data: bytes, name: str = "namespace0.0") -> None:
    nvdimm_write_bytes(state, namespace_of(state, name), offset, data)


# -- bytes


SB = st.builds(
    btt_bytes.BttSb, st.sampled_from([btt_bytes.BTT_SIG, bytes(16)]), st.uuids().map(str), st.uuids().map(str),
    st.integers(0, 2**32 - 1), st.integers(0, 65535), st.integers(0, 65535), *[st.integers(0, 2**32 - 1)] * 6,
    *[st.integers(0, 2**64 - 1)] * 5, st.just(b""), st.just(0),
)  # fmt: skip


@given(SB)
def test_an_info_block_is_read_and_written_back_identical(sb: btt_bytes.BttSb) -> None:
    data = btt_bytes.encode(sb)
    assert btt_bytes.decode(data)._replace(checksum=0) == sb
    assert btt_bytes.encode(btt_bytes.decode(data)) == data
    assert btt_bytes.checksum_valid(data)


@pytest.mark.skipif(not info_blocks(), reason="no recorded info blocks")
def test_arenas_that_real_kernels_made() -> None:
    seen = 0
    for step, real in info_blocks():
        if real["signature"] != "BTT_ARENA_INFO":
            continue
        size = real["info2off"] + 4096
        arena = create_arenas(size, real["external_lbasize"])[0]
        sb = btt_bytes.to_sb(arena, real["uuid"], real["parent_uuid"], (1, 1))
        for name in sb._fields[3:17]:
            if name in real:
                assert getattr(sb, name) == real[name], (step, name)
        assert real["version"] == "1.1"
        seen += 1
    assert seen


@pytest.mark.skipif(not steps(), reason="no recordings")
def test_sizes_that_real_kernels_showed() -> None:
    """What a 32 MiB namespace in sector mode holds, by sector size, is the same on all four kernels (btt.toml)."""
    shown = {}
    for step in steps():
        if step.recording == "btt" and step.command == "ndctl list":
            shown[step.kernel] = step.stdout
    for kernel, text in shown.items():
        for lbasize in (4096, 512):
            state = region(kernel, size=32 * MIB)
            configure(state, "btt", lbasize=lbasize)
            assert f'"size":{btt_devs.size_show(state, "btt0.0").strip()},' in text, (kernel, lbasize)
    assert set(shown) >= {"5.10", "7.2"}


@pytest.mark.parametrize(
    ("size", "lbasize", "arenas"),
    [
        (16 * MIB - 4096, 4096, 0),
        (16 * MIB, 4096, 1),
        (512 * GIB, 4096, 1),
        (512 * GIB + 16 * MIB - 4096, 4096, 1),
        (512 * GIB + 16 * MIB, 4096, 2),
        (TIB + 5 * GIB, 512, 3),
    ],
)
def test_arenas_of_512_gib(size: int, lbasize: int, arenas: int) -> None:
    found = create_arenas(size, lbasize)
    assert len(found) == arenas
    for index, arena in enumerate(found):
        assert arena.infooff == index << 39
        assert bool(arena.nextoff) == (index + 1 < arenas)
        blocks = arena.internal_nlba * arena.internal_lbasize
        assert arena.dataoff + blocks <= arena.mapoff  # the data is before the map
        assert (arena.logoff - arena.mapoff) % 4096 == 0
        assert arena.mapoff + 4 * arena.external_nlba <= arena.logoff
        assert arena.info2off == arena.logoff + 256 * 64
        assert arena.info2off + 4096 <= arena.infooff + arena.size


@given(st.integers(16 * MIB, 600 * GIB), st.sampled_from(btt_devs.LBASIZES))
def test_the_split_of_an_arena_wastes_little(size: int, lbasize: int) -> None:
    arena = create_arenas(size, lbasize)[0]
    internal = -(-lbasize // 64) * 64
    assert arena.internal_lbasize == internal
    left = arena.mapoff - arena.dataoff - arena.internal_nlba * internal
    assert 0 <= left < 2 * 4096 + internal + 4 * (256 + 1)


# -- making one


@pytest.mark.parametrize("version", VERSIONS)
def test_a_new_btt(version: str) -> None:
    state = region(version)
    assert logged(state, configure, state, "btt")[0] == "nd_pmem btt0.0: No existing arenas"
    first = read(state, 4096)
    sb = btt_bytes.decode(first)
    assert (sb.version_major, sb.version_minor, sb.nfree, sb.infosize) == (1, 1, 256, 4096)
    assert sb.uuid == UUID
    assert read(state, 4096 + sb.info2off) == first
    assert sb.info2off + 4096 == GIB - 4096
    log = read(state, 4096 + sb.logoff, size=256 * 64)
    for lane in range(256):
        free = sb.external_nlba + lane
        assert struct.unpack_from("<16I", log, lane * 64) == (lane, free, free, 1, *[0] * 12)
    assert sum(len(data) for (name, _), data in state.media.items() if name == "region0") == 4096 * (2 + 4)
    assert state.nd["btt0.0"].disk == "pmem0s"
    assert btt_of(state, "btt0.0").size == sb.external_nlba * 4096
    assert region_of(state, "region0").btt_seed == "btt0.1"


def test_what_was_in_the_map_area_is_zeroed() -> None:
    state = region("6.1")
    sb = btt_bytes.to_sb(create_arenas(GIB - 4096, 4096)[0], UUID, "", (1, 1))
    for offset in (sb.mapoff, sb.logoff - 4096, sb.mapoff - 4096):
        write(state, 4096 + offset, b"\xff" * 4096)
    configure(state, "btt")
    assert not any(read(state, 4096 + sb.mapoff))
    assert not any(read(state, 4096 + sb.logoff - 4096))
    assert all(read(state, 4096 + sb.mapoff - 4096))  # data is not touched


@pytest.mark.parametrize("version", VERSIONS)
def test_it_is_found_again(version: str) -> None:
    state = region(version)
    configure(state, "btt", lbasize=512)
    size = btt_of(state, "btt0.0").size
    before = dict(state.media)
    bus.unbind_store(state, "nd_region", "region0")
    said = logged(state, bus.bind_store, state, "nd_region", "region0")
    assert not [line for line in said if "detected" not in line]
    dev = btt_of(state, "btt0.1")
    assert (dev.lbasize, dev.uuid, dev.size, dev.disk) == (512, UUID, size, "pmem0s")
    assert state.media == before


def test_v2_by_the_claim_class() -> None:
    state = labelled("6.1", [(0, 32 * MIB)])
    put(state, namespace_of(state, "namespace0.0")._replace(claim_class=CCLASS_BTT2))
    configure(state, "btt")
    sb = btt_bytes.decode(read(state, 0))
    assert (sb.version_major, sb.version_minor) == (2, 0)
    assert sb.info2off + 4096 == 32 * MIB
    assert sb.parent_uuid == namespace_of(state, "namespace0.0").uuid
    v1 = labelled("6.1", [(0, 32 * MIB)])
    configure(v1, "btt")
    assert btt_bytes.decode(read(v1, 4096)).info2off + 8192 == 32 * MIB


# -- what is refused


@pytest.mark.parametrize("version", VERSIONS)
def test_every_kind_of_broken_first_block_is_no_btt(version: str) -> None:
    state = region(version)
    configure(state, "btt")
    good = read(state, 4096)
    for bit in (0, 200, 400, 500, 800, 5000, 32760):
        flipped = bytearray(good)
        flipped[bit >> 3] ^= 1 << (bit & 7)
        bus.unbind_store(state, "nd_region", "region0")
        write_raw(state, 4096, bytes(flipped))
        bus.bind_store(state, "nd_region", "region0")
        assert state.nd["namespace0.0"].disk == "pmem0", bit
        assert media.read(state, "region0", 4096, 4096) == bytes(flipped)
    # the copy at the end is for the tool: the kernel does not look for it


def write_raw(state: State, offset: int, data: bytes) -> None:
    media.write(state, "region0", offset, data)


def test_a_null_parent_is_anybodys() -> None:
    state = labelled("6.1", [(0, 32 * MIB)])
    configure(state, "btt", bind=False)
    arena = create_arenas(32 * MIB - 4096, 4096)[0]
    for parent, valid in (
        ("", True),
        (namespace_of(state, "namespace0.0").uuid, True),
        (UUID.replace("8", "7"), False),
    ):
        data = btt_bytes.encode(btt_bytes.to_sb(arena, UUID, parent, (1, 1)))
        assert btt_devs.nd_btt_arena_is_valid(state, "btt0.0", data) == valid


@pytest.mark.parametrize(
    ("changes", "words", "since"),
    [
        ({"nfree": 8}, "nfree 8 smaller than lane count 256", (7, 2)),
        ({"logoff": 4096}, "Unable to deduce log/padding indices", (4, 19)),
        ({"logoff": 2 * GIB}, None, (4, 19)),
    ],
)
def test_a_good_block_with_a_broken_btt_behind_it(
    changes: dict[str, Any], words: str | None, since: tuple[int, int]
) -> None:
    for version in ("5.10", "6.1", "7.2"):
        state = region(version)
        configure(state, "btt", bind=False)
        sb = btt_bytes.to_sb(create_arenas(GIB - 4096, 4096)[0], UUID, "", (1, 1))
        data = btt_bytes.encode(sb._replace(**changes))
        write(state, 4096, data)
        write(state, 4096 + sb.logoff, btt_bytes.initial_log(create_arenas(GIB - 4096, 4096)[0]))
        write(state, 8192, bytes(range(1, 65)) * 64)
        answer = errno_of(bus.bind_store, state, "nd_pmem", "btt0.0")
        broken = tuple(int(each) for each in version.split(".")) >= since
        assert answer == ((19 if version == "5.10" else 12) if broken else 0), version
        if broken:
            assert any("init: error in arena_discover: -" in line for line in texts(state))
            assert words is None or f"nd_pmem btt0.0: {words}" in texts(state)
        assert read(state, 4096) == data


def test_the_old_padding_of_the_log_is_known() -> None:
    """Before 4.15 the entries were (0, 2); a map write that the power cut off is made up for."""
    state = region("6.1")
    configure(state, "btt", bind=False)
    arena = create_arenas(GIB - 4096, 4096)[0]
    sb = btt_bytes.to_sb(arena, UUID, "", (1, 1))
    write(state, 4096, btt_bytes.encode(sb))
    free = arena.external_nlba
    lanes = [
        struct.pack("<16I", lane, free + lane, free + lane, 1, 0, 0, 0, 0, 7, 7 if not lane else free + lane, free + lane, 2,
                    0, 0, 0, 0)
        for lane in range(256)
    ]  # fmt: skip
    write(state, 4096 + sb.logoff, b"".join(lanes))
    bus.bind_store(state, "nd_pmem", "btt0.0")
    entry = int.from_bytes(read(state, 4096 + sb.mapoff + 4 * 7, size=4), "little")
    assert entry == free | 3 << 30


def test_incomplete_or_small() -> None:
    state = labelled("6.1", [(0, 16 * MIB), (32 * MIB, 64 * MIB)])
    assert errno_of(bus.bind_store, state, "nd_pmem", "btt0.0") == 19
    configure(state, "btt", bind=False)
    assert errno_of(bus.bind_store, state, "nd_pmem", "btt0.0") == 6  # 16 MiB less 4 KiB
    assert errno_of(btt_devs.sector_size_store, state, "btt0.0", "777") == 22
    assert errno_of(btt_devs.size_show, state, "btt0.0") == 6
    assert btt_devs.sector_size_show(state, "btt0.0") == "512 520 528 [4096] 4104 4160 4224 \n"


@pytest.mark.parametrize("lbasize", btt_devs.LBASIZES)
def test_the_sector_of_the_disk(lbasize: int) -> None:
    state = region("6.1", size=64 * MIB)
    configure(state, "btt", lbasize=lbasize)
    sb = btt_bytes.decode(read(state, 4096))
    assert sb.external_lbasize == lbasize
    assert btt_of(state, "btt0.0").size == sb.external_nlba * (4096 if lbasize >= 4096 else 512)


def test_a_read_only_region() -> None:
    state = region("6.1")
    put(state, region_of(state, "region0")._replace(ro=True))
    said = logged(state, configure, state, "btt")
    assert "nd_pmem btt0.0: region0 is read-only, unable to init btt metadata" in said
    assert said[-1] == "nd_pmem: probe of btt0.0 failed with error -12"
