"""Sizes that people and the kernel's authors published, as the second source of what the planner predicts."""

from __future__ import annotations

import pytest

from sparsemem.fixtures import path
from sparsemem.machine.build import build
from sparsemem.planner import make_plan, parse_intent
from sparsemem.readers import read_machine
from tests.planner.machines import GIB, MIB, machine


def test_c25_four_gib_emulated_as_fsdax() -> None:
    """https://github.com/pmem/ndctl/issues/52: 4294967296 becomes 4225761280; a label-less region is not divided."""
    board = machine("4.19", 4 * GIB, labels="", region="")
    plan = make_plan(board, parse_intent("replace namespace0.0, fsdax rest"), ndctl=(60,))
    assert [each.usable for each in plan.namespaces] == [4225761280]
    refused = make_plan(board, parse_intent("replace namespace0.0, fsdax 1G"), ndctl=(76,))
    assert not refused.commands
    assert refused.impossible[0].rule == "namespace-unlabelled"
    assert any("do not support sub-dividing a region" in line for line in refused.impossible[0].says)
    assert refused.impossible[0].nearest == ("replace namespace0.0, fsdax rest",)


@pytest.mark.parametrize(("asked", "ways", "up"), [("4295000000", 6, 4303355904), ("128M", 6, 132 * MIB)])
def test_c19_and_c02_the_size_that_ndctl_suggests(asked: str, ways: int, up: int) -> None:
    """ndctl issue 125 ("did you intend --size=4303355904?") and Moyer's mail of 2019-02-22 ("did you intend --size=132M?")."""
    plan = make_plan(machine("5.3", 12 * GIB, ways=ways), parse_intent(f"devdax {asked}"), ndctl=(67,))
    wrong = plan.impossible[0]
    assert any("must align to interleave-width: 6" in line for line in wrong.says)
    sizes = {int(parse_intent(text).items[0].amount.size) for text in wrong.nearest}
    assert up in sizes


def test_c02_132m_on_six_ways_gives_126m_and_a_second_one_fails() -> None:
    """x49imxbx22d.fsf@segfault.boston.devel.redhat.com: 126.00 MiB (132.12 MB), then "pfn1.1: failed to enable"."""
    board = machine("5.0", 12 * GIB, ways=6)
    one = make_plan(board, parse_intent("fsdax 132M"), ndctl=(64,))
    assert [each.usable for each in one.namespaces] == [132120576]
    two = make_plan(board, parse_intent("2 x fsdax 132M"), ndctl=(64,))
    assert two.impossible[0].rule == "conflicting-mapping"
    assert any("failed to enable" in line for line in two.impossible[0].says)
    assert "2 x fsdax 384M" in two.impossible[0].nearest, "whole sections and whole interleave lines"
    later = make_plan(machine("5.3", 12 * GIB, ways=6), parse_intent("2 x fsdax 132M"), ndctl=(67,))
    assert len(later.namespaces) == 2


def test_c01_two_regions_that_share_a_section() -> None:
    """ndctl issue 76: the whole region gives 266285875200 bytes, and the other region then nothing. Both are had 64 MiB shorter."""
    board = build(read_machine(path("pmem-two-regions")), devices=True).machine
    alone = make_plan(board, parse_intent("replace all, fsdax 252G on region0"))
    assert [each.usable for each in alone.namespaces] == [266285875200]
    assert alone.namespaces[0].data is not None
    assert "64 MiB" in alone.notes[0], "start_pad"
    both = make_plan(board, parse_intent("replace all, fsdax rest"))
    assert [each.region for each in both.namespaces] == ["region0", "region1"]
    assert [each.raw for each in both.namespaces] == [252 * GIB - 64 * MIB] * 2
    assert make_plan(board, parse_intent("replace all, fsdax 252G on region0, fsdax 252G on region1")).impossible


def test_c03_and_c07_small_namespaces_side_by_side() -> None:
    """ndctl issue 28: 64M with map=mem gives 62.00 MiB, a second one fails; both go from 5.3 on."""
    old = make_plan(machine("4.19", GIB), parse_intent("2 x fsdax 64M map=mem"), ndctl=(60,))
    assert old.impossible
    one = make_plan(machine("4.19", GIB), parse_intent("fsdax 64M map=mem"), ndctl=(60,))
    assert one.namespaces[0].usable == 62 * MIB
    new = make_plan(machine("5.3", GIB), parse_intent("16 x fsdax 64M map=mem"), ndctl=(60,))
    assert [each.usable for each in new.namespaces] == [62 * MIB] * 16


@pytest.mark.parametrize(("size", "usable"), [(1, None), (2, 1), (3, 2)])
def test_c22_one_gib_alignment_costs_one_gib(size: int, usable: int | None) -> None:
    """ndctl issue 79 and the ramdax thread of 2025-12: "always 1 GiB less"."""
    plan = make_plan(machine("6.12", 8 * GIB), parse_intent(f"devdax {size}G align=1G"))
    if usable is None:
        assert plan.impossible[0].nearest[0] == "devdax 2G align=1G"
        assert any("unable to satisfy requested alignment" in line for line in plan.impossible[0].says)
    else:
        assert plan.namespaces[0].usable == usable * GIB


def test_c26_eight_gib_as_memory() -> None:
    """Linux commit 60858c00e5f0: 7936 MiB of 8 GiB are online and 126 MiB are stranded; 128 MiB less for it, and they stay free."""
    board = machine("5.10", 8 * GIB, start=5 * GIB)
    whole = make_plan(board, parse_intent("system-ram 8G"))
    assert whole.namespaces[0].usable == 7936 * MIB
    assert whole.balance[0].outside_blocks == 126 * MIB
    best = make_plan(board, parse_intent("system-ram, all whole blocks"))
    assert best.namespaces[0].usable == 7936 * MIB
    assert best.balance[0].outside_blocks == 0
    assert best.balance[0].free == 128 * MIB


def test_c28_256m_of_memory_on_2g_blocks() -> None:
    """ndctl issue 243: 256M becomes 250.00 MiB, and kmem finds no whole block in it; 4G works."""
    board = machine("6.1", 16 * GIB, start=8 * GIB, options="block=2G bare-metal")
    small = make_plan(board, parse_intent("devdax 256M"))
    assert small.namespaces[0].usable == 250 * MIB
    plan = make_plan(board, parse_intent("system-ram 256M"))
    assert plan.impossible[0].rule == "kmem-alignment"
    assert make_plan(board, parse_intent("system-ram 4G")).namespaces[0].usable == 2 * GIB


def test_c15_the_next_namespace_behind_crooked_ones() -> None:
    """0843d8bf-c9e4-37c9-d9c2-ba4407daae21@linux.ibm.com: after 24e0004000-3160007fff, ``-s 36g`` lands at 3162000000 with 35.44 GiB."""
    from sparsemem.planner.predict import Rules
    from sparsemem.planner.problem import Problem, Want
    from sparsemem.planner.spaces import find_spaces

    board = machine("5.10", 0xD560000000 - 0x1860000000, start=0x1860000000, ways=6)
    first = (0x3160008000 + 96 * MIB - 1 - 0x1860000000) // (96 * MIB) * (96 * MIB) + 0x1860000000
    assert first == 0x3162000000, "the kernel trims a free extent to the region's align"
    space = find_spaces(board.state, ())[0]
    item = parse_intent("fsdax 36G").items[0]
    rules = Rules(board.state, (76,))
    problem = Problem(rules, parse_intent("fsdax 36G"), [space], [Want(0, item, (0,), {0: 36 * GIB})], (76,))
    done = problem.place(problem.wants[0], 0, problem.room(0)._replace(gaps=((first, 0xD560000000),)))
    assert done is not None
    assert done[0].start == 0x3162000000
    assert f"{done[0].outcome.usable / GIB:.2f}" == "35.44"


def test_c47_no_target_node() -> None:
    """ndctl issue 260: without target_node there is no system-ram."""
    plan = make_plan(machine("6.1", 4 * GIB, region="target_node=-1"), parse_intent("system-ram rest"))
    assert plan.impossible[0].rule == "kmem-node"
    assert plan.impossible[0].nearest == ("devdax rest",)


def test_c41_and_c49_what_lies_at_the_addresses() -> None:
    """cloud-hypervisor 8191 (pmem above what the kernel maps) and an EFI map that keeps the range: the kernel's words, and what goes."""
    from sparsemem.machine.notation import parse_machine

    place = "0x100000000000-0x1000ffffffff"
    high = parse_machine(f"6.12; 1M-2G ram, {place} pmem; with physmem_end=0xb0000000000; nd_region {place} labels=1.2")
    plan = make_plan(high, parse_intent("fsdax 1G"))
    assert plan.impossible[0].rule == "addressable-range"
    assert any("exceeds maximum addressable range" in line for line in plan.impossible[0].says)
    assert plan.impossible[0].nearest == ("sector 1G",)
    place = "0x100000000-0x1ffffffff"
    taken = f"6.12; 1M-2G ram, 4G+4G pmem; nd_region {place} labels=1.2; request_mem_region 0x100000000-0x10fffffff"
    plan = make_plan(parse_machine(taken), parse_intent("fsdax 1G"))
    assert plan.impossible[0].rule == "resource-busy"
    assert any("could not reserve region" in line for line in plan.impossible[0].says)
    assert plan.impossible[0].nearest == ()
