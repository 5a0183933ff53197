"""Memory allocation fails at every point where the kernel allocates: nothing changes but what the real kernel leaves behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.machine import strategies as own

if TYPE_CHECKING:
    from sparsemem.kernel.state import Snapshot
    from sparsemem.machine.machine import Machine

#: What a failed operation may leave: a mem_section root (never freed), and what __add_pages added before it failed.
RESIDUE = {"roots", "sections", "vmemmap", "misc"}

CASES = [
    "memremap_pages 0x114000000-0x12fffffff",
    "memremap_pages 0x140000000-0x17fffffff altmap=2:16382",
    "memremap_pages 0x140000000-0x1401fffff",
    "memremap_pages 0x800000000-0x8801fffff type=private owner=x",
    "arch_add_memory 0x140000000-0x15fffffff",
    "add_memory 0x140000000-0x157ffffff",
    "acpi_memory_device_add 0x140000000-0x157ffffff",
    "add_memory_driver_managed 0x140000000-0x14fffffff",
    "online memory50",
    "offline_and_remove_memory 0x190000000-0x197ffffff",
]


def _prepared(version: str) -> Machine:
    machine = own.machine(version)
    machine.apply("add_memory 0x190000000-0x197ffffff")
    return machine


def _keys(before: Snapshot, after: Snapshot) -> set[tuple[str, object]]:
    return {(name, key) for name, key, _ in before.changes ^ after.changes}


@pytest.mark.parametrize("version", ["5.1", "5.2", "5.3", "5.8", "5.10", "5.15", "6.1", "6.8", "7.2"])
@pytest.mark.parametrize("operation", CASES)
def test_every_allocation_in_turn(version: str, operation: str) -> None:
    machine = _prepared(version)
    before = machine.snapshot()
    reached = machine.apply(operation)
    complete = machine.snapshot()
    machine.undo()
    assert machine.snapshot() == before
    failures = 0
    for nth in range(1, 200):
        answer = machine.apply(f"{operation} fail={nth}")
        if machine.snapshot() == complete and answer.errno == reached.errno and answer.errno != 12:
            machine.undo()
            break
        failures += 1
        _check(machine, before, answer.errno, operation)
        machine.undo()
        assert machine.snapshot() == before
    else:
        pytest.fail("the allocations never ran out")
    assert failures or reached.errno


def _check(machine: Machine, before: Snapshot, errno: int, operation: str) -> None:
    changed = _keys(before, machine.snapshot())
    assert errno in (12, 22)
    tables = {name for name, _ in changed}
    residue = set(RESIDUE)
    if not machine.kernel.features.zones_shrink_at_offline:
        residue |= {"zones", "nodes"}  # the spans only shrink when memory is removed
    assert tables <= residue, f"more than residue: {changed}"
    assert {key for name, key in changed if name == "misc"} <= {"highest_present_section_nr"}
    left = {key for name, key in changed if name == "sections"}
    if left:
        # Sections of a half-done __add_pages, or the stale word of one taken back: each is a fault that can be named.
        named = ("unowned-pages", "memmap-without-section", "stale-section-word")
        faults = [fault for fault in machine.faults() if fault.kind in named]
        for nr in left:
            start = nr << 27
            ms = machine.state.sections.get(nr)
            if ms is not None and machine.kernel.features.subsection_hotplug:
                assert any(f.range.start <= start + (1 << 27) and f.range.end > start for f in faults), (nr, faults)
