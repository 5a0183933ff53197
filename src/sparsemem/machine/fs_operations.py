"""Mounting as operations: ``mount_bdev`` and ``path_umount``."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

if TYPE_CHECKING:
    from collections.abc import Callable

    from sparsemem.kernel.state import State
    from sparsemem.machine.operations import Operation

__all__ = ["LOOKUP_ERRNOS", "OPERATIONS", "OPTIONS", "mount_options"]

LOOKUP_ERRNOS = {"ENOENT": 2, "ENOTBLK": 15}
"""What lookup_bdev() answers for a path that leads to nothing, and for one that leads to something else."""


def _mount(state: State, op: Operation) -> None:
    from sparsemem.kernel.fs.mount import lookup_failed, mount

    flags = op.option("mountflags", "").split("+")
    missing = op.option("lookup", "")
    if missing:
        lookup_failed(state, unquote(op.option("disk", "")), op.option("fstype", ""), LOOKUP_ERRNOS[missing])
    data = unquote(op.option("fsdata", "")) if any(key == "fsdata" for key, _ in op.options) else None
    directory = unquote(op.option("dir", ""))
    mount(
        state,
        op.option("disk", ""),
        directory,
        op.option("fstype", ""),
        data,
        ro="ro" in flags,
        silent="silent" in flags,
    )


def _umount(state: State, op: Operation) -> None:
    from sparsemem.kernel.fs.mount import umount

    umount(state, unquote(op.option("dir", "")))


def mount_options(
    disk: str, directory: str, fstype: str, data: str | None, flags: tuple[str, ...], lookup: str = ""
) -> tuple[tuple[str, str], ...]:
    """The options of a ``mount_bdev`` operation, sorted; ``data`` is what the file system gets, ``flags`` of ro and silent.

    ``lookup``: why ``disk``, a path then, is no block device: ENOENT or ENOTBLK.
    """
    found = {"disk": disk, "dir": quote(directory), "fstype": fstype}
    if lookup:
        found |= {"disk": quote(disk), "lookup": lookup}
    if data is not None:
        found["fsdata"] = quote(data, safe="")
    if flags:
        found["mountflags"] = "+".join(flags)
    return tuple(sorted(found.items()))


#: name -> (how it is performed, what it takes), for operations.OPERATIONS
OPERATIONS: dict[str, tuple[Callable[[State, Operation], None], str]] = {
    "mount_bdev": (_mount, ""),
    "path_umount": (_umount, ""),
}

#: option -> how its value is checked
OPTIONS: dict[str, Callable[[str], object]] = {
    "dir": str,
    "fsdata": str,
    "fstype": str,
    "lookup": LOOKUP_ERRNOS.__getitem__,
    "mountflags": lambda text: [("ro", "silent").index(flag) for flag in text.split("+")],
}
