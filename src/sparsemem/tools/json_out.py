"""JSON text as json-c prints it with JSON_C_TO_STRING_PRETTY, and ndctl's numbers for people (util/json.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TypeAlias

    from sparsemem.tools.result import Console

    Json: TypeAlias = "Mapping[str, Json] | Sequence[Json] | str | int | bool | Raw"

__all__ = ["Raw", "display_array", "hex_value", "human_size", "no_devices", "pretty", "size_value"]

_ESCAPES = {8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r", 34: '\\"', 47: "\\/", 92: "\\\\"}
_ESCAPES.update({code: f"\\u{code:04x}" for code in range(32) if code not in _ESCAPES})
_COMPACT = 81
"""json-c 0.18 and 0.19, those of trixie and sid, write nothing into an empty array; 0.15 and 0.16 (bullseye, bookworm) a newline."""
_KIB, _MIB, _GIB, _TIB = 1 << 10, 1 << 20, 1 << 30, 1 << 40


class Raw:
    """Text that stands in the output as it is (json-c: a custom serializer)."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


def human_size(size: int) -> str:
    """A size in bytes as ``ndctl list -u`` prints it: ``"14.00 MiB (14.68 MB)"``; bare below 5000 KiB.

    Half a hundredth rounds up, as util/json.c does with integers.
    """
    size &= (1 << 64) - 1
    if size < 5000 * _KIB:
        return str(size)
    if size < 2 * _GIB:
        binary, decimal, prefix = _MIB, 10**6, "M"
    elif size < 2 * _TIB:
        binary, decimal, prefix = _GIB, 10**9, "G"
    else:
        binary, decimal, prefix = _TIB, 10**12, "T"
    iec = (size * 200 // binary + 1) // 2
    si = (size // (decimal // 200) + 1) // 2
    return f'"{iec // 100}.{iec % 100:02d} {prefix}iB ({si // 100}.{si % 100:02d} {prefix}B)"'


def size_value(size: int, *, human: bool) -> int | Raw:
    """``util_json_object_size``: bytes as a signed number of 64 bits, or for people."""
    return Raw(human_size(size)) if human else size - (1 << 64) if size >> 63 else size


def hex_value(value: int, *, human: bool) -> int | Raw:
    """``util_json_object_hex``: a number, or quoted hexadecimal for people (C's ``%#llx``: zero has no prefix)."""
    return Raw(f'"{value:#x}"' if value else '"0"') if human else value


def _scalar(value: Json) -> str:
    if isinstance(value, Raw):
        return value.text
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return '"' + value.translate(_ESCAPES) + '"'
    raise TypeError(value)


def _write(value: Json, depth: int, parts: list[str], compact: bool) -> None:
    if isinstance(value, (str, int, Raw)):
        parts.append(_scalar(value))
        return
    inner = "  " * (depth + 1)
    is_object = hasattr(value, "items")
    items = list(value.items()) if is_object else [(None, each) for each in value]  # type: ignore[union-attr]
    parts.append("{" if is_object else "[")
    if compact and not items:
        parts.append("}" if is_object else "]")
        return
    first = True
    for key, each in items:
        parts.append("\n" if first else ",\n")
        first = False
        parts.append(inner)
        if key is not None:
            parts.append(_scalar(key) + ":")
        _write(each, depth + 1, parts, compact)
    parts.append("\n" + "  " * depth)
    parts.append("}" if is_object else "]")


def pretty(value: Json, version: tuple[int, ...] = (76,)) -> str:
    """The text, without a newline at its end. ``version``: the ndctl that it is for; with 81 came json-c 0.18."""
    parts: list[str] = []
    _write(value, 0, parts, version[0] >= _COMPACT)
    return "".join(parts)


def display_array(array: Sequence[Json], *, human: bool, version: tuple[int, ...] = (76,)) -> str:
    """``util_display_json_array``: for people, one element is shown without its array, and none not at all."""
    if len(array) > 1 or not human:
        return pretty(array, version) + "\n"
    return pretty(array[0], version) + "\n" if array else ""


def no_devices(console: Console) -> None:
    """What is said before an empty array, since v73."""
    console.warning("no matching devices found\n")
