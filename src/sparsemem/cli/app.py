"""The root command. Verbs are imported when they are called, so that ``--help`` and errors are quick."""

from __future__ import annotations

import gc
import importlib
import os
import sys

import click

from sparsemem.errors import SparsememError

__all__ = ["app", "run"]

_LONGEST = 400

_VERBS = {
    "capture": "Save a machine as a tarball that every verb can read.",
    "diff": "How two machines differ, or one before and after.",
    "doctor": "Findings about a machine: this one, a captured one, a layout.",
    "draw": "The picture: sections and sub-sections, and who owns each.",
    "explain": "A dmesg line, a finding or a topic in plain words.",
    "fuzz": "Generated scenarios on both sides; differences are shrunk.",
    "kernels": "Real kernels for the lab: list, fetch, add, remove.",
    "machines": "The bundled machines to try things on.",
    "plan": "From what you want of persistent memory to the commands.",
    "play": "Run a scenario on the model: each answer, log and change.",
    "shell": "A prompt on a running model: type, and see the sections change.",
    "verify": "Scenarios on the model and on real kernels, compared.",
}
_EPILOG = """\b
Examples:
  sparsemem doctor                         this machine
  sparsemem doctor --kernel 5.2            this machine under another kernel
  sparsemem draw example:pmem-two-regions  a bundled machine
  sparsemem draw "6.1; 0-4G ram, 4G+60M pmem"
  sparsemem explain "Conflicting mapping in same section"
  sparsemem play scenario.toml --json
  sparsemem verify scenario.toml --kernel 6.12   ask the real kernel, too

MACHINE is a directory or tarball of a machine, a /proc/iomem text, a boot log,
ndctl, daxctl or lsmem JSON, the table of lsmem, several of these pasted into one
text, "-" for standard input, example:NAME for a bundled machine, a scenario file
(its machine after its steps), or a layout line.
Shell completion: sparsemem --completion bash|zsh|fish.
"""


class _Verbs(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _VERBS:
            return None
        module = importlib.import_module(f"sparsemem.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl(sorted(_VERBS.items()))


def _completion(ctx: click.Context, parameter: click.Parameter, shell: str | None) -> None:
    if not shell or ctx.resilient_parsing:
        return
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(app, {}, "sparsemem", "_SPARSEMEM_COMPLETE").source())
    ctx.exit()


def _version(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"sparsemem {version('sparsemem')}")
        ctx.exit()


@click.group(
    cls=_Verbs,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
    invoke_without_command=True,
)
@click.option(
    "--version", is_flag=True, callback=_version, expose_value=False, is_eager=True, help="Print the version."
)
@click.option(
    "--completion", type=click.Choice(["bash", "fish", "zsh"]), callback=_completion, expose_value=False, is_eager=True,
    help="Print the completion script of a shell.",
)  # fmt: skip
@click.pass_context
def app(ctx: click.Context) -> None:
    """Linux memory hotplug at sub-section granularity, executable.

    What will a kernel do with this layout of RAM, persistent memory and device memory; what breaks, with which words, how much
    capacity is lost, and what to do about it.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def _one_line(text: str) -> str:
    """Text that may quote input: what a terminal would act on is escaped, and a long quotation is cut in the middle."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST * 2 // 3]} ... {shown[-_LONGEST // 4 :]}"


def _complain(error: SparsememError) -> None:
    colour = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    head = click.style("error:", fg="red", bold=True) if colour else "error:"
    where = f"{_one_line(error.where)}: " if error.where else ""
    why = f" ({_one_line(error.why)})" if error.why else ""
    click.echo(f"sparsemem: {head} {where}{_one_line(error.what)}{why}", err=True)
    if error.remedy:
        click.echo(f"  hint: {_one_line(error.remedy)}", err=True)


def run(argv: list[str]) -> int:
    """The exit code of a command line; nothing here ends in a traceback but a bug."""
    gc.set_threshold(
        50_000, 50, 100
    )  # the state is millions of small values without cycles: looking for any costs a quarter
    try:
        if "_SPARSEMEM_COMPLETE" in os.environ:
            app.main(argv, prog_name="sparsemem")
        result = app.main(argv, prog_name="sparsemem", standalone_mode=False)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except SparsememError as error:
        _complain(error)
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("sparsemem: interrupted; nothing was changed", err=True)
        return 130
    except RecursionError:
        click.echo("sparsemem: error: this input is nested too deeply", err=True)
        return 3
    except BrokenPipeError:
        # The reader of our output went away: not an error of ours, and nothing more may be written.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 141
    except Exception as error:
        if os.environ.get("SPARSEMEM_TRACEBACK"):
            raise
        click.echo(f"sparsemem: error: a bug of this program: {type(error).__name__}: {error}", err=True)
        click.echo(
            "  hint: run it again with SPARSEMEM_TRACEBACK=1 and report what it prints, with the input", err=True
        )
        return 70
