"""``arch/x86/kernel/e820.c``: the firmware's memory map, and what ``memmap=`` and ``mem=`` make of it. Bytes, half-open."""

from __future__ import annotations

import re
from typing import NamedTuple

from sparsemem.errors import InputError

__all__ = ["E820", "PERSISTENT", "RAM", "Entry", "apply_cmdline", "ram_buffers", "range_update"]

RAM, PERSISTENT = "usable", "persistent (type 12)"
_KINDS = {"@": RAM, "$": "reserved", "#": "ACPI data", "!": PERSISTENT}
_NUMBER = re.compile(r"(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9]\d*)([KMGTPEkmgtpe])?")
_SHIFTS = {"K": 10, "M": 20, "G": 30, "T": 40, "P": 50, "E": 60}


class Entry(NamedTuple):
    """``kind`` in the words of the boot log."""

    start: int
    end: int
    kind: str


E820 = tuple[Entry, ...]


def _memparse(text: str, option: str) -> tuple[int, str]:
    """``memparse()``: a number in C notation with a binary suffix, and the rest."""
    match = _NUMBER.match(text)
    if match is None:
        raise InputError(f"not a number in {option!r}", where="cmdline", remedy="write memmap=SIZE!START, for example memmap=48M!336M")
    digits, suffix = match.groups()
    base = 16 if digits[:2].lower() == "0x" else 8 if len(digits) > 1 and digits[0] == "0" else 10
    value = int(digits, base) << (_SHIFTS[suffix.upper()] if suffix else 0)
    return value & ((1 << 64) - 1), text[match.end() :]


def range_update(table: E820, start: int, end: int, old: str | None, new: str | None) -> E820:
    """Turn what is ``old`` (None: anything) in a range into ``new`` (None: nothing), splitting entries at its borders.

    Pieces are not merged: adjacent entries of one type stay apart unless they came from one.
    """
    pieces: list[Entry] = []
    for entry in table:
        if entry.end <= start or entry.start >= end or (old is not None and entry.kind != old):
            pieces.append(entry)
            continue
        if entry.start < start:
            pieces.append(Entry(entry.start, start, entry.kind))
        if new is not None:
            pieces.append(Entry(max(entry.start, start), min(entry.end, end), new))
        if entry.end > end:
            pieces.append(Entry(end, entry.end, entry.kind))
    return tuple(sorted(pieces))


def _add(table: E820, start: int, end: int, kind: str) -> E820:
    """A new entry wins over what lies under it; it is cut where older entries begin and end, as sanitising cuts it."""
    covered = [entry for entry in table if entry.start < end and entry.end > start]
    borders = sorted({start, end, *(b for e in covered for b in (e.start, e.end) if start < b < end)})
    cleared = range_update(table, start, end, None, None)
    inside = [Entry(low, high, kind) for low, high in zip(borders, borders[1:], strict=False)]
    return tuple(sorted([*cleared, *_joined(inside, covered)]))


def _joined(inside: list[Entry], covered: list[Entry]) -> list[Entry]:
    # Only RAM entries come and go with memmap=: where RAM lay under the new entry, its pieces are one.
    merged: list[Entry] = []
    for piece in inside:
        under = [e.kind for e in covered if e.start < piece.end and e.end > piece.start]
        last = [e.kind for e in covered if merged and e.start < merged[-1].end and e.end > merged[-1].start]
        if merged and merged[-1].end == piece.start and under == last and under in ([], [RAM]):
            merged[-1] = Entry(merged[-1].start, piece.end, piece.kind)
        else:
            merged.append(piece)
    return merged


def apply_cmdline(table: E820, cmdline: str) -> E820:
    """``mem=`` and ``memmap=``, in the order of the command line. Raises InputError for a number that is none."""
    for word in cmdline.split():
        key, equals, value = word.partition("=")
        if not equals:
            continue
        if key == "mem":
            limit, _ = _memparse(value, word)
            table = range_update(table, limit, 1 << 64, RAM, None)
        elif key == "memmap":
            for option in value.split(","):
                table = _memmap(table, option, word)
    return table


def _memmap(table: E820, option: str, word: str) -> E820:
    if option == "exactmap":
        raise InputError("memmap=exactmap is not modelled", where="cmdline", remedy="give the machine as layout or iomem")
    size, rest = _memparse(option, word)
    mark, place = rest[:1], rest[1:]
    if mark == "":
        return range_update(table, size, 1 << 64, RAM, None)
    if mark not in _KINDS or not size:
        raise InputError(f"not understood: {word!r}", where="cmdline", remedy="write memmap=SIZE and one of @ $ # ! and START")
    start, left = _memparse(place, word)
    if left:
        raise InputError(f"not understood: {word!r}", where="cmdline", remedy=f"leave {left!r} out")
    return _add(table, start, start + size, _KINDS[mark])


def ram_buffers(table: E820) -> list[tuple[int, int]]:
    """``ram_alignment()``: the gap above each RAM entry up to the next 64 KiB, 1 MiB or 64 MiB line."""
    found = []
    for entry in table:
        if entry.kind == RAM:
            unit = 1 << 16 if entry.end < 1 << 20 else 1 << 20 if entry.end < 16 << 20 else 64 << 20
            end = -(-entry.end // unit) * unit
            if end > entry.end:
                found.append((entry.end, end))
    return found
