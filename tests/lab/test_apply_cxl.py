"""A plan with a CXL region carried out in a real guest, with the real ``cxl``; the model does the same beside it and shows the same."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from sparsemem.errors import SparsememError
from sparsemem.lab.bench import open_bench
from sparsemem.lab.qemu import BINARY
from sparsemem.planner import make_plan, parse_intent
from sparsemem.planner.apply import Journal, ModelRunner, head_of
from sparsemem.planner.apply.view import view_of
from sparsemem.play import parse_scenario
from sparsemem.play.setup import set_up
from tests.lab.test_apply import Both
from tests.lab.test_real import _missing
from tests.planner.killing import go, half_region

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sparsemem.planner.apply import Outcome

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(os.environ.get("SPARSEMEM_LAB_APPLY") != "1", reason="a minute and more: make lab"),
]

KERNEL = "6.12"
SCENARIO = """steps = []
[machine]
memory = "512M"
cmdline = "pci=nomsi"
hypervisor = false
cxl = [{ size = "256M" }, { size = "512M" }]
"""
INTENT = "region on mem1 mem0 granularity=4096, fsdax 64M name=db, devdax 128M"


@pytest.fixture(scope="module")
def both() -> Iterator[Both]:
    if shutil.which(BINARY) is None:
        _missing(f"no {BINARY}; apt-get install --no-install-recommends qemu-system-x86 seabios")
    scenario = parse_scenario(SCENARIO)
    try:
        bench = open_bench(KERNEL, sections=False)
    except SparsememError as error:
        _missing(str(error))
        raise
    with bench:
        guest = bench.sit(scenario.machine).guest
        machine, _ = set_up(scenario, bench.image.version)
        yield Both(guest, ModelRunner(machine))


def _start(both: Both, path: Path, intent: str = INTENT) -> Journal:
    plan = make_plan(both.model.machine, parse_intent(intent))
    assert not plan.impossible
    Journal.create(path, head_of(plan, "lab")).close()
    with Journal.open(path) as journal:
        assert journal.views[0] == view_of(both.observe()), "the machine that was planned for"
        return journal


def _result(outcome: Outcome | None) -> str | None:
    return None if outcome is None else outcome.result


def test_killed_at_every_step_gone_on_with_and_taken_back(both: Both, tmp_path: Path) -> None:
    path = tmp_path / "plan.jsonl"
    planned = _start(both, path)
    assert [step.argv[0] for step in planned.steps] == ["cxl", "ndctl", "ndctl"]
    for step, point in enumerate(("after run", "before done", "torn done"), 1):
        assert go(path, both, step, "after begin") is None
        assert go(path, both, step, point) is None, (step, point)
    assert _result(go(path, both)) == "done"
    assert view_of(both.observe()) == planned.views[-1]
    assert go(path, both, 1, "after run", undo=True) is None
    assert _result(go(path, both, undo=True)) == "undone"
    assert view_of(both.observe()) == planned.views[0]


@pytest.mark.parametrize("depth", [1, 5, 9, 13])
def test_cxl_is_killed_half_way(both: Both, tmp_path: Path, depth: int) -> None:
    path = tmp_path / "plan.jsonl"
    planned = _start(both, path, "region on mem0 mem1, raw 64M")
    assert go(path, both, 1, "after begin") is None
    for file, value in half_region(planned.steps[0].argv)[:depth]:
        code, said = both.run(("sh", "-c", f"echo {value} > {file}"))
        assert code == 0, (file, value, said)
    told = go(path, both)
    assert told is not None
    assert (told.result, told.step) == ("half", 1)
    if depth % 2 and depth > 5:
        assert _result(go(path, both, repair=True)) == "done"
    assert _result(go(path, both, undo=True)) == "undone"
    assert view_of(both.observe()) == planned.views[0]


def test_a_region_that_is_replaced_comes_back_with_its_labels(both: Both, tmp_path: Path) -> None:
    planned = _start(both, tmp_path / "first.jsonl", "region on mem0 mem1, fsdax 64M name=old")
    assert _result(go(tmp_path / "first.jsonl", both)) == "done"
    for argv in (("ndctl", "disable-namespace", "namespace0.0"), ("cxl", "destroy-region", "-f", "region0")):
        assert both.run(argv)[0] == 0
    assert view_of(both.observe()) == planned.views[0]
    path = tmp_path / "second.jsonl"
    found = _start(both, path, "region on mem0 mem1, devdax rest")
    assert "namespace0.0" in found.views[1], "its labels bring it back"
    assert _result(go(path, both)) == "done"
    assert _result(go(path, both, undo=True)) == "undone"
    path = tmp_path / "third.jsonl"
    _start(both, path, "replace mem0 mem1, region on mem1, sector rest")
    assert _result(go(path, both)) == "done"
    outcome = go(path, both, undo=True)
    assert outcome is not None
    assert (outcome.result, outcome.lost) == ("undone", ("what was on mem0", "what was on mem1"))
