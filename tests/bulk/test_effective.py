"""EffectiveMap against a plain set of sub-sections."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sparsemem.bulk import EffectiveMap

# Sub-sections a section: ppc64 8, x86-64 64, s390x 128, loongarch and arm64-64K 256, arm64 before v5.12 512. The
# section counts make maps that end inside a word, at a word, at a block of 64 words, and beyond a group of 64 blocks.
SHAPES = [(1, 8), (13, 8), (70, 8), (3, 64), (64, 64), (65, 64), (200, 64), (5, 128), (9, 256), (3, 512), (5000, 64)]


class AgainstASet(RuleBasedStateMachine):
    @initialize(shape=st.sampled_from(SHAPES), pages=st.sampled_from([32, 128, 512]))
    def start(self, shape: tuple[int, int], pages: int) -> None:
        self.map = EffectiveMap(*shape, pages)
        self.size = shape[0] * shape[1]
        self.naive: set[int] = set()

    def range(self, data: st.DataObject, widest: int | None = None) -> range:
        start = data.draw(st.integers(0, self.size - 1), "start")
        n = data.draw(st.integers(1, min(self.size - start, widest or self.size)), "n")
        return range(start, start + n)

    @rule(data=st.data(), widest=st.sampled_from([8, 64, 300, None]))
    def add(self, data: st.DataObject, widest: int | None) -> None:
        r = self.range(data, widest)
        blocked = [sub for sub in r if sub in self.naive]
        assert self.map.add(r.start, len(r)) == (blocked[0] if blocked else None)
        if not blocked:
            self.naive |= set(r)

    @precondition(lambda self: self.naive)
    @rule(data=st.data(), widest=st.sampled_from([8, 64, 300, None]))
    def remove(self, data: st.DataObject, widest: int | None) -> None:
        r = self.range(data, widest)
        blocked = [sub for sub in r if sub not in self.naive]
        assert self.map.remove(r.start, len(r)) == (blocked[0] if blocked else None)
        if not blocked:
            self.naive -= set(r)

    @precondition(lambda self: self.naive)
    @rule(data=st.data())
    def remove_what_is_there(self, data: st.DataObject) -> None:
        first, stop = data.draw(st.sampled_from(self.map.runs()))
        start = data.draw(st.integers(first, stop - 1))
        end = data.draw(st.integers(start + 1, stop))
        assert self.map.remove(start, end - start) is None
        self.naive -= set(range(start, end))

    @rule(data=st.data())
    def set_section(self, data: st.DataObject) -> None:
        bits = self.map.subsections_per_section
        nr = data.draw(st.integers(0, self.map.nr_sections - 1))
        mask = data.draw(st.one_of(st.just(0), st.just((1 << bits) - 1), st.integers(0, (1 << bits) - 1)))
        self.map.set_section(nr, mask)
        assert self.map.section(nr) == mask
        self.naive -= set(range(nr * bits, (nr + 1) * bits))
        self.naive |= {nr * bits + i for i in range(bits) if mask >> i & 1}

    @rule(data=st.data(), fill=st.booleans())
    def write_range(self, data: st.DataObject, fill: bool) -> None:
        r = set(self.range(data))
        assert (self.map.fill_range if fill else self.map.clear_range)(min(r), max(r) + 1) == len(
            r - self.naive if fill else r & self.naive
        )
        self.naive = self.naive | r if fill else self.naive - r

    @rule(data=st.data())
    def ask(self, data: st.DataObject) -> None:
        r = self.range(data)
        held = [sub for sub in r if sub in self.naive]
        free = [sub for sub in r if sub not in self.naive]
        assert self.map.count(r.start, r.stop) == len(held)
        assert (
            self.map.first_set(r.start, r.stop)
            == self.map.first_conflict(r.start, r.stop)
            == (held[0] if held else None)
        )
        assert self.map.first_clear(r.start, r.stop) == (free[0] if free else None)
        assert [sub for run in self.map.runs(r.start, r.stop) for sub in range(*run)] == held
        assert [sub for run in self.map.holes(r.start, r.stop) for sub in range(*run)] == free
        pages = self.map.pages_per_subsection
        for pfn in (r.start * pages, r.start * pages + pages - 1):
            assert self.map.test(pfn) == (r.start in self.naive) == self.map[r.start]

    @invariant()
    def tables_hold(self) -> None:
        assert self.map.total == self.map.count() == len(self.naive)
        blocks: dict[int, int] = {}
        for sub in self.naive:
            blocks[sub >> 12] = blocks.get(sub >> 12, 0) + 1
        assert {i: n for i, n in enumerate(self.map.block_counts) if n} == blocks

    def teardown(self) -> None:
        if not hasattr(self, "map"):
            return
        twin = self.map.copy()  # every derived table computed anew from the words
        assert twin == self.map
        ours, fresh = self.map.tables(), twin.tables()
        assert ours == fresh


TestAgainstASet = AgainstASet.TestCase
TestAgainstASet.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_counts_and_searches_across_64_tib(data: st.DataObject) -> None:
    """A few distant runs: every level of the prefix rows and of the summaries is crossed."""
    m = EffectiveMap(1 << 19)
    points = sorted(data.draw(st.sets(st.integers(0, m.nr_subsections), min_size=2, max_size=8)))
    runs = [(a, b) for a, b in zip(points[0::2], points[1::2], strict=False)]
    for first, stop in runs:
        assert m.fill_range(first, stop) == stop - first
    assert m.runs() == runs
    start, end = sorted(data.draw(st.tuples(st.integers(0, m.nr_subsections), st.integers(0, m.nr_subsections))))
    inside = [(max(a, start), min(b, end)) for a, b in runs if max(a, start) < min(b, end)]
    assert m.runs(start, end) == inside
    assert m.count(start, end) == sum(b - a for a, b in inside)
    assert m.first_set(start, end) == (inside[0][0] if inside else None)


def test_more_than_64_tib_is_counted_across_the_top_rows() -> None:
    m = EffectiveMap(1 << 21)  # 256 TiB: four top rows
    assert m.add(0, 64) is None
    assert m.fill_range(1 << 25, (1 << 25) + 100) == 100
    assert m.add(m.nr_subsections - 1, 1) is None
    assert m.count() == 165
    assert m.count(63, m.nr_subsections - 1) == 101
    assert m.first_set((1 << 25) + 100) == m.nr_subsections - 1


@pytest.mark.parametrize(("start", "n"), [(-1, 1), (0, 0), (0, -1), (192, 1), (190, 3), (128, 65), (0, 193)])
def test_a_range_outside_the_map_is_the_callers_error(start: int, n: int) -> None:
    m = EffectiveMap(3)
    for operation in (m.add, m.remove):
        with pytest.raises(ValueError, match="sub-sections"):
            operation(start, n)
    assert m.total == 0


def test_pfns_outside_the_map_are_not_valid() -> None:
    m = EffectiveMap(2)
    m.fill_range(0, 128)
    assert m.test(0)
    assert m.test(2 * 32768 - 1)
    assert not m.test(2 * 32768)
    assert not m.test(-1)


@pytest.mark.parametrize("arguments", [(0,), (-1,), (1, 63), (1, 0), (1, 64, 500)])
def test_impossible_shapes_are_refused(arguments: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="must be"):
        EffectiveMap(*arguments)


def test_a_section_map_must_fit() -> None:
    m = EffectiveMap(2, 8)
    with pytest.raises(ValueError, match="more than 8 bits"):
        m.set_section(0, 256)
    with pytest.raises(IndexError):
        m.set_section(2, 0)
    with pytest.raises(IndexError):
        m.section(-1)
