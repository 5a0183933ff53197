"""CXL regions in a plan: the intent, what is chosen (against brute force), what can not be had and in whose words, bytes, the script."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sparsemem.errors import InputError, NotModelledError
from sparsemem.planner import make_plan, parse_intent, render_text, shell_text, to_json, to_script
from sparsemem.planner.toml_intent import read_intent
from sparsemem.play.player import Player
from sparsemem.play.shell import parse_step
from sparsemem.tools import cxl, ndctl
from sparsemem.tools.result import Console
from sparsemem.tools.tree import MachineTree
from tests.planner.machines import GIB, MIB, cxl_machine, machine

if TYPE_CHECKING:
    from sparsemem.machine.machine import Machine
    from sparsemem.planner import Plan

SCHEMA = json.loads((Path(__file__).parents[2] / "docs/plan.schema.json").read_text())
DESTROY = ("cxl", "destroy-region", "-f", "region0")


def _plan(board: Machine, text: str, **words: object) -> Plan:
    plan = make_plan(board, parse_intent(text), **words)  # type: ignore[arg-type]
    jsonschema.validate(to_json(plan), SCHEMA)
    assert all(len(line) <= 60 or "\\" in line for line in render_text(plan, 60, picture=False).splitlines())
    return plan


def _run(board: Machine, *argv: str) -> str:
    text = shell_text(argv)
    step = Player(board).step(text, parse_step(text))
    assert step.exit_code == 0, step
    return step.stdout


# -- the intent


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("region on mem0 mem1 ways=2 granularity=4K, rest fsdax", "region on mem0 mem1 ways=2 granularity=4096, fsdax rest"),
        ("region size=512M", "region 512M"),
        ("REGION rest on MEM1 decoder=decoder0.0", "region on mem1 decoder=decoder0.0"),
        ("replace region0 namespace1.0, region", "replace region0, replace namespace1.0, region"),
        ("replace all region0 namespace0.0, region", "replace all, replace region0, region"),
    ],
)  # fmt: skip
def test_the_text(text: str, same: str) -> None:
    intent = parse_intent(text)
    assert str(intent) == same
    assert parse_intent(same) == intent


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("region on", "nothing behind 'on'"),
        ("region mem0", "'mem0' is not understood behind region"),
        ("region on mem0 mem0", "mem0 is there twice"),
        ("region on dax0.0", "is no CXL memory device"),
        ("region name=db", "a region has no name="),
        ("region ways=0", "ways=0"),
        ("region ways=many", "ways=many"),
        ("region 1G size=2G", "size is there twice"),
        ("region granularity=much", "granularity: "),
        ("region type=mixed", "type=mixed"),
        ("region decoder=root0", "decoder=root0"),
    ],
)
def test_what_is_no_region(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        parse_intent(text)


def test_toml_says_the_same() -> None:
    text = """replace = ["region0"]
[[region]]
on = ["mem0", "mem1"]
ways = 2
granularity = "4K"
size = "1G"
[[item]]
mode = "fsdax"
amount = "rest"
"""
    assert read_intent(text) == parse_intent(
        "replace region0, region 1G on mem0 mem1 ways=2 granularity=4096, fsdax rest"
    )
    for wrong in ("on = [7]", "ways = true", "size = 0", 'name = "db"', 'on = "mem0 mem1"'):
        with pytest.raises(InputError, match="region 1"):
            read_intent(f"[[region]]\n{wrong}\n")


# -- what is chosen


def _best(board: Machine) -> int:
    """The largest region of every choice of devices in every order, by what ``cxl`` makes and lists."""
    best, depth = 0, len(board.history)
    names = [f"mem{number}" for number in range(board.state.misc["cxl:root0"].devices)]
    for ways in range(1, len(names) + 1):
        for chosen in itertools.permutations(names, ways):
            argv = ["create-region", "-t", "pmem", "-d", "decoder0.0", "-w", str(ways), "-m", *chosen]
            cxl.main(MachineTree(board), argv, Console(tty=False))
            listed = cxl.main(MachineTree(board), ["list", "-R"], Console(tty=False)).stdout
            best = max([best, *(int(each["size"]) for each in json.loads(listed or "[]"))])
            while len(board.history) > depth:
                board.undo()
    return best


@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.sampled_from((256, 512, 768, 1280)), min_size=1, max_size=4), st.sampled_from(("256M", "1G", "1280M", "4G")),
    st.sampled_from(("6.1", "6.12", "7.2")),
)  # fmt: skip
def test_no_choice_of_devices_gives_a_larger_region(sizes: list[int], window: str, kernel: str) -> None:
    board = cxl_machine(kernel, *sizes, window=window)
    best, plan = _best(board), _plan(board, "region")
    assert not plan.impossible
    assert plan.regions[0].range.size == best
    for each in plan.cxl:
        assert sum(each.parts.values()) == each.size
        assert min(each.parts.values()) >= 0


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=4, unique=True), st.sampled_from((None, 1, 2, 3, 4)),
    st.sampled_from((None, 256, 512, 700, 768, 1024, 2048)), st.sampled_from((None, 128, 256, 4096, 16384, 32768)),
)  # fmt: skip
def test_a_named_region_can_be_had_where_cxl_makes_it(
    devices: list[int], ways: int | None, size: int | None, granularity: int | None
) -> None:
    """The planner and somebody who types the same at cxl agree, in every order of devices."""
    board = cxl_machine("6.12", 256, 512, 512, 768)
    names = [f"mem{number}" for number in devices]
    options = [("-w", ways), ("-g", granularity), ("-s", size and f"{size}M")]
    other = board.copy()
    words = [word for option, value in options if value for word in (option, str(value))]
    cxl.main(MachineTree(other), ["create-region", "-d", "decoder0.0", *words, "-m", *names], Console(tty=False))
    listed = json.loads(cxl.main(MachineTree(other), ["list", "-R", "-T"], Console(tty=False)).stdout)
    text = "region " + (f"{size}M " if size else "") + "on " + " ".join(names)
    text += f" ways={ways}" * bool(ways) + f" granularity={granularity}" * bool(granularity)
    plan = _plan(board, text, nearest=False)
    assert bool(plan.impossible) == (not listed), text
    if listed:
        region = plan.regions[0]
        assert (region.range.start, region.range.size) == (listed[0]["resource"], listed[0]["size"])
        order = sorted(listed[0]["mappings"], key=lambda each: each["position"])
        assert region.memdevs == tuple(each["memdev"] for each in order)
        assert region.granularity == listed[0]["interleave_granularity"]


def test_devices_of_one_size_are_interleaved_and_the_small_one_is_left_out() -> None:
    plan = _plan(cxl_machine("6.12", 256, 768, 768), "region, fsdax rest")
    assert plan.regions[0].memdevs == ("mem1", "mem2")
    assert plan.regions[0].range.size == 1536 * MIB
    assert {each.name: each.no_decoder for each in plan.cxl} == {
        "mem0": 256 * MIB,
        "mem1": 0,
        "mem2": 0,
        "decoder0.0": 0,
    }


def test_the_commands() -> None:
    plan = _plan(cxl_machine(), "region on mem1 mem0 granularity=4096, fsdax 512M, devdax rest")
    assert [command.text for command in plan.commands] == [
        "cxl create-region -t pmem -d decoder0.0 -w 2 -g 4096 -s 1G -m mem1 mem0",
        "ndctl create-namespace -r region0 -m fsdax -s 512M",
        "ndctl create-namespace -r region0 -m devdax -s 512M",
    ]
    assert plan.commands[0].undo == (DESTROY,)
    expect = plan.commands[0].expect[0]
    assert (expect.tool, expect.dev) == ("cxl", "region0")
    assert expect.shows == {
        "size": GIB, "interleave_ways": 2, "interleave_granularity": 4096, "decode_state": "commit",
    }  # fmt: skip
    other = plan.before.copy()
    for command in plan.commands:
        _run(other, *command.argv)
    assert other.snapshot() == plan.after.snapshot()


# -- what is there already


def _used(text: str = "region on mem0 mem1, fsdax 256M name=old") -> Machine:
    return _plan(cxl_machine(), text).after.copy()


def test_replacing_a_region_names_everything_on_it() -> None:
    plan = _plan(_used(), "replace region0, region on mem1, devdax rest")
    assert [command.text for command in plan.commands][:3] == [
        "ndctl destroy-namespace -f namespace0.0", "cxl destroy-region -f region0",
        "cxl create-region -t pmem -d decoder0.0 -w 1 -s 768M -m mem1",
    ]  # fmt: skip
    assert plan.commands[0].destroys == ("namespace0.0",)
    assert plan.commands[1].undo is not None
    assert [" ".join(argv) for argv in plan.commands[1].undo] == [
        "cxl create-region -t pmem -d decoder0.0 -w 2 -g 256 -s 1G -m mem0 mem1"
    ]


@pytest.mark.parametrize("text", ["replace all, fsdax rest", "fsdax 64M", "keep, devdax rest"])
def test_a_region_that_is_not_named_stays(text: str) -> None:
    plan = _plan(_used(), text)
    assert not [command for command in plan.commands if command.argv[0] == "cxl"]


def test_a_mounted_namespace_keeps_its_region() -> None:
    board = _used()
    _run(board, "mkfs.ext4", "/dev/pmem0")
    _run(board, "mount", "/dev/pmem0", "/mnt")
    plan = _plan(board, "replace region0, region on mem1")
    assert plan.impossible[0].what.startswith("ndctl destroy-namespace -f namespace0.0 is refused")
    assert any("busy" in line for line in plan.impossible[0].says)


def test_memory_is_taken_offline_before_its_region_goes() -> None:
    plan = _plan(_used("region, system-ram 512M"), "replace region0, region on mem1, fsdax rest")
    assert [" ".join(command.argv[:2]) for command in plan.commands] == [
        "daxctl reconfigure-device", "ndctl destroy-namespace", "cxl destroy-region", "cxl create-region", "ndctl create-namespace",
    ]  # fmt: skip


def test_namespaces_of_the_same_devices_come_back_and_are_kept() -> None:
    board = _used()
    _run(board, *DESTROY)
    plan = _plan(board, "region on mem0 mem1, devdax rest")
    assert plan.regions[0].found == ("namespace0.0",)
    assert "namespace0.0 comes back with region0" in plan.notes[0]
    assert [(each.dev, each.raw) for each in plan.namespaces] == [("namespace0.1", 768 * MIB)]
    assert plan.commands[0].undo == (("ndctl", "disable-namespace", "namespace0.0"), DESTROY)
    replaced = _plan(board, "replace all, region on mem0 mem1, devdax rest")
    assert [each.raw for each in replaced.namespaces] == [GIB]
    assert replaced.commands[1].destroys == ("namespace0.0",)


def test_labels_of_another_region_hold_the_capacity() -> None:
    """ndctl issue 297: "No space left on device", once and not the next time. The labels are named, and forgotten only where they are."""
    board = _used("region on mem0, fsdax 256M")
    _run(board, *DESTROY)
    wrong = _plan(board, "region on mem0 mem1, fsdax rest").impossible[0]
    assert wrong.rule == "label-set"
    assert "hold 256 MiB of mem0" in wrong.why
    assert wrong.nearest == ("replace mem0, region on mem0 mem1, fsdax rest",)
    plan = _plan(board, wrong.nearest[0])
    assert plan.commands[0].argv == ("ndctl", "init-labels", "-f", "nmem0")
    assert (plan.commands[0].destroys, plan.commands[0].undo) == (("mem0",), None)
    assert [each.raw for each in plan.namespaces] == [GIB]
    assert _plan(board, "region on mem0, fsdax rest").regions[0].found == ("namespace0.0",)


def test_labels_in_use_are_not_forgotten() -> None:
    plan = _plan(_used(), "replace mem0, fsdax 64M")
    assert plan.impossible[0].what.startswith("ndctl init-labels -f nmem0 is refused")


# -- what can not be had


@pytest.mark.parametrize(
    ("text", "rule", "says", "nearest"),
    [
        ("region 700M on mem0 mem1", "cxl-256m", "set_size failed: Invalid argument", "region 512M on mem0 mem1"),
        ("region 700M on mem0 mem1", "cxl-256m", "set_size failed: Invalid argument", "region 1G on mem0 mem1"),
        ("region on mem0 mem1 ways=3", "cxl-region-config", "Interleave ways 3 is greater", "region on mem0 mem1"),
        ("region on mem0 granularity=1000", "cxl-region-config", "granularity failed", "region on mem0 granularity=512"),
        ("region on mem0 granularity=1000", "cxl-region-config", "granularity failed", "region on mem0 granularity=1024"),
        ("region 768M on mem0", "cxl-capacity", "set_dpa_size failed: No space left on device", "region 512M on mem0"),
        ("region 768M on mem0", "cxl-capacity", "set_dpa_size failed: No space left on device", "region 768M on mem1"),
        ("region 8G on mem0", "cxl-window-space", "exceeds max available space", "region 512M on mem0"),
        ("region on mem0, region on mem1", "cxl-decoder-busy", "failed to set target0 to mem1", "region on mem0"),
        ("region on mem0, region on mem1", "cxl-decoder-busy", "failed to set target0 to mem1", "region"),
        ("region ways=4", "cxl-region-config", "Interleave ways 4 is greater", "region 1G on mem0 mem1"),
    ],
)  # fmt: skip
def test_why_not(text: str, rule: str, says: str, nearest: str) -> None:
    wrong = _plan(cxl_machine(), text).impossible[0]
    assert wrong.rule == rule
    assert wrong.says[0].startswith("cxl create-region ")
    assert any(says in line for line in wrong.says), wrong.says
    assert nearest in wrong.nearest


def test_three_ways_need_three_host_bridges() -> None:
    wrong = _plan(cxl_machine("6.12", 512, 512, 512), "region on mem0 mem1 mem2").impossible[0]
    assert "1, 2, 4, 8 or 16 devices can be interleaved, not 3" in wrong.why
    assert any("set_interleave_ways failed" in line for line in wrong.says)
    assert "region on mem0 mem1" in wrong.nearest


def test_a_region_that_is_there_has_the_decoder() -> None:
    board = _used("region 256M on mem0")
    wrong = _plan(board, "region on mem1, fsdax 64M").impossible[0]
    assert wrong.rule == "cxl-decoder-busy"
    assert wrong.nearest == ("fsdax 64M", "replace region0, region on mem1, fsdax 64M")


@pytest.mark.parametrize(("kernel", "had"), [("6.1", True), ("6.12", False), ("7.2", False)])
def test_a_guest_that_says_so_commits_no_region(kernel: str, had: bool) -> None:
    """ndctl issue 250: "Failed to synchronize CPU cache state"."""
    plan = _plan(cxl_machine(kernel, hypervisor=True), "region")
    assert bool(plan.regions) == had
    if not had:
        assert plan.impossible[0].rule == "cxl-cache-flush"
        assert any("Failed to synchronize CPU cache state" in line for line in plan.impossible[0].says)
        assert plan.impossible[0].nearest == ()


@pytest.mark.parametrize(("kernel", "had"), [("6.12", True), ("7.2", False)])
def test_a_device_without_a_serial_number(kernel: str, had: bool) -> None:
    plan = _plan(cxl_machine(kernel, serial=False), "region on mem0")
    assert bool(plan.regions) == had
    assert had or plan.impossible[0].rule == "cxl-serial"


def test_devices_without_a_driver() -> None:
    missed = _plan(cxl_machine("6.12", cmdline=""), "region").impossible[0]
    assert "pci=nomsi" in missed.why
    board = cxl_machine()
    _run(board, "cxl", "disable-memdev", "-f", "mem1")
    wrong = _plan(board, "region on mem0 mem1").impossible[0]
    assert "mem1 has no driver (cxl enable-memdev mem1)" in wrong.why
    assert wrong.nearest[0] == "region 512M on mem0"
    assert [each.disabled for each in _plan(board, "region").cxl] == [0, 768 * MIB, 0]


def test_what_is_not_modelled_is_said() -> None:
    for text, words in (("region on mem0 type=ram", "RAM regions are not modelled"),):
        with pytest.raises(NotModelledError, match="I cannot tell") as caught:
            make_plan(cxl_machine(), parse_intent(text))
        assert words in str(caught.value.why)
    with pytest.raises(NotModelledError, match="create-region of 81"):
        make_plan(cxl_machine(), parse_intent("region"), ndctl=(81,))


@pytest.mark.parametrize(
    ("board", "text", "words"),
    [
        (cxl_machine(), "region on mem7", "no such CXL memory device"),
        (cxl_machine(), "fsdax rest on region0", "no such region or node"),
        (cxl_machine(), "replace region0", "no such CXL region"),
        (cxl_machine(), "replace mem7, region", "no such CXL memory device"),
        (cxl_machine(), "region on mem0 decoder=decoder0.1", "no root decoder of this machine"),
        (machine("6.12", GIB), "region on mem0", "the machine has no CXL"),
        (machine("6.12", GIB), "replace region0, fsdax rest", "no such CXL region"),
        (machine("5.10", GIB), "region", "5.10.* makes no CXL regions"),
    ],
)
def test_what_is_not_there(board: Machine, text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        make_plan(board, parse_intent(text))


def test_a_place_that_is_not_there_yet_is_made() -> None:
    with pytest.raises(InputError) as caught:
        make_plan(cxl_machine(), parse_intent("fsdax rest on region0"))
    assert '"region on mem0 mem1, ..."' in str(caught.value.remedy)
    assert _plan(cxl_machine(), "region on mem0 mem1, fsdax rest on region0").namespaces


# -- what is offered


def test_where_no_region_is_there_one_is_offered_and_not_made() -> None:
    board = cxl_machine()
    plan = _plan(board, "fsdax 512M")
    assert not plan.commands
    assert plan.impossible[0].nearest == ("region on mem0 mem1, fsdax 512M", "region on mem1, fsdax 512M")
    assert "mem0 (512 MiB) and mem1 (768 MiB) are in no CXL region" in plan.impossible[0].why
    less = _plan(board, "fsdax 2G").impossible[0]
    assert less.nearest[0] == "region on mem0 mem1, fsdax 1G"
    for text in (*plan.impossible[0].nearest, *less.nearest):
        assert str(parse_intent(text)) == text
        assert not make_plan(board, parse_intent(text), nearest=False).impossible


def test_a_larger_region_is_near() -> None:
    near = _plan(cxl_machine(), "region 256M on mem0, fsdax 400M").impossible[0].nearest
    assert near[0] == "region on mem0, fsdax 400M"


@settings(max_examples=8, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(
        ("region 700M", "region on mem0 mem1 ways=3", "region ways=2 granularity=3000", "region 1G on mem1", "region 256M")
    ),
    st.sampled_from(("", ", fsdax 300M", ", fsdax usable 700M, sector 64M", ", 3 x devdax 512M")),
)  # fmt: skip
def test_the_nearest_can_be_had(region: str, items: str) -> None:
    board = cxl_machine()
    plan = _plan(board, region + items)
    assert plan.commands or plan.impossible
    for text in (near for wrong in plan.impossible for near in wrong.nearest):
        assert str(parse_intent(text)) == text
        assert not make_plan(board, parse_intent(text), nearest=False).impossible, text


# -- the script


def test_the_script_checks_the_region() -> None:
    script = to_script(_plan(cxl_machine(), "region on mem0 mem1, fsdax rest"))
    assert 'cxl) cxl list -R -i -r "$2" ;;' in script
    assert 'command -v cxl > /dev/null || stop "cxl is not installed"' in script
    assert "# undo: cxl destroy-region -f region0" in script
    assert "check cxl region0 size 1073741824\ncheck cxl region0 interleave_ways 2\n" in script
    gone = to_script(_plan(_used(), "replace region0"))
    assert "gone cxl region0" in gone
    assert "cxl" not in to_script(_plan(_used(), "sector 64M"))


def test_ndctl_lists_what_the_plan_says() -> None:
    plan = _plan(cxl_machine("7.2"), "region, 2 x fsdax 256M")
    shown = json.loads(ndctl.main(MachineTree(plan.after), ["list", "-R", "-N"], Console(tty=False)).stdout)
    assert shown["regions"][0]["available_size"] == 512 * MIB
    assert len(shown["regions"][0]["namespaces"]) == 2
