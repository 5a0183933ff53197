"""Commands on bytes: md5sum, sha256sum, hexdump, cmp and dd."""

from __future__ import annotations

import hashlib
import os
import re
from typing import TYPE_CHECKING

from sparsemem.errors import NotModelledError
from sparsemem.play.commands.options import read_options
from sparsemem.play.files import FileError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sparsemem.play.shell.run import Shell
    from sparsemem.play.shell.streams import Streams

__all__ = ["COMMANDS", "check_dd"]

_UNITS = {
    "": 1,
    "c": 1,
    "w": 2,
    "b": 512,
    "k": 1 << 10,
    "K": 1 << 10,
    "kB": 1000,
    "M": 1 << 20,
    "MB": 10**6,
    "G": 1 << 30,
}


def _bytes(sh: Shell, path: str, io: Streams) -> bytes:
    text = io.stdin.rest() if path == "-" else sh.files.read(sh.path(path))
    return text.encode("utf-8", "surrogateescape")


def _sum(sh: Shell, argv: list[str], io: Streams) -> int:
    code = 0
    make = hashlib.md5 if argv[0] == "md5sum" else hashlib.sha256
    for path in read_options(argv[0], argv[1:]).rest or ["-"]:
        try:
            data = _bytes(sh, path, io)
        except FileError as error:
            code = sh.complain(io, f"{argv[0]}: can't open '{path}': {os.strerror(error.number)}", error.number)
            continue
        io.out.append(f"{make(data).hexdigest()}  {path}\n")
    return code


def _hexdump(sh: Shell, argv: list[str], io: Streams) -> int:
    read = read_options("hexdump", argv[1:])
    parts, code = [], 0
    for path in read.rest or ["-"]:
        try:
            parts.append(_bytes(sh, path, io))
        except FileError as error:
            code = sh.complain(io, f"hexdump: {path}: {os.strerror(error.number)}", error.number)
    data = b"".join(parts)
    skip = _size("hexdump", read.value("s", "0"))
    data = data[skip:]
    if "n" in read.values:
        data = data[: _size("hexdump", read.value("n"))]
    if data:
        io.out.append(_dumped(data, skip, canonical="C" in read.flags, verbose="v" in read.flags))
    return code


def _dumped(data: bytes, start: int, *, canonical: bool, verbose: bool) -> str:
    lines: list[str] = []
    before, starred = None, False
    width = 8 if canonical else 7
    for at in range(0, len(data), 16):
        row = data[at : at + 16]
        if row == before and len(row) == 16 and not verbose:
            if not starred:
                lines.append("*")
            starred = True
            continue
        before, starred = row, False
        place = f"{start + at:0{width}x}"
        lines.append(f"{place}  {_canonical(row)}" if canonical else f"{place} {_words(row)}")
    lines.append(f"{start + len(data):0{width}x}")
    return "".join(f"{line}\n" for line in lines)


def _canonical(row: bytes) -> str:
    cells = [f"{byte:02x}" for byte in row] + ["  "] * (16 - len(row))
    text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
    return f"{' '.join(cells[:8])}  {' '.join(cells[8:])}  |{text}|"


def _words(row: bytes) -> str:
    pairs = [row[n : n + 2].ljust(2, b"\0") for n in range(0, len(row), 2)]
    return " ".join([*(f"{pair[1]:02x}{pair[0]:02x}" for pair in pairs), *["    "] * (8 - len(pairs))])


def _cmp(sh: Shell, argv: list[str], io: Streams) -> int:
    read = read_options("cmp", argv[1:])
    if len(read.rest) != 2:
        raise NotModelledError("cmp takes two files")
    a_name, b_name = read.rest
    try:
        a, b = _bytes(sh, a_name, io), _bytes(sh, b_name, io)
    except FileError as error:
        return sh.complain(io, f"cmp: {error.path}: {os.strerror(error.number)}", error.number, 2)
    for index, (left, right) in enumerate(zip(a, b, strict=False)):
        if left != right:
            if "s" not in read.flags:
                io.out.append(f"{a_name} {b_name} differ: char {index + 1}, line {a.count(10, 0, index) + 1}\n")
            return 1
    if len(a) != len(b):
        if "s" not in read.flags:
            sh.complain(io, f"cmp: EOF on {a_name if len(a) < len(b) else b_name}")
        return 1
    return 0


def _size(name: str, text: str) -> int:
    found = re.fullmatch(r"(0x[0-9a-fA-F]+|\d+)([a-zA-Z]*)", text)
    if found is None or found[2] not in _UNITS:
        raise NotModelledError(f"{name}: {text} is not a number that is known here")
    return int(found[1], 0 if found[1][:2] == "0x" else 10) * _UNITS[found[2]]


_DD = ("bs", "conv", "count", "if", "of", "oflag", "iflag", "seek", "skip", "status")


def check_dd(words: list[str]) -> dict[str, str]:
    """The operands of dd by name. Raises NotModelledError for one that is not taken here."""
    given: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or key not in _DD:
            raise NotModelledError(f"dd {word} is not implemented", remedy="known are " + ", ".join(_DD))
        given[key] = value
    for key, known in (
        ("conv", ("notrunc", "fsync")),
        ("oflag", ("direct", "sync")),
        ("iflag", ("direct",)),
        ("status", ("none", "noxfer")),
    ):
        for word in given.get(key, "").split(","):
            if word and word not in known:
                raise NotModelledError(f"dd {key}={word} is not implemented")
    return given


def _dd(sh: Shell, argv: list[str], io: Streams) -> int:
    given = check_dd(argv[1:])
    sizes = {key: _size("dd", given[key]) for key in ("bs", "count", "seek", "skip") if key in given}
    block = sizes.get("bs", 512)
    wanted = sizes["count"] * block if "count" in sizes else None
    if given.get("if") == "/dev/zero" and wanted is None:
        wanted = _room(sh, given.get("of", ""), sizes.get("seek", 0) * block)
    try:
        data = _dd_read(sh, given, sizes.get("skip", 0) * block, wanted, io)
    except FileError as error:
        return sh.complain(io, f"dd: can't open '{given['if']}': {os.strerror(error.number)}", error.number)
    return _dd_write(sh, given, data, block, sizes.get("seek", 0) * block, io)


def _room(sh: Shell, word: str, offset: int) -> int:
    """Reading zeroes without a count goes on until the device is full."""
    path = sh.path(word)
    if not sh.files.is_block_device(path):
        raise NotModelledError("dd of /dev/zero without count= is for block devices")
    return sh.files.size(path) - offset + 1


def _dd_read(sh: Shell, given: dict[str, str], skip: int, wanted: int | None, io: Streams) -> bytes:
    if "if" not in given:
        data = io.stdin.rest().encode("utf-8", "surrogateescape")[skip:]
        return data if wanted is None else data[:wanted]
    return sh.files.pread(sh.path(given["if"]), skip, wanted)


def _dd_write(sh: Shell, given: dict[str, str], data: bytes, block: int, seek: int, io: Streams) -> int:
    code, written = 0, data
    if "of" not in given:
        io.out.append(data.decode("utf-8", "surrogateescape"))
    else:
        path = sh.path(given["of"])
        try:
            sh.files.check_open(path)
            if not sh.files.is_block_device(path):
                if "conv" not in given or "notrunc" not in given["conv"]:
                    sh.files.cut(path, seek)
            else:
                room = max(sh.files.size(path) - seek, 0)
                written = data[:room]
            if written:
                sh.files.pwrite(path, seek, written)
            if len(written) < len(data):
                code = sh.complain(io, f"dd: error writing '{given['of']}': {os.strerror(28)}", 28)
        except FileError as error:
            verb = "can't open" if error.refusal is None else "error writing"
            return sh.complain(io, f"dd: {verb} '{given['of']}': {os.strerror(error.number)}", error.number)
    if given.get("status") != "none":
        into, out = divmod(len(data), block), divmod(len(written), block)
        sh.complain(io, f"{into[0]}+{int(into[1] > 0)} records in\n{out[0]}+{int(out[1] > 0)} records out")
    return code


COMMANDS: dict[str, Callable[[Shell, list[str], Streams], int]] = {
    "cmp": _cmp,
    "dd": _dd,
    "hexdump": _hexdump,
    "md5sum": _sum,
    "sha256sum": _sum,
}
"""name -> function"""
