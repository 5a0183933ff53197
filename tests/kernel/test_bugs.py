"""The known bugs of kernels (kernel-rules 10), each on a kernel that has it and on one that has not.

What is seen: a kind of fault, an answer, or a word. Bugs that the model cannot reach are listed with the reason.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from sparsemem.kernel.memory_hotplug.pages import pfn_to_online_page
from sparsemem.machine.notation import parse_machine
from sparsemem.spec.features import history

if TYPE_CHECKING:
    from sparsemem.machine.machine import Machine


class Bug(NamedTuple):
    number: int
    have: str
    have_not: str
    line: str
    """The layout and the operations."""
    seen: str
    """A kind of fault, or the name of a function below."""


_DEVICES = "0-1G ram, 4G+256M pmem"
_MIXED = "0-1G ram, 4G+64M ram, 4160M+64M pmem; with block=128M"
_MAP_MIXED = "memremap_pages 0x104000000-0x107ffffff"
_NODE = "0-1G ram; with block=128M possible_nodes=2 auto_online=offline"

BUGS = (
    Bug(2, "5.5", "5.6", f"{_DEVICES}; memremap_pages 0x100000000-0x107ffffff; memunmap_pages 0x100000000-0x107ffffff",
        "stale-section-word"),
    Bug(6, "5.6", "5.7", f"{_DEVICES}; memremap_pages 0x101000000-0x107ffffff", "section-word-not-memmap"),
    Bug(7, "5.4.1", "5.5", "0-1G ram, 4G+1G ram; with block=128M auto_online=offline; offline memory36; "
        "remove_memory 0x120000000-0x127ffffff; add_memory 0x120000000-0x127ffffff; remove_memory 0x120000000-0x127ffffff", "usage-freed"),
    Bug(8, "5.5", "5.6", "0-1G ram, 4G+64M ram; with block=128M", "uninitialised-hole"),
    Bug(9, "5.8", "5.9", f"{_MIXED}; {_MAP_MIXED}; memunmap_pages 0x104000000-0x107ffffff", "valid-without-memmap"),
    Bug(11, "5.3.1", "5.4", f"{_DEVICES}; memremap_pages 0x100000000-0x107ffffff altmap=2:2046; "
        "memunmap_pages 0x100000000-0x107ffffff", "uninitialised-memmap-read"),
    Bug(12, "5.3.1", "5.4", f"{_NODE}; add_memory 0x140000000-0x157ffffff; online_movable memory40; online_movable memory42; "
        "offline memory40; remove_memory 0x140000000-0x147ffffff", "uninitialised-memmap-read"),
    Bug(13, "5.4.1", "5.5", f"{_NODE}; add_memory 0x140000000-0x147ffffff; remove_memory 0x140000000-0x147ffffff",
        "uninitialised-memmap-read"),
    Bug(14, "5.3.1", "5.4", f"{_NODE}; add_memory 0x140000000-0x147ffffff nid=1; add_memory 0x148000000-0x14fffffff nid=1; "
        "remove_memory 0x140000000-0x147ffffff", "node_1_offline"),
    Bug(19, "5.11", "5.12", f"{_MIXED}; {_MAP_MIXED}", "device-pages-look-online"),
    Bug(26, "6.8", "7.2", "0-1G ram; with block=128M memmap_on_memory=Y auto_online=offline; "
        "add_memory 0x140000000-0x147ffffff flags=2 fail=5", "altmap-page-freed"),
    Bug(28, "6.1.0", "7.2", f"{_MIXED}; {_MAP_MIXED} type=generic vmemmap_shift=9", "uninitialised-device-pages"),
    Bug(30, "5.2", "5.3", "0-1G ram, 4128M+32M pmem, 4160M+32M pmem; memremap_pages 0x102000000-0x103ffffff; "
        "memremap_pages 0x104000000-0x105ffffff", "shared-memmap"),
    Bug(31, "5.4", "5.5", "0-1G ram; arch_add_memory 0x400000000000-0x400007ffffff", "section-beyond-table"),
)  # fmt: skip

#: Bugs that this model does not show, and why.
OUT_OF_REACH = {
    1: "libnvdimm: not modelled yet",
    3: "SPARSEMEM without VMEMMAP is not modelled",
    4: "a race between pfn_valid() and removal",
    5: "SPARSEMEM without VMEMMAP is not modelled",
    10: "check_pfn_span() refuses every range that could show it",
    15: "the vmemmap page size of ppc64 is not modelled",
    16: "libnvdimm: not modelled yet",
    17: "libnvdimm: not modelled yet",
    18: "libnvdimm: not modelled yet",
    20: "a race between pfn_valid() and removal",
    21: "a race between pfn_valid() and removal",
    23: "every kernel that is modelled has a struct page of 64 bytes",
    24: "the vmemmap page size of ppc64 is not modelled",
    25: "a race between get_dev_pagemap() and memunmap_pages()",
    27: "the nr_memmap_pages counter is not modelled",
    29: "dax_kmem: not modelled yet",
    32: "libnvdimm: not modelled yet",
}


def _shows(machine: Machine, seen: str) -> bool:
    if seen == "node_1_offline":
        return not machine.state.nodes[1].online
    return any(fault.kind == seen for fault in machine.faults())


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: f"{bug.number}")
def test_the_bug_is_where_it_was(bug: Bug) -> None:
    assert _shows(parse_machine(f"{bug.have}; {bug.line}"), bug.seen), bug.have
    assert not _shows(parse_machine(f"{bug.have_not}; {bug.line}"), bug.seen), bug.have_not


@pytest.mark.parametrize(("version", "there"), [("5.14.0", True), ("6.14.0", False), ("6.12", False), ("6.12.0", True)])
def test_bug_22_arm64_neighbours_lose_their_memmap(version: str, there: bool) -> None:
    line = "40000000-7fffffff ram, 100000000-107ffffff pmem; with block=128M"
    machine = parse_machine(f"{version} arm64; {line}; memremap_pages 0x100000000-0x101ffffff; "
                            "memremap_pages 0x102000000-0x103ffffff; memunmap_pages 0x100000000-0x101ffffff")  # fmt: skip
    assert _shows(machine, "valid-without-memmap") is there


@pytest.mark.parametrize(("version", "there"), [("5.3", True), ("5.11", True), ("5.12", False), ("6.1", False)])
def test_bug_19_a_device_page_is_handed_out_as_ram(version: str, there: bool) -> None:
    machine = parse_machine(f"{version}; {_MIXED}; {_MAP_MIXED}")
    assert pfn_to_online_page(machine.state, 0x104000) is there


def test_every_bug_is_accounted_for() -> None:
    reached = {bug.number for bug in BUGS} | {22}
    assert reached | set(OUT_OF_REACH) == set(range(1, 33))
    assert not reached & set(OUT_OF_REACH)
    numbered = {record.bug for record in history() if record.bug is not None}
    assert reached <= numbered
