"""``draw``: sections and sub-sections as a picture. A scene is built once from a state; text, SVG and HTML only paint it."""

from __future__ import annotations

from sparsemem.draw.build import FaultLike, build_scene
from sparsemem.draw.compare import Comparison, Pair, compare, comparison_to_json
from sparsemem.draw.marks import Mark, fault_marks
from sparsemem.draw.page_text import Commands, Line, PageText, Section, Sentence, Table
from sparsemem.draw.paint import paint_html, paint_svg, paint_text
from sparsemem.draw.scene import KINDS, BlockInfo, FaultMark, Owner, Row, Scene, to_json

__all__ = [
    "KINDS",
    "BlockInfo",
    "Commands",
    "Comparison",
    "FaultLike",
    "FaultMark",
    "Line",
    "Mark",
    "Owner",
    "PageText",
    "Pair",
    "Row",
    "Scene",
    "Section",
    "Sentence",
    "Table",
    "build_scene",
    "compare",
    "comparison_to_json",
    "fault_marks",
    "paint_html",
    "paint_svg",
    "paint_text",
    "to_json",
]
