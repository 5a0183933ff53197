"""``sparsemem diff A B``: two machines, or one before and after.

``diff_machines(a, b)`` compares two portraits (``portrait_of`` a description, ``portrait_of_machine`` of the model): RAM, memory blocks,
regions, namespaces, dax devices, shared sections, findings and the capacity balance. What is the same thing is found by uuid, then by
address, then by name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sparsemem.doctor.diff.compare import diff_portraits
from sparsemem.doctor.diff.entry import KINDS, Entry, mirrored
from sparsemem.doctor.diff.portrait import Portrait, portrait_of, portrait_of_machine
from sparsemem.doctor.diff.text import diff_to_json, render_diff

if TYPE_CHECKING:
    from sparsemem.machine.description import Note

__all__ = [
    "KINDS",
    "Diff",
    "Entry",
    "Portrait",
    "diff_machines",
    "diff_to_json",
    "mirrored",
    "portrait_of",
    "portrait_of_machine",
    "render_diff",
]


@dataclass(frozen=True, slots=True)
class Diff:
    """Both sides, and every difference, sorted."""

    before: Portrait
    after: Portrait
    entries: tuple[Entry, ...]

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return not self.entries

    @property
    def notes(self) -> tuple[Note, ...]:
        """What could not be read or had to be assumed, of both sides."""
        return tuple(dict.fromkeys((*self.before.diagnosis.notes, *self.after.diagnosis.notes)))


def diff_machines(before: Portrait, after: Portrait) -> Diff:
    """What differs between the two. ``diff_machines(a, a)`` is empty; with the sides changed, every entry is ``mirrored``."""
    return Diff(before, after, diff_portraits(before, after))
