"""The catalogue of checks as Markdown, made from the checks themselves: ``python -m sparsemem.doctor.catalogue docs/doctor.md``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sparsemem.doctor.checks import CHECKS
from sparsemem.errors import InputError, UsageError

if TYPE_CHECKING:
    from sparsemem.doctor.check import Check

__all__ = ["BEGIN", "END", "catalogue", "main", "updated"]

BEGIN, END = "<!-- catalogue: begin -->", "<!-- catalogue: end -->"


def _findings(check: Check) -> list[str]:
    """A row a topic: findings of one topic under several rules are told together."""
    rows: dict[str, tuple[dict[str, None], dict[str, None], dict[str, None]]] = {}
    for kind in check.finds:
        severities, rules, kernels = rows.setdefault(kind.id, ({}, {}, {}))
        severities.update(dict.fromkeys(kind.severities))
        rules.update({kind.rule: None} if kind.rule else {})
        kernels[kind.kernels] = None
    most = 6
    lines = []
    for topic, (severities, rules, kernels) in rows.items():
        named = ", ".join(f"`{rule}`" for rule in list(rules)[:most]) + (", ..." if len(rules) > most else "")
        held = next(iter(kernels)) if len(kernels) == 1 else "by the rule"
        lines.append(f"| `{topic}` | {', '.join(severities)} | {named or 'none'} | {held} |")
    return lines


def _one(check: Check) -> list[str]:
    needs = "; ".join(need.words for need in check.needs) or "nothing but the machine"
    lines = [f"### {check.id}", "", check.question, "", f"Needs: {needs}."]
    many = len({kind.id for kind in check.finds}) > 30
    if many:
        return [*lines, "", "Finds: every refusal of the kernel, under the topic of its rule (error).", ""]
    return [*lines, "", "| finding | severity | rule | kernels |", "|---|---|---|---|", *_findings(check), ""]


def catalogue() -> str:
    """Every check in the order in which they run."""
    return "\n".join(line for check in CHECKS for line in _one(check)).rstrip() + "\n"


def updated(text: str, name: str) -> str:
    """The document with the catalogue between its markers. Raises InputError when they are not there."""
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise InputError("no place for the catalogue", where=name, remedy=f"put {BEGIN} and {END} into it")
    return f"{head}{BEGIN}\n\n{catalogue()}\n{END}{tail}"


def main(arguments: list[str]) -> int:
    """Write the catalogue into the named document."""
    if len(arguments) != 1:
        raise UsageError("which document?", remedy="python -m sparsemem.doctor.catalogue docs/doctor.md")
    path = Path(arguments[0])
    path.write_text(updated(path.read_text(), str(path)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
