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
from sparsemem.lab.errors import GuestLostError, LabError
from sparsemem.lab.fuzz import fuzz
from sparsemem.lab.qemu import BINARY
from sparsemem.lab.scenarios import load
from sparsemem.lab.sections import SectionReader
from sparsemem.lab.verify import verify
from sparsemem.lab.vmcore import VmcoreReader
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
        opened = open_bench(KERNEL)
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


def test_both_readers_of_a_guests_memory_say_the_same(bench: Bench, tmp_path: Path) -> None:
    seat = bench.sit(
        parse_scenario('steps = []\n[machine]\nmemory = "512M"\npmem = [{ size = "256M", labels = true }]').machine
    )
    try:
        ours = VmcoreReader(seat.guest, tmp_path / "layout.json")
    except LabError as error:
        pytest.skip(f"this kernel does not describe itself: {error}")
    if bench.image.vmlinux is None:
        pytest.skip("no debug symbols: one reader only")
    drgn = SectionReader(bench.image.vmlinux, seat.guest.qemu.socket("drgn")) if seat.reader is None else seat.reader
    for step in ("true", "ndctl create-namespace -s 16M", "ndctl create-namespace -s 32M -m devdax", "ndctl list"):
        seat.guest.run(step)
        assert ours.read() == drgn.read()
        assert ours.nodes() == drgn.nodes()


def test_the_kernel_log_is_the_scenarios_own(bench: Bench) -> None:
    steps = ["dmesg", "ndctl create-namespace -s 32M", "dmesg | tail -n 1", "dmesg -c", "dmesg", "true"]
    scenario = parse_scenario(
        f'steps = {steps}\n[machine]\nmemory = "512M"\npmem = [{{ size = "128M", labels = true }}]'.replace("'", '"')
    )
    verdict = verify(scenario, bench)
    assert (verdict.outcome, verdict.steps, verdict.differences) == ("same", 6, [])


@pytest.mark.parametrize(
    "step", ["yes", "poweroff -f", 'while :; do echo "<0>flooding" > /dev/kmsg; done', "echo c > /proc/sysrq-trigger"]
)
def test_a_guest_that_is_lost_in_another_way_leaves_nothing(bench: Bench, step: str) -> None:
    seat = bench.sit(parse_scenario('steps = []\n[machine]\nmemory = "512M"').machine)
    pid, directory = bench.pid, seat.guest.qemu.directory
    with pytest.raises(GuestLostError):
        seat.guest.run(step, seconds=20.0)
    bench.close()
    assert not Path(f"/proc/{pid}/exe").exists()
    assert not directory.exists()
