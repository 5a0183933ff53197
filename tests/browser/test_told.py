"""What is told around the picture: commands that can be copied, names that are data, and pages of plans, upgrades, diffs and logs."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import pytest

from sparsemem import fixtures
from sparsemem.draw import Commands, Line, PageText, Section, Sentence, Table, paint_html
from sparsemem.machine.build import build
from sparsemem.planner import Intent, Item, make_plan, paint_plan
from sparsemem.planner.intent import Amount
from sparsemem.readers import read_machine
from tests.browser import pages
from tests.browser.structure import pieces, view
from tests.browser.test_page import CONTRAST, HOSTILE
from tests.draw import machines

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.browser.chromium import Browser, Page

INTENT = "replace all, 2 x fsdax 208M name=db, system-ram all whole blocks"
PAGES = (
    pages.plan,
    pages.no_plan,
    pages.guest_plan,
    pages.cxl_plan,
    pages.memory_plan,
    pages.upgrade,
    pages.diff,
    pages.log,
)


@pytest.fixture
def clipboard(browser: Browser) -> None:
    """Pages may write to the clipboard, and these tests may read it."""
    browser.call("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])


def _click(page: Page, selector: str) -> None:
    page.call("Page.bringToFront")
    page.run(f"document.querySelector({selector!r}).scrollIntoView({{block: 'center'}})")
    page.painted()
    x, y = page.run(
        f"(({{x, y, width, height}}) => [x + width / 2, y + height / 2])(document.querySelector({selector!r}).getBoundingClientRect())"
    )
    page.mouse("mousePressed", x, y, button="left", clickCount=1)
    page.mouse("mouseReleased", x, y, button="left", clickCount=1)


def _copied(page: Page) -> str:
    return str(page.run("navigator.clipboard.readText()"))


@pytest.mark.usefixtures("clipboard")
def test_all_commands_are_copied_as_the_plan_has_them(opened: Callable[..., Page]) -> None:
    plan = pages.plan_of(INTENT)
    page = opened(paint_plan(plan))
    _click(page, ".beside + .copy")
    page.wait("document.querySelector('.beside + .copy').textContent === 'copied'")
    lines = _copied(page).splitlines()
    assert [tuple(shlex.split(line)) for line in lines] == [command.argv for command in plan.commands]


@pytest.mark.usefixtures("clipboard")
def test_one_command_is_copied_by_keyboard(opened: Callable[..., Page]) -> None:
    plan = pages.plan_of(INTENT)
    page = opened(paint_plan(plan))
    page.run("document.querySelectorAll('.commands .copy')[8].focus()")
    page.press("Enter")
    page.wait("document.activeElement.textContent === 'copied'")
    assert shlex.split(_copied(page)) == list(plan.commands[8].argv)
    page.wait("document.activeElement.textContent === 'copy'")
    # A key pressed on a button outside of the picture is not the picture's.
    before = view(page)
    page.press("+")
    assert view(page) == before


def test_without_a_clipboard_the_command_is_selected(opened: Callable[..., Page]) -> None:
    page = opened(pages.plan())
    page.run("navigator.clipboard.writeText = () => Promise.reject(new Error('no'))")
    page.run("document.querySelector('.commands .copy').click()")
    page.wait("document.querySelector('.commands .copy').textContent === 'selected'")
    assert page.run("getSelection().toString()") == "ndctl destroy-namespace -f namespace0.0"


def test_what_goes_is_marked_before_and_what_comes_after(opened: Callable[..., Page]) -> None:
    plan = pages.plan_of(INTENT)
    page = opened(paint_plan(plan))
    page.press("n")
    assert page.run("document.querySelector('[data-mark][open] .severity').textContent") == "destroyed"
    low, high = view(page)
    assert low <= 0x100000000 < high
    for each in plan.namespaces:
        page.run(f"location.hash = 'view={each.range.start:#x}-{each.range.end - 1:#x}'")
        page.painted()
        made = [piece for piece in pieces(page, "side1", "changes") if piece["css"] == "mark-made"]
        assert [piece["label"].split(":")[1].strip() for piece in made] == [each.dev]
        assert made[0]["label"].endswith(f"{each.range.start:#x}-{each.range.end - 1:#x}, {each.raw >> 20} MiB")
        assert not any(piece["css"] == "mark-made" for piece in pieces(page, "side0", "changes"))
    assert not any(piece["css"] == "mark-destroyed" for piece in pieces(page, "side1", "changes"))


def _marks(page: Page, side: str, start: int, end: int) -> dict[str, str]:
    """Name -> class of the marks that are seen on a side when these addresses are."""
    page.run(f"location.hash = 'view={start:#x}-{end - 1:#x}'")
    page.painted()
    return {piece["label"].split(":")[1].strip(): piece["css"] for piece in pieces(page, side, "changes")}


def test_a_cxl_region_is_marked_where_it_was_and_where_it_is(opened: Callable[..., Page]) -> None:
    plan = pages.cxl_plan_of()
    page = opened(paint_plan(plan))
    (region,) = plan.regions
    before, after = (_marks(page, side, *region.range) for side in ("side0", "side1"))
    assert before == {"region0": "mark-removed", "namespace0.0": "mark-destroyed"}
    made = {"region0": "mark-made", "namespace0.0": "mark-made", "namespace0.1": "mark-made"}
    assert after == {**made, "memory226-memory227": "mark-offline"}
    page.run("document.querySelectorAll('[data-mark] summary')[2].click()")
    page.painted()
    said = page.run("document.querySelectorAll('[data-mark]')[2].textContent")
    assert "cxl create-region -t pmem -d decoder0.0 -w 2 -s 1G -m mem0 mem1" in said


def test_memory_that_goes_on_and_offline_is_marked_on_both_sides(opened: Callable[..., Page]) -> None:
    plan = pages.memory_plan_of()
    page = opened(paint_plan(plan))
    for each in plan.memory:
        for side in ("side0", "side1"):
            assert list(_marks(page, side, *each.range).values()) == [f"mark-{each.action}"]


def test_go_to_a_namespace_that_the_picture_has_only_as_a_mark(opened: Callable[..., Page]) -> None:
    page = opened(pages.plan())
    page.press("g", *"namespace0.6", "Enter")
    low, high = view(page)
    assert low <= 0x10D000000 < 0x11A000000 <= high


@pytest.mark.usefixtures("clipboard")
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_of_a_namespace_is_data(opened: Callable[..., Page], name: str) -> None:
    """It is shown, never run; what is copied is the command to the byte, or nothing where it cannot be shown as it is."""
    line = shlex.join(("ndctl", "create-namespace", "-n", name))
    told = PageText(
        name,
        "change",
        (Sentence(name, "error", command=name), Sentence(name, code=name)),
        (Section(name, (Commands((Line(line, name, name), Line("true"))),)),),
        (Section("below", (Table((name, "n"), ((name, 1),), frozenset({1})),)),),
    )
    page = opened(paint_html(machines.ram_beside_pmem(), told=told))
    page.press("n")
    assert page.run("document.querySelectorAll('img, script:not([type])').length") == 1
    assert page.run("document.querySelectorAll('script').length") == 2
    assert page.run("document.title") != "owned"
    seen = page.run("document.querySelector('ol.commands code').textContent")
    if all(each.isprintable() for each in name):
        assert seen == line
        page.call("Page.bringToFront")
        page.run("document.querySelector('ol.commands .copy').click()")
        page.wait("document.querySelector('ol.commands .copy').textContent === 'copied'")
        assert shlex.split(_copied(page)) == ["ndctl", "create-namespace", "-n", name]
        assert page.run("document.querySelectorAll('ol.commands .copy').length") == 2
    else:
        assert "?" in seen
        assert page.run("document.querySelectorAll('ol.commands .copy').length") == 1, "the other one"
        assert not page.run("document.querySelector('.beside')"), "all of them cannot be copied then"
        assert "not as it is typed" in page.run("document.querySelector('ol.commands').textContent")


def test_a_plan_with_a_hostile_name(opened: Callable[..., Page]) -> None:
    """From the intent through ndctl's label on the model to the page."""
    name = "<b id='x'>&\"'</b>"
    machine = build(read_machine(fixtures.path("pmem-guest")), devices=True).machine
    plan = make_plan(machine, Intent((Item(mode="fsdax", amount=Amount("raw", 64 << 20), name=name),)))
    assert plan.commands
    page = opened(paint_plan(plan))
    assert not page.run("document.getElementById('x')")
    assert f"name={name}" in page.run("document.getElementById('findings').textContent")
    assert page.run("document.querySelector('ol.commands code').textContent") == shlex.join(plan.commands[0].argv)


def test_without_a_script_everything_is_told(opened: Callable[..., Page]) -> None:
    page = opened(pages.plan(), script=False)
    assert page.run("document.querySelectorAll('button.copy').length") == 0
    told = page.run("[...document.querySelectorAll('.told')].map((each) => each.getBoundingClientRect().height > 20)")
    assert told == [True] * 5
    for command in pages.plan_of(INTENT).commands:
        assert shlex.join(command.argv) in page.run("document.querySelector('ol.commands').textContent")


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("make", PAGES, ids=lambda make: make.__name__)
def test_contrast(opened: Callable[..., Page], make: Callable[[], str], dark: bool) -> None:
    """Text against what is behind it: 4.5 to 1 at least (WCAG 2.2, 1.4.3)."""
    page = opened(make(), dark=dark)
    page.press("n")
    assert page.run(CONTRAST) == []


@pytest.mark.parametrize("width", [320, 700, 1920])
@pytest.mark.parametrize("make", PAGES, ids=lambda make: make.__name__)
def test_nothing_is_wider_than_the_window(opened: Callable[..., Page], make: Callable[[], str], width: int) -> None:
    page = opened(make(), width=width)
    page.press("n", "?")
    assert page.run("document.documentElement.scrollWidth") <= width
    # Nothing lies over something else: the parts follow each other, or are beside each other.
    overlaps = page.run("""(() => {
      const boxes = [...document.querySelectorAll('header, main > section, main > .app, #drawing, .commands > li')]
        .map((each) => [each, each.getBoundingClientRect()]).filter(([, { width, height }]) => width && height);
      return boxes.flatMap(([a, one], at) => boxes.slice(at + 1).filter(([b, two]) => !a.contains(b) && !b.contains(a)
        && !(a.closest('.commands') || b.closest('.commands')) && one.bottom > two.top + 1 && two.bottom > one.top + 1
        && one.right > two.left + 1 && two.right > one.left + 1).map(([b]) => `${a.className} ${b.className}`));
    })()""")
    assert overlaps == []


def test_many_commands_open_and_scroll(opened: Callable[..., Page]) -> None:
    """4,096 commands are all there, and copied all at once."""
    lines = tuple(Line(f"ndctl create-namespace -s {n}M", f"{n}. why") for n in range(4096))
    told = PageText("many", "change", (), (Section("Commands", (Commands(lines),)),))
    page = opened(paint_html(machines.ram_beside_pmem(), told=told))
    assert page.run("document.querySelectorAll('ol.commands > li').length") == 4096
    assert page.run("document.querySelectorAll('ol.commands .copy').length") == 4096
    assert page.run("document.querySelector('.beside + .copy').textContent") == "copy all 4,096"
    assert page.run("document.querySelector('ol.commands').getBoundingClientRect().height") < 300
