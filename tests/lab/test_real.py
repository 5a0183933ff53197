"""A real kernel, when QEMU and Debian's mirrors are there: marked ``lab``. What is missing is said; in CI
(SPARSEMEM_LAB=required) it fails."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sparsemem.errors import SparsememError
from sparsemem.lab.bench import Bench, open_bench
from sparsemem.lab.errors import GuestLostError
from sparsemem.lab.fuzz import fuzz
from sparsemem.lab.qemu import BINARY
from sparsemem.lab.scenarios import load
from sparsemem.lab.verify import verify
from sparsemem.play import parse_scenario

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
KERNEL = os.environ.get("SPARSEMEM_LAB_KERNEL", "6.1")

pytestmark = pytest.mark.lab


def _missing(why: str) -> None:
    if os.environ.get("SPARSEMEM_LAB") == "required":
        pytest.fail(f"no real kernel was booted: {why}")
    pytest.skip(f"NO REAL KERNEL WAS BOOTED: {why}")


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    if shutil.which(BINARY) is None:
        _missing(f"no {BINARY}; apt-get install --no-install-recommends qemu-system-x86 seabios")
    try:
        from sparsemem.lab.kernels import find

        image = find(KERNEL)
        opened = open_bench(KERNEL, sections=image.vmlinux is not None)
    except SparsememError as error:
        _missing(str(error))
        raise
    with opened:
        yield opened


def test_the_upstream_sub_section_test(bench: Bench) -> None:
    verdict = verify(load(str(ROOT / "examples" / "sub_section.toml")), bench)
    assert (verdict.outcome, verdict.differences) == ("same", [])


def test_a_guest_that_panics_is_lost_and_the_next_one_works(bench: Bench) -> None:
    machine = '[machine]\nmemory = "512M"'
    panic = parse_scenario(f'steps = ["true", "echo c > /proc/sysrq-trigger"]\n{machine}')
    verdict = verify(panic, bench)
    assert (verdict.outcome, verdict.steps) == ("lost", 1)
    assert "Kernel panic" in verdict.console
    assert verify(parse_scenario(f'steps = ["ndctl list -R"]\n{machine}'), bench).outcome == "same"


def test_a_few_generated_steps(bench: Bench, tmp_path: Path) -> None:
    summary = fuzz(bench, 25, 1, tmp_path, tell=lambda summary, text: None, plugs=False)
    assert {key: each.difference for key, each in summary.findings.items()} == {}


def test_a_step_that_does_not_end(bench: Bench) -> None:
    seat = bench.sit(parse_scenario('steps = []\n[machine]\nmemory = "512M"').machine)
    with pytest.raises(GuestLostError, match="did not answer"):
        seat.guest.run("sleep 1000", seconds=1.0)
    bench.close()
    assert not list(Path("/proc").glob(f"{seat.guest.qemu.process.pid}/exe"))
