"""What an upgrade changes, as values: one ``Change`` each, and the ``Upgrade`` that holds them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sparsemem.doctor.intervals import merge

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sparsemem.doctor.context import Context
    from sparsemem.doctor.finding import Remedy
    from sparsemem.doctor.upgrade.cause import Cause
    from sparsemem.machine.description import Note
    from sparsemem.ranges import Range

__all__ = ["KINDS", "SEVERITIES", "Change", "Upgrade", "fold"]

SEVERITIES: tuple[str, ...] = ("error", "warning", "notice", "good")
"""Worst first. ``error``: what worked does not work any more. ``warning``: capacity is lost, or something needs a hand. ``notice``: it
behaves differently. ``good``: what did not work does, or capacity is gained."""

KINDS: dict[str, str] = {
    "stops": "stops working",
    "worse": "new findings",
    "loses": "loses capacity",
    "resized": "changes size",
    "starts": "starts working",
    "gains": "gains capacity",
    "better": "findings that go away",
    "answers": "answers differently",
    "policy": "other defaults",
    "rewrites": "is written differently",
    "bug": "kernel bugs that come",
    "fixed": "kernel bugs that go",
    "behaviour": "behaves differently",
    "words": "other words in the kernel log",
    "files": "other files and names in sysfs and /proc",
}
"""The kinds of change, in the order in which they are shown within a severity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One difference that this machine feels.

    ``id`` is the finding's or the feature's; ``bytes`` what is gained (positive) or lost (negative), None where that is no question of
    capacity; ``before`` and ``after`` are what the two kernels do, in words or as log lines; ``causes`` the features behind it, and
    ``basis`` where none is known: the rule and its kernels.
    """

    id: str
    kind: str
    severity: str
    what: str
    ranges: tuple[Range, ...] = ()
    devices: tuple[str, ...] = ()
    bytes: int | None = None
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    causes: tuple[Cause, ...] = ()
    basis: str = ""
    remedies: tuple[Remedy, ...] = ()

    @property
    def sort_key(self) -> tuple[int, int, int, str, tuple[str, ...]]:
        """Worst first, then by kind, then by address."""
        at = self.ranges[0].start if self.ranges else 0
        return SEVERITIES.index(self.severity), list(KINDS).index(self.kind), at, self.id, self.devices


_FEW = 8
"""So many changes of one kind are told one by one."""


def fold(changes: Iterable[Change]) -> tuple[Change, ...]:
    """Sorted; more than a few of one kind and cause become one that holds all their ranges, devices and bytes."""
    groups: dict[tuple[object, ...], list[Change]] = {}
    for each in sorted(changes, key=lambda change: change.sort_key):
        groups.setdefault((each.id, each.kind, each.severity, each.causes, each.basis), []).append(each)
    found: list[Change] = []
    for group in groups.values():
        if len(group) <= _FEW:
            found += group
            continue
        sizes = [each.bytes for each in group if each.bytes is not None]
        found.append(
            replace(
                group[0],
                what=f"{len(group)} times, first: {group[0].what}",
                ranges=merge(r for each in group for r in each.ranges),
                devices=tuple(dict.fromkeys(name for each in group for name in each.devices)),
                bytes=sum(sizes) if sizes else None,
            )
        )
    return tuple(sorted(found, key=lambda change: change.sort_key))


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgrade:
    """``before`` and ``after`` name the kernels; ``without_effect``: features that differ and touch nothing here, each with the reason;
    ``unsure``: what could not be told; ``mapped`` and ``stranded``: bytes on both sides; ``contexts``: the machine as both
    kernels have it."""

    source: str
    before: str
    after: str
    arch: str
    changes: tuple[Change, ...]
    without_effect: tuple[tuple[Cause, str], ...]
    unsure: tuple[str, ...]
    notes: tuple[Note, ...]
    mapped: tuple[int, int]
    stranded: tuple[int, int]
    block_size: tuple[int, int]
    contexts: tuple[Context, Context] = field(repr=False, compare=False)

    @property
    def worst(self) -> str | None:
        """The worst severity; None where nothing changes."""
        return self.changes[0].severity if self.changes else None

    @property
    def exit_code(self) -> int:
        """0 where nothing is worse than a notice, 11 for a warning, 10 for an error."""
        return {"error": 10, "warning": 11}.get(self.worst or "", 0)

    def count(self, severity: str) -> int:
        """How many changes of that severity."""
        return sum(change.severity == severity for change in self.changes)
