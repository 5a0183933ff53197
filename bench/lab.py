"""The lab: boot to first command, reset, a comparison, steps a minute. Runs only when asked for: it needs QEMU and a kernel."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from sparsemem.errors import SparsememError

if TYPE_CHECKING:
    from bench.measure import Table

__all__ = ["run"]

KERNEL = os.environ.get("SPARSEMEM_LAB_KERNEL", "6.1")
STEPS_A_MINUTE = 60


def run(table: Table, *, quick: bool) -> None:
    """Wall time: a guest is another process."""
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
        who = f"Linux {bench.image.version}, {bench.accel}"
        seat = bench.sit(machine, again=True)
        table.within("boot to first command", who, bench.boot_seconds, 30, "s")
        bench.sit(machine, again=True)
        if bench.resets:
            table.within("reset to the snapshot", who, bench.reset_seconds, 2, "s")
        began = time.perf_counter()
        of_guest(seat.guest.look(), seat.reader)
        table.within("everything that is compared, once", who, time.perf_counter() - began, 1, "s")
        summary = fuzz(bench, 60 if quick else 200, 1, Path(out), tell=lambda summary, text: None, plugs=False)
        limit = STEPS_A_MINUTE / summary.per_minute
        table.within(
            "a compared step, boots and resets counted", who, limit, 1, "s", f"  {summary.per_minute:.0f} a minute"
        )
