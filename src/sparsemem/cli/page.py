"""What verbs that draw share: the picture of a machine, the doctor's findings as its marks, and writing it to a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from sparsemem.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sparsemem.cli.machine import Loaded
    from sparsemem.doctor import Finding
    from sparsemem.draw import Mark, Scene

__all__ = ["finding_marks", "scene", "write"]


def scene(loaded: Loaded, mapped: bool | None = None, *, exact: bool = False) -> Scene:
    """The picture of a machine, with what the kernel refused as notes. ``mapped``: map pmem ranges without a namespace first;
    ``exact``: rows that differ in whose they are stay apart."""
    from sparsemem.draw import build_scene
    from sparsemem.machine.moves import map_unmapped

    if loaded.built is not None:
        for note in loaded.built.notes:
            if "every address in it is zero" in note.what:
                click.echo(f"sparsemem: note: {note.source}: {note.what}", err=True)
    answers = list(loaded.built.mappings) if loaded.built is not None else []
    if mapped:
        answers += [("", answer) for answer in map_unmapped(loaded.machine)]
    notes = [
        f"{name or answer.operation.ranges[0]}: {answer.refusal.name}, {' / '.join(answer.refusal.log) or answer.refusal}"
        for name, answer in answers
        if answer.refusal is not None
    ]
    return build_scene(loaded.machine.state, loaded.machine.faults(), notes=notes, exact=exact)


def write(path: str, text: str) -> None:
    """Writes ``text`` to a file, or to standard output for ``-``, and says how much on standard error. Raises UsageError."""
    if path == "-":
        click.echo(text, nl=not text.endswith("\n"))
        return
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise UsageError(
            f"cannot write {path}: {error.strerror}", remedy="name a file in a directory that exists"
        ) from None
    click.echo(f"{path}: {len(text.encode())} bytes", err=True)


def finding_marks(findings: Iterable[Finding], side: int | None = None) -> tuple[Mark, ...]:
    """Findings as the picture takes them; ``side`` of a comparison, if it is one."""
    return tuple(_mark(finding, side) for finding in findings)


def _mark(finding: Finding, side: int | None) -> Mark:
    from sparsemem.draw import Mark
    from sparsemem.units import format_size

    facts: list[tuple[str, str]] = []
    if finding.devices:
        facts.append(("device", ", ".join(finding.devices)))
    if finding.capacity is not None:
        facts.append(("capacity", format_size(finding.capacity) + (" lost" if finding.lost else "")))
    rule = (
        f" [{finding.rule}, {finding.kernels}]" if finding.rule else f" [{finding.kernels}]" if finding.kernels else ""
    )
    facts.append(("why", finding.why + rule))
    if finding.kernel_says:
        facts.append(("the kernel says", "\n".join(finding.kernel_says)))
    for remedy in finding.remedies:
        facts.append(("what to do", remedy.why))
        if remedy.argv:
            facts.append(("$", remedy.command))
    facts += [("more", "in plain words:"), ("$", f"sparsemem explain {finding.id}")]
    return Mark(finding.id, finding.severity, finding.what, finding.ranges, tuple(facts), side)
