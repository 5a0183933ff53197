"""What can be known of a command before anything runs: that it exists here, and that its options do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sparsemem.errors import InputError, NotModelledError
from sparsemem.machine.operations import OPERATIONS, Operation, parse_operation
from sparsemem.play.commands.options import OPTIONS, read_options
from sparsemem.units import parse_size

if TYPE_CHECKING:
    from sparsemem.play.shell.syntax import Word

__all__ = ["COMMANDS", "TOOLS", "check_command", "check_words"]

TOOLS = ("cxl", "daxctl", "ndctl")
PLAIN_TOOLS = ("chmem", "lsmem")
"""Tools without sub-commands, which say themselves what is wrong with their options."""
COMMANDS = tuple(sorted({*OPTIONS, *TOOLS, *PLAIN_TOOLS, "plug", "resize", "unplug"}))
"""What can be typed besides the kernel calls."""

_PLACE = re.compile(r"(addr|slot|node)=(0x[0-9a-fA-F]{1,16}|\d{1,18})\Z|type=(dimm|nvdimm)\Z|labels=blank\Z")
_UNKNOWN = "\x00"  # a word that only the run can tell


def check_command(words: list[Word]) -> Operation | None:
    """Raises NotModelledError or InputError; the parsed operation of a kernel call."""
    if not isinstance(words[0], str):
        return None  # known when it runs
    literal = [word if isinstance(word, str) else _UNKNOWN for word in words]
    if words[0] in OPERATIONS and _UNKNOWN in literal:
        return None
    return check_words(literal)


def check_words(words: list[str]) -> Operation | None:
    """The same for words that are known, all but the NULs."""
    name = words[0]
    if name in OPTIONS:
        read_options(name, [word for word in words[1:] if (name, word) != ("mkfs.xfs", "--unsupported")])
        _check_operands(words)
    elif name in TOOLS:
        _check_tool(words)
    elif name in PLAIN_TOOLS:
        pass
    elif name in OPERATIONS:
        return parse_operation(" ".join(words))
    elif name == "plug":
        known = [word for word in words[3:] if word != _UNKNOWN]
        if len(words) < 3 or not all(_PLACE.match(word) for word in known):
            raise InputError(
                "plug takes a name and a size",
                remedy="write: plug dimm0 128M, and if need be addr=, slot=, node=, type=nvdimm with labels=blank",
            )
        if any(word.startswith("labels=") for word in known) and "type=nvdimm" not in known and _UNKNOWN not in words:
            raise InputError("labels= is for an NVDIMM", remedy="write: plug nv0 128M type=nvdimm labels=blank")
        if words[2] != _UNKNOWN:
            parse_size(words[2])
    elif name == "unplug":
        if len(words) != 2:
            raise InputError("unplug takes a name", remedy="write: unplug dimm0")
    elif name == "resize":
        if len(words) != 3:
            raise InputError("resize takes a name and a size", remedy="write: resize vm0 512M")
        if words[2] != _UNKNOWN:
            parse_size(words[2])
    else:
        raise NotModelledError(
            f"no such command here: {name}", remedy="known are " + ", ".join(sorted({*COMMANDS, *OPERATIONS}))
        )
    return None


def _check_operands(words: list[str]) -> None:
    from sparsemem.play.commands.binary import check_dd
    from sparsemem.play.commands.find import check as check_find

    if words[0] == "readlink" and len(read_options("readlink", words[1:]).rest) != 1:
        raise NotModelledError("readlink takes one path", why="BusyBox prints its usage for more")
    if words[0] == "sh":
        _check_sh(words[1:])
    check = {"dd": check_dd, "find": check_find}.get(words[0])
    if check is not None and _UNKNOWN not in words:
        check(words[1:])


def _check_sh(words: list[str]) -> None:
    from sparsemem.play.shell.parser import parse_step

    read = read_options("sh", words)
    if "c" not in read.values or read.rest:
        raise NotModelledError("sh is implemented as sh -c TEXT only")
    if _UNKNOWN not in read.value("c"):
        parse_step(read.value("c"))


def _check_tool(words: list[str]) -> None:
    if words[0] == "ndctl" and len(words) > 1:
        from sparsemem.tools.ndctl import COMMANDS as KNOWN

        if words[1] in KNOWN and KNOWN[words[1]] is None:
            raise NotModelledError(f"ndctl {words[1]} is not modelled", why="it needs firmware, keys or a daemon")
