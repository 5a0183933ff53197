"""A run of sections written at once gives the same state as section by section, with and without an altmap."""

from __future__ import annotations

from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from sparsemem.kernel.memory_hotplug import pages
from sparsemem.machine.notation import parse_machine

MIB = 1 << 20
VERSIONS = st.sampled_from(["4.17", "5.2", "5.3", "5.10", "6.1", "6.12", "7.2"])
ARCHES = st.sampled_from(["x86_64", "arm64"])


@given(
    VERSIONS, ARCHES, st.integers(0, 70), st.integers(8, 1400), st.none() | st.integers(0, 64 * 1024), st.integers(2, 600), st.booleans()
)  # fmt: skip
def test_a_run_is_as_good_as_one_by_one(
    version: str, arch: str, lead: int, size: int, free: int | None, reserve: int, gone: bool
) -> None:
    start = (8 << 30) + lead * 2 * MIB
    place = f"{start:#x}-{start + size * 2 * MIB - 1:#x}"
    altmap = "" if free is None else f" altmap={reserve}:{free}"
    steps = [f"memremap_pages {place}{altmap}", *([f"memunmap_pages {place}"] if gone else [])]

    def run() -> tuple[object, list[object]]:
        machine = parse_machine(f"{version} {arch}; 1G-2G ram, {place} pmem")
        answers = [machine.apply(step) for step in steps]
        return machine.snapshot(), [(answer.errno, answer.log) for answer in answers]

    at_once = run()
    with patch.object(pages, "_add_run", return_value=False):
        assert run() == at_once
