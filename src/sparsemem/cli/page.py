"""What verbs that draw share: the picture of a machine, and writing it to a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from sparsemem.errors import UnreadableError

if TYPE_CHECKING:
    from sparsemem.cli.machine import Loaded
    from sparsemem.draw import Scene

__all__ = ["scene", "write"]


def scene(loaded: Loaded, mapped: bool | None = None, *, exact: bool = False) -> Scene:
    """The picture of a machine, with what the kernel refused as notes. ``mapped``: map pmem ranges without a namespace first;
    ``exact``: rows that differ in whose they are stay apart."""
    from sparsemem.draw import build_scene
    from sparsemem.draw.words import refusals
    from sparsemem.machine.moves import map_unmapped

    if loaded.built is not None:
        for note in loaded.built.notes:
            if "every address in it is zero" in note.what:
                click.echo(f"sparsemem: note: {note.source}: {note.what}", err=True)
    answers = list(loaded.built.mappings) if loaded.built is not None else []
    if mapped:
        answers += [("", answer) for answer in map_unmapped(loaded.machine)]
    return build_scene(loaded.machine.state, loaded.machine.faults(), notes=refusals(answers), exact=exact)


def write(path: str, text: str) -> None:
    """Writes ``text`` to a file, or to standard output for ``-``, and says how much on standard error. Raises UnreadableError."""
    if path == "-":
        click.echo(text, nl=not text.endswith("\n"))
        return
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise UnreadableError(
            f"cannot write it: {error.strerror}", where=path, remedy="name a file in a directory that exists"
        ) from None
    click.echo(f"{path}: {len(text.encode())} bytes", err=True)
