"""What the tools of util-linux have in common: sizes and numbers as they read and print them, options that exclude each other, releases.

Facts from util-linux: lib/strutils.c, include/optutils.h, lib/strv.c.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sparsemem.tools.getopt import long_name
from sparsemem.tools.result import ToolExit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sparsemem.tools.getopt import LongOption
    from sparsemem.tools.result import Console

__all__ = ["DEFAULT", "Exclusive", "die", "human_size", "parse_number", "parse_size", "release_text", "try_help"]

DEFAULT = (2, 38)
"""Debian 12's."""

UINT64 = (1 << 64) - 1
_ERANGE = "Numerical result out of range"
_SUFFIXES = "KMGTPEZY"
_WHOLE = re.compile(r"\s*\+?(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)")
_WORDS: dict[tuple[int, ...], str] = {(2, 38): "2.38.1"}


def release_text(release: tuple[int, ...]) -> str:
    """What ``--version`` says; 2.38 is the 2.38.1 of Debian 12."""
    return _WORDS.get(release, ".".join(map(str, release)))


def die(console: Console, program: str, text: str) -> ToolExit:
    """``errx(EXIT_FAILURE, ...)``: print, and what to raise."""
    console.err(f"{program}: {text}\n")
    return ToolExit(1)


def try_help(console: Console, program: str) -> ToolExit:
    """``errtryhelp``: print, and what to raise."""
    console.err(f"Try '{program} --help' for more information.\n")
    return ToolExit(1)


class Exclusive:
    """``err_exclusive_options``: of each group of letters one may be given, that one as often as one likes."""

    def __init__(self, program: str, groups: Sequence[str], longs: Sequence[LongOption], console: Console) -> None:
        self._program = program
        self._groups = groups
        self._longs = longs
        self._console = console
        self._seen: dict[str, str] = {}

    def see(self, key: str) -> None:
        """Raises ToolExit for a second one of a group."""
        for group in self._groups:
            if key in group and self._seen.setdefault(group, key) != key:
                names = " ".join(long_name(self._longs, each) for each in group)
                raise die(self._console, self._program, f"mutually exclusive arguments: {names}")


def parse_number(text: str, base: int) -> int | str:
    """An unsigned 64-bit number as ``strtou64_or_err`` takes it; where it is none, the words behind the quoted text ("" for none)."""
    digits = re.fullmatch(r"\s*\+?(?:0[xX])?([0-9a-fA-F]+)" if base == 16 else r"\s*\+?([0-9]+)", text)
    if digits is None:
        return ""
    value = int(digits[1], base)
    return value if value <= UINT64 else f": {_ERANGE}"


def _fraction(text: str, unit: int) -> int:
    """Bytes of the digits behind a decimal point, digit by digit and rounded down each time, as ``parse_size`` does."""
    zeros = len(text) - len(text.lstrip("0"))
    digits = text[zeros:]
    divisor = 10
    while divisor < int(digits or "0"):
        divisor *= 10
    divisor *= 10**zeros
    found, place = 0, 1
    for digit in reversed(digits):
        share = divisor // place
        place *= 10
        if int(digit) and share // int(digit):
            found += unit // (share // int(digit))
    return found


def parse_size(text: str) -> int | str:
    """Bytes of ``128m``, ``1.5GiB`` (2^30) or ``1GB`` (10^9), 64 bits; where it is no size, strerror's words."""
    number = _WHOLE.match(text)
    if number is None:
        return "Invalid argument"
    value = int(number[1], 8 if re.fullmatch(r"0[0-7]+", number[1]) else 0)
    if value > UINT64:
        return _ERANGE
    rest = text[number.end() :]
    if not rest:
        return value
    behind = re.fullmatch(r"(?:\.(\d*))?([KMGTPEZYkmgtpezy])(i[Bb]|[Bb])?", rest)
    if behind is None:
        return "Invalid argument"
    base = 1000 if (behind[3] or "")[:1] in ("B", "b") else 1024
    unit: int = base ** (_SUFFIXES.index(behind[2].upper()) + 1)
    if value * unit > UINT64:
        return _ERANGE
    return value * unit + (_fraction(behind[1], unit) if behind[1] else 0) & UINT64


def human_size(size: int) -> str:
    """``size_to_human_string(SIZE_SUFFIX_1LETTER)``: ``128M``, ``1.5G``: one decimal, rounded."""
    power = min((max(size.bit_length(), 1) - 1) // 10, 6)
    unit = 1 << 10 * power
    whole, tenths = size // unit, (size % unit * 1000 // unit + 50) // 100
    if tenths == 10:
        whole, tenths = whole + 1, 0
    return f"{whole}.{tenths}{'BKMGTPE'[power]}" if tenths else f"{whole}{'BKMGTPE'[power]}"
