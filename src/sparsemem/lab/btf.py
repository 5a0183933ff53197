"""Layouts of a kernel's structures out of its BTF: nearly every kernel carries it, where symbols are a package that may be gone.

Source of the format: Documentation/bpf/btf.rst. Only what a layout needs is kept; the rest is stepped over.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from sparsemem.lab.errors import LabError

__all__ = ["Btf", "Member"]

_MAGIC = 0xEB9F
_ARRAY, _STRUCT, _ENUM, _ENUM64 = 3, 4, 6, 19
_WRAPPERS = {8, 9, 10, 11, 18}  # typedef, volatile, const, restrict, type tag: the type behind them has the size
_TAIL = {1: 4, 14: 4, 17: 4, _ARRAY: 12}
"""Bytes behind a type of that kind; those of ``_EACH`` are for each member."""
_EACH = {_STRUCT: 12, 5: 12, _ENUM: 8, 13: 8, 15: 12, _ENUM64: 12}


class Member(NamedTuple):
    """Of a structure: ``offset`` in bytes; ``elements`` 1 where it is no array."""

    offset: int
    elements: int


class Btf:
    """One blob of BTF, as ``/sys/kernel/btf/vmlinux`` has it. Raises LabError where it is none."""

    def __init__(self, data: bytes) -> None:
        if len(data) < 24 or struct.unpack_from("<H", data)[0] != _MAGIC:
            raise LabError(
                "the kernel's BTF is not what it should be", why=f"it begins with {data[:4].hex() or 'nothing'}"
            )
        head, self._types, length, strings, size = struct.unpack_from("<5I", data, 4)
        self._data = data
        self._types += head
        self._end = self._types + length
        self._strings = data[head + strings : head + strings + size]
        if self._end > len(data) or len(self._strings) < size:
            raise LabError("the kernel's BTF is cut short")
        self._at: list[int] = [0]
        self._by_name: dict[tuple[int, str], int] = {}
        self._enums: list[int] = []
        self._index()

    def _name(self, offset: int) -> str:
        return self._strings[offset : self._strings.index(0, offset)].decode("ascii", "replace")

    def _index(self) -> None:
        at, unpack = self._types, struct.Struct("<3I").unpack_from
        while at < self._end:
            name, info, _ = unpack(self._data, at)
            kind, count = info >> 24 & 31, info & 0xFFFF
            self._at.append(at)
            if kind == _STRUCT and name:
                self._by_name.setdefault((kind, self._name(name)), at)
            elif kind in (_ENUM, _ENUM64):
                self._enums.append(at)
            at += 12 + _TAIL.get(kind, 0) + _EACH.get(kind, 0) * count

    def members(self, name: str) -> dict[str, Member]:
        """The members of ``struct name``. Raises LabError where it is not described."""
        at = self._by_name.get((_STRUCT, name))
        if at is None:
            raise LabError(f"the kernel's BTF has no struct {name}")
        _, info, _ = struct.unpack_from("<3I", self._data, at)
        found = {}
        for index in range(info & 0xFFFF):
            told, kind, bits = struct.unpack_from("<3I", self._data, at + 12 + 12 * index)
            found[self._name(told)] = Member((bits & 0xFFFFFF if info >> 31 else bits) // 8, self._elements(kind))
        return found

    def _elements(self, number: int) -> int:
        while True:
            at = self._at[number]
            _, info, behind = struct.unpack_from("<3I", self._data, at) if number else (0, 0, 0)
            kind = info >> 24 & 31
            if kind == _ARRAY:
                return int(struct.unpack_from("<I", self._data, at + 20)[0])
            if kind not in _WRAPPERS:
                return 1
            number = behind

    def enum_with(self, member: str) -> dict[str, int]:
        """The enumeration, named or not, that has a member of that name; empty where none has."""
        for at in self._enums:
            _, info, _ = struct.unpack_from("<3I", self._data, at)
            step = _EACH[info >> 24 & 31]
            values = {}
            for index in range(info & 0xFFFF):
                name, low = struct.unpack_from("<2I", self._data, at + 12 + step * index)
                values[self._name(name)] = low
            if member in values:
                return values
        return {}
