"""One machine judged for several kernels: what an upgrade changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sparsemem.doctor.engine import diagnose
from sparsemem.units import format_size

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sparsemem.doctor.finding import Diagnosis
    from sparsemem.machine.description import MachineDescription

__all__ = ["COMPARED", "compare", "comparison_to_json", "render_comparison"]

COMPARED: tuple[str, ...] = ("4.19", "5.1", "5.4", "5.10", "5.15", "6.1", "6.6", "6.12", "6.18", "7.2")
"""The kernels that are compared when none are named: the long-term series, and the last before sub-sections."""


def compare(description: MachineDescription, versions: Iterable[str] = COMPARED) -> tuple[Diagnosis, ...]:
    """A diagnosis for each version, in the order given. Raises UsageError for an unknown version."""
    return tuple(diagnose(description, version) for version in versions)


def _keys(diagnosis: Diagnosis) -> set[tuple[str, str, tuple[str, ...]]]:
    return {(finding.severity, finding.id, finding.devices) for finding in diagnosis.findings}


def _changes(before: Diagnosis | None, now: Diagnosis) -> tuple[list[str], list[str]]:
    """(what is new, what is gone) against the row above, as ``error ram-beside-device``."""
    old = _keys(before) if before is not None else set()
    new = _keys(now)
    words = [sorted({f"{severity} {topic}" for severity, topic, _ in each}) for each in (new - old, old - new)]
    both = set(words[0]) & set(words[1])
    return [w for w in words[0] if w not in both], [w for w in words[1] if w not in both]


def render_comparison(diagnoses: tuple[Diagnosis, ...]) -> str:
    """A table: a kernel a row, with what is new (+) and gone (-) against the row above."""
    lines = ["kernel   errors warnings notices  mapped      stranded    changes"]
    before: Diagnosis | None = None
    for each in diagnoses:
        new, gone = _changes(before, each)
        changes = [f"+ {word}" for word in new] + [f"- {word}" for word in gone] or ["same"]
        row = (
            f"{each.kernel:<9}{each.count('error'):>6} {each.count('warning'):>8} {each.count('notice'):>7}  "
            f"{format_size(each.summary.mapped):<12}{format_size(each.summary.stranded):<12}"
        )
        lines.append(row + changes[0])
        lines += [" " * len(row) + word for word in changes[1:]]
        before = each
    return "\n".join(line.rstrip() for line in lines) + "\n"


def comparison_to_json(diagnoses: tuple[Diagnosis, ...]) -> list[dict[str, Any]]:
    """A row a kernel: ``kernel``, ``worst``, the counts, ``mapped`` and ``stranded`` bytes, ``new`` and ``gone`` findings."""
    rows: list[dict[str, Any]] = []
    before: Diagnosis | None = None
    for each in diagnoses:
        new, gone = _changes(before, each)
        rows.append(
            {
                "kernel": each.kernel,
                "worst": each.worst,
                "errors": each.count("error"),
                "warnings": each.count("warning"),
                "notices": each.count("notice"),
                "mapped": each.summary.mapped,
                "stranded": each.summary.stranded,
                "block_size": each.summary.block_size,
                "new": new,
                "gone": gone,
            }
        )
        before = each
    return rows
