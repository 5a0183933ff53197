"""docs/planner.md is executed: every answer in it is what the program prints, to the letter."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import click.testing
import pytest

from sparsemem.cli.app import app
from sparsemem.planner.grammar import parse_intent
from sparsemem.planner.toml_intent import read_intent

DOC = (Path(__file__).parents[2] / "docs/planner.md").read_text()
BLOCKS = re.findall(r"<!-- run ?(\d*) -->\n```console\n\$ (.*?)\n(.*?)```\n", DOC, re.DOTALL)


def test_every_theme_has_an_example() -> None:
    assert re.findall(r"^### (\d+)\.", DOC, re.MULTILINE) == ["1", "2", "4", "5", "6", "10", "12", "13", "15"]
    assert len(BLOCKS) >= 12


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_the_answer_is_real(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, command, expected = BLOCKS[number]
    words = shlex.split(command)
    monkeypatch.chdir(tmp_path)
    if "--undo" in words:  # of the plan that the block before it carries out
        before = shlex.split(BLOCKS[number - 1][1])
        assert "--apply" in before
        click.testing.CliRunner().invoke(app, before[1:], standalone_mode=False)
    assert words[0] == "sparsemem"
    done = click.testing.CliRunner().invoke(app, words[1:], standalone_mode=False)
    assert done.exception is None
    assert done.stdout == expected
    assert done.return_value == int(code or 0)


def test_the_journal_has_the_events_that_the_page_tells_of(tmp_path: Path) -> None:
    from sparsemem.planner.apply.lines import _EVENTS

    told = re.findall(r"^\| `(\w+)` \|", DOC.partition("### The journal")[2], re.MULTILINE)
    assert set(told) - {"event"} == _EVENTS


def test_the_toml_of_the_page_is_an_intent() -> None:
    text = re.search(r"```toml\n(.*?)```", DOC, re.DOTALL)
    assert text is not None
    assert read_intent(text[1]) == parse_intent("replace namespace0.0, 2 x fsdax 24G name=db on region0")


def test_the_toml_of_memory_is_an_intent() -> None:
    (text,) = [each for each in re.findall(r"```toml\n(.*?)```", DOC, re.DOTALL) if "[[memory]]" in each]
    assert read_intent(text) == parse_intent("online memory32-memory39 dax0.0 movable on node1")


def test_each_part_of_the_balance_is_explained() -> None:
    schema = json.loads((Path(__file__).parents[2] / "docs/plan.schema.json").read_text())
    parts = set(schema["properties"]["balance"]["items"]["required"]) - {"region", "size", "stranded"}
    assert {name for name in parts if f"| `{name}`" in DOC} == parts
