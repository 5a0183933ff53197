"""``sparsemem diff``: what came, went, changed and was renamed; and the laws of any pair of machines."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsemem import fixtures
from sparsemem.doctor.diff import (
    Diff,
    Entry,
    Portrait,
    diff_machines,
    diff_to_json,
    mirrored,
    portrait_of,
    portrait_of_machine,
    render_diff,
)
from sparsemem.errors import SparsememError
from sparsemem.machine.description import BlockFact, DaxFact, MachineDescription, NamespaceFact, RegionFact
from sparsemem.machine.notation import parse_machine
from sparsemem.ranges import Range
from sparsemem.readers import read_machine
from sparsemem.units import GIB, MIB
from tests.doctor.test_doctor_law import descriptions

GOLDEN = Path(__file__).parent / "golden_changes"
RAM, PMEM = "00100000-7fffffff : System RAM\n", "100000000-1ffffffff : Persistent Memory\n"


def described(name: str) -> MachineDescription:
    return replace(read_machine(fixtures.path(name)), source=f"example:{name}", notes=())


def entries(diff: Diff, kind: str) -> list[Entry]:
    return [entry for entry in diff.entries if entry.kind == kind]


def machine(*namespaces: NamespaceFact, **changes: object) -> Portrait:
    from sparsemem.readers import read_text

    base = read_text(RAM + PMEM, "drawn")
    region = RegionFact("region0", Range(4 * GIB, 8 * GIB), 4 * GIB, 16 * MIB, 1, type="pmem", labels=True)
    made = replace(base, regions=(region,), namespaces=namespaces, kernel_release="6.1.0", hypervisor=True)
    return portrait_of(replace(made, **changes))  # type: ignore[arg-type]


def namespace(name: str, start: int, size: int, uuid: str | None = None, mode: str = "raw") -> NamespaceFact:
    return NamespaceFact(name, "region0", mode, range=Range(start, start + size), size=size, usable=size, uuid=uuid)


@pytest.mark.parametrize("pair", [("pmem-guest", "memmap-guest"), ("pmem-two-regions", "mixed-region")])
def test_golden(pair: tuple[str, str]) -> None:
    got = render_diff(diff_machines(*(portrait_of(described(name)) for name in pair)), 80)
    assert max(len(line) for line in got.splitlines()) <= 80
    path = GOLDEN / f"diff-{pair[0]}-{pair[1]}.txt"
    if os.environ.get("SPARSEMEM_WRITE_GOLDEN"):
        path.write_text(got, encoding="utf-8")
    assert got == path.read_text(encoding="utf-8")


def test_a_namespace_with_its_uuid_is_the_same_under_another_name() -> None:
    before = machine(namespace("namespace0.1", 4 * GIB, GIB, "aaaa"), namespace("namespace0.0", 5 * GIB, GIB, "bbbb"))
    after = machine(namespace("namespace0.0", 4 * GIB, GIB, "aaaa"), namespace("namespace0.1", 5 * GIB, GIB, "bbbb"))
    diff = diff_machines(before, after)
    assert [(e.change, e.name_before, e.name_after) for e in diff.entries] == [
        ("renamed", "namespace0.1", "namespace0.0"), ("renamed", "namespace0.0", "namespace0.1"),
    ]  # fmt: skip
    assert "~ namespace0.1 is now namespace0.0" in render_diff(diff)


def test_a_namespace_made_anew_in_the_same_place_is_another_one() -> None:
    diff = diff_machines(
        machine(namespace("namespace0.0", 4 * GIB, GIB, "aaaa")),
        machine(namespace("namespace0.0", 4 * GIB, GIB, "cccc")),
    )
    assert sorted(e.change for e in entries(diff, "namespace")) == ["added", "removed"]


def test_without_uuids_the_address_decides_then_the_name() -> None:
    before = machine(namespace("namespace0.0", 4 * GIB, GIB), namespace("namespace0.1", 5 * GIB, GIB))
    after = machine(namespace("namespace0.3", 4 * GIB, GIB, mode="sector"), namespace("namespace0.1", 6 * GIB, GIB))
    first, second = entries(diff_machines(before, after), "namespace")
    assert (first.name_before, first.name_after, first.before, first.after) == (
        "namespace0.0", "namespace0.3", {"mode": "raw"}, {"mode": "sector"},
    )  # fmt: skip
    assert (second.name_before, second.name_after) == ("namespace0.1", "namespace0.1")
    assert second.before["address"] == (Range(5 * GIB, 6 * GIB),)


def test_capacity_adds_up() -> None:
    diff = diff_machines(
        machine(namespace("namespace0.0", 4 * GIB, GIB)),
        machine(namespace("namespace0.0", 4 * GIB, GIB), namespace("namespace0.1", 5 * GIB, 3 * GIB)),
    )
    (region,) = entries(diff, "region")
    assert (region.before, region.after) == ({"free": 3 * GIB}, {"free": 0})
    changed = {e.name_before: (e.before["bytes"], e.after["bytes"]) for e in entries(diff, "capacity")}
    assert changed["in namespaces"] == (GIB, 4 * GIB)
    assert changed["free in regions"] == (3 * GIB, 0)


def test_blocks_by_state_and_zone_even_of_other_sizes() -> None:
    def blocks(size: int, *states: str) -> Portrait:
        found = tuple(BlockFact(nr, state, ("Normal",) if state == "online" else ()) for nr, state in enumerate(states))
        return machine(block_size=size, blocks=found)

    diff = diff_machines(blocks(128 * MIB, "online", "online", "offline"), blocks(128 * MIB, "online", "offline"))
    assert [(e.change, e.name_before, e.name_after) for e in entries(diff, "block")] == [
        ("changed", "memory1", "memory1"), ("removed", "memory2", None),
    ]  # fmt: skip
    other = diff_machines(
        blocks(128 * MIB, "online", "online", "online", "online"), blocks(256 * MIB, "online", "offline")
    )
    (change,) = entries(other, "block")
    assert change.range == Range(256 * MIB, 512 * MIB)
    assert (change.name_before, change.name_after) == ("memory2-3", "memory1")


def test_a_step_on_the_model_shows_as_what_it_changed() -> None:
    line = "6.1; 0-4G ram, 8G+1G pmem"
    before, after = parse_machine(line), parse_machine(line)
    assert after.apply("add_memory 0x100000000-0x107ffffff").refusal is None
    diff = diff_machines(portrait_of_machine(before), portrait_of_machine(after))
    (block,) = entries(diff, "block")
    assert (block.name_after, block.range) == ("memory32", Range(4 * GIB, 4 * GIB + 128 * MIB))


def test_json_has_every_key() -> None:
    diff = diff_machines(*(portrait_of(described(name)) for name in ("pmem-guest", "memmap-guest")))
    document = json.loads(json.dumps(diff_to_json(diff)))
    assert set(document) == {"before", "after", "same", "entries", "notes"}
    assert set(document["before"]) == {"source", "kernel", "arch", "worst"}
    for entry in document["entries"]:
        assert set(entry) == {"kind", "change", "name_before", "name_after", "range", "before", "after"}
        if entry["change"] == "changed":
            assert entry["before"].keys() == entry["after"].keys()


def _portrait(description: MachineDescription) -> Portrait | None:
    try:
        return portrait_of(description)
    except SparsememError:
        return None


@settings(max_examples=60, deadline=None)
@given(descriptions())
def test_a_machine_does_not_differ_from_itself(description: MachineDescription) -> None:
    side = _portrait(description)
    assert side is None or diff_machines(side, side).same


_UUIDS = st.sampled_from([None, "aaaa", "bbbb", "cccc"])


@settings(max_examples=80, deadline=None)
@given(descriptions(), descriptions(), st.data())
def test_the_other_way_round_it_is_the_mirror(
    one: MachineDescription, two: MachineDescription, data: st.DataObject
) -> None:
    if data.draw(st.booleans()):  # the same machine, touched: names, uuids and states move
        names = data.draw(st.permutations([fact.dev for fact in one.namespaces]))
        spaces = tuple(
            replace(fact, uuid=data.draw(_UUIDS), dev=dev) for fact, dev in zip(one.namespaces, names, strict=True)
        )
        spaces = spaces[data.draw(st.integers(0, 2)) :]
        dax = tuple(replace(fact, mode=data.draw(st.sampled_from(["devdax", "system-ram", None]))) for fact in one.dax)
        assert all(isinstance(each, DaxFact) for each in dax)
        two = replace(one, namespaces=spaces, dax=dax)
        one = replace(one, namespaces=tuple(replace(fact, uuid=data.draw(_UUIDS)) for fact in one.namespaces))
    left, right = _portrait(one), _portrait(two)
    if left is None or right is None:
        return
    there, back = diff_machines(left, right), diff_machines(right, left)
    assert Counter(map(repr, back.entries)) == Counter(repr(mirrored(entry)) for entry in there.entries)
    assert render_diff(there, 60).endswith("\n")
