"""Label areas as bytes: against areas read from real DIMMs, by round trip, and every single-bit flip of a valid one.

``data/labels_*.bin``: QEMU DIMMs with 2 MiB of label area after ``ndctl init-labels`` and the commands in their names; the same bytes
from Linux 6.1 and 7.2 (the zeros behind them are cut off).
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparsemem.kernel.nvdimm import label_area
from sparsemem.kernel.nvdimm.interleave import SetMember, acpi_nfit_init_interleave_set, qemu_member
from sparsemem.kernel.nvdimm.label_bytes import (
    PMEM_GUID,
    NsIndex,
    NsLabel,
    best_seq,
    decode_index,
    decode_label,
    encode_index,
    encode_label,
    free_slots,
    index_problem,
    label_problem,
    nd_fletcher64,
    nd_inc_seq,
    nd_label_validate,
    nvdimm_num_label_slots,
    sizeof_namespace_index,
)

DATA = Path(__file__).parent / "data"
REAL = sorted(path.stem for path in DATA.glob("labels_*.bin"))
AREA = 2 << 20
COOKIES = {"1.1": 0x2468AC00123456, "1.2": 0xBA90120012B4DC}
UUID = "11111111-2222-4333-8444-{:012d}".format


def real(name: str) -> bytes:
    return (DATA / f"{name}.bin").read_bytes().ljust(AREA, b"\0")


# -- geometry


@pytest.mark.parametrize(
    ("size", "label_size", "slots", "index"),
    [
        (128 << 10, 128, 1020, 256),
        (128 << 10, 256, 510, 256),
        (2 << 20, 128, 16348, 2304),
        (2 << 20, 256, 8182, 1280),
        (1024, 256, 2, 256),
        (1023, 256, 1, 0),
        (768, 128, 2, 256),
        (767, 128, 1, 0),
        (0, 128, 0, 0),
    ],
)
def test_room_for_labels(size: int, label_size: int, slots: int, index: int) -> None:
    assert nvdimm_num_label_slots(size, label_size) == slots
    assert sizeof_namespace_index(size, label_size) == index


def test_sequence_numbers_go_round() -> None:
    assert [nd_inc_seq(n) for n in (0, 1, 2, 3)] == [0, 2, 3, 1]
    table = {(a, b): best_seq(a, b) for a in range(4) for b in range(4)}
    assert {pair: best for pair, best in table.items() if 0 not in pair} == {
        (1, 1): 1, (1, 2): 2, (1, 3): 1, (2, 1): 2, (2, 2): 2, (2, 3): 3, (3, 1): 1, (3, 2): 3, (3, 3): 3,
    }  # fmt: skip
    assert all(best_seq(0, n) == n == best_seq(n, 0) for n in range(4))


def naive_fletcher64(data: bytes) -> int:
    low, high = 0, 0
    for at in range(0, len(data) - 3, 4):
        low = (low + int.from_bytes(data[at : at + 4], "little")) % (1 << 32)
        high = (high + low) % (1 << 64)
    return (high << 32) % (1 << 64) | low


@given(st.binary(max_size=700))
def test_fletcher64_is_the_sum_of_sums(data: bytes) -> None:
    assert nd_fletcher64(data) == naive_fletcher64(data)


# -- real areas


@pytest.mark.parametrize("name", REAL)
def test_a_real_area_is_clean_and_comes_back_identical(name: str) -> None:
    raw = real(name)
    area, findings = label_area.audit(raw)
    assert findings == ()
    assert area.encode() == raw
    version = name[8:11]
    assert area.label_size == (128 if version == "1.1" else 256)
    for index in area.indexes:
        assert encode_index(index) == encode_index(index, checksum=False)
        assert (index.major, index.minor) == (1, int(version[-1]))
    for label in area.labels:
        assert encode_label(label, area.label_size) == encode_label(label, area.label_size, checksum=False)
        assert label.isetcookie == COOKIES[version]
        assert label.type_guid == (PMEM_GUID if version == "1.2" else str(label.type_guid))


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_what_real_labels_say(version: str) -> None:
    area = label_area.decode(real(f"labels_v{version}_2_fsdax_devdax_sector_raw"))
    mib = 1 << 20
    assert [(each.uuid, each.text, each.lbasize, each.dpa, each.rawsize) for each in area.labels] == [
        (UUID(1), "first", 512, 0, 32 * mib),
        (UUID(2), "", 512, 32 * mib, 32 * mib),
        (UUID(3), "third", 4096, 64 * mib, 32 * mib),
        (UUID(4), "", 512, 96 * mib, 16 * mib),
    ]
    kinds = [each.abstraction_guid[:8] for each in area.labels]
    assert kinds == (["266400ba", "97a86d9c", "18633bfc", "00000000"] if version == "1.2" else ["00000000"] * 4)
    assert [(each.slot, each.flags, each.nlabel, each.position) for each in area.labels] == [
        (slot, 0, 1, 0) for slot in (1, 2, 3, 4)
    ]
    assert area.slots[0].flags == 8  # the label that the one in slot 4 replaced


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_a_fresh_area_is_that_of_ndctl(version: str) -> None:
    assert label_area.fresh(AREA, version) == real(f"labels_v{version}_0_init")


def test_the_cookies_are_those_of_the_guest_s_dimm() -> None:
    found = acpi_nfit_init_interleave_set([qemu_member(0)])
    assert (found.cookie1, found.cookie2, found.altcookie) == (COOKIES["1.1"], COOKIES["1.2"], COOKIES["1.1"])
    assert found.position == (0,)
    assert acpi_nfit_init_interleave_set([qemu_member(1)]).cookie1 == 0x2468AE00123457
    assert acpi_nfit_init_interleave_set([qemu_member(2)]).cookie1 == 0x2468B000123458


def test_a_set_is_sorted_by_where_its_dimms_begin() -> None:
    members = [SetMember(4096 * (3 - n), 100 + n) for n in range(3)]
    found = acpi_nfit_init_interleave_set(members)
    assert found.position == (2, 1, 0)
    turned = acpi_nfit_init_interleave_set(members[::-1])
    assert (found.cookie1, found.cookie2) == (turned.cookie1, turned.cookie2)
    assert found.altcookie == found.cookie1
    wide = [SetMember(each, each) for each in (0x100, 0x1)]
    assert acpi_nfit_init_interleave_set(wide).altcookie != acpi_nfit_init_interleave_set(wide).cookie1


# -- round trips

UUIDS = st.uuids().map(str)
U16, U32, U64 = (st.integers(0, (1 << bits) - 1) for bits in (16, 32, 64))
LABELS = st.builds(
    NsLabel,
    uuid=UUIDS,
    name=st.binary(min_size=64, max_size=64),
    flags=U32,
    nlabel=U16,
    position=U16,
    isetcookie=U64,
    lbasize=U64,
    dpa=U64,
    rawsize=U64,
    slot=U32,
    align=st.integers(0, 255),
    reserved=st.binary(min_size=3, max_size=3),
    type_guid=UUIDS,
    abstraction_guid=UUIDS,
    reserved2=st.binary(min_size=88, max_size=88),
    checksum=U64,
)


@given(LABELS)
def test_a_label_comes_back(label: NsLabel) -> None:
    raw = encode_label(label, checksum=False)
    assert len(raw) == 256
    assert decode_label(raw) == label
    sealed = encode_label(label)
    assert label_problem(sealed, label.slot) == ""
    assert label_problem(sealed, (label.slot + 1) % (1 << 32)) != ""
    short = encode_label(label, 128)
    assert short == raw[:128]
    assert encode_label(decode_label(short), 128) == short


@given(st.binary(min_size=256, max_size=256))
def test_any_bytes_are_a_label_of_some_kind(raw: bytes) -> None:
    assert encode_label(decode_label(raw), checksum=False) == raw
    assert encode_label(decode_label(raw[:128]), 128) == raw[:128]


@given(st.binary(min_size=256, max_size=512))
def test_any_bytes_are_an_index_block_of_some_kind(raw: bytes) -> None:
    assert encode_index(decode_index(raw), checksum=False) == raw


@given(st.binary(min_size=1024, max_size=3000))
def test_an_audit_takes_any_area_and_changes_nothing(raw: bytes) -> None:
    area, _ = label_area.audit(raw)
    assert area.encode() == raw
    assert area.current == nd_label_validate(raw)[0]


def test_a_small_area_is_none() -> None:
    with pytest.raises(ValueError, match="too small"):
        label_area.decode(bytes(767))
    with pytest.raises(ValueError, match="no label area"):
        label_area.fresh(1000)


# -- damage

SMALL = 4096


def _small(version: str = "1.2") -> bytearray:
    """An area with two labels in force, in slots 0 and 2."""
    raw = bytearray(label_area.fresh(SMALL, version))
    label_size, size = (128, 256) if version == "1.1" else (256, 256)
    for slot, number in ((0, 1), (2, 2)):
        label = NsLabel(UUID(number), bytes(64), 0, 1, 0, 7, 512, number << 24, 1 << 24, slot)
        label = label._replace(type_guid=PMEM_GUID) if version == "1.2" else label._replace(checksum=None)
        raw[2 * size + slot * label_size : 2 * size + (slot + 1) * label_size] = encode_label(label, label_size)
    index = decode_index(bytes(raw[size : 2 * size]))
    free = int.from_bytes(index.free, "little") & ~0b101
    index = index._replace(seq=1, free=free.to_bytes(len(index.free), "little"))
    raw[size : 2 * size] = encode_index(index)
    return raw


def _put_index(raw: bytearray, number: int, **changes: object) -> bytes:
    index = decode_index(bytes(raw[number * 256 : number * 256 + 256]))
    raw[number * 256 : number * 256 + 256] = encode_index(index._replace(**changes))  # type: ignore[arg-type]
    return bytes(raw)


def _put_label(raw: bytearray, place: int, **changes: object) -> bytes:
    at = 512 + place * 256
    label = decode_label(bytes(raw[at : at + 256]))._replace(**changes)  # type: ignore[arg-type]
    raw[at : at + 256] = encode_label(label)
    return bytes(raw)


def test_the_area_that_is_damaged_below_is_whole() -> None:
    area, findings = label_area.audit(bytes(_small()))
    assert (area.current, findings, [each.slot for each in area.labels]) == (1, (), [0, 2])


def test_one_flipped_bit_of_an_index_block_and_the_other_one_counts() -> None:
    for bit in range(256 * 8):
        raw = _small()
        raw[256 + bit // 8] ^= 1 << bit % 8
        current, _, problems = nd_label_validate(bytes(raw))
        assert current == 0
        assert any(text.startswith("nsindex1") for text in problems)
        area, findings = label_area.audit(bytes(raw))
        assert area.encode() == raw
        assert any(each.where == "index1" for each in findings)


def test_one_flipped_bit_of_a_label_and_it_is_ignored() -> None:
    for bit in range(256 * 8):
        raw = _small()
        raw[512 + bit // 8] ^= 1 << bit % 8
        area, findings = label_area.audit(bytes(raw))
        assert [each.slot for each in area.labels] == [2]
        assert [(each.where, each.offset) for each in findings] == [("slot 0", 512)]
        assert area.encode() == raw


def test_a_label_of_version_1_1_has_no_checksum() -> None:
    raw = _small("1.1")
    raw[512 + 0x68] ^= 1
    assert [each.dpa for each in label_area.decode(bytes(raw)).labels] == [(1 << 24) + 1, 2 << 24]
    raw[512 + 0x78] ^= 1
    assert [each.dpa for each in label_area.decode(bytes(raw)).labels] == [2 << 24]


def test_an_index_block_of_version_1_2_may_have_short_labels() -> None:
    raw = _put_index(_small(), 1, labelsize=0)
    assert nd_label_validate(raw)[:2] == (1, 128)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sig": b"NAMESPACE_INDEY\0"}, "nsindex1 signature invalid"),
        ({"labelsize": 2}, "nsindex1 labelsize: 2 invalid"),
        ({"seq": 4}, "nsindex1 sequence: 0x4 invalid"),
        ({"seq": 0}, "nsindex1 sequence: 0x0 invalid"),
        ({"myoff": 0}, "nsindex1 myoff: 0x0 invalid"),
        ({"otheroff": 256}, "nsindex1 otheroff: 0x100 invalid"),
        ({"labeloff": 768}, "nsindex1 labeloff: 0x300 invalid"),
        ({"mysize": 71}, "nsindex1 mysize: 0x47 invalid"),
        ({"mysize": 257}, "nsindex1 mysize: 0x101 invalid"),
        ({"nslot": 15}, "nsindex1 nslot: 15 invalid, config_size: 0x1000"),
        ({"nslot": 0x1000000}, "nsindex1 nslot: 16777216 invalid, config_size: 0x1000"),
    ],
)
def test_what_makes_an_index_block_invalid(changes: dict[str, object], words: str) -> None:
    raw = _put_index(_small(), 1, **changes)
    assert index_problem(raw, 1, 256) == words
    assert nd_label_validate(raw)[0] == 0


def test_older_kernels_look_less_closely() -> None:
    far = _put_index(_small(), 1, labeloff=768)
    assert nd_label_validate(far, labeloff_checked=False)[0] == 1
    wrapping = _put_index(_small(), 1, nslot=0x1000000)
    assert nd_label_validate(wrapping, labelsize_checked=False)[0] == 1
    shifted = _put_index(_small(), 1, labelsize=33)
    assert nd_label_validate(shifted, labelsize_checked=False)[0] == 1
    assert nd_label_validate(shifted)[0] == 0


@pytest.mark.parametrize(
    ("slot", "changes", "kind"),
    [
        (0, {"flags": 8}, "updating"),
        (0, {"position": 1}, "position"),
        (0, {"abstraction_guid": UUID(9)}, "abstraction"),
        (0, {"rawsize": 0}, "extent"),
        (0, {"dpa": (1 << 64) - 4096}, "extent"),
        (2, {"uuid": UUID(1)}, "uuid-twice"),
        (2, {"dpa": (1 << 24) + 4096}, "overlap"),
        (2, {"slot": 3}, "label-slot"),
    ],
)
def test_what_an_audit_finds_in_labels(slot: int, changes: dict[str, object], kind: str) -> None:
    area, findings = label_area.audit(_put_label(_small(), slot, **changes))
    assert [each.kind for each in findings] == [kind]
    assert findings[0].where == f"slot {slot}"
    assert 512 + slot * 256 <= findings[0].offset < 768 + slot * 256
    assert area.current == 1


@pytest.mark.parametrize(
    ("changes", "kinds"),
    [
        ({"seq": 3}, ["sequence-equal"]),
        ({"major": 2}, ["version"]),
        ({"minor": 3}, ["version"]),
        ({"nslot": 13}, ["nslot"]),
        ({"free": bytes(183) + b"\1"}, ["bitmap", "label-slot"]),
        ({"sig": bytes(16)}, ["signature"]),
    ],
)
def test_what_an_audit_finds_in_index_blocks(changes: dict[str, object], kinds: list[str]) -> None:
    _, findings = label_area.audit(_put_index(_small(), 1, **changes))
    assert [each.kind for each in findings][: len(kinds)] == kinds


def test_a_used_slot_without_a_label_is_found() -> None:
    index = decode_index(bytes(_small()[256:512]))
    free = (free_slots(index) & ~0b10).to_bytes(len(index.free), "little")
    _, findings = label_area.audit(_put_index(_small(), 1, free=free))
    assert [(each.kind, each.where) for each in findings] == [("label-slot", "slot 1")]


def test_every_finding_has_its_words() -> None:
    raw = _put_label(_small(), 2, uuid=UUID(1), dpa=(1 << 24) + 4096, flags=8)
    for each in label_area.audit(raw)[1]:
        assert re.fullmatch(r"[a-z-]+", each.kind)
        assert each.text
    assert isinstance(decode_index(raw[:256]), NsIndex)
