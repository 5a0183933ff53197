"""Plans that are gone on with after reboots, renames and other people's doings. Nothing is destroyed but what the intent named and what the
plan made; what is gone on with ends as planned, what is taken back as it was."""

from __future__ import annotations

import functools
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sparsemem.planner import Plan, make_plan, parse_intent
from sparsemem.planner.apply import Journal, ModelRunner, adopt, head_of
from sparsemem.planner.apply.view import uuids_of, view_of
from tests.planner.killing import POINTS, go
from tests.planner.machines import GIB, machine

INTENTS = (
    "fsdax 96M name=db, sector 64M, system-ram 256M",
    "system-ram 256M, raw 32M, devdax 64M",
    "replace namespace0.1, fsdax 64M, fsdax 64M",
)
_NAMES = ("dev", "blockdev", "chardev")


def words(command: str) -> tuple[str, ...]:
    return tuple(command.split())


def run(runner: ModelRunner, command: str) -> str:
    code, said = runner.run(words(command))
    assert code == 0, (command, said)
    return said


@functools.cache
def _plan(text: str) -> Plan:
    """On a board whose namespaces the next boot gives other names: the first one is gone."""
    runner = ModelRunner(machine("6.1", GIB, options="auto_online=online"))
    for command in (
        "ndctl create-namespace -r region0 -m raw -s 32M", "ndctl create-namespace -r region0 -m fsdax -s 96M",
        "ndctl create-namespace -r region0 -m devdax -s 64M", "ndctl destroy-namespace -f namespace0.0",
    ):  # fmt: skip
        run(runner, command)
    return make_plan(runner.machine, parse_intent(text))


@functools.cache
def _head(text: str) -> str:
    return json.dumps(head_of(_plan(text), "model", "boot0"))


def fresh(directory: Path, text: str) -> tuple[Path, ModelRunner]:
    plan = _plan(text)
    assert plan.commands, plan.impossible
    runner = ModelRunner(plan.before.copy())
    head = json.loads(_head(text))
    assert adopt(head, runner.observe()) == []
    Journal.create(directory / "plan.jsonl", head).close()
    return directory / "plan.jsonl", runner


def reboot(runner: ModelRunner) -> None:
    """What is not on the medium goes, and each region is probed anew, as at a boot: names are given again."""
    for name, shown in view_of(runner.observe()).items():
        if shown.get("mode") == "system-ram":
            run(runner, f"daxctl reconfigure-device -m devdax -f {name}")
    run(runner, "ndctl disable-region all")
    run(runner, "ndctl enable-region all")
    assert runner.run(("sh", "-c", "echo online > /sys/devices/system/memory/auto_online_blocks"))[0] == 0


def shape(view: dict[str, dict[str, Any]]) -> list[str]:
    """What is there, whatever its name."""
    return sorted(
        json.dumps({key: value for key, value in shown.items() if key not in _NAMES}, sort_keys=True)
        for shown in view.values()
    )


@pytest.mark.parametrize("text", INTENTS)
def test_rebooted_after_every_step(text: str, tmp_path: Path) -> None:
    plan = _plan(text)
    for step in range(1, len(plan.commands) + 1):
        for point in ("after begin", "half", "after run", "after done"):
            for way in ("on", "back"):
                directory = tmp_path / f"{step} {point} {way}"
                directory.mkdir()
                path, runner = fresh(directory, text)
                killed = go(path, runner, step, point, boot="boot0") is None
                assert killed or point == "half"
                reboot(runner)
                outcome = go(
                    path, runner, boot="boot1", undo=way == "back", **({"repair": True} if way == "on" else {})
                )
                assert outcome is not None
                assert outcome.result == ("done" if way == "on" else "undone"), (step, point, outcome)
                with Journal.open(path) as journal:
                    assert journal.boot == "boot1"
                    if way == "on":
                        assert shape(view_of(runner.observe())) == shape(journal.views[-1]), (step, point)
                    elif "replace" not in text:
                        assert (outcome.left, outcome.lost) == ((), ()), (step, point)
                        assert shape(view_of(runner.observe())) == shape(journal.views[0])


def test_what_a_reboot_undid_is_done_again(tmp_path: Path) -> None:
    path, runner = fresh(tmp_path, INTENTS[0])
    done = go(path, runner, boot="boot0")
    assert done is not None
    assert done.result == "done"
    reboot(runner)
    assert "system-ram" not in str(view_of(runner.observe()))
    with Journal.open(path) as journal:
        steps = len(journal.steps)
    again = go(path, runner, boot="boot1")
    assert again is not None
    assert again.result == "done"
    with Journal.open(path) as journal:
        gone = next(each["gone"] for each in journal.events if each["event"] == "boot")
        told = [" ".join(journal.steps[n - 1].argv) for n in gone]
        assert any("system-ram" in text for text in told)
        assert all("system-ram" in text or "auto_online" in text for text in told), told
        assert sum(each["event"] == "begin" for each in journal.events) == steps + len(gone)
        assert shape(view_of(runner.observe())) == shape(journal.views[-1])


def test_memory_that_a_reboot_brought_back_goes_again(tmp_path: Path) -> None:
    path, runner = fresh(tmp_path, "system-ram 512M, offline 128M")
    for boot in ("boot0", "boot1"):
        done = go(path, runner, boot=boot)
        assert done is not None
        assert done.result == "done"
        memory = {name: shown for name, shown in view_of(runner.observe()).items() if shown.get("mode") == "system-ram"}
        (shown,) = memory.values()
        assert shown["online_memblocks"] == shown["total_memblocks"] - 1
        reboot(runner)
    with Journal.open(path) as journal:
        gone = next(each["gone"] for each in journal.events if each["event"] == "boot")
        assert journal.steps[gone[-1] - 1].argv[0] == "chmem"


def test_names_that_were_exchanged_are_told_apart(tmp_path: Path) -> None:
    """Without uuids the two would be one another's: the same mode and size, under the other's name."""
    path, runner = fresh(tmp_path, INTENTS[2])
    assert go(path, runner, 2, "after done", boot="boot0") is None
    theirs = uuids_of(runner.observe())["namespace0.2"]
    reboot(runner)
    names = {uuid: name for name, uuid in uuids_of(runner.observe()).items()}
    assert names[theirs] != "namespace0.2"
    outcome = go(path, runner, undo=True, boot="boot1")
    assert outcome is not None
    assert outcome.result == "undone"
    assert theirs in uuids_of(runner.observe()).values()


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("align", "2097152", "region0: its align is 16777216, not 2097152"),
        ("mappings", "2", "region0: its number of DIMMs is 1, not 2"),
        ("iset_id", "7", "region0: its interleave set is"),
        ("persistence_domain", "cpu_cache", "region0: its persistence domain is unknown, not cpu_cache"),
        ("nstype", "4", "region0 is with labels now; it was without labels"),
        ("resource", "0x140000000", "region0: its address is 0x100000000, not 0x140000000"),
    ],
)
def test_a_region_that_changed_stops_it(key: str, value: str, words: str, tmp_path: Path) -> None:
    path, runner = fresh(tmp_path, INTENTS[0])
    assert go(path, runner, 1, "after done", boot="boot0") is None
    lines = path.read_text().splitlines()
    head = json.loads(lines[0])
    assert key in head["facts"]["region0"], "the model tells it, too"
    head["facts"]["region0"][key] = value
    path.write_text("\n".join([json.dumps(head), *lines[1:], ""]))
    before = runner.machine.snapshot()
    outcome = go(path, runner, boot="boot0")
    assert outcome is not None
    assert (outcome.result, outcome.exit_status) == ("changed", 15)
    assert words in outcome.found[0]
    assert runner.machine.snapshot() == before
    back = go(path, runner, undo=True, boot="boot0")
    assert back is not None
    assert back.result == "undone", "what the plan made is still known by its uuid"


def test_another_region_under_the_same_name(tmp_path: Path) -> None:
    path, runner = fresh(tmp_path, INTENTS[0])
    lines = path.read_text().splitlines()
    head = json.loads(lines[0])
    head["ids"]["region0"] = {"start": "0x900000000", "uuid": "99"}
    path.write_text("\n".join([json.dumps(head), *lines[1:], ""]))
    outcome = go(path, runner)
    assert outcome is not None
    assert outcome.result == "changed"
    assert "region0 is another region now: its interleave set is" in outcome.found[0]


def test_before_the_first_command_regions_and_addresses_count() -> None:
    lists = ModelRunner(_plan(INTENTS[0]).before.copy()).observe()
    for key, value, told in (
        ("facts", {"region0": {"align": "2097152"}}, "region0: its align is 16777216, not 2097152"),
        ("facts", {"region0": {"mappings": "6"}}, "region0: its number of DIMMs is 1, not 6"),
        ("ids", {"namespace0.1": {"start": "0x100000000"}}, "namespace0.1 begins at 0x102000000, not 0x100000000"),
    ):
        head = json.loads(_head(INTENTS[0]))
        head[key] = value
        assert adopt(head, lists) == [told]
    head = json.loads(_head(INTENTS[0]))
    head["facts"]["region0"]["iset_id"] = "7"
    assert adopt(head, lists) == [], "the model of a machine that was read knows no interleave set"


class Meddled(RuleBasedStateMachine):
    """Kills, reboots and other people, in any order."""

    @initialize(text=st.sampled_from(INTENTS))
    def begin(self, text: str) -> None:
        self.directory = Path(tempfile.mkdtemp())
        self.text, self.boots, self.spoiled, self.back = text, 0, False, False
        self.path, self.runner = fresh(self.directory, text)
        self.theirs: dict[str, str] = {}
        plan = _plan(text)
        destroyed = {name for command in plan.commands for name in command.destroys}
        self.kept = {uuid for name, uuid in uuids_of(self.runner.observe()).items() if name not in destroyed}

    def teardown(self) -> None:
        if not hasattr(self, "path"):
            return
        try:
            self._finish()
        finally:
            shutil.rmtree(self.directory)

    def _go(self, *words: Any, **more: Any) -> str | None:
        outcome = go(self.path, self.runner, *words, boot=f"boot{self.boots}", **more)
        return None if outcome is None else outcome.result

    def _finish(self) -> None:
        for uuid in list(self.theirs):
            self._leave(uuid)
        if self.spoiled:
            before = self.runner.machine.snapshot()
            assert self._go(undo=True) == "changed"
            assert self.runner.machine.snapshot() == before
        elif self.back:
            self._ends_as("undone", 0, undo=True)
        else:
            self._ends_as("done", -1, repair=True)
            self._ends_as("undone", 0, undo=True)

    def _ends_as(self, result: str, at: int, **more: Any) -> None:
        assert self._go(**more) == result
        with Journal.open(self.path) as journal:
            if at == -1 or "replace" not in self.text:
                assert shape(view_of(self.runner.observe())) == shape(journal.views[at])

    def _leave(self, uuid: str) -> None:
        names = {each: name for name, each in uuids_of(self.runner.observe()).items()}
        run(self.runner, f"ndctl destroy-namespace -f {names[uuid]}")
        del self.theirs[uuid]

    @precondition(lambda self: not self.back)
    @rule(step=st.integers(1, 6), point=st.sampled_from(POINTS))
    def go_on(self, step: int, point: str) -> None:
        before = self.runner.machine.snapshot()
        result = self._go(step, point, repair=True)
        if self.theirs or self.spoiled:
            # done: the journal had ended, and what others make later is theirs
            assert result in ("changed", "done"), result
            assert self.runner.machine.snapshot() == before
        else:
            assert result in (None, "done"), result

    @precondition(lambda self: not self.spoiled)
    @rule(step=st.integers(1, 6), point=st.sampled_from(POINTS))
    def go_back(self, step: int, point: str) -> None:
        result = self._go(step, point, undo=True)
        assert result in ((None, "undone", "failed", "changed") if self.theirs else (None, "undone")), result
        self.back = self.back or result != "changed"

    @rule()
    def boot(self) -> None:
        self.boots += 1
        reboot(self.runner)

    @precondition(lambda self: not self.theirs and not self.spoiled)
    @rule()
    def somebody_makes_one(self) -> None:
        said = json.loads(run(self.runner, "ndctl create-namespace -r region0 -m raw -s 16M"))
        self.theirs[said["uuid"]] = said["dev"]

    @precondition(lambda self: self.theirs)
    @rule()
    def and_takes_it_away(self) -> None:
        for uuid in list(self.theirs):
            self._leave(uuid)

    @precondition(lambda self: not self.back and not self.spoiled)
    @rule()
    def somebody_replaces_ours(self) -> None:
        """The same mode and size under the same name: only the uuid tells."""
        with Journal.open(self.path) as journal:
            made = [
                (step, journal.names.get(name, name), uuid) for n, step in enumerate(journal.steps, 1)
                if journal.status(n) == "done" for name, uuid in (journal.made(n) or {}).items() if "fsdax" in step.argv
            ]  # fmt: skip
        there = uuids_of(self.runner.observe())
        for step, name, uuid in made:
            if there.get(name) == uuid:
                run(self.runner, f"ndctl create-namespace -f -e {name} -m fsdax")
                self.kept.add(uuids_of(self.runner.observe())[name])
                self.spoiled = True
                assert step.undo
                return

    @invariant()
    def nobody_elses_are_gone(self) -> None:
        if hasattr(self, "path"):
            there = set(uuids_of(self.runner.observe()).values())
            assert self.kept <= there
            assert set(self.theirs) <= there


TestMeddled = Meddled.TestCase
TestMeddled.settings = settings(
    max_examples=40, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
)


def test_what_got_the_name_of_what_was_taken_back_is_not_destroyed(tmp_path: Path) -> None:
    """We took ours back and were killed before we could write so; then somebody else's got its name."""
    path, runner = fresh(tmp_path, "fsdax 64M")
    done = go(path, runner)
    assert done is not None
    assert done.result == "done"
    assert go(path, runner, 1, "after run", undo=True) is None
    with Journal.open(path) as journal:
        (ours,) = journal.made(1) or {}
    said: dict[str, Any] = {}
    for _ in range(4):  # the kernel gives free numbers in its own order
        said = json.loads(run(runner, "ndctl create-namespace -r region0 -m raw -s 16M"))
        if said["dev"] == ours:
            break
    assert said["dev"] == ours
    before = runner.machine.snapshot()
    outcome = go(path, runner, undo=True)
    assert outcome is not None
    assert outcome.result == "undone"
    assert f"{ours} is there: mode raw, size 16777216" in outcome.left[0]
    assert runner.machine.snapshot() == before
