"""``sparsemem diff``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from sparsemem.cli.machine import (
    colour,
    complete_machine,
    describe,
    echo_json,
    is_model,
    is_scenario,
    model_machine,
    width,
)
from sparsemem.cli.page import write
from sparsemem.errors import UsageError

if TYPE_CHECKING:
    from sparsemem.doctor.diff import Portrait

__all__ = ["command"]


@click.command("diff")
@click.argument("before", metavar="A", shell_complete=complete_machine)
@click.argument("after", metavar="B", shell_complete=complete_machine)
@click.option("--kernel", metavar="VERSION", help="Judge both for this kernel.")
@click.option("--html", metavar="FILE", help="Write both machines there as a page with the picture, instead of text.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(before: str, after: str, kernel: str | None, html: str | None, as_json: bool) -> int:
    """Say how two machines differ, or one before and after.

    RAM, memory blocks, regions, namespaces, dax devices, shared sections, findings and capacity. What is the same thing is found by uuid,
    then by address, then by name; a new name is shown as one. A and B are given as MACHINE is to the other verbs.

    \b
    sudo sparsemem capture before.tar.xz
    sudo ndctl create-namespace ...
    sudo sparsemem capture after.tar.xz
    sparsemem diff before.tar.xz after.tar.xz
    sparsemem diff before.tar.xz /                with this machine as it is
    sparsemem diff before.tar.xz after.tar.xz --html diff.html    side by side
    sparsemem diff "6.1; 0-4G ram" "6.1; 0-8G ram"

    Exits 0 when nothing differs, 12 when something does.
    """
    from sparsemem.doctor.diff import diff_machines, diff_to_json, portrait_of, portrait_of_machine, render_diff

    if html is not None and as_json:
        raise UsageError("give --json or --html, not both")

    def side(machine: str) -> Portrait:
        if is_model(machine):
            portrait = portrait_of_machine(model_machine(machine, kernel))
            return replace(portrait, source=machine) if is_scenario(machine) else portrait
        return portrait_of(describe(machine, None), kernel)

    diff = diff_machines(side(before), side(after))
    if html is not None:
        from sparsemem.doctor.diff.page import paint_diff

        write(html, paint_diff(diff))
    elif as_json:
        echo_json(diff_to_json(diff))
    else:
        click.echo(render_diff(diff, width(), colour()), color=colour(), nl=False)
    return 0 if diff.same else 12
