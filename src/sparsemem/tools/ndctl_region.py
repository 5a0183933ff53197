"""``ndctl enable-region`` and ``disable-region`` (ndctl/region.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.tools.ndctl_filter import bus_filter, region_filter
from sparsemem.tools.options import Option, parse_options, usage_with_options

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sparsemem.tools.libndctl import Context, Region

__all__ = ["cmd_disable_region", "cmd_enable_region"]

_OPTIONS = (
    Option("b", "bus", "str", "bus", "bus-id", "<region> must be on a bus with an id/provider of <bus-id>"),
    Option("t", "type", "str", "type", "region-type", "<region> must be of the specified type"),
)


def _enable(region: Region) -> int:
    return region.enable()


def _disable(region: Region) -> int:
    """Each of its namespaces first; one that is in use ends it."""
    for ndns in region.namespaces():
        rc = ndns.disable_safe()
        if rc:
            return rc
    return region.disable_invalidate()


def _act(context: Context, argv: Sequence[str], command: str, act: Callable[[Region], int]) -> int:
    usage = f"ndctl {command}-region <region> [<options>]"
    console = context.console
    given, rest = parse_options(argv, _OPTIONS, usage, console)
    if not rest:
        console.error('specify a specific region id to act on, or "all"\n')
    for word in rest[1:]:
        console.error(f'unknown extra parameter "{word}"\n')
    kind, bus_id = given.get("type"), given.get("bus")
    if len(rest) == 1 and kind is not None and kind not in ("pmem", "blk"):
        console.error(f"unknown region type '{kind}', should be 'pmem' or 'blk'\n")
        raise usage_with_options(console, usage, _OPTIONS)
    if len(rest) != 1:
        raise usage_with_options(console, usage, _OPTIONS)
    done = 0
    for bus in context.buses():
        if not bus_filter(bus, bus_id if isinstance(bus_id, str) else None):
            continue
        for region in bus.regions():
            if kind is not None and kind != ("pmem" if region.is_pmem else "blk"):
                continue
            if region_filter(region, rest[0]):
                done += act(region) == 0
    console.err(f"{command}d {done} region{'' if done == 1 else 's'}\n")
    return 0


def cmd_enable_region(context: Context, argv: Sequence[str]) -> int:
    """``ndctl enable-region``: always 0; it says how many."""
    return _act(context, argv, "enable", _enable)


def cmd_disable_region(context: Context, argv: Sequence[str]) -> int:
    """``ndctl disable-region``: always 0; it says how many."""
    return _act(context, argv, "disable", _disable)
