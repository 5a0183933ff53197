"""What the verbs of the lab share: telling what goes on, and going away cleanly when told to."""

from __future__ import annotations

import errno
import shutil
import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Progress", "stoppable"]


class Progress:
    """One line on standard error that is written over, on a terminal; elsewhere only what matters, a line each."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._shown = False

    def say(self, text: str) -> None:
        """Something that stays."""
        self.clear()
        click.echo(f"sparsemem: {text}", err=True)

    def show(self, text: str) -> None:
        """What is being done now; seen on a terminal only."""
        if self._live:
            room = shutil.get_terminal_size((80, 24)).columns - 1
            line = text if len(text) <= room else text[: room - 3] + "..."
            sys.stderr.write(f"\r\x1b[K{line}")
            sys.stderr.flush()
            self._shown = True

    def clear(self) -> None:
        """Leave an empty line behind."""
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._shown = False


@contextmanager
def stoppable() -> Iterator[Progress]:
    """SIGTERM and SIGHUP end the block as Ctrl-C does: guests and temporary files go with it."""

    def stop(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    old = {each: signal.signal(each, stop) for each in (signal.SIGTERM, signal.SIGHUP)}
    progress = Progress()
    try:
        yield progress
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES):
            raise
        from sparsemem.lab.errors import LabError

        raise LabError(
            f"{error.strerror}", where=str(error.filename or "the lab's cache"),
            remedy="make room, or set XDG_CACHE_HOME and TMPDIR to another file system",
        ) from None  # fmt: skip
    finally:
        progress.clear()
        for each, handler in old.items():
            signal.signal(each, handler)
