"""The engine and the verbs: single calls, apply and undo, a large machine, start-up. A part whose API is missing says
so and is skipped."""

from __future__ import annotations

import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bench.measure import Table, WrongAnswerError, command_seconds

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["large_iomem", "run"]

RAM = "1000-9fbff ram, 100000-bfffffff ram, 100000000-23fffffff ram"
SMALL = f"6.1 x86_64; {RAM}, 240000000-43fffffff pmem, 440000000-4bfffffff pmem"


def run(table: Table, *, quick: bool) -> None:
    """All parts, each on its own."""
    parts: list[tuple[str, Callable[[Table, bool], None]]] = [
        ("arch_add_memory/arch_remove_memory", _arch_path),
        ("apply and undo", _apply_undo),
        ("64 TiB from iomem", _large),
        ("sparsemem --help", _start_up),
        ("doctor on a small machine", _small_doctor),
    ]
    for what, part in parts:
        try:
            part(table, quick)
        except (ImportError, AttributeError, FileNotFoundError) as error:
            table.note(what, f"not there yet: {error}")


def _machine() -> object:
    from sparsemem.machine.notation import parse_machine

    return parse_machine(SMALL)


def _arch_path(table: Table, quick: bool) -> None:
    """Adds and removals of 1 to 64 sub-sections of hot-plugged sections, through the whole kernel path."""
    from sparsemem.kernel.memory_hotplug.pages import arch_add_memory, arch_remove_memory
    from sparsemem.kernel.mmzone import pfn_valid
    from sparsemem.kernel.refusal import Refusal

    state = _machine().state  # type: ignore[attr-defined]
    mark = state.mark()
    rng = random.Random(1)  # noqa: S311
    base, sub = 1 << 40, 2 << 20
    held: list[tuple[int, int]] = []
    naive: set[int] = set()
    times: dict[str, list[float]] = {"add": [], "remove": []}
    refused = 0
    for _ in range(2_000 if quick else 20_000):
        if held and rng.random() < 0.5:
            kind, (first, n) = "remove", held.pop(rng.randrange(len(held)))
        else:
            n = rng.randint(1, 64)
            kind, first = "add", rng.randrange(256) * 64 + rng.randint(0, 64 - n)
        bits = set(range(first, first + n))
        call = (
            (lambda a=first, c=n: arch_add_memory(state, 0, base + a * sub, c * sub))
            if kind == "add"
            else (lambda a=first, c=n: arch_remove_memory(state, base + a * sub, c * sub))
        )
        start = time.perf_counter()
        try:
            call()
            done = True
        except Refusal:
            done = False
        times[kind].append(time.perf_counter() - start)
        if done != (kind == "remove" or not bits & naive):
            raise WrongAnswerError(f"arch {kind} of {first}+{n}")
        if done:
            naive ^= bits
            if kind == "add":
                held.append((first, n))
        refused += not done
    for probe in rng.sample(range(256 * 64), 2000):
        if bool(pfn_valid(state, (base + probe * sub) >> 12)) != (probe in naive):
            raise WrongAnswerError(f"pfn_valid of sub-section {probe}")
    state.undo(mark)
    for kind, spent in times.items():
        note = f"  ({refused:,} of {len(spent):,} refused)" if kind == "add" else ""
        table.within(
            f"arch_{kind}_memory, 1-64 sub-sections", "kernel path", statistics.median(spent) * 1e6, 25, "us", note
        )


def _apply_undo(table: Table, quick: bool) -> None:
    """Every operation that ``attempts()`` offers, on a machine with RAM, pmem, and one device mapped."""
    m = _machine()
    m.apply("memremap_pages 0x440000000-0x47fffffff")  # type: ignore[attr-defined]
    before = m.snapshot()  # type: ignore[attr-defined]
    by_name: dict[str, list[tuple[float, str]]] = {}
    for op in list(m.attempts()):  # type: ignore[attr-defined]
        times = []
        for _ in range(20 if quick else 100):
            start = time.perf_counter()
            m.apply(op)  # type: ignore[attr-defined]
            m.undo()  # type: ignore[attr-defined]
            times.append(time.perf_counter() - start)
        by_name.setdefault(op.name, []).append((statistics.median(times), str(op)))
    if m.snapshot() != before:  # type: ignore[attr-defined]
        raise WrongAnswerError("undo does not bring the snapshot back")
    for name, found in sorted(by_name.items()):
        worst, which = max(found)
        table.within(f"apply+undo {name}", "Machine", worst * 1e6, 20, "us", f"  (worst of {len(found)}: {which})")


def large_iomem(nr: int = 8192) -> str:
    """``/proc/iomem`` of a host of 64 TiB: 1 TiB of RAM, and ``nr`` pmem ranges, each with its namespace, most in
    shared sections."""
    lines = ["00001000-0009fbff : System RAM", "00100000-7fffffff : System RAM", "100000000-ffffffffff : System RAM"]
    at, sub = 1 << 40, 2 << 20
    step = ((63 << 40) // nr) // sub * sub
    for i in range(nr):
        start, end = at + i * step, at + (i + 1) * step - (i % 5) * sub - 1
        lines += [f"{start:x}-{end:x} : Persistent Memory", f"  {start:x}-{end:x} : namespace{i}.0"]
    return "\n".join([*lines, ""])


_BUILD = """
import json, sys, time
start = time.process_time()
from sparsemem.machine.build import build
from sparsemem.readers import read_machine
imported = time.process_time()
built = build(read_machine(sys.argv[1]), "6.12")
done = time.process_time()
print(json.dumps({
    "import": imported - start,
    "build": done - imported,
    "ranges": len(built.mappings),
    "refused": len(built.refused),
    "sections": len(built.machine.state.sections),
    "peak": next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) / 1024,
}))
"""


def _large(table: Table, quick: bool) -> None:
    with tempfile.TemporaryDirectory(prefix="sparsemem-bench-") as folder:
        iomem = Path(folder) / "iomem"
        iomem.write_text(large_iomem())
        runs = []
        for _ in range(1 if quick else 3):
            command = [sys.executable, "-c", _BUILD, str(iomem)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
            if done.returncode:
                raise ImportError(done.stderr.strip().splitlines()[-1])
            runs.append(json.loads(done.stdout))
        found = runs[0]
        note = f"  ({found['ranges']:,} ranges, {found['refused']:,} refused, {found['sections']:,} sections)"
        table.within(
            "64 TiB, 8,192 ranges: read and build", "engine", statistics.median(r["build"] for r in runs), 1, "s", note
        )
        table.within(
            "64 TiB, 8,192 ranges: peak memory", "engine", max(r["peak"] for r in runs), 300, "MiB", "  (whole process)"
        )
        spent = _command(["doctor", str(iomem)], 1 if quick else 3)
        table.within("64 TiB, 8,192 ranges: doctor", "sparsemem", spent, 2, "s", "  (whole process)")


def _start_up(table: Table, quick: bool) -> None:
    table.within("sparsemem --help", "sparsemem", _command(["--help"], 3 if quick else 11) * 1000, 250, "ms")


def _small_doctor(table: Table, quick: bool) -> None:
    fixture = Path(__file__).parents[1] / "src" / "sparsemem" / "fixtures" / "laptop.tar.xz"
    if not fixture.exists():
        raise FileNotFoundError(fixture.name)
    spent = _command(["doctor", str(fixture)], 3 if quick else 11)
    table.within("doctor on a captured small machine", "sparsemem", spent * 1000, 500, "ms", f"  ({fixture.name})")


def _command(arguments: list[str], rounds: int) -> float:
    """Median seconds (processor time) of the whole command, start of the interpreter included, after one run that does not count."""
    command = [sys.executable, "-c", "from sparsemem.cli import main; main()", *arguments]
    times = []
    for _ in range(rounds + 1):
        spent, done = command_seconds(command)
        times.append(spent)
        # 10 and 11 are the doctor's findings; anything else that is not 0 is no answer to time.
        if done.returncode not in (0, 10, 11):
            raise ImportError((done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1])
    return statistics.median(times[1:])
