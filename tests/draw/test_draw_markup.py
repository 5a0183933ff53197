"""SVG and HTML: well-formed, self-contained, and telling what the text tells."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import xml.etree.ElementTree as ET
from functools import cache

import pytest

from sparsemem.draw import Mark, Scene, build_scene, paint_html, paint_svg, to_json
from sparsemem.machine.notation import parse_machine
from sparsemem.ranges import Range
from tests.draw.machines import pictures

_all = cache(pictures)
SVG = "{http://www.w3.org/2000/svg}"
NAMES = ["mail-5.1", "mail-6.1", "mail-5.1-beside-6.1", "ram-beside-pmem", "arm64-5.10", "64T"]


@pytest.mark.parametrize("name", NAMES)
def test_well_formed_and_self_contained(name: str) -> None:
    picture = _all()[name][0]
    svg, page = paint_svg(picture), paint_html(picture)
    root, document = ET.fromstring(svg), ET.fromstring(page)  # noqa: S314
    assert root.tag == f"{SVG}svg"
    assert [child.tag for child in root[:2]] == [f"{SVG}title", f"{SVG}desc"]
    assert all(child.text for child in root[:2])
    assert len([each for each in document.iter(f"{SVG}svg") if each.get("class") == "sparsemem"]) == 1
    assert "<script" not in svg
    assert page.count("<script") == 2, "the data and the page's own"
    for text in (svg, page):
        assert not re.findall(r"(?:href|src)=|@import|url\((?!#)", text)
        assert set(re.findall(r"https?://[^\"]*", text)) <= {
            "http://www.w3.org/2000/svg",
            "http://www.w3.org/1999/xhtml",
        }


@pytest.mark.parametrize("name", NAMES)
def test_every_box_is_inside_and_has_a_tooltip(name: str) -> None:
    root = ET.fromstring(paint_svg(_all()[name][0]))  # noqa: S314
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    boxes = root.findall(f"{SVG}g")
    assert boxes
    for group in boxes:
        assert group[0].tag == f"{SVG}title"
        assert group[0].text
        box = group[1].attrib
        assert float(box["x"]) >= 0 and float(box["x"]) + float(box["width"]) <= width  # noqa: PT018
        assert float(box["y"]) >= 0 and float(box["y"]) + float(box["height"]) <= height  # noqa: PT018


@pytest.mark.parametrize("name", NAMES)
def test_text_stays_on_the_page(name: str) -> None:
    """Monospace at 12 px is at most 7.3 px a character."""
    root = ET.fromstring(paint_svg(_all()[name][0]))  # noqa: S314
    for text in root.iter(f"{SVG}text"):
        scale = 8.6 if text.get("class") == "sm-title" else 7.3
        if text.get("text-anchor") is None:
            assert float(text.attrib["x"]) + len(text.text or "") * scale <= float(root.attrib["width"])


def test_cells_have_the_width_of_their_share() -> None:
    """Section 95 of the mail's layout on 6.1: both halves are as wide."""
    root = ET.fromstring(paint_svg(_all()["mail-6.1"][0]))  # noqa: S314
    widths = [float(g[1].attrib["width"]) for g in root.findall(f"{SVG}g") if "of section 95," in (g[0].text or "")]
    assert len(widths) == 2
    assert widths[0] == widths[1]


def test_every_section_row_is_in_the_table_of_the_page() -> None:
    scene = _all()["ram-beside-pmem"][0]
    assert isinstance(scene, Scene)
    document = ET.fromstring(paint_html(scene))  # noqa: S314
    cells = {"".join(cell.itertext()) for cell in document.iter("{http://www.w3.org/1999/xhtml}td")}
    for row in scene.rows:
        assert f"{row.range.start:#x}-{row.range.end - 1:#x}" in cells


def test_markup_in_names_is_text() -> None:
    machine = parse_machine("6.1; 1M-1G ram, 4G+256M pmem")
    machine.apply("memremap_pages 0x100000000-0x101ffffff owner=<b>&amp;\x01\"'")
    scene = build_scene(machine.state)
    for painted in (paint_svg(scene), paint_html(scene)):
        root = ET.fromstring(painted)  # noqa: S314
        assert "<b>&amp;" in "".join(root.itertext())
        assert not list(root.iter("b"))


def test_the_policy_allows_exactly_what_the_page_has() -> None:
    """The hashes of its own script and style, and nothing else: no network, no other script, no frame."""
    page = paint_html(_all()["mail-6.1"][0])
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert policy
    rules = dict(rule.split(" ", 1) for rule in policy[1].split("; "))
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    for name, tag in (("script", "<script>"), ("style", "<style>")):
        content = page[page.rindex(tag) + len(tag) : page.rindex(tag.replace("<", "</"))]
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert rules[f"{name}-src"] == f"'sha256-{digest}'"


def test_the_page_carries_the_public_json() -> None:
    scene = _all()["ram-beside-pmem"][0]
    assert isinstance(scene, Scene)
    mark = Mark("x", "notice", "y", (Range(4096, 8192), Range(0, 0)), (("$", "z"),))
    document = ET.fromstring(paint_html(scene, marks=[mark]))  # noqa: S314
    data = next(
        each for each in document.iter("{http://www.w3.org/1999/xhtml}script") if each.get("id") == "sparsemem-data"
    )
    held = json.loads(data.text or "")
    assert held["scene"] == to_json(scene)
    assert held["marks"] == [
        {
            "name": "x",
            "severity": "notice",
            "what": "y",
            "ranges": ["0x1000-0x1fff"],
            "facts": [["$", "z"]],
            "side": None,
        }
    ]


def test_the_list_is_limited_and_says_so() -> None:
    scene = _all()["mail-6.1"][0]
    page = paint_html(scene, marks=[Mark("x", "error", f"number {n}") for n in range(30)], limit=10)
    assert page.count("<details name=") == 10
    assert "20 more are marked in the picture" in page
