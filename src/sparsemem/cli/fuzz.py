"""``sparsemem fuzz``."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Any

import click

from sparsemem.cli.lab import stoppable
from sparsemem.cli.machine import echo_json

if TYPE_CHECKING:
    from sparsemem.lab.bench import Bench
    from sparsemem.lab.fuzz import Summary

__all__ = ["command"]

_EPILOG = """\b
Examples:
  sparsemem fuzz --kernel 6.1 --steps 500 --seed 1
  sparsemem fuzz --kernel newest --steps 200 --out found
  sparsemem verify found/6.1-1-1.toml      a difference again
\b
Exit codes: 0 nothing found, 12 a difference, 8 only lost guests.
"""


@click.command("fuzz", epilog=_EPILOG)
@click.option(
    "--kernel", default="6.1", show_default=True, metavar="V", help="A kernel of `kernels list`, or a series to fetch."
)
@click.option(
    "--steps", default=200, show_default=True, type=click.IntRange(1), metavar="N", help="How many to compare."
)
@click.option("--seed", type=int, metavar="S", help="Draw the same again (default: a new one, which is printed).")
@click.option("--out", default="fuzz-found", show_default=True, metavar="DIR", help="Where differences are written.")
@click.option("--no-sections", is_flag=True, help="Do not read the kernel's memory.")
@click.option("--no-plug", is_flag=True, help="Never plug memory: a machine with plugging needs a boot of its own.")
@click.option("--virtio-mem", is_flag=True, help="Give every machine a virtio-mem device, and resize it.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(
    kernel: str,
    steps: int,
    seed: int | None,
    out: str,
    no_sections: bool,
    no_plug: bool,
    virtio_mem: bool,
    as_json: bool,
) -> int:
    """Draw machines and commands at random, play them on the model and on a real kernel, and compare after every step.

    A difference is shrunk to the shortest scenario and written as a file that verify and play take.
    """
    from pathlib import Path

    from sparsemem.lab.bench import open_bench
    from sparsemem.lab.fuzz import fuzz

    seed = random.SystemRandom().randrange(1 << 32) if seed is None else seed
    began = time.monotonic()
    with stoppable() as progress:
        progress.show(f"{kernel}: getting ready")
        with open_bench(kernel, sections=not no_sections, say=progress.say) as bench:

            def tell(summary: Summary, text: str) -> None:
                filled = 16 * summary.steps // steps
                bar = "#" * filled + "." * (16 - filled)
                found = f"{len(summary.findings)} found"
                progress.show(f"[{bar}] {summary.steps}/{steps} {summary.per_minute:.0f}/min {found} {text}")

            progress.say(f"fuzz --kernel {bench.image.name} --steps {steps} --seed {seed}")
            summary = fuzz(bench, steps, seed, Path(out), tell=tell, plugs=not no_plug, virtio_mem=virtio_mem)
        progress.clear()
        if as_json:
            echo_json(_json(summary, bench))
        else:
            _report(summary, bench, time.monotonic() - began)
    kinds = {each.difference.what == "guest lost" for each in summary.findings.values()}
    return 12 if False in kinds else 8 if True in kinds else 0


def _json(summary: Summary, bench: Bench) -> dict[str, Any]:
    return {
        "kernel": summary.kernel,
        "package": bench.image.package,
        "seed": summary.seed,
        "steps": summary.steps,
        "scenarios": summary.scenarios,
        "machines": summary.machines,
        "steps_per_minute": round(summary.per_minute, 1),
        "excused": summary.excused,
        "not_modelled": summary.unmodelled,
        "boots": bench.boots,
        "lost_boots": bench.lost_boots,
        "resets": bench.resets,
        "not_seen_again": summary.once,
        "findings": [
            {"file": each.path, "seen": each.seen, **each.difference._asdict()} for each in summary.findings.values()
        ],
    }


def _report(summary: Summary, bench: Bench, seconds: float) -> None:
    from sparsemem.lab.report import difference_lines

    for each in summary.findings.values():
        click.echo(f"{each.path}: step {each.difference.step}, {each.difference.what}, seen {each.seen} times")
        for line in difference_lines(each.difference):
            click.echo(line)
    for path in summary.once:
        click.echo(f"{path}: seen once, and not when it was played again")
    click.echo(
        f"kernel {summary.kernel}, seed {summary.seed}: {summary.steps} steps of {summary.scenarios} scenarios on"
        f" {summary.machines} machines"
    )
    click.echo(
        f"{len(summary.findings)} differences, {summary.excused} excused, {summary.unmodelled} not modelled;"
        f" {bench.boots} boots{f', {bench.lost_boots} lost and tried again' if bench.lost_boots else ''}, {bench.resets} resets"
    )
    click.echo(f"{summary.per_minute:.0f} steps compared a minute ({bench.accel.upper()}), {seconds:.0f} s in all")
