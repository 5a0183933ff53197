"""Commands that only make text: echo, printf, seq, basename, dirname; and true, false, sleep, sync."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sparsemem.errors import NotModelledError
from sparsemem.play.commands.options import read_options

if TYPE_CHECKING:
    from collections.abc import Callable

    from sparsemem.play.shell.run import Shell
    from sparsemem.play.shell.streams import Streams

__all__ = ["COMMANDS"]

_ESCAPES = {
    "n": "\n",
    "t": "\t",
    "r": "\r",
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "v": "\v",
    "\\": "\\",
    '"': '"',
    "'": "'",
    "e": "\x1b",
}
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{1,2}|0?[0-7]{1,3}|[ntrabfve\\\"'c])")
_DIRECTIVE = re.compile(r"%([-+ #0]*)(\*|\d*)(?:\.(\*|\d*))?(?:[lhjzt]*)([diouxXcsb%])|%")


def _unescaped(text: str) -> tuple[str, bool]:
    """Backslash escapes resolved; True when ``\\c`` says to stop there."""
    if "\\" not in text:
        return text, False
    parts: list[str] = []
    at = 0
    for found in _ESCAPE.finditer(text):
        parts.append(text[at : found.start()])
        at = found.end()
        word = found[1]
        if word == "c":
            return "".join(parts), True
        if word in _ESCAPES:
            parts.append(_ESCAPES[word])
        else:
            value = int(word[1:], 16) if word[0] == "x" else int(word, 8)
            parts.append(bytes([value & 0xFF]).decode("utf-8", "surrogateescape"))
    return "".join(parts) + text[at:], False


def _echo(sh: Shell, argv: list[str], io: Streams) -> int:
    words, end, escapes = argv[1:], "\n", False
    while words and re.fullmatch(r"-[neE]+", words[0]):
        for letter in words.pop(0)[1:]:
            if letter == "n":
                end = ""
            else:
                escapes = letter == "e"
    text = " ".join(words)
    if escapes:
        text, stopped = _unescaped(text)
        end = "" if stopped else end
    io.out.append(text + end)
    return 0


def _printf(sh: Shell, argv: list[str], io: Streams) -> int:
    if len(argv) < 2:
        raise NotModelledError("printf without a format is not implemented")
    form, left = argv[1], argv[2:]
    out: list[str] = []
    code = 0
    while True:
        before = len(left)
        at, stop = 0, False
        for found in _DIRECTIVE.finditer(form):
            text, stop = _unescaped(form[at : found.start()])
            out.append(text)
            at = found.end()
            if stop:
                break
            if found[0] == "%":
                sh.complain(io, f"sh: {form[found.start() :]}: invalid format")
                io.out.append("".join(out))
                return 1
            code |= _directive(sh, found, left, out, io)
        if not stop:
            text, stop = _unescaped(form[at:])
            out.append(text)
        if stop or not left or len(left) == before:
            break
    io.out.append("".join(out))
    return code


def _directive(sh: Shell, found: re.Match[str], left: list[str], out: list[str], io: Streams) -> int:
    flags, width, precision, kind = found.groups()
    if kind == "%":
        out.append("%")
        return 0
    width = (left.pop(0) if left else "0") if width == "*" else width
    precision = (left.pop(0) if left else "0") if precision == "*" else precision
    if not all(re.fullmatch(r"-?\d{0,5}", each) for each in (width, precision or "")):
        raise NotModelledError(f"printf of a width of {width} is not implemented")
    form = f"%{flags}{width}" + (f".{precision}" if precision is not None else "")
    word = left.pop(0) if left else ("" if kind in "scb" else "0")
    if kind in "sbc":
        text = _unescaped(word)[0] if kind == "b" else word[:1] if kind == "c" else word
        out.append((form + "s") % text)
        return 0
    try:
        number = ord(word[1]) if word[:1] in ("'", '"') and len(word) > 1 else int(word or "0", _base(word))
    except ValueError:
        io.out.append("".join(out))
        out.clear()
        io.err.append(f"sh: invalid number '{word}'\n")
        out.append((form + "d") % 0)
        return 1
    if kind in "ouxX" and number < 0:
        number += 1 << 64
    out.append((form + ("d" if kind in "iu" else kind)) % number)
    return 0


def _base(word: str) -> int:
    digits = word.lstrip("+-")
    return 8 if len(digits) > 1 and digits[0] == "0" and digits[1] not in "xX" else 0


def _seq(sh: Shell, argv: list[str], io: Streams) -> int:
    read = read_options("seq", argv[1:])
    try:
        numbers = [int(word) for word in read.rest]
    except ValueError:
        raise NotModelledError("seq takes whole numbers here") from None
    if not 1 <= len(numbers) <= 3:
        raise NotModelledError("seq takes one to three numbers")
    first, step, last = (
        (1, 1, numbers[0]) if len(numbers) == 1 else (numbers[0], 1, numbers[1]) if len(numbers) == 2 else numbers
    )
    if not step or (last - first) // step > 1_000_000:
        raise NotModelledError("a seq without an end")
    found = [str(each) for each in range(first, last + (1 if step > 0 else -1), step)]
    if "w" in read.flags and found:
        found = [each.zfill(max(map(len, found))) for each in found]
    if found:
        io.out.append(read.value("s", "\n").join(found) + "\n")
    return 0


def _basename(sh: Shell, argv: list[str], io: Streams) -> int:
    if not 2 <= len(argv) <= 3:
        raise NotModelledError("basename takes a path and a suffix")
    name = argv[1].rstrip("/").rpartition("/")[2] or "/"
    suffix = argv[2] if len(argv) == 3 else ""
    io.out.append((name.removesuffix(suffix) or name) + "\n")
    return 0


def _dirname(sh: Shell, argv: list[str], io: Streams) -> int:
    if len(argv) != 2:
        raise NotModelledError("dirname takes one path")
    path = argv[1].rstrip("/")
    head, slash, _ = path.rpartition("/")
    io.out.append(("/" if not path and argv[1] else (head.rstrip("/") or "/") if slash else ".") + "\n")
    return 0


COMMANDS: dict[str, Callable[[Shell, list[str], Streams], int]] = {
    ":": lambda sh, argv, io: 0,
    "basename": _basename,
    "dirname": _dirname,
    "echo": _echo,
    "false": lambda sh, argv, io: 1,
    "printf": _printf,
    "seq": _seq,
    "sleep": lambda sh, argv, io: 0,
    "sync": lambda sh, argv, io: 0,
    "true": lambda sh, argv, io: 0,
}
"""name -> function"""
