"""The one-line and the TOML form of a memory item (docs/planner.md).

::

    memory := ( "online" | "offline" ) ( "all" | SIZE | NAME { NAME } ) { option }
    NAME   := memory32 | memory32-memory39 | 0x100000000-0x13fffffff | dax0.0
    option := "movable" | "no-movable" | "on" node1 | "node=" N
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sparsemem.errors import InputError, SparsememError
from sparsemem.planner.memory.intent import MemoryItem
from sparsemem.units import parse_size

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["ACTIONS", "memory_table", "parse_memory"]

ACTIONS = ("online", "offline")
_NAME = re.compile(r"memory(\d{1,12})(?:-(?:memory)?(\d{1,12}))?\Z")
_RANGE = re.compile(r"0x([0-9a-f]{1,16})-0x([0-9a-f]{1,16})\Z")
_DAX = re.compile(r"dax\d+\.\d+\Z")
_NODE = re.compile(r"node(\d{1,4})\Z")
_SIZE = re.compile(r"(0x[0-9a-f]+|\d+)([kmgtp](i?b)?)?\Z")
_KEYS = ("movable", "offline", "on", "online")
_EXAMPLE = 'write "online all", "online dax0.0", "offline 2G" or "offline memory32-memory39"'


def _wrong(what: str, where: str, remedy: str = _EXAMPLE) -> InputError:
    return InputError(what, where=where, remedy=remedy)


def _name(text: str, where: str) -> str | None:
    """A name as an intent prints it; None where it is none. Raises InputError for one that runs backwards."""
    blocks, addresses = _NAME.match(text), _RANGE.match(text)
    if blocks is not None:
        first, last = int(blocks[1]), int(blocks[2] or blocks[1])
        if last < first:
            raise _wrong(f"{text} runs backwards", where)
        return f"memory{first}" if first == last else f"memory{first}-memory{last}"
    if addresses is not None:
        start, end = int(addresses[1], 16), int(addresses[2], 16)
        if end < start:
            raise _wrong(f"{text} runs backwards", where)
        return f"{start:#x}-{end:#x}"
    return text if _DAX.match(text) else None


class _Reader:
    def __init__(self, action: str) -> None:
        self.action = action
        self.names: list[str] = []
        self.places: list[str] = []
        self.amount: str | None = None
        self.size = 0
        self.zone: str | None = None

    def what(self, text: str, where: str) -> bool:
        """Take a word that says what; False where it does not."""
        name = _name(text, where)
        if name is None and text != "all" and not _SIZE.match(text):
            return False
        if self.amount is not None or (name is None and self.names):
            raise _wrong(
                f"{text} beside {self.amount or self.names[0]}",
                where,
                "a size and all stand alone; separate items by commas",
            )
        if name is not None:
            self.names.append(name)
            return True
        self.amount = text
        if text != "all":
            try:
                self.size = parse_size(text)
            except SparsememError as error:
                raise _wrong(error.what, where, error.remedy or _EXAMPLE) from None
            if not 0 < self.size < 1 << 52:
                raise _wrong(f"{text} is no amount of memory", where)
        return True

    def place(self, text: str, where: str) -> None:
        found = _NODE.match(text)
        if found is None:
            raise _wrong(f"{text!r} is no place for memory", where, 'write "on node1"')
        self.places.append(f"node{int(found[1])}")

    def item(self, where: str) -> MemoryItem:
        if not self.names and self.amount is None:
            raise _wrong(f"{self.action} what", where)
        if self.action == "offline" and self.amount == "all" and not self.places and self.zone is None:
            raise _wrong(
                "offline all would be all memory of the machine", where,
                'name what: "offline all on node1", "offline all movable", "offline dax0.0"',
            )  # fmt: skip
        return MemoryItem(
            action=self.action, names=tuple(dict.fromkeys(self.names)), size=self.size, zone=self.zone,
            where=tuple(dict.fromkeys(self.places)),
        )  # fmt: skip


def parse_memory(words: Iterable[tuple[str, int]]) -> MemoryItem:
    """An item from its words and their columns, the action first. Raises InputError with the column."""
    queue = [(text, f"intent, column {column}") for text, column in words]
    first, start = queue.pop(0)
    reader = _Reader(first.lower())
    while queue:
        text, where = queue.pop(0)
        low = text.lower()
        key, equals, value = low.partition("=")
        if low in ("movable", "no-movable"):
            reader.zone = "movable" if low == "movable" else "kernel"
        elif low == "on":
            if not queue:
                raise _wrong("nothing behind 'on'", where, 'write "on node1"')
            reader.place(queue[0][0].lower(), queue[0][1])
            queue.pop(0)
        elif equals and key == "node":
            reader.place(value if value.startswith("node") else f"node{value}", where)
        elif not reader.what(low, where):
            raise _wrong(f"{text!r} is not understood behind {first}", where)
    return reader.item(start)


def memory_table(table: dict[str, Any], where: str) -> MemoryItem:
    """A ``[[memory]]`` of the TOML form. Raises InputError."""
    for key in table:
        if key not in _KEYS:
            raise InputError(f"unknown key {key!r}", where=where, remedy="known are " + ", ".join(_KEYS))
    given = [action for action in ACTIONS if action in table]
    if len(given) != 1:
        raise _wrong("either online or offline", where, 'write online = "dax0.0" or offline = "2G"')

    def strings(key: str) -> list[str]:
        value = table.get(key, [])
        value = [value] if isinstance(value, str) else value
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise InputError(f"{key} must be a string or a list of strings", where=where)
        return value

    movable = table.get("movable")
    if movable is not None and not isinstance(movable, bool):
        raise InputError("movable must be true or false", where=where)
    reader = _Reader(given[0])
    reader.zone = None if movable is None else "movable" if movable else "kernel"
    for text in strings(given[0]):
        if not reader.what(text.lower(), where):
            raise _wrong(f"{given[0]} = {text!r}", where)
    for place in strings("on"):
        reader.place(place.lower(), where)
    return reader.item(where)
