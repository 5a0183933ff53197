"""A host for ``plan --apply``."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from sparsemem.machine.notation import format_machine, parse_machine
from tests.cli.host import BOARD
from tests.planner.test_script import _TOOL

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def host(tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """Starts sparsemem where ndctl, daxctl and the policy file are the model's."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("ndctl", "daxctl"):
        file = tools / tool
        slow = 'import time\nif "create-namespace" in sys.argv: time.sleep(0.7)\n'
        text = _TOOL.format(python=sys.executable, tool=tool)
        file.write_text(text.replace("sys.stdout.write", f"{slow}sys.stdout.write"))
        file.chmod(0o755)
    (tools / "cat").write_text("#!/bin/sh\necho offline\n")
    (tools / "cat").chmod(0o755)
    board = tmp_path / "machine"
    board.write_text(format_machine(parse_machine(BOARD)))

    def start(*words: str) -> subprocess.Popen[str]:
        environment = os.environ | {"PATH": f"{tools}:{os.environ['PATH']}", "MACHINE": str(board)}
        environment["SPARSEMEM_APPLY_LOCK"] = str(tmp_path / "lock")
        environment["PYTHONPATH"] = os.pathsep.join(sys.path)
        return subprocess.Popen(
            [sys.executable, "-m", "sparsemem", "plan", *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip

    return start
