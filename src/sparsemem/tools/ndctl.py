"""``ndctl ARGV``: its commands, version and help (ndctl/ndctl.c, util/main.c), on the attribute tree."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from sparsemem.errors import NotModelledError
from sparsemem.tools.files import Files
from sparsemem.tools.libndctl import Context
from sparsemem.tools.ndctl_features import ndctl_features
from sparsemem.tools.releases import version_text
from sparsemem.tools.result import Console, ToolExit, ToolResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sparsemem.tools.tree import Tree

__all__ = ["COMMANDS", "main"]

_USAGE = "ndctl [--version] [--help] COMMAND [ARGS]"
_MORE = "See 'ndctl help COMMAND' for more information on a specific command.\n ndctl --list-cmds to see all available commands"

COMMANDS: dict[str, str | None] = {
    "version": "ndctl:_version",
    "create-nfit": None,
    "enable-namespace": "ndctl_xaction:cmd_enable_namespace",
    "disable-namespace": "ndctl_xaction:cmd_disable_namespace",
    "create-namespace": "ndctl_xaction:cmd_create_namespace",
    "destroy-namespace": "ndctl_xaction:cmd_destroy_namespace",
    "read-infoblock": "ndctl_infoblock:cmd_read_infoblock",
    "write-infoblock": "ndctl_infoblock:cmd_write_infoblock",
    "check-namespace": "ndctl_xaction:cmd_check_namespace",
    "clear-errors": "ndctl_xaction:cmd_clear_errors",
    "enable-region": "ndctl_region:cmd_enable_region",
    "disable-region": "ndctl_region:cmd_disable_region",
    "enable-dimm": "ndctl_labels:cmd_enable_dimm",
    "disable-dimm": "ndctl_labels:cmd_disable_dimm",
    "zero-labels": "ndctl_labels:cmd_zero_labels",
    "read-labels": "ndctl_labels:cmd_read_labels",
    "write-labels": "ndctl_labels:cmd_write_labels",
    "init-labels": "ndctl_labels:cmd_init_labels",
    "check-labels": "ndctl_labels:cmd_check_labels",
    "inject-error": None,
    "update-firmware": None,
    "inject-smart": None,
    "wait-scrub": "ndctl_bus:cmd_wait_scrub",
    "activate-firmware": None,
    "start-scrub": "ndctl_bus:cmd_start_scrub",
    "setup-passphrase": None,
    "update-passphrase": None,
    "remove-passphrase": None,
    "freeze-security": None,
    "sanitize-dimm": None,
    "load-keys": None,
    "wait-overwrite": None,
    "list": "ndctl_list:cmd_list",
    "monitor": None,
    "help": "ndctl:_help",
}
"""Every command of ndctl 76 in its order, and where it is; None is not modelled."""

_WITH_FILES = frozenset({"ndctl_labels", "ndctl_infoblock"})
_SINCE = {
    "clear-errors": "clear_errors",
    "read-infoblock": "infoblock_commands",
    "write-infoblock": "infoblock_commands",
}


def _version(context: Context, argv: Sequence[str]) -> int:
    context.console.out(version_text(context.version) + "\n")
    return 0


def _help(context: Context, argv: Sequence[str]) -> int:
    if argv:
        raise NotModelledError(f"the manual page ndctl-{argv[0]} is not part of the model", remedy="man 1 ndctl")
    context.console.out(f"\n usage: {_USAGE}\n\n\n {_MORE}\n\n")
    return 0


def _run(context: Context, argv: Sequence[str], files: Files) -> int:
    """main(): flags, then the command."""
    console = context.console
    words = list(argv)
    if words and words[0].startswith("-"):
        words[0] = {"-h": "--help", "-v": "--version"}.get(words[0], words[0])
        if words[0] == "--list-cmds":
            for name in COMMANDS:
                if name != "create-nfit":
                    console.out(f"{name}\n")
            return 0
        if words[0] not in ("--help", "--version"):
            console.err(f"Unknown option: {words[0]}\n\n Usage: {_USAGE}\n")
            return 129
        words[0] = words[0][2:]
    if not words:
        console.out(f"\n usage: {_USAGE}\n\n\n {_MORE}\n\n")
        return 1
    if words[1:2] == ["--help"]:
        words = ["help", words[0], *words[2:]]
    name, rest = words[0], words[1:]
    gate = _SINCE.get(name)
    if name not in COMMANDS or (gate is not None and not getattr(ndctl_features(context.version), gate)):
        console.err(f"Unknown command: '{name}'\n")
        return 1
    where = COMMANDS[name]
    if where is None:
        raise NotModelledError(f"ndctl {name} is not modelled", why="it needs firmware, keys or a daemon")
    module, function = where.split(":")
    command = getattr(import_module(f"sparsemem.tools.{module}"), function)
    if module in _WITH_FILES:
        return int(command(context, rest, files))
    return int(command(context, rest))


def main(
    tree: Tree,
    argv: Sequence[str],
    console: Console | None = None,
    version: tuple[int, ...] = (76,),
    files: Files | None = None,
) -> ToolResult:
    """``ndctl ARGV...``, the words behind the tool's name. ``version``: the release of ndctl that is modelled.

    ``files``: those that -i and -o mean.

    Raises NotModelledError for a command or a release that is not there.
    """
    console = Console() if console is None else console
    ndctl_features(version)
    try:
        rc = _run(Context(tree, console, version), argv, Files() if files is None else files)
    except ToolExit as left:
        rc = left.code
    return console.result(rc)
