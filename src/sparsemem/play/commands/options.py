"""The options that each command takes here, and reading them as getopt does. Any other is refused by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sparsemem.errors import NotModelledError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["OPTIONS", "Options", "Read", "read_options"]


class Options(NamedTuple):
    """``flags`` take nothing, ``values`` take an argument; ``number``: -5 is -n 5; ``raw``: words are not options."""

    flags: str = ""
    values: str = ""
    number: bool = False
    raw: bool = False


class Read(NamedTuple):
    """``flags``: the letters given; ``values``: letter to its arguments, in order; ``rest``: the operands."""

    flags: frozenset[str]
    values: dict[str, list[str]]
    rest: list[str]

    def value(self, letter: str, default: str = "") -> str:
        """The last one given."""
        return self.values[letter][-1] if letter in self.values else default


_RAW = Options(raw=True)

OPTIONS: dict[str, Options] = {
    ":": _RAW, "[": _RAW, "basename": Options(), "break": Options(), "cat": Options("n"), "cd": Options("LP"), "cmp": Options("s"),
    "continue": Options(), "cp": Options(), "cut": Options("s", "cdf"), "dd": Options(), "df": Options(),
    "dirname": Options(), "dmesg": Options("c"), "echo": _RAW, "exit": Options(), "export": Options(), "false": _RAW, "find": _RAW,
    "grep": Options("EFHchilnoqsvwx", "ABCem"),
    "head": Options("q", "cn", number=True), "hexdump": Options("Cv", "ns"), "ls": Options("1Aadl"), "md5sum": Options(),
    "mkdir": Options("p"), "mkfs.ext4": Options("Fqv", "ELUbm"), "mkfs.xfs": Options("Kfq", "Lbdms"), "mount": Options("rw", "ot"),
    "printf": _RAW, "pwd": Options(), "read": Options("r"), "readlink": Options("f"), "rm": Options("fr"),
    "seq": Options("w", "s"), "sh": Options("", "c"), "sha256sum": Options(), "sleep": _RAW, "sort": Options("nru"), "sync": Options(),
    "tail": Options("q", "cn", number=True), "test": _RAW, "touch": Options(), "tr": Options("ds"), "true": _RAW, "umount": Options(),
    "uniq": Options("cdu"), "unset": Options(), "wc": Options("clmw"),
}  # fmt: skip
"""Each command of the shell and its tools."""


def read_options(name: str, words: Sequence[str]) -> Read:
    """Options may stand anywhere before ``--``. Raises NotModelledError for one that is not taken here."""
    spec = OPTIONS[name]
    if spec.raw:
        return Read(frozenset(), {}, list(words))
    flags: set[str] = set()
    values: dict[str, list[str]] = {}
    rest: list[str] = []
    queue = list(words)
    while queue:
        word = queue.pop(0)
        if word == "--":
            rest += queue
            break
        if len(word) < 2 or word[0] != "-":
            rest.append(word)
        elif spec.number and word[1:].isdecimal():
            values.setdefault("n", []).append(word[1:])
        else:
            _letters(name, spec, word, queue, flags, values)
    return Read(frozenset(flags), values, rest)


def _letters(
    name: str, spec: Options, word: str, queue: list[str], flags: set[str], values: dict[str, list[str]]
) -> None:
    letters = word[1:]
    while letters:
        letter, letters = letters[0], letters[1:]
        if letter in spec.flags:
            flags.add(letter)
        elif letter in spec.values:
            if not letters and not queue:
                raise NotModelledError(f"{name} {word} without its value is not implemented")
            values.setdefault(letter, []).append(letters or queue.pop(0))
            return
        else:
            raise NotModelledError(f"{name} {word} is not implemented")
