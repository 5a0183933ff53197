"""Nodes of a QEMU guest: the SRAT against what kernels printed of it, and which node an address is given."""

from __future__ import annotations

import re

import pytest

from sparsemem.errors import NotModelledError
from sparsemem.machine.numa import numa_init, srat
from sparsemem.machine.qemu import PmemDevice, start
from sparsemem.ranges import Range
from sparsemem.spec import kernel
from sparsemem.units import GIB, KIB, MIB

# ``nodes=["256M", "256M", 0]`` and an NVDIMM of 64M on node 1, as 5.10.251 and 7.2.12 printed it.
PRINTED = """
ACPI: SRAT: Node 0 PXM 0 [mem 0x00000000-0x0009ffff]
ACPI: SRAT: Node 0 PXM 0 [mem 0x00100000-0x0fffffff]
ACPI: SRAT: Node 1 PXM 1 [mem 0x10000000-0x1fffffff]
ACPI: SRAT: Node 1 PXM 1 [mem 0x100000000-0x103ffffff] non-volatile
ACPI: SRAT: Node 2 PXM 2 [mem 0x100000000-0x6dfffffff] hotplug
"""
WINDOW = Range(4 * GIB, 0x6E0000000)
RAM = [(0x1000, 0x9FC00), (MIB, 0x1FFDE000)]


def test_the_table_is_the_one_that_the_kernel_printed() -> None:
    found = srat([256 * MIB, 256 * MIB, 0], 512 * MIB, 4 * GIB, WINDOW, [(Range(4 * GIB, 4 * GIB + 64 * MIB), 1)])
    printed = re.findall(r"PXM (\d) \[mem 0x(\w+)-0x(\w+)\]", PRINTED)
    assert found == [(int(start, 16), int(end, 16) + 1, int(pxm)) for pxm, start, end in printed]


def test_a_node_goes_on_behind_the_hole() -> None:
    found = srat([3 * GIB, GIB], 2 * GIB, 4 * GIB, Range(6 * GIB, 6 * GIB), [])
    assert found == [
        (0, 640 * KIB, 0),
        (MIB, 2 * GIB, 0),
        (4 * GIB, 5 * GIB, 0),
        (5 * GIB, 6 * GIB, 1),
    ]


def test_ranges_of_a_node_join_over_a_hole_but_not_over_another_node() -> None:
    joined = numa_init(1, [(0, 640 * KIB, 0), (MIB, 512 * MIB, 0)], RAM)
    assert joined.meminfo == ((0x1000, 0x1FFDE000, 0),)
    ram = [(0x1000, 4 * GIB)]
    apart = numa_init(2, [(0, GIB, 0), (GIB, 2 * GIB, 1), (2 * GIB, 4 * GIB, 0)], ram)
    assert sorted(nid for _, _, nid in apart.meminfo) == [0, 0, 1]


def test_a_domain_that_the_table_does_not_name_is_no_node() -> None:
    numa = numa_init(3, srat([512 * MIB, 0, 0], 512 * MIB, 4 * GIB, WINDOW, []), RAM)
    assert [numa.pxm_to_node(pxm) for pxm in range(3)] == [0, -1, 1]


def test_the_node_of_an_address() -> None:
    entries = srat([256 * MIB, 256 * MIB], 512 * MIB, 4 * GIB, WINDOW, [])
    numa = numa_init(2, entries, RAM)
    assert [numa.phys_to_target_node(each) for each in (MIB, 300 * MIB, 5 * GIB, 1 << 39)] == [0, 1, 1, -1]
    assert [numa.memory_add_physaddr_to_nid(each) for each in (MIB, 300 * MIB, 5 * GIB)] == [0, 1, 0]


def test_an_nvdimm_of_the_command_line_comes_before_the_window_around_it() -> None:
    pmem = [PmemDevice(64 * MIB, node=0), PmemDevice(64 * MIB, node=1)]
    numa = start(kernel("6.1"), 512 * MIB, pmem=pmem, nodes=(256 * MIB, 256 * MIB, 0)).numa
    nodes = [numa.phys_to_target_node(each) for each in (4 * GIB, 4 * GIB + 64 * MIB, 4 * GIB + 128 * MIB)]
    assert nodes == [0, 1, 2]


def test_ram_that_mem_cuts_off_leaves_a_node_without() -> None:
    numa = start(kernel("6.1"), 512 * MIB, "mem=200M", nodes=(256 * MIB, 256 * MIB)).numa
    assert {nid for _, _, nid in numa.meminfo} == {0}
    assert numa.phys_to_target_node(300 * MIB) == 1


def test_ram_outside_of_all_nodes_is_not_modelled() -> None:
    with pytest.raises(NotModelledError, match="outside of all nodes"):
        start(kernel("6.1"), 512 * MIB, "memmap=64M@1G", nodes=(256 * MIB, 256 * MIB))
