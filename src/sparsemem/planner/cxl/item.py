"""A CXL region as an intent asks for it: the value, its one-line form, and its table in TOML."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sparsemem.errors import InputError, SparsememError
from sparsemem.units import parse_size

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["REGION_KEYS", "RegionItem", "cxl_name", "parse_region", "region_of_table"]

REGION_KEYS = ("decoder", "granularity", "on", "size", "type", "ways")
"""The keys of a ``[[region]]`` table."""
_MEMDEV = re.compile(r"mem\d+\Z")
_DECODER = re.compile(r"decoder\d+\.\d+\Z")
_CXL = re.compile(r"(region|mem)\d+\Z")
_EXAMPLE = 'for example "region on mem0 mem1, fsdax rest"'
_LARGEST = 1 << 52


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionItem:
    """``memdevs`` in the order in which they are interleaved, () for the planner's choice; ``size`` bytes of the whole region, None for as
    much as they give; ``ways`` and ``granularity`` (bytes) None for what follows from them and for the root decoder's; ``decoder`` None
    for the only one."""

    memdevs: tuple[str, ...] = ()
    size: int | None = None
    ways: int | None = None
    granularity: int | None = None
    decoder: str | None = None
    type: str = "pmem"

    def __str__(self) -> str:
        from sparsemem.planner.intent import size_word  # it prints our values

        words = ["region"]
        words += [size_word(self.size)] if self.size is not None else []
        words += ["on", *self.memdevs] if self.memdevs else []
        words += [f"ways={self.ways}"] if self.ways is not None else []
        words += [f"granularity={self.granularity}"] if self.granularity is not None else []
        words += [f"decoder={self.decoder}"] if self.decoder is not None else []
        words += [f"type={self.type}"] if self.type != "pmem" else []
        return " ".join(words)


def cxl_name(text: str) -> bool:
    """Is it the name of a CXL region, or of a memory device (its labels), as ``replace`` takes it?"""
    return _CXL.match(text) is not None


class _Reader:
    """Puts the values of one region together, each once. ``where`` and ``column`` are for the errors."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.values: dict[str, Any] = {}

    def wrong(self, what: str, remedy: str, column: int | None = None) -> InputError:
        where = self.where if column is None else f"{self.where}, column {column}"
        return InputError(what, where=where, remedy=remedy)

    def give(self, key: str, value: object, column: int | None = None) -> None:
        if key in self.values:
            raise self.wrong(f"{key} is there twice", "write it once", column)
        self.values[key] = self._checked(key, value, column)

    def _checked(self, key: str, value: object, column: int | None) -> object:
        if key in ("size", "granularity"):
            return self._bytes(key, value, column)
        if key == "ways":
            number = int(value) if isinstance(value, str) and value.isdigit() and len(value) < 10 else value
            if isinstance(number, bool) or not isinstance(number, int) or not 0 < number < 1 << 31:
                raise self.wrong(f"ways={value}", "write how many memory devices are interleaved: ways=2", column)
            return number
        if key == "decoder" and not (isinstance(value, str) and _DECODER.match(value)):
            raise self.wrong(f"decoder={value}", "write the name of a root decoder: decoder=decoder0.0", column)
        if key == "type" and value not in ("pmem", "ram"):
            raise self.wrong(f"type={value}", "write type=pmem, or leave it out", column)
        return value

    def _bytes(self, key: str, value: object, column: int | None) -> int:
        try:
            size = parse_size(value) if isinstance(value, str) else value
        except SparsememError as error:
            raise self.wrong(f"{key}: {error.what}", error.remedy or "write 1G", column) from None
        if isinstance(size, bool) or not isinstance(size, int) or not 0 < size < _LARGEST:
            raise self.wrong(f"{key}={value} is no size that a region can have", f"write {key}=4K or more", column)
        return size

    def memdev(self, name: object, column: int | None = None) -> None:
        found = self.values.setdefault("memdevs", [])
        if not (isinstance(name, str) and _MEMDEV.match(name)):
            raise self.wrong(f"{name!r} is no CXL memory device", f'write "on mem0 mem1", {_EXAMPLE}', column)
        if name in found:
            raise self.wrong(f"{name} is there twice", "a region has each memory device once", column)
        found.append(name)

    def made(self) -> RegionItem:
        return RegionItem(**{**self.values, "memdevs": tuple(self.values.get("memdevs", ()))})


def parse_region(words: Sequence[tuple[str, int]]) -> RegionItem:
    """``region [SIZE] [on mem0 mem1 ...] [ways=2] [granularity=4096] [decoder=decoder0.0]``: words with their columns, the first is
    ``region``. Raises InputError."""
    reader, naming = _Reader("intent"), False
    for text, column in words[1:]:
        low = text.lower()
        key, equals, value = text.partition("=")
        if low == "on":
            naming = True
        elif equals:
            key = {"gran": "granularity", "interleave": "ways"}.get(key.lower(), key.lower())
            if key not in ("decoder", "granularity", "size", "type", "ways"):
                raise reader.wrong(
                    f"a region has no {key}=", "known are ways=, granularity=, size=, decoder=; names are given to namespaces", column
                )  # fmt: skip
            reader.give(key, value, column)
        elif naming:
            reader.memdev(low, column)
        elif low == "rest":
            continue
        elif text[:1].isdigit():
            reader.give("size", text, column)
        else:
            raise reader.wrong(
                f"{text!r} is not understood behind region", f"write on which memory devices, {_EXAMPLE}", column
            )
    if naming and "memdevs" not in reader.values:
        raise reader.wrong("nothing behind 'on'", f'write "on mem0 mem1", {_EXAMPLE}', words[-1][1] + len(words[-1][0]))
    return reader.made()


def region_of_table(table: dict[str, Any], where: str) -> RegionItem:
    """The same from a ``[[region]]`` table of TOML, of which the keys are known. Raises InputError."""
    reader = _Reader(where)
    names = table.get("on", [])
    for name in [names] if isinstance(names, str) else names if isinstance(names, list) else [names]:
        reader.memdev(name)
    for key in REGION_KEYS:
        if key in table and key != "on":
            reader.give(key, table[key])
    return reader.made()
