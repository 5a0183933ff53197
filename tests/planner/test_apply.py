"""Plans carried out on the model: killed anywhere, gone on with, taken back. What comes of it is what an uninterrupted run makes, and what
was there before."""

from __future__ import annotations

import functools
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sparsemem.errors import UsageError
from sparsemem.planner import Plan, make_plan, parse_intent
from sparsemem.planner.apply import Applier, Journal, ModelRunner, head_of, standing
from sparsemem.planner.apply.view import uuids_of, view_of
from tests.planner.killing import POINTS, go
from tests.planner.machines import GIB, free_bytes, machine

if TYPE_CHECKING:
    from sparsemem.machine.machine import Machine

INTENTS = (
    "fsdax 96M name=db, devdax 192M, system-ram 256M",
    "sector 96M, raw 64M",
    "2 x fsdax 128M, system-ram 256M no-movable",
    "rest devdax",
)
BOARDS: dict[str, dict[str, Any]] = {
    "labels": {"options": "auto_online=online"},
    "none": {"labels": ""},
    "blank": {"labels": "blank"},
}


def _used(name: str) -> Machine:
    """A board with something on it: label-less ones have their namespace, the other one gets two."""
    board = machine("6.1", 1 * GIB, **BOARDS[name])
    if name == "labels":
        plan = make_plan(board, parse_intent("fsdax 64M, system-ram 256M"))
        return plan.after.copy()
    return board


@functools.cache
def _plan(name: str, text: str) -> Plan:
    return make_plan(_used(name), parse_intent(text))


@functools.cache
def _head(name: str, text: str) -> dict[str, Any]:
    return head_of(_plan(name, text), "model")


CASES = [("labels", text) for text in INTENTS] + [
    ("labels", "replace all, fsdax rest"),
    ("labels", "replace namespace0.0, fsdax 64M, sector 64M"),
    ("labels", "replace all, system-ram rest"),
    ("none", "replace all, fsdax rest"),
    ("none", "replace all"),
    ("none", "replace all, raw rest"),
    ("none", "replace all, system-ram rest"),
    ("blank", "replace all, 2 x fsdax 128M"),
]


def _fresh(directory: Path, case: tuple[str, str]) -> tuple[Path, ModelRunner]:
    plan = _plan(*case)
    assert plan.commands, plan.impossible
    Journal.create(directory / "plan.jsonl", _head(*case)).close()
    return directory / "plan.jsonl", ModelRunner(plan.before.copy())


def _words(command: str) -> tuple[str, ...]:
    return tuple(command.split())


def _result(outcome: Any) -> str | None:
    return None if outcome is None else outcome.result


def _taken_back(case: tuple[str, str], runner: ModelRunner, outcome: Any) -> None:
    """It is as before the plan, but for what the intent let go of."""
    plan = _plan(*case)
    start, now = view_of(ModelRunner(plan.before.copy()).observe()), view_of(runner.observe())
    destroyed = {name for command in plan.commands for name in command.destroys}
    if plan.intent.replace or "no-movable" in case[1]:
        for name, shown in start.items():
            if not name.startswith("region") and now.get(name) != shown:
                assert outcome.lost, (name, shown, now.get(name))
    else:
        assert not destroyed
        assert (now, outcome.left, outcome.lost) == (start, (), ())
        assert free_bytes(runner.machine) == free_bytes(plan.before)
    kept = uuids_of(ModelRunner(plan.before.copy()).observe())
    for name, uuid in kept.items():
        if name not in destroyed:
            assert uuids_of(runner.observe())[name] == uuid, "what was not named is as it was"


@pytest.mark.parametrize("case", CASES, ids=lambda case: " ".join(case))
def test_uninterrupted(case: tuple[str, str], tmp_path: Path) -> None:
    path, runner = _fresh(tmp_path, case)
    outcome = go(path, runner)
    assert _result(outcome) == "done"
    assert runner.machine == _plan(*case).after
    assert _result(go(path, runner)) == "done", "nothing is left to do, and nothing is done"
    assert runner.machine == _plan(*case).after
    outcome = go(path, runner, undo=True)
    assert _result(outcome) == "undone"
    _taken_back(case, runner, outcome)


@pytest.mark.parametrize("case", CASES, ids=lambda case: " ".join(case))
def test_killed_at_every_step_and_point(case: tuple[str, str], tmp_path: Path) -> None:
    plan = _plan(*case)
    for step in range(1, len(plan.commands) + 1):
        for point in POINTS:
            for way in ("on", "back"):
                directory = tmp_path / f"{step} {point} {way}"
                directory.mkdir()
                path, runner = _fresh(directory, case)
                assert go(path, runner, step, point) is None or point == "half", (step, point)
                if way == "on":
                    outcome = go(path, runner, repair=True)
                    assert _result(outcome) == "done", (step, point, outcome)
                    if point != "half" and plan.commands[step - 1].argv[1] != "init-labels":
                        assert runner.machine == plan.after
                    with Journal.open(path) as journal:
                        names = journal.names
                        assert not names or point == "half"
                        shown = view_of(runner.observe())
                        assert {names.get(name, name) for name in journal.views[-1]} == set(shown)
                        sizes = {names.get(n, n): s.get("size") for n, s in journal.views[-1].items()}
                        assert sizes == {n: s.get("size") for n, s in shown.items()}
                else:
                    outcome = go(path, runner, undo=True)
                    assert _result(outcome) == "undone", (step, point, outcome)
                    _taken_back(case, runner, outcome)


_KILLS = st.lists(st.tuples(st.integers(1, 6), st.sampled_from(POINTS)), max_size=5)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(CASES), _KILLS, _KILLS, st.booleans())
def test_killed_again_and_again(
    case: tuple[str, str], forward: list[tuple[int, str]], back: list[tuple[int, str]], finish: bool
) -> None:
    """Kills of runs that go on after kills, then of runs that go back."""
    with tempfile.TemporaryDirectory() as directory:
        path, runner = _fresh(Path(directory), case)
        for step, point in forward:
            assert _result(go(path, runner, step, point, repair=True)) in (None, "done")
        if finish:
            assert _result(go(path, runner, repair=True)) == "done"
        for step, point in back:
            assert _result(go(path, runner, step, point, undo=True)) in (None, "undone")
        outcome = go(path, runner, undo=True)
        assert _result(outcome) == "undone", outcome
        _taken_back(case, runner, outcome)


# -- what is not as it should be

CASE = ("labels", "fsdax 96M, sector 64M, devdax 64M")


def test_a_half_made_namespace_is_named_and_not_touched_unasked(tmp_path: Path) -> None:
    path, runner = _fresh(tmp_path, CASE)
    assert go(path, runner, 2, "half") is None
    before = runner.machine.snapshot()
    outcome = go(path, runner)
    assert outcome is not None
    assert (outcome.result, outcome.step, outcome.exit_status) == ("half", 2, 14)
    assert "namespace0.3: mode raw, size 67108864" in outcome.found[0]
    assert [why for why, _ in outcome.next] == ["take back the half-made and try again", "take back everything"]
    assert runner.machine.snapshot() == before


def test_another_namespace_since_is_found_before_the_first_command(tmp_path: Path) -> None:
    path, runner = _fresh(tmp_path, CASE)
    assert runner.run(("ndctl", "create-namespace", "-r", "region0", "-s", "16M"))[0] == 0
    before = runner.machine.snapshot()
    outcome = go(path, runner)
    assert outcome is not None
    assert (outcome.result, outcome.exit_status, outcome.next) == ("changed", 15, ())
    assert "namespace0.2 is there: mode fsdax" in outcome.found[0]
    assert runner.machine.snapshot() == before


def test_a_command_that_is_refused_stops_it(tmp_path: Path) -> None:
    path, runner = _fresh(tmp_path, CASE)

    class Refusing(ModelRunner):
        def run(self, argv: tuple[str, ...]) -> tuple[int, str]:
            if "sector" in argv:
                self._log = ("nd_pmem pfn0.1: Conflicting mapping in same section",)
                return (
                    1,
                    "libndctl: ndctl_pfn_enable: pfn0.1: failed to enable\nfailed to create namespace: No such device or address\n",
                )
            return super().run(argv)

    refusing = Refusing(runner.machine)
    outcome = go(path, refusing)
    assert outcome is not None
    assert (outcome.result, outcome.step, outcome.done, outcome.exit_code) == ("failed", 2, 1, 1)
    assert any("Conflicting mapping" in line for line in outcome.log)
    assert any("section" in line for line in outcome.explanations)
    text = outcome.text(60)
    assert "command 2 answered otherwise, exit code 1: 1 of 3" in " ".join(text.split())
    assert f"sparsemem plan --resume {path}" in text
    assert f"sparsemem plan --undo {path}" in text
    assert _result(go(path, runner)) == "done", "it works now"


def test_a_command_that_does_something_else_stops_it(tmp_path: Path) -> None:
    path, runner = _fresh(tmp_path, CASE)

    class Other(ModelRunner):
        def run(self, argv: tuple[str, ...]) -> tuple[int, str]:
            return super().run(tuple("128M" if word == "96M" else word for word in argv))

    outcome = go(path, Other(runner.machine))
    assert outcome is not None
    assert (outcome.result, outcome.exit_code, outcome.done) == ("failed", 0, 0)
    assert outcome.found == ("namespace0.2: size is 130023424, not 98566144",)
    assert _result(go(path, runner, undo=True)) == "undone"
    assert view_of(runner.observe()) == _head(*CASE)["start"]


def test_a_namespace_of_somebody_else_is_not_destroyed(tmp_path: Path) -> None:
    path, runner = _fresh(tmp_path, CASE)
    assert _result(go(path, runner)) == "done"
    for command in (
        "ndctl destroy-namespace -f namespace0.4",
        "ndctl create-namespace -r region0 -m devdax -s 64M",
    ):
        assert runner.run(_words(command))[0] == 0
    name = "namespace0.5"
    renamed = runner.observe()
    assert name in uuids_of(renamed)
    with Journal.open(path) as journal:
        journal.write("named", names={"namespace0.4": name, "dax0.4": "dax0.5"})  # as if it had the name of ours
    before = runner.machine.snapshot()
    outcome = go(path, runner, undo=True)
    assert outcome is not None
    assert (outcome.result, outcome.exit_status, outcome.done) == ("changed", 15, 0)
    assert "namespace0.5 is another namespace now: its uuid is" in outcome.found[0]
    assert "Nothing was run" in outcome.text()
    assert runner.machine.snapshot() == before


def test_what_was_made_anew_since_is_not_destroyed(tmp_path: Path) -> None:
    path, runner = _fresh(tmp_path, CASE)
    assert _result(go(path, runner)) == "done"
    assert runner.run(_words("ndctl create-namespace -f -e namespace0.4 -m fsdax"))[0] == 0
    before = runner.machine.snapshot()
    outcome = go(path, runner, undo=True)
    assert outcome is not None
    assert outcome.result == "changed"
    assert "namespace0.4 is another namespace now" in outcome.found[0]
    assert runner.machine.snapshot() == before


def test_a_namespace_that_an_interrupted_command_can_not_have_left(tmp_path: Path) -> None:
    path, runner = _fresh(tmp_path, CASE)
    assert go(path, runner, 1, "after begin") is None
    assert runner.run(_words("ndctl create-namespace -r region0 -m fsdax -s 112M"))[0] == 0
    before = runner.machine.snapshot()
    outcome = go(path, runner, undo=True)
    assert outcome is not None
    assert "is nothing that the command of this plan can have left" in outcome.found[0]
    assert runner.machine.snapshot() == before


def test_what_is_in_use_stops_going_back(tmp_path: Path) -> None:
    path, runner = _fresh(tmp_path, CASE)
    assert _result(go(path, runner)) == "done"
    for command in ("mkfs.ext4 /dev/pmem0.2", "mount /dev/pmem0.2 /mnt"):
        assert runner.run(_words(command))[0] == 0
    outcome = go(path, runner, undo=True)
    assert outcome is not None
    assert (outcome.result, outcome.step, outcome.done, outcome.total) == ("failed", 1, 2, 3)
    assert "namespace0.2" in view_of(runner.observe())
    assert outcome.next == (("go on going back", ("sparsemem", "plan", "--undo", str(path))),)
    assert runner.run(("umount", "/mnt"))[0] == 0
    assert _result(go(path, runner, undo=True)) == "undone"
    assert view_of(runner.observe()) == _head(*CASE)["start"]


def test_a_signal_stops_between_two_commands(tmp_path: Path) -> None:
    path, runner = _fresh(tmp_path, CASE)
    told: list[int] = []
    with Journal.open(path) as journal:
        applier = Applier(journal, runner, tell=lambda number, argv: told.append(number), stop=lambda: len(told) == 2)
        outcome = applier.run()
    assert (outcome.result, outcome.done, outcome.step) == ("interrupted", 2, 3)
    with Journal.open(path) as journal:
        assert standing(journal, runner.observe()).kind == "ready"
    assert _result(go(path, runner)) == "done"


def test_there_is_no_going_on_after_going_back(tmp_path: Path) -> None:
    path, runner = _fresh(tmp_path, CASE)
    assert go(path, runner, 2, "after run") is None
    assert go(path, runner, 2, "after run", undo=True) is None
    with pytest.raises(UsageError, match="is being taken back"):
        go(path, runner)
    assert _result(go(path, runner, undo=True)) == "undone"
    with pytest.raises(UsageError, match="was taken back"):
        go(path, runner)


def test_many_commands_are_prepared_quickly() -> None:
    plan = make_plan(machine("6.12", *([2 * GIB] * 4)), parse_intent("40 x fsdax 64M"), nearest=False)
    began = time.monotonic()
    assert len(head_of(plan, "model")["steps"]) == 40
    assert time.monotonic() - began < 20, "under load; it is a second or two"
