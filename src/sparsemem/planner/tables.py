"""Where every byte is, as tables for a terminal: regions, CXL memory devices and their window, memory blocks by node."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sparsemem.units import format_size

if TYPE_CHECKING:
    from sparsemem.planner.lines import Page
    from sparsemem.planner.plan import MemoryBalance, Plan

__all__ = [
    "CXL_PARTS", "CXL_STRANDED", "MEMORY_PARTS", "PARTS", "STRANDED", "add_tables", "by_node", "shows_balance",
]  # fmt: skip

PARTS = {
    "data": "data that users see", "rounding": "more than was asked for", "info_block": "info blocks", "memmap": "struct pages (map=dev)",
    "btt": "sector tables", "padding": "padding", "outside_blocks": "outside memory blocks", "idle": "without a driver",
    "unusable": "free, not usable", "free": "free",
}  # fmt: skip
"""The parts of a balance in words."""
STRANDED = ("rounding", "padding", "outside_blocks", "unusable")
"""Those of them that serve nobody."""
CXL_PARTS = {
    "in_regions": "in CXL regions", "no_decoder": "no decoder left", "disabled": "without a driver", "unusable": "no whole 256 MiB",
    "free": "free",
}  # fmt: skip
"""The parts of a CXL memory device, and of its window."""
CXL_STRANDED = ("no_decoder", "disabled", "unusable")
MEMORY_PARTS = {"kernel": "kernel zones", "movable": "movable", "offline": "offline"}
"""The parts of a node's memory blocks."""


class _Column(NamedTuple):
    """Of a table of bytes."""

    name: str
    size: int
    parts: dict[str, int]


def shows_balance(plan: Plan) -> bool:
    """Is it about regions at all? A plan for memory blocks alone is not."""
    intent = plan.intent
    return bool(intent.items or intent.replace or intent.regions)


def by_node(plan: Plan) -> list[tuple[int, tuple[MemoryBalance | None, MemoryBalance | None]]]:
    """Each node that has memory blocks before or after: its number, and both balances (None: it has none then)."""
    before, after = (
        {each.numa_node: each for each in balances} for balances in (plan.memory_before, plan.memory_after)
    )
    return [(nid, (before.get(nid), after.get(nid))) for nid in sorted({*before, *after})]


def _memory_table(page: Page, plan: Plan) -> None:
    """Bytes of each node's memory blocks, before and after; in units where there is no room for bytes."""
    size: int = plan.before.state.misc["memory_block_size_bytes"]
    for nid, balances in by_node(plan):
        rows = [
            (words, [0 if each is None else getattr(each, part) for each in balances])
            for part, words in MEMORY_PARTS.items()
        ]
        rows = [row for row in rows if any(row[1])]
        rows.append(("together", [sum(row[1][at] for row in rows) for at in (0, 1)]))
        head = f"bytes of node {nid}"
        cells = [(words, [f"{value:,}" for value in values]) for words, values in rows]
        wide = max(len(each) for _, values in cells for each in values) + 2
        if 2 + len(head) + 2 * wide > page.width:
            cells = [(words, [format_size(value) for value in values]) for words, values in rows]
            wide, head = 12, f"{head.removeprefix('bytes of '):<12}"
        page.lines.append(f"  {head}{'before':>{wide}}{'after':>{wide}}")
        page.lines += [f"  {words:<{len(head)}}{one:>{wide}}{two:>{wide}}" for words, (one, two) in cells]
        page.add(f"in memory blocks of {format_size(size)}", "  ")
        page.blank()


def _table(page: Page, columns: list[_Column], rows: dict[str, str], stranded: tuple[str, ...]) -> None:
    """Columns side by side as long as there is room; parts that are zero everywhere are left out."""
    label = max(map(len, PARTS.values())) + 3
    form = ","
    column = max(max((len(f"{each.size:,}") for each in columns), default=0), 8) + 2
    if label + column > page.width:
        form, column = "", max(max(len(str(each.size)) for each in columns), 8) + 1
    per = max((page.width - label) // column, 1)
    for at in range(0, len(columns), per):
        group = columns[at : at + per]
        page.lines.append(f"  {'bytes':<{label - 2}}" + "".join(f"{each.name:>{column}}" for each in group))
        for part, words in rows.items():
            values = [each.parts[part] for each in group]
            if any(values):
                mark = "! " if part in stranded else "  "
                page.lines.append(
                    f"{mark}{words:<{label - 2}}" + "".join(f"{value:>{column}{form}}" for value in values)
                )
        page.lines.append(f"  {'together':<{label - 2}}" + "".join(f"{each.size:>{column}{form}}" for each in group))
        page.blank()


def add_tables(page: Page, plan: Plan) -> None:
    """Memory blocks by node, the regions, then CXL memory devices with the window that their regions are in."""
    _memory_table(page, plan)
    if not shows_balance(plan):
        return
    if plan.balance:
        _table(page, [_Column(each.region, each.size, each.parts) for each in plan.balance], PARTS, STRANDED)
    if plan.cxl:
        _table(page, [_Column(each.name, each.size, each.parts) for each in plan.cxl], CXL_PARTS, CXL_STRANDED)
