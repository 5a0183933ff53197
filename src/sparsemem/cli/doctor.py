"""``sparsemem doctor``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from sparsemem.cli.machine import (
    Loaded,
    colour,
    describe,
    echo_json,
    is_model,
    is_scenario,
    machine_options,
    model_machine,
    width,
)  # fmt: skip
from sparsemem.cli.page import scene, write
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
@click.option(
    "--upgrade-to", "upgrade", metavar="VERSION", help="Only what changes with that kernel (older ones, too)."
)
@click.option("--all", "everything", is_flag=True, help="With --upgrade-to: also name what has no effect here.")
@click.option(
    "--dmesg", metavar="FILE", help='Explain a boot log ("-": standard input) for MACHINE, or the machine it describes.'
)
@click.option("--all-lines", is_flag=True, help="With --dmesg: also show the lines that are not known.")
@click.option("--html", metavar="FILE", help="Write the answer there as a page with the picture, instead of text.")
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
    html: str | None,
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
    sparsemem doctor --html findings.html         a page: findings in the picture
    sparsemem doctor --upgrade-to 6.12 --html upgrade.html     both kernels

    Exits 0 when nothing is worse than a notice, 11 when the worst finding (or change) is a warning, 10 when it is an error. With --dmesg
    also 11 when the log contradicts the machine, or tells of a failure that no finding explains.
    """
    if html is not None and as_json:
        raise UsageError("give --json or --html, not both")
    if everything and upgrade is None:
        raise UsageError("--all says what has no effect of an upgrade", remedy="give --upgrade-to VERSION with it")
    if sum(each is not None for each in (versions, upgrade, dmesg)) > 1:
        raise UsageError("--compare, --upgrade-to and --dmesg are three questions", remedy="give one of them")
    if all_lines and dmesg is None:
        raise UsageError("--all-lines is about the lines of a log", remedy="give --dmesg FILE with it")
    if dmesg is not None:
        return _dmesg(machine, sysroot, kernel, dmesg, all_lines, html, as_json)
    if upgrade is not None:
        return _upgrade(machine, sysroot, kernel, upgrade, everything, html, as_json)
    if versions is not None:
        return _compare(machine, sysroot, kernel, versions, html, as_json)
    from sparsemem.doctor import diagnose, diagnose_machine, render_text, to_json

    description = None
    if is_model(machine):
        diagnosis = _named(diagnose_machine(model_machine(machine or "", kernel)), machine)
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


def _named(diagnosis: Diagnosis, machine: str | None) -> Diagnosis:
    """Of a scenario file: with its name, where else "layout line" stands."""
    return replace(diagnosis, source=machine or "", read=(machine or "",)) if is_scenario(machine) else diagnosis


def _upgrade(
    machine: str | None,
    sysroot: str | None,
    kernel: str | None,
    after: str,
    everything: bool,
    html: str | None,
    as_json: bool,
) -> int:
    from sparsemem.doctor.upgrade import compare_kernels, compare_machines_kernels, render_upgrade, upgrade_to_json

    if is_model(machine):
        upgrade = compare_machines_kernels(model_machine(machine or "", kernel), model_machine(machine or "", after))
    else:
        upgrade = compare_kernels(describe(machine, sysroot), kernel, after)
    if html is not None:
        from sparsemem.doctor.upgrade.page import paint_upgrade

        write(html, paint_upgrade(upgrade, everything=everything))
    elif as_json:
        echo_json(upgrade_to_json(upgrade))
    else:
        click.echo(render_upgrade(upgrade, width(), colour(), everything=everything), color=colour(), nl=False)
    return upgrade.exit_code


def _dmesg(
    machine: str | None,
    sysroot: str | None,
    kernel: str | None,
    log: str,
    all_lines: bool,
    html: str | None,
    as_json: bool,
) -> int:
    from sparsemem.doctor.dmesg import explain_log, explain_log_of_machine, log_to_json, render_log
    from sparsemem.readers import read_log

    if log in ("-", "/dev/stdin") and machine in ("-", "/dev/stdin"):
        raise UsageError("standard input can not be the log and the machine", remedy="name a file for one of them")
    text, name = read_log(log), "standard input" if log in ("-", "/dev/stdin") else log
    if is_model(machine):
        explained = explain_log_of_machine(text, name, model_machine(machine or "", kernel))
    else:
        given = describe(machine, sysroot) if machine or sysroot else None
        explained = explain_log(text, name, given, kernel)
    if html is not None:
        from sparsemem.doctor.dmesg.page import paint_log

        if explained.ctx is None:
            raise UsageError(
                f"{name} tells no memory map: there is nothing to draw", remedy="name the machine: MACHINE or --sysroot"
            )
        write(html, paint_log(explained, all_lines=all_lines))
    elif as_json:
        echo_json(log_to_json(explained))
    else:
        click.echo(render_log(explained, width(), colour(), all_lines=all_lines), color=colour(), nl=False)
    return explained.exit_code


def _compare(
    machine: str | None, sysroot: str | None, kernel: str | None, versions: str, html: str | None, as_json: bool
) -> int:
    from sparsemem.doctor import COMPARED, compare, comparison_to_json, render_comparison

    if kernel is not None:
        raise UsageError("give --kernel or --compare, not both")
    if is_model(machine):
        raise UsageError(
            "--compare needs a machine, not a layout line or a scenario",
            remedy="give its kernels one by one with --kernel",
        )
    wanted = COMPARED if versions == "all" else tuple(word.strip() for word in versions.split(",") if word.strip())
    if not wanted:
        raise UsageError("--compare names no kernel", remedy="for example --compare 5.2,6.1, or --compare all")
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
    from sparsemem.doctor.picture import finding_marks
    from sparsemem.draw import compare, paint_html
    from sparsemem.machine.build import build

    scenes: list[Scene] = []
    marks: list[Mark] = []
    for side, (kernel, diagnosis) in enumerate(judged):
        if isinstance(source, str):
            loaded = Loaded(model_machine(source, kernel))
        else:
            built = build(source, kernel)
            loaded = Loaded(built.machine, built)
        scenes.append(scene(loaded, exact=True))
        marks += finding_marks(diagnosis.findings, side if len(judged) > 1 else None)
    write(path, paint_html(scenes[0] if len(scenes) == 1 else compare(*scenes), marks=marks))


def _exit_code(diagnoses: list[Diagnosis]) -> int:
    worst = {finding.severity for diagnosis in diagnoses for finding in diagnosis.findings}
    return 10 if "error" in worst else 11 if "warning" in worst else 0
