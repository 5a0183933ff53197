"""Command-line options as util/parse-options.c of ndctl reads them: clusters, abbreviations, ``--no-``, and its words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from sparsemem.tools.result import ToolExit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sparsemem.tools.result import Console

__all__ = ["Option", "Values", "parse_options", "parse_size64", "parse_size_units", "usage_with_options"]

Values = dict[str, "str | int | bool | None"]
"""Option key -> what was given."""

ULLONG_MAX = (1 << 64) - 1
_UNITS = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_WIDTH, _GAP = 24, 2


class Option(NamedTuple):
    """``kind``: bool, incr, str or uint. ``key`` is where the value goes."""

    short: str
    long: str
    kind: str
    key: str
    argh: str
    help: str


def parse_size64(text: str | None) -> int:
    """Bytes of ``16M``; ULLONG_MAX where it is no size (util/size.c)."""
    return parse_size_units(text)[0]


def parse_size_units(text: str | None) -> tuple[int, int]:
    """``(bytes, unit)``; the unit is 1 where none is written."""
    if text is None:
        return 0, 1
    match = re.match(r"\s*([+-]?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)?", text)
    assert match is not None
    digits, end = match[2], match.end()
    if digits is None:
        value, end = 0, 0
    else:
        octal = digits[0] == "0" and digits[1:2] not in ("x", "X") and len(digits) > 1
        value = min(int(digits, 8 if octal else 0), ULLONG_MAX)
        if match[1] == "-" and value != ULLONG_MAX:
            value = -value & ULLONG_MAX
    if value == ULLONG_MAX:
        return value, 1
    check, unit, rest = value, 1, text[end:]
    if rest[:1].lower() in _UNITS and rest:
        unit = _UNITS[rest[0].lower()]
        value = value * unit & ULLONG_MAX
        rest = rest[1:]
    return (ULLONG_MAX if value < check or rest else value), unit


def _help_line(option: Option) -> str:
    head = f"    -{option.short}" if option.short else "        "
    if option.long:
        head += f", --{option.long}" if option.short else f"--{option.long}"
    if option.kind == "str":
        head += f" <{option.argh}>"
    elif option.kind == "uint":
        head += " <n>"
    pad = _WIDTH - len(head)
    if pad < 0:
        head += "\n"
        pad = _WIDTH
    return f"{head}{'':{pad + _GAP}}{option.help}\n"


def usage_with_options(console: Console, usage: str, options: Sequence[Option]) -> ToolExit:
    """Print the usage; raise what comes back (exit 129)."""
    console.err(f"\n usage: {usage}\n\n" + "".join(map(_help_line, options)) + "\n")
    return ToolExit(129)


class _Parser:
    def __init__(self, argv: Sequence[str], options: Sequence[Option], usage: str, console: Console) -> None:
        self.left = list(argv)
        self.options = options
        self.usage = usage
        self.console = console
        self.values: Values = {}
        self.rest: list[str] = []

    def fail(self, words: str, option: Option | None = None, word: str = "") -> ToolExit:
        """parse_options_usage(): the usage line and one option, for a long word the first whose name it starts with."""
        for each in self.options if word else ():
            if word.startswith(each.long) or (word.startswith("no-") and word[3:].startswith(each.long)):
                option = each
                break
        self.console.error(words)
        self.console.err(f"\n usage: {self.usage}\n\n" + (_help_line(option) if option else ""))
        return ToolExit(129)

    def unknown(self, words: str) -> ToolExit:
        self.console.error(words)
        return usage_with_options(self.console, self.usage, self.options)

    def value(self, option: Option, given: str | None, word: str = "", *, unset: bool = False) -> None:
        """``get_value``; ``word`` is the long word, "" for a letter."""
        if not word:
            name = f"switch `{option.short}'"
        else:
            name = f"option `{'no-' if unset else ''}{option.long}'"
        takes = option.kind in ("str", "uint") and not unset
        if given is not None and not takes:
            raise self.fail(f"{name} takes no value", option if not word else None, word)
        if option.kind == "bool":
            self.values[option.key] = not unset
        elif option.kind == "incr":
            self.values[option.key] = 0 if unset else int(self.values.get(option.key) or 0) + 1
        elif unset:
            self.values[option.key] = None if option.kind == "str" else 0
        elif given is None and not self.left:
            raise self.fail(f"{name} requires a value", option if not word else None, word)
        else:
            self._text(option, self.left.pop(0) if given is None else given, name, word)

    def _text(self, option: Option, given: str, name: str, word: str) -> None:
        if option.kind == "str":
            self.values[option.key] = given
            return
        match = re.fullmatch(r"\s*([+-]?\d+)?", given)
        if match is None or (match[1] is None and given):
            raise self.fail(f"{name} expects a numerical value", option if not word else None, word)
        self.values[option.key] = max(-(1 << 63), min(int(match[1] or 0), (1 << 63) - 1)) & 0xFFFFFFFF

    def short(self, arg: str) -> None:
        body = arg[1:]
        first = True
        while body:
            if body[0] == "h":
                raise usage_with_options(self.console, self.usage, self.options)
            option = next((each for each in self.options if each.short == body[0]), None)
            if option is None:
                raise self.unknown(f"unknown switch `{body[0]}'")
            takes = option.kind in ("str", "uint")
            self.value(option, (body[1:] or None) if takes else None)
            body = "" if takes else body[1:]
            if first and body:
                self.typos(arg[1:])
            first = False

    def typos(self, arg: str) -> None:
        if len(arg) >= 3 and (arg.startswith("no-") or any(each.long.startswith(arg) for each in self.options)):
            self.console.error(f"did you mean `--{arg}` (with two dashes ?)")
            raise ToolExit(129)

    def _match(self, option: Option, arg: str) -> tuple[str, str | None, bool]:
        """How a word fits an option: "" not, "whole" or "start"; the value behind "=", and whether it is negated."""
        name, equals, given = arg.partition("=")
        long, unset = option.long, False
        rest = arg[len(long) :] if arg.startswith(long) else None
        if rest is None:
            if long.startswith("no-"):
                unset = True
                if arg.startswith(long[3:]):
                    rest = arg[len(long) - 3 :]
                elif long[3:].startswith(arg):
                    return "start", None, True
                else:
                    unset = False
            if rest is None and long.startswith(name):
                return "start", given if equals else None, False
            if rest is None and "no-".startswith(arg):
                return "start", None, True
            if rest is None:
                if not arg.startswith("no-"):
                    return "", None, False
                unset = True
                if arg[3:].startswith(long):
                    rest = arg[3 + len(long) :]
                else:
                    return ("start", None, True) if long.startswith(arg[3:]) else ("", None, False)
        if rest and rest[0] != "=":
            return "", None, False
        return "whole", rest[1:] if rest else None, unset

    def long(self, arg: str) -> None:
        """``parse_long_opt``: a whole name, or the start of just one."""
        found: list[tuple[Option, bool]] = []
        value: str | None = None
        for option in self.options:
            how, given, unset = self._match(option, arg)
            if how == "whole":
                return self.value(option, given if given is not None else value, arg, unset=unset)
            if how == "start":
                found.append((option, unset))
                value = given if given is not None else value
        if len(found) > 1:
            (a, not_a), (b, not_b) = found[-2:]
            text = f"Ambiguous option: {arg} (could be --{'no-' * not_a}{a.long} or --{'no-' * not_b}{b.long})"
            raise self.fail(text, None, arg)
        if not found:
            raise self.unknown(f"unknown option `{arg}'")
        return self.value(found[0][0], value, arg, unset=found[0][1])

    def run(self) -> None:
        while self.left:
            arg = self.left.pop(0)
            if arg == "--":
                self.rest += self.left
                return
            if not arg.startswith("-") or len(arg) == 1:
                self.rest.append(arg)
            elif not arg.startswith("--"):
                self.short(arg)
            elif arg in ("--help", "--help-all"):
                raise usage_with_options(self.console, self.usage, self.options)
            elif arg == "--list-opts":
                self.console.out("".join(f"--{option.long} " for option in self.options))
                raise ToolExit(130)
            elif arg == "--list-cmds":
                raise ToolExit(130)
            else:
                self.long(arg[2:])


def parse_options(
    argv: Sequence[str], options: Sequence[Option], usage: str, console: Console
) -> tuple[Values, list[str]]:
    """``(values by key, what is left over)``. Raises ToolExit(129) after the words that ndctl prints."""
    parser = _Parser(argv, options, usage, console)
    parser.run()
    return parser.values, parser.rest
