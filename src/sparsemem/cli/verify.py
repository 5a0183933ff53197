"""``sparsemem verify``."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from sparsemem.cli.lab import Progress, stoppable
from sparsemem.cli.machine import echo_json
from sparsemem.errors import NotModelledError, SparsememError, UnreadableError

if TYPE_CHECKING:
    from sparsemem.lab.bench import Bench
    from sparsemem.lab.verify import Verdict
    from sparsemem.play.scenario import Scenario

__all__ = ["command"]

_EPILOG = """\b
Examples:
  sparsemem verify examples/sub_section.toml                    on 6.1
  sparsemem verify tests/transcripts/pmem_*.toml --kernel 6.12 --kernel newest
  sparsemem verify scenario.toml --junit report.xml
  sparsemem verify scenario.toml --qemu       and QEMU's arguments
\b
Exit codes: 0 all the same, 12 something differs, 8 a guest was lost,
7 the lab cannot (no QEMU, no kernel, no space), 6 the model cannot tell.
"""


@click.command("verify", epilog=_EPILOG)
@click.argument("scenarios", nargs=-1, required=True, metavar="SCENARIO...")
@click.option(
    "--kernel", "kernels", multiple=True, metavar="V", help="A kernel of `kernels list`, or a series to fetch."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--junit", metavar="FILE", help="Write JUnit XML too.")
@click.option("--record", is_flag=True, help="Write what the kernel answered beside the scenario: NAME@SERIES.json.")
@click.option("--no-sections", is_flag=True, help="Do not read the kernel's memory.")
@click.option("--qemu", "show_qemu", is_flag=True, help="Show the arguments of QEMU.")
@click.option("--keep-going", is_flag=True, help="Go on with the others where a scenario or a kernel cannot be had.")
def command(
    scenarios: tuple[str, ...], kernels: tuple[str, ...], as_json: bool, junit: str | None, record: bool,
    no_sections: bool, show_qemu: bool, keep_going: bool,
) -> int:  # fmt: skip
    """Play scenarios on the model and on real kernels in QEMU, and compare after every step.

    Compared are exit code, errno, output and kernel log; /proc/iomem, memory blocks and zones; the lists of ndctl and daxctl; and,
    read out of the kernel's memory, its sections, pfn_valid at every sub-section and the nodes. It is the same, different, or
    the guest was lost.
    """
    from sparsemem.lab.bench import open_bench
    from sparsemem.lab.report import exit_code, text_lines, to_json
    from sparsemem.lab.report import junit as to_junit

    with stoppable() as progress, ExitStack() as stack:
        loaded, verdicts, failed = _load(scenarios, progress, keep_going)
        benches: list[Bench] = []
        for name in kernels or sorted({each.kernel or "6.1" for each in loaded}):
            progress.show(f"{name}: getting ready")
            try:
                benches.append(stack.enter_context(open_bench(name, sections=not no_sections, say=progress.say)))
            except SparsememError as error:
                if not keep_going:
                    raise
                progress.say(f"kernel {name}: {error}")
                failed = failed or error.exit_code
        for bench in benches:
            try:
                _run(loaded, bench, progress, record, verdicts)
            except KeyboardInterrupt:
                progress.clear()
                for line in text_lines(verdicts, benches, show_qemu=show_qemu):
                    click.echo(line, err=True)
                raise
            except SparsememError as error:
                if not keep_going:
                    raise
                progress.say(f"kernel {bench.image.name}: {error}")
                failed = failed or error.exit_code
            bench.close()
        progress.clear()
        order = {path: index for index, path in enumerate(scenarios)}
        verdicts.sort(key=lambda each: order.get(each.scenario, 0))
        if junit is not None:
            _write(junit, to_junit(verdicts))
        if as_json:
            echo_json(to_json(verdicts, benches))
        else:
            for line in text_lines(verdicts, benches, show_qemu=show_qemu):
                click.echo(line)
    return exit_code(verdicts) or failed


def _load(paths: tuple[str, ...], progress: Progress, keep_going: bool) -> tuple[list[Scenario], list[Verdict], int]:
    from sparsemem.lab.scenarios import load

    found: list[Scenario] = []
    failed = 0
    for path in dict.fromkeys(paths):
        try:
            found.append(load(path))
        except SparsememError as error:
            if not keep_going:
                raise
            progress.say(str(error))
            failed = failed or error.exit_code
    if not found:
        raise NotModelledError("no scenario is left to run")
    return found, [], failed


def _run(loaded: list[Scenario], bench: Bench, progress: Progress, record: bool, verdicts: list[Verdict]) -> None:
    """Those of one machine after each other, so that one boot serves them. Each verdict is added as it comes."""
    from sparsemem.lab.verify import verify

    groups: dict[object, list[Scenario]] = {}
    for scenario in loaded:
        groups.setdefault(scenario.machine, []).append(scenario)
    found: list[Verdict] = []
    began, steps = time.monotonic(), 0
    total = len(loaded)
    for group in groups.values():
        for index, scenario in enumerate(group):
            name = os.path.basename(scenario.name).removesuffix(".toml")

            def watch(
                number: int, text: str, name: str = name, of: int = len(scenario.steps), before: int = steps
            ) -> None:
                rate = (before + number) * 60 / max(time.monotonic() - began, 1)
                progress.show(
                    f"{bench.image.name} {len(found) + 1}/{total} {name} {number}/{of} ({rate:.0f}/min) {text}"
                )

            progress.show(f"{bench.image.name} {len(found) + 1}/{total} {name}: booting")
            verdict = verify(scenario, bench, record=record, watch=watch, again=index + 1 < len(group))
            steps += verdict.steps
            found.append(verdict)
            verdicts.append(verdict)
            if record and verdict.transcript is not None and verdict.outcome != "lost":
                from sparsemem.lab.transcript import write_transcript

                series = ".".join(bench.image.version.split(".")[:2])
                write_transcript(f"{scenario.name.removesuffix('.toml')}@{series}.json", verdict.transcript)


def _write(path: str, text: str) -> None:
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise UnreadableError(f"cannot write it: {error.strerror}", where=path) from None
