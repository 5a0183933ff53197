"""``cxl_filter_walk``: what is nested in what in the output of ``cxl list`` (cxl/filter.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.tools.cxl_json import (
    bus_to_json,
    decoder_to_json,
    dports_append_json,
    memdev_to_json,
    port_to_json,
    region_to_json,
    targets_append_json,
)
from sparsemem.tools.libcxl import ROOT

if TYPE_CHECKING:
    from sparsemem.tools.cxl_filter import Filter
    from sparsemem.tools.daxctl_json import Flags, Json
    from sparsemem.tools.libcxl import Context, Decoder, Dport, Memdev, Port

__all__ = ["Walk"]

Arrays = dict[str, "list[Json]"]
"""Where objects go: ports, endpoints, memdevs, decoders (of ports), leaves (decoders of endpoints), regions."""


class Walk:
    """One listing: ``flags`` say what is asked for (memdevs, buses, ports, endpoints, decoders, regions, idle) and how."""

    def __init__(self, context: Context, words: Filter, flags: Flags) -> None:
        self.context = context
        self.words = words
        self.flags = flags
        self.memdevs: list[Memdev] = []  # those that were listed below an endpoint

    def on(self, word: str) -> bool:
        return word in self.flags

    def shown(self, dport: Dport) -> bool:
        return self.words.dport_passes(self.context, dport)

    def platform(self) -> list[Json]:
        """The array at the top: objects of one kind, or of several in an object each."""
        names = ("anon memdevs", "buses", "ports", "endpoints", "memdevs", "root decoders", "port decoders")
        found: Arrays = {name: [] for name in (*names, "endpoint decoders", "regions")}
        for memdev in self.words.memdevs(self.context):
            if not memdev.is_enabled and self.on("idle") and self.on("memdevs"):
                found["anon memdevs"].append(memdev_to_json(memdev, self.flags))
        for bus in self.context.buses:
            if self.words.bus_has_memdev(bus):
                self._bus(bus, found)
        kinds = [(name, array) for name, array in found.items() if array]
        if len(kinds) > 1:
            return [{name: array} for name, array in kinds]
        return kinds[0][1] if kinds else []

    def _bus(self, bus: Port, found: Arrays) -> None:
        jbus: Json | None = None
        if self.on("buses") and self.words.bus_passes(bus) and self.words.port_passes(bus):
            jbus = bus_to_json(bus)
            dports_append_json(jbus, bus, self.shown, self.flags)
            found["buses"].append(jbus)
        nested = self._nested(jbus, ("ports", "endpoints", "decoders", "regions", "memdevs"))
        within = nested or {}
        outer: Arrays = {
            "ports": within.get("ports", found["ports"]),
            "endpoints": within.get("endpoints", found["endpoints"]),
            "memdevs": within.get("memdevs", found["memdevs"]),
            "decoders": within.get("decoders", found["port decoders"]),
            "leaves": within.get("decoders", found["endpoint decoders"]),
            "regions": within.get("regions", found["regions"]),
        }
        self._decoders(bus, within.get("decoders", found["root decoders"]), outer["regions"])
        if self._wants_endpoints():
            self._endpoints(bus, outer["endpoints"], outer["memdevs"], outer["leaves"])
        self._child_ports(bus, outer)
        _attach(jbus, bus.devname, within)

    def _wants_endpoints(self) -> bool:
        return bool(self.flags & {"endpoints", "memdevs", "decoders"})

    def _nested(self, jobj: Json | None, kinds: tuple[str, ...]) -> Arrays:
        return {} if jobj is None else {kind: [] for kind in kinds if self.on(kind)}

    def _child_ports(self, parent: Port, outer: Arrays) -> None:
        for port in parent.ports:
            if not self.words.port_hosts_memdev(port):
                continue
            jport: Json | None = None
            if self.words.port_passes(port) and self.words.port_on_bus(port):
                if not self.on("idle") and not port.is_enabled:
                    continue
                if self.on("ports"):
                    jport = port_to_json(port)
                    dports_append_json(jport, port, self.shown, self.flags)
                    outer["ports"].append(jport)
            within = self._nested(jport, ("ports", "endpoints", "decoders", "memdevs"))
            inner = {**outer, **within}
            if "decoders" in within:
                inner["leaves"] = within["decoders"]
            if self._wants_endpoints():
                self._endpoints(port, inner["endpoints"], inner["memdevs"], inner["leaves"])
            self._decoders(port, inner["decoders"], None)
            self._child_ports(port, inner)
            _attach(jport, port.devname, within)

    def _endpoints(self, port: Port, jeps: list[Json], jdevs: list[Json], jdecoders: list[Json]) -> None:
        for endpoint in port.endpoints:
            if not self.words.endpoint_passes(endpoint) or not (self.on("idle") or endpoint.is_enabled):
                continue
            jendpoint: Json | None = None
            if self.on("endpoints"):
                jendpoint = port_to_json(endpoint)
                jeps.append(jendpoint)
            if self.on("memdevs"):
                memdev = endpoint.memdev
                if memdev is None or not self._memdev_passes(memdev):
                    continue
                jdev = memdev_to_json(memdev, self.flags)
                self.memdevs.append(memdev)
                if jendpoint is not None:
                    jendpoint["memdev"] = jdev
                else:
                    jdevs.append(jdev)
            if self.on("decoders"):
                own: list[Json] = []
                self._decoders(endpoint, jdecoders if jendpoint is None else own, None)
                _attach(jendpoint, endpoint.devname, {"decoders": own})

    def _memdev_passes(self, memdev: Memdev) -> bool:
        words = self.words
        if not (words.memdev_passes(memdev) and words.memdev_in_decoder(memdev) and words.memdev_in_port(memdev)):
            return False
        return self.on("idle") or memdev.is_enabled

    def _decoders(self, port: Port, jdecoders: list[Json], jregions: list[Json] | None) -> None:
        for decoder in port.decoders:
            jdecoder: Json | None = None
            own: list[Json] | None = None
            if self.on("decoders") and self.words.decoder_passes(decoder):
                if not self.on("idle") and decoder.big("size") == 0:
                    continue
                jdecoder = decoder_to_json(decoder, self.flags)
                targets_append_json(jdecoder, decoder, self.shown, self.flags)
                own = []
                jdecoders.append(jdecoder)
            if self.on("regions") and port.kind == ROOT:
                into = own if own is not None else jregions
                self._regions(decoder, [] if into is None else into)
                _attach(jdecoder, decoder.devname, {"regions": own or []})

    def _regions(self, decoder: Decoder, jregions: list[Json]) -> None:
        for region in decoder.regions:
            if self.words.region_passes(region) and (self.on("idle") or region.is_enabled):
                jregions.append(region_to_json(region, self.flags))


def _attach(jobj: Json | None, devname: str, arrays: Arrays) -> None:
    """Arrays that got something stand in their object as "KIND:NAME"."""
    for kind in ("ports", "endpoints", "decoders", "regions", "memdevs"):
        if jobj is not None and arrays.get(kind):
            jobj[f"{kind}:{devname}"] = arrays[kind]
