"""README.md and docs/changes.md are executed: each block after ``<!-- run -->``.

A line of dots in the expected text stands for any lines."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"<!-- run -->\n```(\w+)\n(.*?)```\n(?:\n```text\n(.*?)```)?", re.DOTALL)
BLOCKS = [block for page in ("README.md", "docs/changes.md") for block in _BLOCK.findall((ROOT / page).read_text())]
_ANSWERS = (0, 10, 11, 12)
"""Exit codes of an answer: findings and differences are answers."""


def _run(argv: list[str]) -> str:
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode in _ANSWERS, done.stderr
    return done.stdout


def _matches(expected: str, real: str) -> bool:
    parts = [re.escape(part) for part in re.split(r"^ *\.\.\.\n", expected, flags=re.MULTILINE)]
    return re.fullmatch(r"(?:.*\n)*".join(parts), real) is not None


@pytest.mark.parametrize("block", range(len(BLOCKS)))
def test_block(block: int) -> None:
    language, text, output = BLOCKS[block]
    if language == "python":
        assert _run([sys.executable, "-c", text]) == output
        return
    command, expected = text.split("\n", 1)
    words = shlex.split(command.removeprefix("$ "))
    assert words[0] == "sparsemem"
    real = _run([sys.executable, "-m", *words])
    assert _matches(expected, real), real


def test_there_are_blocks_and_the_first_lines_are_two_commands() -> None:
    assert len(BLOCKS) >= 4
    lines = (ROOT / "README.md").read_text().splitlines()
    assert [line.split("#")[0].strip() for line in lines[3:5]] == ["make demo", "make test"]


def test_ci_calls_the_test_command_of_the_readme() -> None:
    assert "make test" in (ROOT / ".ci" / "run").read_text()


def test_links_lead_somewhere() -> None:
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
