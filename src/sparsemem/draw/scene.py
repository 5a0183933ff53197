"""The scene: what there is to draw, as plain values. Painters (text, SVG, HTML) only read it; ``to_json`` writes it down.

A *unit* is what the kernel keeps track of inside a section: a 2 MiB sub-section, or the whole section where the kernel has no
sub-section map (up to v5.2). Addresses are bytes, ranges half-open.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sparsemem.ranges import Range, format_range

__all__ = ["KINDS", "BlockInfo", "FaultMark", "Owner", "Row", "Scene", "row_to_json", "to_json"]

#: owner kind -> what it means, in the words of every legend.
KINDS: dict[str, str] = {
    "ram": "RAM from boot, online",
    "ram-offline": "RAM from boot, its memory block offline",
    "ram-part": "partly RAM: boot made the whole sub-section active, a device cannot be added here",
    "hot": "hot-added RAM, online",
    "hot-offline": "hot-added RAM, offline",
    "device": "device memory (ZONE_DEVICE)",
    "hole": "hole of a boot section: pfn_valid() says yes, nobody owns it",
    "residue": "active, but nobody owns it",
    "conflict": "more than one owner",
    "lost": "a live device mapping without valid pages",
    "empty": "not active",
}


@dataclass(frozen=True, slots=True)
class Owner:
    """Who has a unit: ``kind`` of KINDS, ``key`` the letter that stands for it, ``number`` counts the devices from 0 in address
    order (-1 for the rest). ``ranges`` are a device's own bytes, ``detail`` its pagemap type and where its memmap is.
    """

    kind: str
    name: str
    key: str
    number: int = -1
    detail: str = ""
    ranges: tuple[Range, ...] = ()


@dataclass(frozen=True, slots=True)
class BlockInfo:
    """The memory blocks of a row: numbers ``first`` to ``last``, all in ``state`` and ``zone`` (None: several, or none recorded)."""

    first: int
    last: int
    state: str
    zone: str | None
    nid: int
    early: bool


@dataclass(frozen=True, slots=True)
class FaultMark:
    """A broken invariant that touches the row or the scene."""

    kind: str
    range: Range
    what: str
    severity: str = "error"


@dataclass(frozen=True, slots=True)
class Row:
    """Sections ``first`` to ``first + count - 1``, all alike: same flags, same pattern of owners, same kind of memory block.

    ``cells`` is the pattern of one section as (index into ``Scene.owners``, units), low address first; empty where no section
    is present. ``owners`` of a folded row that stands for several devices lists all of them. ``claims`` are bytes that the
    iomem tree gives to a device and that no mapping covers.
    """

    first: int
    count: int
    range: Range
    present: bool
    flags: tuple[str, ...] = ()
    cells: tuple[tuple[int, int], ...] = ()
    owners: tuple[int, ...] = ()
    block: BlockInfo | None = None
    claims: tuple[tuple[str, Range], ...] = ()
    notes: tuple[str, ...] = ()
    faults: tuple[FaultMark, ...] = ()

    @property
    def last(self) -> int:
        return self.first + self.count - 1

    @property
    def detailed(self) -> bool:
        """Worth its own picture: mixed or partly filled sections, and whatever has a remark."""
        return self.present and (
            len(self.cells) > 1 or bool(self.notes) or any(f.range.start >= self.range.start for f in self.faults)
        )


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything a painter needs. ``totals``: units per owner; ``memmap``: bytes of struct pages by where they come from
    ("boot", "ram", "altmap"); ``flags``: the section flags that this kernel has.
    """

    title: str
    kernel: str
    arch: str
    page_size: int
    section_size: int
    unit_size: int
    has_map: bool
    block_size: int
    flags: tuple[str, ...]
    owners: tuple[Owner, ...]
    rows: tuple[Row, ...]
    totals: tuple[int, ...]
    sections: int
    early_sections: int
    memmap: tuple[tuple[str, int], ...]
    faults: tuple[FaultMark, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def units_per_section(self) -> int:
        return self.section_size // self.unit_size

    def owner_names(self, row: Row) -> tuple[Owner, ...]:
        """The owners in a row, in the order of their first appearance."""
        seen = dict.fromkeys(row.owners or tuple(index for index, _ in row.cells))
        return tuple(self.owners[index] for index in seen)


def _fault_json(fault: FaultMark) -> dict[str, Any]:
    return {"kind": fault.kind, "severity": fault.severity, "range": format_range(fault.range), "what": fault.what}


def row_to_json(row: Row) -> dict[str, Any]:
    """A row as plain values; see ``to_json``."""
    block = row.block
    return {
        "first": row.first,
        "count": row.count,
        "range": format_range(row.range),
        "present": row.present,
        "flags": list(row.flags),
        "cells": [[index, units] for index, units in row.cells],
        "owners": sorted(set(row.owners or (index for index, _ in row.cells))),
        "block": None
        if block is None
        else {
            "first": block.first,
            "last": block.last,
            "state": block.state,
            "zone": block.zone,
            "node": block.nid,
            "boot": block.early,
        },
        "claims": [{"name": name, "range": format_range(r)} for name, r in row.claims],
        "notes": list(row.notes),
        "faults": [_fault_json(fault) for fault in row.faults],
    }


def to_json(scene: Scene) -> dict[str, Any]:
    """The scene as plain values.

    ``flags``: the section flags that this kernel has. ``owners``: list of ``{"kind", "key", "number", "name", "detail", "ranges",
    "units", "bytes"}``. ``rows``: runs of equal sections, low to high, ``{"first", "count", "range", "present", "flags", "cells",
    "owners", "block", "claims", "notes", "faults"}``;
    ``cells`` is the pattern of each section of the row as ``[owner index, units]`` pairs, a unit being ``unit_bytes`` long.
    A row that stands for several devices has all of them in ``owners`` and the first one's pattern in ``cells``.
    Ranges are inclusive hexadecimal text as the kernel prints them; sizes are bytes.
    """
    return {
        "title": scene.title,
        "kernel": scene.kernel,
        "arch": scene.arch,
        "page_bytes": scene.page_size,
        "section_bytes": scene.section_size,
        "unit_bytes": scene.unit_size,
        "subsection_map": scene.has_map,
        "block_bytes": scene.block_size,
        "flags": list(scene.flags),
        "sections": scene.sections,
        "early_sections": scene.early_sections,
        "memmap_bytes": dict(scene.memmap),
        "owners": [
            {
                "kind": owner.kind,
                "key": owner.key,
                "number": owner.number,
                "name": owner.name,
                "detail": owner.detail,
                "ranges": [format_range(r) for r in owner.ranges],
                "units": units,
                "bytes": units * scene.unit_size,
            }
            for owner, units in zip(scene.owners, scene.totals, strict=True)
        ],
        "rows": [row_to_json(row) for row in scene.rows],
        "faults": [_fault_json(fault) for fault in scene.faults],
        "notes": list(scene.notes),
    }
