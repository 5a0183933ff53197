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
@click.option(
    "--upgrade-to", "upgrade", metavar="VERSION", help="Only what changes with that kernel (older ones, too)."
)
@click.option("--all", "everything", is_flag=True, help="With --upgrade-to: also name what has no effect here.")
@click.option(
    "--dmesg", metavar="FILE", help='Explain a boot log ("-": standard input) for MACHINE, or the machine it describes.'
)
@click.option("--all-lines", is_flag=True, help="With --dmesg: also show the lines that are not known.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    machine: str | None,
    sysroot: str | None,
    kernel: str | None,
    versions: str | None,
    upgrade: str | None,
    everything: bool,
    dmesg: str | None,
    all_lines: bool,
    as_json: bool,
) -> int:
    """Say what is the matter with the memory layout of MACHINE, and what to do about it.

    \b
    sparsemem doctor                              this machine
    sparsemem doctor example:pmem-two-regions     a bundled one
    sparsemem doctor --kernel 5.2                 under another kernel
    sparsemem doctor --compare 5.2,5.10,6.1       a row for each kernel
    sparsemem doctor --upgrade-to 6.12            what changes, and why
    sparsemem doctor captured.tar.xz --kernel 5.2 --upgrade-to 6.12
    dmesg | sparsemem doctor --dmesg - /          a boot log, line by line

    Exits 0 when nothing is worse than a notice, 11 when the worst finding (or change) is a warning, 10 when it is an error. With --dmesg
    also 11 when the log contradicts the machine, or tells of a failure that no finding explains.
    """
    if everything and upgrade is None:
        raise UsageError("--all says what has no effect of an upgrade", remedy="give --upgrade-to VERSION with it")
    if sum(each is not None for each in (versions, upgrade, dmesg)) > 1:
        raise UsageError("--compare, --upgrade-to and --dmesg are three questions", remedy="give one of them")
    if all_lines and dmesg is None:
        raise UsageError("--all-lines is about the lines of a log", remedy="give --dmesg FILE with it")
    if dmesg is not None:
        return _dmesg(machine, sysroot, kernel, dmesg, all_lines, as_json)
    if upgrade is not None:
        return _upgrade(machine, sysroot, kernel, upgrade, everything, as_json)
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


def _upgrade(
    machine: str | None, sysroot: str | None, kernel: str | None, after: str, everything: bool, as_json: bool
) -> int:
    from sparsemem.doctor.upgrade import compare_kernels, compare_machines_kernels, render_upgrade, upgrade_to_json

    if is_layout(machine):
        upgrade = compare_machines_kernels(layout_machine(machine or "", kernel), layout_machine(machine or "", after))
    else:
        upgrade = compare_kernels(describe(machine, sysroot), kernel, after)
    if as_json:
        echo_json(upgrade_to_json(upgrade))
    else:
        click.echo(render_upgrade(upgrade, width(), colour(), everything=everything), color=colour(), nl=False)
    return upgrade.exit_code


def _dmesg(
    machine: str | None, sysroot: str | None, kernel: str | None, log: str, all_lines: bool, as_json: bool
) -> int:
    from sparsemem.doctor.dmesg import explain_log, explain_log_of_machine, log_to_json, render_log
    from sparsemem.readers import read_log

    if log in ("-", "/dev/stdin") and machine in ("-", "/dev/stdin"):
        raise UsageError("standard input can not be the log and the machine", remedy="name a file for one of them")
    text, name = read_log(log), "standard input" if log in ("-", "/dev/stdin") else log
    if is_layout(machine):
        explained = explain_log_of_machine(text, name, layout_machine(machine or "", kernel))
    else:
        given = describe(machine, sysroot) if machine or sysroot else None
        explained = explain_log(text, name, given, kernel)
    if as_json:
        echo_json(log_to_json(explained))
    else:
        click.echo(render_log(explained, width(), colour(), all_lines=all_lines), color=colour(), nl=False)
    return explained.exit_code


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
