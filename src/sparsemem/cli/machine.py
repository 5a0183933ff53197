"""What every verb does with its MACHINE argument."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sparsemem.errors import UsageError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from sparsemem.machine.build import Built
    from sparsemem.machine.description import MachineDescription, Note
    from sparsemem.machine.machine import Machine

__all__ = [
    "Loaded", "colour", "complete_machine", "describe", "echo_json", "is_layout", "is_model", "is_scenario", "layout_machine", "load",
    "machine_options", "model_machine", "width",
]  # fmt: skip

_F = TypeVar("_F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Loaded:
    """A machine to work on, how it was built (None for a layout line or a scenario), and what its reader remarked."""

    machine: Machine
    built: Built | None = None
    notes: tuple[Note, ...] = ()


def complete_machine(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """MACHINE for a shell: the bundled ones, and files."""
    from click.shell_completion import CompletionItem

    from sparsemem import fixtures

    names = [f"example:{name}" for name in fixtures.names()]
    found = [CompletionItem(name) for name in names if name.startswith(incomplete)]
    return [*found, CompletionItem(incomplete, type="file")]


def _complete_kernel(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    from sparsemem.spec import KNOWN_SERIES

    names = [f"{major}.{minor}" for major, minor in KNOWN_SERIES]
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def machine_options(command: _F) -> _F:
    """MACHINE, --sysroot and --kernel."""
    command = click.option(
        "--kernel",
        metavar="VERSION",
        shell_complete=_complete_kernel,
        help="Judge for this kernel, for example 5.2 or 6.1.",
    )(command)
    command = click.option(
        "--sysroot", metavar="DIR", help="Read the machine under this directory or in this tarball."
    )(command)
    return click.argument("machine", required=False, shell_complete=complete_machine)(command)


def _source(machine: str | None, sysroot: str | None) -> str:
    if machine and sysroot:
        raise UsageError("give MACHINE or --sysroot, not both")
    text = machine or sysroot or "/"
    if text.startswith("example:"):
        from sparsemem import fixtures

        return fixtures.path(text.removeprefix("example:"))
    return text


def describe(machine: str | None, sysroot: str | None) -> MachineDescription:
    """Read a description (not a layout line)."""
    from sparsemem.readers import read_machine

    return read_machine(_source(machine, sysroot))


def is_layout(machine: str | None) -> bool:
    """Is the argument a layout line rather than the name of something?"""
    if not machine or os.path.exists(machine):
        return False
    from sparsemem.machine.notation import looks_like_layout

    return looks_like_layout(machine)


def layout_machine(line: str, kernel: str | None) -> Machine:
    """The machine of a layout line, on its own kernel or on another. Raises SparsememError."""
    from sparsemem.machine.notation import parse_layout, parse_machine

    override = None
    if kernel is not None:
        from sparsemem.spec import kernel as kernel_for

        own = parse_layout(line)[0]
        override = kernel_for(kernel, own.arch, own.page_size, own.levels)
    return parse_machine(line, kernel_override=override)


def is_scenario(machine: str | None) -> bool:
    """Is the argument a scenario file?"""
    return bool(machine) and str(machine).endswith(".toml") and os.path.isfile(str(machine))


def is_model(machine: str | None) -> bool:
    """Is the argument a machine of the model: a layout line, or a scenario file?"""
    return is_layout(machine) or is_scenario(machine)


def model_machine(text: str, kernel: str | None) -> Machine:
    """The machine of a layout line, or of a scenario file after its steps, on its own kernel or on another. Raises SparsememError."""
    if not is_scenario(text):
        return layout_machine(text, kernel)
    from sparsemem.play import load_scenario, play

    return play(load_scenario(text), kernel)[0].machine


def load(
    machine: str | None, sysroot: str | None, kernel: str | None, *, devices: bool = False,
    more: Callable[[MachineDescription], MachineDescription] = lambda description: description,
) -> Loaded:  # fmt: skip
    """Read MACHINE and build it on the model; ``devices``: with its labels and drivers, to go on from; ``more`` adds to what was read.
    Raises SparsememError."""
    if machine and is_model(machine):
        return Loaded(model_machine(machine, kernel))
    from sparsemem.machine.build import build

    description = more(describe(machine, sysroot))
    if devices:
        from sparsemem.readers.listing import check_whole

        check_whole(description)
    built = build(description, kernel, devices=devices)
    return Loaded(built.machine, built, description.notes)


def width() -> int:
    """Columns to fill: the terminal's, 80 when there is none."""
    return max(40, min(shutil.get_terminal_size((80, 24)).columns, 200)) if sys.stdout.isatty() else 80


def colour() -> bool:
    """Does the reader see colours?"""
    if os.environ.get("NO_COLOR"):
        return False
    return sys.stdout.isatty() or os.environ.get("FORCE_COLOR", "") not in ("", "0")


def echo_json(document: Any) -> None:
    """Print a document, readable and stable."""
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))
