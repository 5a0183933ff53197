"""Recognise a line: which message, in which wording, with which values."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from sparsemem.explain.messages import MESSAGES
from sparsemem.explain.printf import compile_format, conversions, core_of, fixed_length, read_resource
from sparsemem.units import parse_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.explain.records import Message, Wording

__all__ = ["Hit", "fixed_words", "match_line"]

_DEVICE = re.compile(
    r"\b((?:namespace|pfn|dax|btt)\d{1,6}\.\d{1,6}|(?:region|pmem|mapping_region)\d{1,6}|PNP0C80:[0-9a-fA-F]{2})\b"
)
_HINT_MISSING, _CUT = 15, 8
_DIGITS = 40


@dataclass(frozen=True, slots=True)
class Hit:
    """A recognised line. ``values`` are the numbers by field name, ``words`` all fields as text.

    ``cut`` says that numbers of the line are missing.
    """

    message: Message
    wording: Wording
    line: str
    device: str | None
    values: dict[str, int]
    words: dict[str, str]
    cut: bool = False


def match_line(line: str) -> Hit | None:
    """The message that fits the line best (the one with most fixed words), or None."""
    best: tuple[int, Hit] | None = None
    for message, wording, core in _candidates():
        if core not in line:
            continue
        score = fixed_length(wording.format) - (_HINT_MISSING if message.hint and message.hint not in line else 0)
        found = compile_format(wording.format).search(line)
        if found is None and not message.core:
            continue
        if found is None:
            score -= fixed_length(wording.format) - len(core) + _CUT
        if score > 0 and (best is None or score > best[0]):
            best = score, _hit(message, wording, line, found)
    return best[1] if best else None


@cache
def fixed_words() -> tuple[str, ...]:
    """Words of which every known message holds at least one: a quick test before the long one."""
    return tuple(sorted({core for _, _, core in _candidates()}))


@cache
def _candidates() -> tuple[tuple[Message, Wording, str], ...]:
    return tuple((m, w, m.core or _first_word_run(w.format)) for m in MESSAGES for w in m.wordings)


def _first_word_run(template: str) -> str:
    """A part of the longest fixed run that has no blank, since blanks may be wrapped."""
    return max(core_of(template).split(), key=len, default="")


def _hit(message: Message, wording: Wording, line: str, found: re.Match[str] | None) -> Hit:
    device = _DEVICE.search(line[: found.start()] if found else line) or _DEVICE.search(line)
    name = device[1] if device else None
    if found is None:
        return Hit(message, wording, line, name, {}, {}, cut=True)
    words: dict[str, str] = {}
    values: dict[str, int] = {}
    for field, kind, text in zip(_fields(message, wording), conversions(wording.format), found.groups(), strict=False):
        words[field] = text.strip()
        values.update(_values(field, kind, text))
    values.update(_derived(words, values))
    return Hit(message, wording, line, name, values, words)


def _fields(message: Message, wording: Wording) -> tuple[str, ...]:
    return message.fields if wording.fields is None else wording.fields


def _values(field: str, kind: str, text: str) -> Iterator[tuple[str, int]]:
    if kind == "resource":
        span = read_resource(text)
        if span is not None and field == "range":
            yield from (("start", span[0]), ("last", span[1]))
    elif kind != "text" and len(text) <= _DIGITS:
        yield field, int(text, 16 if kind == "hex" else 10)


def _derived(words: dict[str, str], values: dict[str, int]) -> Iterator[tuple[str, int]]:
    if "block_mib" in values:
        yield "block", values["block_mib"] << 20
    if "meant_count" in words:
        count = words["meant_count"] + words.get("meant_unit", "")
        if re.fullmatch(r"\d{1,18}[KMGT]?", count):
            yield "meant", parse_size(count)
