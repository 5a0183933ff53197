"""JSON as the tools print it: one document or several in a row, read without trusting it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from sparsemem.machine.description import Note
from sparsemem.readers.text import printed_size

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["JsonReader", "load_documents"]

MAX_DEPTH = 200
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)


def load_documents(text: str, source: str, at: int = 0) -> tuple[list[Any], tuple[Note, ...]]:
    """All JSON values of a text from ``at`` on, and a note at the place where it stops being JSON."""
    documents: list[Any] = []
    decoder = json.JSONDecoder()
    if text.startswith("\ufeff", at):
        at += 1
    while True:
        while at < len(text) and text[at] in " \t\r\n\f,":
            at += 1
        if at >= len(text):
            return documents, ()
        try:
            value, at = decoder.raw_decode(text, at)
        except json.JSONDecodeError as error:
            saved = _salvage(decoder, text, at)
            if saved is not None:
                documents.append(saved)
            return documents, (
                Note(source, f"line {error.lineno} column {error.colno}", f"not JSON from here: {error.msg.lower()}"),
            )
        except (RecursionError, ValueError) as error:
            line = text.count("\n", 0, at) + 1
            what = "nested too deep" if isinstance(error, RecursionError) else str(error).partition(";")[0]
            return documents, (Note(source, f"line {line}", f"cannot be read as JSON: {what}"),)
        documents.append(value)


def _salvage(decoder: json.JSONDecoder, text: str, at: int) -> Any:
    """What a cut or damaged document says up to its last complete object; None when there is none."""
    stack: list[str] = []
    last: tuple[int, str] | None = None
    for match in _TOKEN.finditer(text, at):
        mark = match[0]
        if mark in "[{":
            stack.append("]" if mark == "[" else "}")
        elif mark in "]}":
            if not stack or stack.pop() != mark:
                break
            last = match.end(), "".join(reversed(stack))
            if not stack:
                break
        if len(stack) > MAX_DEPTH:
            break
    if last is None:
        return None
    try:
        return decoder.raw_decode(text[at : last[0]] + last[1])[0]
    except (ValueError, RecursionError):
        return None


class JsonReader:
    """Checked access to fields, with notes that say where a field is."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.notes: list[Note] = []
        self.rounded = 0

    def note(self, where: str, what: str) -> None:
        self.notes.append(Note(self.source, where, what))

    def objects(self, value: Any) -> Iterator[tuple[str, dict[str, Any], tuple[dict[str, Any], ...]]]:
        """Every object in ``value`` as (place, object, enclosing objects outermost first), in document order."""
        stack: list[tuple[str, Any, tuple[dict[str, Any], ...]]] = [("", value, ())]
        while stack:
            place, item, above = stack.pop()
            if len(above) > MAX_DEPTH:
                self.note(place[-200:], "nested too deep; left out")
                continue
            if isinstance(item, dict):
                yield place, item, above
                below = [(f"{place}.{key}".lstrip("."), child, (*above, item)) for key, child in item.items()]
            elif isinstance(item, list):
                below = [(f"{place}[{index}]", child, above) for index, child in enumerate(item)]
            else:
                continue
            stack.extend(reversed([entry for entry in below if isinstance(entry[1], (dict, list))]))

    def size(self, item: dict[str, Any], key: str, place: str) -> int | None:
        """Bytes of a size field in any of the tools' forms."""
        if key not in item or item[key] is None:
            return None
        found = printed_size(item[key])
        if found is None:
            self.note(f"{place}.{key}".lstrip("."), f"not a size: {_shown(item[key])}")
            return None
        self.rounded += found[1]
        return found[0]

    def text(self, item: dict[str, Any], key: str, place: str) -> str | None:
        """A string field."""
        value = item.get(key)
        if value is None or isinstance(value, str):
            return value or None
        self.note(f"{place}.{key}".lstrip("."), f"not a string: {_shown(value)}")
        return None

    def finish(self) -> tuple[Note, ...]:
        """All notes, and one when the tool printed rounded sizes."""
        if self.rounded:
            self.note(
                "",
                f"{self.rounded} sizes were printed for people (-u), rounded to 2 decimals; list again without -u",
            )
            self.rounded = 0
        return tuple(self.notes)


def _shown(value: object) -> str:
    if isinstance(value, int) and value.bit_length() > 4000:
        return "a number of more than a thousand digits"
    text = repr(value) if not isinstance(value, (dict, list)) else type(value).__name__
    return text if len(text) <= 60 else text[:57] + "..."
