"""Section words, boot maps and limits against the numbers of include/linux/mmzone.h and the x86-64 memory map."""

from __future__ import annotations

import pytest

from sparsemem.kernel.mmzone import SECTION_MAP_MASK, flag_names
from sparsemem.machine.notation import parse_machine

_LINE = "0-1G ram, 4G+63M ram, 4160M+960M pmem; with block=128M auto_online=offline"


@pytest.mark.parametrize(
    ("version", "boot", "device", "hosted"),
    [
        ("5.2", 0x7, 0x3, 0x7),
        ("5.3", 0xF, 0x3, 0xF),
        ("5.11", 0xF, 0x3, 0xF),
        ("6.1", 0xF, 0x3, 0x1F),
        ("7.2", 0xF, 0x3, 0x1F),
    ],
)
def test_the_low_bits_of_the_word(version: str, boot: int, device: int, hosted: int) -> None:
    """PRESENT 1, HAS_MEM_MAP 2, ONLINE 4, EARLY 8 (v5.3+), TAINT_ZONE_DEVICE 16 (v5.12+)."""
    machine = parse_machine(f"{version}; {_LINE}")
    sections = machine.state.sections
    assert sections[0].section_mem_map & 0x3F == boot
    machine.apply("memremap_pages 0x110000000-0x117ffffff")
    assert sections[34].section_mem_map & 0x3F == device
    machine.apply("memremap_pages 0x104000000-0x107ffffff")
    assert sections[32].section_mem_map & 0x3F == hosted
    assert sections[34].section_mem_map & SECTION_MAP_MASK & ((1 << 64) - 1) == 0xFFFFEA0000000000


def test_hot_added_ram_offline_and_online() -> None:
    machine = parse_machine(f"6.1; {_LINE}; add_memory 0x200000000-0x207ffffff")
    assert machine.state.sections[64].section_mem_map & 0x3F == 0x3
    machine.apply("online memory64")
    assert machine.state.sections[64].section_mem_map & 0x3F == 0x7
    assert flag_names(0x7) == ("HAS_MEM_MAP", "IS_ONLINE", "MARKED_PRESENT")


def test_one_page_of_ram_makes_a_whole_section() -> None:
    machine = parse_machine("6.1; 0-1G ram, 4G+4K ram; with block=128M")
    ms = machine.state.sections[32]
    assert ms.usage is not None
    assert (ms.usage.subsection_map, ms.section_mem_map & 0x3F) == (1, 0xF)
    assert machine.state.vmemmap[32].populated == (1 << 64) - 1


def test_ram_beyond_the_section_table_is_cut_off() -> None:
    """64 TiB is the end of 46 bits: pfn 0x400000000 = 17179869184."""
    machine = parse_machine("6.1; 0-1G ram, 3fff80000000-40007fffffff ram; with block=128M")
    assert max(machine.state.sections) == (1 << 19) - 1
    inside = parse_machine("6.1; 0-1G ram; with block=128M").state.lines
    assert not inside
    assert "exceeds SPARSEMEM max 17179869184" in machine.state.lines[0].text
