"""sysfs of two real kernels against what ndctl and daxctl said on the same guest."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from sparsemem import fixtures
from sparsemem.ranges import Range
from sparsemem.readers import MemorySource, open_source, read_machine
from sparsemem.readers.source import Entry

DATA = Path(__file__).parent / "data"
TREES = {"6.1": fixtures.path("pmem-guest"), "7.2": str(DATA / "guest-7.2" / "tree.tar.xz")}


@pytest.fixture(params=list(TREES))
def kernel(request):
    return request.param


def by_dev(facts):
    return {fact.dev: fact for fact in facts}


def test_namespaces_agree_with_ndctl(kernel):
    said = {
        item["dev"]: item
        for region in json.loads((DATA / f"guest-{kernel}" / "ndctl-RNDv.json").read_text())["regions"]
        for item in region["namespaces"]
    }
    read = by_dev(read_machine(TREES[kernel]).namespaces)
    assert {dev for dev, fact in read.items() if fact.enabled} == set(said)
    assert {dev for dev, fact in read.items() if not fact.enabled} == {"namespace0.1"}
    for dev, item in said.items():
        fact = read[dev]
        assert (fact.mode, fact.map, fact.usable) == (item["mode"], item.get("map"), item["size"])
        assert fact.uuid == item.get("uuid")
        assert (fact.align, fact.name, fact.blockdev) == (item.get("align"), item.get("name"), item.get("blockdev"))
        assert fact.target_node == item["target_node"]
        if "sector_size" in item and fact.sector_size is not None:
            assert fact.sector_size == item["sector_size"]


def test_regions_agree_with_ndctl(kernel):
    said = {
        item["dev"]: item for item in json.loads((DATA / f"guest-{kernel}" / "ndctl-RNDv.json").read_text())["regions"]
    }
    read = by_dev(read_machine(TREES[kernel]).regions)
    assert set(read) == set(said)
    for dev, item in said.items():
        fact = read[dev]
        assert (fact.size, fact.align, fact.available_size) == (item["size"], item["align"], item["available_size"])
        assert fact.max_available_extent == item["max_available_extent"]
        assert (fact.mappings, fact.type, fact.target_node) == (
            len(item["mappings"]),
            item["type"],
            item["target_node"],
        )
        assert fact.labels == ("iset_id" in item)


def test_dax_devices_agree_with_daxctl(kernel):
    said = {
        item["chardev"]: item
        for region in json.loads((DATA / f"guest-{kernel}" / "daxctl-RDM.json").read_text())
        for item in region["devices"]
    }
    read = by_dev(read_machine(TREES[kernel]).dax)
    assert set(read) == set(said)
    for dev, item in said.items():
        fact = read[dev]
        assert (fact.size, fact.align, fact.mode) == (item["size"], item["align"], item["mode"])
        assert fact.ranges == tuple(Range(m["start"], m["end"] + 1) for m in item["mappings"])
        assert fact.region == "region0"


def test_addresses_agree_with_the_kernels_iomem(kernel):
    """A namespace reserves its extent there; a devdax one only its metadata, before the data."""
    machine = read_machine(TREES[kernel])
    lines = {node.name: node for _, node in machine.iomem.walk() if (node.name or "").startswith(("namespace", "dax"))}
    for fact in machine.namespaces:
        if not fact.enabled:
            assert fact.dev not in lines
        elif fact.mode == "devdax":
            assert fact.range.start == lines[fact.dev].start
            assert fact.data.start == lines[fact.dev].end + 1
            assert fact.data.end == fact.range.end
        else:
            assert fact.range == Range(lines[fact.dev].start, lines[fact.dev].end + 1)
    for region in machine.regions:
        (entry,) = [
            n for n in machine.iomem.children if n.name == "Persistent Memory" and n.start == region.range.start
        ]
        assert entry.size == region.size


def without(source, *endings):
    entries = {path: entry for path, entry in source.entries.items() if not path.endswith(endings)}
    return MemorySource("a tree", entries)


def test_hidden_addresses_come_from_iomem(kernel):
    """A tree without the files that only root reads, but with an iomem saved by root: what that tells is filled in."""
    full = read_machine(TREES[kernel])
    partial = read_machine(without(open_source(TREES[kernel]), "/resource", "/start", "/end"))
    assert partial.regions == full.regions
    for whole, part in zip(full.namespaces, partial.namespaces, strict=True):
        assert part.range == (whole.range if whole.enabled else None)
    for whole, part in zip(full.dax, partial.dax, strict=True):
        assert part.ranges == whole.ranges  # kmem claims less: the rest follows from the size and what lies around it


@pytest.mark.parametrize("listing", ["ndctl-RNDv.json", "ndctl-u.json", "daxctl-RDM.json"])
def test_a_listing_alone_is_a_machine(kernel, listing):
    machine = read_machine(DATA / f"guest-{kernel}" / listing)
    full = read_machine(TREES[kernel])
    if machine.namespaces:
        read = by_dev(full.namespaces)
        assert {fact.dev for fact in machine.namespaces} == {dev for dev, fact in read.items() if fact.enabled}
        for fact in machine.namespaces:
            assert (fact.mode, fact.map, fact.usable) == (
                read[fact.dev].mode,
                read[fact.dev].map,
                read[fact.dev].usable,
            ) or (listing == "ndctl-u.json" and abs(fact.usable - read[fact.dev].usable) <= 0.005 * (1 << 20))
    else:
        assert [(f.dev, f.size, f.ranges, f.mode, f.region) for f in machine.dax] == [
            (f.dev, f.size, f.ranges, f.mode, f.region) for f in full.dax
        ]
    assert any("rounded" in note.what for note in machine.notes) == (listing == "ndctl-u.json")


def test_a_listing_beside_an_iomem_gives_addresses(kernel):
    """What people send in a bug report: both files in one directory."""
    tree = open_source(TREES[kernel])
    source = MemorySource(
        "report",
        {
            "iomem.txt": Entry("file", tree.entries["proc/iomem"].data),
            "ndctl.json": Entry("file", (DATA / f"guest-{kernel}" / "ndctl-RNDv.json").read_bytes()),
        },
    )
    machine, full = read_machine(source), by_dev(read_machine(tree).namespaces)
    for fact in machine.namespaces:
        if fact.mode in ("fsdax", "raw", "sector"):
            assert fact.range == full[fact.dev].range
    assert {r.dev: r.range for r in machine.regions} == {r.dev: r.range for r in read_machine(tree).regions}


def test_the_boot_log_agrees_with_the_firmware_map_in_sysfs(kernel):
    log, tree = read_machine(DATA / f"guest-{kernel}" / "boot.log"), read_machine(TREES[kernel])
    assert log.boot_map == tree.boot_map
    assert log.kernel_release == tree.kernel_release
    assert (log.arch, log.page_size, log.block_size, log.cmdline) == (tree.arch, 4096, tree.block_size, tree.cmdline)


def test_pmem_by_memmap_agrees_with_ndctl_iomem_and_the_boot_log():
    """No labels, no DIMMs: ndctl says fsdax with its map in memory; the firmware map does not know it."""
    machine = read_machine(fixtures.path("memmap-guest"))
    (said,) = json.loads((DATA / "guest-memmap" / "ndctl-RNDv.json").read_text())["regions"]
    (region,), (namespace,) = machine.regions, machine.namespaces
    assert (region.size, region.align, region.mappings, region.labels) == (said["size"], said["align"], 0, False)
    (item,) = said["namespaces"]
    assert (namespace.mode, namespace.map, namespace.usable) == (item["mode"], item["map"], item["size"])
    assert (namespace.blockdev, namespace.enabled) == (item["blockdev"], True)
    (entry,) = [node for node in machine.iomem.children if node.name == "Persistent Memory (legacy)"]
    assert region.range == namespace.range == namespace.data == Range(entry.start, entry.end + 1)
    log = read_machine(DATA / "guest-memmap" / "boot.log")
    assert [part.range for part in log.boot_map if part.kind == "persistent (type 12)"] == [region.range]
    assert not any(part.kind.startswith("persistent") for part in machine.boot_map)
    assert log.cmdline == machine.cmdline


def test_a_zone_without_present_pages_has_no_start(kernel):
    zones = {zone.name: zone for zone in read_machine(TREES[kernel]).zones}
    assert zones["Device"].spanned == 196608
    assert zones["Device"].start_pfn is None
    assert zones["DMA32"].start_pfn == 4096


def test_a_driver_can_also_be_known_from_uevent():
    source = open_source(TREES["6.1"])
    entries = {}
    for path, entry in source.entries.items():
        if path.endswith("/driver"):
            driver = entry.data.decode().rpartition("/")[2]
            entries[path.removesuffix("driver") + "uevent"] = Entry("file", f"DEVTYPE=x\nDRIVER={driver}\n".encode())
        elif not path.endswith("/uevent"):
            entries[path] = entry
    left = read_machine(MemorySource("x", entries))
    assert dataclasses.replace(left, source="") == dataclasses.replace(read_machine(source), source="")
