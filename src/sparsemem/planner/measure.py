"""What a namespace or a dax device of the running model is made of, and the balance of a region. Bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.kernel.dax.types import KMEM, DevDax
from sparsemem.kernel.nvdimm.core import namespace_of
from sparsemem.kernel.nvdimm.types import NdBtt, NdPfn
from sparsemem.planner.plan import Balance
from sparsemem.planner.predict import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sparsemem.kernel.nvdimm.types import NdNamespace
    from sparsemem.kernel.state import State
    from sparsemem.planner.spaces import Space

__all__ = ["balance", "dax_outcome", "device_of", "outcome_of"]

_RESERVE = 8192
_STRUCT_PAGE = 64


def device_of(state: State, ndns: NdNamespace) -> str | None:
    """The block device or dax device of a namespace."""
    claim = state.nd.get(ndns.claim)
    if isinstance(claim, NdPfn) and claim.type == "dax":
        return _dax_name(state, claim)
    if isinstance(claim, NdPfn | NdBtt):
        return claim.disk or None
    return ndns.disk or None


def _dax_name(state: State, claim: NdPfn) -> str | None:
    """The dax device on a libnvdimm dax device: it has the number of the namespace, the other one has not."""
    region = state.dax.backed.get(claim.name)
    return next(iter(state.dax.devices.get(region, ())), None) if region is not None else None


def _with_ram(state: State, name: str | None, made: Outcome) -> Outcome:
    """The same where kmem has made memory blocks of it."""
    dev = state.dax.get(name or "")
    if not isinstance(dev, DevDax) or dev.driver != KMEM:
        return made
    kept = [each for each in dev.reserved if each is not None]
    size = sum(end - start + 1 for start, end in kept)
    if not kept:
        return made._replace(usable=0, outside_blocks=made.usable, data=None, blocks=None)
    block: int = state.misc["memory_block_size_bytes"]
    first, last = kept[0][0], kept[-1][1] + 1
    return made._replace(
        usable=size, outside_blocks=made.usable - size, data=(first, last), blocks=(first // block, last // block)
    )


def outcome_of(state: State, ndns: NdNamespace) -> Outcome | None:
    """What a namespace is made of; None for one without a driver, of which nothing more is known."""
    start, end, size = ndns.start, ndns.end + 1, ndns.size
    claim = state.nd.get(ndns.claim)
    if isinstance(claim, NdPfn):
        if not claim.driver or claim.layout is None:
            return None
        offset, pad, cut, _ = claim.layout
        first, last = start + pad + offset, end - cut
        pages = (size - pad - cut - _RESERVE) // state.kernel.geometry.PAGE_SIZE
        if not state.kernel.features.pfn_pads_to_sections:
            pages = (size - _RESERVE) // state.kernel.geometry.PAGE_SIZE
        memmap = min(_STRUCT_PAGE * pages, offset - _RESERVE) if claim.mode == "pmem" else 0
        usable = last - first
        made = Outcome(
            usable, _RESERVE, memmap, padding=size - usable - _RESERVE - memmap, data=(first, last),
            mapped=(start + pad, last), start_pad=pad,
        )  # fmt: skip
        return _with_ram(state, _dax_name(state, claim), made) if claim.type == "dax" else made
    if isinstance(claim, NdBtt):
        return Outcome(claim.size, btt=size - claim.size) if claim.driver else None
    if not ndns.driver:
        return None
    return Outcome(size, data=(start, end))


def dax_outcome(state: State, dev: DevDax) -> Outcome:
    """What a device of a dax region is made of."""
    ranges = dev.ranges
    data = (ranges[0].start, ranges[-1].end + 1)
    return _with_ram(state, dev.name, Outcome(dev.size, data=data, mapped=data))


def balance(state: State, space: Space, rounding: Mapping[str, int], unusable: int) -> Balance:
    """Where the bytes of a region are. ``rounding``: by device, what it has beyond what was asked for; ``unusable``: of what is free."""
    parts = dict.fromkeys(("data", "rounding", "info_block", "memmap", "btt", "padding", "outside_blocks", "idle"), 0)
    taken = 0
    found: list[tuple[str, int, Outcome | None]] = []
    if space.dax is not None:
        for name in state.dax.devices.get(_dax_key(state, space), ()):
            dev = state.dax[name]
            if dev.size:
                found.append((name, dev.size, dax_outcome(state, dev)))
    else:
        for key in state.nd.children.get(space.name, ()):
            if key.startswith("namespace") and (ndns := namespace_of(state, key)).size:
                found.append((key, ndns.size, outcome_of(state, ndns)))
    for name, size, made in found:
        taken += size
        if made is None:
            parts["idle"] += size
            continue
        more = rounding.get(name, 0)
        parts["data"] += made.usable - more
        parts["rounding"] += more
        for part in ("info_block", "memmap", "btt", "padding", "outside_blocks"):
            parts[part] += getattr(made, part)
    free = space.range.size - taken - unusable
    return Balance(region=space.name, size=space.range.size, **parts, unusable=unusable, free=free)


def _dax_key(state: State, space: Space) -> str:
    assert space.dax is not None
    return next(
        key for key, dev in state.dax.items() if dev == space.dax or getattr(dev, "path", None) == space.dax.path
    )
