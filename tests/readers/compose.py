"""Compose the bundled machines that are not captures: ``python tests/readers/compose.py`` writes them into
src/sparsemem/fixtures.

Each is made of files as the kernel prints them. ``composed_from`` in its sparsemem-capture.json says which lines were
quoted in which public report and which we filled in; ``test_fixtures.py`` checks that what is bundled is what this file
makes.
"""

from __future__ import annotations

import json
import lzma
from pathlib import Path

from sparsemem.capture import tar_bytes
from sparsemem.readers.metadata import METADATA
from sparsemem.readers.source import Entry

FIXTURES = Path(__file__).parents[2] / "src" / "sparsemem" / "fixtures"
Tree = dict[str, str]
"""path -> content; a content that starts with "-> " is a link."""

GIB = 1 << 30


def _metadata(text: str, release: str, arch: str = "x86_64", page_size: int = 4096) -> str:
    values = {
        "format": 1, "tool": "composed", "date": None, "arch": arch, "page_size": page_size, "release": release,
        "redacted": False, "unreadable": [], "composed_from": " ".join(text.split()),
    }  # fmt: skip
    return json.dumps(values, indent=1, sort_keys=True) + "\n"


def _blocks(numbers: list[int], block_size: int, node: int = 0) -> Tree:
    base = "sys/devices/system/memory"
    tree = {f"{base}/block_size_bytes": f"{block_size:x}\n", f"{base}/auto_online_blocks": "offline\n"}
    for nr in numbers:
        tree[f"{base}/memory{nr}/phys_index"] = f"{nr:08x}\n"
        tree[f"{base}/memory{nr}/state"] = "online\n"
        tree[f"{base}/memory{nr}/node{node}"] = f"-> ../../node/node{node}"
    return tree


def laptop() -> Tree:
    iomem = (Path(__file__).parent / "data" / "laptop-iomem.txt").read_text()
    text = """
        Quoted: /proc/iomem and the release, from a bug report on linux-mm (Lenovo 20BXCTO1WW, 2019-09-05, quoted in
        Message-ID 3c906446-d2fd-706b-312f-c08dfaf8f67a@suse.cz). Filled in: the memory blocks (every 128 MiB section
        that holds System RAM, online, node 0) and the auto-online policy.
    """
    return {
        METADATA: _metadata(text, "5.3.0-rc7-1-ARCH"),
        "proc/iomem": iomem,
        "proc/version": "Linux version 5.3.0-rc7-1-ARCH\n",
        **_blocks([*range(26), *range(32, 38)], 128 << 20),
    }


def _device(base: str, bus: str, name: str, real: str, driver: str | None, attributes: dict[str, object]) -> Tree:
    """A device of sysfs: the link of its bus, its directory, the link to its driver."""
    up = "../" * 3
    tree = {f"sys/bus/{bus}/devices/{name}": f"-> {up}{base}/{real}".replace("-> ../../../sys/", "-> ../../../")}
    for key, value in attributes.items():
        tree[f"{base}/{real}/{key}"] = f"{value}\n"
    if driver is not None:
        depth = f"{base}/{real}".count("/")
        tree[f"{base}/{real}/driver"] = "-> " + "../" * depth + f"bus/{bus}/drivers/{driver}"
    return tree


def pmem_two_regions() -> Tree:
    bus = "sys/devices/LNXSYSTM:00/LNXSYBUS:00/ACPI0012:00/ndbus0"
    size = 252 * GIB
    text = """
        Quoted (ndctl issue 76 and Message-ID CAPcyv4h9s1jYROGqkMfKk0MNBUedP=vQ1nJObLRwFiTB405nOg@mail.gmail.com):
        kernel 4.18.18-200.fc28.x86_64, the Persistent Memory line, the resources of region0 and region1, 252 GiB each,
        the truncation of 67108864 bytes, the capacity 266285875200 after the first create-namespace, which worked.
        Filled in: RAM on both sides (the truncation needs RAM in the sections at 0x1878000000 and 0x9678000000; its
        size is ours), low memory, uuids, what the kernel's rules give for the data offset. The other two regions of
        that machine have no published addresses and are left out.
    """
    uuid = "3f0b6c5e-0d0b-4c7b-9a58-2f1f6f6c1a01"
    region = {"nstype": 5, "mappings": 1, "size": size, "read_only": 0, "set_cookie": "0x1"}
    tree = {
        METADATA: _metadata(text, "4.18.18-200.fc28.x86_64"),
        "proc/version": "Linux version 4.18.18-200.fc28.x86_64\n",
        "proc/iomem": (
            "00000000-00000fff : Reserved\n"
            "00001000-0009ffff : System RAM\n"
            "000a0000-000fffff : Reserved\n"
            "00100000-7fffffff : System RAM\n"
            "80000000-8fffffff : PCI MMCONFIG 0000 [bus 00-ff]\n"
            "fec00000-fecfffff : PNP0003:00\n"
            "  fec00000-fec003ff : IOAPIC 0\n"
            "fee00000-fee00fff : Local APIC\n"
            "100000000-187bffffff : System RAM\n"
            "187c000000-967bffffff : Persistent Memory\n"
            "  187c000000-577bffffff : namespace0.0\n"
            "967c000000-ae7bffffff : System RAM\n"
        ),
    }
    for number, start, available in ((0, 0x187C000000, 0), (1, 0x577C000000, size)):
        tree |= _device(
            bus, "nd", f"region{number}", f"region{number}", "nd_region",
            {**region, "resource": f"{start:#x}", "available_size": available, "max_available_extent": available,
             "numa_node": number,
             "namespace_seed": f"namespace{number}.{1 - number}"},
        )  # fmt: skip
        tree |= _device(
            bus, "nd", f"namespace{number}.{1 - number}", f"region{number}/namespace{number}.{1 - number}", None,
            {"size": 0, "uuid": "", "mode": "raw", "holder": "", "force_raw": 0, "alt_name": "", "numa_node": number},
        )  # fmt: skip
    tree |= _device(
        bus, "nd", "namespace0.0", "region0/namespace0.0", None,
        {"size": size, "resource": "0x187c000000", "uuid": "3f0b6c5e-0d0b-4c7b-9a58-2f1f6f6c1a02", "mode": "memory",
         "holder": "pfn0.0",
         "force_raw": 0, "alt_name": "", "sector_size": "512", "numa_node": 0},
    )  # fmt: skip
    data = 266285875200
    tree |= _device(
        bus, "nd", "pfn0.0", "region0/pfn0.0", "nd_pmem",
        {"size": data, "resource": f"{0x577C000000 - data:#x}", "align": 2097152, "mode": "pmem",
         "uuid": uuid, "namespace": "namespace0.0"},
    )  # fmt: skip
    tree[f"{bus}/region0/pfn0.0/block/pmem0/size"] = f"{data // 512}\n"
    return tree


def arm64_virt() -> Tree:
    bus = "sys/devices/LNXSYSTM:00/LNXSYBUS:00/ACPI0012:00/ndbus0"
    text = """
        Quoted: kata-containers issue 1841 (arm64 guest, 1 GiB blocks, the root image as an NVDIMM before the place of
        the first DIMM, which then is 0xc8000000: 'Block size [0x40000000] unaligned hotplug range: start 0xc8000000,
        size 0x40000000'). The address map is that of QEMU's virt machine. Filled in: 2 GiB of RAM, a 128 MiB image (so
        that the next free address is 0xc8000000), release 5.10.25, the kernel's lines, the state of the namespace.
    """
    size = 128 << 20
    attributes = {"nstype": 4, "mappings": 1, "size": size, "resource": "0xc0000000", "align": "0x1000000",
                  "available_size": 0, "numa_node": 0, "target_node": 0, "read_only": 0}  # fmt: skip
    namespace = {
        "size": size,
        "resource": "0xc0000000",
        "mode": "raw",
        "holder": "",
        "force_raw": 0,
        "numa_node": 0,
        "target_node": 0,
    }
    return {
        METADATA: _metadata(text, "5.10.25", "arm64"),
        "proc/version": "Linux version 5.10.25\n",
        "proc/cmdline": "root=/dev/pmem0p1 rootflags=dax,data=ordered,errors=remount-ro ro rootfstype=ext4\n",
        "proc/iomem": (
            "00000000-03ffffff : LNRO0015:00\n"
            "04000000-07ffffff : LNRO0015:01\n"
            "09000000-09000fff : ARMH0011:00\n"
            "  09000000-09000fff : ARMH0011:00 ARMH0011:00\n"
            "10000000-3efeffff : PCI Bus 0000:00\n"
            "40000000-bfffffff : System RAM\n"
            "  40210000-4110ffff : Kernel code\n"
            "  41110000-413fffff : reserved\n"
            "  41400000-416affff : Kernel data\n"
            "c0000000-c7ffffff : Persistent Memory\n"
            "  c0000000-c7ffffff : namespace0.0\n"
            "4010000000-401fffffff : PCI ECAM\n"
        ),
        **_blocks([1, 2], GIB),
        **_device(bus, "nd", "region0", "region0", "nd_region", attributes),
        **_device(bus, "nd", "namespace0.0", "region0/namespace0.0", "nd_pmem", namespace),
        f"{bus}/region0/namespace0.0/block/pmem0/size": f"{size // 512}\n",
    }


def mixed_region() -> Tree:
    text = """
        Quoted (cover letter of the 2016 sub-section series, Message-ID
        148125125407.13512.1253904589564772668.stgit@dwillia2-desk3.amr.corp.intel.com): memmap=0xfc000000!8G gives
        'devm_memremap_pages attempted on mixed region [mem 0x200000000-0x2fbffffff flags 0x200]'. Filled in: low
        memory, the RAM below and above, its end, and the release, which is the baseline of the series that changed it.
    """
    return {
        METADATA: _metadata(text, "5.1.0-rc1"),
        "proc/version": "Linux version 5.1.0-rc1\n",
        "proc/cmdline": "memmap=0xfc000000!8G\n",
        "proc/iomem": (
            "00000000-00000fff : Reserved\n"
            "00001000-0009fbff : System RAM\n"
            "0009fc00-000fffff : Reserved\n"
            "00100000-7fffffff : System RAM\n"
            "fec00000-fec003ff : IOAPIC 0\n"
            "fee00000-fee00fff : Local APIC\n"
            "100000000-1ffffffff : System RAM\n"
            "200000000-2fbffffff : Persistent Memory (legacy)\n"
            "2fc000000-43fffffff : System RAM\n"
        ),
    }


def ram_beside_pmem() -> Tree:
    text = """
        Quoted (Message-ID 161058500675.1840162.7887862152161279354.stgit@dwillia2-desk3.amr.corp.intel.com,
        2021-01-13): the System RAM line with Kernel code at 142000000, the Persistent Memory (legacy) line. Filled in:
        low memory, the end of the kernel's code, the release (the release candidate of that week).
    """
    return {
        METADATA: _metadata(text, "5.11.0-rc3"),
        "proc/version": "Linux version 5.11.0-rc3\n",
        "proc/iomem": (
            "00000000-00000fff : Reserved\n"
            "00001000-0009fbff : System RAM\n"
            "0009fc00-000fffff : Reserved\n"
            "00100000-7fffffff : System RAM\n"
            "fec00000-fec003ff : IOAPIC 0\n"
            "fee00000-fee00fff : Local APIC\n"
            "100000000-1fbffffff : System RAM\n"
            "  142000000-142ffffff : Kernel code\n"
            "1fc000000-2fbffffff : Persistent Memory (legacy)\n"
        ),
    }


def pmem_kmem() -> Tree:
    text = """
        Quoted (Linux kernel commit 60858c00e5f0 and Message-ID 20200526183941.834174383@linuxfoundation.org): the
        Persistent Memory, namespace0.0, dax0.0 and System RAM lines. Filled in: low memory, RAM below 0x140000000, the
        release.
    """
    return {
        METADATA: _metadata(text, "5.7.0-rc4"),
        "proc/version": "Linux version 5.7.0-rc4\n",
        "proc/iomem": (
            "00000000-00000fff : Reserved\n"
            "00001000-0009fbff : System RAM\n"
            "0009fc00-000fffff : Reserved\n"
            "00100000-bfffffff : System RAM\n"
            "fec00000-fec003ff : IOAPIC 0\n"
            "fee00000-fee00fff : Local APIC\n"
            "100000000-13fffffff : System RAM\n"
            "140000000-33fffffff : Persistent Memory\n"
            "  140000000-1481fffff : namespace0.0\n"
            "  150000000-33fffffff : dax0.0\n"
            "    150000000-33fffffff : System RAM\n"
        ),
    }


TARBALLS = {"laptop": laptop, "pmem-two-regions": pmem_two_regions, "arm64-virt": arm64_virt}
DIRECTORIES = {"mixed-region": mixed_region, "ram-beside-pmem": ram_beside_pmem, "pmem-kmem": pmem_kmem}


def entries(tree: Tree) -> dict[str, Entry]:
    """The tree as a capture holds it."""
    return {
        path: Entry("link", content[3:].encode()) if content.startswith("-> ") else Entry("file", content.encode())
        for path, content in tree.items()
    }


def main() -> None:
    for name, make in TARBALLS.items():
        (FIXTURES / f"{name}.tar.xz").write_bytes(lzma.compress(tar_bytes(entries(make())), preset=6))
    for name, make in DIRECTORIES.items():
        for path, content in make().items():
            target = FIXTURES / name / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(content)


if __name__ == "__main__":
    main()
