"""A plan with a CXL region carried out in a real guest, with the real ``cxl``; the model does the same beside it and shows the same."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from sparsemem.planner.apply.view import view_of
from tests.lab.test_apply import Both, result_of, seated, start
from tests.planner.killing import go, half_region

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


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
    yield from seated(KERNEL, SCENARIO)


def test_killed_at_every_step_gone_on_with_and_taken_back(both: Both, tmp_path: Path) -> None:
    path = tmp_path / "plan.jsonl"
    planned = start(both, path, INTENT)
    assert [step.argv[0] for step in planned.steps] == ["cxl", "ndctl", "ndctl"]
    for step, point in enumerate(("after run", "before done", "torn done"), 1):
        assert go(path, both, step, "after begin") is None
        assert go(path, both, step, point) is None, (step, point)
    assert result_of(go(path, both)) == "done"
    assert view_of(both.observe()) == planned.views[-1]
    assert go(path, both, 1, "after run", undo=True) is None
    assert result_of(go(path, both, undo=True)) == "undone"
    assert view_of(both.observe()) == planned.views[0]


@pytest.mark.parametrize("depth", [1, 5, 9, 13])
def test_cxl_is_killed_half_way(both: Both, tmp_path: Path, depth: int) -> None:
    path = tmp_path / "plan.jsonl"
    planned = start(both, path, "region on mem0 mem1, raw 64M")
    assert go(path, both, 1, "after begin") is None
    for file, value in half_region(planned.steps[0].argv)[:depth]:
        code, said = both.run(("sh", "-c", f"echo {value} > {file}"))
        assert code == 0, (file, value, said)
    told = go(path, both)
    assert told is not None
    assert (told.result, told.step) == ("half", 1)
    if depth % 2 and depth > 5:
        assert result_of(go(path, both, repair=True)) == "done"
    assert result_of(go(path, both, undo=True)) == "undone"
    assert view_of(both.observe()) == planned.views[0]


def test_a_region_that_is_replaced_comes_back_with_its_labels(both: Both, tmp_path: Path) -> None:
    planned = start(both, tmp_path / "first.jsonl", "region on mem0 mem1, fsdax 64M name=old")
    assert result_of(go(tmp_path / "first.jsonl", both)) == "done"
    for argv in (("ndctl", "disable-namespace", "namespace0.0"), ("cxl", "destroy-region", "-f", "region0")):
        assert both.run(argv)[0] == 0
    assert view_of(both.observe()) == planned.views[0]
    path = tmp_path / "second.jsonl"
    found = start(both, path, "region on mem0 mem1, devdax rest")
    assert "namespace0.0" in found.views[1], "its labels bring it back"
    assert result_of(go(path, both)) == "done"
    assert result_of(go(path, both, undo=True)) == "undone"
    path = tmp_path / "third.jsonl"
    start(both, path, "replace mem0 mem1, region on mem1, sector rest")
    assert result_of(go(path, both)) == "done"
    outcome = go(path, both, undo=True)
    assert outcome is not None
    assert (outcome.result, outcome.lost) == ("undone", ("what was on mem0", "what was on mem1"))
