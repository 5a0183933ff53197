"""Why a CXL region can not be had, and the regions that come nearest. ``cxl create-region`` itself answers with a bare errno."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from sparsemem.errors import InputError, NotModelledError
from sparsemem.kernel.cxl.core import (
    PORT_DECODER,
    ROOT_DECODER,
    SZ_256M,
    decoder_of,
    memdevs,
    regions,
    root_of,
)
from sparsemem.planner.cxl.choice import WAYS, choose, complete, largest_size, unclaimed
from sparsemem.planner.intent import size_word
from sparsemem.units import format_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.kernel.state import State
    from sparsemem.planner.cxl.item import RegionItem

__all__ = ["Reason", "check_known", "free_words", "nearest_items", "reason"]

_GRANULARITY = tuple(256 << power for power in range(7))


class Reason(NamedTuple):
    """A sentence without a full stop, and an id of ``spec.rules``."""

    why: str
    rule: str | None = None


def free_words(state: State) -> str | None:
    """``mem0 (512 MiB) and mem1 (768 MiB) are in no CXL region``; None where every device is in one, or none can be."""
    free = unclaimed(state)
    if not free:
        return None
    names = [f"{each.name} ({format_size(each.size)})" for each in free]
    return f"{' and '.join(filter(None, (', '.join(names[:-1]), names[-1])))} {'is' if len(free) == 1 else 'are'} in no CXL region"


def check_known(state: State, item: RegionItem) -> None:
    """Raises NotModelledError for what the model does not have, InputError for a device that is not there."""
    if item.type == "ram":
        raise NotModelledError(
            f"I cannot tell what becomes of {item}", where="intent", why="CXL RAM regions are not modelled",
            remedy="plan a pmem region (leave type=ram out), or the dax devices of a RAM region that is there",
        )  # fmt: skip
    if root_of(state) is None:
        features, version = state.kernel.features, state.kernel.version
        window = any((each.name or "").startswith("CXL Window") for each in state.iomem.children)
        if not features.cxl_regions:
            raise InputError(
                f"Linux {version} makes no CXL regions", where="intent", remedy="its drivers do so from 6.0 on"
            )
        if window:
            raise NotModelledError(
                f"I cannot tell what becomes of {item}", where="intent",
                why="this machine has a CXL window, and its devices were not read, or are not such as the model has (a note says why)",
                remedy="describe them: a scenario with cxl = [...] under [machine] (docs/scenarios.md)",
            )  # fmt: skip
        raise InputError(
            f"{item}: the machine has no CXL", where="intent", remedy="for its libnvdimm regions, leave the region out"
        )
    have = [each.name for each in memdevs(state)]
    missing = [name for name in item.memdevs if name not in have]
    if missing:
        raise InputError(
            f"on {missing[0]}: the machine has no such CXL memory device", where="intent",
            remedy=f"there are {', '.join(have)}" if have else "no device has a driver",
        )  # fmt: skip
    if item.decoder not in (None, ROOT_DECODER):
        raise InputError(
            f"{item.decoder} is no root decoder of this machine", where="intent", remedy=f"there is {ROOT_DECODER}"
        )


def _taken(state: State) -> str:
    return ", ".join(each.name for each in regions(state))


def _by_devices(state: State, item: RegionItem) -> Reason | None:
    root = root_of(state)
    assert root is not None
    if not memdevs(state):
        return Reason(
            "no memory device has a driver: this kernel wants interrupts for their event logs, which QEMU's devices do not have; booted "
            "with pci=nomsi it does without", "cxl-event-interrupt",
        )  # fmt: skip
    idle = [each.name for each in memdevs(state) if each.name in item.memdevs and not each.endpoint]
    if idle:
        return Reason(f"{', '.join(idle)} has no driver (cxl enable-memdev {idle[0]})")
    if decoder_of(state, PORT_DECODER).region:
        return Reason(
            f"the host bridge of these devices has one decoder, and {_taken(state)} has it: there is one region at a time",
            "cxl-decoder-busy",
        )
    if state.kernel.features.cxl_flushes_caches and not root.flushes:
        return Reason(
            "this CPU says that it is a hypervisor's guest, and then this kernel commits no region; a guest whose hypervisor hides itself "
            "(QEMU: -cpu max,-hypervisor) does", "cxl-cache-flush",
        )  # fmt: skip
    return None


def _by_numbers(state: State, item: RegionItem) -> Reason | None:
    sizes = {each.name: each.size for each in memdevs(state)}
    ways = item.ways or 0
    if item.memdevs and ways != len(item.memdevs):
        return Reason(f"{ways} ways are {ways} devices, and {len(item.memdevs)} are named", "cxl-region-config")
    if ways not in WAYS:
        legal = ", ".join(map(str, WAYS[:-1]))
        return Reason(
            f"below one host bridge {legal} or {WAYS[-1]} devices can be interleaved, not {ways}", "cxl-region-config"
        )
    if item.granularity is not None and item.granularity not in _GRANULARITY:
        return Reason("a granularity is a power of two from 256 to 16384 bytes", "cxl-region-config")
    line, size = SZ_256M * ways, item.size
    if not item.memdevs and ways > len(unclaimed(state)):
        return Reason(f"{len(unclaimed(state))} memory devices are free, and {ways} are asked for", "cxl-region-config")
    if size is not None and size % line:
        what = "256M" if ways == 1 else f"{size_word(line)} (256M on each of {ways} devices)"
        return Reason(f"the size of a region is a multiple of {what}", "cxl-256m")
    named = [each for each in memdevs(state) if each.name in item.memdevs] or unclaimed(state)[:ways]
    room = largest_size(state, [each._replace(size=1 << 50) for each in named])
    if not room or (size is not None and size > room):
        return Reason(f"the window of {ROOT_DECODER} has {format_size(room)} free in one piece", "cxl-window-space")
    own = [sizes[name] for name in item.memdevs] or sorted((each.size for each in unclaimed(state)), reverse=True)[
        :ways
    ]
    if size is not None and own and size > min(own) * ways:
        many = f"{ways} x " if ways > 1 else ""
        return Reason(
            f"the smallest of these devices has {format_size(min(own))}: {many}that is all they give", "cxl-capacity"
        )
    return None


def reason(state: State, item: RegionItem, *, made: bool = False) -> Reason:
    """Why ``cxl create-region`` does not make this, on a machine that is as it was before. ``made``: it did, and libnvdimm refused."""
    if made:
        serials = [each.name for each in memdevs(state) if each.name in item.memdevs and not each.serial]
        if serials and state.kernel.features.cxl_pmem_needs_serial:
            return Reason(
                f"{', '.join(serials)} has no serial number, by which its labels would be known: this kernel makes a CXL region of it, "
                "and none of libnvdimm", "cxl-serial",
            )  # fmt: skip
        return Reason("the region is made, and libnvdimm does not take it")
    found = _by_devices(state, item) or _by_numbers(state, item)
    return found or Reason("the kernel refuses it; its words say why", "cxl-region-config")


def _numbers_near(state: State, item: RegionItem) -> Iterator[RegionItem]:
    ways = item.ways if item.ways in WAYS else max((each for each in WAYS if each <= (item.ways or 1)), default=1)
    named = item.memdevs
    if named and ways != len(named):
        ways = max(each for each in WAYS if each <= len(named))
    names = named[:ways]
    plain = replace(item, ways=None if names else ways if item.ways is not None else None, memdevs=names)
    grains = [item.granularity]
    if item.granularity is not None and item.granularity not in _GRANULARITY:
        below = [each for each in _GRANULARITY if each < item.granularity][-1:]
        grains = [*below, *[each for each in _GRANULARITY if each > item.granularity][:1]]
    for granularity in grains:
        base = replace(plain, granularity=granularity)
        if item.size is None:
            yield base
            continue
        line = SZ_256M * ways
        for size in (item.size // line * line, -(-item.size // line) * line):
            if size:
                yield replace(base, size=size)
        if names:
            done = complete(state, replace(base, size=None))
            if done.size:
                yield replace(base, size=done.size)


def nearest_items(state: State, item: RegionItem) -> Iterator[RegionItem]:
    """Regions near this one, the nearest first; whether they can be had is asked by playing them."""
    seen = {item}
    options = list(_numbers_near(state, item))
    base = replace(
        item, memdevs=(), ways=None, granularity=item.granularity if item.granularity in _GRANULARITY else None
    )
    options += choose(state, base)[:4]
    options += choose(state, replace(base, size=None))[:4]
    for each in options:
        short = _short(each)
        if short not in seen:
            seen.add(short)
            yield short


def _short(item: RegionItem) -> RegionItem:
    """Without what follows from the rest."""
    ways = None if item.memdevs and item.ways == len(item.memdevs) else item.ways
    return replace(item, ways=ways, decoder=None if item.decoder == ROOT_DECODER else item.decoder)
