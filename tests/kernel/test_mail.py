"""The mail that started it, and the layouts of the commit log, on both sides of v5.3.

Second sources: cover letters and commit logs of the sub-section series (C09, C10, C11 of the collected cases).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sparsemem.kernel.memory_hotplug.pages import pfn_to_online_page
from sparsemem.kernel.mmzone import flag_names, pfn_valid
from sparsemem.machine.notation import parse_machine

if TYPE_CHECKING:
    from sparsemem.machine.machine import Machine

BEFORE, AFTER = ("5.1-rc1", "5.2"), ("5.3", "5.4", "5.9", "5.12", "6.1", "6.12", "7.2")

#: memmap=0xfc000000!8G: the device ends 64 MiB into a section, and RAM follows (2016-12-08, cover letter).
C09 = (
    "1000-9fbff ram, 100000-bfffffff ram, 100000000-1ffffffff ram, 200000000-2fbffffff legacy, 2fc000000-43fffffff ram"
)
#: The map of Linux kernel commit ba72b4c8cf60 ("mm/sparsemem: support sub-section hotplug").
C10 = (
    "100000000-1ffffffff ram, 200000000-303ffffff legacy, 304000000-43fffffff ram, "
    "440000000-23ffffffff pmem, 2400000000-43bfffffff pmem"
)
#: pfn_to_online_page() and section collisions (2021-01-13).
C11 = "1000-9fbff ram, 100000-bfffffff ram, 100000000-1fbffffff ram, 1fc000000-2fbffffff legacy"


def _kinds(machine: Machine) -> set[str]:
    return {fault.kind for fault in machine.faults()} - {"uninitialised-hole"}


@pytest.mark.parametrize("version", BEFORE)
def test_beside_ram_it_was_refused_word_for_word(version: str) -> None:
    machine = parse_machine(f"{version}; {C09}")
    before = machine.snapshot()
    answer = machine.apply("memremap_pages 0x200000000-0x2fbffffff")
    assert answer.refusal is not None
    assert answer.refusal.name == "ENXIO"
    line = "devm_memremap_pages attempted on mixed region [mem 0x200000000-0x2fbffffff flags 0x200]"
    assert [log.text for log in answer.log if log.level == "warn"] == [line]
    assert machine.snapshot().changes - before.changes == frozenset()


@pytest.mark.parametrize("version", AFTER)
def test_beside_ram_it_works_since(version: str) -> None:
    machine = parse_machine(f"{version}; {C09}")
    assert machine.apply("memremap_pages 0x200000000-0x2fbffffff").refusal is None
    assert pfn_valid(machine.state, 0x2FBFFF)
    assert machine.apply("memunmap_pages 0x200000000-0x2fbffffff").refusal is None


TWO = "0-1G ram, 4128M+32M pmem, 4160M+32M pmem"
FIRST, SECOND = "0x102000000-0x103ffffff", "0x104000000-0x105ffffff"


@pytest.mark.parametrize("version", BEFORE)
def test_two_devices_in_one_section_shared_a_memmap(version: str) -> None:
    """Neither holds an edge of the section, so the conflict probe sees nothing and -EEXIST counts as success."""
    machine = parse_machine(f"{version}; {TWO}")
    assert machine.apply(f"memremap_pages {FIRST}").refusal is None
    assert machine.apply(f"memremap_pages {SECOND}").refusal is None
    assert _kinds(machine) >= {"shared-memmap"}
    assert pfn_valid(machine.state, 0x104000)
    machine.apply(f"memunmap_pages {FIRST}")
    assert not pfn_valid(machine.state, 0x104000)
    lost = [fault for fault in machine.faults() if fault.kind == "device-without-pages"]
    assert [(f.range.start, f.range.end) for f in lost] == [(0x100000000, 0x108000000)]


@pytest.mark.parametrize("version", BEFORE)
def test_an_edge_of_the_section_gives_the_conflict_away(version: str) -> None:
    """C01: the first region ends, the second begins inside the section."""
    machine = parse_machine(f"{version}; 0-1G ram, 4G+64M pmem, 4160M+192M pmem")
    assert machine.apply("memremap_pages 0x100000000-0x103ffffff owner=pfn0.0").refusal is None
    answer = machine.apply("memremap_pages 0x104000000-0x10fffffff owner=pfn1.0")
    assert answer.errno == 12
    assert [line.text for line in answer.log] == ["pfn1.0: Conflicting mapping in same section"]


@pytest.mark.parametrize("version", AFTER)
def test_two_devices_in_one_section_are_apart_since(version: str) -> None:
    machine = parse_machine(f"{version}; {TWO}")
    assert machine.apply(f"memremap_pages {FIRST}").refusal is None
    assert machine.apply(f"memremap_pages {SECOND}").refusal is None
    assert not _kinds(machine) & {"shared-memmap", "device-without-pages"}
    machine.apply(f"memunmap_pages {FIRST}")
    assert pfn_valid(machine.state, 0x104000)
    assert not pfn_valid(machine.state, 0x103FFF)
    usage = machine.state.sections[32].usage
    assert usage is not None
    assert usage.subsection_map == 0xFFFF << 32
    assert "device-without-pages" not in _kinds(machine)


def test_the_layout_of_the_commit_log() -> None:
    ranges = ("0x200000000-0x303ffffff", "0x440000000-0x23ffffffff", "0x2400000000-0x43bfffffff")
    old = parse_machine(f"5.2; {C10}")
    assert [old.apply(f"memremap_pages {r}").errno for r in ranges] == [6, 0, 0]
    new = parse_machine(f"5.3; {C10}")
    assert [new.apply(f"memremap_pages {r}").errno for r in ranges] == [0, 0, 0]


@pytest.mark.parametrize(
    ("version", "online"), [("5.3", True), ("5.10", True), ("5.11", True), ("5.12", False), ("6.1", False)]
)
def test_soft_offline_of_a_device_page_in_a_mixed_section(version: str, online: bool) -> None:
    machine = parse_machine(f"{version}; {C11}")
    assert machine.apply("memremap_pages 0x1fc000000-0x2fbffffff").refusal is None
    assert pfn_to_online_page(machine.state, 0x1FC000) is online
    assert pfn_to_online_page(machine.state, 0x1FBFFF)
    assert ("device-pages-look-online" in _kinds(machine)) is online
    flags = flag_names(machine.state.sections[0x1FC000 >> 15].section_mem_map)
    assert ("TAINT_ZONE_DEVICE" in flags) is not online
