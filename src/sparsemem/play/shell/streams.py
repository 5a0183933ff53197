"""Where commands read and write: texts in, chunks out. Bytes are held as text with surrogateescape, so that they round-trip."""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["Input", "Output", "Streams", "lines_of"]

_LINE = re.compile(r"[^\n]*\n|[^\n]+")


def lines_of(text: str) -> list[str]:
    """The lines of a text without their newlines; only newlines separate them."""
    return [line.removesuffix("\n") for line in _LINE.findall(text)]


class Input:
    """Standard input: a text that is used up from its start."""

    __slots__ = ("_at", "text")

    def __init__(self, text: str = "") -> None:
        self.text = text
        self._at = 0

    def rest(self) -> str:
        """Everything that is left."""
        found, self._at = self.text[self._at :], len(self.text)
        return found

    def line(self) -> str | None:
        """The next line with its newline, None at the end."""
        if self._at >= len(self.text):
            return None
        end = self.text.find("\n", self._at) + 1 or len(self.text)
        found, self._at = self.text[self._at : end], end
        return found


class Output(list[str]):
    """Chunks, each one write(2). ``tty``: a terminal; ``path``: an open file, written when the command that wrote is done."""

    def __init__(self, path: str = "", *, tty: bool = False) -> None:
        super().__init__()
        self.path = path
        self.tty = tty

    @property
    def text(self) -> str:
        return "".join(self)


class Streams(NamedTuple):
    """Standard input, output and error of a command."""

    stdin: Input
    out: Output
    err: Output
