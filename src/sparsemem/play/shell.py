"""The little of a shell that steps need: words with quotes, ``>`` into a file, ``;``, ``&&`` and ``|``, ``for`` loops.

Globs are expanded on the attribute tree, when the command runs.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from sparsemem.errors import InputError, NotModelledError
from sparsemem.machine.operations import OPERATIONS, Operation, parse_operation
from sparsemem.units import parse_size

__all__ = ["COMMANDS", "Command", "Pipeline", "parse_step"]

_SHELL = {"cat", "echo", "false", "grep", "head", "ls", "printf", "sleep", "tail", "test", "true", "wc"}
COMMANDS = tuple(sorted({*_SHELL, "plug", "unplug"}))
"""What can be typed besides the kernel calls."""

_OPTIONS = {
    "cat": "", "echo": "n", "grep": "Eiqv", "head": "n", "ls": "1d", "printf": "", "tail": "n", "test": "def", "wc": "l",
}  # fmt: skip
_LATER = {
    "ndctl": "NVDIMM namespaces", "daxctl": "device-dax", "cxl": "CXL", "mkfs.ext4": "file systems", "mkfs.xfs": "file systems",
    "mount": "file systems", "umount": "file systems", "modprobe": "drivers", "rmmod": "drivers",
}  # fmt: skip


_PLACE = re.compile(r"(addr|slot|node)=(0x[0-9a-fA-F]{1,16}|\d{1,18})\Z")


@dataclass(frozen=True, slots=True)
class Command:
    """One command: its words, where its output goes (``append`` for ``>>``), and what joins it to the one before.

    ``after`` is ``;``, ``&&`` or ``|``.
    """

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


def _unrolled(tokens: list[str]) -> list[str]:
    """``for X in WORDS; do COMMANDS; done``, written out."""
    if "for" not in tokens:
        return tokens
    at = tokens.index("for")
    try:
        end_words, end = tokens.index(";", at), tokens.index("done", at)
    except ValueError:
        raise InputError("for without its ; do or done", remedy="write: for i in 1 2; do echo $i; done") from None
    if tokens[at + 2 : at + 3] != ["in"] or tokens[end_words + 1] != "do":
        raise InputError("not a for loop that is known", remedy="write: for i in 1 2; do echo $i; done")
    name, body = tokens[at + 1], tokens[end_words + 2 : end]
    if "for" in body:
        raise NotModelledError("a loop inside a loop is not implemented")
    written: list[str] = []
    for word in tokens[at + 3 : end_words]:
        written += [token.replace(f"${{{name}}}", word).replace(f"${name}", word) for token in body]
        if written[-1] != ";":
            written.append(";")
    return tokens[:at] + written[:-1] + _unrolled(tokens[end + 1 :])


def parse_step(step: str) -> Pipeline:
    """Understand one step. Raises InputError for what is malformed, NotModelledError for a command that is not implemented."""
    commands: list[Command] = []
    words: list[str] = []
    redirect: str | None = None
    append, after = False, ";"
    tokens = _unrolled(_tokens(step))
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
            raise NotModelledError(
                f"the shell's {token} is not implemented", remedy="use plain commands, >, ;, && and |"
            )
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
        if len(words) < 3 or not all(_PLACE.match(word) for word in words[3:]):
            raise InputError(
                "plug takes a name and a size", remedy="write: plug dimm0 128M, and if need be addr=, slot= or node="
            )
        parse_size(words[2])
    elif name == "unplug":
        if len(words) != 2:
            raise InputError("unplug takes a name", remedy="write: unplug dimm0")
    elif name in _LATER:
        raise NotModelledError(f"{name} is not implemented", why=f"{_LATER[name]} are not part of this release")
    elif name in _SHELL:
        for word in words[1:]:
            letters = word[1:].rstrip("0123456789")
            if name != "printf" and len(word) > 1 and word[0] == "-" and (set(letters) - set(_OPTIONS.get(name, ""))):
                raise NotModelledError(f"{name} {word} is not implemented")
    else:
        known = sorted({*_SHELL, *OPERATIONS, "plug", "unplug"})
        raise NotModelledError(f"no such command here: {name}", remedy="known are " + ", ".join(known))
    return Command(tuple(words), redirect, append, after, operation)
