"""Which memdevs, buses, ports, endpoints, decoders and regions the words on a cxl command line mean (cxl/filter.c)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from sparsemem.tools.libcxl import ENDPOINT, ROOT, SWITCH

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.tools.libcxl import Context, Decoder, Dport, Memdev, Port, Region

__all__ = ["Filter", "separated"]


def separated(ident: str) -> list[str]:
    """The names in a word: at blanks, or else at commas."""
    return [word for word in ident.split(" " if " " in ident or "," not in ident else ",") if word]


def _named(ident: str | None, prefix: str, nr: int, *names: str) -> bool:
    """By one of the words: a number, with or without the prefix, or a name."""
    if ident is None:
        return True
    for word in separated(ident):
        match = re.match(rf"(?:{prefix})?\s*([+-]?\d+)", word)
        if word in ("all", *names) or (match is not None and int(match[1]) == nr):
            return True
    return False


def _strtoull(text: str) -> int | None:
    match = re.fullmatch(r"\s*\+?(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9]\d*)", text)
    if match is None:
        return None
    digits = match[1]
    return int(digits, 8 if digits[0] == "0" and digits[1:2] not in ("x", "X") and len(digits) > 1 else 0)


class Filter(NamedTuple):
    """``struct cxl_filter_params``, the words of it."""

    memdev: str | None = None
    serial: str | None = None
    bus: str | None = None
    port: str | None = None
    endpoint: str | None = None
    decoder: str | None = None
    region: str | None = None
    single: bool = False

    @property
    def by_memdev(self) -> bool:
        return self.memdev is not None or self.serial is not None

    def memdev_passes(self, memdev: Memdev) -> bool:
        """By name, number or host, and by serial number."""
        if not _named(self.memdev, "mem", memdev.id, memdev.devname, memdev.host):
            return False
        return self.serial is None or memdev.serial in map(_strtoull, separated(self.serial))

    def memdevs(self, context: Context) -> Iterator[Memdev]:
        """Those that pass."""
        return (memdev for memdev in context.memdevs if self.memdev_passes(memdev))

    def bus_passes(self, bus: Port) -> bool:
        """By name, number or provider."""
        return _named(self.bus, "root", bus.id, bus.devname, bus.provider)

    def bus_has_memdev(self, bus: Port) -> bool:
        """Behind a bus is a memdev that passes."""
        if not self.by_memdev:
            return True
        endpoints = (memdev.endpoint for memdev in self.memdevs(bus.context))
        return any(each is not None and each.is_enabled and each.top is bus for each in endpoints)

    def _port_named(self, port: Port, ident: str | None) -> bool:
        if ident is None:
            return True
        kinds = [word for word in separated(ident) if word in (ROOT, SWITCH, ENDPOINT)]
        return port.kind in kinds or _named(ident, "port", port.id, port.devname, port.host)

    def port_passes(self, port: Port) -> bool:
        """It, or (without --single) one above it."""
        return self._ancestry(port, single=self.single)

    def _ancestry(self, port: Port | None, *, single: bool = False) -> bool:
        while port is not None:
            if self._port_named(port, self.port):
                return True
            if single:
                return False
            port = port.parent
        return False

    def port_on_bus(self, port: Port) -> bool:
        """On a bus that passes."""
        if self.bus is None:
            return True
        return self.bus_passes(port.top) and (port.kind == ROOT or port.is_enabled)

    def port_hosts_memdev(self, port: Port) -> bool:
        """Above a memdev that passes."""
        return not self.by_memdev or any(map(port.hosts, self.memdevs(port.context)))

    def endpoint_passes(self, endpoint: Port) -> bool:
        """By name, number or host; by bus, port and memdev."""
        if not _named(self.endpoint, ENDPOINT, endpoint.id, endpoint.devname, endpoint.host):
            return False
        if not self.port_on_bus(endpoint):
            return False
        if not self._port_named(endpoint, self.port) and not self._ancestry(endpoint.parent, single=self.single):
            return False
        return not self.by_memdev or any(each.endpoint is endpoint for each in self.memdevs(endpoint.context))

    def decoder_named(self, decoder: Decoder) -> bool:
        """By name, "X.Y", or the kind of its port."""
        if self.decoder is None:
            return True
        for word in separated(self.decoder):
            match = re.match(r"(?:decoder)?\s*([+-]?\d+)\.\s*([+-]?\d+)", word)
            if word in ("all", decoder.port.kind, decoder.devname):
                return True
            if match is not None and (int(match[1]), int(match[2])) == (decoder.port.id, decoder.id):
                return True
        return False

    def decoder_passes(self, decoder: Decoder) -> bool:
        """By name, bus, port, memdev and region."""
        if not (self.decoder_named(decoder) and self.port_on_bus(decoder.port) and self.port_passes(decoder.port)):
            return False
        if self.by_memdev and not any(self._leads_to(decoder, each) for each in self.memdevs(decoder.context)):
            return False
        region = decoder.region if self.region is not None else None
        return self.region is None or (region is not None and self.region_named(region))

    def _leads_to(self, decoder: Decoder, memdev: Memdev) -> bool:
        if any(target.dport.maps(memdev) for target in decoder.targets):
            return True
        return decoder.port.kind == ENDPOINT and decoder.port.memdev is memdev

    def region_named(self, region: Region) -> bool:
        """By name or number."""
        return _named(self.region, "region", region.id, region.devname)

    def region_passes(self, region: Region) -> bool:
        """By name, bus, port and decoder."""
        decoder = region.decoder
        if not (self.region_named(region) and self.port_on_bus(decoder.port) and self._ancestry(decoder.port)):
            return False
        return self.decoder_named(decoder)

    def dport_passes(self, context: Context, dport: Dport) -> bool:
        """In front of a memdev that passes."""
        return not self.by_memdev or any(map(dport.maps, self.memdevs(context)))

    def memdev_in_decoder(self, memdev: Memdev) -> bool:
        """A decoder that passes sends accesses to it."""
        if self.decoder is None:
            return True
        for bus in memdev.context.buses:
            for port in (bus, *bus.all_ports()):
                for each in (port, *port.endpoints):
                    named = (decoder for decoder in each.decoders if self.decoder_named(decoder))
                    if any(target.dport.maps(memdev) for decoder in named for target in decoder.targets):
                        return True
        return False

    def memdev_in_port(self, memdev: Memdev) -> bool:
        """Behind a port that passes, or a bus that passes."""
        if self.bus is None and self.port is None:
            return True
        for bus in memdev.context.buses:
            if self.bus_passes(bus) and self._below(bus, bus.devname, memdev):
                return True
            if any(self._below(port, self.port, memdev) for port in (bus, *bus.all_ports())):
                return True
        return False

    def _below(self, port: Port, ident: str | None, memdev: Memdev) -> bool:
        if self._port_named(port, ident) and any(dport.maps(memdev) for dport in port.dports):
            return True
        return any(self._below(each, ident, memdev) for each in port.endpoints)
