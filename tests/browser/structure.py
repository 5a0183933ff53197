"""What a page shows, as text: every stretch with its place in pixels, its look, the text on it and its name for screen readers.

Nothing of it depends on fonts: places come from addresses and the width of the window, and whether a text is shown from its length.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.browser.chromium import Page

__all__ = ["outline", "pieces", "shown", "told", "view"]

_DUMP = """(() => {
  const cell = (piece) => {
    const rect = piece.querySelector("rect");
    return {
      x: Math.round(rect.getAttribute("x")), width: Math.round(rect.getAttribute("width")), css: rect.getAttribute("class"),
      hatched: piece.querySelector('[fill="url(#hatch)"]') !== null, selected: piece.getAttribute("aria-selected") === "true",
      text: [...piece.querySelectorAll("text")].map((text) => text.textContent), label: piece.getAttribute("aria-label"),
    };
  };
  const row = (each) => ({
    name: each.getAttribute("aria-label"),
    pieces: [...each.querySelectorAll("[role=gridcell]")].map(cell),
  });
  return [...document.querySelectorAll("[role=grid]")].map((grid) => ({
    id: grid.id, rows: [...grid.querySelectorAll("[role=row]")].map(row),
    ruler: [...grid.querySelectorAll(".ruler text")].map((text) => text.textContent),
  }));
})()"""


def _grids(page: Page) -> list[dict[str, Any]]:
    grids: list[dict[str, Any]] = page.run(_DUMP)
    return grids


def pieces(page: Page, grid: str, row: str) -> list[dict[str, Any]]:
    """The stretches of one row of one grid, left to right."""
    for each in _grids(page):
        for lane in each["rows"]:
            if each["id"] == grid and lane["name"] == row:
                found: list[dict[str, Any]] = lane["pieces"]
                return found
    raise LookupError(f"{grid}: {row}")


def view(page: Page) -> tuple[int, int]:
    """The bytes that are shown, as the status line tells."""
    low, _, high = page.run("document.getElementById('status').textContent.split(',')[0]").partition("-")
    return int(low, 16), int(high, 16) + 1


def shown(page: Page, *, strip: bool = True) -> str:
    """The picture, the status line and the readout; ``strip``: and the strip above."""
    lines: list[str] = []
    for grid in _grids(page)[0 if strip else 1 :]:
        lines.append(f"{grid['id']}: {' '.join(grid['ruler'])}")
        for row in grid["rows"]:
            lines.append(f"  {row['name']}")
            for piece in row["pieces"]:
                marks = (" hatched" if piece["hatched"] else "") + (" SELECTED" if piece["selected"] else "")
                text = f" [{' / '.join(piece['text'])}]" if piece["text"] else ""
                lines.append(f"    {piece['x']:>5}+{piece['width']:<5}{piece['css']}{marks}{text} {piece['label']}")
    lines.append("status: " + page.run("document.getElementById('status').textContent"))
    told = page.run(
        "[...document.querySelectorAll('#readout h2, #readout h3, #readout dt, #readout dd')]"
        ".map((each) => ({H2: '', H3: '  ', DT: '    ', DD: '      '})[each.tagName] + each.textContent).join('\\n')"
    )
    return "\n".join([*lines, told]) + "\n"


_TOLD = """[...document.querySelectorAll('h1, .told, .told h2, .told p, .told .command > code, .told tr')].map((each) => {
  if (each.matches('.told')) return '';
  const cells = [...each.querySelectorAll('th, td')].map((cell) => cell.textContent);
  const start = {H1: '# ', H2: '## ', CODE: '  $ ', TR: '  | '}[each.tagName] ?? (each.closest('li') ? '  ' : '');
  const words = each.querySelector('[class]')?.className ?? '';
  const severity = each.matches('p') && (each.className || words) && !words.includes('copy') ? `[${each.className || words}] ` : '';
  const own = each.cloneNode(true);
  for (const button of own.querySelectorAll('button')) button.replaceWith(` (${button.textContent})`);
  return start + severity + (cells.length ? cells.join(' | ') : own.textContent);
}).join('\\n')"""


def told(page: Page) -> str:
    """What is told around the picture: headings, sentences, commands and rows, in order; buttons in brackets. "" where nothing is."""
    if not page.run("document.querySelector('.told') !== null"):
        return ""
    return str(page.run(_TOLD)) + "\n"


_ROLES = {
    "banner", "button", "complementary", "disclosure", "grid", "gridcell", "heading", "main", "region", "row", "search",
    "status", "textbox",
}  # fmt: skip


def outline(page: Page) -> str:
    """The accessibility tree: roles and names of what a screen reader stops at, indented by depth."""
    nodes = page.accessibility()
    by_id = {node["nodeId"]: node for node in nodes}
    lines: list[str] = []

    def walk(node: dict[str, Any], depth: int) -> None:
        role = node.get("role", {}).get("value", "")
        name = node.get("name", {}).get("value", "")
        if role.startswith("DisclosureTriangle"):
            role = "disclosure"
        if role in _ROLES and not node.get("ignored") and (name or role != "row"):
            lines.append(f"{'  ' * depth}{role} {name}".rstrip())
            depth += 1
        for child in node.get("childIds", ()):
            if child in by_id:
                walk(by_id[child], depth)

    walk(next(node for node in nodes if "parentId" not in node), 0)
    return "\n".join(lines) + "\n"
