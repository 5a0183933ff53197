"""``cxl ARGV``: its commands on the attribute tree (cxl/cxl.c), of which ``list`` is here (cxl/list.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.errors import NotModelledError
from sparsemem.tools.cxl_filter import Filter
from sparsemem.tools.cxl_memdev import cmd_memdev
from sparsemem.tools.cxl_region import cmd_region
from sparsemem.tools.cxl_walk import Walk
from sparsemem.tools.json_out import display_array, no_devices
from sparsemem.tools.libcxl import Context
from sparsemem.tools.options import Option, parse_options, usage_with_options
from sparsemem.tools.releases import known, since_85, version_text
from sparsemem.tools.result import Console, ToolExit, ToolResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sparsemem.tools.options import Values
    from sparsemem.tools.tree import Tree

__all__ = ["COMMANDS", "known_commands", "main"]

_USAGE = "cxl [--version] [--help] COMMAND [ARGS]"
_MORE = (
    "See 'cxl help COMMAND' for more information on a specific command.\n cxl --list-cmds to see all available commands"
)
_MODELLED, _FIRST = 76, 72

COMMANDS = (
    "version", "list", "help", "zero-labels", "read-labels", "write-labels", "disable-memdev", "enable-memdev", "reserve-dpa",
    "free-dpa", "update-firmware", "set-alert-config", "wait-sanitize", "disable-port", "enable-port", "set-partition",
    "disable-bus", "create-region", "enable-region", "disable-region", "destroy-region", "monitor", "inject-protocol-error",
    "inject-media-poison", "clear-media-poison",
)  # fmt: skip
"""Every command of cxl 85 in its order."""
_SINCE = {
    "disable-memdev": 73, "enable-memdev": 73, "disable-port": 73, "enable-port": 73, "set-partition": 73, "reserve-dpa": 74,
    "free-dpa": 74, "disable-bus": 74, "create-region": 74, "enable-region": 74, "disable-region": 74, "destroy-region": 74,
    "monitor": 76, "update-firmware": 78, "set-alert-config": 79, "wait-sanitize": 79,
}  # fmt: skip
"""By cxl/cxl.c at the release tags (64ad46b, 6c4cdf9 and 7b6954d are the last three); the rest is as old as cxl, or of _NEWEST."""
_NEWEST = frozenset(COMMANDS[-3:])
"""81 does not have them and 85 does."""


def known_commands(version: tuple[int, ...]) -> tuple[str, ...]:
    """The commands of a release. NotModelledError for one between 81 and 85."""
    newest = known(since_85(version), "which commands cxl has")
    return tuple(name for name in COMMANDS if newest or name not in _NEWEST if _SINCE.get(name, 0) <= version[0])


_LIST = "cxl list [<options>]"
_OPTIONS = (
    Option("m", "memdev", "str", "memdev", "memory device name(s)", "filter by CXL memory device name(s)"),
    Option("s", "serial", "str", "serial", "memory device serial(s)", "filter by CXL memory device serial number(s)"),
    Option("M", "memdevs", "bool", "memdevs", "", "include CXL memory device info"),
    Option("b", "bus", "str", "bus", "bus device name", "filter by CXL bus device name(s)"),
    Option("B", "buses", "bool", "buses", "", "include CXL bus info"),
    Option("p", "port", "str", "port", "port device name", "filter by CXL port device name(s)"),
    Option("P", "ports", "bool", "ports", "", "include CXL port info"),
    Option("S", "single", "bool", "single", "", "skip listing descendant objects"),
    Option("e", "endpoint", "str", "endpoint", "endpoint device name", "filter by CXL endpoint device name(s)"),
    Option("E", "endpoints", "bool", "endpoints", "", "include CXL endpoint info"),
    Option("d", "decoder", "str", "decoder", "decoder device name", "filter by CXL decoder device name(s) / class"),
    Option("D", "decoders", "bool", "decoders", "", "include CXL decoder info"),
    Option("T", "targets", "bool", "targets", "", "include CXL target data with decoders, ports, or regions"),
    Option("r", "region", "str", "region", "region name", "filter by CXL region name(s)"),
    Option("R", "regions", "bool", "regions", "", "include CXL regions"),
    Option("X", "dax", "bool", "dax", "", "include CXL DAX region enumeration"),
    Option("i", "idle", "bool", "idle", "", "include disabled devices"),
    Option("u", "human", "bool", "human", "", "use human friendly number formats"),
    Option("H", "health", "bool", "health", "", "include memory device health information"),
    Option("I", "partition", "bool", "partition", "", "include memory device partition information"),
    Option("F", "firmware", "bool", "firmware", "", "include memory device firmware information"),
    Option("A", "alert-config", "bool", "alerts", "", "include alert configuration information"),
    Option("L", "media-errors", "bool", "media_errors", "", "include media-error information "),
    Option("v", "verbose", "incr", "verbose", "", "increase output detail"),
    Option("", "debug", "bool", "debug", "", "debug list walk"),
)
_OPTION_SINCE = {
    **dict.fromkeys(("serial", "bus", "buses", "port", "ports", "single", "endpoint", "endpoints", "decoder", "decoders"), 73),
    **dict.fromkeys(("targets", "partition", "debug"), 73), "region": 74, "regions": 74, "verbose": 74, "alerts": 75, "dax": 77,
    "firmware": 78, "media_errors": 80,
}  # fmt: skip
_KINDS = ("memdevs", "buses", "ports", "endpoints", "decoders", "regions")


def main(
    tree: Tree, argv: Sequence[str], console: Console | None = None, version: tuple[int, ...] = (_MODELLED,)
) -> ToolResult:
    """``cxl ARGV...``, the words behind the tool's name. Raises NotModelledError for a command that is not modelled."""
    console = Console() if console is None else console
    if version[0] < _FIRST:
        raise NotModelledError(f"there is no cxl in ndctl {version[0]}", remedy=f"it came with v{_FIRST}")
    try:
        rc = _run(tree, console, list(argv), version)
    except ToolExit as left:
        rc = left.code
    return console.result(rc)


def _run(tree: Tree, console: Console, words: list[str], version: tuple[int, ...]) -> int:
    if words and words[0].startswith("-"):
        words[0] = {"-h": "--help", "-v": "--version"}.get(words[0], words[0])
        if words[0] == "--list-cmds":
            console.out("".join(f"{name}\n" for name in known_commands(version)))
            return 0
        if words[0] not in ("--help", "--version"):
            console.err(f"Unknown option: {words[0]}\n\n Usage: {_USAGE}\n")
            return 129
        words[0] = words[0][2:]
    text = f"\n usage: {_USAGE}\n\n\n {_MORE}\n\n"
    if not words:
        console.out(text)
        return 1
    name, rest = words[0], words[1:]
    if name not in (known_commands(version) if name in _NEWEST else COMMANDS) or _SINCE.get(name, 0) > version[0]:
        console.err(f"Unknown command: '{name}'\n")
        return 1
    if rest[:1] == ["--help"] or (name == "help" and rest):
        topic = rest[0] if name == "help" else name
        raise NotModelledError(f"the manual page cxl-{topic} is not part of the model", remedy="man 1 cxl")
    if name == "help":
        console.out(text)
    elif name == "version":
        console.out(version_text(version) + "\n")
    elif name == "list":
        return _list(Context(tree, console), rest, version)
    else:
        return _act(Context(tree, console), name, rest, version)
    return 0


def _act(context: Context, name: str, argv: list[str], version: tuple[int, ...]) -> int:
    action, _, kind = name.partition("-")
    modelled = kind == "region" or (kind == "memdev" and action in ("enable", "disable"))
    if not modelled:
        known = "list, *-region, enable-memdev and disable-memdev are"
        raise NotModelledError(f"cxl {name} is not modelled", why=known)
    if version[0] != _MODELLED:
        raise NotModelledError(f"cxl {name} of {version[0]} is not modelled", remedy=f"that of {_MODELLED} is")
    return cmd_region(context, argv, action) if kind == "region" else cmd_memdev(context, argv, action)


def _has(ident: object, needle: str) -> bool:
    return isinstance(ident, str) and needle in ident


def _defaults(values: Values, version: tuple[int, ...]) -> None:
    if not any(values.get(kind) for kind in _KINDS):
        for kind, words in zip(
            _KINDS, (("memdev", "serial"), ("bus",), ("port",), ("endpoint",), ("decoder",), ("region",)), strict=True
        ):
            if any(values.get(word) is not None for word in words):
                values[kind] = True
        values["single"] = True
    if not any(values.get(kind) for kind in _KINDS):
        values["regions"] = values["memdevs"] = True
    verbose = int(values.get("verbose") or 0)
    if verbose >= 3 or verbose < 0:
        values["health"] = values["partition"] = values["alerts"] = True
    if verbose >= 2 or verbose < 0:
        values["idle"] = True
    if verbose:
        for key in ("buses", "ports", "endpoints", "decoders", "targets"):
            values[key] = True
        values["regions"] = values.get("regions") or version[0] >= 77  # cf1e22a
    for kind, needle in (("buses", "root"), ("endpoints", "endpoint")):
        if values.get("ports") and _has(values.get("port"), needle):
            values[kind] = True


def _list(context: Context, argv: list[str], version: tuple[int, ...]) -> int:
    console = context.console
    options = tuple(each for each in _OPTIONS if _OPTION_SINCE.get(each.key, 0) <= version[0])
    values, rest = parse_options(argv, options, _LIST, console)
    for word in rest:
        console.error(f'unknown parameter "{word}"\n')
    if rest:
        raise usage_with_options(console, _LIST, options)
    if values.get("single") and values.get("port") is None:
        console.error("-S/--single expects a port filter: -p/--port=\n")
        raise usage_with_options(console, _LIST, options)
    _defaults(values, version)
    if values.get("debug"):
        raise NotModelledError("cxl list --debug is not modelled")
    if version[0] != _MODELLED and (context.buses or context.memdevs):
        raise NotModelledError(
            f"the fields of cxl list {version[0]} are not modelled", remedy=f"those of {_MODELLED} are"
        )
    given = {name: values.get(name) for name in Filter._fields if name != "single"}
    words = Filter(
        **{name: each for name, each in given.items() if isinstance(each, str)}, single=bool(values.get("single"))
    )
    flags = frozenset(key for key, value in values.items() if value is True)
    found = Walk(context, words, flags).platform()
    human = "human" in flags
    if not found and not human:
        no_devices(console)
    console.out(display_array(found, human=human, version=version))
    return 0
