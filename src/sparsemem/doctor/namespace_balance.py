"""How the raw bytes of one namespace divide: data, info block, page array, padding, rounding."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sparsemem.doctor.intervals import outside
from sparsemem.kernel.nvdimm import pfn
from sparsemem.ranges import Range

if TYPE_CHECKING:
    from sparsemem.doctor.context import Context
    from sparsemem.machine.description import DaxFact, NamespaceFact
    from sparsemem.machine.machine import Answer

__all__ = ["NamespaceView", "Shares", "namespace_shares"]

Shares = dict[str, int]
"""Kind of share (a key of ``balance.KINDS``) -> bytes."""

_RESERVE = 8192
_MAX_STRUCT_PAGE = 64


class NamespaceView(NamedTuple):
    """A namespace with what else is known of it: its dax device, how mapping it fared on the model, and its info block."""

    fact: NamespaceFact
    dax: DaxFact | None = None
    answer: Answer | None = None
    info: bytes | None = None


def namespace_shares(ctx: Context, view: NamespaceView) -> Shares:
    """The shares of a namespace; they add up to its raw size, or to its data where only that is known."""
    fact = view.fact
    raw = fact.range.size if fact.range is not None else fact.size
    if raw is None:
        return {"data": fact.usable} if fact.usable else {}
    if fact.mode == "raw" or (fact.mode == "fsdax" and fact.map is None):
        return {"data": raw}
    if fact.mode == "sector":
        if fact.usable is None or fact.usable > raw or fact.holder is None:
            return {"unknown": raw} if fact.holder is not None else {"data": raw}
        return {"data": fact.usable, "btt": raw - fact.usable}
    if fact.mode not in ("fsdax", "devdax"):
        return {"unknown": raw}
    if fact.range is None:
        if fact.usable is not None and fact.usable < raw:
            return {"data": fact.usable, "metadata": raw - fact.usable}
        return {"data": raw} if fact.holder is None else {"unknown": raw}
    place = _place(view, fact.range)
    if place is None:
        if fact.holder is None and fact.uuid is None and fact.mode == "fsdax" and fact.map == "mem":
            return {"data": raw}  # legacy memory with pages: no info block
        if fact.usable is not None and 0 < fact.usable < raw:
            return {"data": fact.usable, "metadata": raw - fact.usable}
        return {"unknown": raw}
    return _split(ctx, view, fact.range, place)


class _Place(NamedTuple):
    """Where the data is, and what padding lies around the mapped range; bytes from the namespace's start."""

    start_pad: int
    data: int
    end: int
    end_trunc: int


def _place(view: NamespaceView, whole: Range) -> _Place | None:
    if view.info is not None and pfn.checksum_valid(view.info):
        sb = pfn.decode(view.info)
        known = sb.signature in (pfn.PFN_SIG, pfn.DAX_SIG) and sb.version_minor >= 1
        end = whole.size - sb.end_trunc
        if known and 0 < sb.start_pad + sb.dataoff < end:
            return _Place(sb.start_pad, sb.start_pad + sb.dataoff, end, sb.end_trunc)
    data = view.fact.data
    if data is None and view.dax is not None and view.dax.listed and len(view.dax.ranges) == 1:
        data = view.dax.ranges[0]
    if data is None or not whole.contains(data) or data.start == whole.start:
        return None
    pad = 0
    if view.answer is not None and view.answer.operation.ranges:
        pad = max(0, min(view.answer.operation.ranges[0].start, data.start) - whole.start)
    return _Place(pad, data.start - whole.start, data.end - whole.start, whole.end - data.end)


def _split(ctx: Context, view: NamespaceView, whole: Range, place: _Place) -> Shares:
    fact, g = view.fact, ctx.kernel.geometry
    head = place.data - place.start_pad
    info = min(_RESERVE, head)
    memmap = 0
    if fact.map == "dev":
        # the kernel counts the pages behind the info block, and reserves 64 bytes for each
        pages = (whole.size - place.start_pad - place.end_trunc - _RESERVE) // g.PAGE_SIZE
        memmap = max(0, min(_MAX_STRUCT_PAGE * pages, head - info))
    align = max(fact.align or 0, g.SUBSECTION_SIZE)
    tail = place.end_trunc
    padding = place.start_pad + (tail if tail >= align else 0)
    rounding = head - info - memmap + (tail if tail < align else 0)
    data = Range(whole.start + place.data, whole.start + place.end)
    shares: Shares = {"info": info, "memmap": memmap, "padding": padding, "rounding": rounding}
    if view.dax is not None and view.dax.mode == "system-ram" and ctx.block_size_sure:
        lost = sum(r.size for r in outside((data,), ctx.block_size))
        shares |= {"ram": data.size - lost, "outside-blocks": lost}
    else:
        shares["data"] = data.size
    return shares
