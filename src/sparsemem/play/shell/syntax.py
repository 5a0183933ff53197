"""What a step is after it was understood: words, and commands made of commands. Values only."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from sparsemem.machine.operations import Operation

__all__ = [
    "Arithmetic",
    "For",
    "Group",
    "If",
    "Joined",
    "Node",
    "Part",
    "Pipe",
    "Redirect",
    "Script",
    "Simple",
    "Substitution",
    "Text",
    "Variable",
    "While",
    "Word",
]


class Text(NamedTuple):
    """Letters as they stand; unquoted ones may be a glob."""

    text: str
    quoted: bool


class Variable(NamedTuple):
    """``$name``, ``${name:-arg}`` and the like; ``op`` is "", "length", or what stands between name and argument."""

    name: str
    quoted: bool
    op: str = ""
    arg: Word = ""


class Substitution(NamedTuple):
    """``$(script)``."""

    script: Script
    quoted: bool


class Arithmetic(NamedTuple):
    """``$((text))``."""

    text: Word
    quoted: bool


Part = Text | Variable | Substitution | Arithmetic
Word = str | tuple[Part, ...]
"""A plain string stands for itself: no glob, nothing to expand."""


class Redirect(NamedTuple):
    """``fd`` and ``op`` (">", ">>", "<", ">&") and where to; for ">&" the target is a number or "-"."""

    fd: int
    op: str
    target: Word


class Simple(NamedTuple):
    """One command. ``operation`` is set for a kernel call: it has been parsed already."""

    words: tuple[Word, ...]
    assigns: tuple[tuple[str, Word], ...] = ()
    redirects: tuple[Redirect, ...] = ()
    operation: Operation | None = None


class Pipe(NamedTuple):
    """``a | b``; ``negated`` by a leading ``!``."""

    commands: tuple[Node, ...]
    negated: bool = False


class Joined(NamedTuple):
    """A command of a list, and what joins it to the one before: ";", "&&" or "||"."""

    joint: str
    command: Node


Script = tuple[Joined, ...]


class For(NamedTuple):
    """``for name in words; do body; done``."""

    name: str
    words: tuple[Word, ...]
    body: Script
    redirects: tuple[Redirect, ...] = ()


class While(NamedTuple):
    """``while`` or ``until``."""

    condition: Script
    body: Script
    until: bool = False
    redirects: tuple[Redirect, ...] = ()


class If(NamedTuple):
    """``if``/``elif`` pairs of condition and body, and the ``else``."""

    clauses: tuple[tuple[Script, Script], ...]
    otherwise: Script | None = None
    redirects: tuple[Redirect, ...] = ()


class Group(NamedTuple):
    """``{ ...; }``, or ``( ... )``, which keeps its variables and directory to itself."""

    body: Script
    subshell: bool = False
    redirects: tuple[Redirect, ...] = ()


Node = Simple | Pipe | For | While | If | Group
