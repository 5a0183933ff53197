"""What a page carries: the public JSON of its picture and its marks, in a form that no markup can break."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sparsemem.draw.compare import Comparison
from sparsemem.draw.marks import MARKS, mark_to_json
from sparsemem.draw.palette import FLAG_LETTERS, PSEUDO
from sparsemem.draw.scene import KINDS, to_json
from sparsemem.ranges import format_range

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sparsemem.draw.marks import Mark
    from sparsemem.draw.scene import Scene

__all__ = ["embedded", "page_document"]

#: ``<``, ``>`` and ``&`` never occur in what is embedded: it is text in HTML, in XML, and in any mixture.
_ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


def page_document(picture: Scene | Comparison, marks: Iterable[Mark], noun: str = "finding") -> dict[str, Any]:
    """The data of a page.

    ``{"kinds", "flags", "noun", "signs", "marks", "scene"}``, or ``"comparison"`` in place of ``"scene"``:
    ``{"left", "right", "labels", "pairs"}``.
    ``scene``, ``left`` and ``right`` are what ``scene.to_json`` gives; ``pairs`` are those of ``comparison_to_json`` without the
    rows, which both sides have already; ``marks`` are what ``marks.mark_to_json`` gives; ``kinds`` the words of each owner kind,
    ``flags`` the letter of each section flag, ``signs`` the sign of each severity, worst first, and ``noun`` what a mark is called.
    """
    pictured: dict[str, Any]
    if isinstance(picture, Comparison):
        pairs = [{"range": format_range(pair.range), "same": pair.same} for pair in picture.pairs]
        sides = {"left": to_json(picture.left), "right": to_json(picture.right)}
        pictured = {"comparison": {**sides, "labels": list(picture.labels), "pairs": pairs}}
    else:
        pictured = {"scene": to_json(picture)}
    return {
        "kinds": KINDS | PSEUDO,
        "flags": FLAG_LETTERS,
        "noun": noun,
        "signs": {severity: sign for severity, (sign, _) in MARKS.items()},
        "marks": [mark_to_json(mark) for mark in marks],
        **pictured,
    }


def embedded(document: dict[str, Any]) -> str:
    """The document as ASCII JSON for a ``<script type="application/json">``: it cannot end the element, whatever a name holds."""
    return json.dumps(document, ensure_ascii=True, separators=(",", ":")).translate(_ESCAPES)
