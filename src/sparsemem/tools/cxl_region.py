"""``cxl create-region``, ``enable-region``, ``disable-region`` and ``destroy-region`` (cxl/region.c)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from sparsemem.errors import NotModelledError
from sparsemem.tools.cxl_create import Create, create_region, log, parse_create_options
from sparsemem.tools.cxl_filter import Filter
from sparsemem.tools.options import Option, parse_options
from sparsemem.tools.result import strerror

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sparsemem.tools.libcxl import Context, Decoder, Region

__all__ = ["cmd_region"]

EBUSY, EINVAL, ENXIO = 16, 22, 6
_BASE = (
    Option("b", "bus", "str", "bus", "bus name", "Limit operation to the specified bus"),
    Option("d", "decoder", "str", "decoder", "root decoder name", "Limit to / use the specified root decoder"),
    Option("", "debug", "bool", "debug", "", "turn on debug"),
)
_CREATE = (
    *_BASE,
    Option("s", "size", "str", "size", "size in bytes or with a K/M/G etc. suffix", "total size desired for the resulting region."),
    Option("w", "ways", "uint", "ways", "", "number of memdevs participating in the regions interleave set"),
    Option("g", "granularity", "uint", "granularity", "", "granularity of the interleave set"),
    Option("t", "type", "str", "type", "region type", "region type - 'pmem' or 'ram'"),
    Option("m", "memdevs", "bool", "memdevs", "", "non-option arguments are memdevs"),
    Option("u", "human", "bool", "human", "", "use human friendly number formats"),
)  # fmt: skip
_DESTROY = (*_BASE, Option("f", "force", "bool", "force", "", "destroy region even if currently active"))
_OPTIONS = {"create": _CREATE, "destroy": _DESTROY}
_USAGE = {"create": "cxl create-region <target0> ... [<options>]"}
_DONE = {"create": "created", "enable": "enabled", "disable": "disabled", "destroy": "destroyed"}


def _destroy(context: Context, region: Region, force: bool) -> int:
    """``destroy_region``: disable, reset, take the targets away, delete."""
    say, name = partial(log, context, "destroy_region"), region.devname
    if region.is_enabled:
        if not force:
            say(f"{name} active. Disable it or use --force")
            return -EBUSY
        if rc := region.disable_device("cxl_region_disable"):
            say(f"{name}: error disabling region: {strerror(rc)}")
            return rc
    if rc := region.write("commit", "0\n"):
        say(f"{name}: failed to reset decode: {strerror(rc)}")
        return rc
    ways = region.small("interleave_ways")
    if not 0 < ways < 1 << 31:
        say(f"{name}: error getting interleave ways")
        return -ENXIO
    for position in range(ways):
        decoder = region.target_decoder(position)
        if decoder is None:
            return -ENXIO
        if rc := region.clear_target(position):
            say(f"{name}: clearing target{position} failed: {strerror(rc)}")
            return rc
        if rc := decoder.set_dpa_size(0):
            say(f"{decoder.devname}: set_dpa_size failed: {strerror(rc)}")
            return rc
    return region.delete()


def _act(context: Context, action: str, region: Region, force: bool) -> int:
    if action == "enable":
        return region.enable_device("cxl_region_enable")
    if action == "disable":
        return region.disable_device("cxl_region_disable")
    return _destroy(context, region, force) if action == "destroy" else -EINVAL


def _decoder(context: Context, action: str, decoder: Decoder, words: Sequence[str], force: bool) -> tuple[int, int]:
    """``decoder_region_action``: the regions of a root decoder that are named; (errno, how many went well)."""
    rc = failed = count = 0
    for region in list(decoder.regions):
        if not any(Filter(region=word).region_named(region) for word in words):
            continue
        rc = _act(context, action, region, force)
        if rc:
            log(context, "decoder_region_action", f"{region.devname}: failed: {strerror(rc)}")
            failed = rc
        else:
            count += 1
    return failed or rc, count


def _root_decoders(context: Context, wanted: Filter) -> list[Decoder]:
    buses = [bus for bus in context.buses if wanted.bus_passes(bus)]
    return [decoder for bus in buses for decoder in bus.decoders if wanted.decoder_named(decoder)]


def cmd_region(context: Context, argv: Sequence[str], action: str) -> int:
    """``cxl ACTION-region ARGV``: the exit code. A region that could not be made does not always make it 1: the real one forgets."""
    usage = _USAGE.get(action, f"cxl {action}-region <region0> ... [<options>]")
    values, words = parse_options(argv, _OPTIONS.get(action, _BASE), usage, context.console)
    if values.get("debug"):
        raise NotModelledError(f"cxl {action}-region --debug is not modelled")
    bus, root = values.get("bus"), values.get("decoder")
    wanted = Filter(bus=bus if isinstance(bus, str) else None, decoder=root if isinstance(root, str) else None)
    rc, count, failed = 0, 0, 0
    run: Create | int = 0
    if action == "create":
        run = parse_create_options(context, values, words)
    if isinstance(run, int) and run:
        rc = run
    else:
        if isinstance(run, Create):
            rc = create_region(run, wanted)
            count += rc == 0
        for decoder in _root_decoders(context, wanted):
            rc, done = _decoder(context, action, decoder, words, bool(values.get("force")))
            count += done
            failed = rc or failed
        if failed:
            log(context, "region_action", f"one or more failures, last failure: {strerror(failed)}")
            rc = failed
    log(context, f"cmd_{action}_region", f"{_DONE[action]} {count} region{'' if count == 1 else 's'}")
    return int(rc != 0)
