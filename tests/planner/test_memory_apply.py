"""chmem steps carried out on the model: killed anywhere, between two blocks, too; gone on with, taken back."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import pytest

from sparsemem.errors import SparsememError
from sparsemem.machine.notation import parse_machine
from sparsemem.planner import Plan, make_plan, parse_intent
from sparsemem.planner.apply import Applier, HostRunner, Journal, ModelRunner, adopt, head_of, standing
from sparsemem.planner.apply.runners import read_lists
from sparsemem.planner.apply.view import WATCH, view_of, watched
from tests.planner.killing import POINTS, Killed, Killer, go

if TYPE_CHECKING:
    from pathlib import Path

RAM = (
    "6.12; 1M-2G ram; with auto_online=offline; add_memory 0x100000000-0x11fffffff; add_memory 0x180000000-0x19fffffff"
)
PMEM = "6.12; 1M-2G ram, 4G+1G pmem; with auto_online=offline; nd_region 0x100000000-0x13fffffff labels=1.2"
OLD = "5.10; 1M-2G ram; add_memory 0x100000000-0x11fffffff; online_movable memory32; online_movable memory33"
CASES = (
    (RAM, "online all"),
    (RAM, "online memory32-memory33 movable, online 256M, offline memory33"),
    (RAM, "online 1G, offline 256M movable, online memory51"),
    (RAM, "offline 256M no-movable, online memory48-memory49"),
    (OLD, "offline memory32, online memory34-memory35 movable"),
    (PMEM, "system-ram 512M, offline dax0.0"),
    (PMEM, "fsdax 64M, system-ram 512M, offline memory33-memory34"),
)


@functools.cache
def _plan(case: tuple[str, str]) -> Plan:
    plan = make_plan(parse_machine(case[0]), parse_intent(case[1]))
    assert plan.commands, plan.impossible
    assert any(command.argv[0] == "chmem" for command in plan.commands)
    return plan


@functools.cache
def _head(case: tuple[str, str]) -> dict[str, Any]:
    return head_of(_plan(case), "model")


def _fresh(directory: Path, case: tuple[str, str]) -> tuple[Path, ModelRunner]:
    Journal.create(directory / "plan.jsonl", _head(case)).close()
    return directory / "plan.jsonl", ModelRunner(_plan(case).before.copy())


def _view(case: tuple[str, str], runner: ModelRunner) -> dict[str, Any]:
    return view_of({**runner.observe(), WATCH: watched(command.argv for command in _plan(case).commands)})


def _blocks(runner: ModelRunner) -> dict[int, tuple[str, str | None]]:
    return {number: (block.state, block.zone) for number, block in runner.machine.state.blocks.items()}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[1])
def test_uninterrupted_and_back(case: tuple[str, str], tmp_path: Path) -> None:
    path, runner = _fresh(tmp_path, case)
    before = _blocks(runner)
    outcome = go(path, runner)
    assert outcome is not None
    assert outcome.result == "done", outcome
    assert runner.machine == _plan(case).after
    outcome = go(path, runner, undo=True)
    assert outcome is not None
    assert (outcome.result, outcome.left, outcome.lost) == ("undone", (), ())
    assert _blocks(runner) == before


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[1])
@pytest.mark.parametrize("way", ["on", "back"])
def test_killed_at_every_step_and_point(case: tuple[str, str], way: str, tmp_path: Path) -> None:
    plan = _plan(case)
    before = _blocks(ModelRunner(plan.before.copy()))
    for step in range(1, len(plan.commands) + 1):
        for point in POINTS:
            directory = tmp_path / f"{step} {point}"
            directory.mkdir()
            path, runner = _fresh(directory, case)
            assert go(path, runner, step, point) is None or point == "half"
            outcome = go(path, runner, repair=True) if way == "on" else go(path, runner, undo=True)
            assert outcome is not None
            assert outcome.result == ("done" if way == "on" else "undone"), (step, point, outcome)
            if way == "back":
                assert (outcome.left, outcome.lost) == ((), ())
                assert _blocks(runner) == before
            elif point != "half":
                assert runner.machine == plan.after


class _HalfWay(Killer):
    """Kills a chmem after so many blocks."""

    blocks = 1

    def run(self, argv: tuple[str, ...]) -> tuple[int, str]:
        if argv[0] == "chmem" and self.step is not None and self.journal_step == self.step:
            first = argv[-1].partition("-")[0]
            for number in range(int(first), int(first) + self.blocks):
                assert self.inner.run((*argv[:-1], str(number)))[0] == 0
            raise Killed
        return self.inner.run(argv)


def _kill_half_way(path: Path, runner: ModelRunner, step: int, blocks: int) -> None:
    with Journal.open(path) as journal:
        killer = _HalfWay(runner, step)
        killer.blocks = blocks
        applier = Applier(journal, killer, tell=lambda number, argv: setattr(killer, "journal_step", number))
        with pytest.raises(Killed):
            applier.run()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[1])
def test_killed_between_two_blocks(case: tuple[str, str], tmp_path: Path) -> None:
    plan = _plan(case)
    begin = _blocks(ModelRunner(plan.before.copy()))
    many = 0
    for step, command in enumerate(plan.commands, 1):
        first, _, last = command.argv[-1].partition("-")
        for blocks in range(1, int(last) - int(first) + 1) if command.argv[0] == "chmem" and last else ():
            for way in ("on", "back"):
                many += 1
                directory = tmp_path / f"{step} {blocks} {way}"
                directory.mkdir()
                path, runner = _fresh(directory, case)
                _kill_half_way(path, runner, step, blocks)
                seen = runner.machine.snapshot()
                told = go(path, runner)
                assert told is not None
                assert (told.result, told.step, told.exit_status) == ("half", step, 14)
                assert any(line.startswith("memory") and "finished: memory " in line for line in told.found), told.found
                assert runner.machine.snapshot() == seen, "unasked, nothing is run"
                outcome = go(path, runner, repair=True) if way == "on" else go(path, runner, undo=True)
                assert outcome is not None
                assert outcome.result == ("done" if way == "on" else "undone")
                assert _blocks(runner) == (begin if way == "back" else _blocks(ModelRunner(plan.after.copy())))
    assert many or all("-" not in command.argv[-1] for command in plan.commands if command.argv[0] == "chmem")


CASE = CASES[0]


def test_memory_that_somebody_else_changed_is_found_before_the_first_command(tmp_path: Path) -> None:
    path, runner = _fresh(tmp_path, CASE)
    assert runner.run(("chmem", "-e", "-b", "34"))[0] == 0
    before = runner.machine.snapshot()
    outcome = go(path, runner)
    assert outcome is not None
    assert (outcome.result, outcome.exit_status) == ("changed", 15)
    assert outcome.found == (
        "memory32-memory35: memory is 32-33 offline, 34 online in Movable, 35 offline, not offline",
    )
    assert runner.machine.snapshot() == before


def test_memory_of_no_command_is_nobody_s_business(tmp_path: Path) -> None:
    case = (RAM, "online memory32-memory33 movable, online 256M, offline memory33")
    path, runner = _fresh(tmp_path, case)
    assert runner.run(("chmem", "-e", "-b", "50"))[0] == 0
    outcome = go(path, runner)
    assert outcome is not None
    assert outcome.result == "done"


def test_a_block_in_another_zone_than_planned_stops_it(tmp_path: Path) -> None:
    path, runner = _fresh(tmp_path, CASE)

    class Other(ModelRunner):
        def run(self, argv: tuple[str, ...]) -> tuple[int, str]:
            return super().run(("chmem", "-e", "-z", "Normal", *argv[2:]) if argv[:2] == ("chmem", "-e") else argv)

    outcome = go(path, Other(runner.machine))
    assert outcome is not None
    assert (outcome.result, outcome.step, outcome.exit_code, outcome.done) == ("failed", 1, 0, 0)
    assert outcome.found == ("memory32-memory35: memory is online in Normal, not online in Movable",)


def test_what_the_kernel_refuses_stops_it_with_the_words_explained(tmp_path: Path) -> None:
    case = (OLD, "offline memory32-memory33")
    path, runner = _fresh(tmp_path, case)
    said = "chmem: Memory Block 33 (0x0000000108000000-0x000000010fffffff) disable failed: Device or resource busy\n"

    class Pinned(ModelRunner):
        def run(self, argv: tuple[str, ...]) -> tuple[int, str]:
            super().run((*argv[:-1], "32"))
            return 64, said

    outcome = go(path, Pinned(runner.machine))
    assert outcome is not None
    assert (outcome.result, outcome.exit_code, outcome.exit_status) == ("failed", 64, 14)
    assert any("chmem" in line or "memory block" in line for line in outcome.explanations), outcome.explanations
    outcome = go(path, runner, undo=True)
    assert outcome is not None
    assert outcome.result == "undone"
    assert _view(case, runner) == _head(case)["start"]


def test_memory_that_changed_since_is_not_taken_back(tmp_path: Path) -> None:
    path, runner = _fresh(tmp_path, CASE)
    assert go(path, runner) is not None
    for argv in (("chmem", "-d", "-b", "34"), ("chmem", "-e", "-z", "Normal", "-b", "34")):
        assert runner.run(argv)[0] == 0
    before = runner.machine.snapshot()
    outcome = go(path, runner, undo=True)
    assert outcome is not None
    assert outcome.result == "failed"
    assert "is no longer what this plan made of it" in outcome.found[0]
    view = _view(CASE, runner)
    assert view["memory48-memory51"] == {"memory": "offline"}, "what came later is back"
    assert view["memory32-memory35"]["memory"] == "32-33 online in Movable, 34 online in Normal, 35 online in Movable"
    assert runner.machine.snapshot() != before


def test_a_plan_of_chmem_is_adopted_only_where_its_blocks_are_as_they_were() -> None:
    head = dict(_head(CASE))
    runner = ModelRunner(_plan(CASE).before.copy())
    assert adopt(head, runner.observe()) == []
    assert runner.run(("chmem", "-e", "-b", "32"))[0] == 0
    assert adopt(head, runner.observe()) == [
        "memory32-memory35: memory is 32 online in Movable, 33-35 offline, not offline"
    ]


def test_commands_are_cut_into_runs_that_each_is_about() -> None:
    argvs = [
        ("chmem", "-e", "-b", "32-39"),
        ("chmem", "-d", "-b", "35"),
        ("ndctl", "list"),
        ("chmem", "-e", "-z", "Movable", "-b", "50"),
    ]
    assert watched(argvs) == [(32, 35), (35, 36), (36, 40), (50, 51)]


def test_a_journal_of_a_plan_with_chmem_is_read_again(tmp_path: Path) -> None:
    path, runner = _fresh(tmp_path, CASE)
    with Journal.open(path) as journal:
        assert journal.watched == [(32, 36), (48, 52)]
        lists = {**runner.observe(), WATCH: journal.watched}
        assert standing(journal, lists).kind == "ready"


def test_a_host_without_chmem_is_told_of_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(SparsememError, match="chmem is not installed") as caught:
        HostRunner.need([("chmem", "-e", "-b", "32")])
    assert "util-linux" in (caught.value.remedy or "")


def test_what_is_observed_of_blocks() -> None:
    """Three kinds: online in a zone, in several, offline; and a machine without the files."""
    text = (
        "memory0/state:online\nmemory32/state:online\nmemory33/state:offline\nmemory0/valid_zones:none\nmemory32/valid_zones:Movable\n"
        "memory33/valid_zones:Normal Movable\n"
    )
    lists = read_lists(lambda argv: text if "grep" in argv[-1] else "")
    assert lists["memory"] == {0: "online in none", 32: "online in Movable", 33: "offline"}
    assert view_of({**lists, WATCH: [(32, 34), (40, 41)]}) == {
        "memory32-memory33": {"memory": "32 online in Movable, 33 offline"},
        "memory40": {"memory": "missing"},
    }
    assert read_lists(lambda argv: "")["memory"] == {}
