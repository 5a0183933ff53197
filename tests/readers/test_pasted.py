"""What people paste: the table of lsmem, daxctl's JSON alone, and several listings in one text. Texts of public reports."""

from __future__ import annotations

import json

import pytest

from sparsemem.doctor import diagnose
from sparsemem.errors import InputError
from sparsemem.ranges import Range
from sparsemem.readers import read_text
from sparsemem.readers.pasted import take_apart

GIB = 1 << 30
# pmem/ndctl issue 246, 2023
LSMEM_246 = """RANGE                                  SIZE  STATE REMOVABLE BLOCK  ZONES NODE
0x0000000000000000-0x000000007fffffff    2G online       yes     0   None    0
0x0000000100000000-0x000000207fffffff  126G online       yes  2-64 Normal    0
0x0000002080000000-0x000000227fffffff    8G online       yes 65-68 Normal    1

Memory block size:         2G
Total online memory:     136G
Total offline memory:      0B
"""
DAXCTL_246 = """[
  {
    "path":"\\/platform\\/hmem.0",
    "id":0,
    "size":8589934592,
    "devices":[
      {
        "chardev":"dax0.0",
        "size":8589934592,
        "target_node":1,
        "align":2097152,
        "mode":"system-ram"
      }
    ]
  }
]
"""
# util-linux issue 4055, 2026: the first block is not memory0, and lsmem of that time shows no zones
LSMEM_4055 = """RANGE                                  SIZE  STATE REMOVABLE     BLOCK NODE ZONES
0x0000010000000000-0x00000103e7ffffff 15.6G online       yes 8192-8316    0 
0x00000103f8000000-0x00000103ffffffff  128M online       yes      8319    0 

Memory block size:       128M
Total online memory:    15.8G
Total offline memory:      0B
"""  # noqa: W291
# pmem/ndctl issue 256, 2023
DAXCTL_256 = """[
  {
    "chardev":"dax0.0",
    "size":68719476736,
    "target_node":1,
    "align":2097152,
    "mode":"system-ram",
    "online_memblocks":504,
    "total_memblocks":512
  }
]
"""


def ids(text: str, kernel: str | None = None) -> list[str]:
    return [each.id for each in diagnose(read_text(text, "pasted"), kernel).findings]


def test_the_table_of_lsmem() -> None:
    machine = read_text(LSMEM_246, "pasted")
    assert machine.block_size == 2 * GIB
    assert [block.nr for block in machine.blocks] == [0, *range(2, 69)]
    assert {block.nid for block in machine.blocks} == {0, 1}
    assert machine.blocks[0].valid_zones == ("none",)
    assert machine.blocks[-1].valid_zones == ("Normal",)
    empty = read_text(LSMEM_4055, "pasted")
    assert empty.block_size == 128 << 20
    assert len(empty.blocks) == 126
    assert {block.valid_zones for block in empty.blocks} == {()}


def test_the_table_is_what_the_json_of_lsmem_says() -> None:
    rows = [line.split() for line in LSMEM_246.splitlines()[1:4]]
    document = {
        "memory": [
            dict(zip(("range", "size", "state", "removable", "block", "zones", "node"), row, strict=True))
            for row in rows
        ]
    }
    told = read_text(json.dumps(document), "lsmem.json")
    assert read_text(LSMEM_246, "lsmem.json").blocks == told.blocks


def test_blocks_of_its_own_node_place_a_device() -> None:
    """Four blocks of 2 GiB on node 1, and the only device of node 1 has 8 GiB."""
    machine = read_text(f"$ daxctl list -iDMR\n{DAXCTL_246}\n$ lsmem -o+ZONES,NODE\n{LSMEM_246}", "pasted")
    (dax,) = machine.dax
    assert dax.ranges == (Range(0x2080000000, 0x2280000000),)
    assert (dax.blocks, dax.online, dax.movable) == (4, 4, False)
    said = diagnose(machine, "6.3")
    (stuck,) = [each for each in said.findings if each.id == "unmovable-block"]
    assert stuck.capacity == 8 * GIB
    assert "Device or resource busy" in stuck.what
    assert said.summary.ram == 128 * GIB  # the device's blocks are not RAM of boot
    assert said.summary.hotplugged == 8 * GIB


def test_a_count_of_blocks_is_a_state() -> None:
    machine = read_text(DAXCTL_256, "pasted")
    assert machine.block_size == 128 << 20
    (off,) = diagnose(machine, "6.5").findings
    assert off.id == "kmem-partly-online"
    assert off.capacity == 8 * (128 << 20)  # "8 memory sections already offline"
    assert "504 of its 512" in off.what
    assert off.remedies[0].argv == ("daxctl", "online-memory", "dax0.0")


def test_the_size_and_the_count_tell_what_is_lost() -> None:
    """pmem/ndctl issue 139, 2020: 1598128390144 bytes, "743 online"."""
    text = DAXCTL_256.replace("68719476736", "1598128390144").replace("504", "743").replace("512", "743")
    machine = read_text(text, "pasted")
    assert machine.block_size == 2 * GIB
    (lost,) = diagnose(machine, "5.6").findings
    assert (lost.id, lost.capacity, lost.lost) == ("kmem-stranded", 1598128390144 - 743 * 2 * GIB, True)


def test_devices_without_addresses_are_judged() -> None:
    """pmem/ndctl issue 260, 2024; nothing is said of RAM."""
    text = json.dumps([{"chardev": "dax0.0", "size": 133175443456, "align": 2097152, "mode": "devdax"}])
    said = diagnose(read_text(text, "pasted"), "5.10")
    assert [each.id for each in said.findings] == ["no-target-node"]
    assert said.summary.ram == 0
    assert "where RAM ends is not known" in " ".join(check.reason for check in said.skipped)


def test_several_listings_in_one_text() -> None:
    text = (
        "Linux cxldemo 6.0.2-325.vanilla.1.fc35.x86_64 #1 SMP PREEMPT_DYNAMIC Sat Oct 15 06:49:24 UTC 2022 x86_64 x86_64 x86_64 GNU/Linux\n"
        "[root@cxldemo ~]# cat /proc/iomem\n00100000-7fffffff : System RAM\n100000000-1ffffffff : System RAM\n"
        "200000000-11ffffffff : Soft Reserved\n  200000000-11ffffffff : dax0.0\n    200000000-11ffffffff : System RAM (kmem)\n"
        f"[root@cxldemo ~]# daxctl list\n{DAXCTL_256}"
    )
    machine = read_text(text, "pasted")
    assert (machine.kernel_release, machine.arch) == ("6.0.2-325.vanilla.1.fc35.x86_64", "x86_64")
    assert machine.dax[0].ranges == (Range(0x200000000, 0x1200000000),)
    assert [each.id for each in diagnose(machine).findings] == ["kmem-partly-online"]


def test_lines_keep_their_numbers() -> None:
    parts = take_apart("x\n[\n1\n]\n1000-1fff : System RAM\n[ not JSON\n" + LSMEM_4055)
    assert parts.documents == ([1],)
    assert parts.iomem is not None
    assert parts.iomem.split("\n")[4] == "1000-1fff : System RAM"
    assert parts.lsmem is not None
    assert parts.lsmem.split("\n")[6].startswith("RANGE")
    assert parts.kinds == 3


@pytest.mark.parametrize(
    "text", ["RANGE SIZE STATE\n", "[\n" * 5000, '{"\n' * 200, "Memory block size: 2G\n", "uname -r\n6.1\n"]
)
def test_what_only_looks_like_it(text: str) -> None:
    with pytest.raises(InputError):
        read_text(text, "pasted")


def test_what_uname_and_getconf_say() -> None:
    """util-linux issue 4055: an Apple machine with pages of 16 KiB."""
    text = f"$ uname -r -m \n6.17.12-400.asahi.fc42.aarch64+16k aarch64\n$ getconf PAGE_SIZE\n16384\n$ lsmem --output-all\n{LSMEM_4055}"
    for each in (text, text.replace("getconf PAGE_SIZE", ""), text.replace("+16k", "")):
        machine = read_text(each, "pasted")
        assert (machine.arch, machine.page_size) == ("arm64", 16384)
        assert machine.kernel_release.startswith("6.17.12-400.asahi.fc42.aarch64")
    said = diagnose(read_text(text, "pasted"))
    assert (said.arch, said.findings) == ("arm64", ())
    assert said.summary.block_size == 128 << 20


def test_a_tdx_host_by_its_log() -> None:
    text = (
        "[    1.000000] Linux version 6.8.0 (x86_64-linux-gnu-gcc)\n[   30.000000] virt/tdx: module initialized\n"
        "00100000-7fffffff : System RAM\n580000000-5ffffffff : Soft Reserved\n  580000000-5ffffffff : dax0.0\n"
    )
    assert ids(text) == ["tdx-static-memory"]
    assert "tdx-static-memory" not in ids(text.replace("module initialized", "module not loaded"))
    assert "tdx-static-memory" not in ids(text, "6.7")


def test_a_listing_of_regions_alone_tells_no_balance() -> None:
    region = {"dev": "region2", "size": 2 * GIB, "available_size": 0, "type": "pmem"}
    (alone,) = diagnose(read_text(json.dumps([region]), "pasted"), "6.1").balances
    assert alone.shares == (("unknown", 2 * GIB),)
    namespace = {"dev": "namespace2.0", "mode": "fsdax", "map": "dev", "size": 2111832064}
    (both,) = diagnose(read_text(json.dumps([region | {"namespaces": [namespace]}]), "pasted"), "6.1").balances
    assert both.shares == (("data", 2111832064), ("metadata", 2 * GIB - 2111832064))
