"""Take the noise off a pasted line: colours, quote marks, journal and syslog prefixes, levels, time stamps."""

from __future__ import annotations

import re

__all__ = ["clean", "lines_of"]

_LONGEST = 2000
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_PREFIXES = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?:[>|*]\s*)+",  # quoted mail, lists, tables
        r"<\d{1,3}>",  # raw log level
        r"(?:kern|user|daemon|syslog)\s*:\s*(?:emerg|alert|crit|err|warn|notice|info|debug)\s*:\s*",  # dmesg -x
        r"\[\s*\d{1,9}\.\d{1,9}\]\s*",  # [   17.491097]
        r"\[\s*(?:[CT]\d+)\s*\]:?\s*",  # [    T1]
        r"\[(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[^\]]{5,40}\]\s*",  # dmesg -T
        r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?\s+(?:\S+\s+)??(?=kernel:|\[|\S+\[\d+\]:)",
        r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\s+\d{1,2}\s+\d\d:\d\d:\d\d\s+\S+\s+(?=\S+?(?:\[\d+\])?:)",
        r"kernel:\s*",
        r"(?:ndctl|daxctl|cxl|systemd|sudo)\[\d+\]:\s*",
        r"-{2,}\[ cut here \]-{2,}\s*",
    )
)


def clean(line: str) -> str:
    """The message itself. Cleaning a cleaned line changes nothing."""
    text = " ".join(_ANSI.sub("", line[:_LONGEST]).split())
    while True:
        for prefix in _PREFIXES:
            match = prefix.match(text)
            if match and match.end():
                text = text[match.end() :].strip()
                break
        else:
            return text


def lines_of(text: str) -> list[str]:
    """The cleaned lines of a paste, without empty ones."""
    return [line for line in map(clean, text.splitlines()) if line]
