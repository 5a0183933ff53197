"""drivers/nvdimm/pmem.c, region.c and bus.c: who binds what, with which words, and what is left when something fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sparsemem.kernel.ioport import IORESOURCE_BUSY, IORESOURCE_MEM, Resource
from sparsemem.kernel.nvdimm import bus, pfn_devs
from sparsemem.kernel.nvdimm.claim import nd_namespace_store
from sparsemem.kernel.nvdimm.core import namespace_of, pfn_of, put, region_of
from sparsemem.kernel.nvdimm.pmem import capacity, disk_read_only
from sparsemem.kernel.nvdimm.region_devs import read_only_store
from sparsemem.kernel.refusal import Refusal
from sparsemem.kernel.resource import insert_resource
from tests.nvdimm.board import GIB, MIB, UUID, add_region, configure, errno_of, labelled, logged, region, texts

if TYPE_CHECKING:
    from sparsemem.kernel.state import State

VERSIONS = ("4.19", "5.0", "5.2", "5.3", "5.4", "5.6", "5.10", "6.1", "6.12", "7.2")
KINDS = ("raw", "pfn", "dax", "btt")


def names(state: State, start: int = 4 * GIB) -> list[tuple[int, int, str]]:
    """What the iomem tree has inside the region."""
    found: list[tuple[int, int, str]] = []

    def walk(node: Resource) -> None:
        for each in node.children:
            if each.start >= start and each.name != "Persistent Memory":
                found.append((each.start, each.end, each.name))
            walk(each)

    walk(state.iomem)
    return found


def bound(state: State) -> dict[str, str]:
    return {key: dev.driver for key, dev in state.nd.items() if getattr(dev, "driver", "")}


def old(version: str, limit: tuple[int, ...]) -> bool:
    return tuple(int(each) for each in version.split(".")) < limit


# -- a namespace by itself


@pytest.mark.parametrize("version", VERSIONS)
def test_a_raw_namespace_is_a_disk_without_pages(version: str) -> None:
    state = region(version)
    dev = namespace_of(state, "namespace0.0")
    assert (dev.driver, dev.disk, capacity(state, "namespace0.0")) == ("nd_pmem", "pmem0", GIB)
    assert not state.pgmaps
    assert names(state) == [(4 * GIB, 5 * GIB - 1, "namespace0.0")]
    said = [f"pmem0: detected capacity change from 0 to {GIB}"] if old(version, (5, 10)) else []
    assert texts(state)[-1:] == said or not said
    assert not [line for line in texts(state) if "persistence" in line]


@pytest.mark.parametrize("version", VERSIONS)
def test_an_e820_namespace_gets_pages_and_a_warning(version: str) -> None:
    state = region(version, pagemap=True)
    assert "nd_pmem namespace0.0: unable to guarantee persistence of writes" in texts(state)
    assert [pgmap.altmap for pgmap in state.pgmaps.values()] == [None]
    configure(state, "pfn")
    assert "nd_pmem pfn0.0: unable to guarantee persistence of writes" in texts(state)
    (pgmap,) = state.pgmaps.values()
    assert pgmap.altmap is not None


@pytest.mark.parametrize(("version", "level"), [("5.10", 19), ("6.1", 95), ("6.12", 95), ("7.2", 95)])
def test_an_e820_namespace_that_is_not_aligned(version: str, level: int) -> None:
    """As in the transcripts of tests/transcripts (memmap=N!M without alignment)."""
    state = region(version, start=GIB + MIB, size=3 * MIB, pagemap=True, ram="0-1G ram")
    line = "nd_pmem namespace0.0: [mem 0x40100000-0x403fffff flags 0x200] misaligned, unable to map"
    assert line in texts(state)
    words = (
        "nd_pmem namespace0.0: probe with driver nd_pmem failed with error -95"
        if version in ("6.12", "7.2")
        else "nd_pmem: probe of namespace0.0 failed with error -95"
    )
    assert words in texts(state)
    assert errno_of(bus.bind_store, state, "nd_pmem", "namespace0.0") == level


def test_the_seeds_come_before_the_namespaces_are_probed() -> None:
    """legacy@7.2.json: the pfn device made at enable-region is pfn0.1, the seed pfn0.0."""
    state = region("7.2", pagemap=True)
    configure(state, "pfn")
    assert state.nd["pfn0.0"].disk == "pmem0"
    bus.unbind_store(state, "nd_region", "region0")
    assert logged(state, bus.bind_store, state, "nd_region", "region0") == [
        "nd_pmem pfn0.1: unable to guarantee persistence of writes"
    ]
    assert region_of(state, "region0").pfn_seed == "pfn0.0"
    assert pfn_of(state, "pfn0.1").ndns == "namespace0.0"


# -- bind and unbind


@pytest.mark.parametrize("version", VERSIONS)
def test_what_bind_and_unbind_answer(version: str) -> None:
    reports = not old(version, (5, 14))
    state = region(version)
    for driver, name, errno in (
        ("nd_pmem", "namespace0.7", 19),
        ("nd_pmem", "region0", 19),
        ("nd_region", "namespace0.0", 19),
        ("dax_pmem", "pfn0.0", 19),
        ("nd_pmem", "namespace0.0", 16 if reports else 19),
        ("nd_pmem", "pfn0.0", 19),  # no namespace yet
        ("dax_pmem", "dax0.0\n", 19),
        ("nd_region", "region0\n", 16 if reports else 19),
        ("nvdimm", "nmem0", 16 if reports else 19),
    ):
        assert errno_of(bus.bind_store, state, driver, name) == errno, (driver, name)
    assert errno_of(bus.unbind_store, state, "nd_region", "namespace0.0") == 19
    assert errno_of(bus.unbind_store, state, "nd_pmem", "namespace0.9") == 19
    assert errno_of(bus.unbind_store, state, "nd_pmem", "namespace0.0") == 0
    assert errno_of(bus.unbind_store, state, "nd_pmem", "namespace0.0") == 19
    assert errno_of(bus.bind_store, state, "nd_pmem", "namespace0.0") == 0
    configure(state, "pfn")
    assert errno_of(bus.bind_store, state, "nd_pmem", "namespace0.0") == (6 if reports else 19)  # claimed
    bus.unbind_store(state, "nd_pmem", "pfn0.0")
    assert errno_of(bus.bind_store, state, "nd_pmem", "namespace0.0") == (6 if reports else 19)


def test_the_drivers_of_the_bus() -> None:
    state = region("6.1")
    assert bus.drivers(state) == ("dax_pmem", "nd_bus", "nd_pmem", "nd_region", "nvdimm")
    for key in state.nd:
        assert bus.driver_for(state, key) in bus.drivers(state)
    assert set(bus.BINDABLE) == set(bus.drivers(state)) - {"nd_bus"}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_bound_again_and_again_it_is_the_same(version: str, kind: str) -> None:
    state = region(version)
    key = "namespace0.0" if kind == "raw" else configure(state, kind)
    driver = bus.driver_for(state, key)
    before = (state.iomem, dict(state.nd), dict(state.media), dict(state.pgmaps), dict(state.dax))
    bus.unbind_store(state, driver, key.removeprefix("nd:"))
    assert not names(state)
    assert not state.pgmaps
    assert not state.altmaps
    assert not state.dax
    bus.bind_store(state, driver, key.removeprefix("nd:"))
    assert (state.iomem, dict(state.nd), dict(state.media), dict(state.pgmaps), dict(state.dax)) == before


@pytest.mark.parametrize("kind", KINDS)
def test_a_region_goes_and_comes_with_all_that_is_in_it(kind: str) -> None:
    state = region("6.1")
    if kind != "raw":
        configure(state, kind)
    media = dict(state.media)
    bus.unbind_store(state, "nd_region", "region0")
    assert set(state.nd) == {"ndbus0", "nmem0", "region0"}
    dev = region_of(state, "region0")
    assert (dev.ns_seed, dev.btt_seed, dev.pfn_seed, dev.dax_seed, dev.ns_active) == ("", "", "", "", 0)
    assert not names(state)
    assert not state.pgmaps
    bus.bind_store(state, "nd_region", "region0")
    assert state.media == media
    key = {"raw": "namespace0.0", "pfn": "pfn0.1", "dax": "nd:dax0.1", "btt": "btt0.1"}[kind]
    assert bound(state)[key] == ("dax_pmem" if kind == "dax" else "nd_pmem")


def test_undo_takes_a_whole_probe_back() -> None:
    state = region("6.1")
    mark, before = state.mark(), (state.iomem, dict(state.nd), dict(state.misc), dict(state.media))
    configure(state, "pfn")
    bus.unbind_store(state, "nd_region", "region0")
    bus.bind_store(state, "nd_region", "region0")
    state.undo(mark)
    assert (state.iomem, dict(state.nd), dict(state.misc), dict(state.media)) == before


# -- what stands in the way


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_range_that_somebody_has(version: str, kind: str) -> None:
    """The claim of a namespace that another driver is in: EBUSY; up to 5.4 nd_pmem makes ENXIO of it when it looks for info blocks."""
    state = region(version)
    key = "namespace0.0" if kind == "raw" else configure(state, kind, bind=False)
    if kind == "raw":
        bus.unbind_store(state, "nd_pmem", key)
    taken = Resource(4 * GIB + 512 * MIB, 4 * GIB + 513 * MIB - 1, "somebody", IORESOURCE_MEM | IORESOURCE_BUSY)
    state.iomem = insert_resource(state.iomem, taken)
    pages, tree = dict(state.pgmaps), state.iomem
    driver = "dax_pmem" if kind == "dax" else "nd_pmem"
    whole = old(version, (5, 5))
    if kind == "dax" and not whole:
        return  # test_a_dax_device_whose_data_is_taken_is_bound_without_a_driver
    with pytest.raises(Refusal) as refused:
        bus.probe(state, key)
    assert refused.value.errno == (6 if whole and kind != "dax" else 16)
    line = f"{driver} {key.removeprefix('nd:')}: could not reserve region [mem 0x100000000-0x13fffffff]"
    assert line in texts(state)
    assert state.iomem == tree
    assert state.pgmaps == pages
    assert not state.nd[key].driver
    assert not state.nd[key].devres


def test_a_dax_device_whose_data_is_taken_is_bound_without_a_driver() -> None:
    """Since 5.1 the dax device has a driver of its own: the nd device is bound whatever that says."""
    for version, binds in (("5.0", False), ("5.2", True), ("6.1", True)):
        state = region(version)
        configure(state, "dax", bind=False)
        taken = Resource(4 * GIB + 512 * MIB, 4 * GIB + 513 * MIB - 1, "somebody", IORESOURCE_MEM | IORESOURCE_BUSY)
        state.iomem = insert_resource(state.iomem, taken)
        answer = errno_of(bus.bind_store, state, "dax_pmem", "dax0.0")
        if old(version, (5, 5)):  # the whole namespace is claimed to read its info block
            assert answer == 19
            continue
        assert (answer == 0) == binds
        assert not state.dax["dax0.0"].driver


@pytest.mark.parametrize("version", VERSIONS)
def test_ten_namespaces_in_one_section(version: str) -> None:
    """The upstream unit test's core: from 5.3 on all ten; up to 5.2 the second has the first one's section in its way."""
    state = labelled(version, [(nr * 16 * MIB, 16 * MIB) for nr in range(8)])
    for nr in range(8):
        key = configure(state, "pfn", f"namespace0.{nr}", uuid=UUID.replace("ee3f", f"{nr:04x}"), bind=False)
        answer = errno_of(bus.bind_store, state, "nd_pmem", key)
        if nr and old(version, (5, 3)):
            assert answer == 19
            assert any("Conflicting mapping in same section" in line for line in texts(state))
            assert not state.nd[key].disk
            break
        assert answer == 0
        assert state.nd[key].disk == (f"pmem0.{nr}" if nr else "pmem0")
    else:
        for nr in range(8):
            bus.unbind_store(state, "nd_pmem", f"pfn0.{nr}")
        assert not state.pgmaps
        stale = state.kernel.features.removed_section_word_stale
        assert [nr for nr in state.sections if nr >= 32] == ([32] if stale else [])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("version", ["5.2", "5.10", "6.1", "7.2"])
def test_no_failed_allocation_leaves_anything_behind(version: str, kind: str) -> None:
    state = region(version)
    key = "namespace0.0" if kind == "raw" else configure(state, kind, bind=False)
    if kind == "raw":
        bus.unbind_store(state, "nd_pmem", key)
    mark = state.mark()
    nd, tree = dict(state.nd), state.iomem
    points: list[str] = []
    state.failing = lambda where: bool(points.append(where))
    bus.probe(state, key)
    state.undo(mark)
    assert len(points) > 3
    refused = 0
    for number in range(len(points)):
        left = [number]

        def fails(_: str, left: list[int] = left) -> bool:
            left[0] -= 1
            return left[0] < 0 and left[0] > -2

        state.failing = fails
        try:
            bus.probe(state, key)
        except Refusal:
            refused += 1
            assert dict(state.nd).keys() == nd.keys(), points[number]
            assert not state.nd[key].devres
            assert not state.pgmaps
            assert state.iomem == tree
        state.undo(mark)
    assert refused > 1
    state.failing = None
    bus.probe(state, key)


# -- devices of a region


def test_claims() -> None:
    state = labelled("6.1", [(0, 32 * MIB), (32 * MIB, 8 * MIB), (64 * MIB, 32 * MIB)])
    store = nd_namespace_store
    for text, errno in (
        ("nonsense", 22),
        (" namespace0.0", 22),
        ("namespace0.9", 19),
        ("namespace0.1", 6),
        ("namespace0.0\n", 0),
        ("namespace0.0", 16),
        ("namespace0.2", 16),
    ):
        assert errno_of(store, state, "pfn0.0", text) == errno, text
    assert namespace_of(state, "namespace0.0").claim == "pfn0.0"
    assert errno_of(store, state, "btt0.0", "namespace0.0") == 16
    store(state, "pfn0.0", "\n")  # the seed is reset
    assert namespace_of(state, "namespace0.0").claim == ""
    configure(state, "pfn")
    assert errno_of(store, state, "pfn0.0", "") == 16
    bus.unbind_store(state, "nd_pmem", "pfn0.0")
    store(state, "pfn0.0", "")  # no seed any more: gone
    assert "pfn0.0" not in state.nd
    assert region_of(state, "region0").pfn_seed == "pfn0.1"
    pfn_devs.nd_region_create_pfn_seed(state, "region0", "pfn")
    assert region_of(state, "region0").pfn_seed == "pfn0.0"  # the lowest free number


@pytest.mark.parametrize(("version", "follows"), [("5.10", False), ("6.1", True), ("7.2", True)])
def test_read_only(version: str, follows: bool) -> None:
    state = region(version)
    said = logged(state, read_only_store, state, "region0", "1")
    assert said == (["nd_pmem namespace0.0: region0 read-only, marking pmem0 read-only"] if follows else [])
    assert disk_read_only(state, "pmem0") == follows
    bus.unbind_store(state, "nd_pmem", "namespace0.0")
    assert not disk_read_only(state, "pmem0")
    bus.bind_store(state, "nd_pmem", "namespace0.0")
    assert "nd_pmem namespace0.0: region0 read-only, marking pmem0 read-only" in texts(state)
    said = logged(state, read_only_store, state, "region0", "0")
    assert said == (["nd_pmem namespace0.0: region0 read-write, marking pmem0 read-write"] if follows else [])
    assert disk_read_only(state, "pmem0") != follows


def test_two_regions_share_a_bus() -> None:
    state = region("6.1", size=64 * MIB)
    assert add_region(state, 4 * GIB + 64 * MIB, 64 * MIB, nr=1) == "region1"
    assert {"namespace0.0", "namespace1.0"} <= set(bound(state))
    bus.unbind_store(state, "nd_region", "region0")
    assert "namespace1.0" in bound(state)
    bus.nd_device_unregister(state, "region1")
    assert "region1" not in state.nd
    assert "namespace1.0" not in state.nd


def test_force_raw_and_an_unbound_namespace() -> None:
    state = region("6.1")
    configure(state, "pfn")
    bus.unbind_store(state, "nd_pmem", "pfn0.0")
    nd_namespace_store(state, "pfn0.0", "")
    put(state, namespace_of(state, "namespace0.0")._replace(force_raw=True))
    bus.bind_store(state, "nd_pmem", "namespace0.0")
    assert namespace_of(state, "namespace0.0").disk == "pmem0"
