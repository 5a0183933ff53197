"""Exploration against plain sets, and a few orders worked out by hand from the kernel's steps."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsemem.bulk import devices, oracle
from sparsemem.bulk.explore import Model, Rule, explore, step
from sparsemem.errors import NotModelledError, UsageError
from sparsemem.ranges import Range

BACKENDS = ["python", *(name for name in ("numpy", "numba") if find_spec(name))]


@st.composite
def layouts(draw: st.DrawFn) -> tuple[list[Range], list[Range], list[Range], int]:
    size = draw(st.sampled_from([4, 8, 16]))
    top = size * draw(st.sampled_from([2, 3]))

    def one(widest: int) -> Range:
        start = draw(st.integers(0, top - 1))
        return Range(start, draw(st.integers(start + 1, min(top, start + widest))))

    ranges = [one(size + 3) for _ in range(draw(st.integers(1, 4)))]
    boot = [Range(0, draw(st.integers(1, size)))] if draw(st.booleans()) else []
    ram = [Range(0, draw(st.integers(1, boot[0].end)))] if boot and draw(st.booleans()) else []
    return ranges, boot, ram, size


@settings(max_examples=60, deadline=None)
@given(layouts())
def test_every_backend_counts_as_plain_sets_do(layout: tuple[list[Range], list[Range], list[Range], int]) -> None:
    ranges, boot, ram, size = layout
    arch = oracle.explore_arch(ranges, boot, size)
    memremap = oracle.explore_memremap(ranges, boot, ram, size)
    for backend in BACKENDS:
        assert explore(devices.arch_model(ranges, boot, size), backend) == arch  # type: ignore[arg-type]
        assert explore(devices.memremap_model(ranges, boot, ram, size), backend) == memremap  # type: ignore[arg-type]


def play(model: Model, *operations: str) -> list[str]:
    """The answers of a sequence; "-" where the operation has no rule that applies."""
    answers, state = [], model.initial
    for operation in operations:
        found = [answer for answer in step(model, state) if answer.operation == operation]
        assert len(found) <= 1
        answers.append(found[0].answer if found else "-")
        state = found[0].state if found else state
    return answers


def test_two_devices_share_a_section() -> None:
    model = devices.memremap_model([Range(0, 8), Range(8, 64)])
    assert play(model, "map 0", "map 1", "unmap 0", "map 0", "unmap 1") == ["", "", "", "", ""]
    result = explore(model)
    assert (result.states, result.depths, result.transitions, result.refused) == (4, (1, 2, 1), 8, {})


def test_the_end_points_are_probed_before_the_map_is() -> None:
    """Overlap at an end point: get_dev_pagemap() answers first. A range that encloses another gets past it, to
    EEXIST."""
    model = devices.memremap_model([Range(4, 8), Range(6, 12), Range(0, 16)])
    assert play(model, "map 0", "map 1", "map 2") == ["", "ENOMEM", "EEXIST"]


def test_a_refused_range_takes_its_neighbours_out_of_pgmap_array() -> None:
    """pagemap_range() stores over the live entries before arch_add_memory() refuses, and its unwinding erases them."""
    model = devices.memremap_model([Range(4, 8), Range(6, 12), Range(0, 16)])
    assert play(model, "map 0", "map 2", "map 1", "unmap 0", "map 1") == ["", "EEXIST", "EEXIST", "", ""]


def test_a_half_failed_add_leaves_the_first_section_behind() -> None:
    """__add_pages() stops at the second section and nobody removes the first: the range can never be added again."""
    model = devices.memremap_model([Range(60, 68), Range(64, 66), Range(60, 62)])
    answers = play(model, "map 1", "map 0", "unmap 1", "map 0", "map 2", "map 1")
    assert answers == ["", "EEXIST", "", "EEXIST", "EEXIST", ""]


def test_ram_is_refused_before_the_map_is_asked() -> None:
    model = devices.memremap_model([Range(0, 8), Range(8, 16)], boot=[Range(0, 9)], system_ram=[Range(0, 4)])
    assert play(model, "map 0", "map 1") == ["ENXIO", "EEXIST"]


def test_an_arch_removal_goes_section_by_section() -> None:
    model = devices.arch_model([Range(60, 68), Range(64, 66)])
    # 60-67 | without 64-65 | 60-63 go, 66-67 stay | 64-67 | 60-63 come, 64 is in the way | both sections are whole
    # again
    answers = play(model, "add 0", "remove 1", "remove 0", "add 1", "add 0", "remove 0")
    assert answers == ["", "", "WARN", "", "EEXIST", ""]


def test_rules_must_stay_inside_the_state() -> None:
    with pytest.raises(UsageError, match="outside the 1 bits"):
        explore(Model(("a",), (Rule("x", "", set=2),)))


def test_limits_are_said() -> None:
    flips = tuple(Rule(f"flip {i}", "", all_clear=1 << i, set=1 << i) for i in range(12))
    model = Model(tuple("abcdefghijkl"), flips)
    for backend in BACKENDS:
        assert explore(model, backend).states == 4096  # type: ignore[arg-type]
        with pytest.raises(NotModelledError, match="more than 100 states"):
            explore(model, backend, max_states=100)  # type: ignore[arg-type]
    wide = Model(tuple(str(i) for i in range(40)), (Rule("x", "", all_clear=1 << 39, set=1 << 39),))
    assert explore(wide).states == 2
    with pytest.raises(NotModelledError, match="40 bits"):
        explore(wide, "numpy")


def test_an_empty_range_is_refused() -> None:
    with pytest.raises(UsageError, match="empty"):
        devices.cut([Range(4, 4)])
