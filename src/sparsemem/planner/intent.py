"""What somebody wants of a machine's persistent memory, as values: namespaces to make, what may be destroyed for them, and memory to
go online or offline.

``parse_intent`` reads the one-line form, ``load_intent`` the TOML form; ``str(intent)`` is the one-line form again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sparsemem.units import GIB, KIB, MIB, TIB

if TYPE_CHECKING:
    from fractions import Fraction

    from sparsemem.planner.memory.intent import MemoryItem

__all__ = ["AMOUNTS", "MODES", "Amount", "Intent", "Item", "size_word"]

MODES: tuple[str, ...] = ("fsdax", "devdax", "sector", "raw", "system-ram")
AMOUNTS: tuple[str, ...] = ("raw", "usable", "percent", "rest")


def size_word(size: int) -> str:
    """Bytes as ndctl and an intent take them: ``24G``, ``126M``, ``16908288``; the largest unit that divides."""
    for unit, factor in (("T", TIB), ("G", GIB), ("M", MIB), ("K", KIB)):
        if size and size % factor == 0:
            return f"{size // factor}{unit}"
    return str(size)


def _quoted(name: str) -> str:
    if re.fullmatch(r"[^\s,;\"'=]+", name):
        return name
    quote = "'" if '"' in name else '"'
    return f"{quote}{name}{quote}"


@dataclass(frozen=True, slots=True)
class Amount:
    """How much: ``kind`` "raw" (bytes that the namespace takes) or "usable" (bytes that the file system or the process sees), with
    ``size`` in bytes; "percent" of the selected regions, with ``share``; or "rest", all that the other items leave."""

    kind: str
    size: int = 0
    share: Fraction | None = None

    def __str__(self) -> str:
        if self.kind == "percent":
            assert self.share is not None
            text = f"{float(self.share * 100):.6f}"
            return f"{text.rstrip('0').rstrip('.')}%"
        if self.kind == "rest":
            return "rest"
        return f"usable {size_word(self.size)}" if self.kind == "usable" else size_word(self.size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """``count`` namespaces of one kind.

    ``map`` "dev" or "mem", ``align`` and ``sector_size`` bytes: None for what the tool takes by default. ``where``: names of regions
    ("region0") and of NUMA nodes ("node1"), empty for anywhere. ``movable``: the zone of system-ram.
    """

    mode: str
    amount: Amount
    count: int = 1
    name: str | None = None
    map: str | None = None
    align: int | None = None
    sector_size: int | None = None
    where: tuple[str, ...] = ()
    movable: bool = True

    def __str__(self) -> str:
        words = [f"{self.count} x {self.mode}" if self.count > 1 else self.mode]
        words.append(
            "all whole blocks" if (self.mode, self.amount.kind) == ("system-ram", "rest") else str(self.amount)
        )
        if self.name is not None:
            words.append(f"name={_quoted(self.name)}")
        if self.map is not None:
            words.append(f"map={self.map}")
        if self.align is not None:
            words.append(f"align={size_word(self.align)}")
        if self.sector_size is not None:
            words.append(f"sector={self.sector_size}")
        if not self.movable:
            words.append("no-movable")
        words += [f"on {place}" for place in self.where]
        return " ".join(words)


@dataclass(frozen=True, slots=True)
class Intent:
    """``items`` in the order they were written; ``replace``: names of namespaces and dax devices that may be destroyed, ("all",) for
    every one; without it all that exist are kept. ``memory``: what goes online or offline when the items are made."""

    items: tuple[Item, ...]
    replace: tuple[str, ...] = ()
    memory: tuple[MemoryItem, ...] = ()

    def __str__(self) -> str:
        words = [f"replace {name}" for name in self.replace]
        return ", ".join([*words, *map(str, self.items), *map(str, self.memory)])

    def with_item(self, index: int, item: Item | None) -> Intent:
        """The same with another item at ``index``; None leaves it out."""
        new = () if item is None else (item,)
        return replace(self, items=(*self.items[:index], *new, *self.items[index + 1 :]))

    def with_memory(self, index: int, items: tuple[MemoryItem, ...]) -> Intent:
        """The same with other memory items at ``index``."""
        return replace(self, memory=(*self.memory[:index], *items, *self.memory[index + 1 :]))
