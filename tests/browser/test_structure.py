"""What is visible, where, and how it is named: goldens (``python -m tests.browser.pages --write``), and the model as second source."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

import pytest

from sparsemem.draw import paint_html
from sparsemem.draw.words import size_words
from tests.browser import pages
from tests.browser.structure import pieces
from tests.draw import machines

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sparsemem.draw import Row, Scene
    from tests.browser.chromium import Browser, Page

STORIES = [
    "beside", "doctor", "two-kernels", "narrow", "plan", "no-plan", "guest-plan", "cxl-plan", "memory-plan",
    "upgrade", "diff", "log", "arm64", "64T",
]  # fmt: skip


def test_every_story_has_its_golden() -> None:
    assert sorted(path.stem for path in pages.GOLDEN.glob("*.txt")) == sorted(STORIES) == sorted(pages.stories())


@pytest.mark.parametrize("name", STORIES)
def test_golden(browser: Browser, name: str, tmp_path: Path) -> None:
    assert pages.tell(browser, name, tmp_path) == (pages.GOLDEN / f"{name}.txt").read_text(encoding="utf-8")


def _expected(scene: Scene, row: Row) -> list[tuple[str, str, str]]:
    """(letter, inclusive range, size) of each run of one owner in a section, from the scene."""
    found, at = [], row.range.start
    for index, cells in groupby(row.cells, key=lambda cell: cell[0]):
        end = at + sum(units for _, units in cells) * scene.unit_size
        found.append((scene.owners[index].key, f"{at:#x}-{end - 1:#x}", size_words(end - at)))
        at = end
    return found


@pytest.mark.parametrize("make", [machines.ram_beside_pmem, machines.arm64, lambda: machines.namespaces("6.1")])
def test_every_sub_section_is_drawn_as_the_scene_has_it(opened: Callable[..., Page], make: Callable[[], Scene]) -> None:
    """Zoomed to each section that is not all alike, the picture has the scene's runs, to the byte, letter by letter."""
    scene = make()
    page = opened(paint_html(scene))
    mixed = [row for row in scene.rows if len(row.cells) > 1 and row.count == 1]
    assert mixed
    for row in mixed:
        page.run(f"location.hash = 'view={row.range.start:#x}-{row.range.end - 1:#x}'")
        page.painted()
        seen = [each["label"] for each in pieces(page, "side0", "sub-sections")]
        ends = [(label[0], *label.rpartition(": ")[2].split(", ", 1)) for label in seen]
        assert ends == _expected(scene, row)


def test_the_readout_adds_up(opened: Callable[..., Page]) -> None:
    """With nothing selected the readout is of all there is: the sums are the scene's."""
    scene = machines.mail("6.1")
    page = opened(paint_html(scene))
    told = page.run("document.getElementById('readout').textContent")
    for owner, units in zip(scene.owners, scene.totals, strict=True):
        if units:
            assert f": {size_words(units * scene.unit_size)};" in told, owner


def test_a_folded_picture_shows_the_same_as_the_exact_one(opened: Callable[..., Page]) -> None:
    """300 namespaces, most of them two in a section: rows that stand for several are told apart again by the devices' own bytes."""
    exact, folded = pages.many(exact=True), pages.many(exact=False)
    assert len(folded.rows) < len(exact.rows) / 3
    left, right = opened(paint_html(exact)), opened(paint_html(folded))
    for view in ("", "0x100000000-0x13fffffff", "0x400000000-0x47fffffff", "0x5a0000000-0x5a7ffffff"):
        seen = []
        for page in (left, right):
            page.run(f"location.hash = 'view={view}'")
            page.painted()
            seen.append([each["label"] for each in pieces(page, "side0", "sub-sections")])
        assert any("namespace0" in label for label in seen[0]) or not view
        assert seen[0] == seen[1]
