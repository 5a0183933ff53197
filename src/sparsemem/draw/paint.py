"""The painters under one name each, for a scene and for a comparison alike. Each is imported when it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.draw.compare import Comparison

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sparsemem.draw.marks import Mark
    from sparsemem.draw.page_text import PageText
    from sparsemem.draw.scene import Scene

__all__ = ["paint_html", "paint_svg", "paint_text"]


def paint_text(
    picture: Scene | Comparison, width: int = 80, *, color: bool = False, unicode: bool = True, limit: int = 200
) -> str:
    """For a terminal or a text file: no line longer than ``width`` columns (40 at least), a newline at the end.

    ``color``: ANSI sequences; ``unicode`` False: ASCII alone, for streams that cannot do more; ``limit``: rows at most, the
    rest is counted. Glyphs tell owners apart without colour, too.
    """
    if isinstance(picture, Comparison):
        from sparsemem.draw.text_compare import paint_comparison

        return paint_comparison(picture, width, color=color, unicode=unicode, limit=limit)
    from sparsemem.draw.text import paint_scene

    return paint_scene(picture, width, color=color, unicode=unicode, limit=limit)


def paint_svg(picture: Scene | Comparison, *, limit: int = 400) -> str:
    """One self-contained SVG document: light and dark, with a title, a description and a tooltip on every cell run."""
    from sparsemem.draw.svg import svg_document

    return svg_document(picture, limit=limit)


def paint_html(
    picture: Scene | Comparison, *, limit: int = 400, marks: Sequence[Mark] | None = None, told: PageText | None = None
) -> str:
    """One HTML page (well-formed XML) without external resources: the address space to zoom into, the SVG, and tables of everything.

    ``marks`` are shown in the picture and listed beside it; None: the faults of the picture. ``told`` is what is said above and
    below the picture (a plan, say). ``limit``: rows of each table and entries of each list at most. Without a script the SVG, the tables,
    the list and what is told remain.
    """
    from sparsemem.draw.html import html_page

    return html_page(picture, limit=limit, marks=marks, told=told)
