"""What libcxl finds below /sys/bus/cxl/devices: memdevs, and buses with ports, endpoints, decoders and regions in them.

Lists are in the library's order: what was found last stands first; decoders by number and regions by address.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from sparsemem.tools import libndctl_base
from sparsemem.tools.libndctl_base import EBUSY, ENXIO, ULLONG_MAX, Device, number
from sparsemem.tools.result import strerror

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.tools.result import Console
    from sparsemem.tools.tree import Tree

__all__ = ["Context", "Decoder", "Dport", "Memdev", "Port", "Region", "Target"]

_DEVICES = "/sys/bus/cxl/devices"
UINT_MAX = (1 << 32) - 1
ROOT, SWITCH, ENDPOINT = "root", "switch", "endpoint"
_PROVIDERS = {"ACPI0017:00": "ACPI.CXL", "cxl_acpi.0": "cxl_test"}


class Context(libndctl_base.Context):
    """A library context on one tree."""

    def __init__(self, tree: Tree, console: Console) -> None:
        super().__init__(tree, console)

    def err(self, function: str, text: str) -> None:
        """A line at LOG_ERR."""
        self.console.library("libcxl", function, text)

    def bind(self, name: str) -> int:
        """util_bind(): offer the device to each driver of the bus until one takes it."""
        drivers = "/sys/bus/cxl/drivers"
        for driver in self.tree.listdir(drivers):
            path = f"{drivers}/{driver}/bind"
            if self.tree.exists(path) and self.write(path, name, quiet=True) == 0:
                return 0
        return -ENXIO

    def real(self, path: str) -> str | None:
        """realpath(), None where there is nothing."""
        return self.tree.realpath(path) if self.tree.exists(path) else None

    @cached_property
    def memdevs(self) -> list[Memdev]:
        found = [Memdev(self, nr, path) for nr, path in self.device_parse(_DEVICES, "mem")]
        return [each for each in reversed(found) if each.complete]

    @cached_property
    def buses(self) -> list[Port]:
        return [Port(self, nr, path, ROOT, None) for nr, path in reversed(self.device_parse(_DEVICES, "root"))]

    def decoder(self, name: str) -> Decoder | None:
        """By name, anywhere."""
        for bus in self.buses:
            for port in (bus, *bus.all_ports()):
                for each in (port, *port.endpoints):
                    found = next((decoder for decoder in each.decoders if decoder.devname == name), None)
                    if found is not None:
                        return found
        return None


class Memdev(Device):
    """``struct cxl_memdev``: a memory device."""

    context: Context

    @property
    def complete(self) -> bool:
        """The library takes no device that lacks one of these."""
        needed = ("pmem/size", "ram/size", "payload_max", "label_storage_size", "firmware_version")
        return all(self.attr(name) is not None for name in needed)

    @property
    def pmem_size(self) -> int:
        """Bytes of persistent capacity."""
        return number(self.attr("pmem/size"))

    @property
    def serial(self) -> int:
        text = self.attr("serial")
        return ULLONG_MAX if text is None else number(text)

    @cached_property
    def host_path(self) -> str:
        return self.context.tree.realpath(self.path).rpartition("/")[0]

    @property
    def host(self) -> str:
        return self.host_path.rpartition("/")[2]

    @cached_property
    def endpoint(self) -> Port | None:
        if not self.is_enabled:
            return None
        for bus in self.context.buses:
            for port in (bus, *bus.all_ports()):
                found = next((each for each in port.endpoints if each.host == self.devname), None)
                if found is not None:
                    return found
        return None


class Dport(NamedTuple):
    """``struct cxl_dport``: where a port goes on. Paths are real ones, "" where there is none."""

    id: int
    path: str
    physical: str
    firmware: str

    def maps(self, memdev: Memdev) -> bool:
        """Is the memdev behind it?"""
        return (self.physical or self.path) in memdev.host_path

    @property
    def alias(self) -> str:
        return (self.firmware or self.physical).rpartition("/")[2]


class Target(NamedTuple):
    """``struct cxl_target``: a dport that a decoder sends accesses to."""

    dport: Dport
    position: int


class Port(Device):
    """``struct cxl_port``; ``kind`` root (a bus), switch or endpoint."""

    context: Context

    def __init__(self, context: Context, nr: int, path: str, kind: str, parent: Port | None) -> None:
        super().__init__(context, nr, path)
        self.kind = kind
        self.parent = parent
        self.depth: int = 0 if parent is None else parent.depth + 1

    @cached_property
    def host(self) -> str:
        """The name of the device that it is the port of."""
        return self.context.tree.realpath(f"{self.path}/uport").rpartition("/")[2]

    @property
    def provider(self) -> str:
        """Of a bus."""
        return _PROVIDERS.get(self.host, self.host)

    @property
    def top(self) -> Port:
        return self if self.parent is None else self.parent.top

    @cached_property
    def ports(self) -> list[Port]:
        found = self.context.device_parse(self.path, "port")
        return [Port(self.context, nr, path, SWITCH, self) for nr, path in reversed(found)]

    def all_ports(self) -> Iterator[Port]:
        """Those below, depth first."""
        for port in self.ports:
            yield port
            yield from port.all_ports()

    @cached_property
    def endpoints(self) -> list[Port]:
        found = self.context.device_parse(self.path, "endpoint")
        return [Port(self.context, nr, path, ENDPOINT, self) for nr, path in reversed(found)]

    @cached_property
    def decoders(self) -> list[Decoder]:
        found = self.context.device_parse(self.path, f"decoder{self.id}.")
        return sorted((Decoder(self, nr, path) for nr, path in found), key=lambda each: each.id)

    @cached_property
    def dports(self) -> list[Dport]:
        found = (self.dport(nr) for nr, _ in reversed(self.context.device_parse(self.path, "dport")))
        return [each for each in found if each is not None]

    def dport(self, nr: int) -> Dport | None:
        """By number."""
        base = f"{self.path}/dport{nr}"
        path = self.context.real(base)
        if path is None:
            return None
        firmware = self.context.real(f"{base}/firmware_node") or ""
        physical = self.context.real(f"{base}/physical_node") or (path if firmware else "")
        return Dport(nr, path, physical, firmware)

    @cached_property
    def memdev(self) -> Memdev | None:
        """Of an endpoint."""
        if not self.is_enabled:
            return None
        return next((each for each in self.context.memdevs if each.devname == self.host), None)

    def hosts(self, memdev: Memdev) -> bool:
        """Is the memdev's endpoint this port, or below it?"""
        port = memdev.endpoint
        while port is not None and port is not self:
            port = port.parent
        return port is not None


class Decoder(Device):
    """``struct cxl_decoder``."""

    context: Context

    def __init__(self, port: Port, nr: int, path: str) -> None:
        super().__init__(port.context, nr, path)
        self.port = port

    def big(self, name: str) -> int:
        """An attribute of 64 bits, ULLONG_MAX where it cannot be read."""
        text = self.attr(name)
        return ULLONG_MAX if text is None else number(text)

    def small(self, name: str) -> int:
        """An attribute of 32 bits."""
        text = self.attr(name)
        return UINT_MAX if text is None else number(text)

    def capable(self, name: str) -> bool:
        """A ``cap_`` flag of a root decoder."""
        return number(self.attr(f"cap_{name}")) != 0

    @property
    def mode(self) -> str:
        text = self.attr("mode")
        return "none" if text is None else text if text in ("ram", "pmem", "mixed", "none") else "mixed"

    @cached_property
    def targets(self) -> list[Target]:
        found: list[Target] = []
        words = [word for word in (self.attr("target_list") or "").split(",") if word]
        for position, word in enumerate(words):
            dport = self.port.dport(number(word))
            if dport is None:
                self.context.console.library(
                    "libcxl", "add_cxl_decoder", f"{self.devname}: failed to parse target{position}"
                )
                break
            found.insert(0, Target(dport, position))
        return found

    @cached_property
    def regions(self) -> list[Region]:
        """Of a root decoder."""
        if self.port.kind != ROOT:
            return []
        found = [Region(self, nr, path) for nr, path in self.context.device_parse(self.path, "region")]
        return sorted((each for each in found if each.attr("uuid") is not None), key=lambda each: each.start)

    @cached_property
    def region(self) -> Region | None:
        """The region that it takes part in."""
        if self.port.kind == ROOT:
            return None
        name = self.now("region")
        if name is None:
            self.context.console.library(
                "libcxl", "cxl_decoder_get_region", "failed to read region name: No such file or directory"
            )
            return None
        found = (each for decoder in self.port.top.decoders for each in decoder.regions)
        return next((each for each in found if name and each.devname == name), None)

    def set_dpa_size(self, size: int) -> int:
        """Give the decoder bytes of its device, or none: 0 or a negative errno."""
        return self.write("dpa_size", f"{size:#x}\n" if size else "0\n")

    def create_pmem_region(self) -> Region | None:
        """``cxl_decoder_create_pmem_region``: a root decoder's next region."""
        function = "cxl_decoder_create_pmem_region"
        path = f"{self.path}/create_pmem_region"
        name, rc = self.context.read_attr(path)
        if name is None:
            self.context.err(function, f"failed to read new region name: {strerror(rc)}")
            return None
        rc = self.context.write(path, name)
        if rc:
            self.context.err(function, f"failed to write new region name: {strerror(rc)}")
            return None
        self.__dict__.pop("regions", None)
        return next((each for each in self.regions if each.devname == name), None)

    def max_available_extent(self) -> int:
        """The largest gap between the regions of a root decoder."""
        start, size = self.big("start"), self.big("size")
        last, largest = start - 1, 0
        for region in self.regions:
            if region.size and region.committed != 0:
                largest = max(largest, (region.start - last - 1) & ULLONG_MAX)
                last = region.start + region.size - 1
        return max(largest, (start + size - 1 - last) & ULLONG_MAX)


class Region(Decoder):
    """``struct cxl_region``; ``decoder`` is the root decoder that it is in."""

    def __init__(self, decoder: Decoder, nr: int, path: str) -> None:
        super().__init__(decoder.port, nr, path)
        self.decoder = decoder

    @property
    def start(self) -> int:
        found = self.big("resource")
        return 0 if found == ULLONG_MAX else found

    @property
    def size(self) -> int:
        return self.big("size")

    @property
    def committed(self) -> int:
        """1 or 0, -1 where the kernel does not say."""
        text = self.attr("commit")
        return -1 if text is None else number(text)

    def mappings(self) -> list[tuple[int, Decoder]]:
        """(position, endpoint decoder), last first."""
        found: list[tuple[int, Decoder]] = []
        ways = self.small("interleave_ways")
        for position in range(0 if ways == UINT_MAX else ways):
            name, console = self.attr(f"target{position}"), self.context.console
            if name is None:
                console.library("libcxl", "cxl_mappings_init", f"{self.devname}: failed to read target{position}")
                continue
            decoder = self.context.decoder(name)
            if decoder is None:
                text = f"{self.devname} target{position}: {name} lookup failure"
                console.library("libcxl", "cxl_mappings_init", text)
                continue
            found.insert(0, (position, decoder))
        return found

    def target_decoder(self, position: int) -> Decoder | None:
        """``cxl_region_get_target_decoder``."""
        function, name = "cxl_region_get_target_decoder", f"target{position}"
        found, rc = self.context.read_attr(f"{self.path}/{name}")
        if found is None:
            self.context.err(function, f"{self.devname}: error reading {name}: {strerror(rc)}")
            return None
        decoder = self.context.decoder(found)
        if decoder is None:
            self.context.err(function, f"{self.devname}: error locating decoder for {name}")
        return decoder

    def clear_target(self, position: int) -> int:
        """``cxl_region_clear_target``."""
        function = "cxl_region_clear_target"
        if self.is_enabled:
            self.context.err(function, f"{self.devname}: can't clear targets on an active region")
            return -EBUSY
        rc = self.write(f"target{position}", "")
        if rc:
            self.context.err(function, f"{self.devname}: error clearing target{position}: {strerror(rc)}")
        return rc

    def delete(self) -> int:
        """``cxl_region_delete``."""
        if self.is_enabled:
            return -EBUSY
        rc = self.decoder.write("delete_region", self.devname)
        if rc:
            self.context.err("cxl_region_delete_name", f"error deleting region: {strerror(rc)}")
            return rc
        self.decoder.__dict__.pop("regions", None)
        return 0
