"""Binary sizes: read what people type, print what people read."""

from __future__ import annotations

import re

from sparsemem.errors import UsageError

__all__ = ["GIB", "KIB", "MIB", "PIB", "TIB", "format_size", "parse_size"]

KIB, MIB, GIB, TIB, PIB = (1 << shift for shift in (10, 20, 30, 40, 50))
_FACTORS = {"": 1, "K": KIB, "M": MIB, "G": GIB, "T": TIB, "P": PIB}
_SIZE = re.compile(r"(0x[0-9a-fA-F]{1,16}|\d{1,20})\s*(?:([KMGTPkmgtp])(?:i?[Bb])?)?\Z")


def parse_size(text: str) -> int:
    """Bytes of ``512M``, ``24GiB``, ``0x8000000`` or ``4096``. Units are binary. Raises UsageError."""
    match = _SIZE.match(text.strip())
    if match is None:
        raise UsageError(
            f"not a size: {text!r}",
            remedy="write a whole number with an optional binary unit K, M, G or T, for example 128M",
        )
    return int(match[1], 0 if match[1].startswith("0x") else 10) * _FACTORS[(match[2] or "").upper()]


def format_size(size: int) -> str:
    """``128 MiB``; two decimals where the unit does not divide the size (``126.50 MiB``), plain bytes below 1 KiB."""
    for unit, factor in (("PiB", PIB), ("TiB", TIB), ("GiB", GIB), ("MiB", MIB), ("KiB", KIB)):
        if abs(size) >= factor:
            return f"{size // factor} {unit}" if size % factor == 0 else f"{size / factor:.2f} {unit}"
    return f"{size} bytes"
