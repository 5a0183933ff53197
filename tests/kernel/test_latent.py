"""Semantics that no kernel fixed (kernel-rules 11): true in 5.10, 6.1, 6.12 and 7.2 as read."""

from __future__ import annotations

import pytest

from sparsemem.kernel.memory_hotplug.pages import pfn_to_online_page
from sparsemem.kernel.mmzone import SECTION_TAINT_ZONE_DEVICE, flag_names, pfn_valid
from sparsemem.machine.notation import parse_machine

VERSIONS = ("5.10", "6.1", "6.12", "7.2")
MIXED = "0-1G ram, 4G+63M ram, 4160M+960M pmem; with block=128M"
every_version = pytest.mark.parametrize("version", VERSIONS)


@every_version
def test_add_pages_does_not_roll_back(version: str) -> None:
    machine = parse_machine(f"{version}; {MIXED}; memremap_pages 0x114000000-0x115ffffff")
    assert machine.apply("memremap_pages 0x110000000-0x11fffffff").errno == 17
    machine = parse_machine(f"{version}; {MIXED}; memremap_pages 0x11c000000-0x11dffffff")
    assert machine.apply("memremap_pages 0x110000000-0x11fffffff").errno == 17
    assert pfn_valid(machine.state, 0x110000)
    assert [str(f.range) for f in machine.faults() if f.kind == "unowned-pages"] == ["0x110000000-0x117ffffff"]


@every_version
def test_overlap_is_probed_at_the_end_points_only(version: str) -> None:
    machine = parse_machine(f"{version}; {MIXED}; memremap_pages 0x114000000-0x115ffffff")
    assert machine.apply("memremap_pages 0x115000000-0x116ffffff").errno == 12
    assert machine.apply("memremap_pages 0x113000000-0x114ffffff").errno == 12
    assert machine.apply("memremap_pages 0x113000000-0x116ffffff").errno == 17
    lost = [f for f in machine.faults() if f.kind == "pgmap-lookup-lost"]
    assert [str(f.range) for f in lost] == ["0x114000000-0x115ffffff"]


@every_version
def test_the_boot_map_is_rounded_outward(version: str) -> None:
    """63 MiB of RAM make 32 sub-sections active: a device at the 62nd MiB is refused, at the 64th not."""
    machine = parse_machine(f"{version}; 0-1G ram, 4G+63M ram; with block=128M")
    usage = machine.state.sections[32].usage
    assert usage is not None
    assert usage.subsection_map == (1 << 32) - 1
    assert machine.apply("arch_add_memory 0x103e00000-0x103ffffff").errno == 17
    assert machine.apply("arch_add_memory 0x104000000-0x1041fffff").errno == 0


@every_version
def test_the_taint_outlives_the_device(version: str) -> None:
    machine = parse_machine(f"{version}; {MIXED}; memremap_pages 0x104000000-0x107ffffff")
    flags = flag_names(machine.state.sections[32].section_mem_map)
    assert {"IS_ONLINE", "IS_EARLY"} <= set(flags)
    tainted = "TAINT_ZONE_DEVICE" in flags
    assert tainted is (version != "5.10")
    assert pfn_valid(machine.state, 0x107FFF)
    machine.apply("memunmap_pages 0x104000000-0x107ffffff")
    assert bool(machine.state.sections[32].section_mem_map & SECTION_TAINT_ZONE_DEVICE) is tainted
    assert pfn_valid(machine.state, 0x107FFF)
    assert pfn_to_online_page(machine.state, 0x107FFF) is (version == "5.10")


@every_version
def test_an_aligned_device_does_not_taint(version: str) -> None:
    machine = parse_machine(f"{version}; {MIXED}; memremap_pages 0x110000000-0x117ffffff")
    assert "TAINT_ZONE_DEVICE" not in flag_names(machine.state.sections[34].section_mem_map)


@every_version
def test_a_second_device_leaves_the_first_alone(version: str) -> None:
    machine = parse_machine(f"{version}; {MIXED}; memremap_pages 0x110000000-0x1101fffff")
    word = machine.state.sections[34].section_mem_map
    machine.apply("memremap_pages 0x110200000-0x1103fffff")
    assert machine.state.sections[34].section_mem_map == word
    machine.apply("memunmap_pages 0x110000000-0x1101fffff")
    usage = machine.state.sections[34].usage
    assert usage is not None
    assert usage.subsection_map == 2
    machine.apply("memunmap_pages 0x110200000-0x1103fffff")
    assert 34 not in machine.state.sections


@every_version
def test_the_device_span_only_grows(version: str) -> None:
    machine = parse_machine(f"{version}; {MIXED}; memremap_pages 0x110000000-0x117ffffff")
    zone = machine.state.zones[0, "Device"]
    machine.apply("memunmap_pages 0x110000000-0x117ffffff")
    assert machine.state.zones[0, "Device"] == zone
    machine.apply("memremap_pages 0x120000000-0x127ffffff")
    assert machine.state.zones[0, "Device"].spanned_pages == 0x18000


@every_version
def test_a_node_with_device_pages_never_goes_offline(version: str) -> None:
    line = "0-1G ram, 4G+512M pmem; with block=128M possible_nodes=2 auto_online=offline"
    add, remove = "add_memory 0x140000000-0x147ffffff nid=1", "remove_memory 0x140000000-0x147ffffff"
    machine = parse_machine(f"{version}; {line}; {add}; {remove}")
    assert not machine.state.nodes[1].online
    device = "0x100000000-0x107ffffff"
    machine = parse_machine(
        f"{version}; {line}; {add}; memremap_pages {device} nid=1; memunmap_pages {device}; {remove}"
    )
    assert machine.state.nodes[1].online


@every_version
def test_a_boot_block_with_device_pages_cannot_go_offline(version: str) -> None:
    machine = parse_machine(f"{version}; {MIXED}; memremap_pages 0x104000000-0x107ffffff")
    assert machine.apply("offline memory32").errno == 22
    assert any("memory32" in f.what for f in machine.faults() if f.kind == "block-holds-device-pages")


@every_version
def test_errors_of_auto_onlining_are_swallowed(version: str) -> None:
    machine = parse_machine(f"{version}; 0-1G ram; with block=128M auto_online=online")
    whole = machine.apply("add_memory 0x140000000-0x147ffffff")
    assert whole.refusal is None
    machine.undo()
    swallowed = False
    for nth in range(1, 12):
        answer = machine.apply(f"add_memory 0x140000000-0x147ffffff fail={nth}")
        failed = any(line.text.startswith("online_pages [mem 0x140000000-0x147ffffff]") for line in answer.log)
        if failed:
            assert answer.refusal is None
            assert machine.state.blocks[40].state == "offline"
            swallowed = True
        machine.undo()
    assert swallowed


@pytest.mark.parametrize(
    ("version", "parameter", "errno", "own"),
    [
        ("5.15", "Y", 0, 512), ("6.1", "Y", 0, 512), ("6.6", "Y", 0, 512), ("6.8", "Y", 0, 512), ("6.1", "N", 22, 0),
        ("6.6", "N", 0, 0), ("7.2", "N", 0, 0), ("7.2", "force", 0, 512),
    ],
)  # fmt: skip
def test_memmap_on_memory(version: str, parameter: str, errno: int, own: int) -> None:
    """Up to v6.5 -EINVAL where it cannot be done, later a memmap in RAM; 128 MiB hold 512 pages of it."""
    line = f"{version}; 0-1G ram; with block=128M auto_online=offline memmap_on_memory={parameter}"
    machine = parse_machine(line)
    assert machine.apply("add_memory 0x140000000-0x147ffffff flags=2").errno == errno
    if not errno:
        assert machine.state.blocks[40].nr_vmemmap_pages == own
        assert machine.apply("remove_memory 0x140000000-0x147ffffff").refusal is None
        assert not machine.state.altmaps


@pytest.mark.parametrize(
    ("version", "add", "hosted"), [("6.1", 22, None), ("6.6", 0, 0), ("6.8", 0, 512), ("7.2", 0, 512)]
)
def test_memmap_on_memory_of_two_blocks(version: str, add: int, hosted: int | None) -> None:
    machine = parse_machine(f"{version}; 0-1G ram; with block=128M auto_online=offline memmap_on_memory=Y")
    assert machine.apply("add_memory 0x140000000-0x14fffffff flags=2").errno == add
    if hosted is not None:
        assert [machine.state.blocks[nr].nr_vmemmap_pages for nr in (40, 41)] == [hosted, hosted]
        assert machine.apply("remove_memory 0x140000000-0x14fffffff").refusal is None


def test_online_memory_is_not_removed() -> None:
    """Up to v5.2 a BUG, since v5.3 -EBUSY with the range."""
    line = "0-1G ram; with block=128M auto_online=online; add_memory 0x140000000-0x147ffffff"
    old = parse_machine(f"5.2; {line}").apply("remove_memory 0x140000000-0x147ffffff").refusal
    assert old is not None
    assert old.crash
    new = parse_machine(f"5.3; {line}").apply("remove_memory 0x140000000-0x147ffffff").refusal
    assert new is not None
    assert (new.name, new.crash) == ("EBUSY", False)
    assert new.log == ("removing memory fails, because memory [0x0000000140000000-0x0000000147ffffff] is onlined",)


def test_driver_managed_names() -> None:
    machine = parse_machine("6.1; 0-1G ram; with block=128M")
    for name in ("System_RAM", "kmem", "System_RAM_(kmem"):
        assert machine.apply(f"add_memory_driver_managed 0x140000000-0x147ffffff name={name}").errno == 22
    assert machine.apply("add_memory_driver_managed 0x140000000-0x147ffffff name=System_RAM_(kmem)").errno == 0


def test_adjacent_ram_is_merged_when_asked_for() -> None:
    line = "6.1; 0-1G ram; with block=128M; add_memory 0x140000000-0x147ffffff flags=1; "
    merged = parse_machine(line + "add_memory 0x148000000-0x14fffffff flags=1")
    assert [(r.start, r.end) for r in merged.state.iomem.children][-1] == (0x140000000, 0x14FFFFFFF)
    apart = parse_machine(line + "add_memory 0x148000000-0x14fffffff")
    assert [(r.start, r.end) for r in apart.state.iomem.children][-1] == (0x148000000, 0x14FFFFFFF)


def test_offline_and_remove_puts_blocks_online_again() -> None:
    line = "6.1; 0-1G ram; with block=128M auto_online=online_movable unmovable=41; add_memory 0x140000000-0x14fffffff"
    machine = parse_machine(line)
    assert machine.apply("offline_and_remove_memory 0x140000000-0x14fffffff").errno == 16
    assert [machine.state.blocks[nr].state for nr in (40, 41)] == ["online", "online"]
    assert machine.state.blocks[40].zone == "Movable"


@pytest.mark.parametrize(("version", "logged"), [("5.8", True), ("5.9", True), ("5.10", False), ("6.1", False)])
def test_removing_what_nobody_claimed(version: str, logged: bool) -> None:
    """Nothing is there: every kernel answers 0, those up to v5.9 miss the iomem entry in the log."""
    answer = parse_machine(f"{version}; 0-1G ram; with block=128M").apply("remove_memory 0x140000000-0x147ffffff")
    assert answer.refusal is None
    text = "Unable to release resource <0x0000000140000000-0x0000000147ffffff> (-22)"
    assert (text in [line.text for line in answer.log]) is logged


@pytest.mark.parametrize(("version", "errno"), [("4.19", 17), ("5.0", 17), ("5.1", 0), ("6.1", 0)])
def test_ram_inside_an_entry_that_is_not_busy(version: str, errno: int) -> None:
    """Linux kernel commit 2794129e902d (in v5.1): RAM may lie below a resource that is not busy (kmem)."""
    machine = parse_machine(f"{version}; 0-1G ram, 5G+1G pmem; with block=128M auto_online=offline")
    answer = machine.apply("add_memory 0x140000000-0x147ffffff")
    assert answer.errno == errno
    if errno:
        assert [line.text for line in answer.log] == [
            "System RAM resource [mem 0x140000000-0x147ffffff] cannot be added"
        ]


@pytest.mark.parametrize(("version", "spanned"), [("5.5-rc5", 0), ("5.6", 98304)])
def test_a_zone_that_is_all_hole(version: str, spanned: int) -> None:
    """The middle block of three goes last offline and first away: up to v5.5 the zone is looked through, and emptied."""
    machine = parse_machine(
        f"{version}; 0-1G ram; with block=128M auto_online=offline; add_memory 0x140000000-0x157ffffff; "
        "online_movable memory40; online_movable memory41; online_movable memory42"
    )
    assert machine.state.zones[0, "Movable"].spanned_pages == 98304
    if version == "5.6":
        return
    for nr in (40, 42, 41):
        assert machine.apply(f"offline memory{nr}").refusal is None
    assert machine.apply("remove_memory 0x148000000-0x14fffffff").refusal is None
    zone = machine.state.zones.get((0, "Movable"))
    assert (zone.spanned_pages if zone else 0) == spanned


@pytest.mark.parametrize("call", ["add_memory_driver_managed", "offline_and_remove_memory"])
def test_functions_that_came_later(call: str) -> None:
    answer = parse_machine("5.7; 0-1G ram; with block=128M").apply(f"{call} 0x140000000-0x147ffffff")
    assert answer.refusal is not None
    assert (answer.refusal.name, answer.refusal.rule) == ("ENOSYS", "function-later")
    later = parse_machine("5.8; 0-1G ram; with block=128M").apply(f"{call} 0x140000000-0x147ffffff")
    assert later.errno != 38
