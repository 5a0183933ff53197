"""Command lines as ndctl, daxctl and cxl 76.1 read them: random ones, recorded from the real tools on a machine without devices."""

from __future__ import annotations

import json

import pytest

from sparsemem.tools import cxl, daxctl, ndctl
from sparsemem.tools.options import Option, parse_options
from sparsemem.tools.result import Console, ToolExit, ToolResult
from tests.tools.recorded_tree import HERE, RecordedTree

REAL: dict[str, tuple[str, str, int]] = json.loads((HERE / "words.json").read_text())
TREE = RecordedTree("")


def run(line: str) -> ToolResult:
    tool, *argv = line.split(" ")
    main = {"ndctl": ndctl.main, "daxctl": daxctl.main, "cxl": cxl.main}[tool]
    return main(TREE, argv, Console(tty=False))


@pytest.mark.parametrize("line", REAL)
def test_as_the_real_tool(line: str) -> None:
    assert run(line)[:3] == tuple(REAL[line])


def test_the_recording_is_worth_something() -> None:
    texts = [err for _, err, _ in REAL.values()]
    for words in (
        "Ambiguous option",
        "unknown switch",
        "unknown option",
        "takes no value",
        "requires a value",
        "numerical",
        "did you mean",
    ):
        assert any(words in text for text in texts), words
    assert len(REAL) > 200


OPTIONS = (
    Option("", "no-movable", "bool", "no_movable", "", ""),
    Option("s", "size", "str", "size", "size", ""),
    Option("n", "number", "uint", "number", "n", ""),
    Option("v", "verbose", "incr", "verbose", "", ""),
)


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("--no-movable", {"no_movable": True}),
        ("--movable", {"no_movable": False}),
        ("--mov", {"no_movable": False}),
        ("--no-no-movable", {"no_movable": False}),
        ("-vvs1M", {"verbose": 2, "size": "1M"}),
        ("-v --no-verbose", {"verbose": 0}),
        ("--no-size", {"size": None}),
        ("--size= --num=-1", {"size": "", "number": 0xFFFFFFFF}),
        ("-n 99999999999999999999", {"number": 0xFFFFFFFF}),
    ],
)
def test_values(line: str, values: dict[str, object]) -> None:
    assert parse_options(line.split(), OPTIONS, "x", Console()) == (values, [])


@pytest.mark.parametrize(
    "line", ["-n x", "--size", "--no-size=1", "--verbose=1", "-h", "--help-all", "-x", "--x", "-verbose"]
)
def test_refused_with_129(line: str) -> None:
    with pytest.raises(ToolExit) as left:
        parse_options(line.split(), OPTIONS, "x", Console())
    assert left.value.code == 129


def test_what_crashes_in_the_real_tool() -> None:
    """strcmp(NULL) in dimm_action(): the shell says 139."""
    assert run("ndctl init-labels --no-label-version all")[:3] == ("", "", 139)
