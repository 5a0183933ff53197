"""``ndctl list``: which objects, what is nested in what, and the options that say so (ndctl/list.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.errors import NotModelledError
from sparsemem.tools.json_features import json_features
from sparsemem.tools.json_out import display_array, pretty, size_value
from sparsemem.tools.libndctl_base import ULLONG_MAX
from sparsemem.tools.ndctl_badblocks import region_badblocks
from sparsemem.tools.ndctl_filter import Filter, Walker, dimm_filter, filter_walk
from sparsemem.tools.ndctl_json import (
    bus_to_json,
    capabilities_to_json,
    dimm_to_json,
    has_dsm,
    mapping_to_json,
    namespace_to_json,
)
from sparsemem.tools.ndctl_lines import line_of
from sparsemem.tools.options import Option, parse_options, usage_with_options
from sparsemem.tools.releases import version_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sparsemem.tools.daxctl_json import Flags, Json
    from sparsemem.tools.libndctl import Bus, Context, Dimm, Region
    from sparsemem.tools.libndctl_namespace import Namespace
    from sparsemem.tools.options import Values

__all__ = ["cmd_list", "region_to_json"]

_USAGE = "ndctl list [<options>]"
_OPTIONS = (
    Option("b", "bus", "str", "bus", "bus-id", "filter by bus"),
    Option("r", "region", "str", "region", "region-id", "filter by region"),
    Option("d", "dimm", "str", "dimm", "dimm-id", "filter by dimm"),
    Option("n", "namespace", "str", "namespace", "namespace-id", "filter by namespace id"),
    Option("m", "mode", "str", "mode", "namespace-mode", "filter by namespace mode"),
    Option("t", "type", "str", "type", "region-type", "filter by region-type"),
    Option("U", "numa-node", "str", "numa_node", "numa node", "filter by numa node"),
    Option("B", "buses", "bool", "buses", "", "include bus info"),
    Option("D", "dimms", "bool", "dimms", "", "include dimm info"),
    Option("F", "firmware", "bool", "firmware", "", "include firmware info"),
    Option("H", "health", "bool", "health", "", "include dimm health"),
    Option("R", "regions", "bool", "regions", "", "include region info"),
    Option("N", "namespaces", "bool", "namespaces", "", "include namespace info (default)"),
    Option("X", "device-dax", "bool", "dax", "", "include device-dax info"),
    Option("C", "capabilities", "bool", "capabilities", "", "include region capability info"),
    Option("i", "idle", "bool", "idle", "", "include idle devices"),
    Option("c", "configured", "bool", "configured", "", "include configured namespaces, disabled or not"),
    Option("M", "media-errors", "bool", "media_errors", "", "include media errors"),
    Option("u", "human", "bool", "human", "", "use human friendly number formats "),
    Option("v", "verbose", "incr", "verbose", "", "increase output detail"),
)
_DOMAINS = ("cpu_cache", "memory_controller", "none")
_ENOMEM, _SMART = 12, 1
_WORDS = ("idle", "configured", "media_errors", "dax", "human", "verbose", "capabilities", "firmware")


def region_to_json(region: Region, flags: Flags, dimm: str | None = None) -> Json:
    """``region_to_json``; its mappings with the flag dimms, only those on DIMMs that the filter names."""
    human, features = "human" in flags, json_features(region.context.version)
    found: Json = {"dev": region.devname, "size": size_value(region.size, human=human)}
    align = region.align if features.region_align else None
    if align is not None and align != ULLONG_MAX:
        found["align"] = size_value(align, human=human)
    found["available_size"] = size_value(region.available_size(), human=human)
    extent = region.max_available_extent()
    if extent != ULLONG_MAX and features.max_available_extent:
        found["max_available_extent"] = size_value(extent, human=human)
    found["type"] = "pmem" if region.is_pmem else "blk"
    node, target = (int(region.attr(name) or "-1") for name in ("numa_node", "target_node"))
    if node >= 0 and ("verbose" in flags or not features.verbose):
        found["numa_node"] = node
    if target >= 0 and "verbose" in flags and features.target_node:
        found["target_node"] = target
    cookie = region.cookie
    if cookie is not None and cookie:
        found["iset_id"] = features.hex(cookie, human=human)
    if "dimms" in flags:
        shown = [
            mapping_to_json(mapping, flags)
            for mapping in region.mappings()
            if dimm_filter(mapping.dimm, dimm) and (flags & {"configured", "idle"} or mapping.dimm.is_enabled)
        ]
        if shown:
            found["mappings"] = shown
    if not region.is_enabled:
        found["state"] = "disabled"
    count, blocks = region_badblocks(region, flags)
    if count:
        found["badblock_count"] = count
    if blocks is not None:
        found["badblocks"] = blocks
    if "capabilities" in flags and (capabilities := capabilities_to_json(region)) is not None:
        found["capabilities"] = capabilities
    domain = region.attr("persistence_domain") or ""
    found["persistence_domain"] = next((each for each in _DOMAINS if domain.startswith(each)), "unknown")
    return found


class _List:
    """``struct list_filter_arg``, and what is put into it."""

    def __init__(self, context: Context, values: Values, param: Filter) -> None:
        self.context = context
        self.values = values
        self.param = param
        self.flags: Flags = frozenset(
            {word for word in _WORDS if values.get(word)}
            | ({"devices"} if values.get("dax") else set())
            | ({"dimms"} if values.get("dimms") else set())
        )
        self.buses: list[Json] | None = None
        self.dimms: list[Json] | None = None
        self.regions: list[Json] | None = None
        self.namespaces: list[Json] | None = None
        self.jbus: Json | None = None
        self.jregion: Json | None = None
        self.failed = False

    def fail(self, function: str, line: int) -> None:
        self.failed = True
        version = self.context.version
        self.context.console.err(f"ndctl-{version_text(version)}:{function}:{line_of(line, version[0])}: \n")

    def bus(self, bus: Bus) -> bool:
        if self.buses is not None:
            self.dimms = self.jregion = self.regions = self.namespaces = None
        if not self.values.get("buses"):
            return True
        self.buses = self.buses or []
        self.jbus = bus_to_json(bus, self.flags)
        self.buses.append(self.jbus)
        return True

    def dimm(self, dimm: Dimm) -> None:
        if not self.flags & {"configured", "idle"} and not dimm.is_enabled:
            return
        if self.dimms is None:
            self.dimms = []
            if self.jbus is not None:
                self.jbus["dimms"] = self.dimms
        found = dimm_to_json(dimm, self.flags)
        if self.values.get("health") and (dimm.supports("smart") or has_dsm(dimm, _SMART)):
            raise NotModelledError(
                f"the health of {dimm.devname} is not modelled", why="it takes a DSM of the DIMM", remedy="leave out -H"
            )
        self.dimms.append(found)

    def region(self, region: Region) -> bool:
        if not self.values.get("regions"):
            return True
        if not self.flags & {"configured", "idle"} and not region.is_enabled:
            return True
        if self.regions is None:
            self.regions = []
            if self.jbus is not None:
                self.jbus["regions"] = self.regions
        self.jregion = region_to_json(region, self.flags, self.param.dimm)
        self.namespaces = None
        self.regions.append(self.jregion)
        return True

    def namespace(self, ndns: Namespace) -> None:
        configured = "configured" in self.flags and 0 < ndns.size < ULLONG_MAX
        if not ("idle" in self.flags or configured or ndns.is_active()):
            return
        if self.namespaces is None:
            self.namespaces = []
            container = self.jregion if self.jregion is not None else self.jbus
            if container is not None:
                container["namespaces"] = self.namespaces
        found = namespace_to_json(ndns, self.flags)
        if found is None:
            self.fail("filter_namespace", 267)
        else:
            self.namespaces.append(found)

    def display(self) -> None:
        out, human = self.context.console.out, "human" in self.flags
        groups = [each for each in (self.dimms, self.regions, self.namespaces) if each is not None]
        if self.buses is not None:
            out(display_array(self.buses, human=human, version=self.context.version))
        elif len(groups) > 1:
            platform: Json = {}
            if self.dimms is not None:
                platform["dimms"] = self.dimms
            if self.regions is not None:
                platform["regions"] = self.regions
            if self.namespaces is not None and self.regions is None:
                platform["namespaces"] = self.namespaces
            out(pretty(platform, self.context.version) + "\n")
        elif groups:
            out(display_array(groups[0], human=human, version=self.context.version))


def _shown(values: Values) -> bool:
    return any(values.get(each) for each in ("buses", "dimms", "regions", "namespaces"))


def _defaults(values: Values) -> None:
    if not _shown(values):
        for word, by in (("buses", "bus"), ("regions", "region"), ("dimms", "dimm")):
            values[word] = values.get(by) is not None
        if values.get("dax") and values.get("mode") is None:
            values["mode"] = "dax"
    verbose = int(values.get("verbose") or 0)
    words: list[str] = []
    if verbose >= 3 or verbose < 0:
        words += ["idle", "firmware", "health", "capabilities"]
    if verbose >= 2 or verbose < 0:
        words += ["dimms", "buses", "regions"]
    if verbose:
        words += ["media_errors", "namespaces", "dax"]
    for word in words:
        values[word] = True
    if not _shown(values):
        values["namespaces"] = True


def _options(context: Context) -> tuple[Option, ...]:
    features = json_features(context.version)
    there = {"capabilities": features.capabilities, "configured": features.configured, "verbose": features.verbose}
    return tuple(option for option in _OPTIONS if there.get(option.key, True))


def _text(values: Values, key: str) -> str | None:
    value = values.get(key)
    return value if isinstance(value, str) else None


def cmd_list(context: Context, argv: Sequence[str]) -> int:
    """The command with the words behind its name; what it returns is what the program exits with (a negative errno's low byte)."""
    console = context.console
    options = _options(context)
    values, rest = parse_options(argv, options, _USAGE, console)
    for word in rest:
        console.error(f'unknown parameter "{word}"\n')
    if rest:
        raise usage_with_options(console, _USAGE, options)
    _defaults(values)
    param = Filter(*(_text(values, key) for key in Filter._fields))
    state = _List(context, values, param)
    walker = Walker(
        state.bus,
        state.dimm if values.get("dimms") else None,
        state.region,
        state.namespace if values.get("namespaces") else None,
    )
    if rc := filter_walk(context, walker, param):
        return rc
    state.display()
    return -_ENOMEM if state.failed else 0
