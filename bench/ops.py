"""Single operations, batches, counts, first conflicts, hole lists and memory of the map."""

from __future__ import annotations

import random
import tracemalloc
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from bench.layouts import NR_SECTIONS, NR_SUBSECTIONS, Layout
from bench.measure import MISSING, Row, Table, WrongAnswerError, race
from bench.peers import FlatC, KernelLikeC
from sparsemem.bulk import EffectiveMap, numpy_backend

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["batches", "lists", "memory", "queries", "singles"]


def singles(table: Table, nr: int, rounds: int) -> None:
    """Adds and removals of 1 to 64 sub-sections inside a section, one call each, all derived tables kept."""
    what = "one add or remove of 1-64 sub-sections"
    rng = random.Random(3)  # noqa: S311
    operations = []
    held: dict[int, tuple[int, int]] = {}
    naive: set[int] = set()
    expected: list[int | None] = []
    for _ in range(nr):
        section = rng.randrange(NR_SECTIONS)
        if held and rng.random() < 0.5:
            section, (start, n) = held.popitem()
            operations.append((False, start, n))
        else:
            n = rng.randint(1, 64)
            start = section * 64 + rng.randint(0, 64 - n)
            operations.append((True, start, n))
            if not naive & set(range(start, start + n)):
                held[section] = (start, n)
        add, start, n = operations[-1]
        bits = set(range(start, start + n))
        blocked = bits & naive if add else bits - naive
        expected.append(min(blocked) if blocked else None)
        if not blocked:
            naive ^= bits

    def play(m: EffectiveMap) -> list[int | None]:
        add, remove = m.add, m.remove
        return [add(start, n) if which else remove(start, n) for which, start, n in operations]

    m = EffectiveMap(NR_SECTIONS)
    if play(m) != expected or {sub for first, stop in m.runs() for sub in range(first, stop)} != naive:
        raise WrongAnswerError(what)
    maps = [EffectiveMap(NR_SECTIONS) for _ in range(rounds + 1)]
    contestants: dict[str, Callable[[], object]] = {
        "EffectiveMap": lambda: play(maps.pop()),
        "dict of section words": lambda: _dict(operations, expected),
    }
    try:
        from pyroaring import BitMap

        contestants["pyroaring"] = lambda: _roaring(BitMap(), operations, expected)
    except MISSING:
        table.note(what, "pyroaring is not installed")
    try:
        from intervaltree import IntervalTree

        fewer = max(1, nr // 50)
        contestants["intervaltree"] = lambda: _tree(IntervalTree(), operations[:fewer], expected)
    except MISSING:
        table.note(what, "intervaltree is not installed")
    took = race(contestants, rounds)
    if "intervaltree" in took:
        took["intervaltree"] *= nr / fewer
    mine = took.pop("EffectiveMap") / nr * 1e6
    table.within(what, "EffectiveMap", mine, 2.5, "us")
    for name, spent in took.items():
        note = "  (no derived tables)" if name != "intervaltree" else "  (a few thousand ranges)"
        table.add(Row(what, name, f"{spent / nr * 1e6:.3g} us", spent / nr * 1e6 / mine, "EffectiveMap", note=note))


def _dict(operations: list[tuple[bool, int, int]], expected: list[int | None]) -> None:
    sections: dict[int, int] = {}
    get = sections.get
    refused = 0
    for add, start, n in operations:
        nr = start >> 6
        mask = ((1 << n) - 1) << (start & 63)
        word = get(nr, 0)
        if (word & mask) if add else (~word & mask):
            refused += 1
            continue
        word ^= mask
        if word:
            sections[nr] = word
        else:
            del sections[nr]
    _same(refused, expected)


def _roaring(bitmap: object, operations: list[tuple[bool, int, int]], expected: list[int | None]) -> None:
    refused = 0
    # type: ignore[attr-defined]
    count, add_range, remove_range = bitmap.range_cardinality, bitmap.add_range, bitmap.remove_range
    for add, start, n in operations:
        if count(start, start + n) != (0 if add else n):
            refused += 1
        elif add:
            add_range(start, start + n)
        else:
            remove_range(start, start + n)
    _same(refused, expected)


def _tree(tree: object, operations: list[tuple[bool, int, int]], expected: list[int | None]) -> None:
    refused = 0
    for add, start, n in operations:
        if add:
            if tree.overlaps(start, start + n):  # type: ignore[attr-defined]
                refused += 1
            else:
                tree.addi(start, start + n)  # type: ignore[attr-defined]
        # type: ignore[attr-defined]
        elif sum(min(i.end, start + n) - max(i.begin, start) for i in tree.overlap(start, start + n)) != n:
            refused += 1
        else:
            tree.chop(start, start + n)  # type: ignore[attr-defined]
    _same(refused, expected[: len(operations)])


def _same(refused: int, expected: list[int | None]) -> None:
    if refused != sum(answer is not None for answer in expected):
        raise WrongAnswerError("refusals differ")


def batches(table: Table, nr: int, rounds: int) -> None:
    """A batch of adds and removals over 64 TiB, answers and derived tables included."""
    what = f"batch of {nr:,} adds and removes"
    rng = np.random.default_rng(5)
    counts = rng.integers(1, 65, nr)
    starts = rng.integers(0, NR_SECTIONS, nr) * 64 + (rng.random(nr) * (65 - counts)).astype(np.int64)
    adds = np.ascontiguousarray(rng.random(nr) < 0.5)
    # Half of the removals take back what an earlier add brought, so that both succeed and are refused.
    back = np.flatnonzero(~adds)[::2]
    earlier = np.maximum(back - 1000, 0)
    starts[back], counts[back] = starts[earlier], counts[earlier]
    try:
        from sparsemem.bulk import numba_backend
    except MISSING:
        table.note(what, "numba is not installed")
        return
    naive = np.zeros(NR_SUBSECTIONS, bool)
    expected = np.full(nr, -1)
    for i, (start, n, add) in enumerate(zip(starts.tolist(), counts.tolist(), adds.tolist(), strict=True)):
        part = naive[start : start + n]
        if part.any() if add else not part.all():
            expected[i] = start + int((part if add else ~part).argmax())
        else:
            part[:] = add
    state = EffectiveMap(NR_SECTIONS)
    flat = FlatC(numpy_backend.words(state))
    answers = np.empty(nr, np.int64)
    tables = [KernelLikeC(flat.words, np.zeros(NR_SECTIONS, bool)) for _ in range(rounds + 2)]
    mine = [EffectiveMap(NR_SECTIONS) for _ in range(rounds + 2)]
    last: list[np.ndarray] = []

    def kernel_like() -> None:
        tables.pop().batch(starts, counts, adds, answers)

    def flat_c() -> None:
        flat.batch(starts, counts, adds, answers)
        flat.derive()

    def numba() -> None:
        last[:] = [numba_backend.apply_batch(mine.pop(), starts, counts, adds)]

    def reset() -> None:
        flat.words[:] = 0

    for name, contestant in (("kernel-like", kernel_like), ("flat", flat_c)):
        reset()
        contestant()
        if not np.array_equal(answers, expected):
            raise WrongAnswerError(f"{what}: {name}")
    m = mine[-1]
    numba()
    twin = m.copy()
    same = np.array_equal(last[0], expected) and np.array_equal(numpy_backend.words(m), flat.words)
    if not same or m.tables() != twin.tables():
        raise WrongAnswerError(f"{what}: numba")
    if not np.array_equal(flat.counts, np.frombuffer(m.block_counts, np.uint16)):
        raise WrongAnswerError(f"{what}: derived tables in C")
    took = race({"C kernel-like -O2": kernel_like, "C flat -O3": flat_c, "numba": numba}, rounds, reset)
    for name, spent in took.items():
        limit = 1.5 if name == "numba" else None
        note = (
            "  (no derived tables)"
            if "kernel" in name
            else f"  ({(expected >= 0).mean():.0%} refused)"
            if limit
            else ""
        )
        table.add(Row(what, name, f"{spent / nr * 1e9:.1f} ns", took.ratio(name, "C flat -O3"), "C flat", limit, note))


def queries(table: Table, layout: Layout, nr: int, rounds: int) -> None:
    """Count and first conflict in random ranges of any size."""
    rng = random.Random(11)  # noqa: S311
    ranges = []
    while len(ranges) < nr:
        size = int(2 ** rng.uniform(0, 25))
        start = rng.randrange(NR_SUBSECTIONS - size)
        ranges.append((start, start + size))
    wide = [tuple(sorted(rng.sample(range(NR_SUBSECTIONS), 2))) for _ in range(nr)]
    prefix = np.concatenate(([0], np.cumsum(layout.naive)))
    positions = np.append(np.flatnonzero(layout.naive), NR_SUBSECTIONS)
    m = layout.map
    for kind, some in (("any size", ranges), ("uniform ends", wide)):
        starts, ends = np.array(some).T
        first = positions[np.searchsorted(positions, starts)]
        wanted = [value if value < end else None for value, end in zip(first.tolist(), ends.tolist(), strict=True)]
        if [m.count(a, b) for a, b in some] != (prefix[ends] - prefix[starts]).tolist():
            raise WrongAnswerError("count")
        if [m.first_conflict(a, b) for a, b in some] != wanted:
            raise WrongAnswerError("first_conflict")
        took = race(
            {"count": partial(_each, m.count, some), "first_conflict": partial(_each, m.first_conflict, some)}, rounds
        )
        for name, spent in took.items():
            table.within(f"{name}, {layout.name}, {kind}", "EffectiveMap", spent / nr * 1e6, 2.0, "us")


def _each(ask: Callable[[int, int], object], ranges: list[tuple[int, int]]) -> None:
    for start, end in ranges:
        ask(start, end)


def lists(table: Table, layout: Layout, rounds: int) -> None:
    """The hole list of the whole map."""
    what = f"hole list, {layout.name}"
    flat = FlatC(numpy_backend.words(layout.map))
    out = np.empty(NR_SUBSECTIONS + 2, np.int64)
    reference = np.flatnonzero(np.diff(np.concatenate(([True], layout.naive, [True]))))
    holes = reference.size // 2
    found = flat.holes(out)
    contestants: dict[str, Callable[[], object]] = {
        "C flat -O3": lambda: flat.holes(out),
        "numpy": partial(numpy_backend.holes, layout.map),
    }
    answers = {"C flat -O3": out[:found], "numpy": _interleaved(numpy_backend.holes(layout.map))}
    if holes < 200_000:
        contestants["EffectiveMap"] = layout.map.holes
        answers["EffectiveMap"] = np.array(layout.map.holes()).reshape(-1)
    try:
        from sparsemem.bulk import numba_backend

        contestants["numba"] = partial(numba_backend.holes, layout.map)
        answers["numba"] = _interleaved(numba_backend.holes(layout.map))
    except MISSING:
        table.note(what, "numba is not installed")
    for name, answer in answers.items():
        if not np.array_equal(answer, reference):
            raise WrongAnswerError(f"{what}: {name}")
    took = race(contestants, rounds)
    for name, spent in took.items():
        limit = 1.3 if name == "numba" and layout.name == "realistic" else None
        table.add(
            Row(
                what,
                name,
                f"{spent * 1e6:.0f} us",
                took.ratio(name, "C flat -O3"),
                "C flat",
                limit,
                f"  ({holes:,} holes)",
            )
        )


def _interleaved(lists_: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    return np.column_stack(lists_).reshape(-1)


def memory(table: Table, *, quick: bool) -> None:
    """Peak memory of a fully populated map of 64 TiB, as tracemalloc sees it (which makes half a million adds slow)."""
    builds = {"filled at once": _fill, "section by section": _section_by_section}
    if quick:
        del builds["section by section"]
    for name, build in builds.items():
        tracemalloc.start()
        m = build()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        if m.total != NR_SUBSECTIONS:
            raise WrongAnswerError(name)
        table.within(f"memory, 64 TiB full, {name}", "EffectiveMap", peak / 2**20, 16, "MiB", "  (peak)")


def _fill() -> EffectiveMap:
    m = EffectiveMap(NR_SECTIONS)
    m.fill_range(0, NR_SUBSECTIONS)
    return m


def _section_by_section() -> EffectiveMap:
    m = EffectiveMap(NR_SECTIONS)
    for nr in range(NR_SECTIONS):
        m.add(nr * 64, 64)
    return m
