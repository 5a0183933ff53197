"""The command line: one thin module a verb. ``main`` turns what people meet into one line, a hint and an exit code."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main(argv: list[str] | None = None) -> None:
    """Run the command line and exit: see docs/exit-codes.md."""
    from sparsemem.cli.app import run

    sys.exit(run(sys.argv[1:] if argv is None else argv))
