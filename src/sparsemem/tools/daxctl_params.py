"""The commands of daxctl, their options, and what is refused before any device is looked at (daxctl/device.c)."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from sparsemem.errors import NotModelledError
from sparsemem.tools.daxctl_features import DaxctlFeatures, daxctl_features
from sparsemem.tools.libdaxctl import Context
from sparsemem.tools.options import Option, parse_options, parse_size64, usage_with_options
from sparsemem.tools.releases import known
from sparsemem.tools.result import ToolExit, strerror

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sparsemem.tools.files import Files
    from sparsemem.tools.options import Values

__all__ = [
    "COMMANDS",
    "CONFIG_DIR",
    "Command",
    "Run",
    "known_commands",
    "options_of",
    "parse_device_options",
    "region_word",
]

EINVAL = 22
CONFIG_DIR = "/etc/daxctl.conf.d/"
_BASE = (
    Option("r", "region", "str", "region", "region-id", "filter by region"),
    Option("u", "human", "bool", "human", "", "use human friendly number formats"),
    Option("v", "verbose", "bool", "verbose", "", "emit more debug messages"),
)
_CREATE = (
    Option("s", "size", "str", "size", "size", "size to switch the device to"),
    Option("a", "align", "str", "align", "align", "alignment to switch the device to"),
    Option("", "input", "str", "input", "input", "input device JSON file"),
)
_RECONFIG = (
    Option("m", "mode", "str", "mode", "mode", "mode to switch the device to"),
    Option("N", "no-online", "bool", "no_online", "", "don't auto-online memory sections"),
    Option("f", "force", "bool", "force", "", "attempt to offline memory sections before reconfiguration"),
)
_CONFIG = (
    Option(
        "C", "check-config", "bool", "check_config", "", "use config files to determine parameters for the operation"
    ),
)
_ZONE = (Option("", "no-movable", "bool", "no_movable", "", "online memory in ZONE_NORMAL"),)
_DESTROY = (Option("f", "force", "bool", "force", "", "attempt to disable before destroying device"),)
_LIST = (
    Option("r", "region", "str", "region", "region-id", "filter by region"),
    Option("d", "dev", "str", "dev", "dev-id", "filter by dax device instance name"),
    Option("D", "devices", "bool", "devices", "", "include dax device info"),
    Option("R", "regions", "bool", "regions", "", "include dax region info"),
    Option("M", "mappings", "bool", "mappings", "", "include dax mappings info"),
    Option("i", "idle", "bool", "idle", "", "include idle devices"),
    Option("u", "human", "bool", "human", "", "use human friendly number formats "),
)


class Command(NamedTuple):
    """``since``: the first release that has it. ``asks``, ``doing`` and ``done`` are what it says; {} a count and the plural's s."""

    since: int
    usage: str
    options: tuple[Option, ...]
    asks: str = ""
    doing: str = ""
    done: str = ""


def _device(since: int, name: str, extra: tuple[Option, ...], says: tuple[str, str, str]) -> Command:
    return Command(since, f"daxctl {name}", _BASE + extra, *says)


COMMANDS: dict[str, Command | None] = {
    "version": None,
    "list": Command(56, "daxctl list [<options>]", _LIST),
    "help": None,
    "split-acpi": None,
    "migrate-device-model": None,
    "create-device": _device(
        71, "create-device [<options>]", _CREATE + _RECONFIG + _CONFIG + _ZONE, ("", "creating devices", "created {} device{}")
    ),
    "destroy-device": _device(
        71, "destroy-device <device> [<options>]", _DESTROY, ("destroy", "destroying devices", "destroyed {} device{}")
    ),
    "reconfigure-device": _device(
        66, "reconfigure-device <device> [<options>]", _CREATE + _RECONFIG + _CONFIG + _ZONE,
        ("reconfigure", "reconfiguring devices", "reconfigured {} device{}"),
    ),
    "online-memory": _device(
        66, "online-memory <device> [<options>]", _ZONE,
        ("online memory for", "onlining memory", "onlined memory for {} device{}"),
    ),
    "offline-memory": _device(
        66, "offline-memory <device> [<options>]", (),
        ("offline memory for", "offlining memory", "offlined memory for {} device{}"),
    ),
    "disable-device": _device(71, "disable-device <device>", (), ("disable", "disabling device", "disabled {} device{}")),
    "enable-device": _device(71, "enable-device <device>", (), ("disable", "enabling device", "enabled {} device{}")),
}  # fmt: skip
"""Every command of daxctl 76 in its order; None for those without a device. enable-device asks for one "to disable": so the tool."""
_SINCE = {"split-acpi": 70, "migrate-device-model": 64}


def known_commands(version: tuple[int, ...]) -> tuple[str, ...]:
    """The commands of a release, in the order of --list-cmds."""
    since = {name: _SINCE.get(name, 0) if command is None else command.since for name, command in COMMANDS.items()}
    return tuple(name for name, first in since.items() if first <= version[0])


def options_of(name: str, command: Command, features: DaxctlFeatures) -> tuple[Option, ...]:
    """The options of a release: some came later, and create-device lost those of reconfigure-device with v80 (67afbf1)."""
    missing: set[str] = set()
    if not features.no_movable:
        missing |= {"no_movable"}
    if not features.sizes:
        missing |= {"size", "align", "input"}
    if not features.check_config:
        missing |= {"check_config"}
    if name == "create-device" and features.create_takes_no_words:
        missing |= {"mode", "no_online", "force", "check_config", "no_movable"}
    if not features.mappings:
        missing |= {"mappings"}
    options = tuple(option for option in command.options if option.key not in missing)
    if features.region_names:
        return options
    about = "filter by region" if name == "list" else "restrict to the given region"
    number = Option("r", "region", "uint", "region", "", about)
    return tuple(number if option.key == "region" else option for option in options)


def region_word(values: Values) -> None:
    """Before names were taken: the number that was given is kept as a word, a negative one means all regions."""
    number = values.get("region")
    if isinstance(number, int):
        values["region"] = str(number) if number < 1 << 31 else None


class Run:
    """One run of a command on devices: its parameters, and how it says things."""

    def __init__(self, ctx: Context, name: str, values: Values) -> None:
        self.ctx = ctx
        self.name = name
        self.values = values
        self.size = -1
        self.align = -1
        self.mode = ""
        self.mappings: list[tuple[int, int]] = []
        self.found: list[dict[str, Any]] = []
        self.features = daxctl_features(ctx.version)

    def say(self, text: str) -> None:
        self.ctx.console.err(f"{text}\n")

    def on(self, key: str) -> bool:
        return bool(self.values.get(key))

    def text(self, key: str) -> str | None:
        value = self.values.get(key)
        return value if isinstance(value, str) else None

    @property
    def flags(self) -> frozenset[str]:
        return frozenset(key for key in ("human", "devices", "mappings", "idle") if self.on(key))


def _signed(text: str) -> int:
    """A size in a C long long: -1 for what is none."""
    value = parse_size64(text)
    return value - (1 << 64) if value >> 63 else value


def parse_device_options(ctx: Context, name: str, argv: Sequence[str], files: Files) -> tuple[Run, str | None]:
    """The run and the device word. Raises ToolExit after the words of the tool."""
    command, console = COMMANDS[name], ctx.console
    assert command is not None
    features = daxctl_features(ctx.version)
    options = options_of(name, command, features)
    values, rest = parse_options(argv, options, command.usage, console)
    region_word(values)
    run = Run(ctx, name, values)
    wrong = False
    if not rest and name != "create-device":
        run.say(f'specify a device to {command.asks}, or "all"')
        wrong = True
    for word in rest[0 if name == "create-device" and features.create_takes_no_words else 1 :]:
        run.say(f'unknown extra parameter "{word}"')
        wrong = True
    device = rest[0] if rest else None
    if device is not None and features.device_paths:
        device = device.rpartition("/")[2]
    if not wrong:
        ctx.verbose = run.on("verbose")
        if device is not None and run.on("check_config"):
            wrong = _check_config(run, device, files)
        if not wrong:
            wrong = _settings(run, files)
    if wrong:
        raise usage_with_options(console, command.usage, options)
    return run, device


def _check_config(run: Run, device: str, files: Files) -> bool:
    if run.text("mode") is not None or run.on("no_online") or run.on("no_movable"):
        run.say(f"{device}: -C cannot be used with --mode, --(no-)movable, or --(no-)online")
        return True
    if run.name == "reconfigure-device" and device != "all":
        if any(path.startswith(CONFIG_DIR) for path in files.content):
            raise NotModelledError(f"daxctl does not read config files ({CONFIG_DIR}) here", remedy="give the options")
        if not _belongs_to_namespace(run, device):
            run.say(f"no UUID match for {device} found in config files")
    run.say(f"{device}: missing or malformed config section")
    raise ToolExit(0)


def _belongs_to_namespace(run: Run, device: str) -> bool:
    quiet = Context(run.ctx.tree, run.ctx.console)
    for region in quiet.regions():
        devices = region.devices() if re.search(r"/ndbus\d+/region\d+/dax\d+\.\d+\Z", region.path) else []
        if devices and devices[0].name == device:
            return True
    return False


def _settings(run: Run, files: Files) -> bool:
    size, align, mode = run.text("size"), run.text("align"), run.text("mode")
    if run.name == "reconfigure-device":
        if size is None and align is None and mode is None:
            wanted = "'align', 'mode' or 'size'" if run.features.sizes else "'mode'"
            run.say(f"error: a {wanted} option is required")
            return True
        if size is None and align is None:
            modes = ["system-ram", "devdax"]
            if mode == "famfs" and known(run.features.famfs, "there is a mode famfs"):
                modes.append(mode)
            run.mode = mode if mode in modes else ""
            if run.mode in ("devdax", "famfs") and run.on("no_online"):
                run.say(f"--no-online is incompatible with --mode={run.mode}")
                return True
    if run.name == "create-device" and run.text("input") is not None:
        if not _device_file(run, files):
            run.say(f"error: failed to parse device file: {strerror(EINVAL)}")
            return True
        size, align = run.text("size"), run.text("align")
    if run.name in ("reconfigure-device", "create-device"):
        run.size = _signed(size) if size is not None else -1
        run.align = _signed(align) if align is not None else -1
    return False


def _device_file(run: Run, files: Files) -> bool:
    """``parse_device_file``: what ``daxctl list -DM`` printed of one device. False where it is not that."""
    path = run.text("input") or ""
    if files.cannot_read(path):
        return False
    try:
        found = json.loads(files.input(path).decode())
        mappings = sorted(found["mappings"], key=lambda each: int(each["page_offset"]))
        name = re.match(r"dax(\d+)\.(\d+)", found["chardev"])
        if name is None:
            return False
        run.values |= {"align": str(found["align"]), "size": str(found["size"]), "region": str(int(name[1]))}
        run.mappings = [(int(each["start"]), int(each["end"])) for each in mappings]
    except (ValueError, KeyError, TypeError):
        return False
    return True
