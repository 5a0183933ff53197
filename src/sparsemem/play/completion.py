"""What a word at the prompt can become: commands, sub-commands and options of the tools, devices, files."""

from __future__ import annotations

import re
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from sparsemem.errors import SparsememError
from sparsemem.kernel.dax.types import DevDax
from sparsemem.machine.operations import OPERATIONS
from sparsemem.play.commands.options import OPTIONS
from sparsemem.play.shell.checks import COMMANDS, PLAIN_TOOLS, TOOLS
from sparsemem.tools.result import Console

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sparsemem.kernel.state import State
    from sparsemem.play.files import Files

__all__ = ["complete"]

#: Commands and options whose values are one of a few words.
_VALUES = {
    "-m": ("fsdax", "devdax", "sector", "raw", "system-ram"),
    "--mode": ("fsdax", "devdax", "sector", "raw", "system-ram"),
    "-M": ("dev", "mem"),
    "--map": ("dev", "mem"),
    "-t": ("ext4", "xfs"),
    "-o": ("dax", "dax=always", "dax=inode", "dax=never", "ro"),
}


def complete(state: State, files: Files, line: str, word: str, cwd: str = "/") -> list[str]:
    """Every word that begins with ``word``, the last of ``line``; sorted."""
    before = line[: len(line) - len(word)] if line.endswith(word) else line
    words = re.split(r"&&|\|\||[;|&]", before)[-1].split()
    if "/" in word:
        return _paths(files, word, cwd)
    if not words or words[-1] in ("do", "then", "else", "!", "{", "("):
        found: Iterable[str] = (*COMMANDS, *OPERATIONS)
    elif word.startswith("-"):
        found = _options(words)
    elif words[0] in TOOLS and len(words) == 1:
        found = (*_subcommands(words[0]), "--list-cmds", "--help", "--version")
    elif words[-1] in _VALUES and words[0] in (*TOOLS, "mount"):
        found = _VALUES[words[-1]]
    else:
        found = (*_devices(state), *_names(files, cwd))
    return sorted({each for each in found if each.startswith(word)})


def _paths(files: Files, word: str, cwd: str) -> list[str]:
    head, slash, start = word.rpartition("/")
    directory = files.normal(head or "/", cwd)
    if not files.is_directory(directory):
        return []
    return sorted(
        head + slash + name + ("/" if files.is_directory(files.normal(f"{directory}/{name}")) else "")
        for name in files.listdir(directory)
        if name.startswith(start)
    )


def _names(files: Files, cwd: str) -> list[str]:
    return [name + ("/" if files.is_directory(files.normal(name, cwd)) else "") for name in files.listdir(cwd)]


def _devices(state: State) -> Iterable[str]:
    nd = state.nd
    for region in nd.regions:
        yield region
        yield from (key.removeprefix("nd:") for key in nd.children.get(region, ()))
    yield from nd.buses
    yield from nd.dimms
    yield from (f"/dev/{disk}" for disk in nd.disks)
    yield from (key for key, dev in state.dax.items() if isinstance(dev, DevDax))
    yield from (f"memory{nr}" for nr in state.blocks)
    yield "all"


@cache
def _subcommands(tool: str) -> tuple[str, ...]:
    known = import_module(f"sparsemem.tools.{tool}").COMMANDS
    return tuple(known) if isinstance(known, tuple) else tuple(name for name, command in known.items() if command)


@cache
def _tool_options(tool: str, *command: str) -> tuple[str, ...]:
    """The options that the tool's own help (of a command, where it has commands) lists."""
    from sparsemem.machine.notation import parse_machine
    from sparsemem.tools.tree import MachineTree

    tree = MachineTree(parse_machine("6.1; 1M-1G ram"))
    try:
        output = import_module(f"sparsemem.tools.{tool}").main(tree, [*command, "-h"], Console()).output
    except SparsememError:
        return ()
    found: list[str] = []
    for line in output.splitlines():
        if match := re.match(r"\s+(?:(-\w), )?(--[\w-]+)?", line):
            found += [each for each in match.groups() if each]
    return tuple(found)


def _options(words: list[str]) -> Iterable[str]:
    if words[0] in TOOLS:
        return _tool_options(words[0], words[1]) if len(words) > 1 else ("--list-cmds", "--help", "--version")
    if words[0] in PLAIN_TOOLS:
        return _tool_options(words[0])
    spec = OPTIONS.get(words[0])
    return () if spec is None else [f"-{letter}" for letter in (*spec.flags, *spec.values)]
