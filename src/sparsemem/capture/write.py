"""Write a file whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile

from sparsemem.errors import SparsememError, UnreadableError, UsageError

__all__ = ["check_new", "write_new"]


def check_new(path: str, *, overwrite: bool = False) -> None:
    """Raises UsageError when ``path`` exists (unless a regular file may be overwritten) or its directory does not."""
    directory = os.path.dirname(path) or "."
    if not os.path.isdir(directory):
        raise UsageError(
            f"no such directory: {directory!r}", where=path, remedy="make the directory first, or name another"
        )
    if os.path.lexists(path) and not (overwrite and os.path.isfile(path)):
        raise UsageError("it exists already", where=path, remedy="choose a name that does not exist")


def write_new(path: str, data: bytes, *, overwrite: bool = False) -> None:
    """``data`` under ``path``: complete, or nothing at all however the program ends.

    The file has no name until it is complete (O_TMPFILE) where the file system can do that. Raises UsageError (see
    ``check_new``), SparsememError when the write fails.
    """
    check_new(path, overwrite=overwrite)
    try:
        if not overwrite and _write_unnamed(path, data):
            return
        _write_renamed(path, data, overwrite)
    except FileExistsError:
        raise UsageError("it exists already", where=path, remedy="choose a name that does not exist") from None
    except PermissionError as error:
        raise UnreadableError(
            "may not be written", where=path, why=error.strerror, remedy="choose a directory of your own"
        ) from None
    except OSError as error:
        raise SparsememError(
            "writing failed", where=path, why=error.strerror, remedy="nothing was left behind"
        ) from None


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
    os.fsync(fd)


def _write_unnamed(path: str, data: bytes) -> bool:
    flag = getattr(os, "O_TMPFILE", None)
    if flag is None:
        return False
    try:
        fd = os.open(os.path.dirname(path) or ".", flag | os.O_WRONLY | os.O_CLOEXEC, 0o644)
    except OSError:
        return False
    try:
        _write_all(fd, data)
        try:
            os.link(f"/proc/self/fd/{fd}", path, follow_symlinks=True)
        except FileExistsError:
            raise
        except OSError:
            return False  # no /proc, or a file system that cannot link it
        return True
    finally:
        os.close(fd)


def _write_renamed(path: str, data: bytes, overwrite: bool) -> None:
    fd, temporary = tempfile.mkstemp(prefix=".sparsemem-", dir=os.path.dirname(path) or ".")
    try:
        try:
            _write_all(fd, data)
            os.fchmod(fd, 0o644)
        finally:
            os.close(fd)
        if overwrite:
            os.replace(temporary, path)
        else:
            os.link(temporary, path)
            os.unlink(temporary)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
