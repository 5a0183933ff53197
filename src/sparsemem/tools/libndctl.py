"""What libndctl does on the attribute tree: buses, DIMMs, regions, and the namespaces in them.

One class a C structure, functions under libndctl's names without their prefix. Functions that act answer as the library does: 0 or more,
or a negative errno; what the library logs at LOG_ERR goes to the console. An attribute is read when it is first asked for and kept, as
the library keeps what it read when it found the device.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sparsemem.tools import libndctl_base
from sparsemem.tools.libndctl_base import EBUSY, ENXIO, EOPNOTSUPP, ULLONG_MAX, Children, Device, number
from sparsemem.tools.libndctl_devices import Btt, Pfn
from sparsemem.tools.libndctl_namespace import NS_IO, NS_PMEM, Namespace
from sparsemem.tools.libndctl_verbose import (
    scan_btt,
    scan_bus,
    scan_dimm,
    scan_namespace,
    scan_pfn,
    scan_region,
    scan_region_type,
)
from sparsemem.tools.ndctl_features import ndctl_features

if TYPE_CHECKING:
    from sparsemem.tools.result import Console
    from sparsemem.tools.tree import Tree

ENOENT = 2

__all__ = ["Bus", "Context", "Device", "Dimm", "Mapping", "Region"]


class Context(libndctl_base.Context):
    """A library context on one tree, and the buses that it found."""

    def __init__(self, tree: Tree, console: Console, version: tuple[int, ...] = (76,)) -> None:
        super().__init__(tree, console, version)
        self._buses: list[Bus] | None = None

    def buses(self) -> list[Bus]:
        """Last found first, as all lists of the library."""
        if self._buses is None:
            found = []
            for nr, path in self._nodes():
                if self.telling:
                    scan_bus(self, path)
                found.append(Bus(self, nr, self.tree.realpath(f"{path}/device")))
                self.dbg("__sysfs_device_parse", f"ndctl{nr}: processed")
            self._buses = [bus for bus in reversed(found) if bus.provider is not None]
        return self._buses

    def _nodes(self) -> list[tuple[int, str]]:
        nodes = self.device_parse("/sys/class/nd", "ndctl")
        return [each for each in nodes if self.tree.exists(f"{each[1]}/device")] or self._captured_buses()

    def _captured_buses(self) -> list[tuple[int, str]]:
        """A captured tree has no /sys/class/nd: take the parents of the regions."""
        devices = "/sys/bus/nd/devices"
        parents = {
            self.tree.realpath(f"{devices}/{name}").rpartition("/")[0]
            for name in self.tree.listdir(devices)
            if re.fullmatch(r"region\d+", name)
        }
        if self.tree.live:
            return []
        return sorted((int(match[1]), path + "/.") for path in parents if (match := re.search(r"/ndbus(\d+)\Z", path)))


class Bus(Device):
    """``struct ndctl_bus``. ``path`` is that of the bus device, .../ndbus0."""

    def __init__(self, context: Context, nr: int, path: str) -> None:
        super().__init__(context, nr, path.removesuffix("/."))
        self._dimms: list[Dimm] | None = None
        self._regions: list[Region] | None = None

    @property
    def provider(self) -> str | None:
        found = self.attr("provider")
        return self.devname if found is None and not self.context.tree.live else found

    @property
    def has_nfit(self) -> bool:
        return self.attr("nfit/revision") is not None

    def scrub_state(self) -> int:
        """1 active, 0 idle, negative where the bus has no scrub."""
        text = self.now("nfit/scrub") if self.has_nfit else None
        if text is None:
            return -EOPNOTSUPP
        match = re.match(r"\s*\d+(.)?", text)
        if match is None or match[1] not in (None, "+"):
            return -ENXIO
        return int(match[1] == "+")

    def start_scrub(self) -> int:
        """Ask for an address range scrub."""
        rc = self.write("nfit/scrub", "1\n") if self.has_nfit else -EOPNOTSUPP
        if rc and rc != -EBUSY and not ndctl_features(self.context.version).scrub_says_why:
            return -EOPNOTSUPP
        return rc

    def wait_for_scrub_completion(self) -> int:
        """The model's scrubs are over at once. ENOENT: a bus whose firmware has no such thing."""
        if not self.has_nfit:
            return -EOPNOTSUPP
        return 0 if self.now("nfit/scrub") is not None else -ENOENT

    def dimms(self) -> list[Dimm]:
        if self._dimms is None:
            found = []
            for nr, path in self.context.device_parse(self.path, "nmem"):
                if self.context.telling:
                    scan_dimm(self.context, path, nfit=self.has_nfit)
                found.append(Dimm(self, nr, path))
                self.context.dbg("__sysfs_device_parse", f"nmem{nr}: processed")
            self._dimms = list(reversed(found))
        return self._dimms

    def regions(self) -> list[Region]:
        if self._regions is None:
            found = []
            for nr, path in self.context.device_parse(self.path, "region"):
                if self.context.telling:
                    scan_region(self.context, path, nfit=self.has_nfit)
                found.append(Region(self, nr, path))
                self.context.dbg("__sysfs_device_parse", f"region{nr}: processed")
            self._regions = [each for each in reversed(found) if each.attr("size") is not None]
        return self._regions


class Dimm(Device):
    """``struct ndctl_dimm``."""

    def __init__(self, bus: Bus, nr: int, path: str) -> None:
        super().__init__(bus.context, nr, path)
        self.bus = bus

    def supports(self, *commands: str) -> bool:
        return set(commands) <= set((self.attr("commands") or "").split())

    def flag(self, word: str) -> bool:
        """A word of nfit/flags; the kernel puts a space after each."""
        return word in (self.attr("nfit/flags") or "").split(" ")

    def is_active(self) -> bool:
        """In a region that is enabled. A DIMM without the attribute counts as active, as in the library (-ENXIO is true)."""
        text = self.now("state")
        return text is None or text == "active"

    def enable(self) -> int:
        return self.enable_device("ndctl_dimm_enable")

    def disable(self) -> int:
        return self.disable_device("ndctl_dimm_disable")


class Mapping:
    """``struct ndctl_mapping``: bytes of a DIMM in a region; ``position`` -1 where the kernel does not say."""

    def __init__(self, dimm: Dimm, offset: int, length: int, position: int) -> None:
        self.dimm = dimm
        self.offset = offset
        self.length = length
        self.position = position


class Region(Device):
    """``struct ndctl_region``."""

    def __init__(self, bus: Bus, nr: int, path: str) -> None:
        super().__init__(bus.context, nr, path)
        self.bus = bus
        self.generation = 0
        self.refresh_type = False
        self._mappings: list[Mapping] | None = None
        context = bus.context
        self._namespaces = Children(
            context, path, f"namespace{nr}.", lambda i, p: Namespace(self, i, p), scan_namespace
        )
        self._btts = Children(context, path, f"btt{nr}.", lambda i, p: Btt(self, i, p), scan_btt)
        self._pfns = Children(context, path, f"pfn{nr}.", lambda i, p: Pfn(self, i, p), scan_pfn)
        self._daxs = Children(context, path, f"dax{nr}.", lambda i, p: Pfn(self, i, p), scan_pfn)

    @property
    def size(self) -> int:
        return number(self.attr("size"))

    @property
    def nstype(self) -> int:
        return number(self.attr("nstype"))

    @property
    def is_pmem(self) -> bool:
        """Type ND_DEVICE_REGION_PMEM; BLK regions went away in v5.18 and are not modelled."""
        return self.nstype in (NS_IO, NS_PMEM)

    @property
    def ro(self) -> bool:
        return number(self.attr("read_only")) != 0

    @property
    def align(self) -> int | None:
        text = self.attr("align")
        return None if text is None else number(text)

    @property
    def num_mappings(self) -> int:
        return number(self.attr("mappings"))

    @property
    def ways(self) -> int:
        """Interleave ways: at least 1."""
        return max(1, self.num_mappings)

    @property
    def cookie(self) -> int | None:
        """The interleave set's; None where the region has no labels."""
        if self.nstype != NS_PMEM:
            return None
        text = self.attr("set_cookie")
        return None if text is None else number(text)

    def resource(self) -> int:
        text = self.now("resource")
        return ULLONG_MAX if text is None else number(text)

    def available_size(self) -> int:
        if self.nstype != NS_PMEM:
            return 0
        text = self.now("available_size")
        return ULLONG_MAX if text is None else number(text)

    def max_available_extent(self) -> int:
        if self.nstype != NS_PMEM:
            return 0
        text = self.now("max_available_extent")
        if text is None:
            text_of_old = "max extents attribute not exported on older kernels"
            self.context.dbg("ndctl_region_get_max_available_extent", text_of_old)
        return ULLONG_MAX if text is None else number(text)

    def mappings(self) -> list[Mapping]:
        if self._mappings is None:
            self._mappings = []
            for i in range(number(self.attr("mappings"))):
                match = re.match(r"nmem(\d+),(\d+),(\d+)(?:,(\d+))?", self.attr(f"mapping{i}") or "")
                dimm = match and next((each for each in self.bus.dimms() if each.id == int(match[1])), None)
                if match and dimm:
                    position = -1 if match[4] is None else int(match[4])
                    self._mappings.insert(0, Mapping(dimm, int(match[2]), int(match[3]), position))
                elif self.context.tree.live:
                    where = f"bus{self.bus.id} {self.devname}"
                    self.context.err("mappings_init", f"{where}: failed to read mapping{i}")
        return self._mappings

    def dimms(self) -> list[Dimm]:
        """Each DIMM of the region once, in the order of the bus."""
        mine = {each.dimm.id for each in self.mappings()}
        return [dimm for dimm in self.bus.dimms() if dimm.id in mine]

    def namespaces(self) -> list[Namespace]:
        return self._namespaces.get()

    def btts(self) -> list[Btt]:
        return self._btts.get()

    def pfns(self) -> list[Pfn]:
        return self._pfns.get()

    def daxs(self) -> list[Pfn]:
        return self._daxs.get()

    def find_namespace(self, name: str | None) -> Namespace | None:
        return self._namespaces.find(name)

    def find_btt(self, name: str | None) -> Btt | None:
        return self._btts.find(name)

    def find_pfn(self, name: str | None) -> Pfn | None:
        return self._pfns.find(name)

    def find_dax(self, name: str | None) -> Pfn | None:
        return self._daxs.find(name)

    def namespace_seed(self) -> Namespace | None:
        return self._namespaces.find(self.now("namespace_seed"))

    def btt_seed(self) -> Btt | None:
        return self._btts.find(self.now("btt_seed"))

    def pfn_seed(self) -> Pfn | None:
        return self._pfns.find(self.now("pfn_seed"))

    def dax_seed(self) -> Pfn | None:
        return self._daxs.find(self.now("dax_seed"))

    def refresh_children(self) -> None:
        """Look again at all that is in the region."""
        self._namespaces.refresh()
        self._btts.refresh()
        self._pfns.refresh()
        self._daxs.refresh()

    def drop(self, device: Device) -> None:
        """Free a device that the library took away."""
        if isinstance(device, Namespace):
            self._namespaces.drop(device)
        elif isinstance(device, Btt):
            self._btts.drop(device)
        elif isinstance(device, Pfn):
            (self._daxs if device.KIND == "dax" else self._pfns).drop(device)

    def enable(self) -> int:
        rc = self.enable_device("ndctl_region_enable")
        if rc == 0 and self.refresh_type:
            self.refresh_type = False
            self.forget("nstype", "set_cookie")
            if self.context.telling:
                scan_region_type(self.context, self.path)
        return rc

    def disable_invalidate(self) -> int:
        """Disable, and forget all that was in it."""
        if not self.is_enabled:
            return 0
        rc = self.disable_device("ndctl_region_disable")
        if rc:
            return rc
        self.generation += 1
        self._namespaces.clear()
        self._btts.clear()
        self._pfns.clear()
        self._daxs.clear()
        return 0
