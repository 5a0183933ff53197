"""Exploration beside SPIN: the same table of rules, written as Promela, with equal state and transition counts."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from bench.measure import MISSING, Row, Table, WrongAnswerError, command_seconds, seconds
from sparsemem.bulk import devices, oracle
from sparsemem.bulk.explore import Exploration, Model, explore
from sparsemem.ranges import Range

__all__ = ["promela", "run"]

# Twelve ranges over two sections each, found by a hill climb for many states; sub-sections, half-open.
DRIVERS = "98-99 93-97 69-70 21-33 115-120 92-93 73-80 81-85 90-91 102-104 91-92 13-128"
RANGES = "16-17 39-87 22-99 6-69 60-117 33-83 57-89 63-70 59-86 23-108 45-76 20-88"


def _ranges(text: str) -> list[Range]:
    return [Range(*map(int, part.split("-"))) for part in text.split()]


def run(table: Table, *, quick: bool) -> None:
    """Both tables; the quick run has fewer ranges. The largest is beyond the oracle: there SPIN checks numpy."""
    drivers, ranges = _ranges(DRIVERS), _ranges(RANGES)
    if quick:
        drivers = [*drivers[:8], drivers[-1]]
    what = f"memremap_pages, {len(drivers)} ranges"
    _one(table, what, devices.memremap_model(drivers), oracle.explore_memremap(drivers), quick)
    few = ranges[:9]
    _one(table, f"arch_add_memory, {len(few)} ranges", devices.arch_model(few), oracle.explore_arch(few), quick)
    if not quick:
        _one(table, f"arch_add_memory, {len(ranges)} ranges", devices.arch_model(ranges), None, quick)


def _one(table: Table, what: str, model: Model, reference: Exploration | None, quick: bool) -> None:
    rounds = 1 if quick else 3
    result = explore(model, "numpy")
    states, transitions = result.states, result.transitions
    spin = _spin(model, states, rounds)
    if reference is not None and result != reference:
        raise WrongAnswerError(f"{what}: numpy finds {states} states, the oracle {reference.states}")
    backends = ["numpy"]
    try:
        if explore(model, "numba") != result:
            raise WrongAnswerError(f"{what}: numba and numpy differ")
        backends.append("numba")
    except MISSING:
        pass
    rate: dict[str, float] = {}
    if spin is None:
        table.note(what, "spin or gcc is not installed")
    else:
        # SPIN prints eight digits, and counts the initial state among its transitions ("stored + matched").
        if spin[:2] != (f"{states:.8g}", f"{transitions + 1:.8g}"):
            raise WrongAnswerError(f"{what}: SPIN finds {spin[:2]}, numpy {(states, transitions)}")
        rate["SPIN"] = states / spin[2]
    for name in backends:
        rate[name] = (
            states / sorted(seconds(lambda name=name: explore(model, name)) for _ in range(rounds))[rounds // 2]
        )
    if states < 300_000:
        rate["plain sets"] = states / seconds(lambda: explore(model, "python"))
    refused = sum(result.refused.values())
    detail = f"  ({len(model.bits)} bits, {states:,} states, {transitions:,} transitions, {refused:,} refused)"
    for name, value in rate.items():
        ratio = rate["SPIN"] / value if "SPIN" in rate else None
        # A search that is over in milliseconds measures how long arrays take to start.
        limit = 1 / 3 if name == "numpy" and ratio is not None and states > 100_000 else None
        shown = f"{value / 1e6:.3g} M/s"
        note = (
            detail
            if name == next(iter(rate))
            else f"  ({value / rate['SPIN']:.1f} times as fast)"
            if ratio is not None
            else ""
        )
        table.add(Row(f"explore {what}", name, shown, ratio, "SPIN's time", limit, note))


def promela(model: Model) -> str:
    """The table as one process: an endless choice among all rules that apply. Needs at most 31 bits."""
    lines = [f"int s = {model.initial};", "active proctype machine() {", "  do"]
    for rule in model.rules:
        guards = [f"(s & {rule.all_set | rule.all_clear}) == {rule.all_set}"] if rule.all_set | rule.all_clear else []
        if rule.any_set:
            guards.append(f"(s & {rule.any_set}) != 0")
        if rule.any_clear:
            guards.append(f"(~s & {rule.any_clear}) != 0")
        effect = f"s = (s & ~{rule.clear}) | {rule.set}" if rule.clear or rule.set else "skip"
        lines.append(
            f"  :: d_step {{ {' && '.join(guards) or 'true'} -> {effect} }} /* {rule.operation} {rule.answer} */"
        )
    return "\n".join([*lines, "  od", "}", ""])


def _spin(model: Model, states: int, rounds: int) -> tuple[str, str, float] | None:
    """States and transitions as SPIN prints them, and seconds of the search (not of the compilation)."""
    if not shutil.which("spin") or not shutil.which("gcc") or len(model.bits) > 31:
        return None
    with tempfile.TemporaryDirectory(prefix="sparsemem-spin-") as folder:
        (Path(folder) / "model.pml").write_text(promela(model))
        for command in (
            ["spin", "-a", "model.pml"],
            ["gcc", "-O3", "-march=native", "-w", "-DSAFETY", "-DNOREDUCE", "-DMEMLIM=12000", "-o", "pan", "pan.c"],
        ):
            subprocess.run(command, cwd=folder, check=True, capture_output=True)  # noqa: S603
        # Depth and hash table sized to the search, which is what an expert would do: SPIN allocates both before it
        # starts.
        pan = [f"{folder}/pan", f"-m{states + 1000}", f"-w{max(16, states.bit_length() + 1)}", "-n", "-E"]
        times = []
        for _ in range(rounds):
            spent, done = command_seconds(pan, cwd=folder)
            times.append(spent)
    found = {key: value for value, key in re.findall(r"([\d.e+]+) (states, stored|transitions)", done.stdout)}
    if "error: max search depth" in done.stdout or "errors: 0" not in done.stdout:
        raise WrongAnswerError(f"SPIN did not finish:\n{done.stdout}")
    return found["states, stored"], found["transitions"], sorted(times)[rounds // 2]
