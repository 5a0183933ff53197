"""``lib/kstrtox.c``: numbers and booleans as attributes are written. One newline at the end is allowed."""

from __future__ import annotations

from sparsemem.kernel.refusal import Refusal

__all__ = ["kstrtobool", "kstrtoint", "kstrtoull"]


def kstrtoull(text: str, function: str, base: int = 0) -> int:
    """An unsigned 64-bit number; base 0 knows 0x and a leading 0. Raises Refusal: EINVAL, ERANGE."""
    digits = text.removesuffix("\n").removeprefix("+").lower()
    if base in (0, 16) and digits.startswith("0x") and len(digits) > 2:
        digits, base = digits[2:], 16
    elif base == 0:
        base = 8 if digits.startswith("0") else 10
    allowed = "0123456789abcdef"[:base]
    if not digits or any(each not in allowed for each in digits):
        raise Refusal(22, function, "attribute-syntax")
    value = int(digits, base)
    if value >> 64:
        raise Refusal(34, function, "attribute-syntax")
    return value


def kstrtoint(text: str, function: str) -> int:
    """A signed 32-bit number. Raises Refusal: EINVAL, ERANGE."""
    sign = -1 if text.startswith("-") else 1
    value = sign * kstrtoull(text[1:] if sign < 0 else text, function)
    if not -(1 << 31) <= value < 1 << 31:
        raise Refusal(34, function, "attribute-syntax")
    return value


def kstrtobool(text: str, function: str, rule: str = "attribute-syntax") -> bool:
    """The first letter decides, or two of on and off. Raises Refusal(EINVAL)."""
    word = text[:2].lower()
    if word[:1] in ("1", "y", "t") or word == "on":
        return True
    if word[:1] in ("0", "n", "f") or word == "of":
        return False
    raise Refusal(22, function, rule)
