"""grep, with the options that people use."""

from __future__ import annotations

import os
import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from sparsemem.errors import NotModelledError
from sparsemem.play.commands.options import read_options
from sparsemem.play.files import FileError
from sparsemem.play.shell.streams import lines_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from sparsemem.play.shell.run import Shell
    from sparsemem.play.shell.streams import Streams

__all__ = ["COMMANDS", "posix_pattern"]

_CLASSES = {
    "alnum": "0-9A-Za-z", "alpha": "A-Za-z", "blank": " \\t", "digit": "0-9", "lower": "a-z", "print": " -~",
    "punct": "!-/:-@\\[-`{-~", "space": "\\s", "upper": "A-Z", "xdigit": "0-9A-Fa-f",
}  # fmt: skip


class _Asked(NamedTuple):
    patterns: list[re.Pattern[str]]
    flags: frozenset[str]
    before: int
    after: int
    most: int
    names: bool


@lru_cache(maxsize=256)
def posix_pattern(text: str, *, extended: bool) -> str:
    """A POSIX regular expression as Python's. Raises NotModelledError for back-references."""
    out: list[str] = []
    at = 0
    while at < len(text):
        char = text[at]
        if char == "[":
            end = at + 1
            end += text[end : end + 1] == "^"
            end += text[end : end + 1] == "]"
            while end < len(text) and text[end] != "]":
                end = text.find(":]", end) + 2 if text.startswith("[:", end) and text.find(":]", end) > 0 else end + 1
            if end >= len(text):
                raise re.error("unterminated bracket")
            body = (
                text[at + 1 : end]
                .replace("\\", "\\\\")
                .replace("&&", "&\\&")
                .replace("||", "|\\|")
                .replace("--", "-\\-")
                .replace("~~", "~\\~")
            )
            negated = body.startswith("^")
            body = body[1:] if negated else body
            body = "\\]" + body[1:] if body.startswith("]") else body
            body = (
                re.sub(r"\[:(\w+):\]", lambda found: _CLASSES[found[1]], body).replace("[", "\\[")
                if "[:" in body
                else body.replace("[", "\\[")
            )
            out.append(f"[{'^' if negated else ''}{body}]")
            at = end + 1
            continue
        if char == "\\" and at + 1 < len(text):
            after = text[at + 1]
            at += 2
            if after.isdecimal():
                raise NotModelledError("back-references of grep are not implemented")
            if not extended and after in "(){}|+?":
                out.append(after)
            elif after in "<>":
                out.append("\\b")
            elif after in "wWsSbB":
                out.append("\\" + after)
            else:
                out.append(re.escape(after))
            continue
        at += 1
        if (not extended and char in "(){}|+?") or (char == "*" and (not out or out[-1] in ("^", "(", "|"))):
            out.append("\\" + char)
        elif char == "{" and extended and not re.match(r"\d*,?\d*\}", text[at:]):
            out.append("\\{")
        elif char == "^" and not extended and out and out[-1] not in ("(", "|"):
            out.append("\\^")
        elif char == "$" and not extended and at < len(text) and not text.startswith(("\\)", "\\|"), at):
            out.append("\\$")
        else:
            out.append(char)
    return "".join(out)


def _grep(sh: Shell, argv: list[str], io: Streams) -> int:
    read = read_options("grep", argv[1:])
    rest = list(read.rest)
    given = list(read.values.get("e", []))
    if not given:
        if not rest:
            raise NotModelledError("grep without a pattern is not implemented")
        given = [rest.pop(0)]
    texts = [line for each in given for line in each.split("\n")]
    try:
        patterns = [_compiled(text, read.flags) for text in texts]
    except (re.error, KeyError):
        return sh.complain(io, f"grep: bad regex '{given[0]}'", 22, 2)
    both = read.value("C", "0")
    numbers = [read.value("B", both), read.value("A", both), read.value("m", "-1")]
    if not all(re.fullmatch(r"-?\d+", each) for each in numbers):
        raise NotModelledError("grep -A, -B, -C and -m take a number")
    before, after, most = map(int, numbers)
    names = ("H" in read.flags or len(rest) > 1) and "h" not in read.flags
    asked = _Asked(patterns, read.flags, before, after, most, names)
    matched = failed = False
    state = _Printed()
    for path in rest or ["-"]:
        try:
            text = io.stdin.rest() if path == "-" else sh.files.read(sh.path(path))
        except FileError as error:
            failed = True
            if "s" not in read.flags:
                sh.complain(io, f"grep: {path}: {os.strerror(error.number)}", error.number)
            continue
        name = "(standard input)" if path == "-" else path
        if _one(text, name, asked, io.out.append, state):
            matched = True
            if "q" in read.flags:
                return 0
    return 2 if failed else 0 if matched else 1


class _Printed:
    """Has anything been printed with context before? Then a ``--`` stands between what is apart."""

    any = False


def _compiled(text: str, flags: frozenset[str]) -> re.Pattern[str]:
    pattern = re.escape(text) if "F" in flags else posix_pattern(text, extended="E" in flags)
    if "w" in flags:
        pattern = rf"(?<!\w)(?:{pattern})(?!\w)"
    if "x" in flags:
        pattern = rf"^(?:{pattern})$"
    return re.compile(pattern, re.IGNORECASE if "i" in flags else 0)


def _one(text: str, name: str, asked: _Asked, out: Callable[[str], None], printed: _Printed) -> bool:
    """Look through one text; does it match?"""
    flags, lines = asked.flags, lines_of(text)
    quiet = not {"q", "c", "l"}.isdisjoint(flags)
    count, left, last = 0, 0, -1
    for index, line in enumerate(lines):
        hit = any(pattern.search(line) for pattern in asked.patterns) != ("v" in flags)
        if hit and count != asked.most:
            count += 1
            if not quiet:
                first = max(index - asked.before, last + 1)
                if (asked.before or asked.after) and printed.any and (first > last + 1 or last < 0):
                    out("--\n")
                for at in range(first, index):
                    out(_shown(lines[at], name, at, "-", asked))
                _matching(line, name, index, asked, out)
                printed.any = True
                left, last = asked.after, index
        elif left and not quiet:
            out(_shown(line, name, index, "-", asked))
            left, last = left - 1, index
        if count == asked.most and not left:
            break
    if "l" in flags and count:
        out(f"{name}\n")
    elif "c" in flags:
        out(f"{name}:{count}\n" if asked.names else f"{count}\n")
    return count > 0


def _shown(line: str, name: str, index: int, mark: str, asked: _Asked) -> str:
    head = (f"{name}{mark}" if asked.names else "") + (f"{index + 1}{mark}" if "n" in asked.flags else "")
    return f"{head}{line}\n"


def _matching(line: str, name: str, index: int, asked: _Asked, out: Callable[[str], None]) -> None:
    if "o" not in asked.flags:
        out(_shown(line, name, index, ":", asked))
        return
    if "v" in asked.flags:
        return
    for pattern in asked.patterns:
        for found in pattern.finditer(line):
            if found[0]:
                out(_shown(found[0], name, index, ":", asked))


COMMANDS: dict[str, Callable[[Shell, list[str], Streams], int]] = {"grep": _grep}
"""name -> function"""
