"""Bulk ``pfn_valid``: 100M pfns over 64 TiB, in order and uniformly random, against the peers."""

from __future__ import annotations

from functools import partial

import numpy as np

from bench.layouts import NR_SUBSECTIONS, Layout
from bench.measure import MISSING, Row, Table, WrongAnswerError, race
from bench.peers import FlatC, KernelLikeC
from sparsemem.bulk import numpy_backend

__all__ = ["run"]

SMALL = 200_000  # pfns for the peers that take microseconds each


def run(table: Table, layout: Layout, nr_pfns: int, rounds: int) -> None:
    """Race everything on one layout."""
    limit = NR_SUBSECTIONS * 512
    random_pfns = np.random.default_rng(7).integers(0, limit, nr_pfns, dtype=np.uint64)
    in_order = np.linspace(0, limit - 1, nr_pfns).astype(np.uint64)
    for order, pfns in (("sequential", in_order), ("random", random_pfns)):
        _race(table, layout, order, pfns, rounds)
        _slow_peers(table, layout, order, pfns[:: max(1, nr_pfns // SMALL)][:SMALL].copy())


def _race(table: Table, layout: Layout, order: str, pfns: np.ndarray, rounds: int) -> None:
    what = f"pfn_valid {layout.name}, {order}"
    kernel_like, flat = KernelLikeC(layout.maps, layout.early), FlatC(numpy_backend.words(layout.map))
    out = np.empty(pfns.size, bool)
    contestants = {
        "C kernel-like -O2": partial(kernel_like.pfn_valid, pfns, out),
        "C flat -O3": partial(flat.pfn_valid, pfns, out),
        "numpy": partial(numpy_backend.pfn_valid, layout.map, pfns, out),
    }
    try:
        from sparsemem.bulk import numba_backend

        contestants["numba"] = partial(numba_backend.pfn_valid, layout.map, pfns, out)
        contestants["numba, 2 threads"] = partial(numba_backend.pfn_valid, layout.map, pfns, out, 2)
    except MISSING:
        table.note(what, "numba is not installed")
    reference = layout.naive[pfns >> np.uint64(9)]
    for name, contestant in contestants.items():
        out[:] = False
        contestant()
        if not np.array_equal(out, reference):
            raise WrongAnswerError(f"{what}: {name}")
    contestants["(reading and writing only)"] = partial(flat.traffic, pfns, out)
    took = race(contestants, rounds)
    limits = {"numpy": 5.0, "numba": 1.3 if order == "sequential" else 1.2}
    for name, spent in took.items():
        table.add(
            Row(
                what,
                name,
                f"{spent / pfns.size * 1e9:.2f} ns",
                took.ratio(name, "C flat -O3"),
                "C flat",
                limits.get(name),
            )
        )
    if order == "random" and "numba" in took:
        ratio = took.ratio("numba", "C kernel-like -O2")
        table.add(Row(what, "numba", f"{1 / ratio:.1f}x faster", ratio, "C kernel-like", 0.2))
    kernel_like.close()


def _slow_peers(table: Table, layout: Layout, order: str, pfns: np.ndarray) -> None:
    """Per-pfn peers, on a sample; each holds the same sub-sections."""
    what = f"pfn_valid {layout.name}, {order}"
    subs = (pfns >> np.uint64(9)).tolist()
    listed = pfns.tolist()
    reference = layout.naive[subs].tolist()
    test = layout.map.test
    contestants = {"EffectiveMap.test": lambda: [test(pfn) for pfn in listed]}
    sections = {nr: word for nr, word in enumerate(layout.map.words.tolist()) if word}
    get = sections.get
    contestants["dict of section words"] = lambda: [bool(get(pfn >> 15, 0) >> (pfn >> 9 & 63) & 1) for pfn in listed]
    try:
        from pyroaring import BitMap

        bitmap = BitMap(np.flatnonzero(layout.naive).astype(np.uint32))
        bitmap.run_optimize()
        contestants["pyroaring"] = lambda: [sub in bitmap for sub in subs]
    except MISSING:
        table.note(what, "pyroaring is not installed")
    firsts, stops = numpy_backend.runs(layout.map)
    if firsts.size <= 100_000:
        try:
            from intervaltree import IntervalTree

            tree = IntervalTree.from_tuples(zip(firsts.tolist(), stops.tolist(), strict=True))
            contestants["intervaltree"] = lambda: [tree.overlaps_point(sub) for sub in subs]
        except MISSING:
            table.note(what, "intervaltree is not installed")
    for name, contestant in contestants.items():
        if contestant() != reference:
            raise WrongAnswerError(f"{what}: {name}")
    took = race(contestants, 3)
    for name, spent in took.items():
        table.add(
            Row(
                what,
                name,
                f"{spent / len(listed) * 1e9:.0f} ns",
                spent / took["EffectiveMap.test"],
                "EffectiveMap.test",
            )
        )
