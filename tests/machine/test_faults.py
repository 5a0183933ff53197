"""Each kind of fault is reached by a history on some kernel, or by a hand-made state; a healthy machine has none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsemem.kernel.nvdimm.types import NdNamespace, NdRegion
from sparsemem.kernel.state import MemSection, VmemAltmap, Zone
from sparsemem.machine.faults import FAULTS
from sparsemem.machine.notation import parse_machine
from tests.kernel.test_bugs import BUGS

from . import strategies as own

if TYPE_CHECKING:
    from collections.abc import Callable

    from sparsemem.kernel.state import State

_BLOCKS = "0-1G ram; with block=128M auto_online=offline"
_DEVICES = "0-1G ram, 4G+512M pmem"

#: kind -> layout and operations; the kinds of tests/kernel/test_bugs.py are taken from there.
HISTORIES = {
    "memmap-without-section": "6.12 loongarch64; 0-1G ram; arch_add_memory 0x100000000-0x13fffffff; "
    "arch_remove_memory 0x100000000-0x13fffffff",
    "unowned-pages": f"6.1; {_DEVICES}; memremap_pages 0x108000000-0x1081fffff; memremap_pages 0x106000000-0x109ffffff",
    "pgmap-lookup-lost": f"6.1; {_DEVICES}; memremap_pages 0x108000000-0x1081fffff; memremap_pages 0x106000000-0x109ffffff",
    "device-without-pages": "5.2; 0-1G ram, 4128M+32M pmem, 4160M+32M pmem; memremap_pages 0x102000000-0x103ffffff; "
    "memremap_pages 0x104000000-0x105ffffff; memunmap_pages 0x102000000-0x103ffffff",
    "block-holds-device-pages": "6.1; 0-1G ram, 4G+64M ram, 4160M+64M pmem; memremap_pages 0x104000000-0x107ffffff",
    "block-without-sections": f"6.1; {_BLOCKS}; add_memory 0x140000000-0x147ffffff; arch_remove_memory 0x140000000-0x147ffffff",
    "resource-without-section": f"6.1; {_BLOCKS}; add_memory 0x140000000-0x147ffffff; "
    "arch_remove_memory 0x140000000-0x147ffffff",
    "block-without-resource": f"5.2; {_BLOCKS}; add_memory 0x140000000-0x14fffffff fail=7",
    "disk-gone-in-use": f"6.1; {_DEVICES}; nd_region 0x100000000-0x11fffffff; claim disk=pmem0 holder=mount:/mnt; "
    "store path=/sys/bus/nd/drivers/nd_pmem/unbind text=namespace0.0",
    "driver-lost-its-range": f"6.1; {_DEVICES}; nd_region 0x100000000-0x11fffffff; "
    "release_mem_region 0x100000000-0x11fffffff",
    "node-offline-in-use": "5.3.1; 0-1G ram, 4G+512M pmem; with block=128M possible_nodes=2 auto_online=offline; "
    "add_memory 0x140000000-0x147ffffff nid=1; memremap_pages 0x102000000-0x103ffffff nid=1 altmap=2:254; "
    "remove_memory 0x140000000-0x147ffffff",
}


def _zone_too_small(state: State) -> None:
    state.put(state.zones, (0, "Device"), Zone(0x108000, 0x1000, 0))


def _altmap_without_user(state: State) -> None:
    state.put(state.altmaps, 0x200000, VmemAltmap(0x200000, 0x207FFF, 2, 510))


def _usage_gone(state: State) -> None:
    state.put_section(0, MemSection(state.sections[0].section_mem_map, None))


def _namespace(state: State, start: int, size: int) -> None:
    region = NdRegion("region7", 7, "ndbus7", 0x100000000, 64 << 20, (), 16 << 20)
    state.put(state.nd, region.name, region)
    for number in range(2):
        at = start + number * (size // 2)
        name = f"namespace7.{number}"
        state.put(state.nd, name, NdNamespace(name, number, region.name, "pmem", at, size))


def _overlap(state: State) -> None:
    _namespace(state, 0x100000000, 32 << 20)


def _outside(state: State) -> None:
    _namespace(state, 0x103000000, 32 << 20)


#: Kinds that no history of operations reaches: a state is broken by hand.
BY_HAND: dict[str, Callable[[State], None]] = {
    "span-too-small": _zone_too_small,
    "altmap-leak": _altmap_without_user,
    "usage-freed": _usage_gone,
    "namespaces-overlap": _overlap,
    "namespace-outside-region": _outside,
}


@pytest.mark.parametrize("kind", FAULTS)
def test_each_kind_is_reached(kind: str) -> None:
    if kind in BY_HAND:
        machine = parse_machine(f"6.1; {_DEVICES}; memremap_pages 0x100000000-0x10fffffff")
        assert kind not in {fault.kind for fault in machine.faults()}
        BY_HAND[kind](machine.state)
    elif kind in HISTORIES:
        machine = parse_machine(HISTORIES[kind])
    else:
        bug = next(bug for bug in BUGS if bug.seen == kind)
        machine = parse_machine(f"{bug.have}; {bug.line}")
    found = [fault for fault in machine.faults() if fault.kind == kind]
    assert found
    assert all(fault.range.size > 0 and fault.what for fault in found)


_HEALTHY = ("5.15", "6.1", "6.6", "6.8", "6.12", "7.2")


@given(st.sampled_from(_HEALTHY), st.lists(st.integers(0, 1000), max_size=14))
@settings(max_examples=60, deadline=None)
def test_legal_operations_break_nothing(version: str, choices: list[int]) -> None:
    """Only operations that the kernel carries out, as drivers make them: no fault of severity error."""
    machine = own.machine(version)
    for choice in choices:
        legal = machine.legal_ops()
        machine.apply(legal[choice % len(legal)])
        assert [fault for fault in machine.faults() if fault.severity == "error"] == []


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(1, 12)), max_size=8),
    st.sets(st.integers(8, 60), max_size=30),
)
def test_sections_without_an_owner_are_those_in_no_mapping(places: list[tuple[int, int]], present: set[int]) -> None:
    """Before sub-sections, mappings may overlap: the quick look-up finds what looking at each of them does."""
    from types import SimpleNamespace
    from typing import Any, cast

    from sparsemem.machine.fault_checks import owners

    state = parse_machine("5.2; 0-1G ram").state
    pages = state.kernel.geometry.PAGES_PER_SECTION
    word = state.sections[0].section_mem_map
    for nr in present:
        state.put_section(nr, MemSection(word, state.sections[0].usage._replace(reserved=False)))  # type: ignore[union-attr]
    mapped = [(start * pages, (start + length) * pages) for start, length in places]
    cast("Any", state.pgmaps).update({nr: SimpleNamespace(mapped=(pair,)) for nr, pair in enumerate(mapped)})
    found = {start // pages for _, start, _, _ in owners(state)}
    assert found == {nr for nr in present if not any(low <= nr * pages < high for low, high in mapped)}
