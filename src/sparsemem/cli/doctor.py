"""``sparsemem doctor``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from sparsemem.cli.machine import (
    Loaded,
    colour,
    describe,
    echo_json,
    is_layout,
    layout_machine,
    machine_options,
    width,
)  # fmt: skip
from sparsemem.cli.page import finding_marks, scene, write
from sparsemem.errors import UsageError

if TYPE_CHECKING:
    from sparsemem.doctor import Diagnosis
    from sparsemem.draw import Mark, Scene
    from sparsemem.machine.description import MachineDescription

__all__ = ["command"]


@click.command("doctor")
@machine_options
@click.option(
    "--compare", "versions", metavar="V,V,...", help='Judge for several kernels, as a table ("all": a usual set).'
)
@click.option("--html", metavar="FILE", help="Write the findings there as a page with the picture, instead of text.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    machine: str | None, sysroot: str | None, kernel: str | None, versions: str | None, html: str | None, as_json: bool
) -> int:
    """Say what is the matter with the memory layout of MACHINE, and what to do about it.

    \b
    sparsemem doctor                              this machine
    sparsemem doctor example:pmem-two-regions     a bundled one
    sparsemem doctor --kernel 5.2                 under another kernel
    sparsemem doctor --compare 5.2,5.10,6.1       what an upgrade changes
    sparsemem doctor --html findings.html         a page: findings in the picture

    Exits 0 when nothing is worse than a notice, 11 when the worst finding is a warning, 10 when it is an error.
    """
    if html is not None and as_json:
        raise UsageError("give --json or --html, not both")
    if versions is not None:
        return _compare(machine, sysroot, kernel, versions, html, as_json)
    from sparsemem.doctor import diagnose, diagnose_machine, render_text, to_json

    description = None
    if is_layout(machine):
        diagnosis = diagnose_machine(layout_machine(machine or "", kernel))
    else:
        description = describe(machine, sysroot)
        diagnosis = diagnose(description, kernel)
    if html is not None:
        _page(html, description or machine or "", [(kernel, diagnosis)])
    elif as_json:
        echo_json(to_json(diagnosis))
    else:
        click.echo(render_text(diagnosis, width(), colour()), color=colour(), nl=False)
    return _exit_code([diagnosis])


def _compare(
    machine: str | None, sysroot: str | None, kernel: str | None, versions: str, html: str | None, as_json: bool
) -> int:
    from sparsemem.doctor import COMPARED, compare, comparison_to_json, render_comparison

    if kernel is not None:
        raise UsageError("give --kernel or --compare, not both")
    if is_layout(machine):
        raise UsageError(
            "--compare needs a machine, not a layout line", remedy="give its kernels one by one with --kernel"
        )
    wanted = COMPARED if versions == "all" else tuple(word.strip() for word in versions.split(",") if word.strip())
    if html is not None and len(wanted) != 2:
        raise UsageError("a page shows two kernels beside each other", remedy="give two, for example --compare 5.2,6.1")
    description = describe(machine, sysroot)
    diagnoses = compare(description, wanted)
    if html is not None:
        _page(html, description, list(zip(wanted, diagnoses, strict=True)))
    elif as_json:
        echo_json(comparison_to_json(diagnoses))
    else:
        click.echo(render_comparison(diagnoses), nl=False)
    return _exit_code(list(diagnoses))


def _page(path: str, source: MachineDescription | str, judged: list[tuple[str | None, Diagnosis]]) -> None:
    """Writes the page of a description or a layout line: one kernel, or two beside each other."""
    from sparsemem.draw import compare, paint_html
    from sparsemem.machine.build import build

    scenes: list[Scene] = []
    marks: list[Mark] = []
    for side, (kernel, diagnosis) in enumerate(judged):
        if isinstance(source, str):
            loaded = Loaded(layout_machine(source, kernel))
        else:
            built = build(source, kernel)
            loaded = Loaded(built.machine, built)
        scenes.append(scene(loaded, exact=True))
        marks += finding_marks(diagnosis.findings, side if len(judged) > 1 else None)
    write(path, paint_html(scenes[0] if len(scenes) == 1 else compare(*scenes), marks=marks))


def _exit_code(diagnoses: list[Diagnosis]) -> int:
    worst = {finding.severity for diagnosis in diagnoses for finding in diagnosis.findings}
    return 10 if "error" in worst else 11 if "warning" in worst else 0
