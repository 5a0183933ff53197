"""find, with the tests that people use on /sys: -name, -type, -maxdepth, -mindepth."""

from __future__ import annotations

import errno
import fnmatch
import re
from typing import TYPE_CHECKING, NamedTuple

from sparsemem.errors import NotModelledError
from sparsemem.machine import sysfs, sysfs_node

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sparsemem.play.shell.run import Shell
    from sparsemem.play.shell.streams import Streams

__all__ = ["COMMANDS", "check"]


class _Asked(NamedTuple):
    names: tuple[str, ...]
    types: str
    shallowest: int
    deepest: int


def _asked(words: list[str]) -> _Asked:
    names: list[str] = []
    types, shallowest, deepest = "", 0, 64
    left = list(words)
    while left:
        word = left.pop(0)
        if word not in ("-name", "-type", "-maxdepth", "-mindepth", "-print") or (word != "-print" and not left):
            raise NotModelledError(
                f"find {word} is not implemented", remedy="known are -name, -type, -maxdepth and -mindepth"
            )
        if word == "-name":
            names.append(left.pop(0))
        elif word == "-type":
            types = left.pop(0)
            if types not in ("f", "d", "l"):
                raise NotModelledError(f"find -type {types} is not implemented")
        elif word != "-print":
            number = left.pop(0)
            if not number.isdecimal():
                raise NotModelledError(f"find {word} {number} is not implemented")
            shallowest, deepest = (shallowest, int(number)) if word == "-maxdepth" else (int(number), deepest)
    return _Asked(tuple(names), types, shallowest, deepest)


def _walk(sh: Shell, path: str, depth: int, asked: _Asked) -> Iterator[str]:
    real = sh.path(path)
    link = sh.files.is_link(real) and not path.endswith("/")
    directory = not link and sh.files.is_directory(real)
    kind = "l" if link else "d" if directory else "f"
    name = path.rstrip("/").rpartition("/")[2] or "/"
    if (
        depth >= asked.shallowest
        and asked.types in ("", kind)
        and all(fnmatch.fnmatchcase(name, each) for each in asked.names)
    ):
        yield path
    if directory and depth < asked.deepest:
        if not asked.names and sysfs_node.is_node(sysfs.realpath(sh.machine.state, real)):
            raise NotModelledError(f"not every file of {path} is modelled", remedy="find it with -name")
        for each in sh.files.listdir(real):
            yield from _walk(sh, f"{path.rstrip('/')}/{each}", depth + 1, asked)


def _parsed(words: list[str]) -> tuple[list[str], _Asked]:
    start = next((index for index, word in enumerate(words) if re.match(r"[-(!]", word)), len(words))
    return words[:start] or ["."], _asked(words[start:])


def check(words: list[str]) -> None:
    """Raises NotModelledError for what find cannot do here."""
    _parsed(words)


def _find(sh: Shell, argv: list[str], io: Streams) -> int:
    code = 0
    paths, asked = _parsed(argv[1:])
    for path in paths:
        if not sh.files.exists(sh.path(path)):
            code = sh.complain(io, f"find: {path}: No such file or directory", errno.ENOENT)
            continue
        io.out.append("".join(f"{each}\n" for each in _walk(sh, path, 0, asked)))
    return code


COMMANDS: dict[str, Callable[[Shell, list[str], Streams], int]] = {"find": _find}
"""name -> function"""
