"""The doctor on machines with thousands of namespaces: a listing, and what ``/sys`` of one holds. Balances are checked."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from bench.captures import SHAPES, write_capture
from bench.measure import Row, Table, WrongAnswerError, command_seconds, race, seconds

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
    """A whole process for kernels with and without sub-sections; then reading a capture, and diagnosing it, each by itself."""
    count = 4096
    with tempfile.TemporaryDirectory() as name:
        usable = machine(Path(name), count)
        for version in (None, "4.17", "5.2", "5.10"):
            _process(table, name, version, count, usable, rounds=3 if quick else 7)
    memory = _in_memory()
    number = count if memory is not None and not quick else 512
    for what, shape in SHAPES.items():
        with tempfile.TemporaryDirectory(dir=memory) as name:
            _capture(table, what, Path(name), write_capture(Path(name), shape, number), number)


def _in_memory() -> str | None:
    """A file system in memory with room for a tree of 220,000 small files: on a disk, writing four of those takes many minutes."""
    path = "/dev/shm"  # noqa: S108  (the trees are in a directory of their own below it)
    if not os.access(path, os.W_OK | os.X_OK) or shutil.disk_usage(path).free < 2 * _GIB:
        return None
    return path


def _process(table: Table, root: str, version: str | None, count: int, usable: int, rounds: int) -> None:
    """Processor time, median."""
    argv = [sys.executable, "-m", "sparsemem", "doctor", root, "--json", *(("--kernel", version) if version else ())]
    spent = []
    for _ in range(rounds):
        used, done = command_seconds(argv, env=dict(os.environ, PYTHONPATH="src"))
        found = json.loads(done.stdout)
        if sum(each["shares"].get("data", 0) for each in found["balances"]) != usable or found["findings"]:
            raise WrongAnswerError("the balance does not show what the file systems see")
        if any(sum(each["shares"].values()) != each["raw"] for each in found["balances"]):
            raise WrongAnswerError("a balance does not add up")
        spent.append(used)
    what = f"doctor, {count:,} namespaces in {_REGIONS} regions" + (f", for {version}" if version else "")
    table.within(what, "sparsemem", statistics.median(spent), 1, "s", "  (whole process)")


def _every_file(root: Path) -> int:
    """What any program has to do that reads such a tree."""
    count = 0
    for directory, _, names in os.walk(root):
        for name in names:
            path = os.path.join(directory, name)
            if not os.path.islink(path):
                with open(path, "rb") as file:
                    file.read()
                count += 1
    return count


def _capture(table: Table, what: str, root: Path, usable: int, count: int) -> None:
    from sparsemem.doctor import diagnose
    from sparsemem.readers import read_machine

    title = f"{count:,} namespaces in /sys, {what}"
    files = _every_file(root)
    times = race({"plain": lambda: _every_file(root), "sparsemem": lambda: read_machine(root)}, 3)
    table.add(Row(title, "read by sparsemem", f"{times['sparsemem']:.3g} s", times.ratio("sparsemem", "plain"),
                  f"{files:,} files read by plain Python", 6))  # fmt: skip
    description = read_machine(root)
    for version in (None, "5.2"):
        found = diagnose(description, version)
        shares = [each.share(kind) for each in found.balances for kind in ("data", "ram", "outside-blocks")]
        if sum(shares) != usable:
            raise WrongAnswerError(f"{what}: the balance does not show the {usable} usable bytes")
        spent = statistics.median(seconds(lambda v=version: diagnose(description, v)) for _ in range(3))  # type: ignore[misc]
        table.within(title, f"diagnosed for {version or 'its own, 6.12'}", spent, 1, "s")
