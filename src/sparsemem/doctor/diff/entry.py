"""A difference of two machines, as a value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sparsemem.ranges import Range

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["KINDS", "Entry", "Value", "differing", "hull", "known", "mirrored"]

KINDS: tuple[str, ...] = (
    "kernel",
    "ram",
    "block",
    "device",
    "region",
    "namespace",
    "dax",
    "section",
    "finding",
    "capacity",
)
"""What an entry is about, in the order in which they are shown."""

Value = str | int | bool | tuple[Range, ...] | tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One difference. ``name_before`` and ``name_after`` are the names on both sides, None where it is not there. ``before`` and
    ``after`` hold the fields that differ; all that are known, for what came or went. ``range``: bytes, where it has any."""

    kind: str
    name_before: str | None
    name_after: str | None
    range: Range | None = None
    before: dict[str, Value] = field(default_factory=dict)
    after: dict[str, Value] = field(default_factory=dict)

    @property
    def change(self) -> str:
        """ "added", "removed", "renamed" (nothing but the name differs) or "changed"."""
        if self.name_before is None:
            return "added"
        if self.name_after is None:
            return "removed"
        return "renamed" if self.name_before != self.name_after and not self.before and not self.after else "changed"

    @property
    def sort_key(self) -> tuple[int, int, str, str, bool]:
        """By kind, then by address, then by name; what went before what came."""
        at = self.range.start if self.range is not None else 0
        names = sorted(name for name in (self.name_before, self.name_after) if name is not None)
        return (
            KINDS.index(self.kind),
            at,
            names[0],
            repr(sorted((repr(self.before), repr(self.after)))),
            self.change == "added",
        )


def mirrored(entry: Entry) -> Entry:
    """The same difference, seen from the other machine."""
    return Entry(entry.kind, entry.name_after, entry.name_before, entry.range, entry.after, entry.before)


def differing(
    kind: str, names: tuple[str, str], where: Range | None, before: dict[str, Value], after: dict[str, Value]
) -> Iterator[Entry]:
    """An entry of the fields that differ, or of a new name; none where all is the same."""
    keys = [key for key in before if before[key] != after[key]]
    if keys or names[0] != names[1]:
        yield Entry(kind, *names, where, {key: before[key] for key in keys}, {key: after[key] for key in keys})


def known(values: dict[str, Value]) -> dict[str, Value]:
    """Without what is not known."""
    return {key: value for key, value in values.items() if value is not None and value != ()}


def hull(left: Range | None, right: Range | None) -> Range | None:
    """One range for both sides, whichever comes first."""
    if left is None or right is None:
        return left or right
    return Range(min(left.start, right.start), max(left.end, right.end))
