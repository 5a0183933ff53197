"""``drivers/nvdimm/dimm_devs.c`` and the allocator of ``namespace_devs.c``: who has which bytes of a DIMM (DPA). Ends inclusive."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from operator import itemgetter, sub
from typing import TYPE_CHECKING

from sparsemem.kernel.nvdimm.core import nvdimm_of, put
from sparsemem.kernel.nvdimm.types import Dpa

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.kernel.nvdimm.types import Mapping, NdRegion, NvdimmDrvdata
    from sparsemem.kernel.state import State

__all__ = [
    "dpa_align",
    "free_extents",
    "label_id",
    "nd_pmem_available_dpa",
    "nd_pmem_max_contiguous_dpa",
    "nvdimm_allocated_dpa",
    "scan_allocate",
    "scan_free",
    "set_dpa",
    "to_ndd",
]

_RESERVE = "pmem-reserve"
_START, _END, _NAME = itemgetter(0), itemgetter(1), itemgetter(2)


def label_id(uuid: str) -> str:
    """``nd_label_gen_id``: the name under which a namespace's bytes are kept."""
    return f"pmem-{uuid}"


def to_ndd(state: State, mapping: Mapping) -> NvdimmDrvdata | None:
    """The driver data of the mapping's DIMM; None while it is disabled."""
    return nvdimm_of(state, mapping.nvdimm).ndd


def set_dpa(state: State, nvdimm: str, dpa: tuple[Dpa, ...]) -> None:
    """Write the allocations of a DIMM, by address."""
    dimm = nvdimm_of(state, nvdimm)
    assert dimm.ndd is not None
    put(state, dimm._replace(ndd=dimm.ndd._replace(dpa=dpa)))


def dpa_align(region: NdRegion) -> int:
    """Bytes of one DIMM that allocations are rounded to."""
    return region.align // max(region.ndr_mappings, 1)


def nvdimm_allocated_dpa(ndd: NvdimmDrvdata, name: str) -> int:
    """Bytes of the DIMM that this label id has."""
    return sum(each.size for each in ndd.dpa if each.name == name)


def nd_pmem_available_dpa(state: State, region: NdRegion, mapping: Mapping) -> int:
    """Free bytes of a mapping: allocations count rounded outward; 0 when one of them ends beyond the mapping."""
    ndd = to_ndd(state, mapping)
    align = dpa_align(region)
    if ndd is None or not align:
        return 0
    first, last, busy = mapping.start, mapping.start + mapping.size - 1, 0
    for low, high, _ in ndd.dpa:
        start = low - low % align
        end = high + -(high + 1) % align
        if first <= start < last:
            if end > last:
                return 0
            busy += end - start + 1
        elif first <= end <= last:
            busy += end - start + 1
        elif start < first < end:
            busy += mapping.size
    if busy >= mapping.size:
        return 0
    left = mapping.size - busy
    return left - left % align


def _gaps(dpa: tuple[Dpa, ...], align: int, mapping: Mapping) -> Iterator[tuple[int, int, Dpa | None, Dpa | None]]:
    """The free space of a mapping in the order in which the kernel looks at it, trimmed inward: (start, end, neighbours).

    Space before the first allocation, then behind each; without an allocation in the mapping there is none to find.
    """
    last = mapping.start + mapping.size - 1
    first, stop = bisect_left(dpa, mapping.start, key=_END), bisect_right(dpa, last, key=_START)
    if first >= stop:
        return
    spaces: list[tuple[int, int, Dpa | None, Dpa | None]] = []
    if dpa[first].start > mapping.start:
        spaces.append((mapping.start, dpa[first].start - 1, None, dpa[first]))
    # nearly all are side by side: find those that are not without looking at each
    steps = list(map(sub, map(_START, dpa[first + 1 : stop + 1]), map(_END, dpa[first:stop])))
    if steps.count(1) != len(steps):
        for index, step in enumerate(steps, first):
            if step != 1:
                end = min(last, dpa[index + 1].start - 1)
                spaces.append((dpa[index].end + 1, end, dpa[index], dpa[index + 1]))
    if stop == len(dpa):
        spaces.append((dpa[-1].end + 1, last, dpa[-1], None))
    for low, high, before, after in spaces:
        start = -(-low // align) * align
        end = (high + 1) // align * align - 1
        if start < end:
            yield start, end, before, after


def free_extents(dpa: tuple[Dpa, ...], align: int, mapping: Mapping) -> list[tuple[int, int]]:
    """What of a mapping can be given to a new namespace: DIMM bytes (start, inclusive end), in the order in which they are tried."""
    first, last = mapping.start, mapping.start + mapping.size - 1
    if not any(each.start <= last and first <= each.end for each in dpa):
        end = first + mapping.size // align * align - 1
        return [(first, end)] if first < end else []
    return [(start, end) for start, end, _, _ in _gaps(dpa, align, mapping)]


def _insert(dpa: tuple[Dpa, ...], *new: Dpa) -> tuple[Dpa, ...]:
    kept = list(dpa)
    for each in new:
        insort(kept, each)
    return tuple(kept)


def _first_allocation(dpa: tuple[Dpa, ...], mapping: Mapping, name: str, n: int) -> tuple[tuple[Dpa, ...], int]:
    """``init_dpa_allocation``: where no gap would do, the start of the mapping is tried, whatever the namespace has elsewhere."""
    wanted = Dpa(mapping.start, mapping.start + n - 1, name)
    if any(each.start <= wanted.end and each.end >= wanted.start for each in dpa):
        return dpa, n
    return _insert(dpa, wanted), 0


def scan_allocate(dpa: tuple[Dpa, ...], align: int, mapping: Mapping, name: str, n: int) -> tuple[tuple[Dpa, ...], int]:
    """Give ``n`` bytes of the mapping to a label id: the new allocations and the bytes that found no room.

    A namespace is one extent: the first free gap that holds all of it, and that touches what it has already.
    """
    exist = next((each for each in reversed(dpa) if each.name == name), None)
    for start, end, before, after in _gaps(dpa, align, mapping):
        if end - start + 1 < n:
            continue
        if exist is not None and start != exist.end + 1 and end != exist.start - 1:
            continue
        if after is not None and after.name == name:
            old, new = after, after._replace(start=after.start - n)
        elif before is not None and before.name == name:
            old, new = before, before._replace(end=before.end + n)
        else:
            return _insert(dpa, Dpa(start, start + n - 1, name)), 0
        return tuple(new if each is old else each for each in dpa), 0
    return _first_allocation(dpa, mapping, name, n)


def _reserve(dpa: tuple[Dpa, ...], align: int, mapping: Mapping, n: int) -> tuple[list[Dpa], int]:
    """As ``scan_allocate`` for "pmem-reserve", which takes the space wherever it is: what it takes, and what found no room."""
    taken: list[Dpa] = []
    left = n
    for start, end, _, _ in _gaps(dpa, align, mapping):
        if not left:
            break
        size = min(end - start + 1, left)
        taken.append(Dpa(start, start + size - 1, _RESERVE))
        left -= size
    if not taken:
        whole, left = _first_allocation(dpa, mapping, _RESERVE, n)
        taken = [] if left else [each for each in whole if each.name == _RESERVE and each.start == mapping.start]
    return taken, left


def scan_free(dpa: tuple[Dpa, ...], name: str, n: int) -> tuple[Dpa, ...]:
    """Take ``n`` bytes from a label id, from its highest extent down."""
    kept = list(dpa)
    while n:
        index = next((i for i in range(len(kept) - 1, -1, -1) if kept[i].name == name), None)
        if index is None:
            break
        res = kept[index]
        if n >= res.size:
            n -= res.size
            del kept[index]
        else:
            kept[index] = res._replace(end=res.end - n)
            break
    return tuple(kept)


def nd_pmem_max_contiguous_dpa(state: State, region: NdRegion, mapping: Mapping) -> int:
    """The largest free extent of a mapping, trimmed inward. The kernel reserves all that is free to find it: where the rounding
    leaves less than that, it warns once, and answers 0 with the reserve still taken, until it is asked again."""
    ndd = to_ndd(state, mapping)
    align = dpa_align(region)
    if ndd is None or not align:
        return 0
    dpa, wanted = ndd.dpa, nd_pmem_available_dpa(state, region, mapping)
    leaked = tuple(each for each in dpa if each.name == _RESERVE) if _RESERVE in map(_NAME, dpa) else ()
    if wanted:
        reserved, left = _reserve(dpa, align, mapping, wanted)
        if left:
            text = f"pmem reserve underrun: {wanted - left:#x} of {wanted:#x} bytes"
            state.log("warn", f"nd_region {region.name}: {text}", once="__reserve_free_pmem")
            set_dpa(state, mapping.nvdimm, _insert(dpa, *reserved))
            return 0
    else:
        reserved = []
    best = 0
    for each in (*leaked, *reserved):
        start = -(-each.start // align) * align
        best = max(best, (each.end + 1) // align * align - start)
    if leaked:
        set_dpa(state, mapping.nvdimm, tuple(each for each in dpa if each.name != _RESERVE))
    return best
