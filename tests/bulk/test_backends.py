"""The numpy and numba backends against the plain form."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsemem.bulk import EffectiveMap

np = pytest.importorskip("numpy")

from sparsemem.bulk import numpy_backend  # noqa: E402

BACKENDS: list[Any] = [numpy_backend]
if find_spec("numba"):
    from sparsemem.bulk import numba_backend

    BACKENDS.append(numba_backend)
needs_numba = pytest.mark.skipif(len(BACKENDS) < 2, reason="the extra numba is not installed")
every_backend = pytest.mark.parametrize("backend", BACKENDS, ids=lambda backend: backend.__name__.rsplit(".", 1)[-1])

SHAPES = [(1, 8), (13, 8), (3, 64), (65, 64), (200, 64), (9, 256), (3, 512)]


@st.composite
def maps(draw: st.DrawFn) -> EffectiveMap:
    m = EffectiveMap(*draw(st.sampled_from(SHAPES)), draw(st.sampled_from([32, 512])))
    for _ in range(draw(st.integers(0, 6))):
        start = draw(st.integers(0, m.nr_subsections - 1))
        m.fill_range(start, draw(st.integers(start + 1, m.nr_subsections)))
        start = draw(st.integers(0, m.nr_subsections - 1))
        m.clear_range(start, draw(st.integers(start + 1, min(start + 100, m.nr_subsections))))
    return m


@every_backend
@settings(max_examples=40, deadline=None)
@given(m=maps(), data=st.data())
def test_pfn_valid(backend: Any, m: EffectiveMap, data: st.DataObject) -> None:
    top = m.nr_subsections * m.pages_per_subsection
    kind = data.draw(st.sampled_from(["int64", "uint64", "int32", ">i8"]))
    lowest = 0 if kind == "uint64" else -5
    pfns = np.array(data.draw(st.lists(st.integers(lowest, min(top + 5, 2**31 - 1)), max_size=40)), kind)
    assert backend.pfn_valid(m, pfns).tolist() == [m.test(pfn) for pfn in pfns.tolist()]
    out = np.ones(pfns.size, bool)
    backend.pfn_valid(m, pfns, out)
    assert out.tolist() == [m.test(pfn) for pfn in pfns.tolist()]


@every_backend
@pytest.mark.parametrize("pattern", ["mostly uniform", "scattered"])
def test_pfn_valid_over_many_chunks(backend: Any, pattern: str) -> None:
    """Large enough for every path: chunks inside the map and beyond it, narrow and wide, with and without the
    summaries."""
    rng = np.random.default_rng(4)
    m = EffectiveMap(1 << 18)
    naive = np.zeros(m.nr_subsections, bool)
    if pattern == "scattered":
        naive[:] = rng.random(naive.size) < 0.5
        numpy_backend.words(m)[:] = np.packbits(naive, bitorder="little").view("<u8")
        numpy_backend.refresh(m)
    for at in range(0, m.nr_subsections, 1 << 18):
        naive[at : at + 100_003] = True
        m.fill_range(at, at + 100_003)
    top = m.nr_subsections * 512
    scattered = rng.integers(0, top, 100_000, dtype=np.uint64)
    for pfns in (scattered, np.sort(scattered), np.append(scattered, np.array([top, top + 1, 2**64 - 1], np.uint64))):
        wanted = np.zeros(pfns.size, bool)
        inside = pfns < top
        wanted[inside] = naive[pfns[inside] >> np.uint64(9)]
        assert np.array_equal(backend.pfn_valid(m, pfns), wanted)
        if backend is not numpy_backend:
            assert np.array_equal(backend.pfn_valid(m, pfns, threads=3), wanted)


@needs_numba
@pytest.mark.parametrize("scattered", [True, False])
def test_many_pfns_are_tried_both_ways(scattered: bool) -> None:
    """More pfns than the trial asks for, on a map that is mostly uniform: both ways give the same answers."""
    m = EffectiveMap(1 << 14)
    m.fill_range(0, 1 << 19)
    m.add((1 << 19) + 7, 5)
    limit = m.nr_subsections * m.pages_per_subsection
    count = numba_backend._MANY + 3
    pfns = np.random.default_rng(1).integers(0, limit + 1000, count, dtype=np.uint64)
    if not scattered:
        pfns.sort()
    assert np.array_equal(numba_backend.pfn_valid(m, pfns), numpy_backend.pfn_valid(m, pfns))


@every_backend
def test_pfn_valid_keeps_the_shape_and_refuses_other_types(backend: Any) -> None:
    m = EffectiveMap(2)
    m.fill_range(0, 64)
    assert backend.pfn_valid(m, np.array([[0, 40000], [1, 2]])).tolist() == [[True, False], [True, True]]
    with pytest.raises(TypeError, match="integers"):
        backend.pfn_valid(m, np.array([0.5]))
    with pytest.raises(TypeError, match="out must be"):
        backend.pfn_valid(m, np.array([1, 2]), np.empty(1, bool))


@every_backend
@settings(max_examples=60, deadline=None)
@given(m=maps(), data=st.data())
def test_runs_and_holes(backend: Any, m: EffectiveMap, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, m.nr_subsections))
    end = data.draw(st.integers(start, m.nr_subsections))
    for name in ("runs", "holes"):
        firsts, stops = getattr(backend, name)(m, start, end)
        assert list(zip(firsts.tolist(), stops.tolist(), strict=True)) == getattr(m, name)(start, end)
    with pytest.raises(ValueError, match="is no range"):
        backend.runs(m, 0, m.nr_subsections + 1)


@every_backend
def test_a_list_longer_than_the_first_buffer(backend: Any) -> None:
    m = EffectiveMap(1 << 10)
    numpy_backend.words(m)[:] = np.uint64(0x5555555555555555)
    numpy_backend.refresh(m)
    firsts, stops = backend.holes(m)
    assert firsts.tolist() == list(range(1, 1 << 16, 2))
    assert stops.tolist() == list(range(2, (1 << 16) + 1, 2))


@settings(max_examples=60, deadline=None)
@given(m=maps(), data=st.data())
def test_refresh_makes_the_same_tables_as_the_plain_form(m: EffectiveMap, data: st.DataObject) -> None:
    words = numpy_backend.words(m)
    touched = data.draw(st.lists(st.integers(0, len(words) - 1), max_size=5))
    for word in touched:
        used = min(64, m.nr_subsections - word * 64)
        words[word] = data.draw(st.integers(0, (1 << used) - 1))
    some = data.draw(st.booleans())
    numpy_backend.refresh(m, np.array(sorted({word >> 6 for word in touched}), np.intp) if some else None)
    _same_tables(m, m.copy())


def test_refresh_refuses_bits_beyond_the_map() -> None:
    m = EffectiveMap(1, 8)
    numpy_backend.words(m)[0] = 0x100
    with pytest.raises(ValueError, match="beyond sub-section 7"):
        numpy_backend.refresh(m)


@needs_numba
@settings(max_examples=60, deadline=None)
@given(m=maps(), data=st.data())
def test_a_batch_is_the_same_as_one_by_one(m: EffectiveMap, data: st.DataObject) -> None:
    operations = []
    for _ in range(data.draw(st.integers(0, 12))):
        start = data.draw(st.integers(0, m.nr_subsections - 1))
        widest = data.draw(st.sampled_from([4, 64, 10_000]))
        operations.append(
            (start, data.draw(st.integers(1, min(widest, m.nr_subsections - start))), data.draw(st.booleans()))
        )
    twin = m.copy()
    wanted = [twin.add(start, n) if add else twin.remove(start, n) for start, n, add in operations]
    columns = np.array(operations, np.int64).reshape(-1, 3).T
    answers = numba_backend.apply_batch(m, columns[0], columns[1], columns[2] != 0)
    assert [None if answer < 0 else answer for answer in answers.tolist()] == wanted
    assert m == twin
    _same_tables(m, twin)


@needs_numba
def test_a_batch_stops_at_a_range_outside_the_map() -> None:
    m = EffectiveMap(3)
    with pytest.raises(ValueError, match="operation 1: 65 sub-sections from 128"):
        numba_backend.apply_batch(m, np.array([0, 128, 64]), np.array([3, 65, 1]), np.array([True, True, True]))
    assert m.runs() == [(0, 3)]
    _same_tables(m, m.copy())


def test_numpy_integers_are_taken_at_their_value() -> None:
    m = EffectiveMap(4)
    assert m.add(np.int64(63), np.int64(64)) is None
    assert m.add(np.uint64(60), np.int32(10)) == 63
    assert m.runs(np.int64(0), np.int64(256)) == [(63, 127)]
    assert m.count(np.int64(1), np.uint16(100)) == 37
    assert m.remove(np.int16(63), np.uint8(64)) is None
    assert m.total == 0


def _same_tables(m: EffectiveMap, other: EffectiveMap) -> None:
    ours, theirs = m.tables(), other.tables()
    assert ours == theirs
    assert m.total == other.total
