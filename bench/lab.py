"""The lab: boot to first command, reset, a comparison, steps a minute. It needs QEMU and a kernel."""

from __future__ import annotations

import os
import resource
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bench.measure import WrongAnswerError
from sparsemem.errors import SparsememError

if TYPE_CHECKING:
    from bench.measure import Table
    from sparsemem.lab.bench import Bench

__all__ = ["ready", "run"]

KERNEL = os.environ.get("SPARSEMEM_LAB_KERNEL", "6.1")
STEPS_A_MINUTE = 60


def ready() -> bool:
    """Whether it can run without fetching anything."""
    from sparsemem.lab.kernels import installed
    from sparsemem.lab.qemu import BINARY

    return shutil.which(BINARY) is not None and KERNEL in {image.name for image in installed()}


class _Clock:
    """Wall time and the processor time of lab and guests since it was made."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._began = time.perf_counter(), self._used()

    def _used(self) -> float:
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        running = 0.0
        if self._bench.pid is not None:
            fields = Path(f"/proc/{self._bench.pid}/stat").read_text().rpartition(")")[2].split()
            running = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return running + sum(each.ru_utime + each.ru_stime for each in used)

    def read(self, count: int = 1) -> tuple[float, float]:
        """Of one of ``count``: seconds of wall time, seconds of processor time."""
        return (time.perf_counter() - self._began[0]) / count, (self._used() - self._began[1]) / count


def _row(table: Table, what: str, who: str, spent: tuple[float, float], limit: float, note: str = "") -> None:
    """Wall time is held against the limit; processor time where others keep the machine so busy that wall time says nothing."""
    wall, processor = spent
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    busy = load > 1.5 * cores
    told = f"  load {load:.0f} on {cores} cores: processor time; {wall:.3g} s by the clock" if busy else ""
    table.within(what, who, processor if busy else wall, limit, "s", f"{told}{note}")


def run(table: Table, *, quick: bool) -> None:
    """Its own time and that of its guests."""
    from sparsemem.lab.bench import open_bench
    from sparsemem.lab.fuzz import fuzz
    from sparsemem.lab.observe import of_guest
    from sparsemem.play import parse_scenario

    try:
        bench = open_bench(KERNEL)
    except SparsememError as error:
        table.note("the lab", str(error))
        return
    machine = parse_scenario(
        'steps = []\n[machine]\nmemory = "512M"\npmem = [{ size = "256M", labels = true }]'
    ).machine
    with bench, tempfile.TemporaryDirectory(prefix="sparsemem-bench-") as out:
        who = f"Linux {bench.image.version}, {bench.accel.upper()}"
        clock = _Clock(bench)
        seat = bench.sit(machine, again=True)
        _row(table, "boot to a scenario's first step", who, clock.read(), 30)
        clock = _Clock(bench)
        for _ in range(3):
            bench.sit(machine, again=True)
        if bench.resets == 3:
            _row(table, "reset to the snapshot", who, clock.read(3), 2)
        reader = seat.reader
        if reader is not None:
            clock = _Clock(bench)
            for _ in range(20):
                reader.read()
                reader.nodes()
            _row(table, "section table and nodes", f"{who}, {reader.how}", clock.read(20), 0.2)
        clock = _Clock(bench)
        for _ in range(5):
            of_guest(seat.guest.look(), seat.reader)
        _row(table, "everything that is compared, once", who, clock.read(5), 1)
        bench.close()
        clock = _Clock(bench)
        summary = fuzz(bench, 60 if quick else 200, 1, Path(out), tell=lambda summary, text: None, plugs=False)
        bench.close()
        if summary.findings:
            raise WrongAnswerError("; ".join(summary.findings))
        wall, processor = clock.read(summary.steps)
        rates = (
            f"; {60 / wall:.0f} a minute by the clock, {60 / processor:.0f} of processor time; {summary.steps} steps"
        )
        _row(table, "a compared step, boots and resets counted", who, (wall, processor), 60 / STEPS_A_MINUTE, rates)
