"""Boot logs, lsmem, zoneinfo, /sys/devices/system/memory, cpuinfo and configurations: the forms they come in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sparsemem.machine.description import BlockFact, BootRegion
from sparsemem.ranges import Range
from sparsemem.readers import MemorySource, read_machine
from sparsemem.readers.bootlog import parse_boot_log
from sparsemem.readers.lsmem import parse_lsmem
from sparsemem.readers.memory_blocks import read_memory_blocks
from sparsemem.readers.proc import arch_of_machine, arch_of_release, config_facts, parse_cpuinfo
from sparsemem.readers.source import Entry
from sparsemem.readers.text import hex_int, number, printed_size
from sparsemem.readers.zoneinfo import parse_zoneinfo, zoneinfo_lines

DATA = Path(__file__).parent / "data"
LOG = (DATA / "guest-6.1" / "boot.log").read_text()


def tree(files):
    return MemorySource("tree", {path: Entry("file", text.encode()) for path, text in files.items()})


@pytest.mark.parametrize(
    "prefix",
    ["", "Nov 24 03:00:01 host kernel: ", "2026-11-24T03:00:01+01:00 host kernel: ", "<6>", "kern  :info  : ", "> "],
)
@pytest.mark.parametrize("stamp", ["", "[    0.000000] ", "[    0.000000][    T0] ", "[Tue Nov 24 03:00:01 2026] "])
def test_any_prefix(prefix, stamp):
    text = "".join(f"{prefix}{stamp}{line.partition('] ')[2]}\n" for line in LOG.splitlines())
    assert parse_boot_log(text, "x").regions == parse_boot_log(LOG, "x").regions
    assert len(parse_boot_log(text, "x").regions) == 9


def test_the_kinds_of_memory_are_the_same_words_for_every_kernel():
    """v7.2 prints "System RAM" and "device reserved" where v6.1 prints "usable" and "reserved"."""
    new = (DATA / "guest-7.2" / "boot.log").read_text()
    assert "device reserved" in new
    assert parse_boot_log(new, "x").regions == parse_boot_log(LOG, "x").regions
    line = "BIOS-e820: [mem 0x0000000200000000-0x00000002fbffffff] {}"
    for words, kind in {
        "persistent (type 12)": "persistent (type 12)",
        " persistent RAM (type 12)": "persistent (type 12)",
        "soft reserved": "soft reserved",
        "type 20": "type 20",
        "ACPI NVS": "ACPI NVS",
    }.items():
        assert parse_boot_log(line.format(words), "x").regions == (BootRegion(Range(0x200000000, 0x2FC000000), kind),)


def test_kernels_before_3_5_print_half_open_ranges():
    log = parse_boot_log(" BIOS-e820: 0000000000100000 - 00000000bffd0000 (usable)\n", "x")
    assert log.regions == (BootRegion(Range(0x100000, 0xBFFD0000), "usable"),)


def test_a_user_defined_map_is_the_one_in_force():
    text = LOG + "[    0.000000] user: [mem 0x0000000000000000-0x000000000009fbff] usable\n"
    log = parse_boot_log(text, "x")
    assert log.kind_of_map == "user"
    assert len(log.regions) == 1


def test_the_last_of_several_boots():
    log = parse_boot_log(LOG.replace("6.1.0-50", "5.9.0-1") + LOG, "x")
    assert log.release == "6.1.0-50-cloud-amd64"
    assert len(log.regions) == 9
    assert any("2 boots" in note.what for note in log.notes)


def test_efi_maps_of_x86_and_arm64():
    text = """
efi: mem00: [Conventional Memory|   |  |  |  |  |  |  |  |  |   |WB] range=[0x0000000000000000-0x000000000009ffff] (0MB)
efi: mem01: [Conventional Memory|   |  |SP|  |  |  |  |  |  |   |WB] range=[0x850000000-0x284fffffff] (131072MB)
efi: mem02: [Reserved           |   |  |  |  |  |  |  |  |  |   |UC] range=[0x00000000fed00000-0x00000000fed00fff] (0MB)
efi: mem03: type=7, attr=0xf, range=[0x0000000000100000-0x0000000000200000) (1MB)
"""
    kinds = [(region.range.start, region.range.size, region.kind) for region in parse_boot_log(text, "x").regions]
    assert kinds == [
        (0, 0xA0000, "usable"),
        (0x850000000, 128 << 30, "soft reserved"),
        (0xFED00000, 4096, "reserved"),
        (0x100000, 0x100000, "usable"),
    ]
    arm = "efi:   0x000040000000-0x0000bbffffff [Conventional   |   |  |  |  |  |  |  |  |  |   |WB|WT|WC|UC]\n"
    assert parse_boot_log(arm, "x").regions == (BootRegion(Range(0x40000000, 0xBC000000), "usable"),)


def test_a_region_of_two_nodes_is_cut_where_the_node_changes():
    """Lines of a real two-socket machine: SRAT gives 1840000000 to node 1."""
    text = """
BIOS-e820: [mem 0x0000000100000000-0x000000303fffffff] usable
ACPI: SRAT: Node 0 PXM 0 [mem 0x00000000-0x7fffffff]
ACPI: SRAT: Node 0 PXM 0 [mem 0x100000000-0x183fffffff]
ACPI: SRAT: Node 1 PXM 1 [mem 0x1840000000-0x303fffffff]
"""
    assert parse_boot_log(text, "x").regions == (
        BootRegion(Range(0x100000000, 0x1840000000), "usable", 0),
        BootRegion(Range(0x1840000000, 0x3040000000), "usable", 1),
    )


def test_node_ranges_are_the_map_where_firmware_printed_none():
    text = "Linux version 5.10.0 (b@h) (aarch64-linux-gnu-gcc (D) 10)\n  node   0: [mem 0x40000000-0xbfffffff]\n"
    log = parse_boot_log(text, "x")
    assert (log.arch, log.kind_of_map) == ("arm64", "nodes")
    assert log.regions == (BootRegion(Range(0x40000000, 0xC0000000), "usable"),)


LSMEM = """{
   "memory": [
      {"range":"0x0000000000000000-0x00000000bfffffff", "size":"3G", "state":"online", "removable":true,
       "block":"0-23"},
      {"range":"0x0000000100000000-0x0000000107ffffff", "size":134217728, "state":"offline", "removable":"no",
       "block":32, "node":1, "zones":"Normal/Movable"}
   ]
}"""


def test_lsmem(tmp_path):
    path = tmp_path / "lsmem.json"
    path.write_text(LSMEM)
    machine = read_machine(path)
    assert machine.block_size == 128 << 20
    assert [block.nr for block in machine.blocks] == [*range(24), 32]
    assert machine.blocks[0] == BlockFact(0, "online", (), None, True)
    assert machine.blocks[-1] == BlockFact(32, "offline", ("Normal", "Movable"), 1, False)
    assert machine.notes == ()


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ({"range": "0x0-0x7ffffff", "block": "5-3"}, "backwards"),
        ({"range": "0x0-0x7fffffe", "block": "0"}, "do not fit"),
        ({"range": "0x8000000-0xfffffff", "block": "0"}, "do not fit"),
        ({"range": "0x0-0x7ffffff"}, "no block numbers"),
        ({"state": "online"}, "neither"),
        ({"range": "0x0-0x7ffffff", "block": "0-99999999999"}, "more than"),
        (17, "not an object"),
    ],
)
def test_an_odd_lsmem_line_is_noted(line, word):
    good = {"range": "0x8000000-0xfffffff", "state": "online", "block": "1"}
    memory, notes = parse_lsmem([{"memory": [line, good]}], "x")
    assert any(word in note.what and note.where.startswith("memory[0]") for note in notes)
    assert [block.nr for block in memory.blocks][-1:] == [1]


def test_memory_blocks_of_sysfs():
    base = "sys/devices/system/memory"
    source = tree(
        {
            f"{base}/block_size_bytes": "8000000\n",
            f"{base}/auto_online_blocks": "online_movable\n",
            f"{base}/memory0/state": "online\n",
            f"{base}/memory0/phys_index": "00000000\n",
            f"{base}/memory0/valid_zones": "none\n",
            f"{base}/memory17/state": "offline\n",
            f"{base}/memory17/phys_index": "00000011\n",
            f"{base}/memory17/valid_zones": "Normal Movable\n",
            f"{base}/memory17/removable": "1\n",
            f"{base}/memory17/node3": "",
        }
    )
    memory = read_memory_blocks(source)
    assert (memory.block_size, memory.auto_online) == (128 << 20, "online_movable")
    assert memory.blocks == (
        BlockFact(0, "online", ("none",)),
        BlockFact(17, "offline", ("Normal", "Movable"), 3, True),
    )
    assert source.notes == []


def test_odd_memory_blocks_are_noted_and_kept():
    base = "sys/devices/system/memory"
    source = tree(
        {
            f"{base}/block_size_bytes": "0\n",
            f"{base}/memory1/state": "online\n",
            f"{base}/memory1/phys_index": "zz\n",
            f"{base}/memory2/phys_index": "00000002\n",
            f"{base}/memoryX/state": "online\n",
        }
    )
    memory = read_memory_blocks(source)
    assert memory.block_size is None
    assert [(block.nr, block.state) for block in memory.blocks] == [(1, "online"), (2, "unknown")]
    assert [note.source.rpartition("/")[2] for note in source.notes] == ["block_size_bytes", "phys_index", "state"]


ZONES = """Node 0, zone      DMA
  per-node stats
      nr_inactive_anon 2034
  pages free     3840
        boost    0
        spanned  4095
        present  3998
        managed  3840
  pagesets
    cpu: 0
              count:    0
  start_pfn:           1
Node 1, zone   Device
        spanned  32768
        present  0
        managed  0
Node 1, zone   Broken
        spanned  1
"""


def test_zoneinfo():
    zones, notes = parse_zoneinfo(ZONES, "z")
    assert [(z.nid, z.name, z.start_pfn, z.spanned, z.present, z.managed) for z in zones] == [
        (0, "DMA", 1, 4095, 3998, 3840),
        (1, "Device", None, 32768, 0, 0),
    ]
    assert [(note.where, "Broken" in note.what) for note in notes] == [("line 17", True)]
    assert parse_zoneinfo(zoneinfo_lines(ZONES), "z")[0] == zones


@pytest.mark.parametrize(
    ("text", "arch", "levels", "guest"),
    [
        ("flags : fpu lm hypervisor la57\naddress sizes : 48 bits physical, 57 bits virtual\n", "x86_64", 5, True),
        ("processor : 0\nflags : lm\n", "x86_64", 4, False),
        ("CPU implementer : 0x41\n", "arm64", None, None),
        ("isa : rv64imafdc\n", "riscv64", None, None),
        ("vendor_id : IBM/S390\n", "s390x", None, None),
        ("cpu : POWER9 (architected)\n", "ppc64", None, None),
        ("nonsense", None, None, None),
    ],
)
def test_cpuinfo(text, arch, levels, guest):
    facts = parse_cpuinfo(text)
    assert (facts.arch, facts.levels, facts.hypervisor) == (arch, levels, guest)


def test_architectures_named_otherwise():
    assert (
        arch_of_machine("aarch64")
        == arch_of_release("6.1.0-18-arm64")
        == arch_of_release("5.14.0-70.el9.aarch64")
        == "arm64"
    )
    assert arch_of_release("Linux version 6.5 (x) (powerpc64le-linux-gnu-gcc-12 (D) 12)") == "ppc64"
    assert arch_of_release("6.18.44") is None
    assert config_facts("CONFIG_ARM64=y\nCONFIG_ARM64_64K_PAGES=y\nCONFIG_PAGE_SHIFT=16\n").page_size == 65536
    assert config_facts("CONFIG_LOONGARCH=y\nCONFIG_PAGE_SIZE_16KB=y\n").page_size == 16384
    assert config_facts("# CONFIG_X86_64 is not set\n").arch is None


@pytest.mark.parametrize("size", [4096, 16384, 65536])
def test_the_page_size_follows_from_zones_and_ram(size):
    ram = 8 << 30
    pages = ram // size
    files = {
        "proc/iomem": f"40000000-{0x40000000 + ram - 1:x} : System RAM\n09000000-09000fff : ARMH0011:00\n",
        "proc/zoneinfo": f"Node 0, zone DMA\n spanned {pages}\n present {pages - 300}\n managed 9\n start_pfn: 1\n",
    }
    machine = read_machine(tree(files))
    assert (machine.arch, machine.page_size) == ("arm64", size)


@pytest.mark.parametrize(
    ("text", "size", "rounded"),
    [
        ("14.00 MiB (14.68 MB)", 14680064, True),
        ("252.00 GiB (270.58 GB)", 252 << 30, True),
        ("3G", 3 << 30, False),
        ("0x100000000", 1 << 32, False),
        (4096, 4096, False),
        ("64", 64, False),
    ],
)
def test_sizes_as_tools_print_them(text, size, rounded):
    assert printed_size(text) == (size, rounded)


@pytest.mark.parametrize(
    "value",
    [-1, True, None, "", "MiB", "1e9", 1 << 64, "99999999999999999999", "9.9.9 G", float("nan"), float("inf"), []],
)
def test_what_is_no_size(value):
    assert printed_size(value) is None


@pytest.mark.parametrize("value", ["-1", "0x", "1_000", "+5", "١٢", "0x1" + "0" * 16, "1" * 30, "", "x"])
def test_what_is_no_number(value):
    assert number(value) is None


@pytest.mark.parametrize("value", ["-1", "0x", "1_0", "+5", "1" * 17, "", "xyz"])
def test_what_is_no_hexadecimal_number(value):
    assert hex_int(value) is None


def test_old_words_of_ndctl_and_odd_fields(tmp_path):
    """ndctl before 60 said memory, dax and safe."""
    path = tmp_path / "n.json"
    path.write_text(
        json.dumps(
            [
                {"dev": "namespace0.0", "mode": "memory", "size": 1 << 30, "blockdev": "pmem0"},
                {"dev": "namespace1.0", "mode": "dax", "size": "many", "uuid": 5, "target_node": "x"},
                {"dev": "region7"},
                {"dev": "namespace..", "mode": "raw"},
            ]
        )
    )
    machine = read_machine(path)
    assert [(fact.dev, fact.mode, fact.size) for fact in machine.namespaces] == [
        ("namespace0.0", "fsdax", 1 << 30),
        ("namespace1.0", "devdax", None),
    ]
    assert {note.where for note in machine.notes} == {"[1].size", "[1].uuid", "[1].target_node", "[2]"}


def test_a_cut_listing_keeps_what_is_complete(tmp_path):
    whole = (DATA / "guest-6.1" / "ndctl-RNDv.json").read_text()
    at = whole.index('"namespace0.4"')
    path = tmp_path / "cut.json"
    path.write_text(whole[:at])
    machine = read_machine(path)
    assert [fact.dev for fact in machine.namespaces] == ["namespace1.0", "namespace0.2"]
    assert [fact.dev for fact in machine.regions] == ["region1", "region0"]
    assert any("not JSON from here" in note.what and note.where.startswith("line ") for note in machine.notes)
