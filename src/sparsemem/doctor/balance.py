"""The capacity balance: where every byte of a region, a dax device or a CXL window is. The shares add up to the raw size, always.

What can not be told apart is a share of its own ("unknown", "metadata"), never a guess.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from sparsemem.doctor.devices import dax_ranges
from sparsemem.doctor.intervals import Intervals, inward, outside
from sparsemem.doctor.namespace_balance import NamespaceView, Shares, namespace_shares
from sparsemem.doctor.regions import free_extents, ndctl_unit, region_align
from sparsemem.kernel.memory_block_size import cxl_windows
from sparsemem.ranges import Range

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sparsemem.doctor.context import Context
    from sparsemem.machine.description import DaxFact, NamespaceFact, RegionFact

__all__ = ["KINDS", "PAGE_SIZES", "Balance", "Part", "balances", "page_array"]

KINDS: dict[str, str] = {
    "data": "usable data",
    "ram": "System RAM, in whole memory blocks",
    "info": "info blocks",
    "memmap": "page array on the device (map=dev)",
    "btt": "metadata of sector mode (BTT)",
    "metadata": "info blocks, page arrays and rounding together",
    "padding": "padding to sections (start_pad, end_trunc)",
    "rounding": "rounding to the align",
    "outside-blocks": "outside whole memory blocks",
    "unusable": "free, and not to be given out",
    "unknown": "can not be told",
    "free": "free",
}
"""Kinds of share, in the order in which they are shown. The first two are what one has of it; "free" can still be used."""

PAGE_SIZES = (4096, 16384, 65536)


class Part(NamedTuple):
    """A namespace in a region: its raw size, and how that divides."""

    name: str
    raw: int
    shares: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """``kind``: "region", "dax" or "cxl-window". ``shares``: (kind, bytes) in the order of KINDS, without empty ones, adding up to
    ``raw``. ``unit``: what sizes of new namespaces are multiples of. ``in_ram``: for what is mapped or may be, (page size, bytes of RAM
    that its page array takes where it is not on the device: map=mem), for a struct page of ``struct_page`` bytes."""

    name: str
    kind: str
    raw: int
    shares: tuple[tuple[str, int], ...]
    range: Range | None = None
    unit: int | None = None
    in_ram: tuple[tuple[int, int], ...] = ()
    struct_page: int = 64
    parts: tuple[Part, ...] = ()

    def share(self, kind: str) -> int:
        """Bytes of that kind."""
        return dict(self.shares).get(kind, 0)

    @property
    def lost(self) -> int:
        """Bytes that are neither data, RAM nor free, as far as that can be told."""
        return sum(size for kind, size in self.shares if kind not in ("data", "ram", "free", "unknown"))


def page_array(size: int, page_size: int, struct_page: int) -> int:
    """Bytes of the page array of ``size`` bytes."""
    return -(-size // page_size) * struct_page


def _ordered(shares: Shares) -> tuple[tuple[str, int], ...]:
    return tuple((kind, shares[kind]) for kind in KINDS if shares.get(kind))


def _in_ram(ctx: Context, size: int) -> tuple[tuple[int, int], ...]:
    struct = ctx.kernel.geometry.sizeof_struct_page
    return tuple((page, page_array(size, page, struct)) for page in PAGE_SIZES)


def _add(total: Shares, more: Shares) -> None:
    for kind, size in more.items():
        total[kind] = total.get(kind, 0) + size


def _region(ctx: Context, region: RegionFact, views: list[NamespaceView]) -> Balance:
    total: Shares = {}
    parts: list[Part] = []
    mapped = 0
    for view in views:
        shares = namespace_shares(ctx, view)
        raw = sum(shares.values())
        _add(total, shares)
        parts.append(Part(view.fact.dev, raw, _ordered(shares)))
        mapped += raw if view.fact.mode in ("fsdax", "devdax") else 0
    _add(total, _rest(ctx, region, views, sum(part.raw for part in parts)))
    over = sum(total.values()) - region.size
    if over:  # listings that contradict each other: say so instead of a sum that is none
        total, parts = {"unknown": region.size}, []
    return Balance(
        name=region.dev, kind="region", raw=region.size, shares=_ordered(total), range=region.range, unit=ndctl_unit(ctx, region),
        in_ram=_in_ram(ctx, mapped), struct_page=ctx.kernel.geometry.sizeof_struct_page, parts=tuple(parts),
    )  # fmt: skip


def _rest(ctx: Context, region: RegionFact, views: list[NamespaceView], taken: int) -> Shares:
    """What no namespace has."""
    rest = region.size - taken
    if rest <= 0:
        return {}
    told = region.available_size
    if told is not None and not views and told < rest:  # a listing without namespaces, of a region that has some
        return {"free": told, "unknown": rest - told}
    placed = [view.fact.range for view in views if view.fact.range is not None]
    if region.range is not None and len(placed) == len(views):
        if region.labels is False and views:
            return {"unusable": rest}
        free, lost = free_extents(
            region.range, placed, region_align(ctx, region) if region.labels is not False else None
        )
        return {"free": sum(r.size for r in free), "unusable": sum(r.size for r in lost)}
    if (
        told is not None and told <= rest
    ):  # of a listing: what is neither data nor available is the namespaces' metadata
        return {"free": told, "metadata": rest - told}
    return {"unknown": rest}


def _dax(ctx: Context, dax: DaxFact, ranges: tuple[Range, ...]) -> Balance:
    shares: Shares = {}
    size = dax.size if dax.listed else sum(r.size for r in ranges)
    if dax.mode == "system-ram":
        if ranges and ctx.block_size_sure and sum(r.size for r in ranges) == size:
            lost = sum(r.size for r in outside(ranges, ctx.block_size))
            shares = {"ram": size - lost, "outside-blocks": lost}
        else:
            shares = {"unknown": size}
    else:
        shares = {"data": size}
    return Balance(
        name=dax.dev, kind="dax", raw=size, shares=_ordered(shares), range=ranges[0] if len(ranges) == 1 else None,
        in_ram=_in_ram(ctx, size), struct_page=ctx.kernel.geometry.sizeof_struct_page,
    )  # fmt: skip


def _windows(ctx: Context) -> Iterator[Balance]:
    used = Intervals(
        Range(res.start, res.end + 1) for _, res in ctx.state.iomem.walk() if (res.name or "").startswith("System RAM")
    )
    facts = ctx.description.dax if ctx.description is not None else ()
    daxes = Intervals(r for dax in facts if dax.mode != "system-ram" for r in dax.ranges)
    for name, whole in cxl_windows(ctx.state.iomem):
        ram = sum(r.size for r in used.within(whole))
        taken = Intervals([*used.within(whole), *daxes.within(whole)])
        shares: Shares = {"ram": ram, "data": taken.size - ram}
        lost = 0
        if ctx.block_size_sure:
            rims = Intervals(outside((whole,), ctx.block_size))
            lost = rims.size - sum(part.size for r in taken.ranges for part in rims.within(r))
            shares["outside-blocks"] = lost
        shares["free"] = whole.size - taken.size - lost
        yield Balance(
            name=name, kind="cxl-window", raw=whole.size, shares=_ordered(shares), range=whole,
            in_ram=_in_ram(ctx, inward(whole, ctx.block_size).size), struct_page=ctx.kernel.geometry.sizeof_struct_page,
        )  # fmt: skip


def _by_region(facts: Iterable[NamespaceFact]) -> dict[str, list[NamespaceFact]]:
    found: dict[str, list[NamespaceFact]] = {}
    for fact in facts:
        found.setdefault(fact.region, []).append(fact)
    return found


def balances(ctx: Context) -> tuple[Balance, ...]:
    """A balance for each region, each dax device of no region, and each CXL window."""
    d = ctx.description
    found: list[Balance] = []
    if d is not None:
        daxes: dict[str, list[DaxFact]] = {}
        for dax in d.dax:
            daxes.setdefault(dax.region or "", []).append(dax)
        answers, blocks = dict(ctx.answers), {each.namespace: each.data for each in d.info_blocks}
        spaces = _by_region(d.namespaces)
        for region in d.regions:
            if region.type == "blk":
                continue
            own = daxes.get(region.dev, [])
            places = sorted((r.start, r.end, index) for index, dax in enumerate(own) for r in dax.ranges)
            views = []
            for fact in spaces.get(region.dev, []):
                held = _dax_of(fact, own, places) if fact.mode == "devdax" and own else None
                views.append(NamespaceView(fact, held, answers.get(fact.dev), blocks.get(fact.dev)))
            found.append(_region(ctx, region, views))
        names = {region.dev for region in d.regions}
        ranges = dax_ranges(d)
        found += [_dax(ctx, dax, ranges[dax.dev]) for dax in d.dax if dax.region not in names]
    found += _windows(ctx)
    return tuple(found)


def _dax_of(fact: NamespaceFact, own: list[DaxFact], places: list[tuple[int, int, int]]) -> DaxFact | None:
    """The dax device of a devdax namespace: by its place, else by its name."""
    if fact.range is not None:
        at = bisect_left(places, (fact.range.end, 0, 0))
        if at and places[at - 1][1] > fact.range.start:
            return own[places[at - 1][2]]
    name = fact.holder or f"dax{fact.dev.removeprefix('namespace')}"
    return next((dax for dax in own if dax.dev == name and not dax.ranges), None)
