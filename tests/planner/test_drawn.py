"""Drawn questions (``tests.planner.fuzzing``): no question breaks the planner, and what it answers holds. And what they have found.

``make deep`` asks thousands of new ones; ``python -m tests.planner.fuzzing NUMBER`` shows one of them.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparsemem.machine.notation import parse_machine
from sparsemem.planner import make_plan, parse_intent
from sparsemem.play.player import Player
from sparsemem.play.shell import parse_step
from tests.planner.fuzzing import Tally, draw
from tests.planner.machines import GIB, MIB, machine

_LEGACY = "6.1; 1M-2G ram, 4G+768M pmem; nd_region 0x100000000-0x12fffffff bus={}"


@given(st.integers(0, 1 << 40))
def test_every_answer_holds(number: int) -> None:
    tally = Tally()
    tally.add(draw(number), nearest=True)
    assert not tally.bugs, tally.bugs[0]


@pytest.mark.parametrize(("labels", "ndctl", "goes"), [("blank", 67, True), ("blank", 71, False), ("1.1", 71, False)])
def test_a_region_off_16_mib_gives_no_fsdax_with_or_without_labels(labels: str, ndctl: int, goes: bool) -> None:
    """What was found of the label-less region was taken for what it would be with labels."""
    board = machine("5.10", 768 * MIB, start=4 * GIB + 2 * MIB, labels=labels)
    plan = make_plan(board, parse_intent("replace all, fsdax usable 50M"), ndctl=(ndctl,), nearest=False)
    assert bool(plan.commands) == goes
    if not goes:
        assert any("16" in word for each in plan.impossible for word in (each.why, *each.says))


def test_sector_size_of_new_labels_is_that_of_their_version() -> None:
    """``init-labels`` makes version 1.1, where the first 4 KiB are left out; before, the region was asked as version 2."""
    board = machine("6.12", 768 * MIB, labels="blank")
    plan = make_plan(board, parse_intent("replace all, sector usable 50M"), ndctl=(71,))
    assert [each.mode for each in plan.namespaces] == ["sector"]


@pytest.mark.parametrize("bus", ["e820", "virtio"])
def test_a_label_less_namespace_has_no_sector_size(bus: str) -> None:
    board = parse_machine(_LEGACY.format(bus))
    plan = make_plan(board, parse_intent("replace all, raw rest sector=4096"))
    assert "no labels" in plan.impossible[0].why
    assert plan.impossible[0].nearest == ("replace all, raw rest",)
    assert make_plan(board, parse_intent("replace all, sector rest sector=512")).commands


def _half_way() -> object:
    """Labels of version 1.1, and a 16 MiB sector namespace: 4 KiB too small, so that ndctl fails and its seed stays set up."""
    board = machine("6.1", 768 * MIB, labels="1.1")
    text = "ndctl create-namespace -r region0 -m sector -s 16M"
    assert Player(board).step(text, parse_step(text)).exit_code
    return board


@pytest.mark.parametrize("ndctl", [67, 76])
@pytest.mark.parametrize("text", ["raw 96M", "system-ram rest", "2 x fsdax usable 50M"])
def test_a_seed_that_was_set_up_half_way_is_in_the_way(text: str, ndctl: int) -> None:
    plan = make_plan(_half_way(), parse_intent(text), ndctl=(ndctl,))  # type: ignore[arg-type]
    wrong = plan.impossible[0]
    assert "namespace0.0 of region0 was set up half-way or is disabled" in wrong.why
    assert f"replace namespace0.0, {parse_intent(text)}" in wrong.nearest


def test_an_old_ndctl_would_take_a_disabled_namespace_for_a_new_one() -> None:
    """Up to release 67 ``create-namespace`` sets up a disabled namespace0.0 anew, and what is on it is lost."""
    board = make_plan(machine("6.1", 768 * MIB), parse_intent("fsdax 96M, fsdax 192M")).after.copy()
    text = "ndctl disable-namespace namespace0.0"
    Player(board).step(text, parse_step(text))
    assert make_plan(board, parse_intent("raw 96M"), ndctl=(76,)).namespaces[0].dev == "namespace0.2"
    assert "namespace0.0" in make_plan(board, parse_intent("raw 96M"), ndctl=(67,)).impossible[0].why


def test_a_rest_gets_something_though_less_would_be_stranded_without_it() -> None:
    """The tightest arrangement left less than a memory block behind the metadata; another leaves one."""
    line = (
        "5.8; 1M-2G ram, 0x101000000-0x130ffffff pmem, 0x132000000-0x191ffffff pmem; with auto_online=offline; "
        "nd_region 0x101000000-0x130ffffff region=0 node=1 ways=2 slot=0 nmem=0 labels=1.1; "
        "nd_region 0x132000000-0x191ffffff region=1 node=0 slot=2 nmem=2 labels=1.1"
    )
    made = make_plan(parse_machine(line), parse_intent("raw 126M on region0, raw 16M on region0")).after.copy()
    text = "ndctl destroy-namespace -f namespace0.0"
    Player(made).step(text, parse_step(text))
    wish = "sector usable 70M, 7 x devdax 192M, 2 x raw 192M, system-ram all whole blocks no-movable"
    plan = make_plan(made, parse_intent(wish), ndctl=(70,))
    assert [each.usable for each in plan.namespaces if each.mode == "system-ram"] == [256 * MIB]
