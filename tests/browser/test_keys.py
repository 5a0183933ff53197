"""By keyboard alone, in a real browser: key events in, what is shown out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser import pages
from tests.browser.structure import pieces, view

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.browser.chromium import Page

Open = "Callable[..., Page]"
_ACTIVE = (
    "document.getElementById(document.activeElement.getAttribute('aria-activedescendant'))?.getAttribute('aria-label')"
)
_READOUT = "document.querySelector('#readout h2').textContent"


@pytest.fixture
def page(opened: Callable[..., Page]) -> Page:
    return opened(pages.beside())


def _focus(page: Page, element: str) -> None:
    """Tab until it has the focus."""
    for _ in range(40):
        page.press("Tab")
        if page.run("document.activeElement.id") == element:
            return
    raise AssertionError(f"Tab never comes to {element}")


def test_zoom_and_back(page: Page) -> None:
    whole = view(page)
    page.press("+", "+")
    low, high = view(page)
    assert (high - low) * 4 == whole[1]
    page.press("-")
    assert view(page)[1] - view(page)[0] == (high - low) * 2
    page.press("Backspace")
    assert view(page) == (low, high)
    page.press("0")
    assert view(page) == whole
    page.press(*"+" * 40)
    assert view(page)[1] - view(page)[0] == 64 << 10
    page.press(*"-" * 40)
    assert view(page) == whole


def test_pan(page: Page) -> None:
    page.press("+", "+")
    _focus(page, "side0")
    low, high = view(page)
    page.press("PageDown")
    assert view(page) == (low + (high - low) // 2, high + (high - low) // 2)
    page.press("Shift+ArrowLeft")
    assert view(page) == (low, high)
    page.press(*["PageUp"] * 9)
    assert view(page)[0] == 0


def test_every_stretch_of_every_row_can_be_reached(page: Page) -> None:
    """Home, then right until the end, row by row: a screen reader hears the name of each, and the readout tells its bytes."""
    _focus(page, "side0")
    page.press("ArrowUp", "ArrowUp", "ArrowUp")
    for row in ("findings", "sub-sections", "devices", "blocks", "flags"):
        labels = [each["label"] for each in pieces(page, "side0", row)]
        assert labels
        page.press("Home")
        heard = [page.run(_ACTIVE)]
        for label in labels:
            where = label.rpartition(": ")[2].split(", ")[0]
            assert where in page.run(_READOUT)
            page.press("ArrowRight")
            heard.append(page.run(_ACTIVE))
        assert heard == [*labels, labels[-1]]
        page.press("ArrowDown")


def test_walking_on_moves_the_picture_along(page: Page) -> None:
    """Zoomed in, the right arrow goes through all sub-sections of all sections, in order, up to the end of the address space."""
    labels = [each["label"].rpartition(": ")[2] for each in pieces(page, "side0", "sub-sections")]
    _focus(page, "side0")
    page.press("Home", "ArrowLeft", "+", "+", "+", "Home")
    heard = []
    for _ in range(80):
        label = (page.run(_ACTIVE) or "").rpartition(": ")[2]
        if heard and label == heard[-1]:
            break
        heard.append(label)
        page.press("ArrowRight")
    ends = [int(label.partition(",")[0].partition("-")[2], 16) for label in heard]
    assert ends == sorted(ends)
    # What began in view whole is heard whole.
    assert set(labels[6:]) <= set(heard) | {labels[0], labels[3], labels[4]}


def test_enter_zooms_to_the_selected_stretch(page: Page) -> None:
    _focus(page, "side0")
    page.press("End", "Enter")
    low, high = view(page)
    assert low < 0x120000000 < high
    assert high - low < 512 << 20


def test_the_strip(page: Page) -> None:
    _focus(page, "strip-grid")
    page.press("ArrowRight", "ArrowRight")
    assert page.run(_ACTIVE).startswith("RAM offline: 0x18000000-0x1fffffff")
    page.press("Enter")
    low, high = view(page)
    assert low <= 0x18000000 and high >= 0x20000000 and high - low < 256 << 20  # noqa: PT018


def test_next_and_previous_finding(page: Page) -> None:
    for key, name, where in (
        ("n", "block-holds-device-pages", 0x104000000),
        ("n", "unowned-pages", 0x10A000000),
        ("n", "block-holds-device-pages", 0x104000000),
        ("p", "unowned-pages", 0x10A000000),
    ):
        page.press(key)
        low, high = view(page)
        assert low <= where < high
        assert name in page.run("document.querySelector('[data-mark][open] summary').textContent")
        assert page.run("document.querySelectorAll('[data-mark][open]').length") == 1
        assert name in page.run("document.getElementById('readout').textContent")
        assert "of 2: warning" in page.run("document.getElementById('status').textContent")


def test_opening_a_finding_in_the_list_goes_there(page: Page) -> None:
    for _ in range(40):
        page.press("Tab")
        if page.run("document.activeElement.closest('[data-mark=\"1\"]') !== null"):
            break
    page.press("Enter")
    low, high = view(page)
    assert low <= 0x10A000000 < high
    assert high - low <= 32 << 20


def test_theme(page: Page) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    said = "document.querySelector('[data-do=theme]').textContent"
    light, dark = "rgb(255, 255, 255)", "rgb(20, 22, 23)"
    assert (page.run(ground), page.run(said)) == (light, "theme: system")
    page.prefer(dark=True)
    assert page.run(ground) == dark
    page.press("t")
    assert (page.run(ground), page.run(said)) == (light, "theme: light")
    page.prefer(dark=False)
    page.press("t")
    assert (page.run(ground), page.run(said)) == (dark, "theme: dark")
    assert page.run("getComputedStyle(document.querySelector('#drawing .sm-ground')).fill") == dark
    page.press("t")
    assert (page.run(ground), page.run(said)) == (light, "theme: system")


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("4G", 0x100000000),
        ("0x104000000", 0x104000000),
        ("[mem 0x20000000-0x27ffffff]", 0x20000000),
        ("section 33", 33 << 27),
        ("memory35", 35 << 27),
        ("NAMESPACE0.0", 0x104000000),
    ],
)
def test_go_to(page: Page, text: str, where: int) -> None:
    page.press("g", *text, "Enter")
    low, high = view(page)
    assert low <= where < high
    assert high - low <= 256 << 20
    assert page.run("document.activeElement.id") == "place"


def test_typing_is_no_command(page: Page) -> None:
    before = view(page)
    page.press("g", *"n+-0td?")
    assert page.run("document.getElementById('place').value") == "n+-0td?"
    assert view(page) == before
    page.press("Enter")
    assert "not found: give an address" in page.run("document.getElementById('status').textContent")
    page.press("Escape", "+")
    assert page.run("document.activeElement.id") == "side0"
    assert view(page) != before


def test_two_machines_zoom_together(opened: Callable[..., Page]) -> None:
    page = opened(pages.two_kernels(), width=1600, height=1000)
    rulers = "[...document.querySelectorAll('.side .ruler')].map((each) => each.textContent)"
    tops = "[...document.querySelectorAll('.side')].map((each) => each.getBoundingClientRect().top)"
    for key in ("+", "d", "d", "Shift+D", "n", "-"):
        page.press(key)
        left, right = page.run(rulers)
        assert left == right != ""
    assert len(set(page.run(tops))) == 1
    page.press("s")
    assert len(set(page.run(tops))) == 2
    assert len(set(page.run(rulers))) == 1


def test_focus_is_seen_and_goes_from_top_to_bottom(page: Page) -> None:
    """Tab order: buttons, "go to", strip, picture, list; each with an outline while it has the focus."""
    order = []
    for _ in range(40):
        page.press("Tab")
        name = page.run(
            "document.activeElement.dataset.do ?? (document.activeElement.id || document.activeElement.tagName)"
        )
        if name == "BODY" or order[:1] == [name]:
            break
        order.append(name)
        outline = page.run(
            "(({outlineStyle, outlineWidth}) => outlineStyle + outlineWidth)(getComputedStyle(document.activeElement))"
        )
        assert outline == "solid3px", name
    assert order == [
        "in", "out", "all", "back", "previous", "next", "theme", "help", "place", "strip-grid", "side0", "SUMMARY", "SUMMARY", "SUMMARY",
    ]  # fmt: skip


def test_help_says_what_the_documentation_says(page: Page) -> None:
    assert page.run("document.getElementById('keys').hidden")
    page.press("?")
    assert not page.run("document.getElementById('keys').hidden")
    told = page.run(
        "[...document.querySelectorAll('#keys tr')].map((row) => [...row.children].map((cell) => cell.textContent))"
    )
    table = re.findall(
        r"^\| (?!key )(\S.*?) \| (.*?) \|$",
        Path("docs/page.md").read_text(encoding="utf-8").partition("## Keys")[2],
        re.MULTILINE,
    )
    assert [tuple(row) for row in told] == table
    page.press("Escape")
    assert page.run("document.getElementById('keys').hidden")
