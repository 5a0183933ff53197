"""``python -m bench``: ratios against peers measured in the same run. See docs/speed.md."""

from __future__ import annotations

import argparse
import platform
import sys
import time
from datetime import date
from importlib import import_module
from pathlib import Path

from bench import layouts, ops, pfn
from bench.measure import Table, WrongAnswerError
from bench.peers import compiler

ASKED = ("lab",)
"""Parts that run when they are named, or without ``--quick`` where nothing would have to be fetched for them."""
_MODULES = {
    "explore": "Exploration: every order of add and remove",
    "engine": "The engine and the verbs",
    "namespaces": "Namespaces through the tools",
    "plan": "Plans",
    "doctor": "The doctor",
    "lab": "The lab",
}
"""The parts that are a module with a ``run(table, quick=)``, imported only when they are wanted, and their headings."""
PARTS = ("pfn", "ops", *(name for name in _MODULES if name not in ASKED))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller inputs and fewer rounds: under a minute")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table to FILE as well")
    parser.add_argument(
        "parts",
        nargs="*",
        metavar="PART",
        help=f"which parts to run, of: {' '.join(PARTS)} (default: all of these), {' '.join(ASKED)}",
    )
    options = parser.parse_args()
    if unknown := set(options.parts) - {*PARTS, *ASKED}:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    quick = options.quick
    parts = options.parts or _all(quick=quick)
    table = Table()
    began = time.perf_counter()
    print(f"{date.today()}  {_machine()}  Python {platform.python_version()}  {compiler()}")
    try:
        if "pfn" in parts or "ops" in parts:
            both = (layouts.realistic(), layouts.half_full())
        if "pfn" in parts:
            table.heading("Bulk pfn_valid over 64 TiB")
            for layout in both:
                pfn.run(table, layout, 5_000_000 if quick else 100_000_000, 5 if quick else 7)
        if "ops" in parts:
            table.heading("The map")
            ops.singles(table, 20_000 if quick else 200_000, 3 if quick else 7)
            ops.batches(table, 1_000_000, 3 if quick else 9)
            for layout in both:
                ops.queries(table, layout, 5_000 if quick else 50_000, 9)
                ops.lists(table, layout, 3 if quick else 15)
            ops.memory(table, quick=quick)
        for name, heading in _MODULES.items():
            if name in parts:
                table.heading(heading)
                import_module(f"bench.{name}").run(table, quick=quick)
    except WrongAnswerError as error:
        print(f"WRONG ANSWER: {error}", file=sys.stderr)
        return 1
    if options.markdown:
        options.markdown.write_text(table.markdown())
    missed = [row for row in table.rows if row.verdict == "MISSED"]
    spent = time.perf_counter() - began
    print(
        f"\n{spent:.0f} s; every answer was checked against a naive reference, or in the lab a kernel; {len(missed)} limits missed"
    )
    for row in missed:
        print(f"  missed: {row.what}, {row.who}: {row.ratio:.3g}x {row.base}, limit {row.limit:g}")
    return 0


def _all(*, quick: bool) -> tuple[str, ...]:
    if quick:
        return PARTS
    from bench import lab

    if lab.ready():
        return PARTS + ASKED
    print("lab: not run, for there is no QEMU or no kernel yet: make bench-lab", file=sys.stderr)
    return PARTS


def _machine() -> str:
    cpu = platform.processor()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return f"{platform.machine()} {cpu}"


if __name__ == "__main__":
    sys.exit(main())
