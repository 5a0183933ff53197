"""Plans with CXL regions carried out on the model: killed anywhere, also within ``cxl``, gone on with, taken back."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import pytest

from sparsemem.planner import Plan, make_plan, parse_intent
from sparsemem.planner.apply import Journal, ModelRunner, head_of, standing
from sparsemem.planner.apply.contents import contents
from sparsemem.planner.apply.view import uuids_of, view_of
from tests.planner.killing import POINTS, go, half_region
from tests.planner.machines import cxl_machine

if TYPE_CHECKING:
    from pathlib import Path

    from sparsemem.machine.machine import Machine

CASES = (
    ("", "region on mem0 mem1 granularity=4096, fsdax 256M name=db, sector 64M"),
    ("", "region 256M on mem1, devdax rest"),
    ("", "region, system-ram 512M"),
    ("region on mem0 mem1, fsdax 256M", "replace region0, region on mem1 mem0, devdax rest"),
    ("region on mem0 mem1, fsdax 256M", "replace region0"),
    ("region 256M on mem0", "replace region0, region on mem1, fsdax 128M"),
    ("gone: region on mem0 mem1, fsdax 256M name=old", "region on mem0 mem1, devdax 256M"),
    ("gone: region on mem0 mem1, fsdax 256M name=old", "replace namespace0.0, region on mem0 mem1, sector rest"),
)


@functools.cache
def _board(first: str) -> Machine:
    """A board on which an intent was carried out; ``gone:`` and then its region destroyed, with the labels left on the devices."""
    board = cxl_machine("6.12")
    if not first:
        return board
    plan = make_plan(board, parse_intent(first.removeprefix("gone: ")))
    assert not plan.impossible
    made = plan.after.copy()
    if first.startswith("gone:"):
        assert ModelRunner(made).run(("cxl", "destroy-region", "-f", "region0"))[0] == 0
    return made


@functools.cache
def _plan(case: tuple[str, str]) -> Plan:
    plan = make_plan(_board(case[0]), parse_intent(case[1]))
    assert plan.commands, plan.impossible
    return plan


@functools.cache
def _head(case: tuple[str, str]) -> dict[str, Any]:
    return head_of(_plan(case), "model")


def _fresh(directory: Path, case: tuple[str, str]) -> tuple[Path, ModelRunner]:
    directory.mkdir(exist_ok=True)
    Journal.create(directory / "plan.jsonl", _head(case)).close()
    return directory / "plan.jsonl", ModelRunner(_plan(case).before.copy())


def _result(outcome: Any) -> str | None:
    return None if outcome is None else outcome.result


def _view(machine: Machine) -> dict[str, Any]:
    return view_of(ModelRunner(machine.copy()).observe())


def _taken_back(case: tuple[str, str], runner: ModelRunner, outcome: Any) -> None:
    """As before, but for namespaces that the intent replaced."""
    plan = _plan(case)
    gone = {name for command in plan.commands for name in command.destroys}
    before, now = _view(plan.before), view_of(runner.observe())
    for name in {*before, *now}:
        if before.get(name) != now.get(name):
            assert name in gone, name
            assert f"what was on {name}" in outcome.lost
    if any("destroy-region" in command.argv for command in plan.commands):
        return
    # and the labels on the devices are as they were: the region brings them back
    found, had = (
        make_plan(board, parse_intent("region on mem0 mem1")).regions[0].found
        for board in (runner.machine, plan.before)
    )
    lost = {name for name in gone if f"what was on {name}" in outcome.lost}
    assert set(found) == set(had) - lost


@pytest.mark.parametrize("case", CASES, ids=" / ".join)
def test_uninterrupted(case: tuple[str, str], tmp_path: Path) -> None:
    path, runner = _fresh(tmp_path, case)
    assert _result(go(path, runner)) == "done"
    assert runner.machine == _plan(case).after
    outcome = go(path, runner, undo=True)
    assert _result(outcome) == "undone", outcome
    _taken_back(case, runner, outcome)


@pytest.mark.parametrize("case", CASES, ids=" / ".join)
def test_killed_at_every_step_and_point(case: tuple[str, str], tmp_path: Path) -> None:
    plan = _plan(case)
    for step in range(1, len(plan.commands) + 1):
        for point in POINTS:
            for way in ("on", "back"):
                path, runner = _fresh(tmp_path / f"{step} {point} {way}", case)
                assert go(path, runner, step, point) is None or point == "half", (step, point)
                if way == "on":
                    outcome = go(path, runner, repair=True)
                    assert _result(outcome) == "done", (step, point, outcome)
                    with Journal.open(path) as journal:
                        names = journal.names
                        shown = view_of(runner.observe())
                        assert {names.get(name, name) for name in journal.views[-1]} == set(shown)
                else:
                    outcome = go(path, runner, undo=True)
                    assert _result(outcome) == "undone", (step, point, outcome)
                    _taken_back(case, runner, outcome)


@pytest.mark.parametrize("case", [CASES[0], CASES[4], CASES[6]], ids=" / ".join)
@pytest.mark.parametrize("way", ["on", "back"])
def test_cxl_itself_is_killed_after_every_write(case: tuple[str, str], way: str, tmp_path: Path) -> None:
    plan = _plan(case)
    number = next(n for n, command in enumerate(plan.commands, 1) if command.argv[0] == "cxl")
    writes = half_region(plan.commands[number - 1].argv)
    for depth in range(len(writes) + 1):
        path, runner = _fresh(tmp_path / f"{depth}", case)
        assert go(path, runner, number, "after begin") is None
        for file, value in writes[:depth]:
            code, said = runner.run(("sh", "-c", f"echo {value} > {file}"))
            assert code == 0, (file, value, said)
        with Journal.open(path) as journal:
            at = standing(journal, runner.observe())
        ends = ("ready", "took") if plan.commands[number - 1].argv[1] == "create-region" else ("ready", "half")
        assert at.kind == ("half" if 0 < depth < len(writes) else ends[depth > 0]), (depth, at)
        outcome = go(path, runner, undo=True) if way == "back" else go(path, runner, repair=True)
        assert _result(outcome) == ("undone" if way == "back" else "done"), (depth, outcome)
        if way == "back":
            _taken_back(case, runner, outcome)
        else:
            assert view_of(runner.observe()) == _view(plan.after)


def test_a_region_with_a_namespace_of_somebody_else_stays(tmp_path: Path) -> None:
    path, runner = _fresh(tmp_path, CASES[0])
    assert _result(go(path, runner)) == "done"
    assert runner.run(("ndctl", "create-namespace", "-r", "region0", "-m", "raw", "-s", "64M"))[0] == 0
    foreign = {name: uuid for name, uuid in uuids_of(runner.observe()).items() if name == "namespace0.2"}
    assert foreign
    outcome = go(path, runner, undo=True)
    assert outcome is not None
    assert (outcome.result, outcome.step, outcome.done) == ("failed", 1, 2)
    assert "namespace0.2 is on this plan's region, and not of this plan" in outcome.found[0]
    assert uuids_of(runner.observe()) == foreign


def test_what_came_back_and_is_mounted_is_not_torn_away(tmp_path: Path) -> None:
    path, runner = _fresh(tmp_path, CASES[6])
    assert _result(go(path, runner)) == "done"
    for command in ("mkfs.ext4 /dev/pmem0", "mount /dev/pmem0 /mnt"):
        assert runner.run(tuple(command.split()))[0] == 0
    outcome = go(path, runner, undo=True)
    assert outcome is not None
    assert (outcome.result, outcome.step) == ("failed", 1)
    assert "namespace0.0" in view_of(runner.observe())
    assert runner.run(("umount", "/mnt"))[0] == 0
    assert _result(go(path, runner, undo=True)) == "undone"


def test_memory_that_stays_online_keeps_its_region(tmp_path: Path) -> None:
    case = ("", "region, system-ram 512M no-movable")
    path, runner = _fresh(tmp_path, case)
    assert _result(go(path, runner)) == "done"
    before = view_of(runner.observe())
    outcome = go(path, runner, undo=True)
    assert outcome is not None
    assert outcome.result == "undone"
    assert view_of(runner.observe()) == before
    assert "region0 as it was before" in outcome.lost


def test_labels_that_are_forgotten(tmp_path: Path) -> None:
    case = ("gone: region on mem0, fsdax 256M", "replace mem0, region on mem0 mem1, sector rest")
    for step in (1, 2, 3):
        path, runner = _fresh(tmp_path / str(step), case)
        assert go(path, runner, step, "after run") is None
        assert _result(go(path, runner)) == "done"
        assert view_of(runner.observe()) == _view(_plan(case).after)
        outcome = go(path, runner, undo=True)
        assert outcome is not None
        assert (outcome.result, outcome.lost, outcome.left) == ("undone", ("what was on mem0",), ())
        assert view_of(runner.observe()) == _view(_plan(case).before)


def test_what_is_lost_with_a_device_s_labels_is_said_before() -> None:
    runner = ModelRunner(_board("region on mem0, fsdax 256M").copy())
    found = contents(("mem0", "mem1x", "namespace0.0"), runner.observe(), runner.ask)
    assert [each.name for each in found] == ["mem0", "namespace0.0"]
    assert "labels" in found[0].what
    assert not found[0].users


def test_a_region_that_is_gone_when_it_is_come_back_to_stops_it(tmp_path: Path) -> None:
    """As after a boot of a machine whose firmware does not make it again: nothing is run."""
    path, runner = _fresh(tmp_path, CASES[0])
    assert go(path, runner, 3, "before begin") is None
    for name in ("namespace0.0", "namespace0.1"):
        runner.run(("ndctl", "disable-namespace", name))
    assert runner.run(("cxl", "destroy-region", "-f", "region0"))[0] == 0
    seen = runner.machine.snapshot()
    outcome = go(path, runner)
    assert outcome is not None
    assert (outcome.result, outcome.exit_status) == ("changed", 15)
    assert any(each.startswith("cxl:region0 is not there") for each in outcome.found), outcome.found
    assert runner.machine.snapshot() == seen


def test_a_region_that_cxl_did_not_make_is_no_success(tmp_path: Path) -> None:
    """``cxl create-region`` exits 0 when the kernel refuses a target: what is listed afterwards decides."""
    path, runner = _fresh(tmp_path, CASES[0])

    class Refusing(ModelRunner):
        def run(self, argv: tuple[str, ...]) -> tuple[int, str]:
            if argv[0] == "cxl":
                self._log = ("cxl_port endpoint3: failed to attach decoder3.0 to region0: -16",)
                return 0, "cxl region: create_region: region0: failed to set target1 to mem1\n"
            return super().run(argv)

    outcome = go(path, Refusing(runner.machine))
    assert outcome is not None
    assert (outcome.result, outcome.step, outcome.exit_code, outcome.done) == ("failed", 1, 0, 0)
    assert "cxl:region0 is not there" in outcome.found
    assert outcome.explanations
    assert _result(go(path, runner)) == "done"


def test_plans_without_cxl_commands_do_not_look_at_its_regions() -> None:
    made = _board(CASES[3][0])
    head = head_of(make_plan(made, parse_intent("sector 64M")), "model")
    assert not [name for name in head["start"] if name.startswith("cxl:")]
    assert "cxl:region0" in _view(made)
