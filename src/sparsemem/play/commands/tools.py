"""ndctl, daxctl and cxl; chmem and lsmem; plug, unplug and resize of the hypervisor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.kernel.refusal import Refusal
from sparsemem.machine.sysfs_error import SysfsError
from sparsemem.play.dimm import PlugError
from sparsemem.play.files import FileError
from sparsemem.tools.files import Files as ToolFiles
from sparsemem.tools.result import Console, errno_of_words
from sparsemem.tools.tree import MachineTree
from sparsemem.units import parse_size

if TYPE_CHECKING:
    from collections.abc import Callable

    from sparsemem.play.dimm import DimmBoard
    from sparsemem.play.shell.run import Shell
    from sparsemem.play.shell.streams import Streams

__all__ = ["COMMANDS"]

#: What a tool meets while it tries one driver or file after the other.
_PROBING = ("driver-match", "sysfs-path")
_USAGE = 129
_MOST_ERRNO = 133


class _Tree(MachineTree):
    """Remembers the last refusal, the probe's and not the bus's own: it is the reason when the tool fails."""

    def __init__(self, sh: Shell) -> None:
        super().__init__(sh.machine)
        self._sh = sh

    def write(self, path: str, text: str) -> None:
        try:
            super().write(path, text)
        except SysfsError as error:
            refusal = error.refusal
            if refusal is not None and (refusal.rule not in _PROBING or self._sh.refusal is None):
                cause = refusal.__cause__
                self._sh.refusal = cause if isinstance(cause, Refusal) else refusal
            raise


class _Files(ToolFiles):
    """The files of this shell, for -i and -o."""

    def __init__(self, sh: Shell, io: Streams) -> None:
        super().__init__({}, b"")
        self._sh = sh
        self._io = io

    def cannot_read(self, path: str | None) -> int:
        if path is None:
            return 0
        try:
            self._sh.files.read(self._sh.path(path))
        except FileError as error:
            return error.number
        return 0

    def cannot_write(self, path: str | None) -> int:
        if path is None:
            return 0
        try:
            self._sh.files.check_open(self._sh.path(path))
        except FileError as error:
            return error.number
        return 0

    def input(self, path: str | None) -> bytes:
        text = self._io.stdin.rest() if path is None else self._sh.files.read(self._sh.path(path))
        return text.encode("utf-8", "surrogateescape")

    def write(self, path: str, data: bytes) -> None:
        real = self._sh.path(path)
        self._sh.files.truncate(real)
        self._sh.files.write(real, data.decode("utf-8", "surrogateescape"))


def _tool(sh: Shell, argv: list[str], io: Streams) -> int:
    from sparsemem.tools import chmem, cxl, daxctl, lsmem, ndctl

    name, tree, console = argv[0], _Tree(sh), Console(tty=io.out.tty)
    sh.refusal = None
    if name in ("chmem", "lsmem"):
        plain = chmem.main if name == "chmem" else lsmem.main
        result = plain(tree, argv[1:], console, sh.util_linux)
    elif name == "cxl":
        result = cxl.main(tree, argv[1:], console, sh.ndctl)
    else:
        main = ndctl.main if name == "ndctl" else daxctl.main
        result = main(tree, argv[1:], console, sh.ndctl, _Files(sh, io))
    if io.out is io.err and io.out.tty:
        io.out.append(result.output)
    else:  # buffered: standard output comes when the tool ends
        io.err.append(result.stderr)
        io.out.append(result.stdout)
    code = result.exit_code
    said = errno_of_words(result.stderr) if code else None
    if said is not None:  # ndctl ends with -ENODEV whatever was wrong: its words tell
        sh.errno = said
    elif 256 - _MOST_ERRNO <= code <= 255 and code != _USAGE:
        sh.errno = 256 - code
    elif sh.refusal is not None:
        sh.errno = sh.refusal.errno
    return code


# -- the hypervisor's


def _plug(sh: Shell, argv: list[str], io: Streams) -> int:
    _, name, size, *rest = argv
    words = dict(word.partition("=")[::2] for word in rest)
    labels, nvdimm = bool(words.pop("labels", "")), words.pop("type", "dimm") == "nvdimm"
    places = {key: int(value, 16 if value[:2] == "0x" else 10) for key, value in words.items()}

    def action(board: DimmBoard) -> None:
        if nvdimm:
            board.plug_nvdimm(sh.machine, name, parse_size(size), labels=labels, **places)
        else:
            board.plug(sh.machine, name, parse_size(size), **places)

    return _hypervisor(sh, io, action)


def _unplug(sh: Shell, argv: list[str], io: Streams) -> int:
    return _hypervisor(sh, io, lambda board: board.unplug(sh.machine, argv[1]))


def _resize(sh: Shell, argv: list[str], io: Streams) -> int:
    def resize(board: DimmBoard) -> None:
        plugged = board.resize(sh.machine, argv[1], parse_size(argv[2]))
        io.out.append(f"size={plugged >> 20}M\n")

    return _hypervisor(sh, io, resize)


def _hypervisor(sh: Shell, io: Streams, action: Callable[[DimmBoard], None]) -> int:
    if sh.dimms is None:
        return sh.complain(io, "this machine has no hypervisor to plug a DIMM: use add_memory", 19)
    try:
        action(sh.dimms)
    except PlugError as error:
        sh.refusal = error.refusal
        return sh.complain(io, str(error))
    return 0


COMMANDS: dict[str, Callable[[Shell, list[str], Streams], int]] = {
    "chmem": _tool,
    "cxl": _tool,
    "daxctl": _tool,
    "lsmem": _tool,
    "ndctl": _tool,
    "plug": _plug,
    "resize": _resize,
    "unplug": _unplug,
}
"""name -> function"""
