"""A played step for a reader: the command, what it printed, the kernel log, the answer, and what changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.play.changes import changes
from sparsemem.spec.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.kernel.state import Snapshot
    from sparsemem.machine.machine import Machine
    from sparsemem.play.player import StepResult

__all__ = ["final_lines", "step_lines"]

_MOST = 12


def _paint(text: str, code: str, colour: bool) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if colour else text


def step_lines(
    machine: Machine, before: Snapshot, step: StepResult, *, debug: bool = False, colour: bool = False
) -> Iterator[str]:
    """The lines of one step. ``debug`` shows pr_debug lines."""
    yield ""
    yield _paint(f"$ {step.command.strip()}", "1", colour)
    yield from step.stdout.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace").splitlines()
    for line in step.log:
        if debug or line.level != "debug":
            yield _paint(f"  [{line.level:5}] {line.text}", "2", colour)
    if step.exit_code:
        why = ""
        if step.refusal is not None:
            rule = RULES.get(step.refusal.rule)
            why = f", refused by {step.refusal.function}()" + (f": {rule.title}" if rule else "")
        yield _paint(f"  exit {step.exit_code}" + (f", {step.errno}" if step.errno else "") + why, "31", colour)
    changed = changes(machine.state, before)
    for text in changed[:_MOST]:
        yield _paint(f"  ~ {text}", "36", colour)
    if len(changed) > _MOST:
        yield f"  ~ and {len(changed) - _MOST} more changes"


def final_lines(machine: Machine, *, colour: bool = False) -> Iterator[str]:
    """The faults at the end."""
    found = machine.faults()
    yield ""
    if not found:
        yield "no faults"
    for fault in found:
        yield _paint(f"{fault.severity}: {fault}", "31" if fault.severity == "error" else "33", colour)
