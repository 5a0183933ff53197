"""daxctl: its commands, its messages and its exit codes, on the attribute tree (daxctl/daxctl.c, list.c, device.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.errors import NotModelledError
from sparsemem.tools.daxctl_device import ACTIONS, create_device
from sparsemem.tools.daxctl_features import daxctl_features
from sparsemem.tools.daxctl_json import device_filter, devices_json, region_filter, region_json
from sparsemem.tools.daxctl_params import COMMANDS, Run, known_commands, options_of, parse_device_options, region_word
from sparsemem.tools.files import Files
from sparsemem.tools.json_out import display_array
from sparsemem.tools.libdaxctl import Context
from sparsemem.tools.options import parse_options, usage_with_options
from sparsemem.tools.releases import version_text
from sparsemem.tools.result import Console, ToolExit, ToolResult, strerror

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sparsemem.tools.tree import Tree

__all__ = ["main"]

ENXIO = 6
_USAGE = "daxctl [--version] [--help] COMMAND [ARGS]"
_MORE = "See 'daxctl help COMMAND' for more information on a specific command.\n daxctl --list-cmds to see all available commands"


def main(
    tree: Tree,
    argv: Sequence[str],
    console: Console | None = None,
    version: tuple[int, ...] = (76,),
    files: Files | None = None,
) -> ToolResult:
    """``daxctl ARGV...``, the words behind the tool's name. ``version``: the release that is modelled; ``files``: what --input means.

    Raises NotModelledError for a command that is not there, and for config files.
    """
    console = Console() if console is None else console
    try:
        rc = _run(Context(tree, console, version), list(argv), Files() if files is None else files)
    except ToolExit as left:
        rc = left.code
    return console.result(rc)


def _run(ctx: Context, words: list[str], files: Files) -> int:
    """main(): flags, then the command."""
    console = ctx.console
    if words and words[0].startswith("-"):
        words[0] = {"-h": "--help", "-v": "--version"}.get(words[0], words[0])
        if words[0] == "--list-cmds":
            console.out("".join(f"{name}\n" for name in known_commands(ctx.version)))
            return 0
        if words[0] not in ("--help", "--version"):
            console.err(f"Unknown option: {words[0]}\n\n Usage: {_USAGE}\n")
            return 129
        words[0] = words[0][2:]
    if not words:
        console.out(f"\n usage: {_USAGE}\n\n\n {_MORE}\n\n")
        return 1
    if words[1:2] == ["--help"]:
        words = ["help", words[0]]
    name, rest = words[0], words[1:]
    if name not in known_commands(ctx.version):
        console.err(f"Unknown command: '{name}'\n")
        return 1
    if COMMANDS[name] is None:
        return _simple(ctx, name, rest)
    if name == "list":
        return _list(ctx, rest)
    run, device = parse_device_options(ctx, name, rest, files)
    return _create(run) if name == "create-device" else _act(run, device or "")


def _simple(ctx: Context, name: str, rest: list[str]) -> int:
    if name == "version":
        ctx.console.out(version_text(ctx.version) + "\n")
    elif name == "help" and not rest:
        ctx.console.out(f"\n usage: {_USAGE}\n\n\n {_MORE}\n\n")
    elif name == "help":
        raise NotModelledError(f"the manual page daxctl-{rest[0]} is not part of the model", remedy="man 1 daxctl")
    else:
        raise NotModelledError(f"daxctl {name} is not modelled", why="it writes files for the next boot")
    return 0


def _list(ctx: Context, argv: list[str]) -> int:
    command, console = COMMANDS["list"], ctx.console
    assert command is not None
    options = options_of("list", command, daxctl_features(ctx.version))
    values, rest = parse_options(argv, options, command.usage, console)
    region_word(values)
    for word in rest:
        console.error(f'unknown parameter "{word}"\n')
    if rest:
        raise usage_with_options(console, command.usage, options)
    run = Run(ctx, "list", values)
    if not run.on("regions") and not run.on("devices"):
        values["regions"], values["devices"] = run.text("region") is not None, run.text("dev") is not None
        if not run.on("regions"):
            values["devices"] = True
    found = []
    for region in ctx.regions():
        if not region_filter(region, run.text("region")):
            continue
        if run.on("regions"):
            found.append(region_json(region, run.text("dev"), run.flags))
        else:
            found += devices_json(region, run.text("dev"), run.flags)
    if found:
        console.out(display_array(found, human=run.on("human")))
    return 0


def _finish(run: Run, rc: int, processed: int) -> int:
    command = COMMANDS[run.name]
    assert command is not None
    if run.found:
        run.ctx.console.out(display_array(run.found[-1:], human=run.on("human")))
    if rc < 0:
        run.say(f"error {command.doing}: {strerror(rc)}")
    run.say(command.done.format(processed, "" if processed == 1 else "s"))
    return rc


def _create(run: Run) -> int:
    rc, processed = -ENXIO, 0
    for region in run.ctx.regions():
        if region_filter(region, run.text("region")):
            rc = create_device(run, region)
            processed += rc == 0
    return _finish(run, rc, processed)


def _act(run: Run, device: str) -> int:
    """The last device's answer is the exit code; since v79 the last that was not 0, and no device at all is a success."""
    rc, saved, processed = -ENXIO, 0, 0
    for region in run.ctx.regions():
        if not region_filter(region, run.text("region")):
            continue
        for dev in region.devices():
            if device_filter(dev, device):
                rc = ACTIONS[run.name](run, dev)
                processed += rc == 0
                saved = rc or saved
    return _finish(run, saved if run.features.any_error else rc, processed)
