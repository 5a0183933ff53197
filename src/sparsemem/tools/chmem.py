"""chmem of util-linux: memory blocks online and offline, by amount, address or number (sys-utils/chmem.c).

An amount is taken block by block from the low end to go online and from the high end to go offline; blocks that are in that state already,
of another zone, or refused by the kernel are passed over. A range is tried to its end. Exit code 0: all of it, 64: a part, 1: nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sparsemem.errors import NotModelledError
from sparsemem.machine.sysfs_error import SysfsError
from sparsemem.tools.getopt import LongOption, getopt_long
from sparsemem.tools.result import Console, ToolExit, ToolResult, strerror
from sparsemem.tools.util_linux import (
    DEFAULT,
    UINT64,
    Exclusive,
    die,
    human_size,
    parse_number,
    parse_size,
    release_text,
    try_help,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sparsemem.tools.tree import Tree

__all__ = ["ZONES", "main"]

MEMORY = "/sys/devices/system/memory"
SOME = 64
ZONES = ("DMA", "DMA32", "Normal", "Highmem", "Movable", "Device")
_LONGS = (
    LongOption("disable", "no", "d"), LongOption("enable", "no", "e"), LongOption("help", "no", "h"),
    LongOption("verbose", "no", "v"), LongOption("version", "no", "V"), LongOption("zone", "required", "z"),
)  # fmt: skip
_S390 = (
    LongOption("configure", "no", "c"), LongOption("deconfigure", "no", "g"), LongOption("memmap-on-memory", "required", "m"),
)  # fmt: skip
_S390_HELP = """\
 -c, --configure    configure range
 -g, --deconfigure  deconfigure range
 -m, --memmap-on-memory select memmap-on-memory
"""
_HELP = """
Usage:
 chmem [options] [SIZE|RANGE|BLOCKRANGE]

Set a particular size or range of memory online or offline.

Options:
 -e, --enable       enable memory
 -d, --disable      disable memory
 -b, --blocks       use memory blocks
 -z, --zone <name>  select memory zone (see below)
{more} -v, --verbose      verbose output
 -h, --help         display this help
 -V, --version      display version

Supported zones:
 DMA
 DMA32
 Normal
 Highmem
 Movable
 Device

For more details see chmem(8).
"""


class _Chmem:
    """One call. ``release``: of util-linux; what differs: ``--block`` is ``--blocks`` from 2.41 on (before, the help alone said so), and
    2.42 brought what s390 needs for memory that is not configured."""

    def __init__(self, tree: Tree, console: Console, release: tuple[int, ...]) -> None:
        self.tree = tree
        self.console = console
        self.configures = release >= (2, 42)
        self.longs: tuple[LongOption, ...] = (
            LongOption("blocks" if release >= (2, 41) else "block", "no", "b"),
            *_LONGS,
        )
        if self.configures:
            self.longs += _S390
        self.release = release
        self.command = ""
        self.blocks = self.verbose = False
        self.zone_word: str | None = None

    # -- arguments

    def run(self, argv: Sequence[str]) -> int:
        self._read_info()
        groups = ("degm", "cdeg") if self.configures else ("de",)
        exclusive = Exclusive("chmem", groups, self.longs, self.console)

        def see(key: str, value: str | None) -> None:
            exclusive.see(key)
            self._option(key, value)

        rest = getopt_long(
            "chmem", argv, "bcdeghm:vVz:" if self.configures else "bdehvVz:", self.longs, self.console, see
        )
        if len(rest) != 1 or not self.command:
            self.console.err("chmem: bad usage\n")
            raise try_help(self.console, "chmem")
        amount, first, last = self._parameter(rest[0])
        zone = self._zone()
        if self.command in "cg":
            verb, letter = ("configure", "e") if self.command == "c" else ("deconfigure", "d")
            self.console.out(f"Cannot {verb}. Use -{letter} instead.\n")
            return 1
        enable = self.command == "e"
        done, wanted = (
            (self._size(amount, enable, zone), amount)
            if amount is not None
            else (self._range(first, last, enable, zone), last - first + 1)
        )
        return 0 if done == wanted else SOME if done else 1

    def _option(self, key: str, value: str | None) -> None:
        if key in "decg":
            self.command = key
        elif key == "b":
            self.blocks = True
        elif key == "v":
            self.verbose = True
        elif key == "z":
            self.zone_word = value
        elif key == "h":
            self.console.out(_HELP.replace("{more}", _S390_HELP if self.configures else ""))
            raise ToolExit(0)
        elif key == "V":
            self.console.out(f"chmem from util-linux {release_text(self.release)}\n")
            raise ToolExit(0)

    def _read_info(self) -> None:
        names = [name for name in self.tree.listdir(MEMORY) if re.fullmatch(r"memory\d+", name)]
        if not names:
            raise self._die(f"Failed to read {MEMORY}: {strerror(0 if self.tree.exists(MEMORY) else 2)}")
        self.numbers = sorted(int(name[6:]) for name in names)
        self.block_size = int(self.tree.read(f"{MEMORY}/block_size_bytes"), 16)

    def _die(self, text: str) -> ToolExit:
        return die(self.console, "chmem", text)

    def _number(self, text: str, base: int, what: str) -> int:
        value = parse_number(text, base)
        if isinstance(value, str):
            raise self._die(f"Failed to parse {what}: '{text}'{value}")
        return value

    def _parameter(self, text: str) -> tuple[int | None, int, int]:
        """Blocks to count off (None: not asked for), or the first and the last block."""
        parts = [part for part in text.split("-") if part]
        if len(parts) > 2 or (not parts and self.configures):
            raise self._die(f"Invalid parameter: {text}")
        if not parts:
            raise NotModelledError(
                f"chmem {release_text(self.release)} crashes on {text!r}", why="a known bug, gone in 2.42"
            )
        if len(parts) == 1 and not self.blocks:
            return self._amount(parts[0]), 0, 0
        if self.blocks:
            words = ("block number",) if len(parts) == 1 else ("start", "end")
            numbers = [self._number(part, 10, word) for part, word in zip(parts, words, strict=True)]
            first, last = numbers[0], numbers[-1]
        else:
            first, last = self._addresses(parts)
        if first > last:
            raise self._die(f"Invalid range: {text}")
        return None, first, last

    def _amount(self, text: str) -> int:
        size = parse_size(text)
        if isinstance(size, str):
            raise self._die(f"Failed to parse size: '{text}': {size}")
        if text[-1].isdigit():
            size = size << 20 & UINT64
        if size % self.block_size:
            raise self._die(f"Size must be aligned to memory block size ({human_size(self.block_size)})")
        return size // self.block_size

    def _addresses(self, parts: list[str]) -> tuple[int, int]:
        for part, word in zip(parts, ("start", "end"), strict=True):
            if part[1:2] != "x":
                raise self._die(f"Invalid {word} address format: {part}")
        first, last = (
            self._number(part, 16, f"{word} address") for part, word in zip(parts, ("start", "end"), strict=True)
        )
        if first % self.block_size or (last + 1) % self.block_size:
            raise self._die(
                f"Start address and (end address + 1) must be aligned to memory block size ({human_size(self.block_size)})"
            )
        return first // self.block_size, last // self.block_size

    def _zone(self) -> str | None:
        self.zones = self.tree.exists(f"{MEMORY}/memory0/valid_zones")
        if self.zone_word is None:
            return None
        if not self.zones:
            self.console.err("chmem: zone ignored, no valid_zones sysfs attribute present\n")
            return None
        found = next((zone for zone in ZONES if zone.lower() == self.zone_word.lower()), None)
        if found is None:
            self.console.err(f"chmem: unknown memory zone: {self.zone_word}\n")
            raise try_help(self.console, "chmem")
        return found

    # -- blocks

    def _read(self, number: int, name: str) -> str:
        try:
            return self.tree.read(f"{MEMORY}/memory{number}/{name}").rstrip("\n")
        except SysfsError:
            return ""

    def _word(self, number: int, enable: bool, zone: str | None) -> str | None:
        """What is written to its state; None where it is not of the zone."""
        if not enable and (zone is None or not self.zones):
            return "offline"
        valid = self._read(number, "valid_zones").lower() if self.zones else ""
        if zone is None:
            return "online_movable" if "movable" in valid else "online"
        if not (zone.lower() in valid if enable else valid.startswith(zone.lower())):
            return None
        if not enable:
            return "offline"
        return "online_movable" if zone == "Movable" else "online_kernel"

    def _is(self, number: int, enable: bool) -> bool:
        return self._read(number, "state")[:6] == ("online" if enable else "offlin")

    def _name(self, number: int) -> str:
        start = number * self.block_size
        return f"Memory Block {number} (0x{start:016x}-0x{start + self.block_size - 1:016x})"

    def _write(self, number: int, word: str) -> int:
        """0 or the errno."""
        try:
            self.tree.write(f"{MEMORY}/memory{number}/state", word)
        except SysfsError as error:
            return error.number
        return 0

    def _size(self, amount: int, enable: bool, zone: str | None) -> int:
        """How many blocks were changed."""
        left, verb = amount, "enable" if enable else "disable"
        for number in self.numbers if enable else reversed(self.numbers):
            if not left:
                break
            if self._is(number, enable) or (word := self._word(number, enable, zone)) is None:
                continue
            failed = self._write(number, word)
            left -= not failed
            if self.verbose:
                self.console.out(f"{self._name(number)} {verb}{' failed' if failed else 'd'}\n")
        if left:
            size = human_size((amount - left) * self.block_size)
            self.console.err(f"chmem: Could only {verb} {size} of memory\n")
        return amount - left

    def _range(self, first: int, last: int, enable: bool, zone: str | None) -> int:
        """How many blocks are as wanted."""
        done, verb = 0, "enable" if enable else "disable"
        for number in self.numbers:
            if not first <= number <= last:
                continue
            if self._is(number, enable):
                done += 1
                if self.verbose:
                    self.console.out(f"{self._name(number)} already {verb}d\n")
                continue
            word = self._word(number, enable, zone)
            if word is None:
                self.console.err(f"chmem: {self._name(number)} {verb} failed: Zone mismatch\n")
                continue
            failed = self._write(number, word)
            if failed:
                self.console.err(f"chmem: {self._name(number)} {verb} failed: {strerror(failed)}\n")
            elif self.verbose:
                self.console.out(f"{self._name(number)} {verb}d\n")
            done += not failed
        return done


def main(
    tree: Tree, argv: Sequence[str], console: Console | None = None, release: tuple[int, ...] = DEFAULT
) -> ToolResult:
    """``chmem ARGV...``, the words behind the tool's name, of that release of util-linux."""
    console = Console() if console is None else console
    try:
        code = _Chmem(tree, console, release).run(argv)
    except ToolExit as left:
        code = left.code
    return console.result(code)
