"""``/proc/zoneinfo``: spans and page counts of zones.

Linux kernel v7.2, mm/vmstat.c, ``zoneinfo_show_print()``: the line ``start_pfn:`` is printed for populated zones only,
so a ZONE_DEVICE, which never counts present pages, shows its span without a start.
"""

from __future__ import annotations

import re

from sparsemem.machine.description import Note, ZoneFact
from sparsemem.readers.text import number

__all__ = ["parse_zoneinfo", "zoneinfo_lines"]

_HEAD = re.compile(r"Node\s+(\d{1,9}), zone\s+(\S+)")
_FIELD = re.compile(r"\s+(spanned|present|managed)\s+(\d+)\s*")
_START = re.compile(r"\s+start_pfn:\s+(\d+)\s*")


def zoneinfo_lines(text: str) -> str:
    """Only the lines that ``parse_zoneinfo`` reads (a captured file need not hold per-CPU statistics)."""
    wanted = [
        line for line in text.splitlines() if _HEAD.match(line) or _FIELD.fullmatch(line) or _START.fullmatch(line)
    ]
    return "".join(f"{line}\n" for line in wanted)


def parse_zoneinfo(text: str, source: str = "/proc/zoneinfo") -> tuple[tuple[ZoneFact, ...], tuple[Note, ...]]:
    """The zones of a zoneinfo text, with notes on what could not be used. Never raises for any text."""
    zones: list[ZoneFact] = []
    notes: list[Note] = []
    head: tuple[int, str, int] | None = None
    values: dict[str, int] = {}

    def close() -> None:
        if head is None:
            return
        nid, name, line = head
        if not {"spanned", "present", "managed"} <= values.keys():
            notes.append(Note(source, f"line {line}", f"zone {name} of node {nid} lacks its page counts; left out"))
            return
        zones.append(
            ZoneFact(nid, name, values.get("start_pfn"), values["spanned"], values["present"], values["managed"])
        )

    for line_number, line in enumerate(text.splitlines(), 1):
        match = _HEAD.match(line)
        if match is not None:
            close()
            head, values = (int(match[1]), match[2], line_number), {}
            continue
        if head is None:
            continue
        field = _FIELD.fullmatch(line)
        if field is not None:
            key, digits = field[1], field[2]
        else:
            field = _START.fullmatch(line)
            if field is None:
                continue
            key, digits = "start_pfn", field[1]
        value = number(digits)
        if value is None:
            notes.append(Note(source, f"line {line_number}", f"{key} is too large: {digits[:40]}"))
        else:
            values.setdefault(key, value)
    close()
    if not zones and not notes and text.strip():
        notes.append(Note(source, "", "no zones found in it"))
    return tuple(zones), tuple(notes)
