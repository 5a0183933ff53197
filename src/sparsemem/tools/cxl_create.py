"""What ``cxl create-region`` makes of its options and of the topology, and the steps to a region (cxl/region.c)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from sparsemem.tools.cxl_filter import Filter, separated
from sparsemem.tools.cxl_json import region_to_json
from sparsemem.tools.cxl_walk import Walk
from sparsemem.tools.json_out import pretty
from sparsemem.tools.libcxl import Context
from sparsemem.tools.options import parse_size64
from sparsemem.tools.result import strerror

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sparsemem.tools.libcxl import Decoder, Memdev, Region
    from sparsemem.tools.options import Values

__all__ = ["Create", "create_region", "log", "parse_create_options"]

ENXIO, EINVAL, ENOSPC, EOPNOTSUPP = 6, 22, 28, 95
ULLONG_MAX = (1 << 64) - 1
UINT_MAX = (1 << 32) - 1
_256M = 256 << 20


def log(context: Context, function: str, text: str) -> None:
    """A line of the tool's own log."""
    context.console.err(f"cxl region: {function}: {text}\n")


@dataclass(slots=True)
class Create:
    """``struct parsed_params``."""

    context: Context
    memdevs: list[Memdev]
    type: str
    given_type: str | None
    size: int
    ways: int
    granularity: int


def _csv(words: Sequence[str]) -> tuple[str | None, int]:
    """``to_csv``: words that may be lists themselves, as one list; how many there are."""
    parts = [separated(word) for word in words]
    count = sum(map(len, parts))
    text = "".join(
        name + ("," if index + 1 < count else "") for index, names in enumerate(parts) for name in names
    )  # fmt: skip
    return (text if words else None), count


def _collect(context: Context, decoder: str, csv: str | None) -> list[Memdev]:
    """``collect_memdevs``: those below the decoder that are named, in the order of the names."""
    walk = Walk(context, Filter(decoder=decoder, memdev=csv), frozenset({"memdevs"}))
    walk.platform()
    found = walk.memdevs
    if not found:
        text = f"no active memdevs found: decoder: {decoder} filter: {'none' if csv is None else csv}"
        log(context, "collect_memdevs", text)
    if csv is None:
        return found
    names = separated(csv)

    def place(memdev: Memdev) -> int:
        fits = (at for at, name in enumerate(names) if Filter(memdev=name).memdev_passes(memdev))
        return next(fits, len(names))

    return sorted(found, key=place)


def _number(value: object) -> int | None:
    """A C int that was given, None for one that was not."""
    return None if not isinstance(value, int) else value - (1 << 32) if value >> 31 else value


def parse_create_options(context: Context, values: Values, words: Sequence[str]) -> Create | int:
    """What to make, or a negative errno after the words for it."""
    say = partial(log, context, "parse_create_options")
    decoder, kind, text = (values.get(key) for key in ("decoder", "type", "size"))
    if not isinstance(decoder, str):
        say("no root decoder specified")
        return -EINVAL
    if words and not values.get("memdevs"):
        say("must specify option for target object types (-m)")
        return -EINVAL
    csv, count = _csv(words)
    memdevs = _collect(context, decoder, csv)
    if not memdevs:
        return -ENXIO
    if isinstance(kind, str) and kind not in ("ram", "pmem", "mixed"):
        say(f"unsupported type: {kind}")
        return -EINVAL
    size = parse_size64(text) if isinstance(text, str) else 0
    if size == ULLONG_MAX:
        say(f"Invalid size: {text}")
        return -EINVAL
    ways = _number(values.get("ways"))
    if ways is not None and ways <= 0:
        say(f"Invalid interleave ways: {ways}")
        return -EINVAL
    given = ways if ways is not None else count or len(memdevs)
    if (ways is not None or count) and (given > len(memdevs) or (count and given != len(memdevs))):
        than, what = "greater" if given > len(memdevs) else "less", "specified" if count else "found"
        log(
            context, "validate_ways", f"Interleave ways {given} is {than} than number of memdevs {what}: {len(memdevs)}"
        )
        return -EINVAL
    granularity = _number(values.get("granularity"))
    if granularity is not None and granularity <= 0:
        say(f"Invalid interleave granularity: {granularity}")
        return -EINVAL
    if size % given:
        say(f"size ({size}) is not an integral multiple of interleave-ways ({given})")
        return -EINVAL
    named = kind if isinstance(kind, str) else None
    return Create(context, memdevs, named or "pmem", named, size, given, granularity or 0)


def _root(run: Create, wanted: Filter) -> Decoder | int:
    """``create_region_validate_config``."""
    say = partial(log, run.context)
    found = (
        each
        for bus in run.context.buses
        if wanted.bus_passes(bus)
        for each in bus.decoders
        if wanted.decoder_named(each)
    )
    root = next(found, None)
    if root is None:
        say("create_region_validate_config", f"{wanted.decoder} not found in CXL topology")
        return -ENXIO
    if run.type == "mixed":
        say("validate_decoder", f"unknown type: {run.given_type}")
        return -EINVAL
    if not root.capable(run.type):
        say("validate_decoder", f"{root.devname} is not {'volatile' if run.type == 'ram' else 'pmem'} capable")
        return -EINVAL
    return root


def _size(run: Create, root: Decoder) -> int:
    """Bytes of the region, or a negative errno."""
    say = partial(log, run.context, "create_region")
    size = run.size or min(each.pmem_size for each in run.memdevs[: run.ways]) * run.ways
    if not size:
        say("create_region: unable to determine region size")
        return -ENXIO
    extent = root.max_available_extent()
    if extent == ULLONG_MAX:
        say(f"{root.devname}: unable to determine max extent")
        return -EINVAL
    if run.size and size > extent:
        say(f"{root.devname}: region size {size:#x} exceeds max available space")
        return -ENOSPC
    return size if size <= extent else extent // (_256M * run.ways) * (_256M * run.ways)


def create_region(run: Create, wanted: Filter) -> int:
    """0 and the region on stdout, or a negative errno after the words for it."""
    root = _root(run, wanted)
    if isinstance(root, int):
        return root
    size = _size(run, root)
    if size < 0:
        return size
    if run.type == "ram":
        log(run.context, "create_region", f"region type '{run.given_type}' not supported yet")
        return -EOPNOTSUPP
    region = root.create_pmem_region()
    if region is None:
        log(run.context, "create_region", f"failed to create region under {wanted.decoder}")
        return -ENXIO
    rc = _set_up(run, root, region, size)
    if rc:
        region.delete()
        return rc
    fresh = Context(run.context.tree, run.context.console)
    again = next(each for bus in fresh.buses for each in bus.decoders for each in each.regions if each.id == region.id)
    flags = frozenset({"targets", *(["human"] if run.context.console.tty else [])})
    run.context.console.out(pretty(region_to_json(again, flags)) + "\n")
    return 0


def _granularity(run: Create, root: Decoder, region: Region) -> int:
    say = partial(log, run.context, "cxl_region_determine_granularity")
    own, ways = root.small("interleave_granularity"), root.small("interleave_ways")
    if own in (0, UINT_MAX):
        say(f"{region.devname}: unable to determine root decoder granularity")
        return -ENXIO
    if not run.granularity:
        return own
    if ways in (0, UINT_MAX):
        say(f"{region.devname}: unable to determine root decoder ways")
        return -ENXIO
    if ways == 1 or run.granularity == own:
        return run.granularity
    say(f"{region.devname}: For an x{ways} root, only root decoder granularity ({own}) permitted")
    return -EINVAL


def _set_up(run: Create, root: Decoder, region: Region, size: int) -> int:
    granularity = _granularity(run, root, region)
    if granularity < 0:
        return granularity
    say = partial(log, run.context, "create_region")
    steps = (
        ("set_interleave_granularity", "interleave_granularity", f"{granularity}\n"),
        ("set_interleave_ways", "interleave_ways", f"{run.ways}\n"),
        ("set_uuid", "uuid", f"{run.context.tree.fresh_uuid()}\n"),
        ("set_size", "size", f"{size:#x}\n"),
    )
    for name, attribute, text in steps:
        if rc := region.write(attribute, text):
            say(f"{region.devname}: {name} failed: {strerror(rc)}")
            return rc
    for position, memdev in enumerate(run.memdevs[: run.ways]):
        if rc := _target(run, region, position, memdev, size // run.ways):
            return rc
    if rc := region.write("commit", "1\n"):
        say(f"{region.devname}: failed to commit decode: {strerror(rc)}")
        return rc
    if rc := region.enable_device("cxl_region_enable"):
        say(f"{region.devname}: failed to enable: {strerror(rc)}")
    return rc


def _free_decoder(context: Context, memdev: Memdev) -> Decoder | None:
    """``cxl_memdev_find_decoder``."""
    say = partial(log, context, "cxl_memdev_find_decoder")
    if memdev.endpoint is None:
        say(f"could not get an endpoint for {memdev.devname}")
        return None
    found = next((each for each in memdev.endpoint.decoders if each.big("size") == 0), None)
    if found is None:
        say(f"could not get a free decoder for {memdev.devname}")
    return found


def _target(run: Create, region: Region, position: int, memdev: Memdev, size: int) -> int:
    say = partial(log, run.context, "create_region")
    decoder = _free_decoder(run.context, memdev)
    if decoder is None:
        return -ENXIO
    if decoder.mode != run.type:
        for name, rc in (("set_dpa_size", decoder.set_dpa_size(0)), ("set_mode", decoder.write("mode", run.type))):
            if rc:
                say(f"{decoder.devname}: {name} failed: {strerror(rc)}")
                return rc
    if rc := decoder.set_dpa_size(size):
        say(f"{decoder.devname}: set_dpa_size failed: {strerror(rc)}")
        return rc
    if rc := region.write(f"target{position}", decoder.devname):
        say(f"{region.devname}: failed to set target{position} to {memdev.devname}")
        return rc
    return 0
