"""``ndctl read-labels``, ``write-labels``, ``zero-labels``, ``init-labels``, ``check-labels``, ``enable-dimm`` and ``disable-dimm``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from sparsemem.tools.json_features import JsonFeatures, json_features
from sparsemem.tools.json_out import display_array
from sparsemem.tools.libndctl_label import (
    init_labels,
    read_label_extent,
    read_label_index,
    revalidate_labels,
    validate_labels,
    zero_label_extent,
)
from sparsemem.tools.ndctl_filter import bus_filter, dimm_filter
from sparsemem.tools.ndctl_label_json import label_area_to_json
from sparsemem.tools.options import Option, parse_options, usage_with_options
from sparsemem.tools.result import ToolExit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sparsemem.tools.daxctl_json import Json
    from sparsemem.tools.files import Files
    from sparsemem.tools.libndctl import Context, Dimm
    from sparsemem.tools.libndctl_label import LabelCmd
    from sparsemem.tools.options import Values

__all__ = [
    "cmd_check_labels",
    "cmd_disable_dimm",
    "cmd_enable_dimm",
    "cmd_init_labels",
    "cmd_read_labels",
    "cmd_write_labels",
    "cmd_zero_labels",
]

EINVAL, EBUSY, ENXIO, ENOMEM = 22, 16, 6, 12
_SEGV = 139
_CHUNK = 4096

_BASE = (
    Option("b", "bus", "str", "bus", "bus-id", "<nmem> must be on a bus with an id/provider of <bus-id>"),
    Option("v", "verbose", "bool", "verbose", "", "turn on debug"),
)
_LABEL = (
    Option("s", "size", "uint", "len", "n", "number of label bytes to operate"),
    Option("O", "offset", "uint", "offset", "n", "offset into the label area to start operation"),
)
_READ = (
    Option("o", "output", "str", "outfile", "output-file", "filename to write label area contents"),
    Option("j", "json", "bool", "json", "", "parse label data into json"),
    Option("u", "human", "bool", "human", "", "use human friendly number formats (implies --json)"),
    Option("I", "index", "bool", "index", "", "limit read to the index block area"),
)
_WRITE = (Option("i", "input", "str", "infile", "input-file", "filename to read label area data"),)
_INIT = (
    Option("f", "force", "bool", "force", "", "force initialization even if existing index-block present"),
    Option(
        "V", "label-version", "str", "labelversion", "version-number",
        "namespace label specification version (default: 1.1)",
    ),
)  # fmt: skip


class _Command(NamedTuple):
    usage: str
    options: tuple[Option, ...]
    done: str
    """What it says at the end: {} are the count and the plural's s."""


_MANY = " <nmem0> [<nmem1>..<nmemN>] [<options>]"
_COMMANDS = {
    "write": _Command("ndctl write-labels <nmem> [-i <filename>]", _BASE + _LABEL + _WRITE, "wrote {} nmem{}"),
    "read": _Command(
        "ndctl read-labels <nmem0> [<nmem1>..<nmemN>] [-o <filename>]", _BASE + _LABEL + _READ, "read {} nmem{}"
    ),
    "zero": _Command("ndctl zero-labels" + _MANY, _BASE + _LABEL, "zeroed {} nmem{}"),
    "init": _Command("ndctl init-labels" + _MANY, _BASE + _INIT, "initialized {} nmem{}"),
    "check": _Command("ndctl check-labels" + _MANY, _BASE, "successfully verified {} nmem label{}"),
    "disable": _Command("ndctl disable-dimm" + _MANY, _BASE, "disabled {} nmem{}"),
    "enable": _Command("ndctl enable-dimm" + _MANY, _BASE, "enabled {} nmem{}"),
}
_VERSIONS = {"1.1": 128, "v1.1": 128, "1.2": 256, "v1.2": 256}


class _Run:
    """``struct action_context``."""

    def __init__(self, context: Context, files: Files, values: Values) -> None:
        self.context = context
        self.files = files
        self.values = values
        self.jdimms: list[Json] | None = None
        self.data = bytearray()
        self.label_size = 128
        self.features = json_features(context.version)

    def on(self, key: str) -> bool:
        return bool(self.values.get(key))

    def uint(self, key: str) -> int:
        value = self.values.get(key)
        return value if isinstance(value, int) else 0

    def text(self, key: str) -> str | None:
        value = self.values.get(key)
        return value if isinstance(value, str) else None

    def say(self, text: str) -> None:
        self.context.console.err(f"{text}\n")


def _regions_active(run: _Run, dimm: Dimm) -> int:
    if not dimm.is_active():
        return 0
    run.say(f"{dimm.devname}: regions active, abort label write")
    return -EBUSY


def _zero(run: _Run, dimm: Dimm) -> int:
    if not run.features.zero_says_why and dimm.is_active():
        return -EBUSY
    return _regions_active(run, dimm) or zero_label_extent(dimm, run.uint("len"), run.uint("offset"))


def _init(run: _Run, dimm: Dimm) -> int:
    cmd = read_label_index(dimm)
    if cmd is None:
        return -ENXIO
    if rc := _regions_active(run, dimm):
        return rc
    if validate_labels(cmd) >= 0 and not run.on("force"):
        run.say(f"{dimm.devname}: error: labels already initialized")
        return -EBUSY
    rc = init_labels(cmd, run.label_size)
    if not dimm.is_enabled and not run.features.labels_checked:
        return rc
    return rc if rc < 0 else revalidate_labels(dimm)


def _check(run: _Run, dimm: Dimm) -> int:
    cmd = read_label_index(dimm)
    if cmd is None:
        return -ENXIO
    rc = validate_labels(cmd)
    return min(rc, 0) if run.features.labels_checked else rc


def _read(run: _Run, dimm: Dimm) -> int:
    if run.on("index"):
        cmd = read_label_index(dimm)
    else:
        cmd = read_label_extent(dimm, run.uint("len"), run.uint("offset"))
    if cmd is None:
        return -EINVAL
    if run.jdimms is None:
        return _read_bytes(run, cmd)
    found = label_area_to_json(cmd, human=run.on("human"), index_only=run.on("index"))
    if found is None:
        return -ENOMEM
    run.jdimms.append(found)
    return 0


def _read_bytes(run: _Run, cmd: LabelCmd) -> int:
    """``rw_bin`` for reading: in pieces, the last of which is as long as the area is behind its *offset*."""
    size, start = cmd.total_xfer, run.uint("offset")
    for offset in range(start, start + size, _CHUNK):
        data = cmd.get_data(min(_CHUNK, size - offset), offset)
        if data is None:
            return -EINVAL
        if run.text("outfile") is None:
            run.context.console.out_bytes(data)
        run.data += data
    return 0


def _write(run: _Run, dimm: Dimm) -> int:
    if dimm.is_active():
        run.say("dimm is active, abort label write")
        return -EBUSY
    start = run.uint("offset")
    cmd = read_label_extent(dimm, run.uint("len"), start)
    if cmd is None:
        return -EINVAL
    if not dimm.supports("set_data"):
        return -ENXIO
    given, written = run.files.input(run.text("infile")), 0
    for offset in range(start, start + cmd.total_xfer, _CHUNK):
        length = min(_CHUNK, cmd.total_xfer - offset)
        data = given[written : written + length] if length > 0 else b""
        if not data:
            break
        if cmd.set_data(data, offset) < 0:
            return -ENXIO
        written += len(data)
    if written and (rc := cmd.write()):
        return rc
    return revalidate_labels(dimm)


def _disable(run: _Run, dimm: Dimm) -> int:
    if dimm.is_active():
        run.say(f"{dimm.devname} is active, skipping...")
        return -EBUSY
    return dimm.disable()


def _enable(run: _Run, dimm: Dimm) -> int:
    return dimm.enable()


def _names(run: _Run, command: _Command, words: list[str]) -> list[str]:
    console = run.context.console
    if not words:
        raise usage_with_options(console, command.usage, command.options)
    wrong = 0
    for word in words:
        if word == "all":
            words = ["all"]
            break
        if re.match(r"nmem\s*[+-]?\d", word) is None:
            run.say(f"'{word}' is not a valid dimm name")
            wrong += 1
    if wrong == len(words):
        raise usage_with_options(console, command.usage, command.options)
    return words


def _dimms(run: _Run, words: list[str]) -> list[Dimm]:
    found = []
    for word in words:
        if word != "all" and re.match(r"nmem\s*[+-]?\d", word) is None:
            continue
        for bus in run.context.buses():
            if bus_filter(bus, run.text("bus")):
                found += [dimm for dimm in bus.dimms() if dimm_filter(dimm, word)]
    return found


def _command_of(name: str, features: JsonFeatures) -> _Command:
    missing: set[str] = set()
    if not features.labels_extent:
        missing |= {"len", "offset", "index"}
    if not features.labels_human:
        missing |= {"human"}
    command = _COMMANDS[name]
    return command._replace(options=tuple(each for each in command.options if each.key not in missing))


def _dimm_action(context: Context, files: Files, name: str, argv: Sequence[str]) -> int:
    """How many DIMMs it went well for, else 0 or the first error."""
    command, console = _command_of(name, json_features(context.version)), context.console
    values, rest = parse_options(argv, command.options, command.usage, console)
    run = _Run(context, files, values)
    words = _names(run, command, rest)
    if run.on("json") or run.on("human"):
        if run.uint("len") or run.uint("offset"):
            run.say("--size and --offset are incompatible with --json")
            raise usage_with_options(console, command.usage, command.options)
        run.jdimms = []
    if run.on("index") and run.uint("len"):
        run.say("pick either --size, or --index, not both")
        raise usage_with_options(console, command.usage, command.options)
    outfile, infile = run.text("outfile"), run.text("infile")
    for path, problem in ((outfile, files.cannot_write(outfile)), (infile, files.cannot_read(infile))):
        if problem:
            run.say(f"failed to open: {path}: ({files.strerror(problem)})")
            return -problem
    context.verbose = context.verbose or run.on("verbose")
    version = run.text("labelversion") if "labelversion" in values else "1.1"
    if version is None:
        raise ToolExit(_SEGV)  # strcmp(NULL) for --no-label-version
    if version not in _VERSIONS:
        run.say(f"'{version}' is not a valid label version")
        return -EINVAL
    run.label_size = _VERSIONS[version]
    count, rc = _walk(run, name, _dimms(run, words))
    if run.jdimms:
        human = run.features.labels_one_object and outfile is None and console.tty
        text = display_array(run.jdimms, human=human, version=context.version)
        if outfile is None:
            console.out(text)
        run.data += text.encode("utf-8", "surrogateescape")
    if outfile is not None:
        files.write(outfile, bytes(run.data))
    return count or rc


_ACTIONS: dict[str, Callable[[_Run, Dimm], int]] = {
    "write": _write, "read": _read, "zero": _zero, "init": _init, "check": _check, "disable": _disable, "enable": _enable,
}  # fmt: skip


def _walk(run: _Run, name: str, dimms: list[Dimm]) -> tuple[int, int]:
    if name == "write":
        if len(dimms) > 1:
            console, command = run.context.console, _command_of(name, run.features)
            console.error("write-labels only supports writing a single dimm\n")
            raise usage_with_options(console, command.usage, command.options)
        rc = _write(run, dimms[0]) if dimms else 0
        return len(dimms), rc
    count = first = 0
    for dimm in dimms:
        rc = _ACTIONS[name](run, dimm)
        if rc == 0:
            count += 1
        elif not first:
            first = rc
    return count, first


def _command(context: Context, argv: Sequence[str], files: Files, name: str) -> int:
    count = _dimm_action(context, files, name, argv)
    done = _COMMANDS[name].done.format(max(count, 0), "s" if count > 1 else "")
    context.console.err(f"{done}\n")
    return 0 if count >= 0 else 1


def cmd_write_labels(context: Context, argv: Sequence[str], files: Files) -> int:
    """Write a file, or stdin, to the label area of one DIMM."""
    return _command(context, argv, files, "write")


def cmd_read_labels(context: Context, argv: Sequence[str], files: Files) -> int:
    """Print label areas as they are, or as JSON."""
    return _command(context, argv, files, "read")


def cmd_zero_labels(context: Context, argv: Sequence[str], files: Files) -> int:
    """Zero label areas."""
    return _command(context, argv, files, "zero")


def cmd_init_labels(context: Context, argv: Sequence[str], files: Files) -> int:
    """Write fresh index blocks."""
    return _command(context, argv, files, "init")


def cmd_check_labels(context: Context, argv: Sequence[str], files: Files) -> int:
    """Is an index block valid?"""
    return _command(context, argv, files, "check")


def cmd_disable_dimm(context: Context, argv: Sequence[str], files: Files) -> int:
    """Unbind DIMMs that no region uses."""
    return _command(context, argv, files, "disable")


def cmd_enable_dimm(context: Context, argv: Sequence[str], files: Files) -> int:
    """Bind DIMMs."""
    return _command(context, argv, files, "enable")
