"""A plan of 200 namespaces over 8 regions, as a person gets it: the whole process, from the command line to JSON."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from typing import TYPE_CHECKING

from bench.measure import WrongAnswerError

if TYPE_CHECKING:
    from bench.measure import Table

__all__ = ["run"]

_GIB = 1 << 30
_INTENT = "100 x fsdax 2G, 60 x devdax 1G, 40 x sector 512M"


def _line(regions: int) -> str:
    places = [f"{(4 + 64 * nr) * _GIB:#x}-{(68 + 64 * nr) * _GIB - 1:#x}" for nr in range(regions)]
    entries = ", ".join(f"{place} pmem" for place in places)
    operations = [f"nd_region {place} labels=1.2 region={nr} nmem={nr} slot={nr}" for nr, place in enumerate(places)]
    return "; ".join([f"6.12; 1M-2G ram, {entries}", *operations])


def _once(machine: str) -> float:
    """Processor time of the process, which a busy neighbour does not lengthen."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    argv = [sys.executable, "-m", "sparsemem", "plan", machine, _INTENT, "--json"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)  # noqa: S603
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise WrongAnswerError(done.stderr)
    plan = json.loads(done.stdout)
    if len(plan["namespaces"]) != 200 or not plan["optimal"]:
        raise WrongAnswerError(f"{len(plan['namespaces'])} namespaces, optimal: {plan['optimal']}")
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def run(table: Table, *, quick: bool) -> None:
    """The best of a few runs against the second that the issue allows."""
    times = [_once(_line(8)) for _ in range(3 if quick else 7)]
    table.within("plan: 200 namespaces over 8 regions, played", "whole process", min(times), 1, "s")
