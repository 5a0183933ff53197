"""What real kernels wrote and showed, out of the recordings in tests/transcripts_nd."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["Step", "info_blocks", "steps"]

HERE = Path(__file__).parent.parent / "transcripts_nd"


class Step(NamedTuple):
    """A command in a recorded guest: of which recording and kernel, its exit code, output and log."""

    recording: str
    kernel: str
    command: str
    exit_code: int
    stdout: str
    log: list[str]


@cache
def steps() -> tuple[Step, ...]:
    found = []
    for path in sorted(HERE.glob("*@*.json")):
        name, _, kernel = path.stem.partition("@")
        for each in json.loads(path.read_text())["steps"]:
            found.append(Step(name, kernel, each["command"], each["exit_code"], each["stdout"], each["log"]))
    return tuple(found)


def _lists(text: str) -> list[dict[str, Any]]:
    """The JSON arrays of objects in the output of a tool, which prints a line of its own behind them."""
    found = []
    for match in re.finditer(r"^\[\n.*?^\]$", text, re.DOTALL | re.MULTILINE):
        try:
            found += [each for each in json.loads(match[0]) if isinstance(each, dict)]
        except json.JSONDecodeError:
            continue
    return found


@cache
def info_blocks() -> tuple[tuple[Step, dict[str, Any]], ...]:
    """Every info block that ``ndctl read-infoblock -j`` printed, with the step that did."""
    found = []
    for step in steps():
        if step.command.startswith("ndctl read-infoblock") and "signature" in step.stdout:
            for each in _lists(step.stdout):
                if all(isinstance(each.get(name, 0), int) for name in ("dataoff", "align")):
                    found.append((step, each))
    return tuple(found)
