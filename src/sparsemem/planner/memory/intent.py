"""What somebody wants of memory that is there, as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sparsemem.planner.intent import size_word

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["MemoryItem", "runs", "runs_name"]


def runs(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Consecutive numbers as (first, last + 1)."""
    found: list[tuple[int, int]] = []
    for number in sorted(set(numbers)):
        if found and found[-1][1] == number:
            found[-1] = (found[-1][0], number + 1)
        else:
            found.append((number, number + 1))
    return found


def runs_name(first: int, end: int) -> str:
    """``memory32`` or ``memory32-memory39``, as an intent has it."""
    return f"memory{first}" if end - first == 1 else f"memory{first}-memory{end - 1}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryItem:
    """``action`` "online" or "offline". What: ``names`` (memory blocks "memory32" and "memory32-memory39", address ranges
    "0x100000000-0x13fffffff", dax devices "dax0.0"), or ``size`` bytes, or, without both, all that there are.

    ``zone`` "movable" or "kernel": to go online in, or to be taken out of; None for the tool's choice (online: ZONE_MOVABLE where that can
    be; offline: any, and of a size only from ZONE_MOVABLE). ``where``: names of NUMA nodes ("node1"), empty for anywhere.
    """

    action: str
    names: tuple[str, ...] = ()
    size: int = 0
    zone: str | None = None
    where: tuple[str, ...] = ()

    def __str__(self) -> str:
        words = [self.action]
        words += self.names or ([size_word(self.size)] if self.size else ["all"])
        words += {"movable": ["movable"], "kernel": ["no-movable"]}.get(self.zone or "", [])
        words += [f"on {place}" for place in self.where]
        return " ".join(words)
