"""Which namespaces a region gets from its labels: what is passed over, what refuses the whole region, and how they are numbered."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from sparsemem.kernel.nvdimm import bus, label_area, namespace_devs
from sparsemem.kernel.nvdimm.core import nvdimm_of, put, region_of
from sparsemem.kernel.nvdimm.dimm import available_slots_show, flags_show, state_show
from sparsemem.kernel.nvdimm.interleave import acpi_nfit_init_interleave_set, qemu_member
from sparsemem.kernel.nvdimm.label_bytes import (
    LOCAL,
    PMEM_GUID,
    NsLabel,
    decode_index,
    encode_index,
    encode_label,
    sizeof_namespace_index,
)
from sparsemem.kernel.nvdimm.region_devs import nd_region_available_dpa, nd_region_interleave_set_cookie
from tests.nvdimm.board import errno_of, texts
from tests.nvdimm.labelled import (
    AREA,
    MIB,
    START,
    area,
    board,
    identity,
    labelled,
    make,
    namespaces,
    reboot,
    rescan,
    uuid,
)

KERNELS = ("4.19", "5.2", "5.10", "6.1", "6.12", "7.2")


@dataclass
class Spec:
    """A label to put on a DIMM: namespace ``number`` at DIMM byte ``dpa``."""

    number: int
    dpa: int
    size: int = 16 * MIB
    position: int = 0
    nlabel: int = 1
    cookie: int | None = None
    flags: int = 0
    type_guid: str = PMEM_GUID
    name: bytes = bytes(64)


def build(ways: int, *labels: Spec, version: str = "1.2", size: int = AREA) -> bytes:
    """A label area with these labels in slots 0, 1 and so on."""
    found = acpi_nfit_init_interleave_set([qemu_member(n, n * 4096) for n in range(ways)])
    cookie = found.cookie1 if version == "1.1" else found.cookie2
    label_size = 128 if version == "1.1" else 256
    raw = bytearray(label_area.fresh(size, version))
    block = sizeof_namespace_index(size, label_size)
    used = 0
    for slot, each in enumerate(labels):
        label = NsLabel(
            uuid(each.number), each.name, each.flags, each.nlabel, each.position,
            cookie if each.cookie is None else each.cookie, 512, each.dpa, each.size, slot, type_guid=each.type_guid,
        )  # fmt: skip
        data = encode_label(label, label_size)
        raw[2 * block + slot * label_size : 2 * block + (slot + 1) * label_size] = data
        used |= 1 << slot
    index = decode_index(bytes(raw[:block]))
    free = int.from_bytes(index.free, "little") & ~used
    raw[:block] = encode_index(index._replace(free=free.to_bytes(len(index.free), "little")))
    return bytes(raw)


def found(state: object) -> list[tuple[str, int, str]]:
    return [(each.name, each.start - START, each.uuid) for each in namespaces(state)]  # type: ignore[arg-type]


# -- numbering


@pytest.mark.parametrize("kernel", KERNELS)
def test_namespaces_are_numbered_by_their_addresses_lowest_byte_first(kernel: str) -> None:
    """``cmp_dpa`` compares with memcmp(): 0x1_00000000, 0x1_01000000, 0x1_02000000 come in that order only by luck."""
    places = (0, 16, 32, 240)
    state = board(kernel, [build(1, *(Spec(n, at * MIB) for n, at in enumerate(places)))])
    names = {each.start - START: each.name for each in namespaces(state)}
    ordered = sorted(places, key=lambda at: (START + at * MIB).to_bytes(8, "little"))
    assert names == {at * MIB: f"namespace0.{n}" for n, at in enumerate(ordered)}
    # 16 MiB steps differ in byte 3 only; the byte above decides nothing before it
    wide = board(kernel, [build(1, Spec(0, 0), Spec(1, 4096 * MIB), Spec(2, 16 * MIB))], size=8192 * MIB)
    assert found(wide) == [
        ("namespace0.0", 0, uuid(0)),
        ("namespace0.2", 16 * MIB, uuid(2)),
        ("namespace0.1", 4096 * MIB, uuid(1)),
    ]


def test_the_first_namespace_is_the_seed_until_it_is_bound() -> None:
    state = board("6.1", [build(1, Spec(0, 0), Spec(1, 16 * MIB))])
    region = region_of(state, "region0")
    assert region.ns_seed == "namespace0.2"
    assert (region.ns_active, region.ns_count) == (2, 2)
    assert found(state) == [("namespace0.0", 0, uuid(0)), ("namespace0.1", 16 * MIB, uuid(1))]
    empty = board("6.1", [build(1)])
    assert region_of(empty, "region0").ns_seed == "namespace0.0"
    assert namespaces(empty) == []


def test_a_seed_takes_the_lowest_free_number() -> None:
    state = labelled("6.1")
    names = [make(state, n, 16 * MIB) for n in range(3)]
    assert names == ["namespace0.0", "namespace0.1", "namespace0.2"]
    for name in names:
        bus.device_release_driver(state, name)
        namespace_devs.size_store(state, name, "0")
    assert [key for key in state.nd.children["region0"] if key.startswith("namespace")] == [
        "namespace0.0",
        "namespace0.3",
    ]  # fmt: skip  (number 0 and the seed stay)
    assert make(state, 4, 16 * MIB) == "namespace0.3"
    assert region_of(state, "region0").ns_seed == "namespace0.1"


# -- what is passed over


def test_labels_of_another_set_are_passed_over() -> None:
    state = board("6.1", [build(1, Spec(0, 0, cookie=7), Spec(1, 16 * MIB))])
    assert found(state) == [("namespace0.0", 16 * MIB, uuid(1))]
    # their bytes are taken all the same
    assert nd_region_available_dpa(state, region_of(state, "region0")) == (256 - 32) * MIB


def test_labels_outside_the_region_are_passed_over() -> None:
    state = board("6.1", [build(1, Spec(0, 0), Spec(1, 512 * MIB))], dpa=256 * MIB)
    assert found(state) == []
    assert nvdimm_of(state, "nmem0").busy == 1


@pytest.mark.parametrize(("kernel", "numbers"), [("5.10", [1]), ("6.1", [0, 1])])
def test_labels_of_block_windows(kernel: str, numbers: list[int]) -> None:
    state = board(kernel, [build(1, Spec(0, 0, flags=LOCAL), Spec(1, 16 * MIB))])
    assert [each.uuid for each in namespaces(state)] == [uuid(n) for n in numbers]


@pytest.mark.parametrize(("kernel", "numbers"), [("5.2", [1]), ("5.4", [0, 1])])
def test_a_label_that_is_not_page_aligned(kernel: str, numbers: list[int]) -> None:
    state = board(kernel, [build(1, Spec(0, 512, size=16 * MIB), Spec(1, 32 * MIB))])
    assert [each.uuid for each in namespaces(state)] == [uuid(n) for n in numbers]


def test_labels_of_the_old_sort_order_count() -> None:
    region = region_of(board("6.1", [build(2), build(2)]), "region0")
    assert region.cookie1 is not None
    areas = [build(2, Spec(0, 0, position=n, nlabel=2, cookie=99)) for n in (0, 1)]
    state = board("6.1", areas)
    assert found(state) == []
    bus.device_release_driver(state, "region0")
    put(state, region_of(state, "region0")._replace(altcookie=99))
    bus.probe(state, "region0")
    assert found(state) == [("namespace0.0", 0, uuid(0))]


# -- what refuses the region


def _refused(state: object, text: str) -> bool:
    region = region_of(state, "region0")  # type: ignore[arg-type]
    assert (region.driver, region.ns_seed, namespaces(state)) == ("", "", [])  # type: ignore[arg-type]
    assert all(not each.labels and not each.ndd for each in region.mappings)
    assert all(nvdimm_of(state, each.nvdimm).busy == 0 for each in region.mappings)  # type: ignore[arg-type]
    return not text or text in texts(state)  # type: ignore[arg-type]


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_label_missing_on_one_dimm(kernel: str) -> None:
    areas = [build(2, Spec(0, 0, nlabel=2), Spec(1, 16 * MIB, nlabel=2)), build(2, Spec(0, 0, nlabel=2, position=1))]
    assert _refused(board(kernel, areas), f"nd_region region0: nmem1 missing label for {uuid(1)}")


def test_a_label_at_the_wrong_position() -> None:
    areas = [build(2, Spec(0, 0, nlabel=2, position=n)) for n in (1, 0)]
    assert found(board("6.1", areas)) == [("namespace0.0", 0, uuid(0))]  # any DIMM may have any position
    areas = [build(2, Spec(0, 0, nlabel=2, position=0)) for _ in range(2)]
    assert _refused(board("6.1", areas), f"nd_region region0: nmem1 missing label for {uuid(0)}")


def test_a_label_of_a_set_of_another_size() -> None:
    assert _refused(
        board("6.1", [build(1, Spec(0, 0, nlabel=2))]), f"nd_region region0: nmem0 missing label for {uuid(0)}"
    )


def test_a_label_of_another_kind_of_memory() -> None:
    state = board("6.1", [build(1, Spec(0, 0, type_guid=uuid(9)))])
    assert _refused(state, f"nd_region region0: nmem0 missing label for {uuid(0)}")
    old = board("6.1", [build(1, Spec(0, 0, type_guid=uuid(9)), version="1.1")])  # which does not say
    assert found(old) == [("namespace0.0", 0, uuid(0))]


def test_two_labels_of_a_namespace_on_a_dimm() -> None:
    state = board("6.1", [build(1, Spec(0, 0), Spec(0, 16 * MIB))])
    assert _refused(state, f"nd_region region0: error: conflicting extents for uuid: {uuid(0)}")
    areas = [build(2, Spec(0, 0, nlabel=2)), build(2, Spec(0, 0, nlabel=3), Spec(0, 16 * MIB, nlabel=2, position=1))]
    assert _refused(board("6.1", areas), f"nd_region region0: nmem1 missing label for {uuid(0)}")


def test_a_label_that_reaches_beyond_its_mapping() -> None:
    assert _refused(board("6.1", [build(1, Spec(0, 240 * MIB, size=32 * MIB))]), "")
    assert found(board("6.1", [build(1, Spec(0, 240 * MIB))])) == [("namespace0.0", 240 * MIB, uuid(0))]


def test_two_labels_that_want_the_same_bytes() -> None:
    state = board("6.1", [build(1, Spec(0, 0), Spec(1, 8 * MIB))])
    dimm = nvdimm_of(state, "nmem0")
    assert (dimm.driver, dimm.ndd, dimm.labeling) == ("", None, False)
    assert any("failed" in text and "-16" in text for text in texts(state))
    # no label has been found: the region takes the DIMM for one without
    assert [(key, state.nd[key].type) for key in state.nd.children["region0"] if key.startswith("namespace")] == [
        ("namespace0.0", "io")
    ]
    assert errno_of(available_slots_show, state, "nmem0") == 6


# -- DIMMs


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_region_needs_its_labelled_dimms(kernel: str) -> None:
    state = labelled(kernel, 2)
    make(state, 0, 32 * MIB)
    bus.device_release_driver(state, "region0")
    assert state_show(state, "nmem0") == "idle\n"
    bus.device_release_driver(state, "nmem1")
    assert errno_of(bus.probe, state, "region0") == 6
    assert _refused(state, "nd_region region0: nmem1: is disabled, failing probe")
    bus.probe(state, "nmem1")
    bus.probe(state, "region0")
    assert [each.uuid for each in namespaces(state)] == [uuid(0)]
    assert state_show(state, "nmem0") == "active\n"


@pytest.mark.parametrize(("kernel", "busy"), [("5.2", 0), ("5.9", 0), ("5.13", 0), ("5.14", 1), ("7.2", 1)])
def test_a_disabled_dimm_without_labels(kernel: str, busy: int) -> None:
    state = board(kernel, [bytes(AREA), build(2)])
    bus.device_release_driver(state, "region0")
    bus.device_release_driver(state, "nmem0")
    bus.probe(state, "region0")
    assert nvdimm_of(state, "nmem1").busy == busy
    assert namespaces(state) == []


def test_a_locked_dimm() -> None:
    state = labelled("6.12")
    make(state, 0, 32 * MIB)
    bus.device_release_driver(state, "region0")
    bus.device_release_driver(state, "nmem0")
    put(state, nvdimm_of(state, "nmem0")._replace(capacity_locked=True))
    bus.probe(state, "nmem0")
    assert flags_show(state, "nmem0") == "label lock \n"
    bus.probe(state, "region0")
    [only] = namespaces(state)
    assert (only.uuid, only.driver) == (uuid(0), "")
    assert errno_of(bus.probe, state, only.name) == 13
    bus.device_release_driver(state, "region0")
    bus.device_release_driver(state, "nmem0")
    put(state, nvdimm_of(state, "nmem0")._replace(labels_locked=True))
    assert errno_of(bus.probe, state, "nmem0") == 13
    assert errno_of(bus.probe, state, "region0") == 6
    assert "nd_region region0: nmem0: is locked, failing probe" in texts(state)


@pytest.mark.parametrize(
    ("kernel", "flags"), [("5.2", "alias \n"), ("5.6", "alias \n"), ("5.10", "label \n"), ("6.1", "label \n")]
)
def test_what_a_dimm_s_flags_say(kernel: str, flags: str) -> None:
    assert flags_show(labelled(kernel), "nmem0") == flags
    assert flags_show(board(kernel, [bytes(AREA)]), "nmem0") == "\n"


def test_a_label_area_that_is_too_small() -> None:
    state = board("6.1", [bytes(512)])
    assert nvdimm_of(state, "nmem0").driver == ""
    assert "nvdimm nmem0: label area (512) too small to host (128 byte) labels" in texts(state)
    # as for a DIMM without labels, the region has one namespace that spans it
    [only] = namespaces(state)
    assert (only.type, only.size) == ("io", 256 * MIB)
    tight = board("6.1", [bytes(900)])
    assert texts(tight).count("nvdimm nmem0: label area (900) too small to host (256 byte) labels") == 2


def test_the_cookie_follows_the_labels() -> None:
    for version, number in (("1.1", 0), ("1.2", 1)):
        state = labelled("6.1", 1, version)
        region = region_of(state, "region0")
        assert nd_region_interleave_set_cookie(state, region) == (region.cookie1, region.cookie2)[number]


@pytest.mark.parametrize("version", ["1.1", "1.2"])
@pytest.mark.parametrize("ways", [1, 2, 3, 4])
def test_what_was_made_is_found_again(ways: int, version: str) -> None:
    state = labelled("6.12", ways, version, size=240 * MIB)
    for n in range(4):
        make(state, n, 48 * MIB, alt_name=f"name {n}", sector_size=("512", "4096")[n % 2])
    made = [identity(each) for each in namespaces(state)]
    rescan(state)
    assert [identity(each) for each in namespaces(state)] == made
    assert [identity(each) for each in namespaces(reboot(state, "6.12"))] == made


def test_labels_that_were_passed_over_are_not_the_region_s() -> None:
    state = board("6.1", [build(1, Spec(0, 0, cookie=7), Spec(1, 16 * MIB), Spec(2, 32 * MIB))])
    assert region_of(state, "region0").mappings[0].labels == (2, 1)  # the last one that was validated comes first
    for name in ("namespace0.0", "namespace0.1"):
        bus.device_release_driver(state, name)
        namespace_devs.size_store(state, name, "0")
    assert region_of(state, "region0").mappings[0].labels == ()
    [left] = label_area.decode(area(state)).labels
    assert left.uuid == uuid(0)
