"""Pictures as text: reviewed goldens, and what must hold of every one."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsemem.draw import Comparison, Scene, build_scene, compare, paint_text
from sparsemem.kernel.ioport import IORESOURCE_MEM, Resource
from sparsemem.kernel.resource import insert_resource
from sparsemem.machine.notation import parse_machine
from tests.draw.machines import GOLDEN, pictures
from tests.machine.strategies import OPERATIONS, machine

if TYPE_CHECKING:
    from sparsemem.kernel.state import MemSection

_SGR = re.compile(r"\x1b\[[0-9;]*m")
_all = cache(pictures)
NAMES = sorted(path.stem for path in GOLDEN.glob("*.txt"))


def test_every_picture_has_its_golden() -> None:
    assert sorted(_all()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_golden(name: str) -> None:
    picture, width, unicode = _all()[name]
    assert paint_text(picture, width, unicode=unicode) == (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_no_line_is_wider_than_asked(name: str) -> None:
    picture = _all()[name][0]
    for width in (40, 41, 47, 60, 61, 71, 72, 73, 79, 80, 81, 99, 120, 160, 200):
        for unicode in (True, False):
            painted = paint_text(picture, width, unicode=unicode)
            assert max(map(len, painted.splitlines())) <= width
            assert not any(line != line.rstrip() for line in painted.splitlines())
            assert unicode or painted.isascii()


@pytest.mark.parametrize("name", NAMES)
def test_colour_adds_nothing_but_colour(name: str) -> None:
    picture = _all()[name][0]
    for width in (60, 80, 132):
        coloured = paint_text(picture, width, color=True)
        assert "\x1b[" in coloured
        assert _SGR.sub("", coloured) == paint_text(picture, width)


def test_the_mail_on_5_1_and_6_1() -> None:
    """The quoted report: refused beside RAM in section 95 on 5.1; from 5.3 on, half of that section is the device's."""
    comparison = _all()["mail-5.1-beside-6.1"][0]
    assert isinstance(comparison, Comparison)
    differing = [(pair.left[0].first, pair.left[0].count) for pair in comparison.pairs if not pair.same]
    assert differing == [(64, 31), (95, 1)]
    assert "attempted on mixed region [mem 0x200000000-0x2fbffffff flags 0x200]" in " ".join(comparison.left.notes)
    row = next(row for row in comparison.right.rows if row.first == 95)
    assert [(comparison.right.owners[index].name, units) for index, units in row.cells] == [
        ("namespace0.0", 32),
        ("System RAM", 32),
    ]


def test_a_picture_beside_itself_is_the_same() -> None:
    for picture, _, _ in _all().values():
        if isinstance(picture, Scene):
            assert all(pair.same for pair in compare(picture, picture).pairs)
            assert "both are the same" in paint_text(compare(picture, picture))


def test_different_section_sizes_stand_beside_each_other() -> None:
    """arm64 went from 1 GiB to 128 MiB sections in v5.12; stretches keep to the larger."""
    line = "arm64; 0x40000000+2G ram, 0xc0000000+64M ram, 0x100000000+4G ram"
    scenes = [build_scene(parse_machine(f"{version} {line}").state) for version in ("5.10", "6.1")]
    comparison = compare(scenes[0], scenes[1])
    assert all(not pair.range.start % (1 << 30) and not pair.range.end % (1 << 30) for pair in comparison.pairs)
    for side, scene in (("left", scenes[0]), ("right", scenes[1])):
        rows = [row for pair in comparison.pairs for row in getattr(pair, side) if row.present]
        assert sum(row.count for row in rows) == scene.sections
    assert max(map(len, paint_text(comparison, 80).splitlines())) <= 80


def test_names_from_files_cannot_write_to_the_terminal() -> None:
    machine = parse_machine("6.1; 1M-1G ram, 4G+256M pmem")
    root, nasty = machine.state.iomem, "evil\x1b[2J\x07\n<b>\u202e\u6f22\u5b57"
    parent = root.children[-1]
    inner = Resource(parent.start, parent.start + (32 << 20) - 1, nasty, IORESOURCE_MEM)
    machine.state.iomem = insert_resource(root, inner)
    machine.apply("memremap_pages 0x100000000-0x101ffffff")
    painted = paint_text(build_scene(machine.state), 80)
    assert "evil" in painted
    assert not set("\x1b\x07\u202e\u6f22") & set(painted)
    assert paint_text(build_scene(machine.state), 80, unicode=False).isascii()


def test_what_is_not_shown_is_counted() -> None:
    scene = _all()["mail-6.1"][0]
    assert "... 5 more rows (73 sections" not in paint_text(scene)
    left = list(scene.rows[2:])  # type: ignore[union-attr]
    hidden = sum(row.count for row in left if row.present)
    assert f"... {len(left)} more rows ({hidden} sections) not shown" in paint_text(scene, limit=2)


@settings(max_examples=50, deadline=None)
@given(
    version=st.sampled_from(["5.1", "5.5", "5.12", "7.2"]),
    operations=st.lists(OPERATIONS, min_size=1, max_size=6),
    width=st.integers(60, 200),
    unicode=st.booleans(),
)
def test_before_and_after_of_anything(version: str, operations: list[str], width: int, unicode: bool) -> None:
    """Nothing is too wide, and whatever section changed lies in a stretch that is marked."""
    m = machine(version)
    before, was = build_scene(m.state, m.faults()), dict(m.state.sections)
    for operation in operations:
        m.apply(operation)
    comparison = compare(before, build_scene(m.state, m.faults()))
    for picture in (comparison, comparison.right):
        painted = paint_text(picture, width, unicode=unicode)
        assert max(map(len, painted.splitlines())) <= width
        assert unicode or painted.isascii()
    size = m.kernel.geometry.SECTION_SIZE
    marked = [pair.range for pair in comparison.pairs if not pair.same]
    for nr in was.keys() | m.state.sections.keys():
        if _told(was.get(nr)) != _told(m.state.sections.get(nr)):
            assert any(each.start <= nr * size < each.end for each in marked)


def _told(section: MemSection | None) -> tuple[int, int]:
    """Flags and map of a section; nothing for one that is absent."""
    if section is None or not section.section_mem_map & 3:
        return 0, 0
    return section.section_mem_map & 31, section.usage.subsection_map if section.usage else 0


def test_a_large_piece_stays_in_the_overview() -> None:
    """Many small devices go together as one mixed piece; the RAM beside them, 63 GiB, stays what it is."""
    m = parse_machine("6.1; 1M-1G ram, 4G-64G ram, 64G-1T pmem")
    for number in range(200):
        start = (64 << 30) + number * (256 << 20)
        m.apply(f"memremap_pages {start:#x}-{start + (64 << 20) - 1:#x} owner=n{number}")
    bar = paint_text(build_scene(m.state), 80).split("\n\n")[1].splitlines()[0].strip()
    assert len(bar) <= 78
    assert re.search(r"R+▒+╌+\Z", bar)
    assert "... and 176 more devices" in paint_text(build_scene(m.state), 80)
