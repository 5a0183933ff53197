"""Label areas and info blocks that are broken, half-written, foreign or old; beside a capture as files, and on the model."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from sparsemem.doctor import Diagnosis, diagnose, diagnose_machine
from sparsemem.kernel.nvdimm import label_area, media, pfn
from sparsemem.kernel.nvdimm.label_bytes import decode_index, encode_index
from sparsemem.machine.description import InfoBlockFact, LabelAreaFact
from sparsemem.readers import read_machine
from sparsemem.readers.model import read_model
from tests.doctor.played import cured, ids, play

if TYPE_CHECKING:
    from pathlib import Path

    from sparsemem.play.player import Player

BOARD = "{}; 1M-2G ram, 4G+4G pmem; nd_region 0x100000000-0x1ffffffff labels=1.2 ways=2"
MAKE = "ndctl create-namespace -m fsdax -s 1G -n data"


@pytest.fixture(scope="module")
def made() -> Player:
    return play(BOARD.format("6.1"), MAKE)


def judged(player: Player, areas: dict[str, bytes] | None = None, block: bytes | None = None) -> Diagnosis:
    """The machine as captured, with other bytes on its media."""
    description = read_model(player.machine)
    if areas is not None:
        description = replace(description, label_areas=tuple(LabelAreaFact(dimm, data) for dimm, data in areas.items()))
    if block is not None:
        description = replace(description, info_blocks=(InfoBlockFact("namespace0.0", block),))
    return diagnose(replace(description, arch="x86_64"))


def areas_of(player: Player) -> dict[str, bytes]:
    return {fact.dimm: fact.data for fact in read_model(player.machine).label_areas}


def patched(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


def test_what_the_model_wrote_is_whole(made: Player) -> None:
    found = diagnose_machine(made.machine)
    assert not {each.id for each in found.findings if each.check in ("label-areas", "label-sets", "info-blocks")}
    assert {check.state for check in found.checks if check.name in ("label-areas", "label-sets", "info-blocks")} == {
        "ran"
    }


def test_one_index_block_broken_and_both(made: Player) -> None:
    areas = areas_of(made)
    size = label_area.decode(areas["nmem0"]).index_size
    current = label_area.decode(areas["nmem0"]).current
    one = patched(areas["nmem0"], (1 - current) * size + 64, b"\xff" * 8)
    (spare,) = [each for each in judged(made, {**areas, "nmem0": one}).findings if each.check == "label-areas"]
    assert (spare.id, spare.severity) == ("label-index-spare-broken", "notice")
    assert spare.kernel_says == (
        f"nvdimm nmem0: nsindex{1 - current} checksum invalid",
    )  # the kernel's words, drivers/nvdimm/label.c
    both = patched(one, current * size, bytes(16))
    broken = [each for each in judged(made, {**areas, "nmem0": both}).findings if each.id == "label-index-broken"]
    assert {each.severity for each in broken} == {"error"}
    # and so it is: a kernel that boots with these bytes has no namespace left
    machine = made.machine
    assert label_area.decode(both).current == -1
    assert machine.state.nd["namespace0.0"].size == 1 << 30


def test_a_label_with_a_wrong_checksum(made: Player) -> None:
    areas = areas_of(made)
    area = label_area.decode(areas["nmem1"])
    slot = area.labels[0].slot
    torn = patched(areas["nmem1"], 2 * area.index_size + slot * 256 + 20, b"X")
    found = judged(made, {**areas, "nmem1": torn})
    (corrupt,) = [each for each in found.findings if each.id == "label-corrupt"]
    assert corrupt.kernel_says == (f"nvdimm nmem1: fail checksum. slot: {slot}",)
    (missing,) = [each for each in found.findings if each.id == "label-set-incomplete"]
    assert "position 1" in missing.what


def test_an_update_that_was_cut_between_two_dimms(made: Player) -> None:
    """tests/nvdimm/test_label_*: a power cut between the DIMMs of a set leaves labels that do not tell the same."""
    player = play(BOARD.format("6.1"), MAKE)
    before = areas_of(player)["nmem1"]
    answer = player.step("x", _script("ndctl destroy-namespace -f namespace0.0"))
    assert answer.exit_code == 0
    answer = player.step("x", _script("ndctl create-namespace -m fsdax -s 2G -n other"))
    assert answer.exit_code == 0
    assert "label-set-incomplete" in ids(judged(player, {**areas_of(player), "nmem1": before}))


def test_the_updating_flag_is_said_and_not_feared(made: Player) -> None:
    """Up to v5.0 it stays in every label; the kernel never reads it."""
    old = play("5.0; 1M-2G ram, 4G+4G pmem; nd_region 0x100000000-0x1ffffffff labels=1.2", MAKE, ndctl=64)
    assert "label-half-written" not in ids(diagnose_machine(old.machine))
    found = [each for each in judged(made, areas_of(old)).findings if each.id == "label-half-written"]
    assert [each.severity for each in found] == ["notice"]


def test_a_label_area_of_a_foreign_version(made: Player) -> None:
    areas = areas_of(made)
    area = label_area.decode(areas["nmem0"])
    data = areas["nmem0"]
    for number in (0, 1):
        block = data[number * area.index_size : (number + 1) * area.index_size]
        data = patched(data, number * area.index_size, encode_index(decode_index(block)._replace(major=2, minor=1)))
    foreign = [each for each in judged(made, {**areas, "nmem0": data}).findings if each.id == "label-foreign-version"]
    assert foreign
    assert "label version 2.1" in foreign[0].what


def test_info_blocks_for_other_pages(made: Player) -> None:
    """Made with pages of 64 KiB, and read with 4 KiB; the refusal is the model's own (nd_pfn_validate)."""
    (fact,) = read_model(made.machine).info_blocks
    other = pfn.encode(pfn.decode(fact.data)._replace(page_size=65536))
    (found,) = [each for each in judged(made, block=other).findings if each.id == "info-block-other-page-size"]
    assert found.errno == "EOPNOTSUPP"
    player = play(BOARD.format("6.1"), MAKE, "ndctl disable-namespace namespace0.0")
    media.write(player.machine.state, "region0", 4096, other)
    assert "info-block-other-page-size" in ids(diagnose_machine(player.machine))
    refused = player.step("x", _script("ndctl enable-namespace namespace0.0"))
    said = [line.text for line in refused.log]
    assert any("page size mismatch 65536" in line for line in said)
    assert "info-block-other-page-size" not in ids(cured(player, "info-block-other-page-size"))


def test_info_blocks_for_a_smaller_struct_page_and_a_torn_one(made: Player) -> None:
    (fact,) = read_model(made.machine).info_blocks
    small = pfn.encode(pfn.decode(fact.data)._replace(page_struct_size=32))
    (found,) = [each for each in judged(made, block=small).findings if each.id == "info-block-other-struct-page"]
    assert found.kernel_says[0].endswith("struct page size mismatch 32")
    assert "info-block-corrupt" in ids(judged(made, block=patched(fact.data, 60, b"\xff")))


def test_an_info_block_with_the_padding_of_an_old_kernel() -> None:
    """C01: the block that 4.18 wrote still pads 64 MiB under 6.1, until the namespace is made anew."""
    layout = "{}; 1M-2G ram, 1840000000-187bffffff ram, 187c000000-567bffffff pmem; nd_region 0x187c000000-0x567bffffff labels=1.1"
    old = play(layout.format("4.18"), "ndctl create-namespace -r region0", ndctl=63)
    description = read_model(old.machine)
    newer = [
        each for each in diagnose(replace(description, arch="x86_64"), "6.1").findings if each.id == "info-block-old"
    ]
    assert [each.capacity for each in newer] == [67108864]  # quoted: "truncate 67108864 bytes"
    assert "info-block-old" not in ids(diagnose_machine(old.machine))  # its own kernel does so on purpose
    again = play(layout.format("6.1"), "ndctl create-namespace -r region0")
    assert "info-block-old" not in ids(diagnose_machine(again.machine))


def test_files_beside_a_capture(made: Player, tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/iomem").write_text("00100000-7fffffff : System RAM\n100000000-1ffffffff : Persistent Memory\n")
    areas = areas_of(made)
    (tmp_path / "nmem0.labels").write_bytes(bytes(256) + areas["nmem0"][256:])
    (tmp_path / "nmem1.labels").write_bytes(b"")
    (block,) = read_model(made.machine).info_blocks
    (tmp_path / "namespace0.0.infoblock").write_bytes(bytes(4096) + patched(block.data, 60, b"\xff"))
    (tmp_path / "namespace0.1.infoblock").write_bytes(b"nothing")
    description = read_machine(tmp_path)
    assert [fact.dimm for fact in description.label_areas] == ["nmem0"]
    assert [len(fact.data) for fact in description.info_blocks] == [4096]
    assert {note.what for note in description.notes} >= {
        "an empty label area; not used",
        "no info block in its first 8 KiB; not used",
    }
    found = diagnose(description, "6.1")
    assert {"label-index-spare-broken", "info-block-corrupt"} <= ids(found)


def test_without_label_areas_the_checks_are_skipped(made: Player) -> None:
    bare = replace(read_model(made.machine), label_areas=(), info_blocks=(), arch="x86_64")
    skipped = {check.name: check.reason for check in diagnose(bare).skipped}
    assert skipped["label-areas"].startswith("no label area was captured")
    assert skipped["info-blocks"].startswith("no info block was captured")


def finding_ids(found: Diagnosis) -> list[str]:
    return [each.id for each in found.findings]


def _script(text: str):  # type: ignore[no-untyped-def]
    from sparsemem.play.shell import parse_step

    return parse_step(text)
