"""``getopt_long`` of glibc: clusters, abbreviations, options behind operands, and its words."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sparsemem.tools.result import ToolExit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sparsemem.tools.result import Console

__all__ = ["LongOption", "getopt_long", "long_name"]


class LongOption(NamedTuple):
    """``takes``: "no", "required" or "optional" argument; ``key``: what is told of it, a letter where there is one."""

    name: str
    takes: str
    key: str


class _Reader:
    def __init__(
        self, program: str, argv: Sequence[str], short: str, longs: Sequence[LongOption], console: Console
    ) -> None:
        self.program = program
        self.queue = list(argv)
        self.short = short
        self.longs = longs
        self.console = console

    def wrong(self, words: str) -> ToolExit:
        self.console.err(f"{self.program}: {words}\n")
        self.console.err(f"Try '{self.program} --help' for more information.\n")
        return ToolExit(1)

    def find(self, name: str) -> LongOption:
        """An exact name, or the only one that begins so."""
        exact = next((each for each in self.longs if each.name == name), None)
        if exact is not None:
            return exact
        found = [each for each in self.longs if each.name.startswith(name)]
        if len(found) == 1:
            return found[0]
        if found:
            names = " ".join(f"'--{each.name}'" for each in found)
            raise self.wrong(f"option '--{name}' is ambiguous; possibilities: {names}")
        raise self.wrong(f"unrecognized option '--{name}'")

    def long(self, word: str) -> tuple[str, str | None]:
        name, equals, value = word[2:].partition("=")
        option = self.find(name)
        if equals and option.takes == "no":
            raise self.wrong(f"option '--{option.name}' doesn't allow an argument")
        if equals or option.takes != "required":
            return option.key, value if equals else None
        if not self.queue:
            raise self.wrong(f"option '--{option.name}' requires an argument")
        return option.key, self.queue.pop(0)

    def letter(self, word: str) -> tuple[str, str | None, str]:
        """The first letter of a cluster, its argument, and what is left of the cluster."""
        letter, rest = word[0], word[1:]
        at = self.short.find(letter)
        if letter in ":;" or at < 0:
            raise self.wrong(f"invalid option -- '{letter}'")
        if self.short[at + 1 : at + 2] != ":":
            return letter, None, rest
        if not rest and not self.queue:
            raise self.wrong(f"option requires an argument -- '{letter}'")
        return letter, rest or self.queue.pop(0), ""


def getopt_long(
    program: str, argv: Sequence[str], short: str, longs: Sequence[LongOption], console: Console,
    see: Callable[[str, str | None], None],
) -> list[str]:  # fmt: skip
    """Call ``see(key, argument)`` for each option, in order; the operands. Raises ToolExit(1) with glibc's words and util-linux's hint."""
    reader = _Reader(program, argv, short, longs, console)
    rest: list[str] = []
    while reader.queue:
        word = reader.queue.pop(0)
        if word == "--":
            return rest + reader.queue
        if word.startswith("--"):
            see(*reader.long(word))
        elif len(word) > 1 and word[0] == "-":
            word = word[1:]
            while word:
                key, value, word = reader.letter(word)
                see(key, value)
        else:
            rest.append(word)
    return rest


def long_name(longs: Sequence[LongOption], key: str) -> str:
    """``--enable`` of "e", ``-e`` where it has no long name."""
    found = next((each.name for each in longs if each.key == key), None)
    return f"--{found}" if found is not None else f"-{key}"
