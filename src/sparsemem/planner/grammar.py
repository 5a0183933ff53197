"""The one-line form of an intent. docs/planner.md has the grammar.

::

    intent := part { "," part }            part := "keep" | "replace" ( "all" | DEVICE ) | region | item | memory
    region := "region" [ SIZE ] [ "on" MEMDEV { MEMDEV } ] { option }        sparsemem.planner.cxl.item
    memory := ( "online" | "offline" ) ...                                   sparsemem.planner.memory.grammar
    item   := [ COUNT "x" ] MODE [ amount ] { option }          in any order
    amount := [ "usable" ] SIZE | NUMBER "%" | "rest" | "all whole blocks"
    option := "on" PLACE | "node=" N | "name=" TEXT | "map=" ( dev | mem ) | "align=" SIZE | "sector=" BYTES | "movable" | "no-movable"
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from sparsemem.errors import InputError, UsageError
from sparsemem.planner.cxl.item import RegionItem, cxl_name, parse_region
from sparsemem.planner.intent import MODES, Amount, Intent, Item, size_word
from sparsemem.planner.memory.grammar import ACTIONS, parse_memory
from sparsemem.units import parse_size

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["all_words", "build_item", "device_name", "parse_intent", "place_name"]

_TOKEN = re.compile(r"""[,;]|[^\s,;"']*(?:"[^"]*"|'[^']*')|(?P<bare>[^\s,;]+)""")
_SIZE = re.compile(r"(0x[0-9a-fA-F]+|[0-9]+)([KMGTPkmgtp](i?[Bb])?)?\Z")
_PERCENT = re.compile(r"([0-9]+(?:\.[0-9]+)?)%\Z")
_COUNT = re.compile(r"([0-9]+)[xX*]\Z")
_NUMBER = re.compile(r"[0-9]+\Z")
_UNIT = re.compile(r"([KMGTPkmgtp](i?[Bb])?|%)\Z")
_NO_SIZE = re.compile(r"([0-9]+)(?:[.]([0-9]+))?([KMGTkmgt])(?:i?[bB]?)\Z")
_PLACE = re.compile(r"(region|node|dax_region)[0-9]+\Z")
_DEVICE = re.compile(r"(namespace|dax)[0-9]+\.[0-9]+\Z")
_MODE_HINTS = {
    "memory": "fsdax", "pmem": "fsdax", "dax": "devdax", "safe": "sector", "btt": "sector", "ram": "system-ram", "kmem": "system-ram",
    "system_ram": "system-ram",
}  # fmt: skip
_MOST = 4096
_PAGE = 4096
_EXAMPLE = 'for example "2 x fsdax 24G, rest devdax"'


class _Word(NamedTuple):
    text: str
    column: int


def _wrong(what: str, column: int | None, remedy: str, where: str = "intent") -> InputError:
    return InputError(what, where=where if column is None else f"{where}, column {column}", remedy=remedy)


def place_name(text: str, column: int | None = None, where: str = "intent") -> str:
    """``region0``, ``node1``: checked. Raises InputError."""
    text = text.lower()
    if not _PLACE.match(text):
        raise _wrong(f"{text!r} is no place", column, 'write "on region0" or "on node1"', where)
    return text


def device_name(text: str, column: int | None = None, where: str = "intent") -> str:
    """``namespace0.0``, ``dax0.0``, ``region0`` (a CXL one), ``mem0`` or ``all``: checked. Raises InputError."""
    if text != "all" and not _DEVICE.match(text) and not cxl_name(text):
        remedy = 'write "replace namespace0.0", "replace dax0.0" or "replace all"'
        raise _wrong(f"{text!r} can not be replaced", column, remedy, where)
    return text


def all_words(names: Iterable[str]) -> tuple[str, ...]:
    """What is replaced, each once: "all" stands for every namespace and dax device, CXL regions are named beside it."""
    found = tuple(dict.fromkeys(names))
    return tuple(name for name in found if name == "all" or cxl_name(name)) if "all" in found else found


def build_item(
    mode: str, amount: Amount, count: int = 1, *, name: str | None = None, map_: str | None = None,
    align: int | None = None, sector: int | None = None, places: tuple[str, ...] = (), movable: bool | None = None,
    column: int | None = None, where: str = "intent",
) -> Item:  # fmt: skip
    """An item of which the parts go together. Raises InputError."""

    def wrong(what: str, remedy: str) -> InputError:
        return _wrong(what, column, remedy, where)

    if not 1 <= count <= _MOST:
        raise wrong(f"{count} namespaces", f"write a count from 1 to {_MOST:,}")
    dax = mode in ("fsdax", "devdax", "system-ram")
    if map_ is not None and not dax:
        raise wrong(f"map={map_} goes with fsdax, devdax and system-ram, not with {mode}", "leave it out")
    if align is not None and not dax:
        raise wrong(f"align= goes with fsdax, devdax and system-ram, not with {mode}", "leave it out")
    if sector is not None and mode == "system-ram":
        raise wrong("sector= does not go with system-ram", "leave it out")
    if movable is not None and mode != "system-ram":
        raise wrong(f"{'movable' if movable else 'no-movable'} goes with system-ram, not with {mode}", "leave it out")
    if name is not None and len(name.encode()) > 63:
        raise wrong(f"the name {name!r} is longer than the 63 bytes of a label", "write a shorter one")
    if name is not None and (not name.strip() or not name.isprintable() or ('"' in name and "'" in name)):
        raise wrong(f"the name {name!r} is empty, or not text", "write name=db")
    return Item(
        mode=mode, amount=amount, count=count, name=name, map=map_, align=align, sector_size=sector, where=places,
        movable=movable is not False,
    )  # fmt: skip


@dataclass
class _Part:
    """The words of one item, as they are read."""

    words: list[_Word]
    at: int = 0
    mode: str | None = None
    amount: Amount | None = None
    count: int | None = None
    options: dict[str, str] = field(default_factory=dict)
    places: list[str] = field(default_factory=list)
    movable: bool | None = None

    def next(self, after: str, example: str) -> _Word:
        """The next word; there must be one."""
        if self.at >= len(self.words):
            last = self.words[-1]
            raise _wrong(f"nothing behind {after!r}", last.column + len(last.text), f"write {example}")
        word = self.words[self.at]
        self.at += 1
        return word

    def peek(self) -> str:
        return self.words[self.at].text.lower() if self.at < len(self.words) else ""

    def give(self, word: _Word, amount: Amount) -> None:
        if self.amount is not None:
            raise _wrong(
                f"a second amount, {word.text!r}, behind {self.amount}",
                word.column,
                "separate items by commas, " + _EXAMPLE,
            )
        self.amount = amount


def _size(word: _Word, remedy: str = "write 24G") -> int:
    try:
        size = parse_size(word.text)
    except UsageError as error:
        raise _wrong(error.what, word.column, error.remedy or remedy) from None
    if not 0 < size < 1 << 52:
        raise _wrong(f"{word.text} is no size that a namespace can have", word.column, remedy)
    return size


def _amount_size(part: _Part, word: _Word) -> int:
    """A size that stands for itself. A number that can not be one of bytes lacks its unit."""
    unit = part.peek()
    if _NUMBER.match(word.text) and _UNIT.match(unit):
        after = part.words[part.at].text
        raise _wrong(f"a blank between {word.text} and {after}", word.column, f"write {word.text}{after}")
    size = _size(word)
    if size < _PAGE and _NUMBER.match(word.text):
        raise _wrong(
            f"{word.text} bytes are less than a page", word.column, f"write {word.text}G, {word.text}M or {word.text}%"
        )
    return size


def _what_instead(text: str) -> str | None:
    """A size with a fraction, or with half a unit, in whole numbers."""
    found = _NO_SIZE.match(text)
    if found is None:
        return None
    size = Fraction(f"{found[1]}.{found[2] or 0}") * (1 << 10 * ("KMGT".index(found[3].upper()) + 1))
    return size_word(int(size)) if size == int(size) else size_word(int(size) >> 20 << 20)


def _option(part: _Part, word: _Word, key: str, value: str) -> None:
    if len(value) > 1 and value[0] in "\"'" and value[-1] == value[0]:
        value = value[1:-1]
    if key == "region":
        part.places.append(place_name(value if value.startswith("region") else f"region{value}", word.column))
    elif key == "node":
        part.places.append(place_name(value if value.startswith("node") else f"node{value}", word.column))
    elif key not in ("name", "map", "align", "sector"):
        known = "name=, map=, align=, sector=, node=, region="
        raise _wrong(f"unknown option {key}=", word.column, f"known are {known}")
    elif key in part.options:
        raise _wrong(f"{key}= is there twice", word.column, "write it once")
    elif key == "map" and value not in ("dev", "mem"):
        raise _wrong(f"map={value}", word.column, "write map=dev (page structs in the device) or map=mem (in RAM)")
    else:
        if key in ("align", "sector"):
            _size(_Word(value, word.column), f"write {key}={'2M' if key == 'align' else '512'}")
        part.options[key] = value


def _word(part: _Part, word: _Word) -> None:
    text, low = word.text, word.text.lower()
    key, equals, value = text.partition("=")
    if equals:
        _option(part, word, key.lower(), value)
    elif low in MODES:
        if part.mode is not None:
            raise _wrong(f"two modes, {part.mode} and {low}", word.column, "separate items by commas, " + _EXAMPLE)
        part.mode = low
    elif low in _MODE_HINTS:
        raise _wrong(f"{text!r} is no mode", word.column, f"write {_MODE_HINTS[low]}")
    elif low == "usable":
        size = part.next("usable", "usable 100G")
        part.give(word, Amount("usable", _amount_size(part, size)))
    elif found := _PERCENT.match(low):
        share = Fraction(found[1]) / 100
        if not 0 < share <= 1:
            raise _wrong(f"{text} of a region", word.column, "write more than 0% and at most 100%")
        part.give(word, Amount("percent", share=share))
    elif low in ("rest", "all", "whole"):
        _rest(part, word, low)
    elif (found := _COUNT.match(low)) or (_NUMBER.match(text) and part.peek() in ("x", "*")):
        part.at += found is None
        if part.count is not None:
            raise _wrong("a second count", word.column, "separate items by commas, " + _EXAMPLE)
        part.count = int(found[1]) if found else int(text)
    elif _SIZE.match(text):
        part.give(word, Amount("raw", _amount_size(part, word)))
    elif low == "on":
        place = part.next("on", '"on region0" or "on node1"')
        part.places.append(place_name(place.text, place.column))
    elif low in ("movable", "no-movable"):
        part.movable = low == "movable"
    elif instead := _what_instead(text):
        raise _wrong(f"{text} is no size: a whole number with a unit", word.column, f"write {instead}")
    else:
        raise _wrong(
            f"{text!r} is not understood",
            word.column,
            f"write modes ({', '.join(MODES)}), sizes and options, " + _EXAMPLE,
        )


def _rest(part: _Part, word: _Word, low: str) -> None:
    """``rest``, ``all``, ``all whole blocks``, ``whole blocks``."""
    if low == "all" and part.peek() == "whole":
        part.at += 1
        low = "whole"
    if low == "whole":
        blocks = part.next("whole", '"all whole blocks"')
        if blocks.text.lower() != "blocks":
            raise _wrong(f"{blocks.text!r} behind whole", blocks.column, 'write "all whole blocks"')
    part.give(word, Amount("rest"))


def _item(part: _Part) -> Item:
    while part.at < len(part.words):
        word = part.words[part.at]
        part.at += 1
        _word(part, word)
    column = part.words[0].column
    if part.mode is None:
        raise _wrong("an item without a mode", column, f"write one of {', '.join(MODES)}, " + _EXAMPLE)
    if part.amount is None:
        raise _wrong(
            f"{part.mode}, but how much", column, f'write "{part.mode} 24G", "{part.mode} 30%" or "{part.mode} rest"'
        )
    align, sector = part.options.get("align"), part.options.get("sector")
    return build_item(
        part.mode, part.amount, 1 if part.count is None else part.count, name=part.options.get("name"), map_=part.options.get("map"),
        align=None if align is None else parse_size(align), sector=None if sector is None else parse_size(sector),
        places=tuple(dict.fromkeys(part.places)), movable=part.movable, column=column,
    )  # fmt: skip


def _parts(text: str) -> list[list[_Word]]:
    """The words between the commas."""
    parts: list[list[_Word]] = [[]]
    for found in _TOKEN.finditer(text):
        word = found[0]
        if word in ",;":
            parts.append([])
        elif quotes := [word.find(each) for each in "\"'" if each in (found["bare"] or "")]:
            raise _wrong("a quote that is not closed", found.start() + 1 + min(quotes), 'write name="my data"')
        else:
            parts[-1].append(_Word(found[0], found.start() + 1))
    return [part for part in parts if part]


def _joined(parts: list[list[_Word]]) -> list[list[_Word]]:
    """``system-ram, all whole blocks`` is one item: a part of such words alone belongs to the one before it."""
    joined: list[list[_Word]] = []
    for part in parts:
        words = " ".join(word.text.lower() for word in part)
        if joined and words in ("all whole blocks", "whole blocks"):
            joined[-1] += part
        else:
            joined.append(part)
    return joined


def parse_intent(text: str) -> Intent:
    """Read the one-line form. Raises InputError with the column and what to write instead."""
    items: list[Item] = []
    regions: list[RegionItem] = []
    replace: list[str] = []
    memory = []
    keep = False
    for words in _joined(_parts(text)):
        first = words[0]
        if first.text.lower() == "keep":
            if len(words) > 1:
                raise _wrong(f"{words[1].text!r} behind keep", words[1].column, 'write "keep", or "replace" and what')
            keep = True
        elif first.text.lower() == "replace":
            if len(words) < 2:
                raise _wrong("replace what", first.column, 'write "replace namespace0.0" or "replace all"')
            replace += [device_name(word.text, word.column) for word in words[1:]]
        elif first.text.lower() == "region":
            regions.append(parse_region(words))
        elif first.text.lower() in ACTIONS:
            memory.append(parse_memory(words))
        else:
            items.append(_item(_Part(words)))
    if keep and replace:
        raise _wrong("keep and replace together", None, "what is not replaced is kept: leave keep out")
    if not items and not replace and not regions and not memory:
        raise _wrong("nothing is asked for", None, "write " + _EXAMPLE)
    return Intent(tuple(items), all_words(replace), regions=tuple(regions), memory=tuple(memory))
