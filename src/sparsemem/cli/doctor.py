"""``sparsemem doctor``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from sparsemem.cli.machine import colour, describe, echo_json, is_layout, layout_machine, machine_options, width
from sparsemem.errors import UsageError

if TYPE_CHECKING:
    from sparsemem.doctor import Diagnosis

__all__ = ["command"]


@click.command("doctor")
@machine_options
@click.option(
    "--compare", "versions", metavar="V,V,...", help='Judge for several kernels, as a table ("all": a usual set).'
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(machine: str | None, sysroot: str | None, kernel: str | None, versions: str | None, as_json: bool) -> int:
    """Say what is the matter with the memory layout of MACHINE, and what to do about it.

    \b
    sparsemem doctor                              this machine
    sparsemem doctor example:pmem-two-regions     a bundled one
    sparsemem doctor --kernel 5.2                 under another kernel
    sparsemem doctor --compare 5.2,5.10,6.1       what an upgrade changes

    Exits 0 when nothing is worse than a notice, 11 when the worst finding is a warning, 10 when it is an error.
    """
    if versions is not None:
        return _compare(machine, sysroot, kernel, versions, as_json)
    from sparsemem.doctor import diagnose, diagnose_machine, render_text, to_json

    if is_layout(machine):
        diagnosis = diagnose_machine(layout_machine(machine or "", kernel))
    else:
        diagnosis = diagnose(describe(machine, sysroot), kernel)
    if as_json:
        echo_json(to_json(diagnosis))
    else:
        click.echo(render_text(diagnosis, width(), colour()), color=colour(), nl=False)
    return _exit_code([diagnosis])


def _compare(machine: str | None, sysroot: str | None, kernel: str | None, versions: str, as_json: bool) -> int:
    from sparsemem.doctor import COMPARED, compare, comparison_to_json, render_comparison

    if kernel is not None:
        raise UsageError("give --kernel or --compare, not both")
    if is_layout(machine):
        raise UsageError(
            "--compare needs a machine, not a layout line", remedy="give its kernels one by one with --kernel"
        )
    wanted = COMPARED if versions == "all" else tuple(word.strip() for word in versions.split(",") if word.strip())
    diagnoses = compare(describe(machine, sysroot), wanted)
    if as_json:
        echo_json(comparison_to_json(diagnoses))
    else:
        click.echo(render_comparison(diagnoses), nl=False)
    return _exit_code(list(diagnoses))


def _exit_code(diagnoses: list[Diagnosis]) -> int:
    worst = {finding.severity for diagnosis in diagnoses for finding in diagnosis.findings}
    return 10 if "error" in worst else 11 if "warning" in worst else 0
