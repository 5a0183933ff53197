"""What is built into the shell: cd, pwd, test, read, exit, break, continue, export, unset."""

from __future__ import annotations

import errno
import os
import posixpath
from typing import TYPE_CHECKING

from sparsemem.errors import NotModelledError
from sparsemem.machine import sysfs
from sparsemem.play.commands.options import read_options

if TYPE_CHECKING:
    from collections.abc import Callable

    from sparsemem.play.shell.run import Shell
    from sparsemem.play.shell.streams import Streams

__all__ = ["COMMANDS"]

_FLAGS = "bcdefhLnrsSwxz"
_NUMBERS: dict[str, Callable[[int, int], bool]] = {
    "-eq": lambda a, b: a == b, "-ne": lambda a, b: a != b, "-lt": lambda a, b: a < b,
    "-le": lambda a, b: a <= b, "-gt": lambda a, b: a > b, "-ge": lambda a, b: a >= b,
}  # fmt: skip
_TEXTS: dict[str, Callable[[str, str], bool]] = {
    "=": lambda a, b: a == b, "==": lambda a, b: a == b, "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b, ">": lambda a, b: a > b,
}  # fmt: skip


def _cd(sh: Shell, argv: list[str], io: Streams) -> int:
    read = read_options("cd", argv[1:])
    words = read.rest
    target = words[0] if words else "/root"
    if target == "-":
        raise NotModelledError("cd - is not implemented")
    if "P" in read.flags:
        path = sysfs.realpath(sh.machine.state, posixpath.join(sh.cwd, target))
    else:  # ".." goes where the name came from, not where a link leads
        path = posixpath.normpath(posixpath.join(sh.cwd, target))
    if not sh.files.is_directory(path):
        number = errno.ENOTDIR if sh.files.exists(path) else errno.ENOENT
        return sh.complain(io, f"sh: cd: line 0: can't cd to {target}: {os.strerror(number)}", number, 2)
    sh.cwd = path
    return 0


def _sh(sh: Shell, argv: list[str], io: Streams) -> int:
    """``sh -c TEXT``: a shell of its own, without this one's variables."""
    from sparsemem.play.shell.parser import parse_step

    variables, cwd, sh.variables = sh.variables, sh.cwd, {}
    try:
        return sh.subshell(parse_step(read_options("sh", argv[1:]).value("c")), io)
    finally:
        sh.variables, sh.cwd = variables, cwd


def _pwd(sh: Shell, argv: list[str], io: Streams) -> int:
    io.out.append(sh.cwd + "\n")
    return 0


def _exit(sh: Shell, argv: list[str], io: Streams) -> int:
    from sparsemem.play.shell.run import Exit

    if len(argv) > 1 and not argv[1].isdecimal():
        raise NotModelledError(f"exit {argv[1]} is not implemented")
    raise Exit(int(argv[1]) & 0xFF if len(argv) > 1 else sh.code)


def _loop_control(sh: Shell, argv: list[str], io: Streams) -> int:
    from sparsemem.play.shell.run import LoopControl

    if len(argv) > 1:
        raise NotModelledError(f"{argv[0]} with a number is not implemented")
    raise LoopControl(argv[0])


def _export(sh: Shell, argv: list[str], io: Streams) -> int:
    for word in argv[1:]:
        name, equals, value = word.partition("=")
        if equals:
            sh.variables[name] = value
    return 0


def _unset(sh: Shell, argv: list[str], io: Streams) -> int:
    for name in argv[1:]:
        sh.variables.pop(name, None)
    return 0


def _read(sh: Shell, argv: list[str], io: Streams) -> int:
    read = read_options("read", argv[1:])
    line = io.stdin.line()
    names = read.rest or ["REPLY"]
    text = (line or "").removesuffix("\n")
    if "r" not in read.flags and "\\" in text:
        raise NotModelledError("read of a backslash without -r is not implemented")
    parts = text.split(None, len(names) - 1) if len(names) > 1 else [text.strip()]
    for index, name in enumerate(names):
        sh.variables[name] = parts[index].rstrip() if index < len(parts) else ""
    return 0 if line is not None and line.endswith("\n") else 1


def _test(sh: Shell, argv: list[str], io: Streams) -> int:
    words = argv[1:]
    if argv[0] == "[":
        if words[-1:] != ["]"]:
            return sh.complain(io, "sh: missing ]", code=2)
        words = words[:-1]
    if not words:
        return 1
    left = list(words)
    try:
        value = _or(sh, left)
    except _SyntaxError as error:
        return sh.complain(io, f"sh: {error.words}", code=2)
    if left:
        return sh.complain(io, f"sh: {left[0]}: unknown operand", code=2)
    return 0 if value else 1


class _SyntaxError(Exception):
    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words


def _or(sh: Shell, left: list[str]) -> bool:
    value = _and(sh, left)
    while left[:1] == ["-o"]:
        del left[0]
        value = _and(sh, left) or value
    return value


def _and(sh: Shell, left: list[str]) -> bool:
    value = _not(sh, left)
    while left[:1] == ["-a"]:
        del left[0]
        value = _not(sh, left) and value
    return value


def _not(sh: Shell, left: list[str]) -> bool:
    if left[:1] == ["!"] and len(left) > 1:
        del left[0]
        return not _not(sh, left)
    return _primary(sh, left)


def _primary(sh: Shell, left: list[str]) -> bool:
    if not left:
        raise _SyntaxError("argument expected")
    if len(left) >= 3 and (left[1] in _NUMBERS or left[1] in _TEXTS):
        a, op, b = left[:3]
        del left[:3]
        if op in _TEXTS:
            return _TEXTS[op](a, b)
        return _NUMBERS[op](_number(a), _number(b))
    word = left.pop(0)
    if word == "(" and left:
        value = _or(sh, left)
        if left[:1] != [")"]:
            raise _SyntaxError("closing paren expected")
        del left[0]
        return value
    if len(word) == 2 and word[0] == "-" and left and left[0] not in ("-a", "-o"):
        if word[1] not in _FLAGS:
            raise _SyntaxError(f"{left[0]}: unknown operand")
        return _flag(sh, word[1], left.pop(0))
    return word != ""


def _number(word: str) -> int:
    try:
        return int(word.strip())
    except ValueError:
        raise _SyntaxError(f"{word}: bad number") from None


def _flag(sh: Shell, flag: str, word: str) -> bool:
    if flag in "nz":
        return (word != "") == (flag == "n")
    files, path = sh.files, sh.path(word)
    if not word or not files.exists(path):
        return False
    if flag == "d":
        return files.is_directory(path)
    if flag == "f":
        return files.is_regular(path)
    if flag == "b":
        return files.is_block_device(path)
    if flag == "c":
        return path.startswith("/dev/") and not files.is_block_device(path)
    if flag in "hL":
        return files.is_link(path)
    if flag == "s":
        return files.size(path) > 0
    if flag == "e":
        return True
    raise NotModelledError(f"test -{flag} is not implemented")


COMMANDS: dict[str, Callable[[Shell, list[str], Streams], int]] = {
    "[": _test,
    "break": _loop_control,
    "cd": _cd,
    "continue": _loop_control,
    "exit": _exit,
    "export": _export,
    "pwd": _pwd,
    "sh": _sh,
    "read": _read,
    "test": _test,
    "unset": _unset,
}
"""name -> function"""
