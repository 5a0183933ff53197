"""The style sheet of the SVG painter: light by default, dark where the reader prefers it."""

from __future__ import annotations

from sparsemem.draw.palette import PSEUDO, style
from sparsemem.draw.scene import KINDS

__all__ = ["HATCH", "STYLESHEET", "colours", "css_class", "hatched"]

_DEVICE_COLOURS = 4


def css_class(kind: str, number: int = -1) -> str:
    """The class of a box; its letter has the same with ``-t``."""
    return f"sm-device{number % _DEVICE_COLOURS}" if kind == "device" else f"sm-{kind}"


def hatched(kind: str) -> bool:
    """Drawn with hatching over the colour, so that colour is never alone."""
    return kind in ("hole", "ram-offline", "hot-offline", "claim", "conflict", "lost")


def colours(dark: bool) -> dict[str, tuple[str, str]]:
    """Class -> (fill, colour of the text on it)."""
    pairs = [(kind, -1) for kind in (*KINDS, *PSEUDO) if kind != "device"]
    pairs += [("device", n) for n in range(_DEVICE_COLOURS)]
    looks = ((css_class(kind, number), style(kind, number)) for kind, number in pairs)
    return {name: look.dark if dark else look.light for name, look in looks}


def _classes(dark: bool) -> str:
    rule = ".sparsemem .{0}{{fill:{1}}} .sparsemem .{0}-t{{fill:{2}}}"
    return "\n".join(rule.format(name, fill, ink) for name, (fill, ink) in colours(dark).items())


_BASE = """\
.sparsemem text{font:12px ui-monospace,"DejaVu Sans Mono",Menlo,Consolas,monospace;fill:#1b1f23;white-space:pre}
.sparsemem .sm-title{font-size:14px;font-weight:bold} .sparsemem .sm-bold{font-weight:bold}
.sparsemem .sm-letter{font-size:11px;font-weight:bold} .sparsemem .sm-dim{fill:#5f676f}
.sparsemem .sm-error{fill:#b34700;font-weight:bold} .sparsemem .sm-warning{fill:#8a5a00}
.sparsemem .sm-ground{fill:#ffffff} .sparsemem .sm-rule{stroke:#e3e6e8;fill:none}
.sparsemem .sm-tick{stroke:#ffffff;stroke-opacity:.45;fill:none}
.sparsemem .sm-empty,.sparsemem .sm-absent,.sparsemem .sm-claim{stroke:#d0d4d8}
"""
_DARK = """\
.sparsemem text{fill:#e3e6e8} .sparsemem .sm-dim{fill:#98a1a9} .sparsemem .sm-ground{fill:#141617}
.sparsemem .sm-error{fill:#ff9a5c} .sparsemem .sm-warning{fill:#e9b64d} .sparsemem .sm-rule{stroke:#2b3035}
.sparsemem .sm-tick{stroke:#000000} .sparsemem .sm-empty,.sparsemem .sm-absent,.sparsemem .sm-claim{stroke:#3a4046}
"""
HATCH = (
    '<defs><pattern id="sm-hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<path d="M0 0V6" stroke="#808080" stroke-opacity=".55" stroke-width="2"/></pattern></defs>\n'
)

STYLESHEET = f"<style>\n{_BASE}{_classes(False)}\n@media (prefers-color-scheme: dark){{\n{_DARK}{_classes(True)}\n}}\n</style>\n{HATCH}"
