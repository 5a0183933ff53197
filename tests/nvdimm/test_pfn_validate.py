"""nd_pfn_validate: what each kernel makes of a block that is good, broken, or good and of no use to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sparsemem.kernel.nvdimm import bus, pfn, pfn_devs
from sparsemem.kernel.nvdimm.claim import nvdimm_read_bytes, nvdimm_write_bytes
from sparsemem.kernel.nvdimm.core import namespace_of, pfn_of, put, region_of
from sparsemem.kernel.refusal import Refusal
from tests.nvdimm.board import GIB, MIB, UUID, configure, errno_of, logged, region, texts

if TYPE_CHECKING:
    from sparsemem.kernel.state import State

VERSIONS = ("4.19", "5.2", "5.3", "5.4", "5.6", "5.7", "5.10", "6.1", "6.6", "6.12", "7.2")
GOOD = pfn.NdPfnSb(
    pfn.PFN_SIG, UUID, "", dataoff=18 * MIB, npfns=257536, mode=2, align=2 * MIB, page_size=4096, page_struct_size=64
)


def board(version: str, size: int = GIB, **changes: Any) -> State:
    """A label-less namespace, unbound, with this block on it."""
    state = region(version, size=size)
    bus.unbind_store(state, "nd_pmem", "namespace0.0")
    nvdimm_write_bytes(state, namespace_of(state, "namespace0.0"), 4096, pfn.encode(GOOD._replace(**changes)))
    return state


def probed(state: State) -> tuple[int, list[str], str]:
    """What binding the namespace answers, what it says, and which device is bound then."""
    before = len(state.lines)
    answer = errno_of(bus.bind_store, state, "nd_pmem", "namespace0.0")
    lines = [line.text for line in state.lines[before:] if line.level != "debug"]
    said = [line for line in lines if "detected" not in line and " initialised" not in line]
    return answer, said, next((key for key, dev in state.nd.items() if getattr(dev, "disk", "")), "")


def claimed(version: str) -> int:
    """What bind answers for a namespace that a pfn device has taken."""
    return 6 if version in ("6.1", "6.6", "6.12", "7.2") else 19


@pytest.mark.parametrize("version", VERSIONS)
def test_a_good_block_is_honoured(version: str) -> None:
    assert probed(board(version)) == (claimed(version), [], "pfn0.1")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "changes",
    [{"signature": b"NVDIMM_PFN_INFX\0"}, {"parent_uuid": UUID}, {"mode": 0}, {"mode": 3}],
    ids=["signature", "parent", "mode 0", "mode 3"],
)
def test_what_is_no_block_for_this_kernel_leaves_the_namespace_raw(version: str, changes: dict[str, Any]) -> None:
    state = board(version, **changes)
    before = nvdimm_read_bytes(state, namespace_of(state, "namespace0.0"), 4096, 4096)
    assert probed(state) == (0, [], "namespace0.0")
    assert nvdimm_read_bytes(state, namespace_of(state, "namespace0.0"), 4096, 4096) == before


# what is wrong, the words, and since when it is looked at
UNUSABLE: list[tuple[dict[str, Any], str, str]] = [
    ({"align": 2 << 30}, "alignment: 80000000 exceeds capacity 40000000", "always"),
    ({"dataoff": GIB}, "pfn array size exceeds capacity of namespace0.0", "always"),
    ({"dataoff": 17 * MIB}, "bad offset: 0x1100000 dax disabled align: 0x200000", "always"),
    ({"dataoff": 18 * MIB + 512, "align": 512}, "bad offset: 0x1200200 dax disabled align: 0x200", "always"),
    ({"page_size": 65536}, "init failed, page size mismatch 65536", "5.4"),
    ({"page_struct_size": 32}, "init failed, struct page size mismatch 32", "5.4"),
    ({"start_pad": MIB, "align": 4096}, "resource start misaligned", "5.7"),
    ({"end_trunc": MIB, "align": 4096}, "resource end misaligned", "5.7"),
    ({"end_trunc": GIB - 18 * MIB}, "bad offset with small namespace", "6.6"),
]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("changes", "words", "since"), UNUSABLE, ids=[each[1] for each in UNUSABLE])
def test_a_good_block_that_is_of_no_use(version: str, changes: dict[str, Any], words: str, since: str) -> None:
    def number(text: str) -> tuple[int, ...]:
        return tuple(int(each) for each in text.split("."))

    state = board(version, **changes)
    answer, said, bound = probed(state)
    if since != "always" and number(version) < number(since):
        assert not any(words in line for line in said)
        return
    assert f" pfn0.1: {words}" in said
    raw = number(version) < (5, 4) or (number(version) < (5, 7) and since == "always")
    if raw:  # bug 32: the block is open to be overwritten
        assert (answer, bound) == (0, "namespace0.0")
        return
    assert (answer, bound) == (95 if claimed(version) == 6 else 19, "")
    if number(version) >= (6, 11):
        assert said[-1] == "nd_pmem namespace0.0: probe with driver nd_pmem failed with error -95"
    else:
        assert said[-1] == "nd_pmem: probe of namespace0.0 failed with error -95"


def test_devdax_needs_an_alignment_that_the_kernel_maps() -> None:
    for version, refused in (("5.3", False), ("5.4", True), ("7.2", True)):
        state = board(version, signature=pfn.DAX_SIG, dataoff=18 * MIB, align=8192)
        said = probed(state)[1]
        assert (" dax0.1: init failed, alignment mismatch: 2097152:8192" in said) == refused, version
        state = board(version, dataoff=18 * MIB, align=8192)
        assert probed(state)[2] == "pfn0.1"  # fsdax does not care


@pytest.mark.parametrize("minor", range(5))
def test_fields_newer_than_the_blocks_minor_version_are_not_read(minor: int) -> None:
    old = {
        "version_minor": minor,
        "start_pad": 7,
        "end_trunc": 9,
        "align": 3,
        "page_size": 1 << 20,
        "page_struct_size": 1,
    }
    for version in ("5.2", "6.1"):
        changes = {name: value for name, value in old.items() if name == "version_minor" or minor < _since(name)}
        state = board(version, dataoff=32 * MIB, **changes)
        assert probed(state)[::2] == (claimed(version), "pfn0.1")
        dev = pfn_of(state, "pfn0.1")
        assert dev.layout is not None
        assert (dev.layout.start_pad, dev.layout.end_trunc) == (0, 0)
        assert dev.align == (
            32 * MIB if minor < 2 else 2 * MIB
        )  # without the field: the largest power of two up to dataoff


def _since(name: str) -> int:
    return {"start_pad": 1, "end_trunc": 1, "align": 2, "page_size": 4, "page_struct_size": 4}[name]


@pytest.mark.parametrize("version", ["5.2", "6.1", "7.2"])
def test_every_single_bit_flip_is_refused(version: str) -> None:
    state = board(version)
    key = configure(state, "pfn", bind=False)
    ndns = namespace_of(state, "namespace0.0")
    good = pfn.encode(GOOD)
    step = 1 if version == "6.1" else 61
    for bit in range(0, 4096 * 8, step):
        flipped = bytearray(good)
        flipped[bit >> 3] ^= 1 << (bit & 7)
        nvdimm_write_bytes(state, ndns, 4096, bytes(flipped))
        with pytest.raises(Refusal) as refused:
            pfn_devs.nd_pfn_validate(state, key)
        assert refused.value.errno == 19, bit
    nvdimm_write_bytes(state, ndns, 4096, good)
    assert pfn_devs.nd_pfn_validate(state, key).dataoff == GOOD.dataoff
    assert texts(state)[-1:] != ["nd pfn0.0: init failed, settings mismatch"]


def test_a_flipped_block_leaves_a_raw_namespace_and_is_not_overwritten() -> None:
    for bit in (0, 130, 900, 8000, 32767):
        state = board("6.1")
        ndns = namespace_of(state, "namespace0.0")
        flipped = bytearray(nvdimm_read_bytes(state, ndns, 4096, 4096))
        flipped[bit >> 3] ^= 1 << (bit & 7)
        nvdimm_write_bytes(state, ndns, 4096, bytes(flipped))
        assert probed(state) == (0, [], "namespace0.0")
        assert nvdimm_read_bytes(state, ndns, 4096, 4096) == bytes(flipped)


def test_the_stated_settings_must_be_those_on_the_medium() -> None:
    for version, errno in (("5.2", 22), ("5.6", 22), ("5.7", 95), ("7.2", 95)):
        state = board(version)
        key = configure(state, "pfn", align=4096, bind=False)
        put(state, pfn_of(state, key)._replace(driver="nd_pmem"))
        with pytest.raises(Refusal) as refused:
            pfn_devs.nd_pfn_validate(state, key)
        assert refused.value.errno == errno
        assert refused.value.log == ("nd_pmem pfn0.0: init failed, settings mismatch",)
        state = board(version)
        configure(state, "pfn", uuid=UUID.replace("8", "9"))  # a new uuid: the device writes a block of its own
        assert pfn.decode(
            nvdimm_read_bytes(state, namespace_of(state, "namespace0.0"), 4096, 4096)
        ).uuid == UUID.replace("8", "9")


def test_a_read_only_region_gets_no_new_block() -> None:
    state = region("6.1")
    put(state, region_of(state, "region0")._replace(ro=True))
    configure(state, "pfn", bind=False)
    assert logged(state, bus.bind_store, state, "nd_pmem", "pfn0.0") == [
        "nd_pmem pfn0.0: region0 is read-only, unable to init metadata"
    ]
    assert not any(nvdimm_read_bytes(state, namespace_of(state, "namespace0.0"), 4096, 4096))


def test_the_modes_written_in_many_ways() -> None:
    state = region("6.1")
    for text, mode in (
        ("pmem\n", "pmem"),
        ("pmem", "pmem"),
        ("ram", "ram"),
        ("none\n", "none"),
        ("ra", "ram"),
        ("x", "pmem"),
    ):
        pfn_devs.mode_store(state, "pfn0.0", text)
        assert pfn_of(state, "pfn0.0").mode == mode, text
    for text in ("bad\n", "ramx\n", "pmems\n"):
        assert errno_of(pfn_devs.mode_store, state, "pfn0.0", text) == 22
    bus.unbind_store(state, "nd_pmem", "namespace0.0")
    configure(state, "pfn")
    for store, text in (
        (pfn_devs.mode_store, "ram\n"),
        (pfn_devs.align_store, "4096"),
        (pfn_devs.uuid_store, UUID),
    ):
        assert errno_of(store, state, "pfn0.0", text) == 16
    assert pfn_devs.size_show(state, "pfn0.0") == f"{1006 * MIB}\n"
    assert pfn_devs.resource_show(state, "pfn0.0") == f"{4 * GIB + 18 * MIB:#x}\n"
    bus.unbind_store(state, "nd_pmem", "pfn0.0")
    assert errno_of(pfn_devs.size_show, state, "pfn0.0") == errno_of(pfn_devs.resource_show, state, "pfn0.0") == 6
    assert errno_of(pfn_devs.align_store, state, "pfn0.0", "12345") == 22
