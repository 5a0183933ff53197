"""The virtio-mem driver: modes and sizes by version, the order of plugging and unplugging, and what stops it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sparsemem.errors import UsageError
from sparsemem.kernel.ioport import IORESOURCE_BUSY, IORESOURCE_EXCLUSIVE
from sparsemem.kernel.virtio_mem.table import VirtioMem, devices, offline_size
from sparsemem.machine.notation import format_machine, parse_machine

if TYPE_CHECKING:
    from sparsemem.machine.machine import Machine

MIB = 1 << 20
WHERE = "0x100000000-0x13fffffff"  # 1 GiB, memory blocks 32 to 39


def machine(version: str = "6.1", options: str = "auto_online=online_movable") -> Machine:
    return parse_machine(f"{version}; 1000-9fbff ram, 1M-512M ram; with block=128M {options}")


def device(m: Machine) -> VirtioMem:
    (found,) = devices(m.state)
    return found


def probe(m: Machine, words: str = "requested=256M", where: str = WHERE) -> VirtioMem:
    answer = m.apply(f"virtio_mem {where} {words}")
    assert answer.refusal is None
    return device(m)


def resize(m: Machine, size: str) -> int:
    m.apply(f"virtio_mem_resize requested={size}")
    return device(m).plugged_size // MIB


def blocks(m: Machine) -> dict[int, str]:
    return {nr: b.zone or b.state for nr, b in m.state.blocks.items() if nr >= 32}


@pytest.mark.parametrize(
    ("version", "block", "in_sbm", "unit", "sb_size"),
    [
        ("5.10", "2M", True, 128, 4),  # a chunk of the largest order
        ("5.18", "2M", True, 128, 4),
        ("5.19", "2M", True, 128, 2),  # a pageblock
        ("6.1", "1M", True, 128, 2),
        ("6.1", "8M", True, 128, 8),
        ("5.10", "128M", True, 128, 128),
        ("6.1", "128M", False, 128, 128),
        ("7.2", "256M", False, 256, 256),
    ],
)
def test_the_mode_and_the_sizes(version: str, block: str, in_sbm: bool, unit: int, sb_size: int) -> None:
    vm = probe(machine(version), f"block={block}")
    assert (vm.in_sbm, vm.block_size // MIB, vm.sb_size // MIB) == (in_sbm, unit, sb_size)


def test_the_module_chooses_big_blocks() -> None:
    vm = probe(machine(), "force_bbm=Y bbm_block_size=256M")
    assert (vm.in_sbm, vm.block_size // MIB, vm.offline_threshold // MIB) == (False, 256, 1024)
    for size, words in (("3M", "is not a power of 2"), ("64M", "is too small")):
        m = machine()
        assert probe(m, f"force_bbm=Y bbm_block_size={size}").block_size == 128 * MIB
        assert f"virtio_mem virtio0: bbm_block_size {words}" in [line.text for line in m.state.lines]


def test_blocks_that_are_too_big_are_refused_up_to_5_10() -> None:
    m = machine("5.10")
    answer = m.apply(f"virtio_mem {WHERE} block=256M requested=256M")
    assert answer.errno == 22
    assert [line.text for line in answer.log] == [
        "virtio_mem virtio0: The block size is not supported (too big).",
        "virtio_mem: probe of virtio0 failed with error -22",
    ]
    assert not devices(m.state)
    assert m.apply("virtio_mem_resize requested=512M").log == ()


def test_a_kernel_without_the_driver_says_nothing() -> None:
    m = machine("5.7", "auto_online=online")
    assert m.apply(f"virtio_mem {WHERE} requested=256M").log == ()
    assert blocks(m) == {}


@pytest.mark.parametrize(("version", "last"), [("5.10", "nid: 0"), ("6.1", "subblock size: 0x200000")])
def test_what_the_driver_says_of_a_device(version: str, last: str) -> None:
    lines = [line.text.removeprefix("virtio_mem virtio0: ") for line in machine_lines(version)]
    assert lines[:3] == ["start address: 0x100000000", "region size: 0x40000000", "device block size: 0x200000"]
    assert lines[5] == last
    assert lines[6:8] == ["plugged size: 0x0", "requested size: 0x10000000"]


def machine_lines(version: str) -> tuple:  # type: ignore[type-arg]
    return machine(version).apply(f"virtio_mem {WHERE} requested=256M").log


@pytest.mark.parametrize(("version", "exclusive"), [("5.15", 0), ("5.16", IORESOURCE_EXCLUSIVE)])
def test_its_entry_of_the_iomem_tree_is_not_busy(version: str, exclusive: int) -> None:
    m = machine(version)
    probe(m)
    parent = next(each for each in m.state.iomem.children if each.name == "virtio0")
    assert parent.flags & (IORESOURCE_BUSY | IORESOURCE_EXCLUSIVE) == exclusive
    assert [(each.name, each.end - each.start + 1) for each in parent.children] == [
        ("System RAM (virtio_mem)", 256 * MIB)
    ]


def test_a_region_that_is_claimed_is_refused() -> None:
    m = machine()
    m.apply(f"request_mem_region {WHERE}")
    assert m.apply(f"virtio_mem {WHERE} requested=256M").errno == 16


def test_a_node_that_cannot_be_is_refused_and_nothing_stays() -> None:
    m = machine()
    assert m.apply(f"virtio_mem {WHERE} requested=256M nid=3").errno == 22
    assert all(each.name != "virtio0" for each in m.state.iomem.children)


def test_a_name_is_for_one_device() -> None:
    m = machine()
    probe(m)
    with pytest.raises(UsageError, match="virtio0 is there already"):
        m.apply("virtio_mem 0x200000000-0x20fffffff")
    with pytest.raises(UsageError, match="not a value for block"):
        m.apply("virtio_mem 0x200000000-0x20fffffff virtio=virtio1 block=3M")


def test_it_grows_inside_blocks_first_and_shrinks_from_the_top() -> None:
    m = machine()
    probe(m, "requested=130M")
    assert (device(m).plugged[0].bit_count(), device(m).plugged[1]) == (64, 1)
    assert resize(m, "134M") == 134
    assert device(m).plugged[1] == 0b111
    assert resize(m, "128M") == 128
    assert blocks(m) == {32: "Movable"}
    assert resize(m, "126M") == 126
    assert device(m).plugged[0].bit_length() == 63
    assert resize(m, "0") == 0
    assert blocks(m) == {}


def test_what_is_less_than_a_sub_block_is_not_plugged() -> None:
    m = machine("5.10")
    assert probe(m, "requested=258M").plugged_size == 256 * MIB
    assert resize(m, "254M") == 256  # 2 MiB less are no sub-block either
    assert resize(m, "250M") == 252


def test_the_ends_of_a_device_inside_memory_blocks_are_lost() -> None:
    m = machine()
    vm = probe(m, "requested=1G", "0x104000000-0x143ffffff")
    assert (vm.first_id, vm.plugged_size // MIB) == (33, 896)
    assert sum("can make some memory unusable" in line.text for line in m.state.lines) == 2


def test_the_usable_region_is_the_limit() -> None:
    assert probe(machine(), "requested=1G usable=400M").plugged_size == 384 * MIB


@pytest.mark.parametrize(("version", "most"), [("5.10", 10), ("6.1", 8)])
def test_too_much_offline_stops_it_and_onlining_lets_it_go_on(version: str, most: int) -> None:
    m = machine(version, "auto_online=offline")
    probe(m, "requested=2G", "0x100000000-0x17fffffff")
    assert offline_size(m.state, device(m)) == most * 128 * MIB
    m.apply("online_movable memory32")
    assert len(blocks(m)) == most + (
        version == "5.10"
    )  # 10 - 1 offline calls the work queue; later half of the limit does
    for nr in (33, 34, 35):
        m.apply(f"online_movable memory{nr}")
    assert len(blocks(m)) == most + 4


def test_offline_goes_before_movable_and_movable_before_kernel_zones() -> None:
    m = machine("6.1", "auto_online=offline")
    probe(m, "requested=384M")
    m.apply("online_movable memory32")
    m.apply("online_kernel memory33")
    resize(m, "256M")
    assert blocks(m) == {32: "Movable", 33: "Normal"}
    resize(m, "128M")
    assert blocks(m) == {33: "Normal"}


def test_before_5_14_the_zone_was_not_looked_at() -> None:
    m = machine("5.13", "auto_online=offline")
    probe(m, "requested=384M")
    m.apply("online_kernel memory32")
    for nr in (33, 34):
        m.apply(f"online_movable memory{nr}")
    resize(m, "256M")
    assert blocks(m) == {32: "Normal", 33: "Movable"}


def test_a_block_with_pages_of_the_kernel_keeps_every_sub_block() -> None:
    m = machine("6.1", "auto_online=online_kernel")
    probe(m, "requested=256M")
    assert 32 in m.state.misc["unmovable_blocks"]
    assert resize(m, "0") == 128
    assert blocks(m) == {32: "Normal"}


def test_a_partly_plugged_block_goes_offline_and_is_given_back_at_once() -> None:
    m = machine()
    probe(m, "requested=192M")
    assert m.apply("offline memory33").refusal is None
    assert resize(m, "160M") == 160
    assert blocks(m) == {32: "Movable", 33: "offline"}
    assert resize(m, "64M") == 64
    assert blocks(m) == {32: "Movable"}


def test_big_blocks_come_and_go_as_a_whole() -> None:
    m = machine()
    probe(m, "block=256M requested=512M")
    assert sorted(blocks(m)) == [32, 33, 34, 35]
    m.apply("offline memory32")
    assert resize(m, "256M") == 256  # neither is offline as a whole: the higher one goes
    assert sorted(blocks(m)) == [32, 33]
    m.apply("offline memory33")
    assert resize(m, "0") == 0


def test_only_offline_memory_is_unplugged_where_the_module_says_so() -> None:
    m = machine()
    probe(m, "requested=256M unplug_online=N")
    assert resize(m, "128M") == 256
    m.apply("offline memory33")  # this calls the work queue
    assert device(m).plugged_size == 128 * MIB


def test_an_error_that_is_not_expected_stops_the_driver() -> None:
    m = machine()
    probe(m, "requested=0")
    m.apply("arch_add_memory 0x100000000-0x107ffffff")
    answer = m.apply("virtio_mem_resize requested=128M")
    assert [line.text for line in answer.log[-2:]] == [
        "virtio_mem virtio0: adding memory failed: -17",
        "virtio_mem virtio0: unknown error, marking device broken: -17",
    ]
    assert m.apply("virtio_mem_resize requested=256M").log == ()


def test_everything_can_be_undone_and_written_on_a_line() -> None:
    m = machine()
    start = m.snapshot()
    probe(m, "requested=384M")
    for size in ("500M", "130M", "0", "2M"):
        resize(m, size)
    line = format_machine(m)
    assert parse_machine(line) == m
    while m.history:
        m.undo()
    assert m.snapshot() == start
    assert not m.state.lines
