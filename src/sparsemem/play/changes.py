"""What an operation changed, in lines for a reader: devices, sections, memory blocks, zones and the iomem tree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sparsemem.kernel.iomem_text import format_iomem
from sparsemem.kernel.mmzone import flag_names
from sparsemem.play.changes_nd import nd_changes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.kernel.resource import Resource
    from sparsemem.kernel.state import MemoryBlock, MemSection, Snapshot, State, Zone

__all__ = ["changes"]


def changes(state: State, before: Snapshot) -> list[str]:
    """Lines for everything that differs between ``before`` and now; an empty list is "nothing changed"."""
    old = {(name, key): value for name, key, value in before.changes}
    new = {(name, key): value for name, key, value in state.snapshot().changes}
    touched = [item for item in old.keys() | new.keys() if old.get(item, ...) != new.get(item, ...)]
    lines: list[str] = []
    by_table: dict[str, list[Any]] = {}
    for name, key in touched:
        by_table.setdefault(name, []).append(key)
    origin = state.origin
    lines += nd_changes(state, by_table, lambda name, key: old.get((name, key), origin(name, key)))
    lines += _sections(state, by_table.get("sections", []), old, origin)
    lines += _blocks(state, by_table.get("blocks", []), old, origin)
    lines += _zones(state, by_table.get("zones", []), old, origin)
    if "iomem" in by_table.get("misc", []):
        lines += _iomem(old.get(("misc", "iomem"), origin("misc", "iomem")), state.iomem)
    if "auto_online" in by_table.get("misc", []):
        lines.append(f"auto_online_blocks is {state.misc['auto_online']}")
    return lines


def _describe(state: State, ms: MemSection | None) -> str:
    if ms is None or not ms.section_mem_map:
        return "gone"
    flags = "|".join(flag_names(ms.section_mem_map)) or "no flags"
    if not state.kernel.features.subsection_hotplug or ms.usage is None:
        return flags
    if ms.usage.subsection_map == state.kernel.geometry.FULL_SUBSECTION_MAP:
        return f"{flags}, all sub-sections"
    return f"{flags}, sub-sections {ms.usage.subsection_map:#x}"


def _sections(state: State, keys: list[int], old: dict[Any, Any], origin: Any) -> Iterator[str]:
    runs: list[tuple[int, int, str, str]] = []
    for nr in sorted(keys):
        was = _describe(state, old.get(("sections", nr), origin("sections", nr)))
        now = _describe(state, state.sections.get(nr))
        if was == now:
            continue
        if runs and runs[-1][1] == nr - 1 and runs[-1][2:] == (was, now):
            runs[-1] = (runs[-1][0], nr, was, now)
        else:
            runs.append((nr, nr, was, now))
    for first, last, was, now in runs:
        name = f"section {first}" if first == last else f"sections {first}-{last}"
        yield f"{name}: {now}" if was == "gone" else f"{name}: {was} -> {now}"


def _blocks(state: State, keys: list[int], old: dict[Any, Any], origin: Any) -> Iterator[str]:
    def text(block: MemoryBlock | None) -> str:
        if block is None:
            return "gone"
        return block.state + (f" in {block.zone}" if block.zone and block.state == "online" else "")

    for nr in sorted(keys):
        was, now = text(old.get(("blocks", nr), origin("blocks", nr))), text(state.blocks.get(nr))
        if was != now:
            yield f"memory{nr}: {now}" if was == "gone" else f"memory{nr}: {was} -> {now}"


def _zones(state: State, keys: list[Any], old: dict[Any, Any], origin: Any) -> Iterator[str]:
    def text(zone: Zone | None) -> str:
        if zone is None or not zone.spanned_pages:
            return "empty"
        return f"pfn {zone.zone_start_pfn:#x}-{zone.end_pfn - 1:#x}, {zone.present_pages} present"

    for nid, name in sorted(keys):
        was = text(old.get(("zones", (nid, name)), origin("zones", (nid, name))))
        now = text(state.zones.get((nid, name)))
        if was != now:
            yield f"zone {name} of node {nid}: {was} -> {now}"


def _iomem(was: Resource, now: Resource) -> Iterator[str]:
    before, after = format_iomem(was).splitlines(), format_iomem(now).splitlines()
    gone, came = set(before) - set(after), set(after) - set(before)
    yield from (f"iomem - {line.strip()}" for line in before if line in gone)
    yield from (f"iomem + {line.strip()}" for line in after if line in came)
