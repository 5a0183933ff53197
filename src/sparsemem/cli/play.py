"""``sparsemem play``."""

from __future__ import annotations

import click

from sparsemem.cli.machine import colour, echo_json

__all__ = ["command"]


@click.command("play")
@click.argument("scenario", metavar="FILE.toml")
@click.option("--kernel", metavar="VERSION", help="Play it on this kernel instead of the scenario's own.")
@click.option(
    "--ndctl-version", "ndctl", metavar="VERSION", help="The ndctl and daxctl that are installed (default 76)."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document (docs/play.schema.json).")
@click.option("--debug", is_flag=True, help="Show pr_debug lines of the kernel log too.")
@click.option("--layout", is_flag=True, help="End with the layout line of the final machine.")
def command(scenario: str, kernel: str | None, ndctl: str | None, as_json: bool, debug: bool, layout: bool) -> int:
    """Run a scenario on the model: a machine, and the commands a person would type.

    \b
    kernel = "6.1"
    steps = ["ndctl create-namespace -s 64M", "ndctl list -u"]
    [machine]
    memory = "512M"
    pmem = [{ size = "256M", labels = true }]

    \b
    sparsemem play dimm.toml                  what is above, in a file
    sparsemem play dimm.toml --kernel 5.10    the same on another kernel
    sparsemem play dimm.toml --json           for programs

    A step that the kernel refuses is an answer: the exit code of play is 0 all the same.
    """
    from sparsemem.play import load_scenario
    from sparsemem.play.player import Player
    from sparsemem.play.scenario import parse_ndctl_version
    from sparsemem.play.setup import set_up

    loaded = load_scenario(scenario)
    release = parse_ndctl_version(ndctl) if ndctl else loaded.ndctl
    machine, dimms = set_up(loaded, kernel)
    player = Player(machine, dimms, ndctl=release, util_linux=loaded.util_linux)
    if as_json:
        from sparsemem.play.report import to_json

        results = [player.step(text, pipeline) for text, pipeline in loaded.steps]
        echo_json(to_json(machine, results))
        return 0
    from sparsemem.play.text import final_lines, step_lines

    paint = colour()
    click.echo(f"kernel {machine.kernel}")
    for text, pipeline in loaded.steps:
        before = machine.snapshot()
        result = player.step(text, pipeline)
        for line in step_lines(machine, before, result, debug=debug, colour=paint):
            click.echo(line, color=paint)
    for line in final_lines(machine, colour=paint):
        click.echo(line, color=paint)
    if layout:
        from sparsemem.machine.notation import format_machine

        click.echo(format_machine(machine))
    return 0
