"""A plan carried out in a real guest: killed at every step, gone on with, taken back. The model does the same beside it, and both show the
same after every command."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from sparsemem.errors import SparsememError
from sparsemem.lab.bench import open_bench
from sparsemem.lab.qemu import BINARY
from sparsemem.planner import make_plan, parse_intent, shell_text
from sparsemem.planner.apply import Journal, ModelRunner, head_of, standing
from sparsemem.planner.apply.runners import LISTS, read_lists
from sparsemem.planner.apply.view import WATCH, view_of
from sparsemem.play import parse_scenario
from sparsemem.play.setup import set_up
from tests.lab.test_real import KERNEL, _missing
from tests.planner.killing import Killed, go

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sparsemem.lab.guest import Guest
    from sparsemem.planner.apply import Outcome

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(os.environ.get("SPARSEMEM_LAB_APPLY") != "1", reason="a minute and more: make lab"),
]

SCENARIO = 'steps = []\n[machine]\nmemory = "512M"\npmem = [{ size = "512M", labels = true }]'
INTENT = "fsdax 64M name=db, sector 32M, system-ram 256M"


def look(guest: Guest) -> dict[str, Any]:
    """What the guest's own tools print, asked for at once: a question takes its time in there."""
    asked = "; echo @@; ".join(shell_text(argv) for argv in LISTS.values())
    answers = dict(zip(LISTS.values(), guest.run(f"{{ {asked}; }} 2>/dev/null | cat").stdout.split("@@"), strict=True))
    return read_lists(answers.__getitem__)


class Both:
    """The guest, and the model beside it."""

    name = "lab"

    def __init__(self, guest: Guest, model: ModelRunner) -> None:
        self.guest = guest
        self.model = model

    def run(self, argv: tuple[str, ...]) -> tuple[int, str]:
        answer = self.guest.run(shell_text(argv))
        modelled, _ = self.model.run(argv)
        assert answer.exit_code == modelled, (argv, answer)
        return answer.exit_code, answer.stdout

    def observe(self) -> dict[str, Any]:
        lists = look(self.guest)
        assert view_of(lists) == view_of(self.model.observe())
        return lists

    def log(self) -> tuple[str, ...]:
        return ()


def seated(kernel: str, text: str) -> Iterator[Both]:
    """The scenario's machine in a guest, and on the model."""
    if shutil.which(BINARY) is None:
        _missing(f"no {BINARY}; apt-get install --no-install-recommends qemu-system-x86 seabios")
    scenario = parse_scenario(text)
    try:
        bench = open_bench(kernel, sections=False)
    except SparsememError as error:
        _missing(str(error))
        raise
    with bench:
        guest = bench.sit(scenario.machine).guest
        machine, _ = set_up(scenario, bench.image.version)
        yield Both(guest, ModelRunner(machine))


@pytest.fixture(scope="module")
def both() -> Iterator[Both]:
    yield from seated(KERNEL, SCENARIO)


def start(both: Both, path: Path, intent: str) -> Journal:
    plan = make_plan(both.model.machine, parse_intent(intent))
    assert not plan.impossible
    Journal.create(path, head_of(plan, "lab")).close()
    with Journal.open(path) as journal:
        assert journal.views[0] == _view(both, journal), "the machine that was planned for"
        return journal


def _view(both: Both, journal: Journal) -> dict[str, Any]:
    """What both show, the memory blocks of the plan among it."""
    lists = {**both.observe(), WATCH: journal.watched}
    modelled = view_of({**both.model.observe(), WATCH: journal.watched})
    assert view_of(lists) == modelled
    return modelled


def result_of(outcome: Outcome | None) -> str | None:
    return None if outcome is None else outcome.result


def test_killed_at_every_step_and_gone_on_with(both: Both, tmp_path: Path) -> None:
    path = tmp_path / "plan.jsonl"
    planned = start(both, path, INTENT)
    ends = ("after run", "before done", "torn done", "after done")
    assert len(planned.steps) == len(ends)
    for step, end in enumerate(ends, 1):
        for point in ("before begin", "torn begin", "after begin", end):
            assert go(path, both, step, point) is None, (step, point)
    assert result_of(go(path, both)) == "done"
    assert view_of(both.observe()) == planned.views[-1]
    assert result_of(go(path, both, undo=True)) == "undone"
    assert view_of(both.observe()) == planned.views[0]


def test_killed_at_every_step_and_taken_back(both: Both, tmp_path: Path) -> None:
    for step in (1, 4):
        path = tmp_path / f"{step}.jsonl"
        planned = start(both, path, INTENT)
        assert go(path, both, step, "after run") is None
        for back in range(step, 0, -1):
            point = ("after begin", "after run", "torn done")[(step + back) % 3]
            assert go(path, both, back, point, undo=True) is None, (step, back, point)
        outcome = go(path, both, undo=True)
        assert outcome is not None
        assert (outcome.result, outcome.left, outcome.lost) == ("undone", (), ())
        assert view_of(both.observe()) == planned.views[0]


def test_memory_blocks(both: Both, tmp_path: Path) -> None:
    """The real chmem, killed around every step, and once between two blocks."""
    path = tmp_path / "plan.jsonl"
    planned = start(both, path, "system-ram 512M, offline dax0.0, online memory34-memory35 movable")
    assert [step.argv[0] for step in planned.steps if step.argv[0] == "chmem"] == ["chmem"] * 2
    last = len(planned.steps)
    for step, end in ((last - 1, "after run"), (last, "torn done")):
        for point in ("torn begin", "after begin", end):
            assert go(path, both, step, point) is None, (step, point)
    assert result_of(go(path, both)) == "done"
    assert _view(both, planned) == planned.views[-1]
    for step in (last, last - 1):
        assert go(path, both, step, "after run", undo=True) is None
    assert result_of(go(path, both, undo=True)) == "undone"
    assert _view(both, planned) == planned.views[0]


def test_memory_blocks_half_way(both: Both, tmp_path: Path) -> None:
    path = tmp_path / "plan.jsonl"
    planned = start(both, path, "system-ram 512M, offline dax0.0")
    assert go(path, both, len(planned.steps), "before begin") is None
    argv = planned.steps[-1].argv
    first = argv[-1].partition("-")[0]
    assert go(path, both, len(planned.steps), "after begin") is None
    assert both.run((*argv[:-1], first))[0] == 0
    told = go(path, both)
    assert told is not None
    assert (told.result, told.step) == ("half", len(planned.steps))
    assert f"{first} offline" in told.found[0] or f"memory {first} offline" in " ".join(told.found)
    assert result_of(go(path, both, repair=True)) == "done"
    assert _view(both, planned) == planned.views[-1]
    assert result_of(go(path, both, undo=True)) == "undone"
    assert _view(both, planned) == planned.views[0]


def test_half_made(both: Both, tmp_path: Path) -> None:
    path = tmp_path / "plan.jsonl"
    planned = start(both, path, "fsdax 64M, sector 32M")
    assert go(path, both, 2, "half") is None
    told = go(path, both)
    assert told is not None
    assert (told.result, told.step) == ("half", 2)
    assert "mode raw, size 33554432" in told.found[0]
    assert result_of(go(path, both, repair=True)) == "done"
    assert result_of(go(path, both, undo=True)) == "undone"
    assert view_of(both.observe()) == planned.views[0]


class _Murderer(Both):
    """Kills the tool itself, SIGKILL, after so many microseconds."""

    delay = 0

    def run(self, argv: tuple[str, ...]) -> tuple[int, str]:
        text = shell_text(argv)
        if self.delay:
            self.guest.run(f"{text} > /dev/null 2>&1 & p=$!; usleep {self.delay}; kill -9 $p; wait $p")
            raise Killed
        answer = self.guest.run(text)
        return answer.exit_code, answer.stdout

    def observe(self) -> dict[str, Any]:
        return look(self.guest)


def test_ndctl_itself_is_killed(both: Both, tmp_path: Path) -> None:
    """Wherever it dies, the machine tells what to do, and going back leaves what was there before."""
    path = tmp_path / "plan.jsonl"
    planned = start(both, path, "fsdax 64M, sector 32M")
    runner = _Murderer(both.guest, both.model)
    seen = []
    for delay in (20_000, 60_000, 120_000, 300_000):
        runner.delay = delay
        assert go(path, runner) is None
        runner.delay = 0
        with Journal.open(path) as journal:
            at = standing(journal, runner.observe())
        assert at.kind in ("ready", "half", "took"), at
        seen.append(at.kind)
        if at.kind == "took":
            break
        if at.kind == "half":
            assert result_of(go(path, runner, undo=True)) == "undone"
            assert view_of(runner.observe()) == planned.views[0]
            path = tmp_path / f"{delay}.jsonl"
            planned = start(both, path, "fsdax 64M, sector 32M")
    assert result_of(go(path, runner, repair=True)) == "done", seen
    assert result_of(go(path, runner, undo=True)) == "undone"
    assert view_of(runner.observe()) == planned.views[0]
