"""What is offered where several things are wrong at once: each is as much of the intent as can be had, and is played."""

from __future__ import annotations

import pytest

from sparsemem.machine.notation import parse_machine
from sparsemem.planner import make_plan, parse_intent
from tests.planner.machines import GIB, machine

_SOFT = (
    "6.6; 1M-2G ram, 4G+1G pmem, 6G+1G soft; nd_region 0x100000000-0x13fffffff labels=1.2; "
    "dax_region 0x180000000-0x1bfffffff driver=hmem region={}"
)


@pytest.mark.parametrize(
    ("text", "near"),
    [
        # the size is not legal, and the place is full
        ("fsdax 900M, fsdax 333333333", "fsdax 896M, fsdax 128M"),
        # the alignment is not supported, and it is too large
        ("fsdax 2G align=16M", "fsdax 1G"),
        # two items that can not be had, each for itself
        ("fsdax 64M align=16M, devdax 3G", "fsdax 64M, devdax 960M"),
        ("sector 16M sector=600, fsdax 5M", "sector 16M, fsdax 16M"),
        # too many, and a count that helps nothing
        ("7 x devdax 1G align=1G", "devdax 1G"),
    ],
)
def test_two_things_are_wrong_at_once(text: str, near: str) -> None:
    board = machine("6.12", GIB)
    plan = make_plan(board, parse_intent(text))
    found = [each for wrong in plan.impossible for each in wrong.nearest]
    assert near in found
    for each in found:
        assert make_plan(board, parse_intent(each), nearest=False).commands


def test_the_wrong_place_and_the_wrong_mode() -> None:
    board = parse_machine(_SOFT.format(1))
    plan = make_plan(board, parse_intent("fsdax usable 500M name=db on dax_region1"))
    assert "fsdax usable 500M name=db" in plan.impossible[0].nearest


def test_what_does_not_let_go_of_its_memory_is_not_offered() -> None:
    """daxctl before 76 fails on Linux 6.3 and later: dax1.0, which is memory, can not be replaced."""
    board = parse_machine(_SOFT.format(1))
    plan = make_plan(board, parse_intent("replace all, system-ram 5G"), ndctl=(70,))
    found = [each for wrong in plan.impossible for each in wrong.nearest]
    assert found
    assert not any("dax1.0" in each or "replace all" in each for each in found)


def test_a_dax_device_of_the_same_name_is_in_the_way() -> None:
    plan = make_plan(parse_machine(_SOFT.format(0)), parse_intent("devdax 256M"))
    assert "has its name" in plan.impossible[0].why
    assert plan.impossible[0].nearest == ("sector 256M",)


def test_nothing_is_near_where_nothing_can_be_had() -> None:
    board = parse_machine("4.17; 1M-2G ram, 4G+1G soft; dax_region 0x100000000-0x13fffffff driver=hmem")
    plan = make_plan(board, parse_intent("raw 16M, sector 16M"))
    assert plan.impossible
    assert not any(wrong.nearest for wrong in plan.impossible)


def test_a_quick_search_that_finds_nothing_does_not_say_that_there_is_nothing() -> None:
    board = machine("6.12", *[64 * GIB] * 8)
    tight = ", ".join(f"fsdax {1024 + 16 * number}M" for number in range(200))  # 1 GiB less than there is
    plan = make_plan(board, parse_intent(tight), nearest=False)
    if plan.impossible:
        assert plan.search == "heuristic"
        assert "does not say that there is none" in plan.impossible[0].why
    more = make_plan(board, parse_intent(tight.replace("fsdax 1", "fsdax 11")))
    assert more.impossible[0].nearest  # the first of so many items, at the least
    much = make_plan(board, parse_intent("200 x fsdax 3G"), nearest=False)
    assert much.search == "exact"
    assert "quick search" not in much.impossible[0].why
