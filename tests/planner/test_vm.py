"""Placing the memory devices of a guest, against the reports that it is for."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsemem.errors import InputError
from sparsemem.planner import make_plan, make_vm, parse_intent, parse_vm, render_vm
from sparsemem.planner.vm import VmSpec, vm_text
from tests.planner.machines import GIB, MIB


def test_reading() -> None:
    assert parse_vm("ram 4G, dimm 2G, 2 x pmem 10G") == VmSpec(4 * GIB, (2 * GIB,), (10 * GIB, 10 * GIB))


@given(st.integers(1, 64), st.lists(st.integers(1, 9), max_size=4), st.lists(st.integers(1, 9), max_size=4))
def test_reading_what_was_printed_gives_the_same(ram: int, dimms: list[int], pmem: list[int]) -> None:
    spec = VmSpec(ram * GIB, tuple(size * 128 * MIB for size in dimms), tuple(size * 16 * MIB for size in pmem))
    assert parse_vm(vm_text(spec)) == spec


@pytest.mark.parametrize(
    "text", ["", "pmem 1G", "ram 1G, ram 1G", "ram x", "ram 4G, disk 1G", "ram 4G, 300 x dimm 1G", "0 x ram 1G"]
)
def test_what_is_not_understood(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_vm(text)
    assert (caught.value.where or "").startswith("--vm")


def test_c35_and_c37_a_dimm_behind_a_crooked_nvdimm() -> None:
    """kata-containers 1769, 1770, 1841: what lies in front moves the next device off a block; the address cures it."""
    plan = make_vm(parse_vm("ram 4G, pmem 208M, pmem 1G"), "6.12")
    assert any("share the section" in words for words in plan.lost)
    assert [each.range.start % GIB for each in plan.devices] == [0, 0]
    assert plan.machine is not None
    assert all(each.unusable == 0 for each in make_plan(plan.machine, parse_intent("fsdax rest")).balance)


def test_c07_a_second_nvdimm_with_a_label_area() -> None:
    """pmem-csi 9: 1022 MiB, then the second NVDIMM 126 MiB into a section, where the kernels of then failed."""
    plan = make_vm(parse_vm("ram 16G, 2 x pmem 1022M"), "4.19")
    assert plan.impossible is not None
    assert "ram 16G, 2 x pmem 896M" in plan.nearest
    assert "ram 16G, 2 x pmem 1G" in plan.nearest


def test_c33_blocks_grow_with_memory() -> None:
    """Tatashin's mail of 2018-02-15: 64 GiB of RAM and a DIMM that is no whole block."""
    plan = make_vm(parse_vm("ram 64G, dimm 1G"), "6.12")
    assert plan.block_size == 2 * GIB
    assert plan.nearest == ("ram 64G, dimm 2G",)
    good = make_vm(parse_vm(plan.nearest[0]), "6.12")
    assert good.impossible is None
    odd = make_vm(parse_vm("ram 63G, dimm 1G"), "6.12")
    assert (odd.block_size, odd.impossible) == (GIB, None)


@settings(max_examples=10)
@given(
    st.sampled_from((1, 3, 4, 63, 64)), st.lists(st.sampled_from((2, 4)), max_size=2),
    st.lists(st.sampled_from((128, 208, 1024, 1040)), min_size=1, max_size=3), st.sampled_from(("5.10", "6.12")),
)  # fmt: skip
def test_everything_can_be_used(ram: int, dimms: list[int], pmem: list[int], kernel: str) -> None:
    spec = VmSpec(ram * GIB, tuple(size * GIB for size in dimms), tuple(size * MIB for size in pmem))
    plan = make_vm(spec, kernel)
    assert plan.impossible is None
    assert plan.machine is not None
    assert len(plan.devices) == len(dimms) + len(pmem)
    for each in plan.devices:
        assert each.range.start % plan.block_size == 0
    found = make_plan(plan.machine, parse_intent("fsdax rest"))
    assert sum(each.raw for each in found.namespaces) == sum(spec.pmem)


def test_a_dimm_that_is_large_for_its_guest() -> None:
    """kata-containers issue 4847: 12 GiB "require around 188 MiB of *free* memory" (it is 192), and a guest of 256 MiB has not."""
    plan = make_vm(parse_vm("ram 256M, dimm 12G"), "5.15")
    (words,) = plan.scarce
    assert "192 MiB" in words
    assert "-ENOMEM" in words
    assert words.split(":")[0] in render_vm(plan)
    assert not make_vm(parse_vm("ram 4G, dimm 12G"), "5.15").scarce
