"""The little of a shell that steps need: words with quotes, ``>`` into a file, ``;``, ``&&`` and ``|``, globs on the attribute tree."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from sparsemem.errors import InputError, NotModelledError
from sparsemem.machine.operations import OPERATIONS, Operation, parse_operation
from sparsemem.units import parse_size

__all__ = ["Command", "Pipeline", "parse_step"]

_SHELL = {"cat", "echo", "false", "grep", "head", "ls", "printf", "sleep", "tail", "test", "true", "wc"}
_LATER = {
    "ndctl": "NVDIMM namespaces", "daxctl": "device-dax", "cxl": "CXL", "mkfs.ext4": "file systems", "mkfs.xfs": "file systems",
    "mount": "file systems", "umount": "file systems", "modprobe": "drivers", "rmmod": "drivers",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Command:
    """One command: its words, where its output goes (``append`` for ``>>``), and what joins it to the one before: ``;``, ``&&`` or ``|``."""

    argv: tuple[str, ...]
    redirect: str | None = None
    append: bool = False
    after: str = ";"
    operation: Operation | None = None


Pipeline = tuple[Command, ...]


def _tokens(step: str) -> list[str]:
    lexer = shlex.shlex(step, posix=True, punctuation_chars=";&>|<")
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        return list(lexer)
    except ValueError as error:
        raise InputError(f"not a shell command: {error}", remedy="check its quotes") from None


def parse_step(step: str) -> Pipeline:
    """Understand one step. Raises InputError for what is malformed, NotModelledError for a command that is not implemented."""
    commands: list[Command] = []
    words: list[str] = []
    redirect: str | None = None
    append, after = False, ";"
    tokens = _tokens(step)
    index = 0

    def finish(joint: str) -> None:
        nonlocal words, redirect, append, after
        if not words:
            raise InputError("a command is missing", remedy="write one command, or several joined by ;, && or |")
        commands.append(_command(words, redirect, append, after))
        words, redirect, append, after = [], None, False, joint

    while index < len(tokens):
        token = tokens[index]
        if token in (";", "&&", "|"):
            finish(token)
        elif token in (">", ">>"):
            index += 1
            if index == len(tokens) or redirect is not None:
                raise InputError("> needs one file name")
            redirect, append = tokens[index], token == ">>"
        elif token and set(token) <= set(";&>|<"):
            raise NotModelledError(f"the shell's {token} is not implemented", remedy="use plain commands, >, ;, && and |")
        else:
            words.append(token)
        index += 1
    if words or not commands:
        finish(";")
    return tuple(commands)


def _command(words: list[str], redirect: str | None, append: bool, after: str) -> Command:
    name = words[0]
    operation = None
    if name in OPERATIONS:
        operation = parse_operation(" ".join(words))
    elif name == "plug":
        if len(words) != 3:
            raise InputError("plug takes a name and a size", remedy="write: plug dimm0 128M")
        parse_size(words[2])
    elif name == "unplug":
        if len(words) != 2:
            raise InputError("unplug takes a name", remedy="write: unplug dimm0")
    elif name in _LATER:
        raise NotModelledError(f"{name} is not implemented", why=f"{_LATER[name]} are not part of this release")
    elif name not in _SHELL:
        known = sorted({*_SHELL, *OPERATIONS, "plug", "unplug"})
        raise NotModelledError(f"no such command here: {name}", remedy="known are " + ", ".join(known))
    return Command(tuple(words), redirect, append, after, operation)
