"""The page of a plan against the plan itself: what is marked, what is told, and what is on it when nothing can be had."""

from __future__ import annotations

import json
import shlex
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsemem.machine.notation import parse_machine
from sparsemem.planner import Plan, make_plan, make_vm, paint_plan, paint_plan_svg, paint_vm, parse_intent, parse_vm
from sparsemem.planner.marks import plan_marks
from sparsemem.ranges import format_range
from tests.planner.machines import GIB, MIB, cxl_machine, machine

_X = "{http://www.w3.org/1999/xhtml}"


def _page(text: str) -> ET.Element:
    return ET.fromstring(text)  # noqa: S314


def _rows(page: ET.Element, label: str) -> list[list[str]]:
    """The cells of the table in a section of that name, the head first."""
    section = next(each for each in page.iter(f"{_X}section") if each.get("aria-label") == label)
    return [["".join(cell.itertext()) for cell in row] for row in section.iter(f"{_X}tr")]


def _commands(page: ET.Element) -> list[list[str]]:
    listed = next(each for each in page.iter(f"{_X}ol") if each.get("class") == "commands")
    return [shlex.split("".join(code.itertext())) for code in listed.iter(f"{_X}code")]


def _data(page: ET.Element) -> dict[str, object]:
    found: dict[str, object] = json.loads(
        next(each.text or "" for each in page.iter(f"{_X}script") if each.get("id") == "sparsemem-data")
    )
    return found


def _plan(intent: str, *sizes: int, kernel: str = "6.1") -> Plan:
    return make_plan(machine(kernel, *sizes), parse_intent(intent))


@pytest.mark.parametrize(
    ("intent", "sizes", "kernel"),
    [
        ("2 x fsdax 512M name=db, devdax rest", (2 * GIB,), "6.1"),
        ("sector 256M, raw 256M, fsdax usable 300M", (2 * GIB, GIB), "6.12"),
        ("fsdax 512M, fsdax rest", (2 * GIB,), "5.2"),
        ("system-ram all whole blocks", (GIB, GIB), "6.12"),
    ],
)
def test_the_page_tells_the_plan(intent: str, sizes: tuple[int, ...], kernel: str) -> None:
    plan = _plan(intent, *sizes, kernel=kernel)
    assert plan.commands
    page = _page(paint_plan(plan))
    assert _commands(page) == [
        list(each.argv) if each.argv[0] != "sh" else shlex.split(each.argv[2]) for each in plan.commands
    ]
    made = _rows(page, "What is made")[1:]
    assert [(row[0], row[3], row[6], row[8]) for row in made] == [
        (each.dev, format_range(each.range), f"{each.raw:,}", f"{each.usable:,}") for each in plan.namespaces
    ]
    head, *parts, together = _rows(page, "Where every byte goes")
    for column, size in enumerate(sizes, 1):
        numbers = [int(row[column].replace(",", "")) for row in parts]
        assert sum(numbers) == int(together[column].replace(",", "")) == size
    assert head[1:] == [each.region for each in plan.balance]
    assert set(_data(page)) >= {"comparison", "marks", "noun"}
    assert _data(page)["noun"] == "change"


def test_what_is_destroyed_is_marked_where_it_was() -> None:
    """A namespace that goes, one that stays, and one that comes into the place of the first."""
    board = machine("6.1", 2 * GIB)
    first = make_plan(board, parse_intent("fsdax 512M, devdax 512M")).after
    plan = make_plan(first, parse_intent("replace namespace0.0, fsdax 256M, fsdax rest"))
    gone = [mark for mark in plan_marks(plan) if mark.severity == "destroyed"]
    assert [(mark.name, mark.side) for mark in gone] == [("namespace0.0", 0)]
    assert [r.size for r in gone[0].ranges] == [512 * MIB]
    assert ("$", "ndctl destroy-namespace -f namespace0.0") in gone[0].facts
    made = [mark for mark in plan_marks(plan) if mark.severity == "made"]
    assert {mark.name: mark.ranges for mark in made} == {each.dev: (each.range,) for each in plan.namespaces}
    assert {mark.side for mark in made} == {1}
    for mark in made:
        commands = [shlex.split(text) for term, text in mark.facts if term == "$"]
        assert commands, mark.name
        assert all(command in [list(each.argv) for each in plan.commands] for command in commands)


def test_what_cannot_be_had_is_told_with_what_can() -> None:
    plan = _plan("fsdax 3G", 2 * GIB)
    assert plan.impossible
    page = _page(paint_plan(plan))
    assert "scene" in _data(page), "before alone"
    assert _data(page)["marks"] == []
    section = next(each for each in page.iter(f"{_X}section") if each.get("aria-label") == "What can not be had")
    told = ["".join(code.itertext()) for code in section.iter(f"{_X}code")]
    for each in plan.impossible:
        assert each.nearest
        assert set(each.nearest) | set(each.says) <= set(told)
    copied = ["".join(code.itertext()) for code in section.iter(f"{_X}code") if code.get("data-copy") is not None]
    assert set(plan.impossible[0].nearest) < set(copied)
    assert not set(plan.impossible[0].says) & set(copied), "what a tool answers is no command"
    assert not [each for each in page.iter(f"{_X}ol") if each.get("class") == "commands"]


def _numbers(rows: list[list[str]]) -> list[list[int]]:
    """The columns of a table of bytes, the last number of each what it says of all of them."""
    return [
        [int(cell.replace(",", "")) for cell in column] for column in zip(*(row[1:] for row in rows[1:]), strict=True)
    ]


def test_cxl_regions_and_memory_are_marked_and_told() -> None:
    """What is on the page of them is what the machines show: the region in /proc/iomem, the blocks, the bytes."""
    plan = make_plan(cxl_machine(), parse_intent("region on mem0 mem1, fsdax 256M, offline memory1-memory2"))
    page = _page(paint_plan(plan))
    assert _commands(page) == [list(each.argv) for each in plan.commands]
    (region,) = plan.regions
    assert any((res.start, res.end + 1) == tuple(region.range) for _, res in plan.after.state.iomem.walk())
    rows = _rows(page, "What is made")
    assert rows[1][:3] == ["region0", "mem0 mem1", "decoder0.0"]
    assert rows[1][5:8] == [format_range(region.range), "1 GiB", f"{GIB:,}"]
    assert [row[0] for row in rows[2:]] == ["namespace", "namespace0.0"]
    cxl = _rows(page, "CXL memory devices and their window")
    assert cxl[0] == ["bytes", "mem0", "mem1", "decoder0.0"]
    columns = _numbers(cxl)
    assert all(sum(parts) == together for *parts, together in columns)
    assert [column[-1] for column in columns] == [512 * MIB, 768 * MIB, 4 * GIB]
    assert _rows(page, "Memory that goes online or offline")[1] == [
        "memory1 to memory2", "offline", "DMA32", "0", "", "0x8000000-0x17ffffff", "256 MiB", f"{256 * MIB:,}",
    ]  # fmt: skip
    nodes = _rows(page, "Memory blocks by node")
    assert nodes[0] == ["bytes", "node 0 before", "node 0 after"]
    for machine_, column in zip((plan.before, plan.after), _numbers(nodes), strict=True):
        size = machine_.state.misc["memory_block_size_bytes"]
        states = [each.state for each in machine_.state.blocks.values()]
        assert column == [size * states.count("online"), size * states.count("offline"), size * len(states)]
    marks = {mark.name: mark for mark in plan_marks(plan)}
    assert list(marks) == ["region0", "namespace0.0", "memory1-memory2"], "a namespace is painted over its region"
    assert (marks["region0"].severity, marks["region0"].ranges, marks["region0"].side) == ("made", (region.range,), 1)
    assert ("$", shlex.join(plan.commands[0].argv)) in marks["region0"].facts
    memory = marks["memory1-memory2"]
    assert (memory.severity, memory.side) == ("offline", None), "it stays where it is"
    assert memory.what == "memory1 to memory2 on node 0: offline, out of DMA32: 256 MiB"
    assert memory.facts[-1] == ("$", "chmem -d -b 1-2")


def test_a_region_that_goes_and_labels_that_are_forgotten_are_marked_where_they_were() -> None:
    board = make_plan(cxl_machine(), parse_intent("region on mem0 mem1, fsdax 256M")).after
    plan = make_plan(board, parse_intent("replace region0 mem1, region on mem1, fsdax rest"))
    assert not plan.impossible, plan.impossible
    gone = {(mark.name, mark.severity): mark for mark in plan_marks(plan) if mark.side == 0}
    assert set(gone) == {("namespace0.0", "destroyed"), ("mem1", "destroyed"), ("region0", "removed")}
    assert gone["region0", "removed"].ranges[0].size == GIB
    assert gone["region0", "removed"].facts == (("$", "cxl destroy-region -f region0"),)
    assert "labels" in gone["mem1", "destroyed"].what
    (made,) = [mark for mark in plan_marks(plan) if (mark.name, mark.side) == ("region0", 1)]
    assert made.ranges[0].size == 768 * MIB
    assert [text for term, text in made.facts if term == "$"] == [
        each.text for each in plan.commands if each.argv[:2] == ("cxl", "create-region")
    ]


def test_memory_of_what_the_plan_makes_is_marked_after_only() -> None:
    """Online, offline, online again: each mark has its own command. Memory alone tells nothing of regions."""
    plan = make_plan(
        cxl_machine(),
        parse_intent("region, system-ram 512M, offline dax0.0, online dax0.0 no-movable, offline memory1"),
    )
    marks = [mark for mark in plan_marks(plan) if mark.severity in ("online", "offline")]
    assert [(mark.severity, mark.side) for mark in marks] == [("offline", 1), ("online", 1), ("offline", None)]
    assert [mark.facts[-1][1] for mark in marks] == [each.text for each in plan.commands if each.argv[0] == "chmem"]
    assert [("device", "dax0.0") in mark.facts for mark in marks] == [True, True, False]
    alone = _page(paint_plan(make_plan(cxl_machine(), parse_intent("offline memory1"))))
    told = [each.get("aria-label") for each in alone.iter(f"{_X}section") if each.get("class") == "told"]
    assert [name for name in told if name] == [
        "Commands (1)", "Memory that goes online or offline", "Memory blocks by node", "Notes",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "intent",
    [
        "online all",
        "online 256M, online 128M no-movable, offline 128M movable",
        "online memory32 memory34 memory50, offline memory32 memory50",
    ],
)
def test_every_command_of_memory_has_its_mark(intent: str) -> None:
    layout = "6.12; 1M-2G ram; with auto_online=offline; add_memory 0x100000000-0x11fffffff; add_memory 0x180000000-0x19fffffff"
    plan = make_plan(parse_machine(layout), parse_intent(intent))
    marks = plan_marks(plan)
    assert [mark.ranges for mark in marks] == [(each.range,) for each in plan.memory]
    block = plan.before.state.misc["memory_block_size_bytes"]
    for command in plan.commands:
        first, _, last = command.argv[-1].partition("-")
        spans = [mark.ranges[0] for mark in marks if mark.facts[-1] == ("$", command.text)]
        assert (spans[0].start, spans[-1].end) == (int(first) * block, (int(last or first) + 1) * block)
        assert sum(each.size for each in spans) == spans[-1].end - spans[0].start


def test_a_guest() -> None:
    vm = make_vm(parse_vm("ram 4G, dimm 2G, pmem 10G"), "6.12")
    assert vm.machine is not None
    page = _page(paint_vm(vm))
    assert _commands(page) == [["qemu-system-x86_64", *vm.qemu]]
    marks = _data(page)["marks"]
    assert isinstance(marks, list)
    assert [(mark["name"], mark["ranges"]) for mark in marks] == [
        (each.name, [format_range(each.range)]) for each in vm.devices
    ]
    plan = make_plan(vm.machine, parse_intent("fsdax rest"))
    both = paint_plan(plan, vm)
    assert shlex.join(vm.qemu) in both
    assert [list(each.argv) for each in plan.commands] == [
        shlex.split("".join(code.itertext())) for code in list(_page(both).iter(f"{_X}ol"))[1].iter(f"{_X}code")
    ]


def test_svg() -> None:
    assert "before" in paint_plan_svg(_plan("fsdax rest", GIB))
    assert ET.fromstring(paint_plan_svg(_plan("fsdax 3G", GIB))).tag.endswith("svg")  # noqa: S314


@settings(max_examples=25, deadline=None)
@given(st.text(min_size=1, max_size=20))
def test_any_name_gives_a_page_that_parses_and_commands_that_are_true(name: str) -> None:
    """What is shown with ``data-copy`` is the command to the byte, whatever the label says."""
    from sparsemem.planner import Intent, Item
    from sparsemem.planner.intent import Amount

    plan = make_plan(machine("6.1", GIB), Intent((Item(mode="fsdax", amount=Amount("raw", 256 * MIB), name=name),)))
    page = _page(paint_plan(plan))
    if not plan.commands:
        return
    listed = next(each for each in page.iter(f"{_X}ol") if each.get("class") == "commands")
    (code,) = listed.iter(f"{_X}code")
    if code.get("data-copy") is not None:
        assert shlex.split("".join(code.itertext())) == list(plan.commands[0].argv)
    else:
        assert not name.isprintable() or any(not each.isascii() for each in name)
