"""Intents of CXL regions, namespaces and memory that is there, all at once: the text, TOML, what is planned, carried out and taken back."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparsemem.machine.notation import parse_machine
from sparsemem.planner import Intent, Plan, RegionItem, make_plan, parse_intent, render_text, to_json
from sparsemem.planner.apply import Journal, ModelRunner, adopt, head_of
from sparsemem.planner.apply.view import relevant, view_of
from sparsemem.planner.toml_intent import read_intent
from tests.planner.killing import POINTS, go
from tests.planner.machines import GIB, MIB, cxl_machine
from tests.planner.test_intent import items
from tests.planner.test_memory import items as memory_items

if TYPE_CHECKING:
    from sparsemem.machine.machine import Machine

SCHEMA = json.loads((Path(__file__).parents[2] / "docs/plan.schema.json").read_text())
PMEM = "6.12; 1M-2G ram, 4G+1G pmem; with auto_online=offline; nd_region 0x100000000-0x13fffffff labels=1.2"
RAM = "region on mem0 mem1, system-ram 512M"
OFFLINE = f"{RAM}, offline dax0.0"
CASES = (
    ("", "region on mem0 mem1, fsdax 256M, offline memory1-memory2"),
    ("", OFFLINE),
    ("", "region 256M on mem1, offline 128M no-movable, online all"),
    (OFFLINE, "sector 64M, online dax0.0 movable"),
    (RAM, "replace region0, region on mem1, fsdax rest, offline memory2"),
)


@functools.cache
def _board(first: str) -> Machine:
    board = cxl_machine("6.12")
    return make_plan(board, parse_intent(first)).after if first else board


@functools.cache
def _plan(case: tuple[str, str]) -> Plan:
    plan = make_plan(_board(case[0]), parse_intent(case[1]))
    jsonschema.validate(to_json(plan), SCHEMA)
    assert plan.commands, plan.impossible
    return plan


# -- the intent


_SIZES = st.integers(1, 1 << 40)
_REGIONS = st.builds(
    RegionItem, memdevs=st.lists(st.integers(0, 9).map(lambda n: f"mem{n}"), unique=True, max_size=3).map(tuple),
    size=st.none() | _SIZES, ways=st.none() | st.integers(1, 16), granularity=st.none() | _SIZES,
    decoder=st.none() | st.just("decoder0.0"),
)  # fmt: skip
_PLAIN = st.lists(st.sampled_from(("namespace0.0", "dax1.0", "region0", "mem1")), unique=True, max_size=3)
_REPLACE = (_PLAIN | _PLAIN.map(lambda names: ["all", *(name for name in names if "." not in name)])).map(tuple)


@given(
    st.builds(
        Intent, st.lists(items(), max_size=2).map(tuple), _REPLACE, regions=st.lists(_REGIONS, max_size=2).map(tuple),
        memory=st.lists(memory_items(), max_size=2).map(tuple),
    ).filter(lambda intent: bool(str(intent)))
)  # fmt: skip
def test_printing_and_reading_agree(intent: Intent) -> None:
    assert parse_intent(str(intent)) == intent


def test_the_order_of_the_parts_does_not_matter_and_toml_says_the_same() -> None:
    text = "offline 1G movable, fsdax rest, region on mem0 mem1, replace region0, online dax0.0"
    intent = parse_intent(text)
    assert str(intent) == "replace region0, region on mem0 mem1, fsdax rest, offline 1G movable, online dax0.0"
    toml = """
replace = "region0"
[[memory]]
offline = "1G"
movable = true
[[item]]
mode = "fsdax"
amount = "rest"
[[region]]
on = ["mem0", "mem1"]
[[memory]]
online = "dax0.0"
"""
    assert read_intent(toml) == intent
    assert read_intent("[[memory]]\nonline = 'all'") == parse_intent("online all")


# -- the plan


def test_all_three_in_one_plan() -> None:
    plan = _plan(CASES[0])
    assert [command.argv[0] for command in plan.commands] == ["cxl", "ndctl", "chmem"]
    document = to_json(plan)
    assert [each["region"] for each in document["regions"]] == ["region0"]
    assert [each["item"] for each in document["memory"]] == [1], "behind the other items; regions are counted apart"
    assert {each["name"] for each in document["cxl"]} == {"mem0", "mem1", "decoder0.0"}
    (before,), (after,) = plan.memory_before, plan.memory_after
    assert (before.offline, after.offline, before.kernel - after.kernel) == (0, 256 * MIB, 256 * MIB)
    text = " ".join(render_text(plan, 80, picture=False).split())
    for words in (
        "1 CXL region, 1 namespace",
        "256 MiB of memory go offline",
        "bytes of node 0",
        "in CXL regions",
        "struct pages",
    ):
        assert words in text


def test_nothing_to_do_for_the_memory_is_said_and_the_rest_is_planned() -> None:
    plan = _plan(("", "region on mem0 mem1, fsdax rest, online all"))
    assert [command.argv[0] for command in plan.commands] == ["cxl", "ndctl"]
    assert (plan.memory, plan.memory_before) == ((), plan.memory_after)
    assert any("there is nothing to do for it" in note for note in plan.notes)


def test_memory_of_a_region_that_the_plan_makes_and_of_one_that_it_replaces() -> None:
    """A node that has memory only before, or only after, is in the table all the same."""
    plan = _plan(CASES[1])
    assert [(each.action, each.devices) for each in plan.memory] == [("offline", ("dax0.0",))]
    assert [each.numa_node for each in plan.memory_before] == [0]
    assert [(each.numa_node, each.offline) for each in plan.memory_after] == [(0, 0), (1, 384 * MIB)]
    back = make_plan(plan.after, parse_intent("replace region0, online all"))
    assert [(each.numa_node, each.offline) for each in back.memory_before] == [(0, 0), (1, 384 * MIB)]
    assert [each.numa_node for each in back.memory_after] == [0]
    assert "bytes of node 1       before        after\n  offline          402,653,184            0" in render_text(back)


def test_without_cxl_the_same() -> None:
    """The node of a device goes with it; a node of a device comes with it."""
    board = make_plan(parse_machine(PMEM), parse_intent("system-ram 512M, offline dax0.0")).after
    plan = make_plan(board, parse_intent("replace namespace0.0, fsdax rest, online all"))
    assert not plan.impossible
    sums = [
        sum(each.kernel + each.movable + each.offline for each in side)
        for side in (plan.memory_before, plan.memory_after)
    ]
    assert sums == [2 * GIB + 384 * MIB, 2 * GIB]
    assert not plan.cxl


def test_memory_alone_shows_no_regions_of_a_cxl_machine() -> None:
    text = render_text(make_plan(cxl_machine(), parse_intent("offline memory1")), picture=False)
    assert "decoder0.0" not in text
    assert "128 MiB of memory go offline, played on the model." in text


@pytest.mark.parametrize(
    ("text", "what", "near"),
    [
        (f"{RAM}, offline 4G", "offline 4G", f"{RAM}, offline 384M"),
        ("region on mem0, fsdax 4G, offline memory1", "fsdax 4G", "region on mem0, fsdax 512M, offline memory1"),
        ("region 300M on mem0, offline memory1", "region 300M on mem0", "region 256M on mem0, offline memory1"),
        ("fsdax rest, offline memory1", "fsdax rest", "region on mem0 mem1, fsdax rest, offline memory1"),
        ("region, offline memory0-memory1", "offline memory0-memory1", "region, offline memory1"),
    ],
)
def test_what_can_not_be_had(text: str, what: str, near: str) -> None:
    """The intents that are near keep the other parts, and can be had."""
    plan = make_plan(cxl_machine(), parse_intent(text))
    jsonschema.validate(to_json(plan), SCHEMA)
    assert [each.what for each in plan.impossible] == [what]
    assert not plan.commands
    assert plan.before is plan.after
    assert near in plan.impossible[0].nearest
    for each in plan.impossible[0].nearest:
        assert not make_plan(cxl_machine(), parse_intent(each), nearest=False).impossible


# -- carried out


def _shown(case: tuple[str, str], runner: ModelRunner) -> dict[str, Any]:
    return view_of(relevant(runner.observe(), [command.argv for command in _plan(case).commands]))


@functools.cache
def _head(case: tuple[str, str]) -> dict[str, Any]:
    return head_of(_plan(case), "model")


def _fresh(directory: Path, case: tuple[str, str]) -> tuple[Path, ModelRunner]:
    directory.mkdir()
    Journal.create(directory / "plan.jsonl", _head(case)).close()
    return directory / "plan.jsonl", ModelRunner(_plan(case).before.copy())


def _as_before(case: tuple[str, str], runner: ModelRunner, outcome: Any) -> None:
    """But for what the intent replaced."""
    gone = {name for command in _plan(case).commands for name in command.destroys}
    before, now = _shown(case, ModelRunner(_plan(case).before.copy())), _shown(case, runner)
    for name in {*before, *now}:
        lost = name in gone or f"{name} as it was before" in outcome.lost
        assert before.get(name) == now.get(name) or lost, (name, outcome)


@pytest.mark.parametrize("case", CASES, ids=" / ".join)
def test_killed_at_every_step_and_point(case: tuple[str, str], tmp_path: Path) -> None:
    plan = _plan(case)
    path, runner = _fresh(tmp_path / "whole", case)
    outcome = go(path, runner)
    assert outcome is not None
    assert outcome.result == "done"
    assert runner.machine == plan.after
    for step in range(1, len(plan.commands) + 1):
        for point in POINTS:
            for way in ("on", "back"):
                path, runner = _fresh(tmp_path / f"{step} {point} {way}", case)
                assert go(path, runner, step, point) is None or point == "half", (step, point)
                outcome = go(path, runner, repair=True) if way == "on" else go(path, runner, undo=True)
                assert outcome is not None
                assert outcome.result == ("done" if way == "on" else "undone"), (step, point, outcome)
                if way == "back":
                    _as_before(case, runner, outcome)
                elif point != "half":
                    assert runner.machine == plan.after


def test_what_is_compared_is_what_the_plan_is_about(tmp_path: Path) -> None:
    """CXL regions and memory blocks, each only where the plan has commands for them; another machine is told from this one by both."""
    head = _head(CASES[0])
    assert {name for name in head["start"] if name.startswith(("memory", "cxl:"))} == {"memory1-memory2"}
    assert {name for step in head["steps"] for name in step["changes"]} >= {"cxl:region0", "memory1-memory2"}
    other = ModelRunner(_board("").copy())
    assert other.run(("chmem", "-d", "-b", "2"))[0] == 0
    assert adopt(dict(head), other.observe()) == [
        "memory1-memory2: memory is 1 online in DMA32, 2 offline, not online in DMA32"
    ]
    assert not [name for name in _head(CASES[3])["start"] if name.startswith("cxl:")]
