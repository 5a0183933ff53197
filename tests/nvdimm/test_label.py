"""Labels as the kernel writes them: byte for byte what real kernels left on a DIMM, and what is there when the power fails between."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsemem.kernel.nvdimm import bus, label, label_area, media, namespace_devs
from sparsemem.kernel.nvdimm.core import nvdimm_of, put, region_of
from sparsemem.kernel.nvdimm.dimm import available_slots_show
from sparsemem.kernel.nvdimm.media import PowerCut
from sparsemem.kernel.refusal import Refusal
from tests.nvdimm.board import errno_of, texts
from tests.nvdimm.labelled import AREA, MIB, area, board, identity, labelled, make, namespaces, reboot, rescan, uuid

if TYPE_CHECKING:
    from collections.abc import Callable

    from sparsemem.kernel.state import State

DATA = Path(__file__).parent / "data"
KERNELS = ("4.19", "5.2", "5.6", "5.10", "6.1", "6.12", "7.2")
REAL_UUID = "11111111-2222-4333-8444-{:012d}".format


# -- the bytes of real kernels


def _create(state: State, number: int, size: int, name: str, sector: int, kind: str) -> str:
    """The writes of ``ndctl create-namespace`` that reach the labels, in its order."""
    seed = region_of(state, "region0").ns_seed
    namespace_devs.uuid_store(state, seed, REAL_UUID(number))
    namespace_devs.alt_name_store(state, seed, name)
    namespace_devs.size_store(state, seed, f"{size:#x}")
    namespace_devs.sector_size_store(state, seed, str(sector))
    namespace_devs.holder_class_store(state, seed, kind)
    bus.probe(state, seed)
    return seed


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_the_label_area_is_that_of_a_real_guest_after_every_command(version: str, kernel: str) -> None:
    def real(name: str) -> bytes:
        return (DATA / f"labels_v{version}_{name}.bin").read_bytes().ljust(2 << 20, b"\0")

    state = board(kernel, [label_area.fresh(2 << 20, version)])
    assert area(state) == real("0_init")
    _create(state, 1, 32 * MIB, "first", 512, "pfn")
    assert area(state) == real("1_fsdax")
    devdax = _create(state, 2, 32 * MIB, "", 512, "dax")
    _create(state, 3, 32 * MIB, "third", 4096, "btt")
    _create(state, 4, 16 * MIB, "", 512, "")
    assert area(state) == real("2_fsdax_devdax_sector_raw")
    bus.device_release_driver(state, devdax)
    namespace_devs.holder_class_store(state, devdax, "")
    namespace_devs.size_store(state, devdax, "0")
    assert area(state) == real("3_devdax_destroyed")
    _create(state, 5, 64 * MIB, "", 512, "pfn")
    assert area(state) == real("4_and_64M")
    kept = [each._replace(claim_class=each.claim_class if version == "1.2" else 0) for each in namespaces(state)]
    assert [identity(each) for each in namespaces(reboot(state, kernel))] == [identity(each) for each in kept]


def test_a_kernel_that_finds_no_index_blocks_writes_them() -> None:
    state = labelled("6.1")
    make(state, 1, 32 * MIB)
    region = region_of(state, "region0")
    dimm = nvdimm_of(state, "nmem0")
    media.write_label_area(state, "nmem0", 0, bytes(512))
    assert dimm.ndd is not None
    rescan(state)
    assert nvdimm_of(state, "nmem0").labeling  # until the next boot
    assert namespaces(state) == []
    make(state, 2, 16 * MIB)
    found, findings = label_area.audit(area(state))
    assert findings == ()
    assert [each.uuid for each in found.labels] == [uuid(2)]
    assert [each.seq for each in found.indexes] == [1, 3]
    assert found.label_size == 256
    assert region.align == 16 * MIB


# -- every write


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """The writes to label areas: (DIMM, what): "index1 seq 2", "slot 0", "slot 1 updating"."""
    seen: list[tuple[str, str]] = []
    real = media.write_label_area

    def spy(state: State, name: str, offset: int, data: bytes) -> None:
        if data.startswith(b"NAMESPACE_INDEX"):
            what = f"index{offset // 256} seq {data[20]}"
        else:
            what = f"slot {(offset - 512) // 256}" + (" updating" if len(data) > 80 and data[80] & 8 else "")
        seen.append((name, what))
        real(state, name, offset, data)

    monkeypatch.setattr(media, "write_label_area", spy)
    return seen


def test_labels_of_a_set_are_written_twice(writes: list[tuple[str, str]]) -> None:
    state = labelled("6.12", 2)
    seed = region_of(state, "region0").ns_seed
    writes.clear()
    namespace_devs.uuid_store(state, seed, uuid(1))
    assert writes == [("nmem0", "index1 seq 1"), ("nmem1", "index1 seq 1")]  # there was no label to delete
    writes.clear()
    namespace_devs.size_store(state, seed, f"{32 * MIB}")
    assert writes == [
        ("nmem0", "slot 0 updating"), ("nmem0", "index0 seq 2"),
        ("nmem1", "slot 0 updating"), ("nmem1", "index0 seq 2"),
        ("nmem0", "slot 1"), ("nmem0", "index1 seq 3"),
        ("nmem1", "slot 1"), ("nmem1", "index1 seq 3"),
    ]  # fmt: skip
    writes.clear()
    namespace_devs.size_store(state, seed, "0")
    assert writes == [("nmem0", "index0 seq 1"), ("nmem1", "index0 seq 1")]


def test_up_to_5_0_labels_stay_marked_as_being_updated(writes: list[tuple[str, str]]) -> None:
    state = labelled("5.0")
    seed = region_of(state, "region0").ns_seed
    namespace_devs.uuid_store(state, seed, uuid(1))
    writes.clear()
    namespace_devs.size_store(state, seed, f"{32 * MIB}")
    assert writes == [("nmem0", "slot 0 updating"), ("nmem0", "index0 seq 2")]
    assert [each.kind for each in label_area.audit(area(state))[1]] == ["updating"]
    assert [each.uuid for each in namespaces(reboot(state, "5.0"))] == [uuid(1)]


def test_a_namespace_without_a_uuid_writes_nothing(writes: list[tuple[str, str]]) -> None:
    state = labelled("6.12")
    writes.clear()
    namespace_devs.alt_name_store(state, "namespace0.0", "name")
    namespace_devs.sector_size_store(state, "namespace0.0", "512")
    assert writes == []


def test_a_write_is_cut_into_what_the_dimm_takes(writes: list[tuple[str, str]]) -> None:
    state = labelled("6.12")
    put(state, nvdimm_of(state, "nmem0")._replace(max_xfer=128))
    writes.clear()
    label.nvdimm_set_config_data(state, "nmem0", 0, bytes(300))
    assert len(writes) == 3
    with pytest.raises(Refusal, match="ENXIO"):
        label.nvdimm_set_config_data(state, "nmem0", AREA - 100, bytes(101))


def test_slots_run_out() -> None:
    state = board("6.1", [label_area.fresh(512 + 3 * 256)])
    assert available_slots_show(state, "nmem0") == "2\n"
    make(state, 1, 16 * MIB)
    make(state, 2, 16 * MIB)
    assert available_slots_show(state, "nmem0") == "0\n"
    seed = region_of(state, "region0").ns_seed
    namespace_devs.uuid_store(state, seed, uuid(3))
    # the last slot is for the label that is being updated, and there is none for the one that clears the flag
    assert errno_of(namespace_devs.size_store, state, seed, f"{16 * MIB}") == 6
    assert available_slots_show(state, "nmem0") == "0\n"
    assert "nvdimm nmem0: we ate our last label?" in texts(state)


# -- power


def _attempt(state: State, change: str, name: str) -> None:
    ways = region_of(state, "region0").ndr_mappings
    if change == "grow":
        namespace_devs.size_store(state, name, f"{64 * MIB * ways}")
    elif change == "shrink":
        namespace_devs.size_store(state, name, f"{16 * MIB * ways}")
    elif change == "delete":
        namespace_devs.size_store(state, name, "0")
    elif change == "uuid":
        namespace_devs.uuid_store(state, name, uuid(99))
    elif change == "alt_name":
        namespace_devs.alt_name_store(state, name, "after")
    elif change == "holder_class":
        namespace_devs.holder_class_store(state, name, "dax")
    elif change == "sector_size":
        namespace_devs.sector_size_store(state, name, "4096")
    else:
        namespace_devs.uuid_store(state, name, uuid(7))
        namespace_devs.size_store(state, name, f"{32 * MIB * ways}")


CHANGES = ("grow", "shrink", "delete", "uuid", "alt_name", "holder_class", "sector_size", "create")


def _cuts(
    kernel: str, ways: int, version: str, change: str, torn: int, before: int = 1
) -> list[tuple[State, object, object]]:
    """(the machine after the power failed, what was there before, what would be there after), for a cut at every write."""
    state = labelled(kernel, ways, version)
    make(state, 0, 16 * MIB * ways)
    name = make(state, 1, 32 * MIB * ways)
    bus.device_release_driver(state, name)
    for _ in range(before):
        namespace_devs.alt_name_store(state, name, "before")
    if change == "create":
        name = region_of(state, "region0").ns_seed
    old = [identity(each) for each in namespaces(reboot(state, kernel))]
    mark = state.mark()
    _attempt(state, change, name)
    new = [identity(each) for each in namespaces(reboot(state, kernel))]
    found = []
    for writes in range(100):
        state.undo(mark)
        media.cut_power(state, writes, torn)
        try:
            _attempt(state, change, name)
        except PowerCut:
            found.append((reboot(state, kernel), old, new))
        else:
            return found
    raise AssertionError("no end")


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("version", ["1.1", "1.2"])
@settings(deadline=None, max_examples=5)
@given(torn=st.integers(0, 256), before=st.integers(0, 3))
def test_the_old_or_the_new_namespace_is_there_whenever_the_power_fails(
    version: str, change: str, torn: int, before: int
) -> None:
    cuts = _cuts("6.1", 1, version, change, torn, before)
    assert cuts
    seen = []
    for state, old, new in cuts:
        found = [identity(each) for each in namespaces(state)]
        assert found in (old, new)
        seen.append(found == new)
        for each in label_area.audit(area(state))[1]:
            assert each.kind in ("updating", "checksum", "labelsize", "sequence", "signature"), each
    assert seen == sorted(seen), "once the new one is there it stays"


@pytest.mark.parametrize("change", ["uuid", "alt_name", "holder_class", "sector_size", "delete"])
def test_a_set_of_dimms_keeps_its_neighbours_whenever_the_power_fails(change: str) -> None:
    """What is not torn apart by a cut between two DIMMs: everything but the size (and the label of a new namespace)."""
    for state, old, new in _cuts("6.1", 2, "1.2", change, 0):
        assert isinstance(old, list)
        assert isinstance(new, list)
        found = [identity(each) for each in namespaces(state)]
        if change == "uuid" and not found:
            # nmem0 has the new uuid, nmem1 the old one: the kernel takes neither, nor the namespace beside it
            assert "nmem1 missing label" in " ".join(texts(state))
            continue
        assert found in (old, new)


@pytest.mark.parametrize("change", ["grow", "shrink", "create"])
def test_what_a_cut_between_two_dimms_does_to_a_set(change: str) -> None:
    """The kernel never looks at the UPDATING flag: with labels of two sizes it adds them up, with one missing it takes none of them."""
    outcomes = set()
    for state, old, new in _cuts("6.1", 2, "1.2", change, 0):
        found = [identity(each) for each in namespaces(state)]
        refused = any("missing label" in text for text in texts(state))
        outcomes.add("old" if found == old else "new" if found == new else "refused" if refused else "mixed")
        assert not (refused and found)
    assert outcomes == ({"old", "new", "refused"} if change == "create" else {"old", "new", "mixed"})


# -- memory


def _points(state: State, call: Callable[..., object], *args: object) -> list[str]:
    """The allocation points that a call passes."""
    seen: list[str] = []
    mark = state.mark()
    state.failing = lambda where: bool(seen.append(where))
    errno_of(call, *args)
    state.failing = None
    state.undo(mark)
    return seen


def _fail(state: State, number: int, call: Callable[..., object], *args: object) -> int:
    """The errno when the allocation with this number fails."""
    seen: list[str] = []
    state.failing = lambda where: seen.append(where) or len(seen) == number + 1  # type: ignore[func-returns-value]
    errno = errno_of(call, *args)
    state.failing = None
    return errno


@pytest.mark.parametrize("ways", [1, 2])
@pytest.mark.parametrize("change", CHANGES)
def test_an_allocation_fails_while_labels_are_changed(change: str, ways: int) -> None:
    state = labelled("6.12", ways)
    make(state, 0, 16 * MIB * ways)
    name = make(state, 1, 32 * MIB * ways)
    bus.device_release_driver(state, name)
    if change == "create":
        name = region_of(state, "region0").ns_seed
    before = [identity(each) for each in namespaces(state)]
    mark = state.mark()
    points = _points(state, _attempt, state, change, name)
    assert points
    _attempt(state, change, name)
    after = [identity(each) for each in namespaces(reboot(state, "6.12"))]
    state.undo(mark)
    for number, where in enumerate(points):
        errno = _fail(state, number, _attempt, state, change, name)
        assert errno == (6 if where == "nvdimm_allocate_dpa" else 12), where
        if ways == 1:
            assert [identity(each) for each in namespaces(reboot(state, "6.12"))] in (before, after)
        state.undo(mark)
    assert [identity(each) for each in namespaces(state)] == before


def test_a_bug_an_index_block_that_could_not_be_written_is_counted() -> None:
    """``nd_label_write_index`` changes the staged sequence number before it writes: after the next update the older block is the
    newer one, and a deleted namespace comes back with the next boot."""
    state = labelled("6.12")
    name = make(state, 0, 32 * MIB)
    bus.device_release_driver(state, name)
    old = [identity(each) for each in namespaces(state)]
    assert _points(state, namespace_devs.size_store, state, name, "0") == ["nvdimm_set_config_data"]
    assert _fail(state, 0, namespace_devs.size_store, state, name, "0") == 12
    assert (namespaces(state), namespace_devs.uuid_show(state, name)) == ([], uuid(0) + "\n")
    namespace_devs.size_store(state, name, "0")
    assert namespace_devs.uuid_show(state, name) == "\n"
    assert [identity(each) for each in namespaces(reboot(state, "6.12"))] == old


def test_a_bug_a_label_whose_index_block_could_not_be_written_is_forgotten() -> None:
    """Its slot stays taken, and the next update takes another one: then two labels name the same bytes."""
    state = labelled("6.12")
    name = make(state, 0, 32 * MIB)
    bus.device_release_driver(state, name)
    points = _points(state, namespace_devs.alt_name_store, state, name, "one")
    assert points == ["__alt_name_store", *["nvdimm_set_config_data"] * 4]
    assert _fail(state, 2, namespace_devs.alt_name_store, state, name, "one") == 12
    assert namespace_devs.alt_name_show(state, name) == "one\n"
    assert namespaces(reboot(state, "6.12"))[0].alt_name == ""
    for _ in range(2):
        namespace_devs.sector_size_store(state, name, "4096")
    assert "overlap" in [each.kind for each in label_area.audit(area(state))[1]]
    again = reboot(state, "6.12")
    assert (nvdimm_of(again, "nmem0").driver, region_of(again, "region0").driver) == ("", "nd_region")
    assert [each.type for each in namespaces(again)] == ["io"]
