"""``sparsemem draw``."""

from __future__ import annotations

import sys

import click

from sparsemem.cli.machine import colour, echo_json, load, machine_options, width
from sparsemem.cli.page import scene, write
from sparsemem.errors import UsageError

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
@click.option("--svg", metavar="FILE", help="Write an SVG there: --format svg -o FILE.")
@click.option("--html", metavar="FILE", help="Write a page there, to zoom into: --format html -o FILE.")
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
    machine: str | None, sysroot: str | None, kernel: str | None, against: str | None, form: str, svg: str | None,
    html: str | None, output: str | None, columns: int | None, limit: int | None, mapped: bool | None, as_json: bool,
) -> int:  # fmt: skip
    """Draw the sections of MACHINE and their sub-sections: who owns each, with flags and legend.

    \b
    sparsemem draw                                   this machine
    sparsemem draw example:pmem-two-regions --html map.html
    sparsemem draw example:mixed-region --kernel 5.1 --against 6.1 --map

    Without MACHINE this machine is drawn. Runs of like sections are folded.
    """
    from sparsemem.draw import compare, paint_html, paint_svg, paint_text, to_json

    form, output = _painter(form, output, svg, html)
    # A page has room to zoom into what the other painters fold.
    exact = form == "html"
    left = scene(load(machine, sysroot, kernel), mapped, exact=exact)
    if as_json:
        scenes = [left] if against is None else [left, scene(load(machine, sysroot, against), mapped, exact=exact)]
        echo_json(to_json(left) if against is None else {"scenes": [to_json(each) for each in scenes]})
        return 0
    picture = left if against is None else compare(left, scene(load(machine, sysroot, against), mapped, exact=exact))
    more = {} if limit is None else {"limit": limit}
    if form == "text":
        encoding = (sys.stdout.encoding or "ascii").lower() if output is None else "utf-8"
        text = paint_text(
            picture, columns or width(), color=colour() and output is None, unicode=encoding.startswith("utf"), **more
        )
    else:
        text = (paint_svg if form == "svg" else paint_html)(picture, **more)
    if output is None:
        click.echo(text, color=colour(), nl=not text.endswith("\n"))
    else:
        write(output, text)
    return 0


def _painter(form: str, output: str | None, svg: str | None, html: str | None) -> tuple[str, str | None]:
    """What ``--svg FILE`` and ``--html FILE`` stand for. Raises UsageError when they contradict each other or ``-o``."""
    named = [(name, path) for name, path in (("svg", svg), ("html", html)) if path is not None]
    if not named:
        return form, output
    if len(named) > 1 or output is not None or form not in ("text", named[0][0]):
        raise UsageError("give one of --svg FILE, --html FILE, and --format with -o FILE")
    return named[0]
