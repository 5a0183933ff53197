"""Any machine that commands made: the doctor answers, its sums add up, and a remedy that can be played removes its finding."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsemem.doctor import diagnose_machine, to_json
from sparsemem.machine.notation import parse_machine
from sparsemem.play.player import Player
from sparsemem.play.shell import parse_step
from sparsemem.units import GIB, MIB, format_size

if TYPE_CHECKING:
    from sparsemem.doctor import Diagnosis, Finding, Remedy
    from sparsemem.machine.machine import Machine

VERSIONS = (
    "4.17",
    "4.19",
    "5.0",
    "5.1",
    "5.2",
    "5.3",
    "5.4",
    "5.6",
    "5.7",
    "5.10",
    "5.12",
    "5.15",
    "6.1",
    "6.6",
    "6.12",
    "6.18",
    "7.2",
)
POLICY = "/sys/devices/system/memory/auto_online_blocks"


@st.composite
def layouts(draw: st.DrawFn) -> str:
    """A kernel, RAM, and one or two regions that may begin and end off sections."""
    version = draw(st.sampled_from(VERSIONS))
    ram = draw(st.sampled_from(["1M-2G", "1M-4G", "1M-3968M"]))
    at, entries, operations = 4 * GIB + draw(st.sampled_from([0, 0, 64, 16, 2])) * MIB, [], []
    for number in range(draw(st.integers(1, 2))):
        ways = draw(st.sampled_from([1, 1, 2, 3, 4, 6]))
        size = ways * draw(st.sampled_from([512, 1024, 1000, 4096, 672])) * MIB
        place = f"{at:#x}-{at + size - 1:#x}"
        entries.append(f"{place} pmem")
        node = draw(st.sampled_from([1, 1, -1]))
        kind = draw(st.sampled_from(["labels=1.2", "labels=1.1", "labels=1.2", "bus=e820"]))
        wide = f" ways={ways}" if "labels" in kind else ""
        operations.append(
            f"nd_region {place} {kind}{wide} target_node={node} region={number} nmem={8 * number} slot={8 * number}"
        )
        at += size + draw(st.sampled_from([0, 0, 64, 128, 1024])) * MIB
    options = draw(st.sampled_from(["auto_online=offline", "auto_online=online"]))
    block = draw(st.sampled_from(["", "", "block=1G "]))
    return (
        f"{version}; {ram} ram, {', '.join(entries)}; with {block}{options} possible_nodes=2; {'; '.join(operations)}"
    )


@st.composite
def commands(draw: st.DrawFn) -> list[str]:
    found = []
    for _ in range(draw(st.integers(0, 7))):
        what = draw(st.integers(0, 9))
        region, number = draw(st.integers(0, 1)), draw(st.integers(0, 2))
        if what < 6:
            mode = draw(st.sampled_from(["fsdax", "devdax", "devdax", "sector", "raw"]))
            size = draw(
                st.sampled_from(["", " -s 16M", " -s 132M", " -s 256M", " -s 1G", " -s 2G", " -s 96M", " -s 402653184"])
            )
            align = draw(st.sampled_from(["", "", "", " -a 4K", " -a 1G"])) if mode in ("fsdax", "devdax") else ""
            memmap = draw(st.sampled_from(["", "", " -M mem"])) if mode in ("fsdax", "devdax") else ""
            found.append(f"ndctl create-namespace -r region{region} -m {mode}{size}{align}{memmap}")
        elif what < 7:
            found.append(f"ndctl destroy-namespace -f namespace{region}.{number}")
        elif what < 9:
            option = draw(st.sampled_from(["", " -N", " --no-movable"]))
            found.append(f"daxctl reconfigure-device{option} -m system-ram dax{region}.{number}")
        else:
            found.append(f"echo {draw(st.sampled_from(['online', 'offline', 'online_movable']))} > {POLICY}")
    return found


def run(player: Player, words: str) -> int:
    return player.step(words, parse_step(words)).exit_code


def made(layout: str, steps: list[str], ndctl: int = 76) -> Player:
    player = Player(parse_machine(layout), ndctl=(ndctl,))
    for step in steps:
        run(player, step)
    return player


def sums(found: Diagnosis) -> None:
    for each in found.balances:
        assert sum(size for _, size in each.shares) == each.raw, each
        assert all(size > 0 for _, size in each.shares), each
        for part in each.parts:
            assert sum(size for _, size in part.shares) == part.raw, part
    for each in found.findings:
        assert each.capacity is None or each.capacity >= 0
        if (
            each.lost
            and each.ranges
            and each.id in ("align-cost", "start-pad", "region-align-finding", "kmem-stranded")
        ):
            assert each.capacity == sum(r.size for r in each.ranges), each


def still_there(found: Finding, after: Diagnosis) -> Finding | None:
    return next(
        (
            each
            for each in after.findings
            if each.id == found.id
            and each.check == found.check
            and (any(one.overlaps(other) for one in found.ranges for other in each.ranges) or not found.ranges)
        ),
        None,
    )


def cures(machine: Machine, found: Finding, remedy: Remedy) -> str | None:
    """What is wrong with the remedy, or None. One that says how much is still lost leaves that much, and less than before."""
    player = Player(machine.copy(), ndctl=(76,))
    for words in remedy.steps:
        text = shlex.join(words)
        answer = player.step(text, parse_step(text))
        if answer.exit_code:
            return f"{text}: {answer.stdout.strip()[-200:]}"
    left = still_there(found, diagnose_machine(player.machine))
    if left is None:
        return None
    if left.capacity is not None and f"; {format_size(left.capacity)} are still lost" in remedy.why:
        return None if left.capacity < (found.capacity or 0) else "nothing is gained"
    return "it is still there"


def check(layout: str, steps: list[str]) -> list[tuple[str, str, str]]:
    """(finding, check, trouble) of each remedy that does not cure."""
    player = made(layout, steps)
    found = diagnose_machine(player.machine)
    json.dumps(to_json(found))
    sums(found)
    troubles = []
    for each in found.findings:
        for remedy in each.remedies:
            if remedy.steps and (trouble := cures(player.machine, each, remedy)) is not None:
                troubles.append((each.id, each.check, f"{shlex.join(remedy.steps[0])}: {trouble}"))
    return troubles


@settings(max_examples=40, deadline=None)
@given(layouts(), commands())
def test_a_remedy_removes_its_finding(layout: str, steps: list[str]) -> None:
    assert check(layout, steps) == []


_REGION = "nd_region {0} labels=1.2 ways={1} target_node=1 region=0 nmem=0 slot=0"
_TWO = "; ".join((_REGION, "nd_region {2} {3} target_node=-1 region=1 nmem=8 slot=8"))
FOUND: dict[str, tuple[str, list[str], str]] = {
    "no room right behind it": (
        "6.12; 1M-2G ram, 0x101000000-0x180ffffff pmem; " + _REGION.format("0x101000000-0x180ffffff", 4),
        ["ndctl create-namespace -m devdax -s 16M -M mem", "ndctl create-namespace -m devdax -s 256M -M mem"],
        "kmem-stranded",
    ),
    "padded at its end": (
        "5.2; 1M-2G ram, 0x101000000-0x300ffffff pmem, 0x301000000-0x400ffffff pmem; "
        + _TWO.format("0x101000000-0x300ffffff", 2, "0x301000000-0x400ffffff", "labels=1.2"),
        [
            "ndctl create-namespace -r region1 -m devdax -s 256M -M mem",
            "ndctl create-namespace -r region1 -m devdax -s 16M",
        ],
        "kmem-stranded",
    ),
    "its old label is still tracked": (
        "5.1; 1M-2G ram, 0x101000000-0x160ffffff pmem; " + _REGION.format("0x101000000-0x160ffffff", 3),
        ["ndctl create-namespace -m devdax -s 96M -M mem", "ndctl create-namespace -m fsdax -s 132M"],
        "free-space-in-taken-section",
    ),
    "off 16 MiB": (
        "4.17; 1M-2G ram, 0x101000000-0x280ffffff pmem; " + _REGION.format("0x101000000-0x280ffffff", 1),
        ["ndctl create-namespace -m fsdax -s 2G -a 1G"],
        "align-cost",
    ),
    "a page array without room, off 16 MiB": (
        "5.0; 1M-3968M ram, 0x100200000-0x1201fffff pmem; " + _REGION.format("0x100200000-0x1201fffff", 1),
        [],
        "altmap-exhausted",
    ),
    "whole blocks do not fill it": (
        "5.6; 1M-2G ram, 0x183000000-0x482ffffff pmem; with auto_online=offline possible_nodes=2; "
        + _REGION.format("0x183000000-0x482ffffff", 3),
        ["ndctl create-namespace -m devdax -M mem", "daxctl reconfigure-device -m system-ram dax0.0"],
        "kmem-stranded",
    ),
    "in a section of the region before it": (
        "4.17; 1M-2G ram, 0x101000000-0x200ffffff pmem, 0x201000000-0x254ffffff pmem; "
        + _TWO.replace("labels=1.2 ways={1}", "bus=e820").format(
            "0x101000000-0x200ffffff", 1, "0x201000000-0x254ffffff", "labels=1.2 ways=2"
        ),
        ["ndctl create-namespace -r region1 -m fsdax -s 132M -a 4K", "ndctl create-namespace -r region1 -m raw -s 16M"],
        "info-block-other-namespace",
    ),
}
"""Where a remedy did not cure once: (layout, commands, finding)."""


def test_the_threads_of_a_node_lie_in_its_first_memory() -> None:
    """6.14 and later: no command takes that away, so none is given as a cure; up to 6.13 it goes (c6a566f6c1b4)."""
    line = "{}; 1M-2G ram, 4G+4G pmem; with possible_nodes=2; " + _REGION.format("0x100000000-0x1ffffffff", 1)
    steps = ["ndctl create-namespace -m devdax -s 1G", "daxctl reconfigure-device --no-movable -m system-ram dax0.0"]
    for version, cures_it in (("6.12", True), ("6.18", False)):
        found = diagnose_machine(made(line.format(version), steps).machine).findings
        (stuck,) = [each for each in found if each.id == "unmovable-block"]
        assert any(remedy.steps[1:] for remedy in stuck.remedies) == cures_it
        assert not [each for each in check(line.format(version), steps) if each[0] == stuck.id]


@pytest.mark.parametrize("name", FOUND)
def test_remedies_that_did_not_cure(name: str) -> None:
    layout, steps, topic = FOUND[name]
    found = [each for each in diagnose_machine(made(layout, steps).machine).findings if each.id == topic]
    assert any(remedy.steps for each in found for remedy in each.remedies)
    assert check(layout, steps) == []
