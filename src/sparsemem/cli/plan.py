"""``sparsemem plan``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from sparsemem.cli.machine import colour, echo_json, load, width
from sparsemem.errors import UsageError

if TYPE_CHECKING:
    from sparsemem.machine.machine import Machine
    from sparsemem.planner import Intent

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
@click.option("--picture/--no-picture", default=True, help="The sections before and after.")
@click.option("--width", "columns", type=click.IntRange(40, 400), help="Columns of the text form.")
def command(
    words: tuple[str, ...], path: str | None, sysroot: str | None, vm: str | None, kernel: str | None, ndctl: str | None,
    as_json: bool, script: bool, picture: bool, columns: int | None,
) -> int:  # fmt: skip
    """Plan namespaces on MACHINE: the exact commands, the usable sizes, and where every byte goes. Nothing is run.

    \b
    sparsemem plan "2 x fsdax 24G, rest devdax"            this machine
    sparsemem plan example:pmem-guest "replace all, fsdax usable 500M name=db"
    sparsemem plan machine.tar.xz "system-ram, all whole blocks" --script
    sparsemem plan scenario.toml "sector 16M" --kernel 5.2 --json
    sparsemem plan --vm "ram 4G, dimm 2G, 2 x pmem 10G" "rest fsdax"   QEMU's
                         addresses first, then the namespaces of that guest

    \b
    INTENT: COUNT x MODE AMOUNT OPTIONS, separated by commas
      modes    fsdax, devdax, sector, raw, system-ram
      amounts  24G (raw), usable 24G, 30%, rest, all whole blocks
      options  on region0, on node1, name=db, map=mem, align=1G, sector=512,
               no-movable; "replace namespace0.0" or "replace all" in front

    What exists is kept, unless it is named behind replace. The plan is played on the model first. Exit code 13: it can not be had
    like this; the nearest intents that can are shown.
    """
    from sparsemem.planner import make_plan, render_text, to_json, to_script
    from sparsemem.play.scenario import parse_ndctl_version

    release = parse_ndctl_version(ndctl) if ndctl else (76,)
    if vm is not None:
        found = _guest(vm, words, path, sysroot, kernel, as_json=as_json, script=script, columns=columns)
        if isinstance(found, int):
            return found
        machine, intent = found
    else:
        machine, intent = _question(words, path, sysroot, kernel)
    plan = make_plan(machine, intent, ndctl=release)
    if as_json:
        echo_json(to_json(plan))
    elif script:
        click.echo(to_script(plan), nl=False)
    else:
        unicode = (sys.stdout.encoding or "ascii").lower().startswith("utf")
        text = render_text(plan, columns or width(), colour(), picture=picture, unicode=unicode)
        click.echo(text, nl=False, color=colour())
    return _IMPOSSIBLE if plan.impossible else 0


def _guest(
    vm: str, words: tuple[str, ...], path: str | None, sysroot: str | None, kernel: str | None, *, as_json: bool, script: bool,
    columns: int | None,
) -> int | tuple[Machine, Intent]:  # fmt: skip
    """Place and show the devices of a guest; the guest and the intent, or the exit code where there is nothing more to do."""
    from sparsemem.machine.build import DEFAULT_KERNEL
    from sparsemem.planner import load_intent, make_vm, parse_intent, parse_vm, render_vm, vm_to_json

    if sysroot is not None or len(words) > (0 if path is not None else 1):
        raise UsageError("--vm is the machine: nothing else names one", remedy="give --vm and one intent, or none")
    intent = load_intent(path) if path is not None else parse_intent(words[0]) if words else None
    placed = make_vm(parse_vm(vm), kernel or DEFAULT_KERNEL)
    if intent is None or placed.machine is None:
        if as_json:
            echo_json(vm_to_json(placed))
        else:
            click.echo(render_vm(placed, columns or width(), colour()), nl=False, color=colour())
        return _IMPOSSIBLE if placed.impossible is not None else 0
    if not as_json and not script:
        click.echo(render_vm(placed, columns or width(), colour()), color=colour())
    return placed.machine, intent


def _question(
    words: tuple[str, ...], path: str | None, sysroot: str | None, kernel: str | None
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
    if source is not None and source.endswith(".toml"):
        from sparsemem.play import load_scenario
        from sparsemem.play.setup import set_up

        return set_up(load_scenario(source), kernel)[0], intent
    loaded = load(source, sysroot, kernel, devices=True)
    for note in loaded.built.notes if loaded.built is not None else ():
        click.echo(f"sparsemem: note: {note.source}: {note.where + ': ' if note.where else ''}{note.what}", err=True)
    return loaded.machine, intent
