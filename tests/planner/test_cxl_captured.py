"""A machine with CXL as its files tell of it: read, built, and planned as the machine itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sparsemem.errors import NotModelledError
from sparsemem.machine.build import build
from sparsemem.planner import make_plan, parse_intent
from sparsemem.readers.model import read_model
from tests.planner.machines import MIB, cxl_machine

if TYPE_CHECKING:
    from sparsemem.machine.machine import Machine

INTENT = "region on mem1 mem0 granularity=4096, fsdax 256M, devdax rest"


@pytest.mark.parametrize("kernel", ["6.1", "6.12", "7.2"])
def test_the_plan_of_what_was_read_is_the_plan_of_the_machine(kernel: str) -> None:
    board = cxl_machine(kernel)
    built = build(read_model(board), devices=True)
    assert [note.what for note in built.notes if "CXL" in note.what] == []
    one, other = (make_plan(each, parse_intent(INTENT)) for each in (board, built.machine))
    assert other.commands == one.commands
    assert other.cxl == one.cxl
    assert [each.range for each in other.regions] == [each.range for each in one.regions]


def test_what_the_files_say() -> None:
    fact = read_model(cxl_machine("6.12", 512, 768)).cxl
    assert fact is not None
    assert [(each.name, each.pmem, each.serial, each.label_area) for each in fact.devices] == [
        ("mem0", 512 * MIB, 1, 256 << 10), ("mem1", 768 * MIB, 2, 256 << 10),
    ]  # fmt: skip
    assert (fact.roots, fact.ports, fact.endpoints, fact.regions, fact.window.size) == (1, 1, 2, (), 4096 * MIB)


def _notes(board: Machine) -> list[str]:
    return [note.what for note in build(read_model(board), devices=True).notes if "CXL" in note.what]


def test_a_region_that_is_there_is_not_guessed() -> None:
    board = make_plan(cxl_machine(), parse_intent("region on mem0")).after
    assert "region0 is there already" in _notes(board)[0]
    with pytest.raises(NotModelledError, match="I cannot tell"):
        make_plan(build(read_model(board), devices=True).machine, parse_intent("region on mem1"))


def test_a_guest_that_hides_nothing_is_one() -> None:
    built = build(read_model(cxl_machine("6.12", hypervisor=True)), devices=True)
    assert make_plan(built.machine, parse_intent("region")).impossible[0].rule == "cxl-cache-flush"
