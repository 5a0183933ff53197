"""mount and umount, as busybox has them: types are tried one after the other when none is given."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from sparsemem.errors import NotModelledError
from sparsemem.kernel.fs.mount import FILESYSTEMS, mounts
from sparsemem.kernel.fs.options import GENERIC
from sparsemem.machine.fs_operations import mount_options
from sparsemem.machine.operations import Operation
from sparsemem.play.commands.options import read_options

if TYPE_CHECKING:
    from collections.abc import Callable

    from sparsemem.kernel.refusal import Refusal
    from sparsemem.play.shell.run import Shell
    from sparsemem.play.shell.streams import Streams

__all__ = ["COMMANDS"]


def _mount(sh: Shell, argv: list[str], io: Streams) -> int:
    read = read_options("mount", argv[1:])
    if not read.rest and not read.values:
        for each in mounts(sh.machine.state):
            io.out.append(f"/dev/{each.disk} on {each.directory} type {each.type} ({each.options})\n")
        return 0
    if len(read.rest) != 2:
        raise NotModelledError("mount takes a device and a directory")
    device, directory = read.rest
    words = [word for each in read.values.get("o", []) for word in each.split(",") if word]
    if {"remount", "bind", "loop", "move"} & set(words):
        raise NotModelledError("mount -o remount, bind, loop and move are not implemented")
    data = ",".join(word for word in words if word not in GENERIC) or None
    ro = ("ro" in words or "r" in read.flags) and "rw" not in words[-1:]
    fstype = read.value("t")
    types = (fstype,) if fstype and fstype != "auto" else FILESYSTEMS
    number = _cannot(sh, directory, types)
    if not number:
        number = _try(sh, sh.path(device), sh.path(directory), types, data, ro=ro)
    if number:
        return sh.complain(io, f"mount: mounting {device} on {directory} failed: {os.strerror(number)}", number, 255)
    return 0


def _cannot(sh: Shell, directory: str, types: tuple[str, ...]) -> int:
    """The errno of what is wrong with the words before a device is looked for, in mount(2)'s order; 0 for nothing."""
    place = sh.path(directory)
    if not sh.files.exists(place):
        return errno.ENOENT
    if types[-1] not in FILESYSTEMS:
        return errno.ENODEV
    return 0 if sh.files.is_directory(place) else errno.ENOTDIR


def _try(sh: Shell, device: str, directory: str, types: tuple[str, ...], data: str | None, *, ro: bool) -> int:
    """Mount as the first type that takes it, always with MS_SILENT; 0, or the errno of the last."""
    refusal: Refusal | None = None
    flags = ("ro", "silent") if ro else ("silent",)
    lookup = "" if sh.files.is_block_device(device) else "ENOTBLK" if sh.files.exists(device) else "ENOENT"
    disk = device if lookup else device.removeprefix("/dev/")
    for each in types:
        refusal = sh.apply(Operation("mount_bdev", options=mount_options(disk, directory, each, data, flags, lookup)))
        if refusal is None:
            return 0
    return refusal.errno if refusal is not None else 0


def _umount(sh: Shell, argv: list[str], io: Streams) -> int:
    words = read_options("umount", argv[1:]).rest
    if not words:
        raise NotModelledError("umount without a directory is not implemented")
    code = 0
    for word in words:
        path = sh.path(word)
        if not sh.files.exists(path):
            code = sh.complain(io, f"umount: can't unmount {word}: No such file or directory", errno.ENOENT)
            continue
        target = next(
            (m.directory for m in reversed(mounts(sh.machine.state)) if path in (m.directory, f"/dev/{m.disk}")), path
        )
        refusal = sh.apply(Operation("path_umount", options=(("dir", target),)))
        if refusal is not None:
            code = sh.complain(io, f"umount: can't unmount {word}: {os.strerror(refusal.errno)}", refusal.errno)
    return code


def _df(sh: Shell, argv: list[str], io: Streams) -> int:
    """Only the words for a directory where nothing of the model is mounted: sizes are not modelled."""
    words = read_options("df", argv[1:]).rest
    code = 0
    for word in words:
        path = sh.path(word)
        if any(path == m.directory or path.startswith(m.directory + "/") for m in mounts(sh.machine.state)):
            raise NotModelledError(f"df of {word}, a mounted file system, is not implemented")
        if path.startswith(("/sys", "/proc", "/dev", "/tmp")):  # noqa: S108
            raise NotModelledError(f"df of {word} is not implemented")
        code = sh.complain(io, f"df: {word}: can't find mount point")
    if not words:
        raise NotModelledError("df without a directory is not implemented")
    io.out.append("Filesystem           1K-blocks      Used Available Use% Mounted on\n")
    return code


COMMANDS: dict[str, Callable[[Shell, list[str], Streams], int]] = {"df": _df, "mount": _mount, "umount": _umount}
"""name -> function"""
