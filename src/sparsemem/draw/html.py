"""Painting a scene or a comparison as one HTML page: the SVG, and everything it shows as tables. Nothing is fetched."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from sparsemem.draw import words
from sparsemem.draw.compare import Comparison
from sparsemem.draw.palette import FLAG_LETTERS, clean, flag_text
from sparsemem.draw.svg import svg_document
from sparsemem.ranges import format_range

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sparsemem.draw.scene import Scene

__all__ = ["html_page"]

_STYLE = """\
:root{color-scheme:light dark}
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:84rem;padding:0 1rem;background:#fff;color:#1b1f23}
svg{max-width:100%;height:auto} .wide{overflow-x:auto}
h1{font-size:1.4rem} h2{font-size:1.1rem;margin-top:2rem}
table{border-collapse:collapse;font-size:13px} td,th{padding:.2rem .8rem .2rem 0;text-align:left;vertical-align:top}
tr{border-bottom:1px solid #e3e6e8} td:nth-child(-n+2),code{font-family:ui-monospace,Menlo,Consolas,monospace}
@media (prefers-color-scheme:dark){body{background:#141617;color:#e3e6e8}tr{border-color:#2b3035}}
"""


def _text(content: object) -> str:
    return escape(clean(str(content)))


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    cells = "".join(f'<th scope="col">{_text(name)}</th>' for name in head)
    body = "\n".join("<tr>" + "".join(f"<td>{_text(each)}</td>" for each in row) + "</tr>" for row in rows)
    return f'<div class="wide"><table>\n<thead><tr>{cells}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>\n'


def _tables(scene: Scene, limit: int) -> str:
    parts = [f"<h2>{_text(words.heading(scene))}</h2>\n"]
    parts += [f"<p>{_text(line)}</p>\n" for line in words.summary(scene)]
    if scene.faults:
        parts.append("<h3>Faults</h3>\n")
        faults = ((f.kind, format_range(f.range), f.severity, f.what) for f in scene.faults[:limit])
        parts.append(_table(("kind", "addresses", "severity", "what"), faults))
    parts.append("<h3>Owners</h3>\n")
    parts.append(
        _table(("letter", "name", "what"), ((owner.key, owner.name, said) for owner, said in words.legend(scene)))
    )
    parts.append("<h3>Sections</h3>\n")
    nodes = len({row.block.nid for row in scene.rows if row.block}) > 1
    rows = (
        (
            words.section_words(row),
            format_range(row.range),
            flag_text(row.flags, scene.flags) if row.present else "",
            words.describe(scene, row, nodes),
            "; ".join([*row.notes, *(f.kind for f in row.faults)]),
        )
        for row in scene.rows[:limit]
    )
    parts.append(_table(("sections", "addresses", "flags", "what is there", "remarks"), rows))
    if len(scene.rows) > limit:
        parts.append(f"<p>{len(scene.rows) - limit:,} more rows are not shown.</p>\n")
    flags = ", ".join(f"{letter} {name}" for name, letter in FLAG_LETTERS.items() if name in scene.flags)
    parts.append(f"<p>Flags: {_text(flags)}</p>\n")
    return "".join(parts)


def html_page(picture: Scene | Comparison, *, limit: int) -> str:
    """The page; it parses as XML too."""
    if isinstance(picture, Comparison):
        title = "Memory sections: " + " beside ".join(picture.labels)
        scenes = [picture.left, picture.right]
    else:
        title = "Memory sections of " + (picture.title or f"Linux {picture.kernel} {picture.arch}")
        scenes = [picture]
    tables = "".join(_tables(scene, limit) for scene in scenes)
    return (
        '<!DOCTYPE html>\n<html xmlns="http://www.w3.org/1999/xhtml" lang="en">\n<head>\n<meta charset="utf-8"/>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>\n'
        f"<title>{_text(title)}</title>\n<style>\n{_STYLE}</style>\n</head>\n<body>\n<h1>{_text(title)}</h1>\n"
        f'<div class="wide">\n{svg_document(picture, limit=limit)}</div>\n{tables}</body>\n</html>\n'
    )
