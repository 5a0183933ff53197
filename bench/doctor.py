"""The doctor as people run it: a whole process on a machine with thousands of namespaces. Its balance is checked."""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
from pathlib import Path

from bench.measure import Table, WrongAnswerError, command_seconds

__all__ = ["machine", "run"]

_GIB, _MIB = 1 << 30, 1 << 20
_REGIONS = 8


def machine(root: Path, count: int, size: int = 2 * _GIB) -> int:
    """A captured machine with ``count`` fsdax namespaces of ``size`` bytes in 8 regions; the bytes that its file systems see."""
    lines = ["00001000-0009ffff : System RAM", "00100000-7fffffff : System RAM"]
    each, at, usable, listing = count // _REGIONS, 1 << 40, 0, []
    for number in range(_REGIONS):
        whole = each * size + _GIB
        lines.append(f"{at:x}-{at + whole - 1:x} : Persistent Memory")
        spaces = []
        for index in range(each):
            start = at + index * size
            lines.append(f"  {start:x}-{start + size - 1:x} : namespace{number}.{index}")
            left = size - size // 64 - 2 * _MIB
            usable += left
            spaces.append({
                "dev": f"namespace{number}.{index}", "mode": "fsdax", "map": "dev", "size": left, "align": 2 * _MIB, "sector_size": 512,
                "uuid": f"{number:08x}-0000-4000-8000-{index:012x}", "blockdev": f"pmem{number}.{index}",
            })  # fmt: skip
        listing.append({
            "dev": f"region{number}", "size": whole, "align": 16 * _MIB, "available_size": _GIB, "max_available_extent": _GIB,
            "type": "pmem", "mappings": 1, "namespaces": spaces,
        })  # fmt: skip
        at += whole
    (root / "proc").mkdir()
    (root / "proc/iomem").write_text("\n".join(lines) + "\n")
    (root / "proc/version").write_text("Linux version 6.12.5 (bench)\n")
    (root / "ndctl.json").write_text(json.dumps(listing))
    return usable


def run(table: Table, *, quick: bool) -> None:
    """Processor time of the whole process, median."""
    environment = dict(os.environ, PYTHONPATH="src")
    count = 4096
    with tempfile.TemporaryDirectory() as name:
        usable = machine(Path(name), count)
        spent = []
        for _ in range(3 if quick else 7):
            seconds, done = command_seconds(
                [sys.executable, "-m", "sparsemem", "doctor", name, "--json"], env=environment
            )
            found = json.loads(done.stdout)
            if sum(each["shares"].get("data", 0) for each in found["balances"]) != usable or found["findings"]:
                raise WrongAnswerError("the balance does not show what the file systems see")
            if any(sum(each["shares"].values()) != each["raw"] for each in found["balances"]):
                raise WrongAnswerError("a balance does not add up")
            spent.append(seconds)
        table.within(
            f"doctor, {count:,} namespaces in {_REGIONS} regions",
            "sparsemem",
            statistics.median(spent),
            1,
            "s",
            "  (whole process)",
        )
