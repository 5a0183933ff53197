"""What backs the memmap: counted by hand from the sizes of struct page, page and PMD.

A sub-section has 32 KiB of memmap with 4 KiB pages, 8 KiB with 16 KiB pages, 2 KiB with 64 KiB pages.
"""

from __future__ import annotations

import pytest

from sparsemem.kernel.sparse_vmemmap import vmemmap_bytes
from sparsemem.machine.notation import parse_machine

KIB, MIB = 1 << 10, 1 << 20
_X86 = "0-1G ram, 4G+64M ram, 4160M+4032M pmem; with block=128M"


def _added(version: str, line: str, *operations: str) -> dict[str, int]:
    machine = parse_machine(f"{version}; {line}")
    before = vmemmap_bytes(machine.state)
    for operation in operations:
        assert machine.apply(operation).refusal is None, operation
    after = vmemmap_bytes(machine.state)
    return {name: after[name] - before[name] for name in after if after[name] != before[name]}


@pytest.mark.parametrize("version", ["5.3", "5.10", "6.1", "7.2"])
def test_a_hole_of_a_boot_section_costs_nothing(version: str) -> None:
    assert _added(version, _X86, "memremap_pages 0x104000000-0x107ffffff") == {}
    assert _added(version, _X86, "memremap_pages 0x104000000-0x107ffffff altmap=2:16000") == {}


@pytest.mark.parametrize("version", ["5.3", "5.10", "6.1", "7.2"])
def test_x86_takes_whole_sections_from_the_altmap_and_parts_from_ram(version: str) -> None:
    whole = "memremap_pages 0x110000000-0x117ffffff altmap=2:1022"
    assert _added(version, _X86, whole) == {"altmap": 2 * MIB}
    part = "memremap_pages 0x110000000-0x1101fffff altmap=2:254"
    assert _added(version, _X86, part) == {"ram": 32 * KIB}
    mixed = "memremap_pages 0x110000000-0x11bffffff altmap=2:1534"
    assert _added(version, _X86, mixed) == {"altmap": 2 * MIB, "ram": 1 * MIB}
    assert _added(version, _X86, mixed, "memunmap_pages 0x110000000-0x11bffffff") == {}


def test_the_altmap_aligns_its_blocks_and_does_not_give_the_padding_back() -> None:
    """2 reserved pages, then a PMD of 512 pages: 510 pages are lost in front of it; 1021 free pages are one too few."""
    machine = parse_machine(f"6.1; {_X86}")
    assert machine.apply("memremap_pages 0x110000000-0x117ffffff altmap=2:1021").errno == 12
    assert machine.apply("memremap_pages 0x110000000-0x117ffffff altmap=2:1022").refusal is None
    altmap = machine.state.altmaps[0x110000]
    assert (altmap.alloc, altmap.align) == (512, 510)


@pytest.mark.parametrize(("version", "source"), [("5.7", "ram"), ("5.8", "ram"), ("5.9", "altmap"), ("6.1", "altmap")])
def test_arm64_leaves_the_altmap_alone_before_59(version: str, source: str) -> None:
    line = "40000000-bfffffff ram, 100000000-17fffffff pmem"
    added = _added(f"{version} arm64", line, "memremap_pages 0x140000000-0x17fffffff altmap=2:16382")
    assert added == {source: 16 * MIB}


def test_arm64_maps_a_part_by_a_whole_pmd_before_615() -> None:
    line = "40000000-bfffffff ram, 100000000-17fffffff pmem"
    part = "memremap_pages 0x110000000-0x1101fffff"
    assert _added("6.14.0 arm64", line, part) == {"ram": 32 * KIB}
    assert _added("6.13.2 arm64", line, part) == {"ram": 2 * MIB}
    unmap = "memunmap_pages 0x120000000-0x1201fffff"
    part = "memremap_pages 0x120000000-0x1201fffff"
    assert _added("6.12 loongarch64", "0-1G ram, 4G+1G pmem", part, unmap) == {"ram": 16 * KIB}  # never freed


@pytest.mark.parametrize(("page", "size"), [(16384, 16 * KIB), (65536, 64 * KIB)])
def test_with_large_pages_sub_sections_share_one_page_of_memmap(page: int, size: int) -> None:
    """arm64 unmaps that page with the first of its users (read in 7.2); ppc64 keeps it for the others."""
    line = "40000000-bfffffff ram, 100000000-17fffffff pmem"
    head = f"7.2 arm64 page={page}; {line}; "
    machine = parse_machine(head + "memremap_pages 0x120000000-0x1201fffff; memremap_pages 0x120200000-0x1203fffff")
    assert vmemmap_bytes(machine.state)["ram"] == size
    assert machine.faults() == []
    machine.apply("memunmap_pages 0x120000000-0x1201fffff")
    assert [fault.kind for fault in machine.faults()] == ["valid-without-memmap"]


def test_a_walk_that_begins_inside_a_page_misses_its_last_page() -> None:
    """64 KiB pages: 32 sub-sections a page. 62-66 MiB lies in two pages, and vmemmap_populate_range() steps once."""
    line = "40000000-bfffffff ram, 100000000-17fffffff pmem"
    machine = parse_machine(f"7.2 arm64 page=65536; {line}; memremap_pages 0x123e00000-0x1241fffff")
    assert [(f.kind, f.range.start) for f in machine.faults()] == [("valid-without-memmap", 0x124000000)]


def test_ppc64_keeps_a_shared_page() -> None:
    line = "0-1G ram, 4G+1G pmem; with block=256M"
    machine = parse_machine(f"6.1 ppc64; {line}; memremap_pages 0x100000000-0x1001fffff; "
                            "memremap_pages 0x100200000-0x1003fffff; memunmap_pages 0x100000000-0x1001fffff")  # fmt: skip
    assert machine.faults() == []


@pytest.mark.parametrize(
    ("version", "operation", "ram"),
    [
        # 2 MiB pages, 128 MiB: 64 large pages of 2 pages of memmap; before, 2 MiB in full.
        ("6.1", "memremap_pages 0x110000000-0x117ffffff type=generic vmemmap_shift=9", 64 * 2 * 4 * KIB),
        ("5.18", "memremap_pages 0x110000000-0x117ffffff type=generic vmemmap_shift=9", 2 * MIB),
        ("6.1", "memremap_pages 0x110000000-0x117ffffff type=generic", 2 * MIB),
        # 1 GiB pages: two pages for each, the sections after the first reuse the tail page.
        ("6.1", "memremap_pages 0x140000000-0x1bfffffff type=generic vmemmap_shift=18", 2 * 2 * 4 * KIB),
        # 16 KiB "large" pages have one page of memmap or less: nothing to save.
        ("6.1", "memremap_pages 0x110000000-0x117ffffff type=generic vmemmap_shift=7", 2 * MIB),
    ],
)
def test_large_device_pages_keep_two_pages_of_memmap(version: str, operation: str, ram: int) -> None:
    assert _added(version, _X86, operation) == {"ram": ram}


def test_an_altmap_is_not_deduplicated() -> None:
    whole = "memremap_pages 0x110000000-0x117ffffff altmap=2:1022 type=generic vmemmap_shift=9"
    assert _added("6.1", _X86, whole) == {"altmap": 2 * MIB}


@pytest.mark.parametrize("version", ["5.3", "5.4.1", "5.5"])
def test_a_failed_add_leaves_the_word_of_a_removed_section(version: str) -> None:
    """v5.3 to v5.5: section_deactivate() takes the failed activation back and codes a NULL memmap."""
    machine = parse_machine(f"{version}; {_X86}; memremap_pages 0x110000000-0x117ffffff fail=5")
    kinds = {fault.kind for fault in machine.faults()} - {"uninitialised-hole"}
    assert kinds == {"stale-section-word"}
