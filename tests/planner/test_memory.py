"""Memory items of an intent: which blocks, with which commands, and what can not be had. The oracle is the model that is asked anew."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sparsemem.errors import InputError
from sparsemem.machine.notation import parse_machine
from sparsemem.planner import make_plan, parse_intent, render_text, to_json, to_script
from sparsemem.planner.memory import MemoryItem
from sparsemem.planner.toml_intent import read_intent
from sparsemem.play.player import Player
from sparsemem.play.shell import parse_step

if TYPE_CHECKING:
    from sparsemem.machine.machine import Machine
    from sparsemem.planner import Plan

SCHEMA = json.loads((Path(__file__).parents[2] / "docs/plan.schema.json").read_text())
RAM = "; with auto_online=offline; add_memory 0x100000000-0x11fffffff; add_memory 0x180000000-0x19fffffff"
BOOT = "6.12; 1M-2G ram"
MORE = BOOT + RAM
PMEM = "6.12; 1M-2G ram, 4G+1G pmem; with auto_online=offline; nd_region 0x100000000-0x13fffffff labels=1.2"


def _plan(machine: str, intent: str) -> Plan:
    return make_plan(parse_machine(machine), parse_intent(intent))


def _commands(machine: str, intent: str) -> list[str]:
    plan = _plan(machine, intent)
    assert not plan.impossible, plan.impossible
    return [command.text for command in plan.commands]


def _played(layout: str, *steps: str) -> Machine:
    machine = parse_machine(layout)
    player = Player(machine)
    for step in steps:
        assert player.step(step, parse_step(step), tty=False).exit_code == 0
    return machine


# -- the two forms


_NAMES = st.one_of(
    st.integers(0, 99).map(lambda n: f"memory{n}"),
    st.tuples(st.integers(0, 99), st.integers(1, 9)).map(lambda p: f"memory{p[0]}-memory{p[0] + p[1]}"),
    st.tuples(st.integers(0, 1 << 40), st.integers(0, 1 << 40)).map(lambda p: f"{p[0]:#x}-{p[0] + p[1]:#x}"),
    st.integers(0, 9).map(lambda n: f"dax{n}.0"),
)


@st.composite
def items(draw: st.DrawFn) -> MemoryItem:
    action = draw(st.sampled_from(("online", "offline")))
    kind = draw(st.sampled_from(("names", "size", "all")))
    zone = draw(st.sampled_from((None, "movable", "kernel")))
    where = tuple(draw(st.lists(st.integers(0, 3).map(lambda n: f"node{n}"), unique=True, max_size=2)))
    return MemoryItem(
        action=action, names=tuple(draw(st.lists(_NAMES, min_size=1, max_size=3, unique=True))) if kind == "names" else (),
        size=draw(st.integers(1, (1 << 52) - 1)) if kind == "size" else 0,
        zone="movable" if (action, kind, where) == ("offline", "all", ()) and zone is None else zone, where=where,
    )  # fmt: skip


@given(st.lists(items(), min_size=1, max_size=3))
def test_printing_and_reading_agree(memory: list[MemoryItem]) -> None:
    intent = parse_intent(", ".join(map(str, memory)))
    assert intent.memory == tuple(memory)
    assert parse_intent(str(intent)) == intent


def test_toml_says_the_same() -> None:
    text = """
[[item]]
mode = "fsdax"
size = "24G"

[[memory]]
online = ["memory32-memory39", "dax0.0"]
movable = true

[[memory]]
offline = "2G"
movable = false
on = "node1"

[[memory]]
online = "all"
"""
    assert read_intent(text) == parse_intent(
        "fsdax 24G, online memory32-39 dax0.0 movable, offline 2G no-movable node=1, online all"
    )


@pytest.mark.parametrize(
    ("text", "what", "column"),
    [
        ("online", "online what", 1),
        ("online movable", "online what", 1),
        ("offline all", "all memory of the machine", 1),
        ("online 4G memory3", "memory3 beside 4g", 11),
        ("online memory3 4G", "4g beside memory3", 16),
        ("fsdax 1G, online memory4-memory2", "memory4-memory2 runs backwards", 18),
        ("online 0x2000-0x1000", "runs backwards", 8),
        ("online memory1 on", "nothing behind", 16),
        ("online memory1 on region0", "'region0' is no place for memory", 19),
        ("online memory1 on nodex", "'nodex' is no place for memory", 19),
        ("offline memory1 name=db", "'name=db' is not understood", 17),
        ("offline 0", "is no amount of memory", 9),
    ],
)
def test_errors_say_where(text: str, what: str, column: int) -> None:
    with pytest.raises(InputError, match=re.escape(what)) as caught:
        parse_intent(text)
    assert caught.value.where == f"intent, column {column}"
    assert caught.value.remedy


@pytest.mark.parametrize(
    "text",
    [
        "memory = 3", "[[memory]]\n", '[[memory]]\nonline="all"\noffline="all"', '[[memory]]\nonline=4', '[[memory]]\nonline="x"',
        '[[memory]]\nonline="all"\nmovable=1', '[[memory]]\nonline="all"\nname="x"', '[[memory]]\noffline="all"',
        '[[memory]]\nonline=["all","memory3"]', '[[memory]]\nonline="all"\non="region0"',
    ],
)  # fmt: skip
def test_wrong_toml(text: str) -> None:
    with pytest.raises(InputError):
        read_intent(text)


# -- which blocks


@pytest.mark.parametrize(
    ("intent", "commands"),
    [
        ("online all", ["chmem -e -b 32-35", "chmem -e -b 48-51"]),
        ("online 768M", ["chmem -e -b 32-35", "chmem -e -b 48-49"]),
        ("online 128M movable", ["chmem -e -z Movable -b 32"]),
        ("online memory50 memory33-34", ["chmem -e -b 33-34", "chmem -e -b 50"]),
        ("online 0x118000000-0x11fffffff no-movable", ["chmem -e -z Normal -b 35"]),
        ("online memory32-memory35 movable, offline 256M", ["chmem -e -z Movable -b 32-35", "chmem -d -b 34-35"]),
        (
            "online all, offline all movable",
            ["chmem -e -b 32-35", "chmem -e -b 48-51", "chmem -d -b 32-35", "chmem -d -b 48-51"],
        ),
        ("offline 256M no-movable", ["chmem -d -b 13-14"]),
        ("offline memory5 memory32", ["chmem -d -b 5"]),
        ("online memory3", []),
    ],
)
@pytest.mark.parametrize("kernel", ["4.19", "5.10", "6.12", "7.2"])
def test_the_exact_commands(kernel: str, intent: str, commands: list[str]) -> None:
    machine = f"{kernel}; 1M-2G ram" + (
        RAM if kernel != "4.19" else RAM.replace("auto_online=offline", "auto_online=offline")
    )
    assert _commands(machine, intent) == commands


def test_kernel_zones_by_their_name() -> None:
    """Below 4 GiB the kernel zone is DMA32: chmem -z asks for a name."""
    machine = _played(BOOT, "chmem -d -b 5-6").copy()
    plan = make_plan(machine, parse_intent("online memory5-memory6 no-movable"))
    assert [command.text for command in plan.commands] == ["chmem -e -z DMA32 -b 5-6"]
    assert plan.memory[0].zone == "DMA32"


def test_a_node_and_a_device() -> None:
    machine = _played(
        PMEM.replace("offline;", "offline possible_nodes=2;") + " target_node=1",
        "ndctl create-namespace -m devdax > /dev/null", "daxctl reconfigure-device -N -m system-ram dax0.0", "chmem -e -b 34",
    )  # fmt: skip
    for text in ("online dax0.0", "online all on node1"):
        plan = make_plan(machine, parse_intent(text))
        assert [command.text for command in plan.commands] == ["chmem -e -b 33", "chmem -e -b 35-39"]
        assert {(each.numa_node, each.devices) for each in plan.memory} == {(1, ("dax0.0",))}
        shown = [each.shows for each in plan.commands[-1].expect if each.tool == "daxctl"]
        assert shown[0] is not None
        assert (shown[0]["online_memblocks"], shown[0]["movable"]) == (7, True)
        assert not plan.notes
    plan = make_plan(machine, parse_intent("fsdax 16M, online memory5"), nearest=False)
    assert plan.impossible, "the region is full"
    plan = make_plan(machine, parse_intent("online memory5"))
    assert any('"online dax0.0" plans' in note and "chmem -e -b 33, chmem -e -b 35-39" in note for note in plan.notes)
    with pytest.raises(InputError, match="no such node"):
        make_plan(machine, parse_intent("online all on node3"))
    with pytest.raises(InputError, match=r"dax7\.0 is not there"):
        make_plan(machine, parse_intent("online dax7.0"))
    with pytest.raises(InputError, match="memory99 is not there"):
        make_plan(machine, parse_intent("online memory99"))


def test_memory_that_a_plan_makes_can_be_named() -> None:
    plan = _plan(PMEM, "system-ram 512M, offline dax0.0, online memory33 no-movable")
    assert [command.argv[0] for command in plan.commands] == ["ndctl", "daxctl", "chmem", "chmem"]
    assert plan.commands[2].undo == (("chmem", "-e", "-z", "Movable", "-b", "33-35"),)
    assert plan.after.state.blocks[33].zone == "Normal"
    assert any(note.startswith("dax0.0 is system-ram, and 2 of its 3") for note in plan.notes) is False, (
        "it is meant so"
    )


def test_an_undo_is_there_only_where_the_model_goes_back() -> None:
    """The first block of an empty kernel zone gets pages of the kernel, and stays."""
    plan = _plan(MORE, "online memory32-memory33 no-movable, online memory34 movable")
    assert [command.undo for command in plan.commands] == [None, (("chmem", "-d", "-b", "34"),)]
    assert any("taking it back may be refused" in note for note in plan.notes)


def test_page_structs_in_the_blocks_themselves_make_no_difference() -> None:
    machine = (
        "6.12; 1M-2G ram; with auto_online=offline memmap_on_memory=Y; acpi_memory_device_add 0x100000000-0x11fffffff"
    )
    plan = _plan(machine, "online all, offline memory33-memory34")
    assert plan.before.state.blocks[33].nr_vmemmap_pages == 512
    assert [command.undo for command in plan.commands] == [
        (("chmem", "-d", "-b", "32-35"),),
        (("chmem", "-e", "-z", "Movable", "-b", "33-34"),),
    ]


# -- what can not be had


@pytest.mark.parametrize(
    ("machine", "intent", "why", "rule", "says", "nearest"),
    [
        (BOOT, "offline memory0-memory3", "memory0: a block in two zones", "multizone-block", "Invalid argument",
         ["offline memory1-memory3"]),
        (BOOT, "offline memory15", "memory15: pages that can not be isolated", "isolation-failure", "Device or resource busy", []),
        ("6.12; 1M-2G ram; with unmovable=4,9", "offline memory3-memory5 memory9", "memory4, memory9: pages", "isolation-failure", "busy",
         ["offline memory3 memory5"]),
        ("6.12; 1M-2000M ram, 2000M-3G pmem", "offline memory15", "memory15: a block with a hole never", "memory-holes", "Invalid argument",
         []),
        (MORE, "online 500M", "whole blocks of 128 MiB", "memory-block-size", "Size must be aligned", ["online 384M", "online 512M"]),
        (MORE, "online 0x100100000-0x10fffffff", "whole blocks", "memory-block-size", "Start address and",
         ["online 0x108000000-0x10fffffff", "online 0x100000000-0x10fffffff"]),
        (MORE, "online memory34-memory49", "memory36-memory47 of it are not there", None, "",
         ["online memory34-memory35 memory48-memory49"]),
        (MORE, "online 10G", "1 GiB is offline: no more", None, "", ["online 1G"]),
        (BOOT, "offline 256M", "nothing in ZONE_MOVABLE can go offline", None, "", ["offline 256M no-movable"]),
        (BOOT, "online memory5 movable", "memory5 is online in DMA32, and a block changes its zone only", "block-state", "",
         ["offline memory5, online memory5 movable"]),
        (BOOT, "offline memory5-memory6 movable", "not in ZONE_MOVABLE", None, "", ["offline memory5-memory6"]),
        (PMEM, "devdax rest, online dax0.0", "is no memory of the system", "kmem", "", []),
    ],
)  # fmt: skip
def test_what_can_not_be_had(
    machine: str, intent: str, why: str, rule: str | None, says: str, nearest: list[str]
) -> None:
    plan = _plan(machine, intent)
    assert not plan.commands
    (wrong,) = plan.impossible
    assert why in wrong.why
    assert wrong.rule == rule
    assert says in "\n".join(wrong.says)
    assert list(wrong.nearest) == nearest
    jsonschema.validate(to_json(plan), SCHEMA)
    for text in nearest:
        assert not _plan(machine, text).impossible


def test_only_what_is_named_goes_offline() -> None:
    """A size takes from ZONE_MOVABLE alone, and never from a node that was not named."""
    machine = f"6.12; 1M-2G ram{RAM}; online_movable memory34; online_movable memory48; online_kernel memory32; online_kernel memory33"
    plan = _plan(machine, "offline 256M")
    assert [command.text for command in plan.commands] == ["chmem -d -b 34", "chmem -d -b 48"]
    (wrong,) = _plan(machine, "offline 384M").impossible
    assert wrong.nearest == ("offline 256M", "offline 384M no-movable")


# -- laws


_BOARDS = st.builds(
    lambda kernel, policy, steps: _played(f"{kernel}; 1M-1G ram; with auto_online={policy}; add_memory 0x100000000-0x11fffffff", *steps),
    st.sampled_from(("4.19", "5.4", "5.10", "6.1", "6.12", "7.2")),
    st.sampled_from(("offline", "online")),
    st.lists(st.sampled_from(("-d -b 2-3", "-e -b 33", "-e -z Normal -b 32-34", "-d -b 0-40")).map("chmem {}; true".format), max_size=3),
)  # fmt: skip
_WORDS = st.builds(
    lambda action, what, zone: f"{action} {what} {zone}".strip(),
    st.sampled_from(("online", "offline")),
    st.sampled_from(
        (
            "all on node0",
            "128M",
            "384M",
            "200M",
            "memory2-memory4",
            "memory33",
            "memory32-35",
            "memory0-memory40",
            "0x100000000-0x10fffffff",
        )
    ),
    st.sampled_from(("", "movable", "no-movable")),
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(_BOARDS, st.lists(_WORDS, min_size=1, max_size=2))
def test_a_plan_of_memory_is_what_the_model_does(board: Machine, words: list[str]) -> None:
    before = board.snapshot()
    plan = make_plan(board, parse_intent(", ".join(words)))
    assert board.snapshot() == before
    document = to_json(plan)
    jsonschema.validate(document, SCHEMA)
    assert all(
        len(line) <= 40 or len(line.split()) == 1
        for line in render_text(plan, 40, picture=False).splitlines()
        if "\\" not in line
    )
    for wrong in plan.impossible:
        assert not plan.commands
        for near in wrong.nearest:
            assert str(parse_intent(near)) == near
            assert not make_plan(board, parse_intent(near), nearest=False).impossible, near
    if plan.impossible:
        return
    other = board.copy()
    player = Player(other)
    for command in plan.commands:
        assert command.argv[0] == "chmem"
        last = {number: (block.state, block.zone) for number, block in other.state.blocks.items()}
        assert player.step(command.text, parse_step(command.text), tty=False).exit_code == 0
        for argv in command.undo or ():
            trial = Player(other.copy())
            for each in command.undo or ():
                text = " ".join(each)
                assert trial.step(text, parse_step(text), tty=False).exit_code == 0, argv
            assert {
                number: (block.state, block.zone) for number, block in trial.machine.state.blocks.items()
            } == last or (not board.kernel.features.block_records_zone)
            break
    assert other.snapshot() == plan.after.snapshot()
    changed = {
        number for number, block in board.state.blocks.items() if other.state.blocks[number].state != block.state
    }
    told = {number for each in plan.memory for number in range(*each.blocks)}
    assert changed <= told
    for each in plan.memory_after:
        assert sum((each.kernel, each.movable, each.offline)) == sum(
            sum((same.kernel, same.movable, same.offline))
            for same in plan.memory_before
            if same.numa_node == each.numa_node
        )


# -- the script


def test_the_script_checks_every_block(tmp_path: Path) -> None:
    """Run by a real shell, with a chmem that does what it is told to files, and one that puts a block into another zone."""
    plan = _plan(MORE, "online memory32-memory33 movable, offline memory33")
    script = to_script(plan).replace("/sys/devices/system/memory", str(tmp_path / "memory"))
    assert script.count("command -v chmem") == 1
    chmem = """#!/bin/sh
eval last=\\${$#}
for number in $(seq ${last%-*} ${last#*-}); do
  block=BASE/memory$number
  case $1 in -e) echo online > $block/state; echo ZONE > $block/valid_zones ;; -d) echo offline > $block/state ;; esac
done
"""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/id").write_text("#!/bin/sh\necho 0\n")
    for zone, code, said in (
        ("Movable", 0, ""),
        ("Normal", 1, "memory32 is online in Normal, not online in Movable: stopped\n"),
    ):
        for number in (32, 33):
            (tmp_path / f"memory/memory{number}").mkdir(parents=True, exist_ok=True)
            (tmp_path / f"memory/memory{number}/state").write_text("offline\n")
        (tmp_path / "bin/chmem").write_text(chmem.replace("BASE", str(tmp_path / "memory")).replace("ZONE", zone))
        for name in ("chmem", "id"):
            (tmp_path / "bin" / name).chmod(0o755)
        done = subprocess.run(
            ["/bin/sh"],
            input=script,
            capture_output=True,
            text=True,
            check=False,
            env={"PATH": f"{tmp_path}/bin:/usr/bin:/bin"},
        )
        assert (done.returncode, done.stderr) == (code, said)
    assert "blocks 32 33 'online in Movable'" in script
    assert "blocks 33 33 offline" in script
