"""Commands on files as such: cat, ls, mkdir, rm, cp, touch, readlink; and dmesg."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from sparsemem.errors import NotModelledError
from sparsemem.machine import sysfs, sysfs_node
from sparsemem.play.commands.options import read_options
from sparsemem.play.files import FileError
from sparsemem.play.shell.streams import lines_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from sparsemem.play.shell.run import Shell
    from sparsemem.play.shell.streams import Streams

__all__ = ["COMMANDS"]


def _cat(sh: Shell, argv: list[str], io: Streams) -> int:
    read = read_options("cat", argv[1:])
    code = number = 0
    for path in read.rest or ["-"]:
        try:
            text = io.stdin.rest() if path == "-" else sh.files.read(sh.path(path))
        except FileError as error:
            opened = error.number not in (errno.ENOENT, errno.EACCES)
            verb = "read error" if opened else f"can't open '{path}'"
            code = sh.complain(io, f"cat: {verb}: {os.strerror(error.number)}", error.number)
            continue
        if "n" in read.flags:
            for line in lines_of(text):
                number += 1
                io.out.append(f"{number:6}\t{line}\n")
        else:
            io.out.append(text)
    return code


def _ls(sh: Shell, argv: list[str], io: Streams) -> int:
    read = read_options("ls", argv[1:])
    files, directories, code = [], [], 0
    long = "l" in read.flags
    for path in read.rest or ["."]:
        real = sh.path(path)
        link = long and not path.endswith("/") and sh.files.is_link(real)
        if not sh.files.exists(real):
            code = sh.complain(io, f"ls: {path}: No such file or directory", errno.ENOENT)
        elif sh.files.is_directory(real) and "d" not in read.flags and not link:
            if sysfs_node.is_node(sysfs.realpath(sh.machine.state, real)):
                raise NotModelledError(
                    f"not every file of {path} is modelled", remedy="ask for memory*, or for one file"
                )
            directories.append(path)
        else:
            files.append(path)
    io.out.append("".join(_line(sh, path, path, long=long) for path in sorted(files)))
    for index, path in enumerate(sorted(directories)):
        if len(read.rest) > 1:
            io.out.append(f"{chr(10) if files or index else ''}{path}:\n")
        names = [name for name in sh.files.listdir(sh.path(path)) if name[0] != "." or {"a", "A"} & read.flags]
        if "a" in read.flags:
            names = [".", "..", *names]
        if long:
            io.out.append("total 0\n")
        io.out.append("".join(_line(sh, name, f"{path}/{name}", long=long) for name in names))
    return code


def _line(sh: Shell, name: str, path: str, *, long: bool) -> str:
    """A line of ls; with -l the date is always the same: the model has no clock."""
    if not long:
        return f"{name}\n"
    real, files = sh.path(path), sh.files
    if files.is_link(real):
        mode, size, name = "lrwxrwxrwx", 0, f"{name} -> {_target(sh, real)}"
    elif files.is_directory(real):
        mode, size = "drwxr-xr-x", 0
    elif files.is_block_device(real):
        mode, size = "brw-------", 0
    elif real.startswith("/dev/") and not files.is_regular(real):
        mode, size = "crw-------", 0
    else:
        mode, size = (
            files.mode(real),
            4096 if real.startswith("/sys/") else 0 if real.startswith("/proc/") else files.size(real),
        )
    return f"{mode}    1 root     root     {size:9} Jan  1 00:00 {name}\n"


def _target(sh: Shell, path: str) -> str:
    state = sh.machine.state
    return sysfs.readlink(state, path) or ""


def _mkdir(sh: Shell, argv: list[str], io: Streams) -> int:
    read = read_options("mkdir", argv[1:])
    code = 0
    for path in read.rest:
        real = sh.path(path)
        steps = [real]
        if "p" in read.flags:
            parts = real.strip("/").split("/")
            steps = ["/" + "/".join(parts[: n + 1]) for n in range(len(parts))]
            steps = [each for each in steps if not sh.files.is_directory(each)]
        try:
            for each in steps:
                sh.files.mkdir(each)
        except FileError as error:
            code = sh.complain(io, f"mkdir: can't create directory '{path}': {os.strerror(error.number)}", error.number)
    return code


def _rm(sh: Shell, argv: list[str], io: Streams) -> int:
    read = read_options("rm", argv[1:])
    code = 0
    for path in read.rest:
        real = sh.path(path)
        try:
            if sh.files.is_directory(real):
                if real == "/" or real.startswith(("/sys", "/proc", "/dev")):
                    raise NotModelledError(f"rm of {path}, a directory of the system, is not implemented")
                if "r" not in read.flags:
                    code = sh.complain(io, f"rm: '{path}' is a directory", errno.EISDIR)
                    continue
                for name in sh.files.listdir(real):
                    code |= _rm(sh, ["rm", "-r", f"{path.rstrip('/')}/{name}"], io)
            sh.files.remove(real)
        except FileError as error:
            if error.number != errno.ENOENT or "f" not in read.flags:
                code = sh.complain(io, f"rm: can't remove '{path}': {os.strerror(error.number)}", error.number)
    return code


def _touch(sh: Shell, argv: list[str], io: Streams) -> int:
    code = 0
    for path in read_options("touch", argv[1:]).rest:
        real = sh.path(path)
        if sh.files.exists(real):
            continue
        try:
            sh.files.check_open(real)
            sh.files.append(real)
        except FileError as error:
            code = sh.complain(io, f"touch: {path}: {os.strerror(error.number)}", error.number)
    return code


def _cp(sh: Shell, argv: list[str], io: Streams) -> int:
    words = read_options("cp", argv[1:]).rest
    if len(words) != 2:
        raise NotModelledError("cp takes two names here")
    source, target = map(sh.path, words)
    if sh.files.is_directory(target):
        target = f"{target.rstrip('/')}/{source.rpartition('/')[2]}"
    try:
        text = sh.files.read(source)
    except FileError as error:
        if error.number == errno.EISDIR:
            return sh.complain(io, f"cp: omitting directory '{words[0]}'", error.number)
        return sh.complain(io, f"cp: can't stat '{words[0]}': {os.strerror(error.number)}", error.number)
    try:
        sh.files.check_open(target)
        sh.files.truncate(target)
        sh.files.write(target, text)
    except FileError as error:
        return sh.complain(io, f"cp: can't create '{words[1]}': {os.strerror(error.number)}", error.number)
    return 0


def _readlink(sh: Shell, argv: list[str], io: Streams) -> int:
    read = read_options("readlink", argv[1:])
    code = 0
    for word in read.rest:
        target = _resolved(sh, sh.path(word)) if "f" in read.flags else None
        if "f" not in read.flags and sh.files.is_link(sh.path(word)):
            target = _target(sh, sh.path(word))
        if target is None:
            code = 1
        else:
            io.out.append(target + "\n")
    return code


def _resolved(sh: Shell, path: str) -> str | None:
    """The path without links; its last name need not exist."""
    if not sh.files.exists(path) and not sh.files.is_directory(path.rpartition("/")[0] or "/"):
        return None
    return sysfs.realpath(sh.machine.state, path) if path.startswith("/sys/") else path


def _dmesg(sh: Shell, argv: list[str], io: Streams) -> int:
    """The lines that a default kernel prints, without time stamps: the model has no clock. The boot of the machine is not in it."""
    read = read_options("dmesg", argv[1:])
    lines = sh.machine.state.lines
    io.out.append("".join(f"{line.text}\n" for line in lines[sh.log_start :] if line.level != "debug"))
    if "c" in read.flags:
        sh.log_start = len(lines)
    return 0


COMMANDS: dict[str, Callable[[Shell, list[str], Streams], int]] = {
    "cat": _cat,
    "cp": _cp,
    "dmesg": _dmesg,
    "ls": _ls,
    "mkdir": _mkdir,
    "readlink": _readlink,
    "rm": _rm,
    "touch": _touch,
}
"""name -> function"""
