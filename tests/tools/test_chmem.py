"""chmem and lsmem against the real ones of util-linux 2.38.1: recorded, and live where they are installed."""

from __future__ import annotations

import functools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsemem.errors import NotModelledError
from sparsemem.machine.notation import parse_machine
from sparsemem.tools import chmem, lsmem
from sparsemem.tools.result import Console
from sparsemem.tools.tree import MachineTree
from tests.tools.plain_memory import BOARDS, CASES, RECORDED, REFUSES, Blocks, can_run, modelled, really

ANSWERS: dict[str, dict[str, Any]] = json.loads(RECORDED.read_text())["answers"]


@pytest.mark.parametrize("case", CASES)
def test_says_and_writes_what_the_real_one_does(case: str) -> None:
    board, argv = BOARDS[case.split(": ")[0]], case.split(": ")[1].split()
    ours, real = modelled(board, argv), ANSWERS[case]
    before = {f"memory{nr}": state if state == REFUSES else f"{state}\n" for nr, (state, _, _) in board[1].items()}
    ours["states"] = {name: text for name, text in ours["states"].items() if before[name] != text}
    assert ours == real


def test_every_case_is_recorded() -> None:
    assert set(ANSWERS) == set(CASES)
    assert len({json.dumps(answer) for answer in ANSWERS.values()}) > 80, "the cases differ"


_STATES = st.sampled_from(["online", "offline", "going-offline", REFUSES])
_ZONES = st.sampled_from(
    ["Normal", "DMA32", "Movable", "None", "Normal Movable", "Movable Normal", "DMA32 Movable", "DMA"]
)
_BLOCKS = st.dictionaries(st.integers(0, 12), st.tuples(_STATES, _ZONES, st.integers(-1, 1)), min_size=1)
_WHAT = st.one_of(
    st.builds(
        lambda size, unit: f"{size}{unit}",
        st.integers(0, 40),
        st.sampled_from(["g", "28m", "024", "M", "GiB", ".5g", ".25GiB"]),
    ),
    st.builds(lambda a, b: f"{a * 0x8000000:#x}-{b * 0x8000000 - 1:#x}", st.integers(0, 12), st.integers(1, 13)),
    st.builds(lambda a, b: f"{a}-{b}", st.integers(0, 12), st.integers(0, 13)),
    st.builds(str, st.integers(0, 12)),
)
_OPTIONS = st.lists(
    st.sampled_from(["-e", "-d", "-b", "-v", "-v", "-zMovable", "--zone=Normal", "-zdma", "--dis", "-vb"]), max_size=4
)


@functools.cache
def _can_run() -> bool:
    return can_run()


@settings(max_examples=60, deadline=None)
@given(_BLOCKS, _OPTIONS, _WHAT, st.booleans())
def test_live_chmem_on_any_tree(blocks: Blocks, options: list[str], what: str, enable: bool) -> None:
    if not _can_run():
        pytest.skip("no util-linux 2.38.1, or no mount namespace here")
    argv = ["chmem", "-e" if enable else "-d", *options, what]
    assert modelled((128 << 20, blocks), argv) == really((128 << 20, blocks), argv)


_LISTING = st.lists(
    st.sampled_from(
        [
            "-a",
            "-b",
            "-J",
            "-n",
            "-r",
            "-P",
            "-oZONES,STATE",
            "-o+NODE",
            "-Snode",
            "-Snone",
            "--output-all",
            "--summary",
        ]
    ),
    max_size=4,
)


@settings(max_examples=40, deadline=None)
@given(_BLOCKS, _LISTING)
def test_live_lsmem_on_any_tree(blocks: Blocks, options: list[str]) -> None:
    if not _can_run():
        pytest.skip("no util-linux 2.38.1, or no mount namespace here")
    one_node = {
        nr: ("online" if state == REFUSES else state, zones, max(node, 0))
        for nr, (state, zones, node) in blocks.items()
    }
    assert modelled((128 << 20, one_node), ["lsmem", *options]) == really((128 << 20, one_node), ["lsmem", *options])


# -- on a machine of the model


def _machine(
    text: str = "6.12; 1M-2G ram; with auto_online=offline; add_memory 0x100000000-0x11fffffff",
) -> MachineTree:
    return MachineTree(parse_machine(text))


def _chmem(tree: MachineTree, words: str, release: tuple[int, ...] = (2, 38)) -> tuple[int, str]:
    result = chmem.main(tree, words.split(), Console(tty=False), release)
    return result.exit_code, result.output


def test_each_write_is_an_operation_and_can_be_undone() -> None:
    tree = _machine()
    before = tree.machine.snapshot()
    assert _chmem(tree, "-e 512m") == (0, "")
    assert [block.zone for nr, block in tree.machine.state.blocks.items() if nr >= 32] == ["Movable"] * 4
    for _ in range(4):
        tree.machine.undo()
    assert tree.machine.snapshot() == before


def test_what_the_kernel_refuses_is_told_in_its_words() -> None:
    code, said = _chmem(_machine(), "-d -b 0-1")
    assert code == 64
    assert said == "chmem: Memory Block 0 (0x0000000000000000-0x0000000007ffffff) disable failed: Invalid argument\n"
    tree = _machine("6.12; 1M-2G ram; with unmovable=5")
    assert _chmem(tree, "-d -b 5") == (
        1,
        "chmem: Memory Block 5 (0x0000000028000000-0x000000002fffffff) disable failed: Device or resource busy\n",
    )


def test_a_zone_that_a_block_can_not_be_in() -> None:
    tree = _machine()
    assert _chmem(tree, "-e -z DMA32 -b 32")[1].endswith("enable failed: Zone mismatch\n")
    assert _chmem(tree, "-e -z Normal -b 32") == (0, "")
    assert tree.machine.state.blocks[32].zone == "Normal"
    assert _chmem(tree, "-d -z Movable -b 32")[1].endswith("disable failed: Zone mismatch\n")


def test_releases() -> None:
    tree = _machine()
    for release, word, other in (((2, 38), "--block", "--blocks"), ((2, 41), "--blocks", "--blockss")):
        assert _chmem(tree, f"-e {word} 0", release) == (0, "")
        assert f"unrecognized option '{other}'" in _chmem(tree, f"-e {other} 0", release)[1]
    assert "invalid option -- 'c'" in _chmem(tree, "-c 128m", (2, 41))[1]
    assert _chmem(tree, "-c 128m", (2, 42)) == (1, "Cannot configure. Use -e instead.\n")
    assert _chmem(tree, "-g -b 32", (2, 42)) == (1, "Cannot deconfigure. Use -d instead.\n")
    assert _chmem(tree, "-e -g 32", (2, 42)) == (
        1,
        "chmem: mutually exclusive arguments: --disable --enable --deconfigure --memmap-on-memory\n",
    )
    assert "--memmap-on-memory select" in _chmem(tree, "-h", (2, 42))[1]
    assert _chmem(tree, "-e -", (2, 42)) == (1, "chmem: Invalid parameter: -\n")
    with pytest.raises(NotModelledError, match="crashes"):
        _chmem(tree, "-e -", (2, 41))
    assert _chmem(tree, "-V", (2, 42)) == (0, "chmem from util-linux 2.42\n")
    with pytest.raises(NotModelledError, match="not modelled"):
        lsmem.main(tree, [], None, (2, 41))


def test_the_reader_of_lsmem_reads_what_lsmem_prints() -> None:
    from sparsemem.readers.lsmem import parse_lsmem

    tree = _machine()
    _chmem(tree, "-e -b 33")
    said = lsmem.main(tree, ["-J", "-o", "RANGE,SIZE,STATE,REMOVABLE,BLOCK,NODE,ZONES"], Console(tty=False)).stdout
    found, notes = parse_lsmem([json.loads(said)], "lsmem")
    assert not notes
    assert found.block_size == 128 << 20
    shown = {block.nr: (block.state, block.valid_zones, block.nid) for block in found.blocks}
    assert set(shown) == set(tree.machine.state.blocks)
    assert shown[33] == ("online", ("Movable",), 0)
    assert shown[32][0] == "offline"
