"""dax_kmem against public reports (cases.md C26, C28, C30, C47) and the words of drivers/dax/kmem.c."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from sparsemem.kernel.dax import bus, driver
from sparsemem.kernel.dax.hmem import cxl_dax_region_probe, dax_hmem_probe
from sparsemem.kernel.dax.kmem import string_get_size
from sparsemem.kernel.refusal import Refusal
from sparsemem.machine.notation import parse_machine
from tests.dax.local_tree import GIB, soft_reserved, texts

if TYPE_CHECKING:
    from sparsemem.kernel.state import State

MIB = 1 << 20


def to_kmem(state: State, name: str = "dax0.0") -> None:
    if bus.dev_dax_of(state, name).driver == "device_dax":
        driver.unbind_store(state, "device_dax", name)
        driver.new_id_store(state, "kmem", name)


@pytest.mark.parametrize("version", ["5.6", "5.10", "6.1", "6.12", "7.2"])
def test_c26_126_mib_behind_the_metadata(version: str) -> None:
    """Data from 0x148200000 on: the first whole block is 0x150000000, and 7936 MiB are RAM; only 7.2 says what is lost."""
    state = soft_reserved(version, 0x148200000, 0x1F7E00000)
    to_kmem(state)
    added = [nr for nr in state.blocks if nr >= 8]
    assert (min(added) << 27, len(added) * 128) == (0x150000000, 7936)
    assert any("truncated by 126 MiB due to alignment" in text for text in texts(state)) == (version == "7.2")
    state.put(state.blocks, min(added), state.blocks[min(added)]._replace(state="online"))
    before = len(state.lines)
    driver.unbind_store(state, "kmem", "dax0.0")
    said = [line.text for line in state.lines[before:]]
    assert said[0].endswith("memory [0x0000000150000000-0x0000000157ffffff] is onlined")
    span = "DAX region [mem 0x150000000-0x33fffffff]" if version == "5.6" else "mapping0: 0x150000000-0x33fffffff"
    assert said[1] == f"kmem dax0.0: {span} cannot be hotremoved until the next reboot"
    assert bus.dev_dax_of(state, "dax0.0").driver == ""
    # What stayed is still claimed: neither driver gets the range again.
    driver.new_id_store(state, "device_dax", "dax0.0")
    assert "could not reserve" in texts(state)[-2]
    assert bus.dev_dax_of(state, "dax0.0").driver == ""


@pytest.mark.parametrize("version", ["5.10", "6.1", "7.2"])
def test_memory_goes_back_when_every_block_is_offline(version: str) -> None:
    state = soft_reserved(version, 5 * GIB, GIB)
    if bus.dev_dax_of(state, "dax0.0").driver == "kmem":
        driver.unbind_store(state, "kmem", "dax0.0")
        driver.new_id_store(state, "device_dax", "dax0.0")
    iomem, blocks = state.iomem, dict(state.blocks)
    to_kmem(state)
    assert len(state.blocks) == len(blocks) + 8
    driver.unbind_store(state, "kmem", "dax0.0")
    driver.remove_id_store(state, "kmem", "dax0.0")
    driver.new_id_store(state, "device_dax", "dax0.0")
    assert (state.iomem, state.blocks, state.groups) == (iomem, blocks, {})


def test_c28_a_device_smaller_than_a_block() -> None:
    """250 MiB on blocks of 2 GiB: refused with EINVAL, tried twice by daxctl."""
    state = soft_reserved("6.1", 5 * GIB + 6 * MIB, 250 * MIB, block="2G")
    driver.unbind_store(state, "device_dax", "dax0.0")
    driver.new_id_store(state, "kmem", "dax0.0")
    with pytest.raises(Refusal, match="EINVAL"):
        driver.bind_store(state, "kmem", "dax0.0")
    assert texts(state)[-3:] == [
        "kmem dax0.0: mapping0: 0x140600000-0x14fffffff too small after alignment",
        "kmem dax0.0: rejecting DAX region without any memory after alignment",
        "kmem: probe of dax0.0 failed with error -22",
    ]


def test_before_515_nothing_left_is_a_success() -> None:
    state = soft_reserved("5.10", 5 * GIB + 6 * MIB, 250 * MIB, block="2G")
    blocks = dict(state.blocks)
    to_kmem(state)
    assert bus.dev_dax_of(state, "dax0.0").driver == "kmem"
    assert state.blocks == blocks


def test_c30_two_owners_of_one_soft_reserved_range() -> None:
    """The CXL region comes second: from 7.1 its dax region is refused, before that its memory is not to be had."""
    start, end = 0x850000000, 0x284FFFFFFF
    state = parse_machine("7.2; 0-1G ram; with block=128M auto_online=offline").state
    dax_hmem_probe(state, 0, start, end, 0)
    with pytest.raises(Refusal, match="ENOMEM"):
        cxl_dax_region_probe(state, 1, start, end, 0)
    assert texts(state)[-2:] == [
        "cxl_dax_region dax_region1: dax_region resource conflict for [mem 0x850000000-0x284fffffff]",
        "cxl_dax_region dax_region1: probe with driver cxl_dax_region failed with error -12",
    ]
    state = parse_machine("6.12; 0-1G ram; with block=128M auto_online=offline").state
    dax_hmem_probe(state, 0, start, end, 0)
    cxl_dax_region_probe(state, 1, start, end, 0)
    assert "kmem dax1.0: mapping0: 0x850000000-0x284fffffff could not reserve region" in texts(state)
    assert bus.dev_dax_of(state, "dax1.0").driver == ""


def test_c47_no_target_node() -> None:
    state = soft_reserved("6.1", 5 * GIB, GIB, node=-1)
    driver.unbind_store(state, "device_dax", "dax0.0")
    driver.new_id_store(state, "kmem", "dax0.0")
    assert "kmem dax0.0: rejecting DAX region with invalid node: -1" in texts(state)


def test_an_injected_failure_leaves_what_was_there() -> None:
    for nth in range(1, 40):
        state = soft_reserved("6.1", 5 * GIB, GIB)
        driver.unbind_store(state, "device_dax", "dax0.0")
        before = (state.iomem, dict(state.blocks), dict(state.groups), dict(state.sections))
        left = [nth]

        def fails(_where: str, left: list[int] = left) -> bool:
            left[0] -= 1
            return left[0] == 0

        state.failing = fails
        with suppress(Refusal):
            driver.new_id_store(state, "kmem", "dax0.0")
        state.failing = None
        if bus.dev_dax_of(state, "dax0.0").driver:
            continue
        assert (state.iomem, state.blocks, state.groups) == before[:3], nth


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (512, "512 B"),
        (126 << 20, "126 MiB"),
        (2 << 20, "2.00 MiB"),
        (1536 << 20, "1.50 GiB"),
        (130 << 20, "130 MiB"),
    ],
)
def test_sizes_as_string_get_size_prints_them(size: int, text: str) -> None:
    """lib/tests/string_helpers: three significant digits."""
    assert string_get_size(size) == text
