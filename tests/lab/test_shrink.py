"""The shrinker against oracles whose smallest answer is known."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from sparsemem.lab.shrink import fewest, simpler_machines, simplest
from sparsemem.play.scenario import MachineTable, PmemTable

MIB = 1 << 20


@pytest.mark.parametrize("seed", range(20))
def test_exactly_the_steps_that_are_needed_are_left(seed: int) -> None:
    rng = Random(seed)
    length = rng.randrange(1, 24)
    needed = {*rng.sample(range(length), rng.randrange(0, min(4, length))), length - 1}
    asked = 0

    def shows(steps: tuple[int, ...]) -> bool:
        nonlocal asked
        asked += 1
        return needed <= set(steps)

    assert set(fewest(range(length), shows, budget=500)) == needed
    assert asked <= 120


def test_the_budget_bounds_the_questions_and_keeps_what_was_won() -> None:
    asked = 0

    def shows(steps: tuple[int, ...]) -> bool:
        nonlocal asked
        asked += 1
        return 39 in steps

    left = fewest(range(40), shows, budget=3)
    assert asked == 3
    assert left[-1] == 39
    assert len(left) < 40


def test_order_is_kept_and_equal_steps_are_told_apart() -> None:
    assert fewest("abcab", lambda steps: "".join(steps).count("b") == 2) == ("b", "b")


TABLE = MachineTable(
    "memory", "", 768 * MIB, "memmap=48M!336M movable_node", (PmemTable(384 * MIB, True), PmemTable(66 * MIB, False))
)


def test_a_machine_loses_what_is_not_needed() -> None:
    found = simplest(TABLE, lambda table: any(entry.labels for entry in table.pmem), budget=50)
    assert found == replace(TABLE, memory=512 * MIB, cmdline="", pmem=(PmemTable(64 * MIB, True),))


def test_a_machine_that_is_needed_stays() -> None:
    assert simplest(TABLE, lambda table: False) == TABLE
    assert all(table != TABLE for table in simpler_machines(TABLE))
