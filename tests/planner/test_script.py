"""The shell script, run by a real sh with tools that are the model: it ends as planned, and stops where it is not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from sparsemem.machine.notation import format_machine, parse_machine
from sparsemem.planner import make_plan, parse_intent, to_script
from tests.planner.machines import GIB, cxl_machine, line, machine

if TYPE_CHECKING:
    from pathlib import Path

_TOOL = """\
#!{python}
import os, sys
from pathlib import Path
from sparsemem.kernel.memory_block import valid_zones_show
from sparsemem.machine.notation import format_machine, parse_machine
from sparsemem.tools import chmem, cxl, daxctl, ndctl
from sparsemem.tools.result import Console
from sparsemem.tools.tree import MachineTree

state = Path(os.environ["MACHINE"])
board = parse_machine(state.read_text())
tool = {{"chmem": chmem, "cxl": cxl, "ndctl": ndctl, "daxctl": daxctl}}["{tool}"]
done = tool.main(MachineTree(board), sys.argv[1:], Console(tty=False))
state.write_text(format_machine(board))
for number, block in board.state.blocks.items():
    shown = state.parent / "memory" / f"memory{{number}}"
    shown.mkdir(parents=True, exist_ok=True)
    (shown / "state").write_text(block.state)
    (shown / "valid_zones").write_text(valid_zones_show(board.state, number))
sys.stdout.write(done.stdout)
sys.stderr.write(done.stderr)
sys.exit(done.exit_code)
"""


@pytest.fixture
def guest(tmp_path: Path) -> Path:
    """A directory with the tools, and no root needed."""
    for tool in ("chmem", "cxl", "ndctl", "daxctl"):
        file = tmp_path / tool
        file.write_text(_TOOL.format(python=sys.executable, tool=tool))
        file.chmod(0o755)
    (tmp_path / "id").write_text("#!/bin/sh\necho 0\n")
    (tmp_path / "id").chmod(0o755)
    return tmp_path


def _run(guest: Path, board: str, script: str) -> subprocess.CompletedProcess[str]:
    (guest / "machine").write_text(board)
    (guest / "plan.sh").write_text(script)
    sh = shutil.which("sh")
    assert sh is not None
    environment = os.environ | {"PATH": f"{guest}:{os.environ['PATH']}", "MACHINE": str(guest / "machine")}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    return subprocess.run(
        [sh, str(guest / "plan.sh")], capture_output=True, text=True, env=environment, timeout=300, check=False
    )


def test_it_does_what_was_planned(guest: Path) -> None:
    start = line("6.1", 2 * GIB, options="auto_online=offline")
    plan = make_plan(parse_machine(start), parse_intent("fsdax 512M name='my data', system-ram 512M"))
    done = _run(guest, start, to_script(plan))
    assert done.returncode == 0, done.stderr
    after = parse_machine((guest / "machine").read_text())
    assert {k: v for k, v in after.state.dax.items() if k.startswith("dax0")} == {
        k: v for k, v in plan.after.state.dax.items() if k.startswith("dax0")
    }
    assert after.state.iomem == plan.after.state.iomem


def test_it_makes_a_cxl_region(guest: Path) -> None:
    start = format_machine(cxl_machine())
    plan = make_plan(parse_machine(start), parse_intent("region on mem1 mem0, fsdax 512M"))
    done = _run(guest, start, to_script(plan))
    assert done.returncode == 0, done.stderr
    after = parse_machine((guest / "machine").read_text())
    assert after.state.misc["cxl:region0"].targets == plan.after.state.misc["cxl:region0"].targets
    replaced = make_plan(after, parse_intent("replace region0, region 256M on mem0"))
    done = _run(guest, format_machine(after), to_script(replaced))
    assert done.returncode == 0, done.stderr
    assert parse_machine((guest / "machine").read_text()).state.misc["cxl:region0"].size == 256 << 20


def test_it_makes_a_region_and_takes_memory_offline(guest: Path) -> None:
    """One that has commands of cxl and of chmem has the checks of both; another zone of a block stops it."""
    start = format_machine(cxl_machine())
    plan = make_plan(
        parse_machine(start), parse_intent("region on mem0, fsdax 256M, offline memory1-memory2, online memory2")
    )
    script = to_script(plan).replace("/sys/devices/system/memory", str(guest / "memory"))
    done = _run(guest, start, script)
    assert done.returncode == 0, done.stderr
    assert format_machine(parse_machine((guest / "machine").read_text())) == format_machine(plan.after)
    done = _run(guest, start, script.replace("chmem -d -b 1-2", "chmem -d -b 1"))
    assert done.returncode == 1
    assert done.stderr.endswith("\nmemory2 is online in DMA32, not offline: stopped\n")


def test_it_stops_where_cxl_makes_no_region_and_exits_0(guest: Path) -> None:
    plan = make_plan(cxl_machine(), parse_intent("region on mem0, fsdax rest"))
    done = _run(guest, format_machine(cxl_machine("6.12", hypervisor=True)), to_script(plan))
    assert done.returncode == 1
    assert "region0: size is missing, not 536870912: stopped" in done.stderr or "failed to commit" in done.stderr


def test_it_stops_where_the_machine_is_another(guest: Path) -> None:
    plan = make_plan(machine("6.1", 2 * GIB), parse_intent("2 x fsdax 512M"))
    other = line("6.1", 2 * GIB, start=5 * GIB)
    taken = parse_machine(other)
    from sparsemem.tools import ndctl
    from sparsemem.tools.tree import MachineTree

    assert ndctl.main(MachineTree(taken), ["create-namespace", "-s", "16M"]).exit_code == 0
    done = _run(guest, format_machine(taken), to_script(plan))
    assert done.returncode == 1
    assert "namespace0.0: size is 14680064, not 526385152: stopped" in done.stderr


def test_what_can_not_be_had_is_no_script(guest: Path) -> None:
    board = line("6.1", 2 * GIB)
    done = _run(guest, board, to_script(make_plan(parse_machine(board), parse_intent("fsdax 3G"))))
    assert done.returncode == 1
    assert "can not be had: fsdax 3G" in done.stderr
    assert (guest / "machine").read_text() == board
