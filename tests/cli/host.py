"""A host whose ndctl and daxctl are the model."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from sparsemem.machine.notation import parse_machine
from sparsemem.planner import make_plan, parse_intent
from sparsemem.planner.apply import Journal, head_of
from tests.planner.machines import GIB, line

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["BOARD", "begin", "needs_root", "wait_for"]

BOARD = line("6.1", 2 * GIB)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="the host runner needs root")


def begin(path: Path, text: str = "2 x fsdax 64M", **more: str) -> None:
    """The journal of a plan for it, nothing run. ``more``: of its head."""
    plan = make_plan(parse_machine(BOARD), parse_intent(text))
    Journal.create(path, head_of(plan, "host") | more).close()


def wait_for(path: Path, words: str) -> None:
    """Until it is in the file."""
    end = time.monotonic() + 60
    while words not in path.read_text():
        assert time.monotonic() < end, path.read_text()
        time.sleep(0.02)
