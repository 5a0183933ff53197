"""Commands that read lines and print some: head, tail, wc, sort, uniq, cut, tr."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from sparsemem.errors import NotModelledError
from sparsemem.play.commands.options import read_options
from sparsemem.play.files import FileError
from sparsemem.play.shell.streams import lines_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sparsemem.play.commands.options import Read
    from sparsemem.play.shell.run import Shell
    from sparsemem.play.shell.streams import Streams

__all__ = ["COMMANDS"]


def _inputs(sh: Shell, name: str, paths: list[str], io: Streams, failed: list[int]) -> Iterator[tuple[str, str]]:
    """``(path, text)`` of each file, or of standard input; what cannot be read is said and counted."""
    for path in paths or ["-"]:
        try:
            yield path, io.stdin.rest() if path == "-" else sh.files.read(sh.path(path))
        except FileError as error:
            words = "read error: Is a directory" if error.number == 21 and name not in ("head", "tail") else None
            said = words or f"{path}: {os.strerror(error.number)}"
            failed.append(sh.complain(io, f"{name}: {said}", error.number))


def _number(name: str, text: str) -> int:
    if not re.fullmatch(r"[-+]?\d+", text):
        raise NotModelledError(f"{name} of {text} is not implemented", remedy="give a number")
    return int(text)


def _head(sh: Shell, argv: list[str], io: Streams) -> int:
    read = read_options("head", argv[1:])
    return _ends(sh, "head", read, io)


def _tail(sh: Shell, argv: list[str], io: Streams) -> int:
    read = read_options("tail", argv[1:])
    return _ends(sh, "tail", read, io)


def _ends(sh: Shell, name: str, read: Read, io: Streams) -> int:
    unit = "c" if "c" in read.values else "n"
    text = read.value(unit, "10")
    count = _number(name, text)
    failed: list[int] = []
    title = len(read.rest) > 1 and "q" not in read.flags
    first = True
    for path, content in _inputs(sh, name, read.rest, io, failed):
        if title:
            io.out.append(f"{'' if first else chr(10)}==> {path} <==\n")
            first = False
        if unit == "c":
            data = content.encode("utf-8", "surrogateescape")
            cut = _cut(len(data), count, text, name)
            io.out.append(data[cut].decode("utf-8", "surrogateescape"))
            continue
        parts = [f"{line}\n" for line in lines_of(content)]
        if parts and not content.endswith("\n"):
            parts[-1] = parts[-1][:-1]
        io.out.append("".join(parts[_cut(len(parts), count, text, name)]))
    return 1 if failed else 0


def _cut(length: int, count: int, text: str, name: str) -> slice:
    if name == "head":
        return slice(0, max(length + count, 0)) if count < 0 else slice(0, count)
    if text.startswith("+"):
        return slice(max(count - 1, 0), None)
    return slice(max(length - abs(count), 0), None)


def _wc(sh: Shell, argv: list[str], io: Streams) -> int:
    read = read_options("wc", argv[1:])
    wanted = [letter for letter in "lwmc" if letter in read.flags] or ["l", "w", "c"]
    failed: list[int] = []
    totals = [0] * len(wanted)
    for path, text in _inputs(sh, "wc", read.rest, io, failed):
        data = text.encode("utf-8", "surrogateescape")
        counts = {"l": data.count(b"\n"), "w": len(data.split()), "m": len(data), "c": len(data)}
        numbers = [counts[letter] for letter in wanted]
        totals = [a + b for a, b in zip(totals, numbers, strict=True)]
        io.out.append(_counts(numbers, path if read.rest else "", wide=len(read.rest) > 1))
    if len(read.rest) > 1:
        io.out.append(_counts(totals, "total", wide=True))
    return 1 if failed else 0


def _counts(numbers: list[int], name: str, *, wide: bool) -> str:
    text = str(numbers[0]) if len(numbers) == 1 and not wide else " ".join(f"{number:9}" for number in numbers)
    return text + (f" {name}" if name else "") + "\n"


def _sort(sh: Shell, argv: list[str], io: Streams) -> int:
    read = read_options("sort", argv[1:])
    failed: list[int] = []
    lines = [line for _, text in _inputs(sh, "sort", read.rest, io, failed) for line in lines_of(text)]
    if failed:
        return 1

    def number(line: str) -> float:
        found = re.match(r"\s*-?\d*\.?\d*", line)
        assert found is not None
        try:
            return float(found[0])
        except ValueError:
            return 0.0

    lines.sort(reverse="r" in read.flags)
    if "n" in read.flags:
        lines.sort(key=number, reverse="r" in read.flags)
    if "u" in read.flags:
        key: Callable[[str], object] = number if "n" in read.flags else str
        lines = [line for index, line in enumerate(lines) if not index or key(line) != key(lines[index - 1])]
    io.out.append("".join(f"{line}\n" for line in lines))
    return 0


def _uniq(sh: Shell, argv: list[str], io: Streams) -> int:
    read = read_options("uniq", argv[1:])
    if len(read.rest) > 1:
        raise NotModelledError("uniq with an output file is not implemented")
    failed: list[int] = []
    groups: list[tuple[str, int]] = []
    for _, text in _inputs(sh, "uniq", read.rest, io, failed):
        for line in lines_of(text):
            if groups and groups[-1][0] == line:
                groups[-1] = (line, groups[-1][1] + 1)
            else:
                groups.append((line, 1))
    for line, count in groups:
        if ("d" in read.flags and count == 1) or ("u" in read.flags and count > 1):
            continue
        io.out.append(f"{count:7} {line}\n" if "c" in read.flags else f"{line}\n")
    return 1 if failed else 0


def _cut_command(sh: Shell, argv: list[str], io: Streams) -> int:
    read = read_options("cut", argv[1:])
    by = next((letter for letter in "cf" if letter in read.values), None)
    if by is None:
        raise NotModelledError("cut takes -c or -f")
    places = _places(read.value(by))
    delimiter = read.value("d", "\t")
    failed: list[int] = []
    for _, text in _inputs(sh, "cut", read.rest, io, failed):
        for line in lines_of(text):
            if by == "c":
                io.out.append("".join(c for n, c in enumerate(line, 1) if _in(places, n)) + "\n")
            elif delimiter not in line:
                if "s" not in read.flags:
                    io.out.append(line + "\n")
            else:
                kept = [field for n, field in enumerate(line.split(delimiter), 1) if _in(places, n)]
                io.out.append(delimiter.join(kept) + "\n")
    return 1 if failed else 0


def _places(text: str) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for part in text.split(","):
        match = re.fullmatch(r"(\d*)(-?)(\d*)", part)
        if match is None or not part.strip("-"):
            raise NotModelledError(f"cut of {text} is not implemented")
        first = int(match[1] or 1)
        found.append((first, int(match[3] or 1 << 30) if match[2] else first))
    return found


def _in(places: list[tuple[int, int]], number: int) -> bool:
    return any(first <= number <= last for first, last in places)


def _tr(sh: Shell, argv: list[str], io: Streams) -> int:
    read = read_options("tr", argv[1:])
    if len(read.rest) != (1 if read.flags else 2):
        raise NotModelledError("tr takes two sets, or one with -d or -s")
    sets = [_letters(word) for word in read.rest]
    text = io.stdin.rest()
    if "d" in read.flags:
        text = "".join(c for c in text if c not in sets[0])
    elif "s" in read.flags:
        text = "".join(c for n, c in enumerate(text) if not n or c != text[n - 1] or c not in sets[0])
    else:
        longer = sets[1] + sets[1][-1:] * (len(sets[0]) - len(sets[1]))
        text = text.translate(dict(zip(map(ord, sets[0]), longer, strict=False)))
    io.out.append(text)
    return 0


def _byte(code: int) -> str:
    return bytes((code,)).decode("utf-8", "surrogateescape")


def _letters(word: str) -> str:
    classes = {
        "[:upper:]": "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        "[:lower:]": "abcdefghijklmnopqrstuvwxyz",
        "[:digit:]": "0123456789",
    }
    classes["[:space:]"] = " \t\n\r\f\v"
    for name, letters in classes.items():
        word = word.replace(name, letters)
    word = word.replace("\\n", "\n").replace("\\t", "\t")
    word = re.sub(r"\\([0-7]{1,3})", lambda octal: _byte(int(octal[1], 8) & 0xFF), word)
    return re.sub(
        r"(.)-(.)", lambda found: "".join(map(chr, range(ord(found[1]), ord(found[2]) + 1))), word, flags=re.DOTALL
    )


COMMANDS: dict[str, Callable[[Shell, list[str], Streams], int]] = {
    "cut": _cut_command,
    "head": _head,
    "sort": _sort,
    "tail": _tail,
    "tr": _tr,
    "uniq": _uniq,
    "wc": _wc,
}
"""name -> function"""
