"""Lines for a terminal: paragraphs that are folded, commands that can be copied."""

from __future__ import annotations

import textwrap

from sparsemem.units import format_size

__all__ = ["Page", "sizes"]


class Page:
    """Paragraphs, commands and tables, no line wider than ``width``."""

    def __init__(self, width: int, *, colour: bool) -> None:
        self.width = max(width, 40)
        self.colour = colour
        self.lines: list[str] = []

    def add(self, text: str, indent: str = "", hang: str | None = None, code: str = "") -> None:
        """A paragraph, folded at blanks; a word that is too long is cut."""
        hang = indent if hang is None else hang
        folded = textwrap.wrap(
            text, self.width, initial_indent=indent, subsequent_indent=hang, break_on_hyphens=False
        ) or [""]
        self.lines += [f"\x1b[{code}m{line}\x1b[0m" if code and self.colour else line for line in folded]

    def command(self, text: str, indent: str) -> None:
        """A command that can be copied: folded with backslashes."""
        rows, row = [], indent
        for word in text.split(" "):
            if len(row) + len(word) + 3 > self.width and row.strip():
                rows.append(row.rstrip() + " \\")
                row = indent + "  "
            row += word + " "
        rows.append(row.rstrip())
        self.lines += [f"\x1b[1m{line}\x1b[0m" if self.colour else line for line in rows]

    def blank(self) -> None:
        if self.lines and self.lines[-1]:
            self.lines.append("")


def sizes(size: int) -> str:
    """``512 MiB (536870912)``."""
    words = format_size(size)
    return words if words.endswith("bytes") else f"{words} ({size})"
