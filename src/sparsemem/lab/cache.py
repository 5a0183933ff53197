"""Where the lab keeps what it fetched: ``$XDG_CACHE_HOME/sparsemem``. Safe when two run at once, and when one is interrupted.

A thing is made under a temporary name beside its place and renamed into it: what is there is whole.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from sparsemem.lab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["cache_dir", "free_space", "in_place", "in_use", "locked"]


def cache_dir() -> Path:
    """The cache, made when it is missing. Raises LabError where it cannot be written."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    path = Path(base) / "sparsemem"
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LabError(
            f"cannot make the cache {path}: {error.strerror}", remedy="set XDG_CACHE_HOME to a directory you may write"
        ) from None
    return path


def free_space(path: Path, needed: int, what: str) -> None:
    """Raises LabError where fewer than ``needed`` bytes are free."""
    free = shutil.disk_usage(path).free
    if free < needed:
        raise LabError(
            f"{what} needs {needed >> 20} MiB, {path} has {free >> 20} MiB left",
            remedy="make room, or set XDG_CACHE_HOME to another file system",
        )


@contextmanager
def locked(name: str, waiting: Callable[[str], None] | None = None) -> Iterator[None]:
    """Hold the lock of that name in the cache; ``waiting`` is told when somebody else has it."""
    with (cache_dir() / f"{name}.lock").open("w") as lock:
        _flock(lock, fcntl.LOCK_EX, name, waiting)
        yield


def in_use(name: str, waiting: Callable[[str], None] | None = None) -> IO[str]:
    """Hold the lock of that name together with others that only use the thing, until the file is closed."""
    lock = (cache_dir() / f"{name}.lock").open("w")
    try:
        _flock(lock, fcntl.LOCK_SH, name, waiting)
    except BaseException:
        lock.close()
        raise
    return lock


def _flock(lock: IO[str], how: int, name: str, waiting: Callable[[str], None] | None) -> None:
    try:
        fcntl.flock(lock, how | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EAGAIN, errno.EACCES):
            raise
        if waiting is not None:
            waiting(f"another sparsemem is at work on {name}; waiting for it")
        fcntl.flock(lock, how)


@contextmanager
def in_place(final: Path) -> Iterator[Path]:
    """A temporary directory that becomes ``final`` when the block ends well, and is gone when it does not."""
    final.parent.mkdir(parents=True, exist_ok=True)
    _sweep(final)
    work = Path(tempfile.mkdtemp(prefix=f".{final.name}.", dir=final.parent))
    try:
        yield work
        work.chmod(0o755)
        old = final.with_name(f".{final.name}.old")
        if final.exists():
            final.rename(old)
        work.rename(final)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise LabError(
                f"no space left for {final}", remedy="make room, or set XDG_CACHE_HOME to another file system"
            ) from None
        raise
    finally:
        if work.exists():
            shutil.rmtree(work, ignore_errors=True)


def _sweep(final: Path) -> None:
    """Left-overs of a run that was killed."""
    for old in final.parent.glob(f".{final.name}.*"):
        shutil.rmtree(old, ignore_errors=True)
