"""Memory allocation fails at every point where the kernel allocates: nothing changes but what the real kernel leaves behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sparsemem.machine.notation import parse_machine
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
    if not machine.kernel.features.blocks_created_by_add_memory:
        residue |= {"blocks"}
        if "blocks" in tables:
            kinds = {fault.kind for fault in machine.faults()}
            assert kinds & {"block-without-resource", "block-without-sections"}
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
            if ms is not None and not (_of_a_block(machine, nr)):
                assert any(f.range.start <= start + (1 << 27) and f.range.end > start for f in faults), (nr, faults)


def _of_a_block(machine: Machine, nr: int) -> bool:
    """A section of a block that was left behind too: named as the block."""
    return not machine.kernel.features.subsection_hotplug and nr in machine.state.blocks


@pytest.mark.parametrize(("version", "crash"), [("5.10", True), ("6.12", True), ("6.18", False), ("7.2", False)])
def test_a_new_node_that_cannot_be_registered(version: str, crash: bool) -> None:
    """Up to v6.17 a BUG in add_memory_resource(); later everything is taken back and -ENOMEM answered."""
    layout = "0-1G ram; with block=128M possible_nodes=2 auto_online=offline"
    machine = parse_machine(f"{version}; {layout}")
    before = machine.snapshot()
    found = []
    for nth in range(1, 20):
        answer = machine.apply(f"add_memory 0x140000000-0x147ffffff nid=1 fail={nth}")
        refusal = answer.refusal
        if refusal is not None and refusal.crash:
            found.append(nth)
        elif refusal is not None:
            changed = _keys(before, machine.snapshot())
            assert {name for name, _ in changed} <= {"roots", "misc"}
        machine.undo()
    assert bool(found) is crash


def test_groups_and_altmaps_are_allocations_too() -> None:
    """memory_group_register() and the kmalloc of a block's altmap: a failure leaves no group and no altmap."""
    layout = "0-1G ram; with block=128M memmap_on_memory=Y auto_online=offline"
    for version in ("5.15", "6.1", "6.6", "6.8", "7.2"):
        machine = parse_machine(f"{version}; {layout}")
        reached = set()
        for nth in range(1, 20):
            answer = machine.apply(f"acpi_memory_device_add 0x140000000-0x147ffffff fail={nth}")
            if answer.refusal is not None:
                assert not machine.state.groups
                assert not machine.state.altmaps
                assert not machine.state.blocks.keys() & {40}
                assert 40 not in machine.state.sections
                cause = answer.refusal.__cause__
                reached.add(getattr(cause, "function", answer.refusal.function))
            machine.undo()
        assert {"memory_group_register", "memory_group_register: xa_alloc", "add_memory_block: xa_store"} <= reached
        assert ("create_altmaps_and_memory_blocks" in reached) is machine.kernel.features.altmap_kept_by_block
