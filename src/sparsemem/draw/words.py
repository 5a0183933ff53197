"""The words of a picture: summary, row and legend sentences. Every painter says the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.draw.scene import KINDS
from sparsemem.ranges import format_range
from sparsemem.units import GIB, MIB, PIB, TIB, format_size

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sparsemem.draw.scene import Owner, Row, Scene
    from sparsemem.machine.machine import Answer

__all__ = [
    "block_words",
    "cell_words",
    "describe",
    "heading",
    "legend",
    "refusals",
    "section_words",
    "short",
    "size_words",
    "summary",
]

_FAMILIES = (
    ("RAM", ("ram", "ram-part", "hot")),
    ("offline RAM", ("ram-offline", "hot-offline")),
    ("devices", ("device",)),
    ("holes", ("hole",)),
    ("unowned", ("residue",)),
    ("in conflict", ("conflict",)),
    ("lost", ("lost",)),
    ("not active", ("empty",)),
)
_MEMMAP = {"boot": "from boot", "ram": "from RAM at hot-add", "altmap": "in the devices"}
_PLAIN = {
    "ram-part": "partly RAM",
    "hole": "hole",
    "residue": "? nobody's",
    "conflict": "! in conflict",
    "lost": "mapping without pages",
    "empty": "not active",
}


def size_words(size: int) -> str:
    """``format_size``, but never a rounded ``2.00 GiB``: what is not exact to two decimals there is told in a smaller unit."""
    for unit, name in ((PIB, "PiB"), (TIB, "TiB"), (GIB, "GiB"), (MIB, "MiB")):
        if size >= unit and (size % unit == 0 or not f"{size / unit:.2f}".endswith(".00")):
            return f"{size // unit:,} {name}" if size % unit == 0 else f"{size / unit:,.2f} {name}"
    return format_size(size)


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def heading(scene: Scene) -> str:
    """Kernel, architecture, and how large things are."""
    text = f"Linux {scene.kernel} {scene.arch}, sections of {size_words(scene.section_size)}"
    if scene.has_map:
        text += f" ({scene.units_per_section} sub-sections of {size_words(scene.unit_size)})"
    text += f", memory blocks of {size_words(scene.block_size)}"
    return f"{scene.title}: {text}" if scene.title else text


def summary(scene: Scene) -> list[str]:
    """Sentences below the heading: what there is, where the memmap is, what is broken."""
    early = f" ({scene.early_sections:,} from boot)" if "IS_EARLY" in scene.flags else ""
    parts = [_count(scene.sections, "section") + early]
    for word, kinds in _FAMILIES:
        units = sum(n for owner, n in zip(scene.owners, scene.totals, strict=True) if owner.kind in kinds)
        if units:
            parts.append(f"{word} {size_words(units * scene.unit_size)}")
    lines = [", ".join(parts) + ("" if scene.has_map else " (by whole sections)")]
    memmap = dict(scene.memmap)
    total = sum(memmap.values())
    sources = ", ".join(f"{size_words(size)} {_MEMMAP[name]}" for name, size in memmap.items() if size)
    lines.append(f"memmap {size_words(total)}: {sources}" if total else "no memmap")
    if not scene.has_map:
        lines.append("this kernel has no sub-section map: a section is valid or absent as a whole")
    if scene.faults:
        lines.append(_count(len(scene.faults), "fault") + ", marked !")
    lines.extend(scene.notes)
    return lines


def section_words(row: Row) -> str:
    """``95`` or ``96-135``."""
    return str(row.first) if row.count == 1 else f"{row.first}-{row.last}"


def block_words(row: Row, nodes: bool) -> str:
    """``memory95 online Normal``; empty where there is no memory block."""
    block = row.block
    if block is None:
        return ""
    text = f"memory{block.first}" if block.first == block.last else f"memory{block.first}-{block.last}"
    text += f" {block.state}"
    if block.zone is not None:
        text += f" {block.zone}"
    elif block.state == "online":
        text += ", several zones"
    return text + (f", node {block.nid}" if nodes else "")


def cell_words(scene: Scene, row: Row) -> str:
    """How much of each section of the row belongs to whom: ``a namespace0.0 64 MiB, R System RAM 64 MiB``."""
    sizes: dict[int, int] = {}
    for index, units in row.cells:
        sizes[index] = sizes.get(index, 0) + units * scene.unit_size
    return ", ".join(f"{short(scene.owners[index])} {size_words(size)}" for index, size in sizes.items())


def short(owner: Owner) -> str:
    """``a namespace0.0``: the letter and the name; what has no name of its own is said in words."""
    if owner.kind in _PLAIN:
        return _PLAIN[owner.kind]
    return f"{owner.key} {'RAM' if owner.name == 'System RAM' else owner.name}"


def refusals(answers: Iterable[tuple[str, Answer]]) -> list[str]:
    """What the kernel refused of what was asked of it, by device or step: notes for ``build_scene``."""
    return [
        f"{name or answer.operation.ranges[0]}: {answer.refusal.name}, {' / '.join(answer.refusal.log) or answer.refusal}"
        for name, answer in answers
        if answer.refusal is not None
    ]


def describe(scene: Scene, row: Row, nodes: bool) -> str:
    """One sentence for a row, without its remarks: ``R RAM x40; memory96-135 online Normal``."""
    times = f" x{row.count:,}" if row.count > 1 else ""
    if not row.present:
        text = "absent" + times
    elif len(row.owners) > 1:
        named = [short(owner) for owner in scene.owner_names(row)]
        text = f"{_count(row.count, 'section')} alike, of {len(named)} owners: {named[0]} to {named[-1]}"
        if len(row.cells) > 1:
            text += ", each partly filled; the picture is of the first"
    elif len(row.cells) == 1:
        text = short(scene.owners[row.cells[0][0]]) + times
    else:
        text = ("" if row.count == 1 else f"{row.count:,} sections, each ") + cell_words(scene, row)
    if row.claims:
        sizes: dict[str, int] = {}
        for name, where in row.claims:
            sizes[name] = sizes.get(name, 0) + where.size
        text += "; not mapped: " + ", ".join(f"{name} {size_words(size)}" for name, size in sizes.items())
    block = block_words(row, nodes)
    return text + (f"; {block}" if block else "")


def legend(scene: Scene) -> list[tuple[Owner, str]]:
    """The owners that occur, each with what it means and how much it has; RAM first, then devices by address, then the rest."""
    order = list(KINDS)
    used = [(owner, n) for owner, n in zip(scene.owners, scene.totals, strict=True) if n or owner.kind == "device"]
    used.sort(key=lambda pair: (order.index(pair[0].kind), pair[0].number))
    found = []
    for owner, units in used:
        size = size_words(units * scene.unit_size) + ("" if scene.has_map else " (by whole sections)")
        if owner.kind == "device":
            where = ", ".join(format_range(r) for r in owner.ranges[:3]) + (", ..." if len(owner.ranges) > 3 else "")
            size = size_words(sum(r.size for r in owner.ranges))
            found.append((owner, f"{owner.name} ({owner.detail}) {where}: {size}"))
        else:
            named = owner.kind.startswith("hot") and owner.name != "System RAM"
            found.append((owner, f"{KINDS[owner.kind]}{f' ({owner.name})' if named else ''}: {size}"))
    return found
