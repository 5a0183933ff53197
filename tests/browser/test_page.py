"""Pointer, hostile names, no script, contrast, and machines of any size."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from sparsemem.draw import Mark, build_scene, compare, paint_html
from sparsemem.machine.notation import parse_machine
from sparsemem.ranges import Range
from tests.browser import pages
from tests.browser.structure import pieces, view
from tests.draw import machines

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.browser.chromium import Page

HOSTILE = (
    "</script><script>document.title='owned'</script>", "<img src=x onerror=document.title='owned'>", "]]>", "<!--<script>",
    "\u202egnp.eman", "a&amp;b\"'`${document.title='owned'}", "\udc80\x00\x1b[31m", "\u2028alert(1)",
)  # fmt: skip


def _centre(page: Page, selector: str) -> tuple[float, float]:
    x, y = page.run(
        f"(({{x, y, width, height}}) => [x + width / 2, y + height / 2])(document.querySelector({selector!r}).getBoundingClientRect())"
    )
    return x, y


def test_hover_click_drag_wheel(opened: Callable[..., Page]) -> None:
    page = opened(pages.beside())
    heading = "document.querySelector('#readout h2').textContent"
    x, y = _centre(page, "#side0 [aria-label^='h RAM offline']")
    page.mouse("mouseMoved", x, y)
    assert page.run(heading) == "Under the pointer: 0x120000000-0x127ffffff (128 MiB)"
    assert "memory36 offline" in page.run("document.getElementById('readout').textContent")
    page.mouse("mousePressed", x, y, button="left", clickCount=1)
    page.mouse("mouseReleased", x, y, button="left", clickCount=1)
    page.mouse("mouseMoved", 5, 5)
    assert page.run(heading).startswith("Selected: 0x120000000")
    page.mouse("mouseWheel", x, y, deltaX=0, deltaY=-100, modifiers=2)
    page.mouse("mouseWheel", x, y, deltaX=0, deltaY=-100, modifiers=2)
    low, high = view(page)
    assert (high - low) == pytest.approx(0x128000000 / 2, rel=0.01)
    page.mouse("mouseMoved", x, y)
    assert "0x120000000" in page.run(heading), "what was under the pointer stays there"
    page.mouse("mouseMoved", x - 300, y)
    there = page.run(heading).rpartition("-")[2].split()[0]
    page.mouse("mousePressed", x - 300, y, button="left", clickCount=1)
    page.mouse("mouseMoved", x - 100, y, button="left", buttons=1)
    page.mouse("mouseReleased", x - 100, y, button="left", clickCount=1)
    assert view(page)[0] < low
    page.mouse("mouseMoved", x - 100, y)
    assert there in page.run(heading), "dragging takes what is under the pointer along"


def test_a_click_on_a_mark_opens_it(opened: Callable[..., Page]) -> None:
    page = opened(pages.beside())
    x, y = _centre(page, "#side0 .mark-warning")
    page.mouse("mousePressed", x, y, button="left", clickCount=1)
    page.mouse("mouseReleased", x, y, button="left", clickCount=1)
    assert page.run("document.querySelector('[data-mark][open]').dataset.mark") == "0"


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_data(opened: Callable[..., Page], name: str) -> None:
    machine = parse_machine("6.1; 1M-1G ram, 4G+256M pmem")
    machine.apply("memremap_pages 0x100000000-0x101ffffff owner=x")
    plain = build_scene(machine.state, notes=[name])
    owners = tuple(
        replace(owner, name=name, detail=name) if owner.kind == "device" else owner for owner in plain.owners
    )
    rows = tuple(replace(row, notes=(name,)) if row.present else row for row in plain.rows)
    scene = replace(plain, owners=owners, rows=rows, title=name)
    mark = Mark(name, "error", name, (Range(1 << 32, (1 << 32) + (32 << 20)),), ((name, name), ("$", name)))
    for picture in (scene, compare(scene, replace(scene, title="other"))):
        page = opened(paint_html(picture, marks=[mark]))
        page.press("n", "+", "t", "?")
        assert page.run("document.title").startswith("Memory sections")
        assert page.run("document.querySelectorAll('img, b i, script:not([type])').length") == 1
        assert page.run("document.querySelectorAll('script').length") == 2
        shown = page.run("document.getElementById('readout').textContent")
        assert shown.count(name[:6] if name.isprintable() else "?") >= 2
        assert not any(each in page.run("document.body.innerText") for each in "\u202e\x1b\u2028")


def test_without_a_script(opened: Callable[..., Page]) -> None:
    """The list, the drawing and the tables are there; what needs the script is not."""
    page = opened(pages.doctor(), script=False)
    seen = "(({width, height}) => width > 0 && height > 0)(document.querySelector('%s').getBoundingClientRect())"
    for selector, visible in (
        ("#picture", False), ("#drawing svg", True), (".findings li", True), ("[aria-label=Tables] table", True), (".legend", True),
    ):  # fmt: skip
        assert page.run(seen % selector) is visible, selector
    tops = page.run("[...document.querySelectorAll('.findings, .legend, #drawing')].map((each) => each.getBoundingClientRect())"
                    ".map(({top, bottom}) => [top, bottom])")  # fmt: skip
    assert all(tops[at][1] <= tops[at + 1][0] + 1 for at in range(2)), "nothing lies over something else"


CONTRAST = """(() => {
  const rgb = (text) => text.match(/[\\d.]+/g).slice(0, 3).map(Number);
  const light = (text) => {
    const [r, g, b] = rgb(text).map((each) => each / 255).map((each) => (each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
  const found = [];
  const root = getComputedStyle(document.body).backgroundColor;
  for (const piece of document.querySelectorAll(".piece")) {
    const text = piece.querySelector("text"), fill = getComputedStyle(piece.querySelector("rect")).fill;
    if (text) found.push([piece.getAttribute("aria-label"), ratio(getComputedStyle(text).fill, fill === "none" ? root : fill)]);
  }
  for (const each of document.querySelectorAll("p, dt, dd, h1, h2, td, th, code, button, label, summary, .severity, .which, .told span")) {
    let ground = each;
    while (ground && getComputedStyle(ground).backgroundColor === "rgba(0, 0, 0, 0)") ground = ground.parentElement;
    found.push([each.textContent, ratio(getComputedStyle(each).color, getComputedStyle(ground ?? document.body).backgroundColor)]);
  }
  return found.filter(([, ratio]) => ratio < 4.5);
})()"""


@pytest.mark.parametrize("dark", [False, True])
def test_contrast(opened: Callable[..., Page], dark: bool) -> None:
    """Text against what is behind it: 4.5 to 1 at least (WCAG 2.2, 1.4.3)."""
    for text in (pages.beside(), pages.doctor(), pages.two_kernels()):
        page = opened(text, dark=dark)
        page.press("n")
        assert page.run(CONTRAST) == []


@pytest.mark.parametrize("width", [320, 700, 1000, 1920])
def test_nothing_is_wider_than_the_window(opened: Callable[..., Page], width: int) -> None:
    page = opened(pages.two_kernels(), width=width)
    page.press("n", "?")
    assert page.run("document.documentElement.scrollWidth") <= width


def test_the_worst_mark_of_the_same_bytes_is_the_one_that_is_seen(opened: Callable[..., Page]) -> None:
    where = (Range(1 << 32, (1 << 32) + (64 << 20)),)
    marks = [Mark(name, name, name, where) for name in ("warning", "error", "better", "notice")]
    page = opened(paint_html(machines.ram_beside_pmem(), marks=marks), "#view=0x100000000-0x107ffffff")
    x, y = _centre(page, "#side0 .mark-error")
    assert page.run(f"document.elementFromPoint({x}, {y}).getAttribute('class')") == "mark-error"
    page.press("n", "n", "n")
    assert [each["text"] for each in pieces(page, "side0", "findings") if each["selected"]] == [["+ better: better"]]


def test_large_machines_stay_few_elements(opened: Callable[..., Page]) -> None:
    """However much there is, a picture has fewer pieces than columns of pixels in each row."""
    scene = pages.many(exact=True)
    marks = [Mark("each", "warning", f"number {n}", (Range(n << 26, (n << 26) + 4096),)) for n in range(5000)]
    text = paint_html(scene, marks=marks)
    page = opened(text)
    for key in ("+", "+", "+", "-", "-", "-", "n", "p", "p", "0"):
        page.press(key)
        assert page.run("document.querySelectorAll('#side0 .piece').length") < 5 * 1000
        assert len(pieces(page, "side0", "findings")) < 200
    assert page.run("document.querySelectorAll('[data-mark]').length") == 400
    assert "4,600 more are marked" in page.run("document.getElementById('findings').textContent")


def test_64_tib_from_everything_to_one_sub_section(opened: Callable[..., Page]) -> None:
    scene = machines.huge()
    page = opened(paint_html(scene))
    page.press("g", *"0x3ffffe00000-0x3ffffffffff", "Enter")
    low, high = view(page)
    assert low < 0x3FFFFE00000 < high
    assert high - low == 16 << 20
    labels = [each["label"] for each in pieces(page, "side0", "sub-sections")]
    assert [label[:2] for label in labels] == ["R ", "a "]
    assert "-0x3ffffffffff, " in labels[0]
    assert ": 0x40000000000-" in labels[1]


def test_the_address_of_the_page_brings_back_what_it_showed(opened: Callable[..., Page]) -> None:
    page = opened(pages.beside(), "#finding=2&theme=dark&view=0x100000000-0x10fffffff")
    assert view(page) == (0x100000000, 0x110000000)
    assert page.run("document.documentElement.dataset.theme") == "dark"
    assert page.run("document.querySelector('[data-mark][open]').dataset.mark") == "1"
    page.press("+")
    page.wait("location.hash.includes('view=0x10') && !location.hash.includes('0x100000000-0x10fffffff')")
    low, high = view(page)
    assert f"view={low:#x}-{high - 1:#x}" in page.run("location.hash")
