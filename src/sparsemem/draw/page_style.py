"""The style sheet of a page: the palette as variables, light and dark, chosen by the reader's setting or by the page's switch."""

from __future__ import annotations

from importlib.resources import files

from sparsemem.draw.marks import MARKS
from sparsemem.draw.svg_style import colours

__all__ = ["page_style"]

#: variable -> (light, dark); contrast of text on its ground is 4.5:1 at least (tests/browser)
_INKS = {
    "ground": ("#ffffff", "#141617"),
    "ink": ("#1b1f23", "#e3e6e8"),
    "dim": ("#5f676f", "#98a1a9"),
    "rule": ("#e3e6e8", "#2b3035"),
    "edge": ("#8a939b", "#6c757d"),
    "panel": ("#f6f7f8", "#1d2022"),
    "focus": ("#0b57d0", "#8ab4ff"),
    "error": ("#b34700", "#ff9a5c"),
    "warning": ("#8a5a00", "#e9b64d"),
    "notice": ("#36597a", "#9cc3e6"),
    "differs": ("#8e2a8e", "#e49be4"),
    "good": ("#00664a", "#5fd3a8"),
}


def _variables(dark: bool) -> str:
    inks = "".join(f"--{name}:{pair[dark]};" for name, pair in _INKS.items())
    fills = "".join(f"--{name}:{fill};--{name}-t:{ink};" for name, (fill, ink) in colours(dark).items())
    return f"color-scheme:{'dark' if dark else 'light'};{inks}{fills}"


def page_style() -> str:
    """The whole style sheet; without ``<`` and ``&``, so that the page parses as XML, too."""
    classes = "\n".join(
        f".{name}{{fill:var(--{name});background:var(--{name})}} .{name}-t{{fill:var(--{name}-t);color:var(--{name}-t)}}"
        for name in colours(False)
    )
    classes += "\n" + "\n".join(
        f".{severity}{{color:var(--{ink})}} .mark-{severity}{{fill:var(--{ink})}}"
        for severity, (_, ink) in MARKS.items()
    )
    themes = (
        f":root{{{_variables(False)}}}\n"
        f"@media (prefers-color-scheme:dark){{:root:not([data-theme=light]){{{_variables(True)}}}}}\n"
        f":root[data-theme=dark]{{{_variables(True)}}}\n"
    )
    sheet = files("sparsemem.draw").joinpath("static", "page.css").read_text(encoding="utf-8")
    return f"{themes}{classes}\n{sheet}"
