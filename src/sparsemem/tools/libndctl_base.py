"""The ground of libndctl: a context on a tree, attributes that are read once, binding to drivers, and the devices in a region.

Functions that act answer as the library does: 0 or more, or a negative errno; what the library logs goes to the console.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Generic, TypeVar

from sparsemem.machine.sysfs_error import SysfsError
from sparsemem.tools.releases import debug_built, hints_at_root

if TYPE_CHECKING:
    from collections.abc import Callable

    from sparsemem.tools.result import Console
    from sparsemem.tools.tree import Tree

__all__ = ["EBUSY", "EINVAL", "ENXIO", "EOPNOTSUPP", "ULLONG_MAX", "Children", "Context", "Device", "Lbasize", "number"]

ENXIO, EACCES, EBUSY, EINVAL, EOPNOTSUPP = 6, 13, 16, 22, 95
ULLONG_MAX = (1 << 64) - 1
_NUMBER = re.compile(r"\s*([+-]?)(0[xX][0-9a-fA-F]+|[0-9]+)")
_OCTAL = re.compile(r"0[0-7]+")


def number(text: str | None, default: int = 0) -> int:
    """C's strtoull(text, NULL, 0): what stands at the front."""
    match = _NUMBER.match(text or "")
    if match is None:
        return default
    digits = match[2]
    if digits[0] == "0" and len(digits) > 1 and digits[1] not in "xX":
        octal = _OCTAL.match(digits)
        value = int(octal[0], 8) if octal else 0
    else:
        value = int(digits, 0)
    return -value if match[1] == "-" else value


class Context:
    """A library context on one tree. ``verbose``: ndctl_set_log_priority(LOG_DEBUG), the library tells what it does."""

    def __init__(self, tree: Tree, console: Console, version: tuple[int, ...] = (76,)) -> None:
        self.tree = tree
        self.console = console
        self.version = version
        self.page_size = tree.page_size
        self.verbose = False
        self.dax_regions_told = False

    @property
    def telling(self) -> bool:
        """Lines at LOG_DEBUG are shown."""
        return self.verbose and debug_built(self.version)

    def read_attr(self, path: str) -> tuple[str | None, int]:
        """sysfs_read_attr(): the text without its newline, or None and the negative errno."""
        try:
            return self.tree.read(path).removesuffix("\n"), 0
        except SysfsError as refused:
            if self.telling or refused.number == EACCES:
                doing = "open" if refused.number in (2, EACCES, 21) else "read"
                self._refused("__sysfs_read_attr", f"failed to {doing} {path}", refused.number, hints=doing == "open")
            return None, -refused.number

    def read(self, path: str) -> str | None:
        """sysfs_read_attr() where only success matters."""
        return self.read_attr(path)[0]

    def write(self, path: str, text: str, *, quiet: bool = False) -> int:
        """sysfs_write_attr(): 0 or a negative errno."""
        try:
            self.tree.write(path, text)
        except SysfsError as refused:
            if refused.number in (2, EACCES, 21):
                self._refused("write_attr", f"failed to open {path}", refused.number)
            elif not quiet:
                self._refused("write_attr", f"failed to write {text} to {path}", refused.number)
            return -refused.number
        return 0

    def _refused(self, function: str, problem: str, number: int, *, hints: bool = True) -> None:
        hints = hints and number in (1, EACCES) and hints_at_root(self.version)
        self.console.refused("libndctl", function, problem, number, show=self.telling, hints=hints)

    def err(self, function: str, text: str) -> None:
        """A line at LOG_ERR."""
        self.console.library("libndctl", function, text)

    def dbg(self, function: str, text: str) -> None:
        """A line at LOG_DEBUG."""
        if self.telling:
            self.console.library("libndctl", function, text)

    def device_parse(self, base: str, prefix: str) -> list[tuple[int, str]]:
        """``(id, path)`` of each directory ``PREFIX<id>``, in the order of readdir()."""
        self.dbg("__sysfs_device_parse", f"base: '{base}' dev: '{prefix}'")
        pattern = re.compile(re.escape(prefix) + r"(\d+)")
        found = []
        for name in self.tree.listdir(base):
            match = pattern.match(name)
            if match is not None:
                found.append((int(match[1]), f"{base}/{name}"))
        return found

    def bind(self, name: str) -> int:
        """util_bind(): offer the device to each driver of the bus until one takes it."""
        drivers = "/sys/bus/nd/drivers"
        names = self.tree.listdir(drivers)
        if not names and not self.tree.exists(drivers):
            self.err("__util_bind", f'{name}: opendir("{drivers}") failed')
            return -ENXIO
        refused = 0
        for driver in names:
            refused = self.write(f"{drivers}/{driver}/bind", name, quiet=True)
            if refused == 0:
                break
        if refused:
            self.dbg("__util_bind", f"{name}: bind failed")
            return -ENXIO
        return 0

    def unbind(self, path: str) -> int:
        """util_unbind()."""
        return self.write(f"{path}/driver/unbind", path.rpartition("/")[2])

    def block_device(self, path: str) -> str | None:
        """get_block_device(): the one name below ``block``."""
        names = self.tree.listdir(path)
        if not names and not self.tree.exists(path):
            self.dbg("get_block_device", f"no block device found: {path}")
        return names[0] if len(names) == 1 else None


class Lbasize:
    """``struct ndctl_lbasize``: "4096 [512] " and the like. ``select`` is -1 where none is chosen."""

    __slots__ = ("select", "supported")

    def __init__(self, text: str) -> None:
        self.supported: list[int] = []
        self.select = -1
        for field in text.split(" ")[:-1]:
            match = re.match(r"(\[?)\s*([+-]?\d+)(?(1)\]?)", field)
            if match is None:
                break
            if match[1]:
                self.select = len(self.supported)
            self.supported.append(int(match[2]))

    @property
    def num(self) -> int:
        return len(self.supported)

    def choose(self, size: int) -> None:
        """The last of those that fit, as the library's loop leaves it."""
        if size in self.supported:
            self.select = self.supported.index(size)


class Device:
    """A directory of the tree. ``attr`` reads an attribute once and keeps it; ``now`` reads it at every call."""

    #: what the library reads again for a device that a rescan finds for the second time
    REFRESHED: tuple[str, ...] = ()

    def __init__(self, context: Context, nr: int, path: str) -> None:
        self.context = context
        self.id = nr
        self.path = path
        self.devname = path.rpartition("/")[2]
        self._kept: dict[str, str | None] = {}

    def attr(self, name: str) -> str | None:
        kept = self._kept
        if name not in kept:
            try:
                kept[name] = self.context.tree.read(f"{self.path}/{name}").removesuffix("\n")
            except SysfsError:
                kept[name] = None
        return kept[name]

    def keep(self, name: str, value: str | None) -> None:
        """What the library believes after it wrote."""
        self._kept[name] = value

    def forget(self, *names: str) -> None:
        """Read them again when asked next."""
        for name in names:
            self._kept.pop(name, None)

    def now(self, name: str) -> str | None:
        return self.context.read(f"{self.path}/{name}")

    def write(self, name: str, text: str) -> int:
        return self.context.write(f"{self.path}/{name}", text)

    @property
    def is_enabled(self) -> bool:
        return self.context.tree.readlink(f"{self.path}/driver") is not None

    def enable_device(self, function: str) -> int:
        """Bind; an error of the kernel's is the library's ENXIO."""
        if self.is_enabled:
            return 0
        self.context.bind(self.devname)
        if not self.is_enabled:
            self.context.err(function, f"{self.devname}: failed to enable")
            return -ENXIO
        self.context.dbg(function, f"{self.devname}: enabled")
        return 0

    def disable_device(self, function: str) -> int:
        """Unbind; refused is the library's EBUSY."""
        if not self.is_enabled:
            return 0
        self.context.unbind(self.path)
        if self.is_enabled:
            self.context.err(function, f"{self.devname}: failed to disable")
            return -EBUSY
        self.context.dbg(function, f"{self.devname}: disabled")
        return 0


D = TypeVar("D", bound=Device)


class Children(Generic[D]):
    """The devices of one kind in a region, kept over rescans: what a rescan finds new stands in front.

    ``find`` looks for one name only and does not list the directory, so that a command costs the same beside ten thousand
    namespaces; a verbose library shows its scans, so then everything is listed.
    """

    def __init__(
        self,
        context: Context,
        base: str,
        prefix: str,
        make: Callable[[int, str], D],
        scan: Callable[[Context, str], None],
    ) -> None:
        self.context = context
        self.base = base
        self.prefix = prefix
        self.make = make
        self.scan = scan
        self._known: dict[str, D] = {}
        self._order: list[str] = []
        self._stale = True

    def get(self) -> list[D]:
        """All, in the library's order: the last found first."""
        if self._stale:
            self._stale = False
            listed = set(self._order)
            for nr, path in self.context.device_parse(self.base, self.prefix):
                name = path.rpartition("/")[2]
                if self.context.telling:
                    self.scan(self.context, path)
                if name not in self._known:
                    self._known[name] = self.make(nr, path)
                if name not in listed:
                    self._order.insert(0, name) if listed else self._order.append(name)
                self.context.dbg("__sysfs_device_parse", f"{self.prefix}{nr}: processed")
            if not listed:
                self._order.reverse()
        return [self._known[name] for name in self._order]

    def find(self, name: str | None) -> D | None:
        """The device of that name."""
        if name is not None and self.context.telling:
            self.get()
        if name is None or not name.startswith(self.prefix):
            return None
        known = self._known.get(name)
        if known is None and self._stale:
            path = f"{self.base}/{name}"
            nr = name[len(self.prefix) :]
            if nr.isdecimal() and self.context.tree.exists(path):
                known = self._known[name] = self.make(int(nr), path)
        return known

    def rescan(self) -> None:
        """``namespaces_init = 0``: look again when asked next."""
        self._stale = True

    def refresh(self) -> None:
        """Look again; sizes and places of what was known are read again."""
        self._stale = True
        for each in self._known.values():
            each.forget(*each.REFRESHED)
        if self.context.telling:
            self.get()

    def drop(self, device: Device) -> None:
        """Free one and look again when asked next."""
        if self._known.pop(device.devname, None) is not None and device.devname in self._order:
            self._order.remove(device.devname)
        self._stale = True

    def clear(self) -> None:
        """Free all: the region was disabled."""
        self._known.clear()
        self._order.clear()
        self._stale = True
