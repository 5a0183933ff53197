"""``sparsemem plan``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from sparsemem.cli.machine import colour, echo_json, load, width
from sparsemem.cli.page import write
from sparsemem.errors import UsageError

if TYPE_CHECKING:
    from sparsemem.machine.description import MachineDescription
    from sparsemem.machine.machine import Machine
    from sparsemem.planner import Intent, VmPlan

__all__ = ["command"]

_IMPOSSIBLE = 13


@click.command("plan")
@click.argument("words", nargs=-1, metavar="[MACHINE] [INTENT]")
@click.option("--intent", "path", metavar="FILE.toml", help="Read the intent from a file (docs/planner.md).")
@click.option("--sysroot", metavar="DIR", help="Read the machine under this directory or in this tarball.")
@click.option("--vm", metavar="DEVICES", help="Place the memory devices of a QEMU guest instead of reading a machine.")
@click.option("--kernel", metavar="VERSION", help="Plan for this kernel, for example 5.2 or 6.1.")
@click.option(
    "--ndctl-version", "ndctl", metavar="VERSION", help="The ndctl and daxctl that are installed (default 76)."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document (docs/plan.schema.json).")
@click.option("--script", is_flag=True, help="Print a shell script that checks each step.")
@click.option("--html", metavar="FILE", help="Write the plan there as a page with the picture, instead of text.")
@click.option("--svg", metavar="FILE", help="Write the sections before and after there as SVG, instead of text.")
@click.option("--picture/--no-picture", default=True, help="The sections before and after.")
@click.option("--apply", "run", is_flag=True, help="Show the plan, ask, and run it here, command by command.")
@click.option("--rehearse", is_flag=True, help="With --apply: run it on the model of MACHINE instead.")
@click.option("--resume", metavar="JOURNAL", help="Go on with a plan that was interrupted or stopped.")
@click.option("--undo", metavar="JOURNAL", help="Take back what a plan has made.")
@click.option("--journal", metavar="FILE", help="Where --apply keeps its journal.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--width", "columns", type=click.IntRange(40, 400), help="Columns of the text form.")
def command(
    words: tuple[str, ...], path: str | None, sysroot: str | None, vm: str | None, kernel: str | None, ndctl: str | None,
    as_json: bool, script: bool, html: str | None, svg: str | None, picture: bool, run: bool, rehearse: bool, resume: str | None,
    undo: str | None, journal: str | None, yes: bool, columns: int | None,
) -> int:  # fmt: skip
    """Plan namespaces on MACHINE, or memory that goes online and offline: the exact commands, the usable sizes, and where every byte goes.
    Only --apply runs them.

    \b
    sparsemem plan "2 x fsdax 24G, rest devdax"            this machine
    sparsemem plan example:pmem-guest "replace all, fsdax usable 500M name=db"
    sparsemem plan machine.tar.xz "system-ram, all whole blocks" --script
    sparsemem plan "online dax0.0 movable"                 memory blocks, chmem
    sparsemem plan scenario.toml "sector 16M" --kernel 5.2 --json
    sparsemem plan machine.tar.xz "fsdax rest" --html plan.html      a page:
                         before beside after, and the commands to copy
    sparsemem plan --vm "ram 4G, dimm 2G, 2 x pmem 10G" "rest fsdax"   QEMU's
                         addresses first, then the namespaces of that guest
    sparsemem plan "fsdax 24G name=db" --apply         show, ask, run, here
    sparsemem plan example:pmem-guest "replace all, fsdax rest" --apply --rehearse

    \b
    INTENT: COUNT x MODE AMOUNT OPTIONS, separated by commas
      modes    fsdax, devdax, sector, raw, system-ram
      amounts  24G (raw), usable 24G, 30%, rest, all whole blocks
      options  on region0, on node1, name=db, map=mem, align=1G, sector=512,
               no-movable; "replace namespace0.0" or "replace all" in front
      CXL      "region on mem0 mem1 granularity=4096, fsdax rest"
      memory   online|offline all, 4G, memory32-memory39, 0x...-0x..., dax0.0;
               movable, no-movable, on node1

    What exists is kept, unless it is named behind replace. The plan is played on the model first. Exit code 13: it can not be had
    like this; the nearest intents that can are shown.
    """
    from sparsemem.planner import load_intent, make_plan, parse_intent, render_text, render_vm, to_json, to_script
    from sparsemem.play.scenario import parse_ndctl_version

    if resume is not None or undo is not None:
        return _go_on(
            resume,
            undo,
            yes=yes,
            as_json=as_json,
            others=bool(words or path or sysroot or vm or run or rehearse or journal or html or svg),
        )
    here = run and not rehearse
    _check(words, path, sysroot, vm, kernel, run=run, rehearse=rehearse, script=script, for_apply=bool(yes or journal))
    _check_form(run=run, as_json=as_json, script=script, html=html, svg=svg)
    release = parse_ndctl_version(ndctl) if ndctl else (76,)
    if here:
        from sparsemem.cli.plan_here import host_release

        release = host_release(release if ndctl else None) or release
    placed = None
    if vm is not None:
        placed = _guest(vm, words, path, sysroot, kernel)
        wanted = load_intent(path) if path is not None else parse_intent(words[0]) if words else None
        if wanted is None or placed.machine is None:
            return _show_guest(placed, as_json=as_json, html=html, svg=svg, columns=columns)
        if not (as_json or script or html or svg):
            click.echo(render_vm(placed, columns or width(), colour()), color=colour())
        machine, intent = placed.machine, wanted
    else:
        machine, intent = _question(words, path, sysroot, kernel, here=here)
    plan = make_plan(machine, intent, ndctl=release)

    def show(*, err: bool = False) -> None:
        unicode = (sys.stdout.encoding or "ascii").lower().startswith("utf")
        text = render_text(plan, columns or width(), colour(), picture=picture, unicode=unicode)
        click.echo(text, nl=False, color=colour(), err=err)

    if run and not plan.impossible:
        from sparsemem.cli.plan_apply import apply

        return apply(plan, lambda: show(err=as_json), rehearse=rehearse, yes=yes, journal_path=journal, as_json=as_json)
    if as_json:
        echo_json(to_json(plan))
    elif script:
        click.echo(to_script(plan), nl=False)
    elif html is not None or svg is not None:
        from sparsemem.planner import paint_plan, paint_plan_svg

        write(html or svg or "", paint_plan(plan, placed) if html is not None else paint_plan_svg(plan))
    else:
        show()
    return _IMPOSSIBLE if plan.impossible else 0


def _go_on(resume: str | None, undo: str | None, *, yes: bool, as_json: bool, others: bool) -> int:
    from sparsemem.cli import plan_apply

    if others or (resume is not None and undo is not None):
        raise UsageError(
            "--resume and --undo take a journal, and nothing else", remedy="the journal has the plan and the machine"
        )
    if resume is not None:
        return plan_apply.resume(resume, yes=yes, as_json=as_json)
    assert undo is not None
    return plan_apply.undo(undo, yes=yes, as_json=as_json)


def _check(
    words: tuple[str, ...], path: str | None, sysroot: str | None, vm: str | None, kernel: str | None, *, run: bool, rehearse: bool,
    script: bool, for_apply: bool,
) -> None:  # fmt: skip
    """Raises UsageError for options that do not go together."""
    if not run and (rehearse or for_apply):
        raise UsageError("--rehearse, --journal and --yes go with --apply")
    if run and script:
        raise UsageError("--apply runs the commands, --script prints them", remedy="give one of them")
    if run and not rehearse:
        elsewhere = vm or sysroot or (words[0] if len(words) > (0 if path is not None else 1) else None)
        if elsewhere:
            from sparsemem.cli.plan_here import check_capture

            check_capture(elsewhere)
        if kernel is not None:
            raise UsageError("--kernel: here runs the kernel that runs", remedy="leave it out, or rehearse: --rehearse")


def _check_form(*, run: bool, as_json: bool, script: bool, html: str | None, svg: str | None) -> None:
    """Raises UsageError for two forms of the answer at once."""
    given = [
        name
        for name, value in (
            ("--json", as_json),
            ("--script", script),
            ("--html", html),
            ("--svg", svg),
            ("--apply", run),
        )
        if value
    ]
    if (html or svg) and len(given) > 1:
        raise UsageError(f"give one of {', '.join(given)}", remedy="make the page first, then the other")


def _guest(vm: str, words: tuple[str, ...], path: str | None, sysroot: str | None, kernel: str | None) -> VmPlan:
    """Place the devices of a guest."""
    from sparsemem.machine.build import DEFAULT_KERNEL
    from sparsemem.planner import make_vm, parse_vm

    if sysroot is not None or len(words) > (0 if path is not None else 1):
        raise UsageError("--vm is the machine: nothing else names one", remedy="give --vm and one intent, or none")
    return make_vm(parse_vm(vm), kernel or DEFAULT_KERNEL)


def _show_guest(placed: VmPlan, *, as_json: bool, html: str | None, svg: str | None, columns: int | None) -> int:
    """The guest alone: without an intent, or because there is no such guest."""
    from sparsemem.planner import paint_vm, render_vm, vm_to_json

    if svg is not None:
        raise UsageError(
            "a picture of a guest is of a plan for it", remedy="give an intent, or --html FILE for the guest alone"
        )
    if html is not None and placed.machine is not None:
        write(html, paint_vm(placed))
    elif as_json:
        echo_json(vm_to_json(placed))
    else:
        if html is not None:
            click.echo(f"sparsemem: {html} is not written: there is no guest to draw", err=True)
        click.echo(render_vm(placed, columns or width(), colour()), nl=False, color=colour())
    return _IMPOSSIBLE if placed.impossible is not None else 0


def _question(
    words: tuple[str, ...], path: str | None, sysroot: str | None, kernel: str | None, *, here: bool = False
) -> tuple[Machine, Intent]:
    """The machine and the intent of the arguments: the last word is the intent, unless a file has it."""
    from sparsemem.planner import load_intent, parse_intent

    most = 1 if path is not None or sysroot is not None else 2
    if path is not None and sysroot is not None:
        most = 0
    if len(words) > most or (path is None and not words):
        raise UsageError(
            "give a machine and what you want of it" if words else "what is wanted of it?",
            why=f"{len(words)} words were given" if words else None,
            remedy='for example: sparsemem plan example:pmem-guest "replace all, fsdax rest"; quote the intent',
        )
    intent = load_intent(path) if path is not None else parse_intent(words[-1])
    source = words[0] if len(words) == 2 or (path is not None and words) else None

    def more(description: MachineDescription) -> MachineDescription:
        from sparsemem.planner.apply.media import with_labels

        description = with_labels(description) if here else description
        labelled = any(region.labels or region.mappings for region in description.regions)
        if labelled and not description.label_areas and any(item.mode == "sector" for item in intent.items):
            click.echo(
                "sparsemem: note: the version of the labels is not known: with 1.1, which ndctl init-labels makes by default, sector"
                " namespaces are 4096 bytes smaller than shown (1.2); ndctl read-labels -o nmem0.labels nmem0, beside a capture, tells",
                err=True,
            )
        return description

    loaded = load(source, sysroot, kernel, devices=True, more=more)
    for note in (*loaded.notes, *(loaded.built.notes if loaded.built is not None else ())):
        click.echo(f"sparsemem: note: {note.source}: {note.where + ': ' if note.where else ''}{note.what}", err=True)
    return loaded.machine, intent
