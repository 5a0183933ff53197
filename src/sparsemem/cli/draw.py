"""``sparsemem draw``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from sparsemem.cli.machine import colour, echo_json, load, machine_options, width
from sparsemem.errors import UsageError

if TYPE_CHECKING:
    from sparsemem.draw import Scene

__all__ = ["command"]


@click.command("draw")
@machine_options
@click.option("--against", metavar="VERSION", help="Draw the machine on this kernel too, side by side.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "svg", "html"]),
    default="text",
    show_default=True,
    help="The painter.",
)
@click.option("-o", "--output", metavar="FILE", help="Write there instead of to standard output.")
@click.option(
    "--width", "columns", type=click.IntRange(40, 400), help="Columns of the text form (the terminal's, else 80)."
)
@click.option("--limit", type=click.IntRange(1), help="At most this many rows; the rest is counted.")
@click.option(
    "--map/--no-map", "mapped", default=None, help="Map pmem ranges without a namespace first, as a driver would."
)
@click.option("--json", "as_json", is_flag=True, help="Print the scene as JSON.")
def command(
    machine: str | None, sysroot: str | None, kernel: str | None, against: str | None, form: str, output: str | None,
    columns: int | None, limit: int | None, mapped: bool | None, as_json: bool,
) -> int:  # fmt: skip
    """Draw the sections of MACHINE and their sub-sections: who owns each, with flags and legend.

    \b
    sparsemem draw                                   this machine
    sparsemem draw example:pmem-two-regions --format html -o map.html
    sparsemem draw example:mixed-region --kernel 5.1 --against 6.1 --map

    Without MACHINE this machine is drawn. Runs of like sections are folded.
    """
    from sparsemem.draw import compare, paint_html, paint_svg, paint_text, to_json

    left = _scene(machine, sysroot, kernel, mapped)
    if as_json:
        scenes = [left] if against is None else [left, _scene(machine, sysroot, against, mapped)]
        echo_json(to_json(left) if against is None else {"scenes": [to_json(scene) for scene in scenes]})
        return 0
    picture = left if against is None else compare(left, _scene(machine, sysroot, against, mapped))
    more = {} if limit is None else {"limit": limit}
    if form == "text":
        encoding = (sys.stdout.encoding or "ascii").lower() if output is None else "utf-8"
        text = paint_text(
            picture, columns or width(), color=colour() and output is None, unicode=encoding.startswith("utf"), **more
        )
    else:
        text = (paint_svg if form == "svg" else paint_html)(picture, **more)
    if output is None:
        click.echo(text, color=colour() and output is None, nl=not text.endswith("\n"))
        return 0
    try:
        with open(output, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise UsageError(
            f"cannot write {output}: {error.strerror}", remedy="name a file in a directory that exists"
        ) from None
    click.echo(f"{output}: {len(text.encode())} bytes", err=True)
    return 0


def _scene(machine: str | None, sysroot: str | None, kernel: str | None, mapped: bool | None) -> Scene:
    from sparsemem.draw import build_scene
    from sparsemem.machine.moves import map_unmapped

    loaded = load(machine, sysroot, kernel)
    if loaded.built is not None:
        for note in loaded.built.notes:
            if "every address in it is zero" in note.what:
                click.echo(f"sparsemem: note: {note.source}: {note.what}", err=True)
    answers = list(loaded.built.mappings) if loaded.built is not None else []
    if mapped:
        answers += [("", answer) for answer in map_unmapped(loaded.machine)]
    notes = [
        f"{name or answer.operation.ranges[0]}: {answer.refusal.name}, {' / '.join(answer.refusal.log) or answer.refusal}"
        for name, answer in answers
        if answer.refusal is not None
    ]
    return build_scene(loaded.machine.state, loaded.machine.faults(), notes=notes)
