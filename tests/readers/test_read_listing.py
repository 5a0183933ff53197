"""A listing of ndctl alone, as people paste it into a report. The numbers are those of https://github.com/pmem/ndctl/issues/162,
/200 and /208."""

from __future__ import annotations

import json

import pytest

from sparsemem.doctor import diagnose
from sparsemem.errors import InputError
from sparsemem.machine.build import build
from sparsemem.play.player import Player
from sparsemem.play.shell import parse_step
from sparsemem.ranges import Range
from sparsemem.readers import MemorySource, read_machine, read_text
from sparsemem.readers.listing import check_whole
from sparsemem.readers.source import Entry
from sparsemem.units import GIB, MIB

OPTANE = 270582939648
"""A region of 252 GiB, and what a namespace of all of it offers (#162)."""
OFFERED = 266352984064


def region(number: int, size: int, free: int, **more: object) -> dict[str, object]:
    return {"dev": f"region{number}", "size": size, "available_size": free, "type": "pmem", "iset_id": 7, **more}


def namespace(number: int, size: int, **more: object) -> dict[str, object]:
    found = {"dev": f"namespace{number}.0", "mode": "fsdax", "map": "dev", "size": size, "align": 2 * MIB}
    return {**found, "uuid": f"b51834b5-c042-4e02-911a-d549603b2dc{number}", **more}


def listing(*objects: dict[str, object]):
    return read_text(json.dumps(list(objects)), "list.json")


def test_free_regions_get_an_assumed_address_each_and_a_note():
    description = listing(region(1, OPTANE, OPTANE), region(0, OPTANE, OPTANE))
    second, first = description.regions
    assert (first.dev, first.range) == ("region0", Range(4 * GIB, 4 * GIB + OPTANE))
    assert second.range is not None
    assert second.range.start % GIB == 0
    assert second.range.start >= 4 * GIB + OPTANE
    assert first.labels
    assert second.labels
    assert [note.where for note in description.notes if "its address is not told" in note.what] == [
        "region0",
        "region1",
    ]
    assert any("nothing of RAM" in note.what for note in description.notes)


def test_a_told_address_is_not_moved_and_nothing_assumed_overlaps_it():
    description = listing(
        region(0, 8 * GIB, 8 * GIB, resource=5 * GIB), region(1, 2 * GIB, 2 * GIB), region(2, MIB, MIB)
    )
    assert [each.range for each in description.regions] == [
        Range(5 * GIB, 13 * GIB), Range(13 * GIB, 15 * GIB), Range(4 * GIB, 4 * GIB + MIB)
    ]  # fmt: skip


def test_the_only_namespace_of_a_full_region_is_all_of_it():
    description = listing(region(0, OPTANE, 0), namespace(0, OFFERED))
    assert description.namespaces[0].range == description.regions[0].range
    player = Player(build(description, "5.10", devices=True).machine)
    assert json.loads(player.step("ndctl list", parse_step("ndctl list")).stdout)[0]["size"] == OFFERED


def test_the_only_namespace_is_at_the_start_and_has_what_is_not_free():
    size = 1623497637888
    description = listing(region(0, size, size // 2, align=96 * MIB), namespace(0, 799063146496))
    fact = description.namespaces[0]
    assert fact.range == Range(4 * GIB, 4 * GIB + size // 2)
    assert description.regions[0].mappings == 6
    assert any("6 DIMMs follows from its align" in note.what for note in description.notes)
    (balance,) = diagnose(description, "5.14").balances
    assert (balance.share("data"), balance.share("free")) == (799063146496, size // 2)


def test_two_namespaces_in_a_region_have_no_known_place():
    other = {**namespace(0, GIB), "dev": "namespace0.1"}
    description = listing(region(0, 4 * GIB, GIB), namespace(0, GIB), other)
    assert all(fact.range is None for fact in description.namespaces)
    assert sum("do not follow from this listing" in note.what for note in description.notes) == 2


@pytest.mark.parametrize("more", [{}, {"resource": 0x100000000}])
def test_a_listing_beside_other_files_assumes_nothing(more):
    text = "00100000-7fffffff : System RAM\n100000000-1ffffffff : Persistent Memory\n"
    files = {"proc/iomem": text, "list.json": json.dumps([region(0, 2 * GIB, 2 * GIB, **more)])}
    description = read_machine(
        MemorySource("tree", {path: Entry("file", data.encode()) for path, data in files.items()})
    )
    assert description.regions[0].range == (Range(4 * GIB, 6 * GIB) if more else None)
    assert not any("taken" in note.what for note in description.notes)


def test_namespaces_without_regions_are_judged_as_far_as_they_go():
    built = build(listing(namespace(0, GIB)))
    assert any("does not tell where RAM is" in note.what for note in built.notes)


def test_a_plan_asks_for_the_namespaces_of_a_region_that_is_not_free():
    check_whole(listing(region(0, OPTANE, OPTANE)))
    check_whole(listing(region(0, OPTANE, 0), namespace(0, OFFERED)))
    with pytest.raises(InputError) as caught:
        check_whole(listing(region(0, OPTANE, 0)))
    assert "ndctl list -RNv" in str(caught.value.remedy)
