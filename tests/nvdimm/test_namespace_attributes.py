"""The attributes of a namespace: every errno, and what is left in the state and in the labels by a store that is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sparsemem.kernel.nvdimm import bus, label_area, namespace_devs
from sparsemem.kernel.nvdimm.core import namespace_of, nvdimm_of, put, region_of, uuid_parse
from sparsemem.kernel.nvdimm.namespace_attributes import nstype_show, numa_node_show, target_node_show
from sparsemem.kernel.nvdimm.region_devs import align_store, nd_region_allocatable_dpa, nd_region_available_dpa
from sparsemem.kernel.nvdimm.types import CCLASS_UNKNOWN
from sparsemem.kernel.refusal import Refusal
from tests.nvdimm.board import configure, errno_of, region, texts
from tests.nvdimm.labelled import AREA, GIB, MIB, START, area, board, identity, labelled, make, namespaces, reboot, uuid

if TYPE_CHECKING:
    from sparsemem.kernel.state import State

KERNELS = ("4.19", "5.2", "5.4", "5.10", "6.1", "6.12", "7.2")
EIO, ENXIO, ENODEV, EBUSY, EINVAL, ENOSPC, ERANGE = 5, 6, 19, 16, 22, 28, 34
SEED = "namespace0.0"


# -- size


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_size_needs_a_uuid_first(kernel: str) -> None:
    state = labelled(kernel)
    assert errno_of(namespace_devs.size_store, state, SEED, "16777216") == ENXIO
    assert errno_of(namespace_devs.size_store, state, SEED, "x") == EINVAL
    assert errno_of(namespace_devs.size_store, state, SEED, "-1") == EINVAL
    assert errno_of(namespace_devs.size_store, state, SEED, f"{1 << 64:#x}") == ERANGE
    namespace_devs.uuid_store(state, SEED, uuid(0))
    namespace_devs.size_store(state, SEED, "16777216\n")
    assert namespace_devs.size_show(state, SEED) == "16777216\n"


@pytest.mark.parametrize(
    ("kernel", "ways", "unit"),
    [
        ("4.19", 1, 4096), ("5.3", 2, 8192), ("5.4", 2, 8192), ("5.6", 3, 3 * 4096),
        ("5.7", 1, 16 * MIB), ("5.10", 3, 48 * MIB), ("6.1", 4, 16 * MIB), ("7.2", 3, 48 * MIB),
    ],
)  # fmt: skip
def test_what_a_size_must_be_a_multiple_of(kernel: str, ways: int, unit: int) -> None:
    state = labelled(kernel, ways, size=240 * MIB)
    namespace_devs.uuid_store(state, SEED, uuid(0))
    assert errno_of(namespace_devs.size_store, state, SEED, str(unit // 2)) == EINVAL
    assert errno_of(namespace_devs.size_store, state, SEED, str(unit + 512)) == EINVAL
    namespace_devs.size_store(state, SEED, str(unit))
    assert namespace_of(state, SEED).size == unit
    assert [each.rawsize for each in label_area.decode(area(state)).labels] == [unit // ways]


def test_an_align_of_4_gib_makes_the_kernel_divide_by_zero() -> None:
    state = labelled("6.1", size=8 * GIB)
    namespace_devs.uuid_store(state, SEED, uuid(0))
    align_store(state, "region0", str(4 * GIB))
    with pytest.raises(Refusal) as refused:
        namespace_devs.size_store(state, SEED, str(4 * GIB))
    assert refused.value.crash


@pytest.mark.parametrize("kernel", KERNELS)
def test_space_is_given_from_the_lowest_address(kernel: str) -> None:
    state = labelled(kernel, 2)
    for n in range(3):
        make(state, n, 32 * MIB)
    assert [each.start - START for each in namespaces(state)] == [0, 32 * MIB, 64 * MIB]
    free = region_of(state, "region0")
    assert nd_region_available_dpa(state, free) == 512 * MIB - 96 * MIB
    bus.device_release_driver(state, "namespace0.1")
    namespace_devs.size_store(state, "namespace0.1", "0")
    assert nd_region_available_dpa(state, region_of(state, "region0")) == 512 * MIB - 64 * MIB
    assert nd_region_allocatable_dpa(state, region_of(state, "region0")) == 512 * MIB - 96 * MIB
    make(state, 4, 64 * MIB)
    make(state, 5, 16 * MIB)
    assert [(each.uuid, each.start - START) for each in namespaces(state)] == [
        (uuid(0), 0), (uuid(5), 32 * MIB), (uuid(2), 64 * MIB), (uuid(4), 96 * MIB),
    ]  # fmt: skip


def test_more_than_there_is() -> None:
    state = labelled("6.1")
    namespace_devs.uuid_store(state, SEED, uuid(0))
    before = area(state)
    assert errno_of(namespace_devs.size_store, state, SEED, f"{272 * MIB}") == ENOSPC
    assert area(state) == before
    namespace_devs.size_store(state, SEED, f"{256 * MIB}")
    assert nd_region_available_dpa(state, region_of(state, "region0")) == 0
    assert nd_region_allocatable_dpa(state, region_of(state, "region0")) == 0


def _three(kernel: str) -> State:
    """Three namespaces of 32 MiB side by side, unbound, and 160 MiB free behind them."""
    state = labelled(kernel)
    for n in range(3):
        bus.device_release_driver(state, make(state, n, 32 * MIB))
    return state


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_namespace_grows_where_it_is_or_not_at_all(kernel: str) -> None:
    state = _three(kernel)
    # the largest free extent and its own size would do, but the next namespace is in the way
    assert errno_of(namespace_devs.size_store, state, SEED, f"{48 * MIB}") == ENXIO
    assert "nd_region region0: allocation underrun: 0x0 of 0x1000000 bytes" in texts(state)
    assert namespace_of(state, SEED).size == 32 * MIB
    namespace_devs.size_store(state, "namespace0.2", f"{64 * MIB}")
    assert [(each.start - START, each.size) for each in namespaces(state)] == [
        (0, 32 * MIB), (32 * MIB, 32 * MIB), (64 * MIB, 64 * MIB),
    ]  # fmt: skip
    namespace_devs.size_store(state, "namespace0.1", "0")
    namespace_devs.size_store(state, SEED, f"{48 * MIB}")
    assert [(each.start - START, each.size) for each in namespaces(state)] == [
        (0, 48 * MIB), (64 * MIB, 64 * MIB),
    ]  # fmt: skip
    # downwards only from the top of the gap
    namespace_devs.size_store(state, "namespace0.2", f"{80 * MIB}")
    assert [(each.start - START, each.size) for each in namespaces(state)] == [
        (0, 48 * MIB), (48 * MIB, 80 * MIB),
    ]  # fmt: skip


def test_a_bug_a_namespace_that_cannot_grow_takes_the_start_of_the_region() -> None:
    """``init_dpa_allocation`` asks only whether the start is free: the namespace then has two extents and one label, and its
    addresses are those of the namespaces between."""
    state = _three("6.1")
    bus.device_release_driver(state, make(state, 3, 160 * MIB))
    namespace_devs.size_store(state, SEED, "0")
    namespace_devs.size_store(state, "namespace0.2", f"{48 * MIB}")
    assert namespace_devs.dpa_extents_show(state, "namespace0.2") == "2\n"
    taken = namespace_of(state, "namespace0.2")
    assert (taken.start, taken.size) == (START, 48 * MIB)
    assert (START + 32 * MIB, 32 * MIB) in [(each.start, each.size) for each in namespaces(state)]
    kept = {each.uuid: (each.dpa, each.rawsize) for each in label_area.decode(area(state)).labels}
    assert kept[uuid(2)] == (0, 16 * MIB)  # the data of the first 32 MiB are lost with the next boot


def test_size_zero_deletes() -> None:
    state = labelled("6.1")
    first = labelled("6.1")
    names = [make(state, n, 32 * MIB) for n in range(2)]
    for name in names:
        assert errno_of(namespace_devs.size_store, state, name, "0") == EBUSY
        bus.device_release_driver(state, name)
        namespace_devs.size_store(state, name, "0\n")
    assert names == ["namespace0.0", "namespace0.1"]
    assert "namespace0.1" not in state.nd
    zero = namespace_of(state, "namespace0.0")
    assert (zero.size, zero.uuid, namespace_devs.dpa_extents_show(state, "namespace0.0")) == (0, "", "0\n")
    assert errno_of(namespace_devs.resource_show, state, "namespace0.0") == ENXIO
    assert region_of(state, "region0").mappings == region_of(first, "region0").mappings
    found, findings = label_area.audit(area(state))
    assert (found.labels, findings) == ((), ())
    # what is left: the sequence number, the older index block, and labels in free slots
    fresh = label_area.decode(area(first))
    assert found.indexes[found.current].free == fresh.indexes[0].free


def test_a_claimed_or_bound_namespace_keeps_its_attributes() -> None:
    state = labelled("6.1")
    name = make(state, 0, 32 * MIB)
    stores = {
        "size_store": f"{16 * MIB}", "uuid_store": uuid(9), "alt_name_store": "x",
        "sector_size_store": "512", "holder_class_store": "pfn",
    }  # fmt: skip
    before = area(state)
    for store, text in stores.items():
        assert errno_of(getattr(namespace_devs, store), state, name, text) == EBUSY, store
    configure(state, "pfn", name)
    for store, text in stores.items():
        assert errno_of(getattr(namespace_devs, store), state, name, text) == EBUSY, store
    assert area(state) == before
    namespace_devs.force_raw_store(state, name, "1")  # nobody asks
    assert namespace_devs.force_raw_show(state, name) == "1\n"


# -- uuid


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_uuid_is_its_namespace_s_own(kernel: str) -> None:
    state = labelled(kernel)
    make(state, 0, 32 * MIB)
    seed = region_of(state, "region0").ns_seed
    assert errno_of(namespace_devs.uuid_store, state, seed, "nope") == EINVAL
    assert errno_of(namespace_devs.uuid_store, state, seed, uuid(0)) == EINVAL
    namespace_devs.uuid_store(state, seed, uuid(1).upper() + "\n")
    assert namespace_devs.uuid_show(state, seed) == uuid(1) + "\n"
    assert errno_of(namespace_devs.uuid_store, state, seed, uuid(1)) == EINVAL  # its own is taken, too


def test_pfn_and_btt_devices_count_and_dax_devices_do_not() -> None:
    state = labelled("6.1")
    for kind, number in (("btt", 1), ("pfn", 2), ("dax", 3)):
        configure(state, kind, make(state, 10 + number, 32 * MIB), uuid=uuid(number))
    seed = region_of(state, "region0").ns_seed
    assert errno_of(namespace_devs.uuid_store, state, seed, uuid(1)) == EINVAL
    assert errno_of(namespace_devs.uuid_store, state, seed, uuid(2)) == EINVAL
    assert errno_of(namespace_devs.uuid_store, state, seed, uuid(3)) == 0


@pytest.mark.parametrize("kernel", KERNELS)
def test_another_uuid(kernel: str) -> None:
    state = labelled(kernel)
    namespace_devs.uuid_store(state, SEED, uuid(0))
    # the region has no label yet, so the kernel thinks that this uuid is in one
    assert errno_of(namespace_devs.uuid_store, state, SEED, uuid(1)) == EBUSY
    namespace_devs.size_store(state, SEED, f"{32 * MIB}")
    namespace_devs.uuid_store(state, SEED, uuid(1))
    found, findings = label_area.audit(area(state))
    assert ([each.uuid for each in found.labels], findings) == ([uuid(1)], ())
    assert region_of(state, "region0").reaped == frozenset()
    assert [identity(each) for each in namespaces(reboot(state, kernel))] == [identity(namespace_of(state, SEED))]


@pytest.mark.parametrize(("kernel", "errno"), [("5.0", ENXIO), ("5.1", ENXIO), ("5.2", 0), ("4.19", 0)])
def test_a_bug_the_label_of_the_former_uuid_stays(kernel: str, errno: int) -> None:
    """Linux kernel commit c4703ce11c23 ("libnvdimm/namespace: Fix label tracking error") (in v5.2)."""
    state = labelled(kernel)
    name = make(state, 0, 32 * MIB)
    bus.device_release_driver(state, name)
    assert errno_of(namespace_devs.uuid_store, state, name, uuid(1)) == errno
    assert any("nd namespace0.0: failed to track label" in text for text in texts(state)) == bool(errno)
    again = reboot(state, kernel)
    assert (nvdimm_of(again, "nmem0").driver == "") == bool(errno)
    assert [each.uuid for each in namespaces(again) if each.uuid] == ([] if errno else [uuid(1)])


@pytest.mark.parametrize(("kernel", "errno"), [("4.19", 0), ("5.10", 0), ("5.15", 0), ("6.1", EINVAL), ("7.2", EINVAL)])
def test_the_forms_of_a_uuid(kernel: str, errno: int) -> None:
    state = labelled(kernel)
    for text in (
        uuid(1).replace("-", ""),
        uuid(1).replace("-", ":"),
        ":".join(uuid(1).replace("-", "")[n : n + 2] for n in range(0, 32, 2)),
    ):
        mark = state.mark()
        assert errno_of(namespace_devs.uuid_store, state, SEED, text) == errno
        assert errno or namespace_of(state, SEED).uuid == uuid(1)
        state.undo(mark)
    assert uuid_parse(uuid(1) + "-and-more") == uuid(1)
    for text in ("", uuid(1)[:-1], "g" + uuid(1)[1:]):
        assert errno_of(namespace_devs.uuid_store, state, SEED, text) == EINVAL


# -- alt_name, sector_size


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("name\n", "name"),
        ("  two words \t\n", "two words"),
        ("", ""),
        ("a\0b", "a"),
        ("x" * 63, "x" * 63),
        ("  " + "x" * 63 + "\n", "x" * 63),
        ("\u00fc", "\u00fc"),
        ("caf\u00e0", b"caf\xc3".decode("utf-8", "surrogateescape")),  # its last byte is a no-break space in Latin-1
    ],
)
def test_what_a_name_may_be(written: str, kept: str) -> None:
    state = labelled("6.1")
    name = make(state, 0, 32 * MIB)
    bus.device_release_driver(state, name)
    namespace_devs.alt_name_store(state, name, written)
    assert namespace_devs.alt_name_show(state, name) == kept + "\n"
    assert label_area.decode(area(state)).labels[0].text == kept
    assert namespaces(reboot(state, "6.1"))[0].alt_name == kept


def test_a_name_of_64_bytes_is_too_long() -> None:
    state = labelled("6.1")
    assert errno_of(namespace_devs.alt_name_store, state, SEED, "x" * 64) == EINVAL
    assert errno_of(namespace_devs.alt_name_store, state, SEED, "\u00fc" * 32) == EINVAL


@pytest.mark.parametrize("kernel", KERNELS)
def test_sector_sizes(kernel: str) -> None:
    state = labelled(kernel)
    assert namespace_devs.sector_size_show(state, SEED) == "512 4096 \n"
    for text, errno in (("777", EINVAL), ("x", EINVAL), ("520", EINVAL), ("4096", 0), ("0x200", 0)):
        assert errno_of(namespace_devs.sector_size_store, state, SEED, text) == errno
    assert namespace_devs.sector_size_show(state, SEED) == "[512] 4096 \n"


# -- holder_class, mode, the rest


@pytest.mark.parametrize(("version", "guid"), [("1.1", ""), ("1.2", "18633bfc-1735-4217-8ac9-17239282d3f8")])
def test_the_class_of_a_btt_follows_the_labels(version: str, guid: str) -> None:
    state = labelled("6.1", 1, version)
    name = make(state, 0, 32 * MIB, holder_class="btt")
    assert namespace_devs.holder_class_show(state, name) == "btt\n"
    [label] = label_area.decode(area(state)).labels
    assert label.abstraction_guid == (guid or label.type_guid)
    again = namespaces(reboot(state, "6.1"))[0]
    assert (again.claim_class != 0) == (version == "1.2")


@pytest.mark.parametrize(("kernel", "errno"), [("5.2", 0), ("5.4", 0), ("5.5", ENXIO), ("6.1", ENXIO)])
def test_dimms_with_labels_of_two_versions(kernel: str, errno: int) -> None:
    state = board(kernel, [label_area.fresh(AREA, "1.1"), label_area.fresh(AREA, "1.2")])
    assert errno_of(namespace_devs.holder_class_store, state, SEED, "btt") == errno
    assert (namespace_of(state, SEED).claim_class == CCLASS_UNKNOWN) == (not errno)
    assert namespace_devs.holder_class_show(state, SEED) == ("\n" if errno else "<unknown>\n")


def test_the_words_of_holder_class() -> None:
    state = labelled("6.1")
    for word in ("pfn", "dax", "btt", ""):
        namespace_devs.holder_class_store(state, SEED, f"{word}\n")
        assert namespace_devs.holder_class_show(state, SEED) == f"{word}\n"
    for word in ("zz", "pfn ", "btt\n\n"):
        assert errno_of(namespace_devs.holder_class_store, state, SEED, word) == EINVAL


def test_a_label_less_namespace() -> None:
    state = region("6.1")
    assert (namespace_of(state, SEED).type, nstype_show(state, SEED)) == ("io", "4\n")
    bus.device_release_driver(state, SEED)
    for name in ("uuid", "alt_name", "sector_size"):
        assert errno_of(getattr(namespace_devs, f"{name}_store"), state, SEED, "512") == ENXIO
        assert errno_of(getattr(namespace_devs, f"{name}_show"), state, SEED) == ENXIO
    assert errno_of(namespace_devs.size_store, state, SEED, "0") == ENXIO
    assert errno_of(namespace_devs.holder_class_store, state, SEED, "pfn") == ENXIO
    assert namespace_devs.holder_class_show(state, SEED) == "pfn\n"  # it is taken before the labels are looked for
    assert namespace_devs.resource_show(state, SEED) == "0x100000000\n"


@pytest.mark.parametrize(("kind", "mode"), [("btt", "safe"), ("pfn", "memory"), ("dax", "dax")])
def test_modes(kind: str, mode: str) -> None:
    state = labelled("6.1")
    name = make(state, 0, 32 * MIB)
    assert namespace_devs.mode_show(state, name) == "raw\n"
    assert namespace_devs.holder_show(state, name) == "\n"
    key = configure(state, kind, name)
    assert namespace_devs.mode_show(state, name) == f"{mode}\n"
    assert namespace_devs.holder_show(state, name) == key.removeprefix("nd:") + "\n"
    assert (nstype_show(state, name), numa_node_show(state, name), target_node_show(state, name)) == (
        "5\n",
        "0\n",
        "0\n",
    )
    assert namespace_devs.dpa_extents_show(state, name) == "1\n"


@pytest.mark.parametrize(("kernel", "forced"), [("5.0", "memory"), ("4.19", "raw"), ("5.1", "raw"), ("6.1", "raw")])
def test_a_raw_namespace_with_pages_is_in_memory_mode(kernel: str, forced: str) -> None:
    state = region(kernel, start=4 * GIB, size=GIB, pagemap=True)
    assert namespace_devs.mode_show(state, SEED) == "memory\n"
    namespace_devs.force_raw_store(state, SEED, "on")
    assert namespace_devs.mode_show(state, SEED) == f"{forced}\n"
    for text, errno in (("2", EINVAL), ("", EINVAL), ("off", 0), ("Yes", 0), ("0\n", 0)):
        assert errno_of(namespace_devs.force_raw_store, state, SEED, text) == errno


# -- common_probe


@pytest.mark.parametrize(("kernel", "refused"), [("5.6", False), ("5.10", True), ("7.2", True)])
def test_a_raw_namespace_with_pages_must_be_aligned(kernel: str, refused: bool) -> None:
    state = region(kernel, start=4 * GIB + MIB, size=63 * MIB, pagemap=True)
    words = "nd_pmem namespace0.0: [mem 0x100100000-0x103ffffff flags 0x200] misaligned, unable to map"
    assert (words in texts(state)) == refused
    assert errno_of(namespace_devs.nvdimm_namespace_common_probe, state, SEED) == (95 if refused else 0)


def test_what_every_driver_asks_first() -> None:
    probe = namespace_devs.nvdimm_namespace_common_probe
    state = labelled("6.1")
    assert errno_of(probe, state, SEED) == ENODEV  # no size
    assert errno_of(probe, state, region_of(state, "region0").pfn_seed) == ENODEV  # no namespace
    name = make(state, 0, 32 * MIB)
    assert probe(state, name).uuid == uuid(0)
    bus.device_release_driver(state, name)
    key = configure(state, "pfn", name, bind=False)
    assert errno_of(probe, state, name) == ENXIO  # claimed
    assert probe(state, key).name == name
    put(state, namespace_of(state, name)._replace(driver="nd_pmem"))
    assert errno_of(probe, state, key) == EBUSY
    put(state, namespace_of(state, name)._replace(driver="", claim="btt0.0"))
    assert errno_of(probe, state, key) == ENXIO
    put(state, namespace_of(state, name)._replace(claim=key, uuid=""))
    assert errno_of(probe, state, key) == ENODEV
    put(state, nvdimm_of(state, "nmem0")._replace(locked=True))
    assert errno_of(probe, state, key) == 13


def test_disabling_a_dimm_under_an_active_region() -> None:
    state = labelled("6.1")
    name = make(state, 0, 32 * MIB)
    bus.device_release_driver(state, name)
    bus.device_release_driver(state, "nmem0")  # sysfs lets it happen; ndctl does not
    assert errno_of(namespace_devs.size_store, state, name, "0") == ENXIO
    assert nd_region_available_dpa(state, region_of(state, "region0")) == 0
    with pytest.raises(Refusal) as refused:
        namespace_devs.alt_name_store(state, name, "x")
    assert refused.value.crash


def test_the_seed_outlives_its_size() -> None:
    state = labelled("6.1")
    make(state, 0, 32 * MIB)
    seed = region_of(state, "region0").ns_seed
    namespace_devs.uuid_store(state, seed, uuid(1))
    namespace_devs.size_store(state, seed, f"{32 * MIB}")
    namespace_devs.size_store(state, seed, "0")
    assert (namespace_of(state, seed).size, namespace_of(state, seed).uuid) == (0, "")
    assert region_of(state, "region0").ns_seed == seed
