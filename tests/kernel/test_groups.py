"""Memory groups and the auto-movable policy, counted by hand from Documentation/admin-guide/mm/memory-hotplug.rst."""

from __future__ import annotations

import pytest

from sparsemem.kernel.memory_hotplug.groups import (
    memory_group_register_dynamic,
    memory_group_register_static,
    memory_group_unregister,
)
from sparsemem.kernel.refusal import Refusal
from sparsemem.machine.notation import parse_machine

_AUTO = "0-1G ram; with block=128M auto_online=online online_policy=auto-movable"


def test_what_a_group_must_be() -> None:
    state = parse_machine("6.1; 0-1G ram; with block=128M").state
    for call in (
        lambda: memory_group_register_static(state, 0, 0),
        lambda: memory_group_register_static(state, 3, 32768),
        lambda: memory_group_register_dynamic(state, 0, 3 * 32768),
        lambda: memory_group_register_dynamic(state, 0, 16384),
    ):
        with pytest.raises(Refusal) as refused:
            call()
        assert refused.value.errno == 22
    assert memory_group_register_static(state, 0, 32768) == 1
    assert memory_group_register_dynamic(state, 0, 32768) == 2
    memory_group_unregister(state, 1)
    with pytest.raises(Refusal, match="EINVAL"):
        memory_group_unregister(state, 1)


def test_a_group_with_blocks_is_busy() -> None:
    machine = parse_machine("6.1; 0-1G ram; with block=128M auto_online=offline")
    mgid = memory_group_register_static(machine.state, 0, 32768)
    assert machine.apply(f"add_memory 0x140000000-0x147ffffff flags=4 nid={mgid}").refusal is None
    with pytest.raises(Refusal, match="EBUSY"):
        memory_group_unregister(machine.state, mgid)
    assert machine.apply("add_memory 0x148000000-0x14fffffff flags=4 nid=7").errno == 22


@pytest.mark.parametrize(("size", "zone"), [(3 << 30, "Movable"), (4 << 30, "Normal")])
def test_auto_movable_keeps_the_ratio(size: int, zone: str) -> None:
    """301 % of 1 GiB of early kernel memory: a DIMM of 3 GiB is movable as a whole, one of 4 GiB is not at all."""
    machine = parse_machine(f"6.1; {_AUTO}")
    start = 8 << 30
    assert machine.apply(f"acpi_memory_device_add {start:#x}-{start + size - 1:#x}").refusal is None
    zones = {machine.state.blocks[nr].zone for nr in range(start >> 27, (start + size) >> 27)}
    assert zones == {zone}


def test_before_515_there_is_no_such_policy() -> None:
    machine = parse_machine(f"5.14; {_AUTO}; add_memory 0x200000000-0x207ffffff")
    assert machine.state.blocks[64].zone == "Normal"
