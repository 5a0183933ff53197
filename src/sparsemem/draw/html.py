"""One self-contained HTML page: the address space to zoom into, and below it everything as a drawing and as tables.

The page asks the network for nothing, and a content security policy with the hashes of its own script and style lets nothing
else run. Without a script the findings, the drawing and the tables are all there; the script adds the picture (``static/*.js``).
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from sparsemem.draw import html_tables, page_text, words
from sparsemem.draw.compare import Comparison
from sparsemem.draw.fold import fold
from sparsemem.draw.html_tables import text
from sparsemem.draw.marks import fault_marks
from sparsemem.draw.page_data import embedded, page_document
from sparsemem.draw.page_style import page_style
from sparsemem.draw.svg import svg_document

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sparsemem.draw.marks import Mark
    from sparsemem.draw.page_text import PageText
    from sparsemem.draw.scene import Scene

__all__ = ["html_page"]

#: in this order they make one script
_SCRIPTS = (
    "words",
    "model",
    "lanes",
    "axis",
    "paint",
    "strip",
    "readout",
    "view",
    "search",
    "keys",
    "theme",
    "copy",
    "main",
)


@cache
def _script() -> str:
    """One function, so that nothing is global. The CDATA section is a comment to HTML and lets XML read ``<`` and ``&``."""
    folder = files("sparsemem.draw").joinpath("static")
    parts = "\n".join(folder.joinpath(f"{name}.js").read_text(encoding="utf-8") for name in _SCRIPTS)
    return f'//<![CDATA[\n(() => {{\n"use strict";\n{parts}}})();\n//]]>'


def _hash(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


def _folded(scene: Scene) -> Scene:
    """For drawing and tables, which show a screenful, not millions of sections."""
    return replace(scene, rows=tuple(fold(scene, scene.rows)))


def _app(
    marks: Sequence[Mark], labels: Sequence[str], scenes: Sequence[Scene], given: bool, limit: int, noun: str
) -> str:
    picture = files("sparsemem.draw").joinpath("static", "picture.html").read_text(encoding="utf-8")
    listed = html_tables.findings(marks, labels, given=given, limit=limit, noun=noun)
    return (
        f'<div class="app" id="app">\n{picture.replace("{noun}", text(noun))}'
        f'<aside class="findings" id="findings" aria-label="{text(noun.capitalize())}s">\n{listed}</aside>\n'
        f"{html_tables.legend(scenes)}</div>\n"
    )


def html_page(
    picture: Scene | Comparison, *, limit: int, marks: Sequence[Mark] | None = None, told: PageText | None = None
) -> str:
    """The page; it parses as XML too. ``marks``: what to mark and to list, None for the faults of the picture; ``told``: what is said
    around it."""
    if isinstance(picture, Comparison):
        title, labels = "Memory sections: " + " beside ".join(picture.labels), list(picture.labels)
        scenes = [picture.left, picture.right]
        drawn: Scene | Comparison = picture
    else:
        title = "Memory sections of " + (picture.title or f"Linux {picture.kernel} {picture.arch}")
        scenes, labels = [picture], []
        drawn = _folded(picture)
    shown = fault_marks(picture) if marks is None else tuple(marks)
    title = told.title if told is not None else title
    noun = told.noun if told is not None else "finding"
    above, below = (
        page_text.sections(of, limit) for of in ((told.above, told.below) if told is not None else ((), ()))
    )
    lead = f'<div class="told">{"".join(map(page_text.sentence, told.lead))}</div>\n' if told is not None else ""
    style, script = page_style(), _script()
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; base-uri 'none'; form-action 'none'"
    )
    summaries = "".join(
        f"<p>{text('. '.join([words.heading(scene), *words.summary(scene)[:1]]))}.</p>\n" for scene in scenes
    )
    tables = "".join(html_tables.tables(_folded(scene), limit) for scene in scenes)
    return (
        '<!DOCTYPE html>\n<html xmlns="http://www.w3.org/1999/xhtml" lang="en">\n<head>\n<meta charset="utf-8"/>\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}"/>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>\n'
        f"<title>{text(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n"
        f"<header>\n<h1>{text(title)}</h1>\n{lead}{summaries}</header>\n<main>\n{above}"
        f"{_app(shown, labels, scenes, marks is not None, limit, noun)}{below}"
        '<details class="wide" id="drawing" open="open"><summary>Drawing of all sections, to print</summary>\n'
        f"{svg_document(drawn, limit=limit, styled=False)}</details>\n"
        f'<section aria-label="Tables">\n{tables}</section>\n</main>\n'
        f'<script type="application/json" id="sparsemem-data">{embedded(page_document(picture, shown, noun))}</script>\n'
        f"<script>{script}</script>\n</body>\n</html>\n"
    )
