"""What ``plan --apply`` shows while it runs, and what signals do meanwhile."""

from __future__ import annotations

import contextlib
import signal
import sys
from typing import TYPE_CHECKING, Any

import click

from sparsemem.cli.machine import width

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Bar", "Signals", "guarded"]


class Bar:
    """Where we are, on standard error: one line that is written over on a terminal, else a line a command."""

    def __init__(self, total: int, verb: str) -> None:
        self.total = total
        self.verb = verb
        self._tty = sys.stderr.isatty()
        self._bar: Any = None
        if self._tty:
            self._bar = click.progressbar(
                length=total,
                file=sys.stderr,
                item_show_func=lambda text: text,
                show_eta=False,
                width=20,
                bar_template="%(label)s[%(bar)s] %(info)s",
            )

    def __call__(self, number: int, argv: tuple[str, ...]) -> None:
        from sparsemem.planner import shell_text

        text = shell_text(argv) if argv else ""
        if self._bar is not None:
            room = max(width() - 50, 20)
            done = min(number - 1, self.total)
            self._bar.update(done - self._bar.pos, text if len(text) <= room else f"{text[: room - 3]}...")
            self._bar.render_progress()
        elif text:
            click.echo(f"{self.verb} {number}/{self.total}: {text}", err=True)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.render_finish()


class Signals:
    """The first signal lets the running command end; the second one does not."""

    def __init__(self) -> None:
        self.seen = False

    def __call__(self, number: int, frame: object) -> None:
        if self.seen:
            raise KeyboardInterrupt
        self.seen = True
        click.echo("\nsparsemem: stopping after this command (once more: now)", err=True)


@contextlib.contextmanager
def guarded() -> Iterator[Signals]:
    guard = Signals()
    before = {number: signal.signal(number, guard) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield guard
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
