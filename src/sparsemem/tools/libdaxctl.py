"""What libdaxctl does on the attribute tree: enumerate, bind, resize, and bring memory blocks online and offline.

Functions answer as the library does: 0 or more, or a negative errno; what the library logs goes to the console.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sparsemem.errors import NotModelledError
from sparsemem.machine.kernfs import readdir_order
from sparsemem.machine.sysfs_error import SysfsError
from sparsemem.tools.daxctl_features import daxctl_features
from sparsemem.tools.releases import debug_built, hints_at_root
from sparsemem.tools.result import strerror

if TYPE_CHECKING:
    from collections.abc import Callable

    from sparsemem.tools.result import Console
    from sparsemem.tools.tree import Tree

__all__ = ["Context", "Device", "Memory", "Region", "stumbles_over_memory_failure"]

_DEVICES = "/sys/bus/dax/devices"
_DRIVERS = "/sys/bus/dax/drivers"
_CLASS = "/sys/class/dax"
_MEMORY = "/sys/devices/system/memory"
_NOT_OPENED = (2, 13, 21)
_NAME = re.compile(r"dax(\d+)\.(\d+)")
MODES = {"devdax": "device_dax", "system-ram": "kmem", "famfs": "fsdev_dax"}
_ZONES = {"Movable": "online_movable", "Normal": "online"}


def stumbles_over_memory_failure(version: tuple[int, ...], kernel: tuple[int, int]) -> bool:
    """Does this daxctl take nodeN/memory_failure (Linux 6.3, 44b8f8bf2438; not modelled) for a memory block, and fail?"""
    return kernel >= (6, 3) and not daxctl_features(version).skips_memory_failure


@dataclass
class Context:
    """A libdaxctl context on one tree. ``verbose``: daxctl_set_log_priority(LOG_DEBUG)."""

    tree: Tree
    console: Console
    version: tuple[int, ...] = (76,)
    verbose: bool = False
    _regions: list[Region] | None = None

    @property
    def telling(self) -> bool:
        """Lines at LOG_DEBUG are shown."""
        return self.verbose and debug_built(self.version)

    def dbg(self, function: str, text: str) -> None:
        """A line at LOG_DEBUG."""
        if self.telling:
            self.console.library("libdaxctl", function, text)

    def err(self, function: str, text: str) -> None:
        self.console.library("libdaxctl", function, text)

    def read(self, path: str) -> str | None:
        try:
            return self.tree.read(path).removesuffix("\n")
        except SysfsError as refused:
            doing = "open" if refused.number in _NOT_OPENED else "read"
            self._refused("__sysfs_read_attr", f"failed to {doing} {path}", refused.number, hints=doing == "open")
            return None

    def write(self, path: str, text: str, *, quiet: bool = False) -> int:
        try:
            self.tree.write(path, text)
        except SysfsError as refused:
            if refused.number in _NOT_OPENED:
                self._refused("write_attr", f"failed to open {path}", refused.number)
            elif not quiet:
                self._refused("write_attr", f"failed to write {text} to {path}", refused.number)
            return -refused.number
        return 0

    def _refused(self, function: str, problem: str, number: int, *, hints: bool = True) -> None:
        hints = hints and number in (1, 13) and hints_at_root(self.version)
        self.console.refused("libdaxctl", function, problem, number, show=self.telling, hints=hints)

    def link(self, path: str) -> str | None:
        return None if self.tree.readlink(path) is None else self.tree.realpath(path)

    def names(self, path: str) -> list[str]:
        return self.tree.listdir(path)

    def regions(self) -> list[Region]:
        """Newest find first, as the library keeps them."""
        if self._regions is None:
            self._regions = self._find_regions()
        return self._regions

    def _find_regions(self) -> list[Region]:
        if self.telling and not self.tree.exists(_CLASS):
            self.dbg("__dax_regions_init", f"no dax regions found via: {_CLASS}")
        found: dict[str, Region] = {}
        for name in self.names(_DEVICES):
            match, target = _NAME.fullmatch(name), self.link(f"{_DEVICES}/{name}")
            if match is not None and target is not None:
                path = target.rpartition("/")[0]
                self.dbg("add_dax_region", f"add_dax_region: '{path}'")
                found.setdefault(path, Region(self, int(match[1]), path))
        return list(reversed(found.values()))


@dataclass
class Region:
    """A dax region: ``path`` is the device that backs it."""

    ctx: Context
    id: int
    path: str
    _known: dict[str, Device] | None = None

    def number(self, name: str) -> int | None:
        text = self.ctx.read(f"{self.path}/dax_region/{name}")
        return int(text) if text is not None and text.isdecimal() else None

    def devices(self) -> list[Device]:
        """Newest find first, as the library keeps them."""
        if self._known is None:
            self._known = {}
            self.scan()
        return list(reversed(self._known.values()))

    def scan(self) -> None:
        """Look for devices, again: those that are known stay as they were read."""
        ctx, start, known = self.ctx, f"dax{self.id}.", self._known
        assert known is not None
        if ctx.telling:
            ctx.dbg("__sysfs_device_parse", f"base: '{self.path}/dax' dev: '{start}'")
            if not ctx.tree.exists(f"{self.path}/dax"):
                ctx.dbg("__sysfs_device_parse", f'no "{start}" devices found')
            ctx.dbg("__sysfs_device_parse", f"base: '{self.path}' dev: '{start}'")
        for name in ctx.names(self.path):
            if not name.startswith(start) or not _NAME.match(name):
                continue
            ctx.dbg("add_dax_dev", f"add_dax_dev: base: '{self.path}/{name}'")
            if name not in known:
                known[name] = Device(self, name)
            ctx.dbg("__sysfs_device_parse", f"{name}: processed")

    def create_dev(self) -> int:
        return self.ctx.write(f"{self.path}/dax_region/create", "1")

    def destroy_dev(self, dev: Device) -> int:
        return self.ctx.write(f"{self.path}/dax_region/delete", dev.name)

    def seed(self) -> Device | None:
        name = self.ctx.read(f"{self.path}/dax_region/seed")
        self._known = None if self._known is None or name not in self._known else self._known
        return next((each for each in self.devices() if each.name == name), None)


class Device:
    """A dax device with what the library reads once: size, resource, align and target node."""

    def __init__(self, region: Region, name: str) -> None:
        self.region, self.name, self.ctx = region, name, region.ctx
        self.path = f"{region.path}/{name}"
        self.id = int(name.rpartition(".")[2])
        self.size = int(self.ctx.read(f"{self.path}/size") or "0")
        self.resource = int(self.ctx.read(f"{self.path}/resource") or "0", 0)
        self.align = int(self.ctx.read(f"{self.path}/align") or "0")
        self.target_node = int(self.ctx.read(f"{self.path}/target_node") or "-1")

    @property
    def is_enabled(self) -> bool:
        return self.driver() is not None

    def driver(self) -> str | None:
        target = self.ctx.link(f"{self.path}/driver")
        return None if target is None else target.rpartition("/")[2]

    def mode(self) -> str | None:
        """``daxctl_dev_get_mode``: None without a driver, or with another."""
        return next((mode for mode, driver in MODES.items() if driver == self.driver()), None)

    def memory(self) -> Memory | None:
        """Not None while the device is in system-ram mode."""
        return Memory(self) if self.driver() == MODES["system-ram"] else None

    def enable(self, mode: str) -> int:
        """Bind to the driver of a mode: announce the name to it, then bind."""
        driver = MODES[mode]
        if self.driver() is not None:
            return 0
        ctx = self.ctx
        ctx.dbg("daxctl_insert_kmod_for_mode", f"{self.name} inserting module: {driver}")
        if mode == "famfs":
            return self._no_famfs(driver)
        ctx.write(f"{_DRIVERS}/{driver}/new_id", self.name, quiet=True)
        rc = ctx.write(f"{_DRIVERS}/{driver}/bind", self.name, quiet=True)
        if rc:
            ctx.dbg("daxctl_bind", f"{self.name}: bind failed")
        if self.driver() is None:
            ctx.err("daxctl_dev_enable", f"{self.name}: failed to enable")
            return rc or -6
        if self.region.devices():
            self.region.scan()
        ctx.dbg("daxctl_dev_enable", f"{self.name}: enabled")
        return 0

    def _no_famfs(self, driver: str) -> int:
        """libkmod finds no such module: the driver came with Linux 7.1 or 7.2 (d5406bd458b0), and is not modelled."""
        kernel = self.ctx.tree.kernel
        if kernel is None or kernel >= (7, 0):
            raise NotModelledError(
                "the driver fsdev_dax (daxctl's mode famfs) is not modelled", remedy="a kernel before 7.0 has none"
            )
        self.ctx.console.err(f"libkmod: ERROR: kmod_module_insert_module: could not find module by name='{driver}'\n")
        self.ctx.err("daxctl_insert_kmod_for_mode", f"{self.name}: insert failure: -2")
        return -2

    def disable(self) -> int:
        if self.driver() is None:
            return 0
        if not self.ctx.write(f"{self.path}/driver/remove_id", self.name):
            self.ctx.write(f"{self.path}/driver/unbind", self.name)
        if self.driver() is not None:
            self.ctx.err("daxctl_dev_disable", f"{self.name}: failed to disable")
            return -16
        self.ctx.dbg("daxctl_dev_disable", f"{self.name}: disabled")
        return 0

    def _set(self, name: str, value: str) -> int:
        if self.ctx.write(f"{self.path}/{name}", value):
            self.ctx.err(f"daxctl_dev_set_{name}", f"{self.name}: failed to set {name}")
            return -6
        return 0

    def set_size(self, size: int) -> int:
        rc = self._set("size", f"{size:#x}\n" if size else "0\n")
        self.size = self.size if rc else size
        return rc

    def set_align(self, align: int) -> int:
        rc = self._set("align", f"{align:#x}\n")
        self.align = self.align if rc else align
        return rc

    def set_mapping(self, start: int, end: int) -> int:
        rc = self._set("mapping", f"{start:#x}-{end:#x}\n")
        self.size += 0 if rc else end - start + 1
        return rc

    def mappings(self) -> list[tuple[int, int, int]]:
        """(page offset, start, end), last first, as the library keeps them."""
        found: list[tuple[int, int, int]] = []
        while (start := self.ctx.read(f"{self.path}/mapping{len(found)}/start")) is not None:
            base = f"{self.path}/mapping{len(found)}"
            end, offset = self.ctx.read(f"{base}/end"), self.ctx.read(f"{base}/page_offset")
            if end is None or offset is None:
                break
            found.append((int(offset, 0), int(start, 0), int(end, 0)))
        return found[::-1]


class Memory:
    """The memory blocks that start inside a device in system-ram mode."""

    def __init__(self, dev: Device) -> None:
        self.dev, self.ctx = dev, dev.ctx
        self.block_size = int(self.ctx.read(f"{_MEMORY}/block_size_bytes") or "0", 16)

    def _names(self) -> list[str]:
        """What the directory of the target node has that begins with "memory", as ``readdir`` gives it."""
        tree, node = self.ctx.tree, f"node{self.dev.target_node}"
        found = [
            name
            for name in self.ctx.names(_MEMORY)
            if re.fullmatch(r"memory\d+", name) and node in self.ctx.names(f"{_MEMORY}/{name}")
        ]
        if daxctl_features(self.ctx.version).skips_memory_failure:
            return found
        if tree.kernel is None:
            there = tree.exists(f"/sys/devices/system/node/{node}/memory_failure")
        else:
            there = stumbles_over_memory_failure(self.ctx.version, tree.kernel)
        return readdir_order([*found, "memory_failure"]) if there else found

    def _in_dev(self, name: str) -> int:
        """``memblock_in_dev``: 1, 0, or a negative errno."""
        index = self.ctx.read(f"{_MEMORY}/{name}/phys_index")
        if index is None:
            text = f"{self.dev.name}: {name}: Unable to determine phys_index: {strerror(2)}"
            self.ctx.err("memblock_in_dev", text)
            return -2
        start, end = int(index, 16) * self.block_size, self.dev.resource + self.dev.size
        behind = 0 if daxctl_features(self.ctx.version).exact_end else 1
        return int(self.dev.resource <= start < end + behind)

    def _op(self, act: Callable[[str], int]) -> int:
        """``daxctl_memory_op``: for how many blocks it was 0, or the first negative errno."""
        count = 0
        for name in self._names():
            rc = self._in_dev(name)
            if rc == 1:
                rc = act(name)
                count += rc == 0
            if rc < 0:
                return rc
        return count

    def _is_online(self, name: str) -> bool:
        return (self.ctx.read(f"{_MEMORY}/{name}/state") or "").startswith("online")

    def num_sections(self) -> int:
        return self._op(lambda name: 0)

    def num_online(self) -> int:
        return self._op(lambda name: int(not self._is_online(name)))

    def _zones(self) -> tuple[int, set[str | None]]:
        zones: set[str | None] = set()

        def find(name: str) -> int:
            if not self._is_online(name):
                return -6
            zones.add(self.ctx.read(f"{_MEMORY}/{name}/valid_zones"))
            return 0

        return self._op(find), zones

    def zone(self) -> str | None:
        """The zone that all its blocks are in; None when it differs, or is another."""
        _, zones = self._zones()
        only = zones.pop() if len(zones) == 1 else None
        return only if only in _ZONES else None

    def is_movable(self) -> int:
        """1, 0, or a negative errno when a block is offline."""
        rc, zones = self._zones()
        return rc if rc < 0 else int(zones == {"Movable"})

    def online(self, zone: str) -> int:
        """Bring every block online in a zone; the first refusal ends it."""

        def bring(name: str) -> int:
            if self._is_online(name):
                return 1
            rc = self.ctx.write(f"{_MEMORY}/{name}/state", _ZONES[zone])
            return rc if rc and not self._is_online(name) else 0

        return self._op(bring)

    def offline(self) -> int:
        """Take every block offline; the first refusal ends it."""
        return self._op(self._offline_one)

    def _offline_one(self, name: str) -> int:
        if not self._is_online(name):
            return 1
        says = daxctl_features(self.ctx.version).says_unremovable
        if says and self.ctx.read(f"{_MEMORY}/{name}/removable") == "0":
            self.ctx.err("offline_one_memblock", f"{self.dev.name}: {name} is unremovable")
            return -95
        rc = self.ctx.write(f"{_MEMORY}/{name}/state", "offline")
        if rc:
            path = f"/sys/devices/system/node/node{self.dev.target_node}/{name}/state"
            self.ctx.err("offline_one_memblock", f"{self.dev.name}: Failed to offline {path}: {strerror(rc)}")
        return rc
