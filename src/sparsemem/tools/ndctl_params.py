"""The options of ndctl's namespace commands, their defaults, and what is refused before any device is looked at (ndctl/namespace.c)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from sparsemem.tools.libndctl_base import EINVAL, ENXIO, ULLONG_MAX
from sparsemem.tools.ndctl_features import ndctl_features
from sparsemem.tools.ndctl_filter import nsmode
from sparsemem.tools.ndctl_lines import line_of
from sparsemem.tools.options import Option, parse_options, parse_size64, usage_with_options

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sparsemem.tools.libndctl import Context

__all__ = ["ACTIONS", "Action", "Run", "parse_namespace_options", "set_defaults", "uuid_valid"]

_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

_BASE = (
    Option("b", "bus", "str", "bus", "bus-id", "limit namespace to a bus with an id or provider of <bus-id>"),
    Option(
        "r", "region", "str", "region", "region-id", "limit namespace to a region with an id or name of <region-id>"
    ),
    Option("v", "verbose", "bool", "verbose", "", "emit extra debug messages to stderr"),
)
_CREATE = (
    Option("e", "reconfig", "str", "reconfig", "reconfig namespace", "reconfigure existing namespace"),
    Option("u", "uuid", "str", "uuid", "uuid", "specify the uuid for the namespace (default: autogenerate)"),
    Option("n", "name", "str", "name", "name", "specify an optional free form name for the namespace"),
    Option("s", "size", "str", "size", "size", "specify the namespace size in bytes (default: available capacity)"),
    Option(
        "m",
        "mode",
        "str",
        "mode",
        "operation-mode",
        "specify a mode for the namespace, 'sector', 'fsdax', 'devdax' or 'raw'",
    ),
    Option("M", "map", "str", "map", "memmap-location", "specify 'mem' or 'dev' for the location of the memmap"),
    Option("l", "sector-size", "str", "sector_size", "lba-size", "specify the logical sector size in bytes"),
    Option("t", "type", "str", "type", "type", "specify the type of namespace to create 'pmem' or 'blk'"),
    Option("a", "align", "str", "align", "align", "specify the namespace alignment in bytes (default: 2M)"),
    Option("f", "force", "bool", "force", "", "reconfigure namespace even if currently active"),
    Option("L", "autolabel", "bool", "autolabel", "", "automatically initialize labels"),
)
_CONTINUE = Option(
    "c", "continue", "bool", "greedy", "", "continue creating namespaces as long as the filter criteria are met"
)
_AUTORECOVER = Option("R", "autorecover", "bool", "autorecover", "", "automatically cleanup on failure")
_DESTROY = (Option("f", "force", "bool", "force", "", "destroy namespace even if currently active"),)
_CHECK = (
    Option("R", "repair", "bool", "repair", "", "perform metadata repairs"),
    Option("L", "rewrite-log", "bool", "logfix", "", "regenerate the log"),
    Option("f", "force", "bool", "force", "", "check namespace even if currently active"),
)
_CLEAR = (Option("s", "scrub", "bool", "scrub", "", "run a scrub to find latent errors"),)
_READ = (
    Option("o", "output", "str", "outfile", "output-file", "filename to write infoblock contents"),
    Option("i", "input", "str", "infile", "input-file", "filename to read infoblock instead of a namespace"),
    Option("V", "verify", "bool", "verify", "", "validate parent uuid, and infoblock checksum"),
    Option("j", "json", "bool", "json", "", "parse label data into json"),
    Option("u", "human", "bool", "human", "", "use human friendly number formats (implies --json)"),
)
_WRITE = (
    Option("o", "output", "str", "outfile", "output-file", "filename to write infoblock contents"),
    Option("c", "stdout", "bool", "std_out", "", "write the infoblock data to stdout"),
    Option(
        "m",
        "mode",
        "str",
        "mode",
        "operation-mode",
        "specify the infoblock mode, 'fsdax' or 'devdax' (default 'fsdax')",
    ),
    Option("s", "size", "str", "size", "size", "override the image size to instantiate the infoblock"),
    Option("a", "align", "str", "align", "align", "specify the expected physical alignment"),
    Option("u", "uuid", "str", "uuid", "uuid", "specify the uuid for the infoblock (default: autogenerate)"),
    Option("M", "map", "str", "map", "memmap-location", "specify 'mem' or 'dev' for the location of the memmap"),
    Option(
        "p",
        "parent-uuid",
        "str",
        "parent_uuid",
        "parent-uuid",
        "specify the parent namespace uuid for the infoblock (default: 0)",
    ),
    Option("O", "offset", "str", "offset", "offset", "EXPERT/DEBUG only: enable namespace inner alignment padding"),
)


class Action(NamedTuple):
    """A namespace command: what it is called in messages, its usage line, and its options."""

    title: str
    asks: str
    usage: str
    options: tuple[Option, ...]


def _action(title: str, asks: str, words: str, options: tuple[Option, ...]) -> Action:
    return Action(title, asks, f"ndctl {words} [<options>]", _BASE + options)


ACTIONS: Mapping[str, Action] = {
    "enable": _action("enable namespace", "enable", "enable-namespace <namespace>", ()),
    "disable": _action("disable namespace", "disable", "disable-namespace <namespace>", ()),
    "create": _action("create namespace", "", "create-namespace", (*_CREATE, _CONTINUE, _AUTORECOVER)),
    "destroy": _action("destroy namespace", "destroy", "destroy-namespace <namespace>", _DESTROY),
    "check": _action("check namespace", "check", "check-namespace <namespace>", _CHECK),
    "clear": _action("clear errors namespace", "clear errors for", "clear_errors <namespace>", _CLEAR),
    "read-infoblock": _action("namespace", "read-infoblock", "read-infoblock <namespace>", _READ),
    "write-infoblock": _action("namespace", "write-infoblock", "write-infoblock <namespace>", _WRITE),
}


class Run:
    """One run of a namespace command: its parameters, and how it says things.

    Options that were given are in ``given``; ``text`` reads those with a value, ``on`` the switches.
    """

    def __init__(self, context: Context, action: str) -> None:
        self.context = context
        self.console = context.console
        self.features = ndctl_features(context.version)
        self.action = action
        self.cmd_name = "namespace"
        self.err_count = 0
        self.mode_default = False
        self.do_scan = False
        self.given: dict[str, str | int | bool | None] = {"autolabel": True, "autorecover": True}

    def text(self, key: str) -> str | None:
        value = self.given.get(key)
        return value if isinstance(value, str) else None

    def on(self, key: str) -> bool:
        return bool(self.given.get(key))

    def say(self, text: str) -> None:
        """A line on stderr."""
        self.console.err(f"{text}\n")

    def error(self, text: str) -> None:
        """``error()`` with a newline of its own."""
        self.console.error(f"{text}\n")

    def debug(self, function: str, line: int, text: str) -> None:
        """``debug()``: with --verbose only. ``line``: that of 76.1."""
        if self.on("verbose"):
            line = line_of(line, self.context.version[0])
            self.console.err(f"{function}:{line}: {text}\n")

    def err(self, function: str, line: int, text: str) -> None:
        """``err()``: an error that is counted, so that the summary is left out. Before v68 only debug output."""
        if self.features.errors_with_reason:
            self.err_count += 1
            self.error(f"{self.cmd_name}: {text}")
        else:
            self.debug(function, line, text)


def uuid_valid(text: str) -> bool:
    """uuid_parse() takes it."""
    return _UUID.fullmatch(text) is not None


def _mode_defaults(run: Run) -> int:
    given, mode, kind = run.given, run.text("mode"), run.text("type")
    if mode is not None:
        known = nsmode(mode) if run.features.mode_names or mode == mode.lower() else None
        if known is None:
            run.error(f"invalid mode '{mode}'")
            return -EINVAL
        if run.action == "write-infoblock" and known not in ("fsdax", "devdax"):
            run.error(f"unsupported mode '{mode}'")
            return -EINVAL
    elif run.action == "write-infoblock":
        given["mode"] = "fsdax"
    elif not run.text("reconfig") and kind is not None:
        given["mode"] = "fsdax" if kind == "pmem" else "sector"
        run.mode_default = True
    return 0


def _map_defaults(run: Run) -> int:
    where, mode, rc = run.text("map"), run.text("mode"), 0
    if where is None:
        if not run.text("reconfig"):
            run.given["map"] = "dev"
        return 0
    if where not in ("mem", "dev"):
        run.error(f"invalid map location '{where}'")
        rc = -EINVAL
    plain = (mode in ("fsdax", "devdax")) if run.features.mode_names else nsmode(mode) in ("fsdax", "devdax")
    if not run.text("reconfig") and mode and not plain:
        run.error(f"--map only valid for an {'devdax' if run.features.mode_names else 'dax'} mode pmem namespace")
        rc = -EINVAL
    return rc


def _is_size(run: Run, key: str, words: str) -> int:
    text = run.text(key)
    if text and parse_size64(text) == ULLONG_MAX:
        run.error(words.format(text))
        return -EINVAL
    return 0


def _align_defaults(run: Run) -> int:
    text = run.text("align")
    if text is None:
        return 0
    rc = _is_size(run, "align", "failed to parse namespace alignment '{}'")
    if rc or not run.features.minimum_16m:
        return rc
    align, page = parse_size64(text), run.context.page_size
    if not align or align & (align - 1) or align < page:
        run.error(f"align must be a power-of-2 greater than {page}")
        return -EINVAL
    return 0


def set_defaults(run: Run) -> int:
    """``set_defaults()``: every fault is told; 0 or the last errno."""
    given, rc = run.given, 0
    kind = run.text("type")
    if kind is not None and kind not in ("pmem", "blk"):
        run.error(f"invalid type '{kind}', must be either 'pmem' or 'blk'")
        rc = -EINVAL
    elif kind is None and not run.text("reconfig") and run.action == "create":
        given["type"] = kind = "pmem"
    rc = _mode_defaults(run) or rc
    rc = _map_defaults(run) or rc
    if kind == "blk" and nsmode(run.text("mode")) in ("fsdax", "devdax"):
        run.error("only 'pmem' namespaces support dax operation")
        rc = -ENXIO
    rc = _is_size(run, "size", "failed to parse namespace size '{}'") or rc
    rc = _is_size(run, "offset", "failed to parse physical offset'{}'") or rc
    rc = _align_defaults(run) or rc
    if run.features.minimum_16m:
        rc = _is_size(run, "size", "failed to parse namespace size '{}'") or rc
    for key in ("uuid", "parent_uuid"):
        uuid = run.text(key)
        if uuid is not None and not uuid_valid(uuid):
            run.error(f"failed to parse uuid: '{uuid}'")
            rc = -EINVAL
    if run.text("sector_size") is not None:
        rc = _is_size(run, "sector_size", "invalid sector size: {}") or rc
    elif kind == "blk" or nsmode(run.text("mode")) == "sector":
        given["sector_size"] = "4096"
    return rc


def _options(run: Run) -> tuple[Option, ...]:
    options = ACTIONS[run.action].options
    if not run.features.option_continue:
        options = tuple(each for each in options if each is not _CONTINUE)
    if not run.features.option_autorecover:
        options = tuple(each for each in options if each is not _AUTORECOVER)
    return options


def _bad_words(run: Run, rest: Sequence[str]) -> int:
    action, rc = run.action, 0
    writes = action == "write-infoblock"
    to_file = writes and bool(run.text("outfile") or run.on("std_out"))
    if not rest and action not in ("create", "read-infoblock") and not to_file:
        run.error(f'specify a namespace to {ACTIONS[action].asks}, or "all"')
        rc = -EINVAL
    for word in rest[0 if action == "create" else 1 :]:
        run.error(f'unknown extra parameter "{word}"')
        rc = -EINVAL
    if action == "read-infoblock" and run.text("infile") is not None and rest:
        run.error("specify a namespace, or --input, not both")
        rc = -EINVAL
    if to_file and rest:
        run.error("specify only one of a namespace filter, --output, or --stdout")
        rc = -EINVAL
    if writes and run.on("std_out") and not run.text("size"):
        run.error("--size required with --stdout")
        rc = -EINVAL
    return rc


def parse_namespace_options(run: Run, argv: Sequence[str]) -> str | None:
    """Read the words behind the command; the namespace they name. ToolExit(129) after the usage when something is wrong."""
    run.do_scan = not argv
    options, usage = _options(run), ACTIONS[run.action].usage
    given, rest = parse_options(argv, options, usage, run.console)
    run.given.update(given)
    if not run.features.seed_alignment and run.text("align") is None:
        run.given.update(align="2M", align_default=True)
    rc = set_defaults(run)
    rc = _bad_words(run, rest) or rc
    if rc:
        raise usage_with_options(run.console, usage, options)
    if run.action == "create":
        return run.text("reconfig")
    return rest[0] if rest else None
