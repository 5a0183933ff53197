"""From the kernel's printf format to a regular expression: the format is the fact, the expression follows from it."""

from __future__ import annotations

import re
from functools import cache

__all__ = ["compile_format", "conversions", "core_of", "fixed_length", "read_resource"]

_CONVERSION = re.compile(
    r"%(?:(?P<percent>%)|p(?P<pointer>[A-Za-z]*)|(?P<flags>[#0-9*.-]*)(?:hh|h|ll|l|L|z)?(?P<kind>[dioux XsS]))"
)
_HEX = "(?:0x)?[0-9a-fA-F]+"
_RESOURCE = re.compile(
    r"\[(?:mem|io)\s+(?:(0x[0-9a-fA-F]{1,16})(?:-(0x[0-9a-fA-F]{1,16}))?|size\s+(0x[0-9a-fA-F]{1,16}))[^\]]*\]"
)


@cache
def compile_format(template: str) -> re.Pattern[str]:
    """The expression that finds what ``template`` prints; one group for each conversion, in order.

    A blank matches any run of blanks, since pasted lines are often wrapped.
    """
    parts: list[str] = []
    position = 0
    for match in _CONVERSION.finditer(template):
        parts.append(_literal(template[position : match.start()]))
        parts.append(_group(match, at_start=match.start() == 0, at_end=match.end() == len(template)))
        position = match.end()
    parts.append(_literal(template[position:]))
    return re.compile("".join(parts))


@cache
def conversions(template: str) -> tuple[str, ...]:
    """What each conversion prints: "hex", "decimal", "text" or "resource"."""
    kinds = []
    for match in _CONVERSION.finditer(template):
        if match["pointer"] is not None:
            pointer = match["pointer"]
            kinds.append(
                "resource" if pointer[:1] in ("R", "r") else "text" if pointer.startswith(("U", "OF", "g")) else "hex"
            )
        elif not match["percent"]:
            kinds.append({"s": "text", "S": "text", "x": "hex", "X": "hex"}.get(match["kind"], "decimal"))
    return tuple(kinds)


def fixed_length(template: str) -> int:
    """How many characters of a format are fixed: of two formats that fit a line, the longer one says more."""
    return len(_CONVERSION.sub("", template))


def core_of(template: str) -> str:
    """The longest run of fixed words in a format: a cheap test before the expression."""
    return max((piece.strip() for piece in _pieces(template)), key=len, default="")


def read_resource(text: str) -> tuple[int, int] | None:
    """``[mem 0x200000000-0x2fbffffff flags 0x200]`` as ``(start, last)``, inclusive; None where it has no range."""
    match = _RESOURCE.search(text)
    if match is None or match[1] is None:
        return None
    start = int(match[1], 16)
    last = int(match[2], 16) if match[2] else start
    return (start, last) if last >= start else None


def _pieces(template: str) -> list[str]:
    position, pieces = 0, []
    for match in _CONVERSION.finditer(template):
        pieces.append(template[position : match.start()])
        position = match.end()
    return [*pieces, template[position:]]


def _literal(text: str) -> str:
    return re.sub(r"(?:\\ )+", r"\\s+", re.escape(text))


def _group(match: re.Match[str], *, at_start: bool, at_end: bool) -> str:
    if match["percent"]:
        return "%"
    pointer, kind, flags = match["pointer"], match["kind"], match["flags"] or ""
    if pointer is not None:
        if pointer.startswith(("R", "r")):
            return r"(\[[^\]]{0,80}\])"
        if pointer.startswith("U"):
            return "([0-9a-fA-F-]{36})"
        return r"(\S+)" if pointer.startswith(("OF", "g")) else f"({_HEX})"
    if kind in "sS":
        return r"([^\s:]+)" if at_start else r"(\S.*\S|\S)" if at_end else "(.*?)"
    if kind in "xX":
        return "(0x[0-9a-fA-F]+|0)" if "#" in flags else "([0-9a-fA-F]+)"
    return r"(-?\d+)"
