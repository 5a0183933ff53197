"""``sparsemem shell``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sparsemem.cli.machine import colour, is_layout, layout_machine, width

if TYPE_CHECKING:
    from sparsemem.play.player import Player
    from sparsemem.play.prompt import Prompt

__all__ = ["command"]

_START = 'kernel = "6.1"\n[machine]\nmemory = "512M"\npmem = [{ size = "256M", labels = true }]\n'


@click.command("shell")
@click.argument("scenario", required=False)
@click.option("--kernel", metavar="VERSION", help="The kernel that runs.")
@click.option(
    "--ndctl-version", "ndctl", metavar="VERSION", help="The ndctl and daxctl that are installed (default 76)."
)
@click.option("--debug", is_flag=True, help="Show pr_debug lines of the kernel log too.")
def command(scenario: str | None, kernel: str | None, ndctl: str | None, debug: bool) -> int:
    """A prompt on a running model: type commands, see the sections change.

    \b
    sparsemem shell                           a guest of 512 MiB
    sparsemem shell dimm.toml --kernel 5.10   after the steps of a scenario
    sparsemem shell "6.1; 0-4G ram, 4G+1G pmem"

    SCENARIO is a scenario file (its machine is booted, its steps are played first) or a layout line; without it a guest of
    512 MiB with an NVDIMM of 256 MiB starts. On a terminal there is history and completion; ":help" says what else is there.
    """
    from sparsemem.play.prompt import HELP, Prompt

    player = _player(scenario, kernel, ndctl)
    paint = colour()
    prompt = Prompt(player, lambda line: click.echo(line, color=paint), colour=paint, width=width(), debug=debug)
    if not sys.stdin.isatty():
        for line in sys.stdin:
            click.echo(f"$ {line.rstrip()}")
            if not prompt.line(line):
                break
        return 0
    click.echo(f"kernel {player.machine.kernel}. {HELP.splitlines()[0]} ... (:help)")
    _interact(prompt)
    return 0


def _player(scenario: str | None, kernel: str | None, ndctl: str | None) -> Player:
    from sparsemem.play.player import Player
    from sparsemem.play.scenario import load_scenario, parse_ndctl_version, parse_scenario
    from sparsemem.play.setup import set_up

    release = parse_ndctl_version(ndctl) if ndctl else None
    if is_layout(scenario):
        return Player(layout_machine(scenario or "", kernel), ndctl=release or (76,), keep=True)
    loaded = load_scenario(scenario) if scenario else parse_scenario(_START, "the guest to start with")
    player = Player(*set_up(loaded, kernel), ndctl=release or loaded.ndctl, keep=True, util_linux=loaded.util_linux)
    for text, script in loaded.steps:
        player.step(text, script)
    return player


def _interact(prompt: Prompt) -> None:
    """Read lines with history and completion until the end of input."""
    import readline

    history = Path.home() / ".local/state/sparsemem/history"
    try:
        readline.read_history_file(history)
    except OSError:
        history.parent.mkdir(parents=True, exist_ok=True)
    readline.set_completer_delims(" \t\n;|&>")
    readline.set_completer(lambda word, n: dict(enumerate(prompt.complete(readline.get_line_buffer(), word))).get(n))
    readline.parse_and_bind("tab: complete")
    try:
        while True:
            try:
                if not prompt.line(input("$ ")):
                    break
            except KeyboardInterrupt:
                click.echo()
    except EOFError:
        click.echo()
    finally:
        try:
            readline.write_history_file(history)
        except OSError as error:
            click.echo(f"the history was not saved: {error.strerror}", err=True)
