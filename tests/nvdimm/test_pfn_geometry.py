"""nd_pfn_init: where data begins in a new namespace, by kernel. Vectors: kernel-rules.md 7.6, and blocks of real kernels."""

from __future__ import annotations

import pytest

from sparsemem.kernel.nvdimm import bus, pfn, pfn_devs
from sparsemem.kernel.nvdimm.claim import nvdimm_read_bytes
from sparsemem.kernel.nvdimm.core import namespace_of, pfn_of
from sparsemem.kernel.nvdimm.pmem import capacity
from sparsemem.kernel.state import State
from sparsemem.spec import kernel
from tests.nvdimm.board import GIB, MIB, add_region, configure, errno_of, labelled, region, texts
from tests.nvdimm.recorded import info_blocks, steps

NEW = ("5.3", "5.6", "5.7", "5.10", "6.1", "6.6", "6.12", "7.2")
OLD = ("4.19", "5.0", "5.2")


def block(
    version: str, kind: str, size: int, mode: str = "pmem", align: int = 2 * MIB, start: int = 4 * GIB
) -> pfn.NdPfnSb:
    state = region(version, start, size)
    configure(state, kind, mode=mode, align=align)
    return pfn.decode(nvdimm_read_bytes(state, namespace_of(state, "namespace0.0"), 4096, 4096))


@pytest.mark.parametrize("version", NEW)
@pytest.mark.parametrize("kind", ["pfn", "dax"])
def test_map_dev(version: str, kind: str) -> None:
    for size, dataoff, usable in (
        (16 * MIB, 2 * MIB, 14 * MIB),
        (GIB, 18 * MIB, 1006 * MIB),
        (6 * GIB, 102760448, 6339690496),
        (32 * GIB, 538968064, 33820770304),
    ):
        sb = block(version, kind, size)
        assert (sb.dataoff, sb.npfns * 4096, sb.start_pad, sb.end_trunc) == (dataoff, usable, 0, 0)
        assert sb.signature == (pfn.PFN_SIG if kind == "pfn" else pfn.DAX_SIG)


@pytest.mark.parametrize("version", OLD)
def test_map_dev_was_rounded_to_sections(version: str) -> None:
    sb = block(version, "pfn", 16 * MIB)
    assert (sb.dataoff, sb.npfns * 4096) == (4 * MIB, 12 * MIB)
    assert block(version, "pfn", GIB).dataoff == 18 * MIB


def test_devdax_kept_room_for_a_label_up_to_5_0() -> None:
    assert block("5.0", "dax", 16 * MIB, "ram", align=4096).dataoff == (8 + 128) << 10
    assert block("5.2", "dax", 16 * MIB, "ram", align=4096).dataoff == 8 << 10
    assert block("5.0", "pfn", 16 * MIB, "ram", align=4096).dataoff == 8 << 10
    assert block("5.3", "pfn", 16 * MIB, "ram", align=4096).dataoff == 2 * MIB


def test_map_mem() -> None:
    for version in NEW:
        sb = block(version, "pfn", GIB, "ram")
        assert (sb.dataoff, sb.npfns * 4096, sb.mode) == (2 * MIB, 1022 * MIB, 1)


@pytest.mark.parametrize("version", NEW)
def test_the_end_is_cut_to_a_large_alignment(version: str) -> None:
    whole = block(version, "dax", 12 * GIB, align=GIB, start=9 * GIB)
    assert (whole.dataoff, whole.end_trunc, whole.npfns * 4096) == (GIB, 0, 11 * GIB)
    half = block(version, "dax", 12 * GIB, align=GIB, start=9 * GIB + GIB // 2)
    assert (half.dataoff, half.end_trunc, half.npfns * 4096) == (GIB // 2, GIB // 2, 11 * GIB)
    assert half.align == GIB


@pytest.mark.parametrize(
    ("version", "minor", "page"), [("4.19.0", 2, 0), ("5.2", 2, 0), ("5.3", 3, 0), ("5.4", 4, 4096), ("7.2", 4, 4096)]
)
def test_the_minor_version_written(version: str, minor: int, page: int) -> None:
    sb = block(version, "pfn", 16 * MIB)
    assert (sb.version_major, sb.version_minor, sb.page_size, sb.page_struct_size) == (1, minor, page, page // 64)


def test_a_namespace_without_room_for_data() -> None:
    for version, refused in (("5.10", False), ("6.6", True)):
        state = region(version, 4 * GIB, 2 * GIB)
        state = labelled(version, [(0, 16 * MIB), (GIB - 16 * MIB, 30 * MIB)], size=2 * GIB)
        configure(state, "pfn", "namespace0.1", align=GIB, bind=False)
        answer = errno_of(bus.bind_store, state, "nd_pmem", "pfn0.0")
        line = "nd_pmem pfn0.0: namespace0.1 unable to satisfy requested alignment"
        assert (line in texts(state)) == refused, version
        assert answer == (6 if refused else 0)
        if not refused:
            layout = pfn_of(state, "pfn0.0").layout
            assert layout is not None
            assert capacity(state, "pfn0.0") == 30 * MIB - layout.dataoff - layout.end_trunc == 0


def test_padding_away_from_ram_up_to_5_2() -> None:
    """Case C01's machine in small: pmem begins and ends inside sections that RAM has, too."""
    state = region("5.2", 4 * GIB + 64 * MIB, 512 * MIB, ram="0-1G ram, 0x100000000-0x103ffffff ram")
    configure(state, "pfn")
    assert "nd_pmem pfn0.0: namespace0.0 alignment collision, truncate 67108864 bytes" in texts(state)
    sb = pfn.decode(nvdimm_read_bytes(state, namespace_of(state, "namespace0.0"), 4096, 4096))
    assert (sb.start_pad, sb.end_trunc) == (64 * MIB, 0)
    assert (4 * GIB + 64 * MIB + sb.start_pad) % (128 * MIB) == 0


@pytest.mark.parametrize(("version", "pads"), [("4.19.0", False), ("5.0", True), ("5.2", True), ("5.3", False)])
def test_padding_away_from_another_region(version: str, pads: bool) -> None:
    state = region(version, 4 * GIB + 192 * MIB, 192 * MIB)
    add_region(state, 4 * GIB, 192 * MIB, nr=1)
    configure(state, "pfn")
    assert any("alignment collision, truncate 67108864 bytes" in line for line in texts(state)) == pads


def test_over_trim_in_5_0() -> None:
    """A region in the section after the next is none of its business: 5.0 cuts the end for it, 5.2 does not."""
    for version, cut in (("5.0", 64 * MIB), ("5.2", 0)):
        state = region(version, 4 * GIB, 192 * MIB)
        add_region(state, 4 * GIB + 256 * MIB, 64 * MIB, nr=1)
        configure(state, "pfn")
        sb = pfn.decode(nvdimm_read_bytes(state, namespace_of(state, "namespace0.0"), 4096, 4096))
        assert sb.end_trunc == cut, version


@pytest.mark.skipif(not info_blocks(), reason="no recorded info blocks")
def test_blocks_that_real_kernels_wrote() -> None:
    """Each recorded fsdax or devdax block, made again in a namespace of the size that it accounts for."""
    seen = 0
    by_the_tool = {step.recording for step in steps() if "write-infoblock" in step.command}
    for step, real in info_blocks():
        if real["signature"] == "BTT_ARENA_INFO" or step.recording in by_the_tool:
            continue
        kind = "pfn" if real["signature"] == "NVDIMM_PFN_INFO" else "dax"
        size = real["dataoff"] + real["npfns"] * 4096 + real["end_trunc"]
        sb = block(step.kernel, kind, size, {1: "ram", 2: "pmem"}[real["mode"]], real["align"])
        for name in (
            "dataoff",
            "npfns",
            "mode",
            "start_pad",
            "end_trunc",
            "align",
            "page_size",
            "page_struct_size",
            "flags",
        ):
            assert getattr(sb, name) == real[name], (step.recording, step.kernel, name)
        assert f"{sb.version_major}.{sb.version_minor}" == real["version"]
        seen += 1
    assert seen


@pytest.mark.parametrize(
    ("version", "arch", "expected"),
    [
        ("6.1", "x86_64", (4096, 2 * MIB, GIB)),
        ("6.1", "arm64", (4096, 2 * MIB)),
        ("6.1", "ppc64", (65536, 2 * MIB)),
        ("6.12", "ppc64", (65536, 2 * MIB, GIB)),
    ],
)
def test_supported_alignments(version: str, arch: str, expected: tuple[int, ...]) -> None:
    state = State(kernel(version, arch=arch))
    assert pfn_devs.nd_pfn_supported_alignments(state) == expected
    state.misc["linear_map_page_size"] = 16 * MIB  # the hash MMU
    if arch == "ppc64":
        assert pfn_devs.nd_pfn_supported_alignments(state) == expected[:2]
    state.misc["transparent_hugepage"] = False
    assert pfn_devs.nd_pfn_supported_alignments(state) == expected[:1]
