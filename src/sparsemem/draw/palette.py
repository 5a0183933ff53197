"""Glyphs and colours by owner kind. Colours are Okabe and Ito's colour-blind-safe set; a glyph always tells the same as a colour."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from sparsemem.draw.scene import Owner

__all__ = ["ABSENT", "CLAIM", "FLAG_LETTERS", "MIXED", "PSEUDO", "Style", "clean", "flag_text", "glyph", "style"]

#: section flag -> letter, in the order in which they are printed
FLAG_LETTERS: dict[str, str] = {
    "MARKED_PRESENT": "P",
    "HAS_MEM_MAP": "M",
    "IS_ONLINE": "O",
    "IS_EARLY": "E",
    "TAINT_ZONE_DEVICE": "T",
}

#: pseudo kinds of the overview bar
ABSENT, CLAIM, MIXED = "absent", "claim", "mixed"

#: pseudo kind -> what it means
PSEUDO: dict[str, str] = {
    CLAIM: "device memory that nothing has mapped",
    MIXED: "several owners",
    ABSENT: "no section",
}

_UNICODE = {"ram-part": "▌", "hole": "□", "lost": "×", "empty": "·", MIXED: "▒", ABSENT: "·", CLAIM: "╌"}  # noqa: RUF001
_ASCII = {MIXED: "%", ABSENT: ".", CLAIM: "-"}


class Style(NamedTuple):
    """``ansi`` is the argument of an SGR sequence; ``light`` and ``dark`` are (fill, text) colours on such a page."""

    ansi: str
    light: tuple[str, str]
    dark: tuple[str, str]


_STYLES: dict[str, Style] = {
    "ram": Style("48;5;25;38;5;231", ("#0072b2", "#ffffff"), ("#0072b2", "#ffffff")),
    "ram-part": Style("48;5;110;38;5;16", ("#7fb4d6", "#000000"), ("#7fb4d6", "#000000")),
    "ram-offline": Style("48;5;153;38;5;16", ("#c5dcec", "#00324f"), ("#29485c", "#d6e9f5")),
    "hot": Style("48;5;74;38;5;16", ("#56b4e9", "#00263b"), ("#56b4e9", "#00263b")),
    "hot-offline": Style("48;5;195;38;5;16", ("#d9eefa", "#004a73"), ("#1f4257", "#cbe8fa")),
    "hole": Style("48;5;252;38;5;238", ("#e4e4e4", "#555555"), ("#3a3a3a", "#bbbbbb")),
    "residue": Style("48;5;16;38;5;228", ("#222222", "#f0e442"), ("#000000", "#f0e442")),
    "conflict": Style("48;5;166;38;5;231;1", ("#d55e00", "#ffffff"), ("#d55e00", "#ffffff")),
    "lost": Style("48;5;166;38;5;231", ("#d55e00", "#ffffff"), ("#d55e00", "#ffffff")),
    "empty": Style("2", ("#f7f7f7", "#686868"), ("#1d1f21", "#949494")),
    MIXED: Style("48;5;246;38;5;16", ("#999999", "#000000"), ("#6f6f6f", "#ffffff")),
    ABSENT: Style("2", ("#ffffff", "#686868"), ("#141617", "#949494")),
    CLAIM: Style("2", ("#f3ecd9", "#7a5c00"), ("#2b2718", "#d8b95a")),
}
#: devices take these in turn, so that neighbours differ
_DEVICES = (
    Style("48;5;214;38;5;16", ("#e69f00", "#000000"), ("#e69f00", "#000000")),
    Style("48;5;36;38;5;16", ("#009e73", "#000000"), ("#009e73", "#000000")),
    Style("48;5;175;38;5;16", ("#cc79a7", "#000000"), ("#cc79a7", "#000000")),
    Style("48;5;227;38;5;16", ("#f0e442", "#000000"), ("#f0e442", "#000000")),
)


def style(kind: str, number: int = -1) -> Style:
    """How an owner kind (or overview pseudo kind) looks; ``number`` is the device's."""
    return _DEVICES[number % len(_DEVICES)] if kind == "device" else _STYLES[kind]


def glyph(kind: str, owner: Owner | None, unicode: bool) -> str:
    """The one character of an owner, or of a pseudo kind."""
    if unicode and kind in _UNICODE:
        return _UNICODE[kind]
    return owner.key if owner is not None else _ASCII[kind]


def flag_text(flags: tuple[str, ...], known: tuple[str, ...]) -> str:
    """``PMOE-``: a letter or a dash for each flag that the kernel has."""
    return "".join(letter if name in flags else "-" for name, letter in FLAG_LETTERS.items() if name in known)


_PLAIN = re.compile(r"[ -~]*\Z")


def clean(text: str, unicode: bool = True) -> str:
    """Names come from files: no control characters, nothing that is wider than one column, ASCII alone unless ``unicode``."""
    if _PLAIN.match(text):
        return text
    return "".join(each if each.isascii() and each.isprintable() else _one_column(each, unicode) for each in text)


def _one_column(char: str, unicode: bool) -> str:
    plain = unicode and char.isprintable() and unicodedata.east_asian_width(char) not in "WF"
    return char if plain and not unicodedata.category(char).startswith("M") else "?"
