"""Small shared pieces: numbers as sysfs and the tools print them."""

from __future__ import annotations

import re

__all__ = ["hex_int", "is_binary", "number", "printed_size"]

_HUMAN = re.compile(r"(\d{1,18}(?:\.\d{1,6})?)\s*(?:([KMGTPE])(?:i?B)?|B|bytes)?(?:\s*\([^)]*\))?", re.IGNORECASE)
_SHIFT = {"K": 10, "M": 20, "G": 30, "T": 40, "P": 50, "E": 60}
_LIMIT = 1 << 64


def number(text: str | None) -> int | None:
    """A non-negative number below 2**64 in decimal or with 0x, or None."""
    if text is None:
        return None
    text = text.strip()
    try:
        if text[:2] in ("0x", "0X"):
            value = int(text[2:], 16) if len(text) <= 18 else _LIMIT
        else:
            value = int(text) if len(text) <= 20 and text.isascii() and text.isdigit() else _LIMIT
    except ValueError:
        return None
    return value if 0 <= value < _LIMIT else None


def hex_int(text: str | None) -> int | None:
    """A hexadecimal number below 2**64, with or without 0x, or None."""
    if text is None:
        return None
    text = text.strip()
    text = text[2:] if text[:2] in ("0x", "0X") else text
    try:
        return int(text, 16) if 0 < len(text) <= 16 and "_" not in text and text[0] not in "+-" else None
    except ValueError:
        return None


def printed_size(value: object) -> tuple[int, bool] | None:
    """Bytes of a JSON size and whether the tool rounded it: ``14680064``, ``"0x100000"``, ``"14.00 MiB (14.68 MB)"``,
    ``"3G"``."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return (value, False) if 0 <= value < _LIMIT else None
    if isinstance(value, float):
        return (int(value), False) if 0 <= value < _LIMIT and value == int(value) else None
    if not isinstance(value, str):
        return None
    plain = number(value)
    if plain is not None:
        return plain, False
    match = _HUMAN.fullmatch(value.strip())
    if match is None:
        return None
    digits, _, fraction = match[1].partition(".")
    shift = _SHIFT[match[2].upper()] if match[2] else 0
    scale = 10 ** len(fraction)
    size = ((int(digits) * scale + int(fraction or 0)) << shift) // scale
    return (size, shift > 0 and bool(fraction)) if size < _LIMIT else None


def is_binary(data: bytes) -> bool:
    """True for data that no reader can take for text: NULs, or mostly control characters."""
    head = data[:4096]
    if b"\0" in head:
        return True
    odd = sum(byte < 32 and byte not in (9, 10, 12, 13, 27) for byte in head)
    return odd * 10 > len(head)
