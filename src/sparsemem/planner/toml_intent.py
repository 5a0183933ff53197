"""The TOML form of an intent: the same as the one-line form, a table an item. docs/planner.md describes it."""

from __future__ import annotations

import tomllib
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparsemem.errors import InputError, SparsememError, UnreadableError
from sparsemem.planner.grammar import build_item, device_name, place_name
from sparsemem.planner.intent import MODES, Amount, Intent
from sparsemem.planner.memory.grammar import memory_table
from sparsemem.units import parse_size

if TYPE_CHECKING:
    from sparsemem.planner.intent import Item

__all__ = ["load_intent", "read_intent"]

_TOP = ("item", "keep", "memory", "replace")
_ITEM = ("align", "amount", "count", "map", "mode", "movable", "name", "on", "sector", "size", "usable")
_AMOUNTS = ("size", "usable", "amount")
_MAX_SIZE = 1 << 20


def load_intent(path: str) -> Intent:
    """Read an intent file. Raises UnreadableError, InputError."""
    try:
        with Path(path).open("rb") as file:
            data = file.read(_MAX_SIZE + 1)
        if len(data) > _MAX_SIZE:
            raise InputError("larger than 1 MiB: not an intent", where=path)
        return read_intent(data.decode(), path)
    except UnicodeDecodeError:
        raise InputError("not UTF-8 text", where=path, remedy="give an intent in TOML") from None
    except OSError as error:
        raise UnreadableError(f"cannot read it: {error.strerror}", where=path) from None


def read_intent(text: str, name: str = "intent") -> Intent:
    """The intent that a TOML text says. Raises InputError with the table and the key."""
    try:
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError("not valid TOML", where=name, why=str(error) or "too deeply nested") from None
    _known(table, _TOP, name)
    entries = table.get("item", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise InputError("item must be an array of tables", where=name, remedy="write [[item]] above each")
    items = tuple(_item(entry, f"{name}: item {number}") for number, entry in enumerate(entries, 1))
    tables = table.get("memory", [])
    if not isinstance(tables, list) or not all(isinstance(entry, dict) for entry in tables):
        raise InputError("memory must be an array of tables", where=name, remedy="write [[memory]] above each")
    memory = tuple(memory_table(entry, f"{name}: memory {number}") for number, entry in enumerate(tables, 1))
    replace = _words(table, "replace", name)
    keep = table.get("keep", False)
    if not isinstance(keep, bool):
        raise InputError("keep must be true or false", where=name)
    if keep and replace:
        raise InputError("keep and replace together", where=name, remedy="what is not replaced is kept: leave keep out")
    names = tuple(device_name(word, None, f"{name}: replace") for word in replace)
    if not items and not names and not memory:
        raise InputError(
            "nothing is asked for", where=name, remedy='write [[item]] with mode = "fsdax" and size = "24G"'
        )
    return Intent(items, ("all",) if "all" in names else tuple(dict.fromkeys(names)), memory)


def _known(table: dict[str, Any], allowed: tuple[str, ...], where: str) -> None:
    for key in table:
        if key not in allowed:
            raise InputError(f"unknown key {key!r}", where=where, remedy="known are " + ", ".join(allowed))


def _words(table: dict[str, Any], key: str, where: str) -> list[str]:
    value = table.get(key, [])
    words = [value] if isinstance(value, str) else value
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise InputError(f"{key} must be a string or a list of strings", where=where)
    return words


def _bytes(table: dict[str, Any], key: str, where: str) -> int | None:
    value = table.get(key)
    if value is None:
        return None
    try:
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise InputError("neither a size nor a number of bytes", remedy='write "24G"')
        size = value if isinstance(value, int) else parse_size(value)
    except SparsememError as error:
        raise InputError(f"{key}: {error.what}", where=where, remedy=error.remedy) from None
    if not 0 < size < 1 << 52:
        raise InputError(f"{key} = {value!r} is no size that a namespace can have", where=where, remedy='write "24G"')
    return size


def _text(table: dict[str, Any], key: str, where: str, allowed: tuple[str, ...] = ()) -> str | None:
    value = table.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or (allowed and value not in allowed):
        raise InputError(
            f"{key} = {value!r}",
            where=where,
            remedy=f"write one of {', '.join(allowed)}" if allowed else "write a string",
        )
    return value


def _amount(table: dict[str, Any], where: str) -> Amount:
    given = [key for key in _AMOUNTS if key in table]
    if len(given) != 1:
        raise InputError(
            "how much must be said once", where=where, why=f"found {', '.join(given) or 'nothing'}",
            remedy='write size = "24G", usable = "24G", amount = "30%" or amount = "rest"',
        )  # fmt: skip
    if given[0] != "amount":
        size = _bytes(table, given[0], where)
        assert size is not None
        return Amount("raw" if given[0] == "size" else "usable", size)
    text = table["amount"]
    if text in ("rest", "all whole blocks"):
        return Amount("rest")
    number = text.removesuffix("%") if isinstance(text, str) and text.endswith("%") else ""
    try:
        share = Fraction(number) / 100 if number.replace(".", "", 1).isdigit() else Fraction(0)
    except ValueError:
        share = Fraction(0)
    if not 0 < share <= 1:
        raise InputError(f"amount = {text!r}", where=where, remedy='write "30%" (at most 100%) or "rest"')
    return Amount("percent", share=share)


def _item(table: dict[str, Any], where: str) -> Item:
    _known(table, _ITEM, where)
    mode = _text(table, "mode", where, MODES)
    if mode is None:
        raise InputError("an item without a mode", where=where, remedy=f"write mode = one of {', '.join(MODES)}")
    count, movable = table.get("count", 1), table.get("movable")
    if isinstance(count, bool) or not isinstance(count, int):
        raise InputError("count must be a whole number", where=where)
    if movable is not None and not isinstance(movable, bool):
        raise InputError("movable must be true or false", where=where)
    places = tuple(place_name(word, None, f"{where}: on") for word in _words(table, "on", where))
    return build_item(
        mode, _amount(table, where), count, name=_text(table, "name", where), map_=_text(table, "map", where, ("dev", "mem")),
        align=_bytes(table, "align", where), sector=_bytes(table, "sector", where), places=tuple(dict.fromkeys(places)),
        movable=movable, where=where,
    )  # fmt: skip
