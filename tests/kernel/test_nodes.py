"""Nodes: what their coming and going logs, and which block the kernel's own pages hold. Recorded in tests/transcripts (numa_*) too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sparsemem.kernel.memory_tiers import format_nodes
from sparsemem.kernel.page_alloc import numa_map_to_online_node
from sparsemem.machine.notation import parse_machine

if TYPE_CHECKING:
    from sparsemem.machine.machine import Machine

LINE = (
    "{kernel}; 1000-9fbff ram, 100000-1fffffff ram; with block=128M node=0:0-fffffff node=1:10000000-1fffffff "
    "auto_online=online_movable cpu_nodes=1 possible_nodes=3"
)
ADD = "add_memory 0x100000000-0x107ffffff nid=2"


def machine(version: str) -> Machine:
    return parse_machine(LINE.format(kernel=version))


def lines(it: Machine, operation: str) -> list[str]:
    return [each.text for each in it.apply(operation).log if each.level == "info"]


def orders(texts: list[str]) -> list[str]:
    return [text.removeprefix("Fallback order for Node ").strip() for text in texts if text.startswith("Fallback")]


@pytest.mark.parametrize(
    ("version", "hotadded", "gone"),
    [
        ("5.10.251", [], []),
        ("6.1.176", ["2: 2 1 0"], ["0: 0 1 2", "1: 1 2 0", "2: 2 1 0"]),
        ("6.12.118", ["2: 1 0"], ["0: 0 1", "1: 1 0", "2: 1 0"]),
    ],
)
def test_fallback_orders_of_a_node_without_memory(version: str, hotadded: list[str], gone: list[str]) -> None:
    it = machine(version)
    said = orders(lines(it, ADD))
    assert said == [*hotadded, *(["0: 0 1 2", "1: 1 2 0", "2: 2 1 0"] if hotadded else [])]
    assert orders(lines(it, "offline memory32")) == gone


def test_nodes_without_cpus_come_first_and_the_next_before_the_one_below() -> None:
    it = parse_machine(LINE.format(kernel="6.12").replace("possible_nodes=3", "possible_nodes=4"))
    it.apply(ADD)
    said = orders(lines(it, "add_memory 0x108000000-0x10fffffff nid=3"))
    assert said[-4:] == ["0: 0 1 2 3", "1: 1 2 3 0", "2: 2 3 1 0", "3: 3 1 2 0"]


def test_a_node_goes_offline_with_its_last_memory_and_undo_brings_it_back() -> None:
    it = machine("6.1")
    start = it.snapshot()
    for step in (ADD, "offline memory32", "remove_memory 0x100000000-0x107ffffff"):
        assert it.apply(step).refusal is None
    assert not it.state.nodes[2].online
    for _ in range(3):
        it.undo()
    assert it.snapshot() == start
    assert 2 not in it.state.nodes


def test_a_node_that_is_not_possible_is_refused() -> None:
    answer = machine("6.1").apply("add_memory 0x100000000-0x107ffffff nid=3")
    assert answer.refusal is not None
    assert answer.refusal.rule == "node-impossible"


def test_the_nearest_online_node_stands_in_for_one_that_is_offline() -> None:
    it = machine("6.1")
    assert [numa_map_to_online_node(it.state, nid) for nid in (-1, 0, 1, 2)] == [-1, 0, 1, 0]
    it.apply(ADD)
    assert numa_map_to_online_node(it.state, 2) == 2


@pytest.mark.parametrize(("version", "refused"), [("6.1.176", False), ("6.12.118", False), ("7.2", True)])
def test_the_first_kernel_block_of_a_node_without_cpus(version: str, refused: bool) -> None:
    """Its kswapd and kcompactd lie there since they are made on their node."""
    it = parse_machine(LINE.format(kernel=version).replace("auto_online=online_movable", "auto_online=online_kernel"))
    it.apply(ADD)
    assert (it.apply("offline memory32").refusal is not None) is refused


def test_a_node_of_kmem_is_a_tier_below() -> None:
    it = machine("6.12")
    it.apply("dax_region 0x100000000-0x10fffffff driver=hmem node=0 target_node=2")
    it.apply("store path=/sys/bus/dax/drivers/device_dax/unbind text=dax0.0")
    it.apply("store path=/sys/bus/dax/drivers/kmem/new_id text=dax0.0")
    said = [line.text for line in it.state.lines if line.text.startswith("Demotion")]
    assert said == [
        "Demotion targets for Node 0: preferred: 2, fallback: 2",
        "Demotion targets for Node 1: preferred: 2, fallback: 2",
        "Demotion targets for Node 2: null",
    ]


def test_lists_of_nodes_are_printed_as_ranges() -> None:
    assert [format_nodes(each) for each in ((), (0,), (2, 0, 1), (0, 2, 3, 5))] == ["", "0", "0-2", "0,2-3,5"]
