"""The bundled machines: readable without remarks, small, as their README says, and as compose.py has them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import compose
import pytest

from sparsemem import fixtures
from sparsemem.errors import UsageError
from sparsemem.ranges import Range
from sparsemem.readers import open_source, read_machine

ALL = fixtures.names()
REAL = {"firecracker-vm", "memmap-guest", "pmem-guest"}


def test_there_are_the_machines_that_the_readme_lists():
    readme = (Path(fixtures.__file__).parent / "README.md").read_text()
    rows = [line.split("|") for line in readme.splitlines() if line.startswith("| `")]
    assert sorted(row[1].strip(" `") for row in rows) == list(ALL)
    assert {row[1].strip(" `") for row in rows if row[2].strip() == "real"} == REAL
    assert set(compose.TARBALLS) | set(compose.DIRECTORIES) == set(ALL) - REAL


@pytest.mark.parametrize("name", ALL)
def test_each_is_small_and_read_without_trouble(name):
    path = Path(fixtures.path(name))
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    assert sum(os.path.getsize(file) for file in files) < 100_000
    machine = read_machine(path)
    assert machine.kernel_release
    assert machine.arch == ("arm64" if name == "arm64-virt" else "x86_64")
    assert machine.page_size == 4096
    assert machine.iomem is not None
    assert [note for note in machine.notes if note.where != "dax0.0"] == []
    assert fixtures.summary(name)


@pytest.mark.parametrize("name", ALL)
def test_a_composed_one_says_so_and_a_real_one_is_a_capture(name):
    data = json.loads(open_source(fixtures.path(name)).read_text("sparsemem-capture.json"))
    assert ("composed_from" in data) == (name not in REAL)
    if name not in REAL:
        assert data["tool"] == "composed"
        assert "Quoted" in data["composed_from"]
        assert "Filled in" in data["composed_from"]


@pytest.mark.parametrize("name", [*compose.TARBALLS, *compose.DIRECTORIES])
def test_what_is_bundled_is_what_is_composed(name):
    make = compose.TARBALLS.get(name) or compose.DIRECTORIES[name]
    source = open_source(fixtures.path(name))
    for path, entry in compose.entries(make()).items():
        got = source.readlink(path) if entry.kind == "link" else source.read_bytes(path)
        assert (got.encode() if isinstance(got, str) else got) == entry.data, path


def test_nothing_in_them_tells_where_they_were_made():
    source = open_source(fixtures.path("firecracker-vm"))
    assert source.read_text("/proc/cmdline") == "page_reporting.page_reporting_order=11 deferred_init=lazy\n"
    assert source.read_text("/proc/version") == "Linux version 6.18.44-fc-v769\n"


def test_pmem_two_regions_is_case_c01():
    """Numbers of ndctl issue 76, by hand: both regions touch section 0x5778000000-0x577fffffff."""
    machine = read_machine(fixtures.path("pmem-two-regions"))
    one, two = machine.regions
    assert one.size == two.size == 270582939648
    assert (one.range.start, two.range.start) == (0x187C000000, 0x577C000000)
    assert one.range.end == two.range.start
    assert one.range.end >> 27 == (one.range.end - 1) >> 27 == two.range.start >> 27
    (entry,) = [node for node in machine.iomem.children if node.name == "Persistent Memory"]
    assert (entry.start, entry.end) == (0x187C000000, 0x967BFFFFFF)
    (namespace,) = machine.namespaces
    assert (namespace.mode, namespace.usable, namespace.data.end) == ("fsdax", 266285875200, one.range.end)
    assert namespace.range == one.range
    assert two.available_size == two.size


def test_the_small_ones_hold_the_quoted_lines():
    def lines(name):
        return [(node.start, node.end, node.name) for _, node in read_machine(fixtures.path(name)).iomem.walk()]

    assert (0x200000000, 0x2FBFFFFFF, "Persistent Memory (legacy)") in lines("mixed-region")
    assert read_machine(fixtures.path("mixed-region")).cmdline == "memmap=0xfc000000!8G"
    assert (0x100000000, 0x1FBFFFFFF, "System RAM") in lines("ram-beside-pmem")
    assert (0x1FC000000, 0x2FBFFFFFF, "Persistent Memory (legacy)") in lines("ram-beside-pmem")
    kmem = read_machine(fixtures.path("pmem-kmem"))
    assert kmem.dax[0].ranges == (Range(0x150000000, 0x340000000),)
    assert kmem.dax[0].mode == "system-ram"
    assert (kmem.namespaces[0].mode, kmem.namespaces[0].range) == ("devdax", None)
    arm = read_machine(fixtures.path("arm64-virt"))
    assert arm.block_size == 1 << 30
    assert arm.regions[0].range.end == 0xC8000000


def test_a_wrong_name():
    with pytest.raises(UsageError, match="no bundled machine") as caught:
        fixtures.path("../fixtures")
    assert "laptop" in caught.value.remedy
