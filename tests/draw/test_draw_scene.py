"""The scene against a naive reading of the state: every sub-section asked on its own, in the plainest words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from sparsemem.draw import KINDS, Scene, build_scene, compare, comparison_to_json, to_json
from sparsemem.draw.fold import fold
from sparsemem.kernel.sparse_vmemmap import vmemmap_bytes
from sparsemem.machine.notation import parse_machine
from sparsemem.ranges import Range
from tests.draw.machines import arm64, huge, mail, namespaces, ram_beside_pmem
from tests.machine.strategies import OPERATIONS, machine

if TYPE_CHECKING:
    from sparsemem.machine.machine import Machine

SUB = 2 << 20


def _expanded(scene: Scene) -> dict[tuple[int, int], tuple[str, str]]:
    """(section, unit) -> (kind, name), for every unit of every present section."""
    found = {}
    for row in scene.rows:
        for nr in range(row.first, row.first + row.count):
            at = 0
            for index, units in row.cells:
                for unit in range(at, at + units):
                    found[nr, unit] = (scene.owners[index].kind, scene.owners[index].name)
                at += units
    return found


def _naive(m: Machine, ram: tuple[tuple[int, int, int], ...]) -> dict[tuple[int, int], str]:
    """(section, sub-section) -> kind, on a kernel with a map."""
    state, found = m.state, {}
    size = m.kernel.geometry.SECTION_SIZE
    shift = m.kernel.geometry.PAGE_SHIFT
    for nr, ms in state.sections.items():
        if not ms.section_mem_map & 3:
            continue
        early = bool(ms.section_mem_map & 8)
        block = state.blocks.get(nr * size // state.misc["memory_block_size_bytes"])
        for unit in range(size // SUB):
            start = nr * size + unit * SUB
            active = bool(ms.usage and ms.usage.subsection_map >> unit & 1)
            devices = sum(
                1
                for p in state.pgmaps.values()
                for low, high in p.mapped
                if low << shift < start + SUB and start < high << shift
            )
            covered = sum(max(min(end, start + SUB) - max(low, start), 0) for low, end, _ in ram)
            is_ram = active and (covered > 0 if early else block is not None and not block.early)
            offline = "-offline" if block is not None and block.state == "offline" else ""
            if devices and not active:
                kind = "lost"
            elif devices + is_ram > 1:
                kind = "conflict"
            elif devices:
                kind = "device"
            elif is_ram and early:
                kind = "ram-part" if covered < SUB else "ram" + offline
            elif is_ram:
                kind = "hot" + offline
            elif active:
                kind = "residue"
            else:
                kind = "hole" if early else "empty"
            found[nr, unit] = kind
    return found


@settings(max_examples=60, deadline=None)
@given(
    version=st.sampled_from(["5.3", "5.8", "5.10", "5.12", "6.1", "7.2"]), operations=st.lists(OPERATIONS, max_size=8)
)
def test_every_sub_section_has_its_owner(version: str, operations: list[str]) -> None:
    m = machine(version)
    boot_ram = m.layout.ram
    for operation in operations:
        m.apply(operation)
    scene = build_scene(m.state, m.faults())
    drawn = _expanded(scene)
    assert {place: kind for place, (kind, _) in drawn.items()} == _naive(m, boot_ram)
    for index, owner in enumerate(scene.owners):
        assert (
            scene.totals[index] == sum((owner.kind, owner.name) == each for each in drawn.values())
            or owner.kind == "device"
        )
    assert sum(scene.totals) == len(drawn) == scene.sections * 64


@settings(max_examples=60, deadline=None)
@given(version=st.sampled_from(["5.1", "5.2", "5.5", "6.8"]), operations=st.lists(OPERATIONS, max_size=8))
def test_rows_tile_the_address_space(version: str, operations: list[str]) -> None:
    m = machine(version)
    for operation in operations:
        m.apply(operation)
    scene = build_scene(m.state, m.faults())
    at = 0
    for row in scene.rows:
        assert row.first == at
        assert row.count > 0
        at += row.count
        assert row.range == Range(row.first * scene.section_size, at * scene.section_size)
        assert sum(units for _, units in row.cells) == (scene.units_per_section if row.present else 0)
    present = {nr for nr, ms in m.state.sections.items() if ms.section_mem_map & 3}
    assert {nr for row in scene.rows if row.present for nr in range(row.first, row.first + row.count)} == present
    assert scene.sections == len(present)
    assert dict(scene.memmap) == vmemmap_bytes(m.state)
    seen = {fault for row in scene.rows for fault in row.faults}
    assert seen == set(scene.faults)


@settings(max_examples=40, deadline=None)
@given(st.lists(OPERATIONS, max_size=8))
def test_without_a_map_a_section_has_one_cell(operations: list[str]) -> None:
    m = machine("5.2")
    for operation in operations:
        m.apply(operation)
    scene = build_scene(m.state)
    size = m.kernel.geometry.SECTION_SIZE
    for (nr, unit), (kind, _) in _expanded(scene).items():
        assert unit == 0
        users = sum(
            1
            for p in m.state.pgmaps.values()
            for low, high in p.mapped
            if low << 12 < (nr + 1) * size and nr * size < high << 12
        )
        usage = m.state.sections[nr].usage
        boot = usage is not None and usage.reserved
        block = m.state.blocks.get(nr * size // m.state.misc["memory_block_size_bytes"])
        users += boot or (block is not None and not block.early)
        assert (kind == "conflict") == (users > 1)
        assert (kind == "residue") == (users == 0)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from("ab_"), min_size=70, max_size=90))
def test_folding_many_devices_conserves_counts(kinds: list[str]) -> None:
    """Past a screenful, rows that differ only in which device are one: the number of sections stays, and every device is named."""
    m = parse_machine("6.1; 1M-1G ram, 4G-64G pmem")
    for number, kind in enumerate(kinds):
        start = (4 << 30) + number * (128 << 20)
        if kind != "_":
            size = 128 << 20 if kind == "a" else 64 << 20
            m.apply(f"memremap_pages {start:#x}-{start + size - 1:#x} owner=ns{number}")
    scene = build_scene(m.state)
    assert scene.sections == 8 + len(kinds) - kinds.count("_")
    named = {owner.name for row in scene.rows for owner in scene.owner_names(row) if owner.kind == "device"}
    assert named == {f"ns{number}" for number, kind in enumerate(kinds) if kind != "_"}
    assert list(fold(scene, scene.rows)) == list(scene.rows)


def test_64_tib_is_a_handful_of_rows() -> None:
    scene = huge()
    assert scene.sections == 524_280
    assert len(scene.rows) < 10
    assert sum(scene.totals) == 524_280 * 64


def test_a_window_cuts_at_sections() -> None:
    m = parse_machine("6.1; 1M-3G ram, 4G-16G ram")
    scene = build_scene(m.state, window=Range(0x108000000, 0x118000001))
    assert [(row.first, row.count) for row in scene.rows] == [(33, 3)]
    assert scene.sections == 3


def test_partly_ram_is_said() -> None:
    """Boot rounds outward: RAM that ends 1 MiB into a sub-section makes all of it active."""
    scene = build_scene(parse_machine("6.1; 2M-1G ram, 4G+61M ram; with block=128M").state)
    row = next(row for row in scene.rows if row.first == 32)
    assert [(scene.owners[index].kind, units) for index, units in row.cells] == [
        ("ram", 30),
        ("ram-part", 1),
        ("hole", 33),
    ]


def test_json_tells_the_same() -> None:
    for scene in (mail("5.1"), mail("6.1"), namespaces("6.1"), ram_beside_pmem(), arm64()):
        document = json.loads(json.dumps(to_json(scene)))
        assert document["sections"] == sum(row["count"] for row in document["rows"] if row["present"])
        assert {owner["kind"] for owner in document["owners"]} <= set(KINDS)
        for index, owner in enumerate(document["owners"]):
            units = sum(row["count"] * n for row in document["rows"] for cell, n in row["cells"] if cell == index)
            assert owner["units"] == units
            assert owner["bytes"] == units * document["unit_bytes"]
        assert document["subsection_map"] is (scene.kernel != "5.1")


def test_json_of_a_comparison() -> None:
    document = json.loads(json.dumps(comparison_to_json(compare(mail("5.1"), mail("6.1")))))
    assert [pair["left"][0]["first"] for pair in document["pairs"] if not pair["same"]] == [64, 95]
    assert document["left"] == to_json(mail("5.1"))
