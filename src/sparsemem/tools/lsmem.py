"""lsmem of util-linux: memory blocks in one state and zone as ranges (sys-utils/lsmem.c of 2.38 to 2.40, tables of libsmartcols)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sparsemem.errors import NotModelledError
from sparsemem.machine.sysfs_error import SysfsError
from sparsemem.tools.getopt import LongOption, getopt_long
from sparsemem.tools.result import Console, ToolExit, ToolResult
from sparsemem.tools.util_linux import DEFAULT, Exclusive, die, human_size, release_text, try_help

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sparsemem.tools.tree import Tree

__all__ = ["main"]

MEMORY = "/sys/devices/system/memory"
_COLUMNS = ("RANGE", "SIZE", "STATE", "REMOVABLE", "BLOCK", "NODE", "ZONES")
_LEAST = {"SIZE": 5}
_ZONES = ("DMA", "DMA32", "Normal", "Highmem", "Movable", "Device", "None")
_LONGS = (
    LongOption("all", "no", "a"), LongOption("bytes", "no", "b"), LongOption("help", "no", "h"), LongOption("json", "no", "J"),
    LongOption("noheadings", "no", "n"), LongOption("output", "required", "o"), LongOption("output-all", "no", "output-all"),
    LongOption("pairs", "no", "P"), LongOption("raw", "no", "r"), LongOption("sysroot", "required", "s"),
    LongOption("split", "required", "S"), LongOption("version", "no", "V"), LongOption("summary", "optional", "summary"),
)  # fmt: skip
_HELP = """
Usage:
 lsmem [options]

List the ranges of available memory with their online status.

Options:
 -J, --json           use JSON output format
 -P, --pairs          use key="value" output format
 -a, --all            list each individual memory block
 -b, --bytes          print SIZE in bytes rather than in human readable format
 -n, --noheadings     don't print headings
 -o, --output <list>  output columns
     --output-all     output all columns
 -r, --raw            use raw output format
 -S, --split <list>   split ranges by specified columns
 -s, --sysroot <dir>  use the specified directory as system root
     --summary[=when] print summary information (never,always or only)

 -h, --help           display this help
 -V, --version        display version

Available output columns:
      RANGE  start and end address of the memory range
       SIZE  size of the memory range
      STATE  online status of the memory range
  REMOVABLE  memory is removable
      BLOCK  memory block number or blocks range
       NODE  numa node of memory
      ZONES  valid zones for the memory range

For more details see lsmem(1).
"""


@dataclass(frozen=True, slots=True)
class _Blocks:
    """``count`` blocks from ``index`` on."""

    index: int
    state: str
    removable: bool
    node: int
    zones: tuple[str, ...]
    count: int = 1


def _width(column: str, cells: list[str]) -> int:
    """Of the data; where that is narrower than the head, of the head, and otherwise at least what the column wants."""
    width = max(map(len, cells), default=0)
    return len(column) if width < len(column) else max(width, _LEAST.get(column, 0))


def _pad(cell: str, column: str, width: int) -> str:
    return f"{cell:<{width}}" if column == "RANGE" else f"{cell:>{width}}"


class _Lsmem:
    def __init__(self, tree: Tree, console: Console, release: tuple[int, ...]) -> None:
        self.tree = tree
        self.console = console
        self.release = release
        self.flags: set[str] = set()
        self.columns: list[str] = []
        self.output: str | None = None
        self.split: str | None = None
        self.summary = self.table = True

    def run(self, argv: Sequence[str]) -> int:
        exclusive = Exclusive("lsmem", ("JPr", "Sa"), _LONGS, self.console)

        def see(key: str, value: str | None) -> None:
            exclusive.see(key)
            self._option(key, value)

        if getopt_long("lsmem", argv, "abhJno:PrS:s:V", _LONGS, self.console, see):
            self.console.err("lsmem: bad usage\n")
            raise try_help(self.console, "lsmem")
        if not self.table and not self.summary:
            raise self._die("options --{raw,json,pairs} and --summary=only are mutually exclusive")
        if not self.tree.exists(MEMORY):
            raise self._die(f"cannot open {MEMORY}: No such file or directory")
        self._choose()
        by = self.columns if self.split is None else self._list(self.split, []) if self.split.lower() != "none" else []
        self._read(by)
        if self.table:
            self.console.out(self._print())
            if self.summary:
                self.console.out("\n")
        if self.summary:
            self._sum()
        return 0

    def _option(self, key: str, value: str | None) -> None:
        if key == "h":
            self.console.out(_HELP)
            raise ToolExit(0)
        if key == "V":
            self.console.out(f"lsmem from util-linux {release_text(self.release)}\n")
            raise ToolExit(0)
        if key == "o":
            self.output = value
        elif key == "output-all":
            self.columns = list(_COLUMNS)
        elif key == "S":
            self.split = value
        elif key == "s":
            raise NotModelledError("lsmem --sysroot is not modelled", remedy="give the tree as the scenario's machine")
        elif key == "summary" and value in (None, "only"):
            self.table = False
        elif key == "summary" and value not in ("never", "always"):
            raise self._die("unsupported --summary argument")
        elif key == "summary":
            self.summary = value == "always"
        else:
            self.flags.add(key)
            self.summary = self.summary and key not in "JPr"

    def _die(self, text: str) -> ToolExit:
        return die(self.console, "lsmem", text)

    # -- columns

    def _list(self, text: str, base: list[str]) -> list[str]:
        """``RANGE,SIZE``, or ``+ZONES`` behind ``base``."""
        found = list(base) if text[:1] == "+" else []
        for word in text.removeprefix("+").split(","):
            if word.upper() not in _COLUMNS:
                self.console.err(f"lsmem: unknown column: {word}\n")
                raise ToolExit(1)
            found.append(word.upper())
        return found

    def _choose(self) -> None:
        if not self.columns:
            self.columns = list(_COLUMNS[:5])
        if self.output is not None:
            self.columns = self._list(self.output, self.columns)

    # -- blocks

    def _text(self, name: str) -> str:
        try:
            return self.tree.read(f"{MEMORY}/{name}").strip()
        except SysfsError:
            return ""

    def _read(self, by: list[str]) -> None:
        if not self._text("block_size_bytes"):
            raise self._die("This system does not support memory blocks")
        self.block_size = int(self._text("block_size_bytes"), 16)
        numbers = sorted(int(name[6:]) for name in self.tree.listdir(MEMORY) if re.fullmatch(r"memory\d+", name))
        self.have_zones = self.tree.exists(f"{MEMORY}/memory0/valid_zones")
        self.have_nodes = bool(numbers) and self._node(numbers[0]) >= 0
        self.online, self.offline = 0, 0
        self.blocks: list[_Blocks] = []
        for number in numbers:
            block = self._block(number)
            if block.state == "online":
                self.online += self.block_size
            else:
                self.offline += self.block_size
            last = self.blocks[-1] if self.blocks else None
            if last is not None and self._alike(last, block, by):
                self.blocks[-1] = replace(last, count=last.count + 1)
            else:
                self.blocks.append(block)

    def _node(self, number: int) -> int:
        names = self.tree.listdir(f"{MEMORY}/memory{number}")
        return next((int(name[4:]) for name in names if re.fullmatch(r"node\d+", name)), -1)

    def _block(self, number: int) -> _Blocks:
        name = f"memory{number}"
        zones: tuple[str, ...] = ()
        if self.have_zones:
            known = {zone.lower(): zone for zone in _ZONES}
            zones = tuple(
                known.get(word.lower(), "Unknown") for word in self._text(f"{name}/valid_zones").split(" ") if word
            )
        node = self._node(number) if self.have_nodes else 0
        return _Blocks(number, self._text(f"{name}/state"), self._text(f"{name}/removable") == "1", node, zones)

    def _alike(self, last: _Blocks, block: _Blocks, by: list[str]) -> bool:
        if "a" in self.flags or last.index + last.count != block.index:
            return False
        return not (
            ("STATE" in by and last.state != block.state)
            or ("REMOVABLE" in by and last.removable != block.removable)
            or ("NODE" in by and last.node != block.node)
            or ("ZONES" in by and (last.zones != block.zones or "Unknown" in last.zones))
        )

    # -- printing

    def _cell(self, blocks: _Blocks, column: str) -> str | None:
        start, size = blocks.index * self.block_size, blocks.count * self.block_size
        if column == "RANGE":
            return f"0x{start:016x}-0x{start + size - 1:016x}"
        if column == "SIZE":
            return str(size) if "b" in self.flags else human_size(size)
        if column == "STATE":
            return {"going-offline": "on->off"}.get(
                blocks.state, blocks.state if blocks.state in ("online", "offline") else "?"
            )
        if column == "REMOVABLE":
            return ("yes" if blocks.removable else "no") if blocks.state == "online" else None
        if column == "BLOCK":
            return str(blocks.index) if blocks.count == 1 else f"{blocks.index}-{blocks.index + blocks.count - 1}"
        if column == "NODE":
            return str(blocks.node) if self.have_nodes else None
        return "/".join(blocks.zones) if self.have_zones else None

    def _print(self) -> str:
        rows = [[self._cell(blocks, column) for column in self.columns] for blocks in self.blocks]
        if "J" in self.flags:
            return self._json(rows)
        if "P" in self.flags:
            pairs = (" ".join(f'{c}="{v or ""}"' for c, v in zip(self.columns, row, strict=True)) for row in rows)
            return "".join(f"{line}\n" for line in pairs)
        lines: list[list[str]] = [] if "n" in self.flags else [list(self.columns)]
        lines += [[cell or "" for cell in row] for row in rows]
        if "r" in self.flags:
            return "".join(" ".join(line) + "\n" for line in lines)
        cells = list(zip(*lines, strict=True)) if lines else []
        widths = [_width(column, [row[at] or "" for row in rows]) for at, column in enumerate(self.columns)]
        last = len(cells) - 1
        padded = [
            [_pad(cell, column, 0 if at == last and (column == "RANGE" or not cell) else width) for cell in cells[at]]
            for at, (column, width) in enumerate(zip(self.columns, widths, strict=True))
        ]
        return "".join(" ".join(line) + "\n" for line in zip(*padded, strict=True))

    def _json(self, rows: list[list[str | None]]) -> str:
        def value(column: str, cell: str | None) -> str:
            if column == "REMOVABLE":
                return "true" if cell == "yes" else "false"
            if cell is None:
                return "null"
            number = column == "NODE" or (column == "SIZE" and "b" in self.flags)
            return cell if number else json.dumps(cell)

        objects = [
            "{\n"
            + ",\n".join(
                f'         "{column.lower()}": {value(column, cell)}'
                for column, cell in zip(self.columns, row, strict=True)
            )
            + "\n      }"
            for row in rows
        ]
        return '{\n   "memory": [\n      ' + ",".join(objects) + "\n   ]\n}\n"

    def _sum(self) -> None:
        for words, size in (
            ("Memory block size:", self.block_size), ("Total online memory:", self.online), ("Total offline memory:", self.offline),
        ):  # fmt: skip
            text = f"{size:>15}" if "b" in self.flags else f"{human_size(size):>5}"
            self.console.out(f"{words:<23} {text}\n")


def main(
    tree: Tree, argv: Sequence[str], console: Console | None = None, release: tuple[int, ...] = DEFAULT
) -> ToolResult:
    """``lsmem ARGV...``, the words behind the tool's name. Raises NotModelledError for --sysroot, and from 2.41 on."""
    console = Console() if console is None else console
    try:
        if release >= (2, 41):
            raise NotModelledError(
                f"lsmem of util-linux {release_text(release)} is not modelled", remedy="2.38 to 2.40 are"
            )
        code = _Lsmem(tree, console, release).run(argv)
    except ToolExit as left:
        code = left.code
    return console.result(code)
