"""The checks behind ``faults()``: each yields ``(kind, start_pfn, end_pfn, what)``. Cheap on large, uniform machines."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate

from sparsemem.kernel.memory_hotplug.pages import pfn_to_online_page
from sparsemem.kernel.memory_hotplug.zones import ZONE_DEVICE, pages_per_block
from sparsemem.kernel.mmzone import (
    SECTION_HAS_MEM_MAP,
    SECTION_IS_EARLY,
    SECTION_IS_ONLINE,
    SECTION_MAP_MASK,
    SECTION_MARKED_PRESENT,
    pfn_valid,
    subsection_mask,
)
from sparsemem.kernel.pgmap_array import entries as pgmap_entries
from sparsemem.kernel.resource import IORESOURCE_BUSY, IORESOURCE_SYSTEM_RAM, walk_system_ram_range
from sparsemem.kernel.sparse_vmemmap import shared_mappings, vmemmap_can_optimize
from sparsemem.kernel.state import MemSection, State, Vmemmap, Zone

__all__ = ["blocks", "device_mappings", "memmaps", "owners", "resources", "section_words", "spans"]

Found = Iterator[tuple[str, int, int, str]]
_NOTHING = Vmemmap(0, 0, 0)
_LAST_PFN = 1 << 64


def _runs(state: State, nr: int, mask: int) -> Iterator[tuple[int, int]]:
    """The pfn runs of the set bits of a section's mask."""
    g = state.kernel.geometry
    start = nr << g.PFN_SECTION_SHIFT
    while mask:
        low = (mask & -mask).bit_length() - 1
        length = ((~(mask >> low)) & ((mask >> low) + 1)).bit_length() - 1
        yield start + low * g.PAGES_PER_SUBSECTION, start + (low + length) * g.PAGES_PER_SUBSECTION
        mask &= ~(((1 << length) - 1) << low)


def _valid_mask(state: State, ms: MemSection) -> int:
    full = state.kernel.geometry.FULL_SUBSECTION_MAP
    if not ms.section_mem_map & SECTION_HAS_MEM_MAP:
        return 0
    if ms.section_mem_map & SECTION_IS_EARLY or not state.kernel.features.subsection_hotplug:
        return full
    return ms.usage.subsection_map if ms.usage else 0


def memmaps(state: State) -> Found:
    """Valid pfns have a memmap, and a memmap has somebody to serve."""
    vmemmap, sections = state.vmemmap, state.sections
    for nr, ms in sections.items():
        valid = _valid_mask(state, ms)
        populated = vmemmap.get(nr, _NOTHING).populated
        if valid == populated:
            continue
        for start, end in _runs(state, nr, valid & ~populated):
            yield "valid-without-memmap", start, end, "pfn_valid() says yes, but the struct pages are not mapped"
        for start, end in _runs(state, nr, populated & ~shared_mappings(state, valid)):
            yield "memmap-without-section", start, end, "a memmap is mapped that no active sub-section uses"
    for nr in vmemmap.keys() - sections.keys():
        for start, end in _runs(state, nr, vmemmap[nr].populated):
            yield "memmap-without-section", start, end, "a memmap is mapped that no active sub-section uses"


def section_words(state: State) -> Found:
    """Words and usages of sections."""
    g = state.kernel.geometry
    size = g.PAGES_PER_SECTION
    for nr, ms in state.sections.items():
        start = nr << g.PFN_SECTION_SHIFT
        word = ms.section_mem_map
        if nr >= g.NR_MEM_SECTIONS:
            yield "section-beyond-table", start, start + size, f"section {nr} lies beyond the last of the table"
        if word & SECTION_HAS_MEM_MAP:
            if ms.usage is None:
                yield "usage-freed", start, start + size, f"section {nr} is valid but has no usage map"
            if word & SECTION_MAP_MASK & ((1 << 64) - 1) != g.vmemmap_base:
                yield (
                    "section-word-not-memmap",
                    start,
                    start + size,
                    f"section {nr} codes an address that is not its memmap",
                )
        elif word:
            yield "stale-section-word", start, start + size, "a section that is gone has a word that is not zero"
    for kind, nr in state.misc.get("corrupted", frozenset()):
        start = nr << g.PFN_SECTION_SHIFT
        if kind == "boot-usage-freed":
            yield (
                "usage-freed",
                start,
                start + size,
                f"the usage of section {nr} lay in boot memory and was freed to the slab",
            )
        elif kind == "altmap-page-freed":
            what = f"the memmap of section {nr} lay in an altmap and was freed to the page allocator"
            yield "altmap-page-freed", start, start + size, what
        elif kind == "uninitialised-memmap-read":
            what = f"a zone or node was read from the uninitialised memmap of section {nr}"
            yield "uninitialised-memmap-read", start, start + size, what
    if state.kernel.features.uninitialised_holes_in_last_section:
        yield from _uninitialised_hole(state)


def _uninitialised_hole(state: State) -> Found:
    g = state.kernel.geometry
    zones = state.misc.get("boot_zones", ())
    if not zones:
        return
    end = max(stop for _, stop, _, _ in zones)
    ms = state.sections.get(end >> g.PFN_SECTION_SHIFT)
    if end & (g.PAGES_PER_SECTION - 1) and ms is not None and ms.section_mem_map & SECTION_IS_ONLINE:
        stop = (end | (g.PAGES_PER_SECTION - 1)) + 1
        yield (
            "uninitialised-hole",
            end,
            stop,
            "the last boot section ends in a hole whose struct pages were never initialised",
        )


def device_mappings(state: State) -> Found:
    """Every live mapping has valid pages, its own memmap, and can be found."""
    g, f = state.kernel.geometry, state.kernel.features
    entries = {key: [] for key in state.pgmaps}  # type: dict[object, list[tuple[int, int]]]
    for start, end, key in pgmap_entries(state):
        if key in entries:
            entries[key].append((start, end))
    users: dict[int, int] = {}
    for key, pgmap in state.pgmaps.items():
        for start, end in pgmap.ranges:
            yield from _lost(start, end, entries[key])
        for first, stop in pgmap.mapped:
            low, high = first >> g.PFN_SECTION_SHIFT, ((stop - 1) >> g.PFN_SECTION_SHIFT) + 1
            for nr in range(low, high) if not f.subsection_hotplug or high - low < 3 else (low, high - 1):
                users[nr] = users.get(nr, 0) + 1
            yield from _unbacked(state, first, stop)
            if pgmap.vmemmap_shift and f.compound_init_ignores_boot_memmap and vmemmap_can_optimize(state, pgmap):
                yield from _uninitialised(state, first, stop)
            if not f.pfn_to_online_page_checks_subsection:
                yield from _looks_online(state, first, stop)
    if not f.subsection_hotplug:
        for nr, count in users.items():
            ms = state.sections.get(nr)
            if count > 1 or (ms is not None and ms.usage is not None and ms.usage.reserved):
                start = nr << g.PFN_SECTION_SHIFT
                what = f"section {nr} has one memmap and more than one user"
                yield "shared-memmap", start, start + g.PAGES_PER_SECTION, what


def _lost(start: int, end: int, known: list[tuple[int, int]]) -> Found:
    at = start
    for low, high in sorted(known):
        if low > at:
            yield "pgmap-lookup-lost", at, min(low, end), "a live device mapping is not in pgmap_array here"
        at = max(at, high)
    if at < end:
        yield "pgmap-lookup-lost", at, end, "a live device mapping is not in pgmap_array here"


def _unbacked(state: State, first: int, stop: int) -> Found:
    g = state.kernel.geometry
    sections = state.sections
    full = g.FULL_SUBSECTION_MAP
    for nr in range(first >> g.PFN_SECTION_SHIFT, ((stop - 1) >> g.PFN_SECTION_SHIFT) + 1):
        ms = sections.get(nr)
        start = nr << g.PFN_SECTION_SHIFT
        low, high = max(first, start), min(stop, start + g.PAGES_PER_SECTION)
        valid = _valid_mask(state, ms) if ms is not None else 0
        if valid == full:
            continue
        missing = subsection_mask(g, low, high - low) & ~valid
        for begin, end in _runs(state, nr, missing):
            yield "device-without-pages", begin, end, "a live device mapping has no valid pages here"


def _uninitialised(state: State, first: int, stop: int) -> Found:
    g = state.kernel.geometry
    for nr in {first >> g.PFN_SECTION_SHIFT, (stop - 1) >> g.PFN_SECTION_SHIFT}:
        ms = state.sections.get(nr)
        if ms is not None and ms.section_mem_map & SECTION_IS_EARLY:
            start = nr << g.PFN_SECTION_SHIFT
            low, high = max(first, start), min(stop, start + g.PAGES_PER_SECTION)
            what = "large device pages on the full boot memmap: most of their struct pages were never initialised"
            yield "uninitialised-device-pages", low, high, what


def _looks_online(state: State, first: int, stop: int) -> Found:
    g = state.kernel.geometry
    for nr in {first >> g.PFN_SECTION_SHIFT, (stop - 1) >> g.PFN_SECTION_SHIFT}:
        start = nr << g.PFN_SECTION_SHIFT
        low, high = max(first, start), min(stop, start + g.PAGES_PER_SECTION)
        if pfn_to_online_page(state, low):
            yield "device-pages-look-online", low, high, "pfn_to_online_page() takes these device pages for online RAM"


def owners(state: State) -> Found:
    """Active sub-sections that are neither RAM (boot, or of a memory block) nor a device's."""
    if not state.kernel.features.subsection_hotplug:
        yield from _unowned_sections(state)
        return
    g = state.kernel.geometry
    per_block = pages_per_block(state) >> g.PFN_SECTION_SHIFT
    claimed: dict[int, int] = {}
    whole: list[tuple[int, int]] = []
    for pgmap in state.pgmaps.values():
        for first, stop in pgmap.mapped:
            low, high = first >> g.PFN_SECTION_SHIFT, (stop - 1) >> g.PFN_SECTION_SHIFT
            for nr in {low, high}:
                start = nr << g.PFN_SECTION_SHIFT
                begin, end = max(first, start), min(stop, start + g.PAGES_PER_SECTION)
                claimed[nr] = claimed.get(nr, 0) | subsection_mask(g, begin, end - begin)
            if high - low > 1:
                whole.append((low + 1, high))
    whole.sort()
    blocks, at, inside = state.blocks, 0, 0
    for nr in sorted(state.sections) if whole else state.sections:
        ms = state.sections[nr]
        if ms.usage is None or not ms.usage.subsection_map:
            continue
        if whole:
            while at < len(whole) and whole[at][1] <= nr:
                at += 1
            inside = at < len(whole) and whole[at][0] <= nr
            if inside:
                continue
        block = blocks.get(nr // per_block)
        if block is not None and not block.early:
            continue
        mine = claimed.get(nr, 0) | (_boot_mask(state, nr) if ms.section_mem_map & SECTION_IS_EARLY else 0)
        if ms.usage.subsection_map & ~mine:
            for start, end in _runs(state, nr, ms.usage.subsection_map & ~mine):
                yield "unowned-pages", start, end, "active sub-sections that neither RAM nor a device mapping owns"


def _unowned_sections(state: State) -> Found:
    g = state.kernel.geometry
    per_block = pages_per_block(state) >> g.PFN_SECTION_SHIFT
    mapped = sorted(pair for pgmap in state.pgmaps.values() for pair in pgmap.mapped)
    reach = list(accumulate((stop for _, stop in mapped), max))  # mappings may overlap on these kernels
    for nr, ms in state.sections.items():
        if ms.usage is None or ms.usage.reserved or nr // per_block in state.blocks:
            continue
        start = nr << g.PFN_SECTION_SHIFT
        at = bisect_right(mapped, (start, _LAST_PFN))
        if not at or reach[at - 1] <= start:
            yield (
                "unowned-pages",
                start,
                start + g.PAGES_PER_SECTION,
                "a section that neither RAM nor a device mapping owns",
            )


def _boot_mask(state: State, nr: int) -> int:
    boot: dict[int, int] = state.misc.get("boot_maps", {})
    return boot.get(nr, state.kernel.geometry.FULL_SUBSECTION_MAP)


def blocks(state: State) -> Found:
    """Memory blocks hold RAM only, and their sections are there."""
    g = state.kernel.geometry
    pages = pages_per_block(state)
    per_block = pages >> g.PFN_SECTION_SHIFT
    for pgmap in state.pgmaps.values():
        for first, stop in pgmap.mapped:
            for block_id in {first // pages, (stop - 1) // pages} | _blocks_inside(
                state, first // pages, stop // pages
            ):
                if block_id in state.blocks:
                    low, high = max(first, block_id * pages), min(stop, (block_id + 1) * pages)
                    what = f"memory{block_id} is a memory block and holds device pages: it can never be offlined"
                    yield "block-holds-device-pages", low, high, what
    for block_id, block in state.blocks.items():
        if block.early:
            continue
        for nr in range(block_id * per_block, (block_id + 1) * per_block):
            ms = state.sections.get(nr)
            if ms is None or not ms.section_mem_map & SECTION_MARKED_PRESENT:
                start = nr << g.PFN_SECTION_SHIFT
                yield (
                    "block-without-sections",
                    start,
                    start + g.PAGES_PER_SECTION,
                    f"memory{block_id} exists, its section not",
                )


def _blocks_inside(state: State, first: int, last: int) -> set[int]:
    if last - first < 2:
        return set()
    if last - first > len(state.blocks):
        return {block_id for block_id in state.blocks if first < block_id < last}
    return {block_id for block_id in range(first + 1, last) if block_id in state.blocks}


def spans(state: State) -> Found:
    """Zones and nodes span their pages."""
    pages = pages_per_block(state)
    wanted: dict[tuple[int, str], tuple[int, int]] = {}
    for block_id, block in state.blocks.items():
        if block.state == "online" and block.zone is not None and not block.early:
            _widen(wanted, (block.nid, block.zone), block_id * pages, (block_id + 1) * pages)
    for pgmap in state.pgmaps.values():
        for first, stop in pgmap.mapped:
            _widen(wanted, (pgmap.nid, ZONE_DEVICE), first, stop)
    for (nid, name), (start, end) in wanted.items():
        zone = state.zones.get((nid, name), Zone(0, 0, 0))
        node = state.nodes.get(nid)
        if start < zone.zone_start_pfn or end > zone.end_pfn:
            yield "span-too-small", start, end, f"zone {name} of node {nid} does not span its pages"
        if node is not None and not node.online:
            yield "node-offline-in-use", start, end, f"node {nid} is offline and these pages are its own"
        if node is None or start < node.node_start_pfn or end > node.end_pfn:
            yield "span-too-small", start, end, f"node {nid} does not span its pages"


def _widen(wanted: dict[tuple[int, str], tuple[int, int]], key: tuple[int, str], start: int, end: int) -> None:
    low, high = wanted.get(key, (start, end))
    wanted[key] = (min(low, start), max(high, end))


def resources(state: State) -> Found:
    """Busy System RAM has sections; an altmap has a user."""
    g = state.kernel.geometry
    flags = IORESOURCE_SYSTEM_RAM | IORESOURCE_BUSY
    last = 1 << (g.MAX_PHYSMEM_BITS - g.PAGE_SHIFT)
    if any(res.flags & flags == flags or res.children for res in state.iomem.children):
        for pfn, pages in walk_system_ram_range(state.iomem, 0, last, g.PAGE_SHIFT):
            first, stop = pfn >> g.PFN_SECTION_SHIFT, ((pfn + pages - 1) >> g.PFN_SECTION_SHIFT) + 1
            for nr in range(first, stop):
                if nr not in state.sections:
                    start = max(pfn, nr << g.PFN_SECTION_SHIFT)
                    if not pfn_valid(state, start):
                        end = min(pfn + pages, (nr + 1) << g.PFN_SECTION_SHIFT)
                        yield "resource-without-section", start, end, "System RAM in the iomem tree has no section"
    pages = pages_per_block(state)
    ram = list(walk_system_ram_range(state.iomem, 0, last, g.PAGE_SHIFT)) if state.blocks else []
    for block_id, block in state.blocks.items():
        if not block.early:
            start = block_id * pages
            at = bisect_right(ram, (start, _LAST_PFN)) - 1
            if at >= 0 and sum(ram[at]) >= start + pages:
                continue  # one range holds all of it: nearly always
            if sum(n for _, n in walk_system_ram_range(state.iomem, start, pages, g.PAGE_SHIFT)) < pages:
                what = f"memory{block_id} was hot-added, and no System RAM in the iomem tree is its own"
                yield "block-without-resource", start, start + pages, what
    used = {pgmap.altmap for pgmap in state.pgmaps.values()}
    for base, altmap in state.altmaps.items():
        user = state.blocks.get(base // pages)
        if base not in used and not (user is not None and user.altmap):
            yield "altmap-leak", base, max(altmap.end_pfn, base) + 1, f"an altmap of {altmap.free} pages has no user"
