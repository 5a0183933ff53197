"""``mm/memremap.c``: giving device memory its ``struct page``s. pfns inside, bytes in the messages.

``ranges`` are half-open pfn pairs. Up to v5.2 a range is widened to whole sections before anything is asked of it.
"""

from __future__ import annotations

from typing import Any

from sparsemem.kernel.memory_hotplug.pages import (
    __add_pages,
    __remove_pages,
    arch_add_memory,
    arch_remove_memory,
    mhp_range_allowed,
)
from sparsemem.kernel.memory_hotplug.zones import (
    ZONE_DEVICE,
    move_pfn_range_to_zone,
    remove_pfn_range_from_zone,
    shrink_at_removal,
)
from sparsemem.kernel.mmzone import SECTION_IS_EARLY
from sparsemem.kernel.pgmap_array import STALE_DEVICE_PAGES, get_dev_pagemap, pgmap_array_delete, xa_store_range
from sparsemem.kernel.refusal import Refusal
from sparsemem.kernel.resource import (
    IORESOURCE_SYSTEM_RAM,
    REGION_DISJOINT,
    REGION_INTERSECTS,
    REGION_MIXED,
    region_intersects,
)
from sparsemem.kernel.sparse_vmemmap import corrupted, vmem_altmap_offset
from sparsemem.kernel.state import DevPagemap, State, VmemAltmap

__all__ = ["MEMORY_TYPES", "get_dev_pagemap", "memremap_compat_align", "memremap_pages", "memunmap_pages", "pfn_first"]

MEMORY_TYPES = ("private", "coherent", "fs_dax", "generic", "pci_p2pdma")
_CONFLICT = "Conflicting mapping in same section"

PfnRange = tuple[int, int]


def memremap_compat_align(state: State) -> int:
    """Bytes to which a device range must be aligned so that every configuration of the architecture can map it.

    Linux kernel commit 9ffc1d19fc4a ("mm/memremap_pages: Introduce memremap_compat_align()") (in v5.7)
    """
    linear: int = state.misc.get("linear_map_page_size", 0)
    return max(state.kernel.geometry.SUBSECTION_SIZE, linear)


def pfn_first(state: State, pgmap: DevPagemap, index: int) -> int:
    """The first pfn of range ``index`` that carries data: behind reserve and memmap when there is an altmap."""
    start = pgmap.ranges[index][0]
    if index or pgmap.altmap is None:
        return start
    return start + vmem_altmap_offset(state.altmaps.get(pgmap.altmap))


def _check_type(state: State, pgmap_type: str, owner: str, vmemmap_shift: int) -> None:
    f, g = state.kernel.features, state.kernel.geometry
    if f.pgmap_folio_size_check and vmemmap_shift > g.PUD_SIZE.bit_length() - 1 - g.PAGE_SHIFT:
        text = "requested folio size unsupported"
        state.log("warn", text, once="memremap_pages:folio")
        raise Refusal(22, "memremap_pages", "folio-size", (text,))
    if pgmap_type not in MEMORY_TYPES or (pgmap_type == "coherent" and not f.pgmap_coherent):
        # The kernel warns of a type that it does not know (v5.3+; the number after its last one) and goes on.
        if f.pgmap_page_free:
            state.log("warn", f"Invalid pgmap type {len(MEMORY_TYPES) + f.pgmap_coherent}")
    elif pgmap_type in ("private", "coherent") and f.pgmap_private_owner and not owner:
        state.log("warn", "Missing owner")
        raise Refusal(22, "memremap_pages", "pgmap-type", ("Missing owner",))


def memremap_pages(
    state: State,
    ranges: tuple[PfnRange, ...],
    nid: int = 0,
    *,
    type: str = "fs_dax",  # noqa: A002  (the kernel's word)
    altmap: VmemAltmap | None = None,
    owner: str = "",
    vmemmap_shift: int = 0,
) -> DevPagemap:
    """Map device ranges: each gets its sections, its zone and its entry in ``pgmap_array``.

    On the first refusal the ranges mapped so far are unmapped again. Raises Refusal: EINVAL (nothing to map, type, altmap,
    misaligned span, not addressable), ENOMEM (another device's mapping at an edge, memory), ENXIO (System RAM in it), EEXIST
    (a sub-section is active already; what ``__add_pages`` added before it stays behind, and so does the hole that this leaves
    in ``pgmap_array``).
    """
    if not state.kernel.features.zone_device or not state.kernel.config.ZONE_DEVICE:
        raise Refusal(6, "devm_memremap_pages", "zone-device-config")
    if not ranges:
        state.log("warn", "nr_range must be specified", once="memremap_pages:nr_range")
        raise Refusal(22, "memremap_pages", "nr-range", ("nr_range must be specified",))
    if not state.kernel.features.pgmap_vmemmap_shift:
        vmemmap_shift = 0
    _check_type(state, type, owner, vmemmap_shift)
    if not state.kernel.features.pagemap_ranges and len(ranges) > 1:
        raise Refusal(22, "memremap_pages", "nr-range")
    state.alloc("memremap_pages: percpu_ref_init")
    base = None if altmap is None else altmap.base_pfn
    # Another mapping of the very same ranges keeps its own entries when this one is refused.
    other, other_altmap = state.pgmaps.get(ranges), None if base is None else state.altmaps.get(base)
    if altmap is not None:
        state.put(state.altmaps, altmap.base_pfn, altmap)
    mapped = tuple(_mapped(state, each) for each in ranges)
    pgmap = DevPagemap(ranges, mapped, type, nid, base, owner, vmemmap_shift)
    for index in range(len(ranges)):
        try:
            _pagemap_range(state, pgmap, index)
        except Refusal:
            for done in range(index):
                _pageunmap_range(state, pgmap, done)
            _put_back(state, state.pgmaps, ranges, other)
            if base is not None:
                _put_back(state, state.altmaps, base, other_altmap)
            raise
    return pgmap


def _put_back(state: State, table: dict[Any, Any], key: object, value: object) -> None:
    if value is None:
        state.drop(table, key)
    else:
        state.put(table, key, value)


def _mapped(state: State, pair: PfnRange) -> PfnRange:
    if state.kernel.features.subsection_hotplug:
        return pair
    mask = state.kernel.geometry.PAGES_PER_SECTION - 1
    return pair[0] & ~mask, (pair[1] + mask) & ~mask


def _conflict(state: State, pgmap: DevPagemap, pfn: int) -> None:
    if get_dev_pagemap(state, pfn) is not None:
        text = _CONFLICT
        if state.kernel.features.conflict_names_device and pgmap.owner:
            text = f"{pgmap.owner}: {_CONFLICT}"
        state.log("warn", text)
        raise Refusal(12, "memremap_pages", "conflicting-mapping", (text,))


def _check_system_ram(state: State, index: int, pgmap: DevPagemap) -> bool:
    """True where v4.20 and older call a range that lies in RAM a success without mapping it."""
    f, shift = state.kernel.features, state.kernel.geometry.PAGE_SHIFT
    first, end = pgmap.mapped[index]
    kind = region_intersects(
        state.iomem, first << shift, (end - first) << shift, IORESOURCE_SYSTEM_RAM, descend=f.region_intersects_descends
    )
    if kind == REGION_DISJOINT:
        return False
    if kind == REGION_INTERSECTS and f.mixed_region_policy == "ram is success":
        return True
    start, last = pgmap.ranges[index][0] << shift, (pgmap.ranges[index][1] << shift) - 1
    word = "mixed" if kind == REGION_MIXED else "ram"
    text = _region_text(f.mixed_region_message, f.mixed_region_function, word, start, last)
    state.log("warn", text, once="memremap_pages:region")
    raise Refusal(6, "memremap_pages", "mixed-region" if word == "mixed" else "ram-region", (text,))


def _region_text(message: str, function: str, region: str, start: int, last: int) -> str:
    """The warning in the words of the version: ``%pr`` prints a resource, a fixed "mixed" takes no word."""
    fields: list[object] = [region] if message.count("%s") > message.startswith("%s") else []
    if message.startswith("%s"):
        fields.insert(0, function)
    if message.endswith("%pr"):
        return message.replace("%pr", "%s") % (*fields, f"[mem {start:#010x}-{last:#010x} flags 0x200]")
    return message.replace("%#llx", "%#x") % (*fields, start, last)


def _pagemap_range(state: State, pgmap: DevPagemap, index: int) -> None:
    f, shift = state.kernel.features, state.kernel.geometry.PAGE_SHIFT
    if index and pgmap.altmap is not None:
        text = "altmap not supported for multiple ranges"
        state.log("warn", text, once="pagemap_range:altmap")
        raise Refusal(22, "pagemap_range", "altmap-multiple-ranges", (text,))
    start, end = pgmap.ranges[index]
    first, stop = pgmap.mapped[index]
    _conflict(state, pgmap, first)
    _conflict(state, pgmap, stop - 1)
    if _check_system_ram(state, index, pgmap):
        return
    state.alloc("pagemap_range: xa_store_range")
    xa_store_range(state, start, end, pgmap.ranges)
    state.put(state.pgmaps, pgmap.ranges, pgmap)
    private = pgmap.type == "private"
    try:
        state.alloc("pagemap_range: track_pfn_remap")
        if f.mhp_range_allowed and not mhp_range_allowed(state, start << shift, (end - start) << shift, not private):
            raise Refusal(22, "pagemap_range", "addressable-range")
        if private:
            __add_pages(state, pgmap.nid, first, stop - first)
        else:
            arch_add_memory(state, pgmap.nid, first << shift, (stop - first) << shift, pgmap.altmap)
    except Refusal:
        pgmap_array_delete(state, start, end)
        raise
    move_pfn_range_to_zone(state, pgmap.nid, ZONE_DEVICE, first, stop - first)
    if f.memremap_zone_device_init_logged:
        _log_init(state, pgmap, end - pfn_first(state, pgmap, index))


def _log_init(state: State, pgmap: DevPagemap, pages: int) -> None:
    """memmap_init_zone_device() on how long it took: the device's name at first, then the function's."""
    message = state.kernel.features.zone_device_init_message
    who = pgmap.owner.rpartition(" ")[2] if message.startswith("%s initialised,") else "memmap_init_zone_device"
    state.log("info", message % (who, pages, 0))


def _pageunmap_range(state: State, pgmap: DevPagemap, index: int) -> None:
    first, stop = pgmap.mapped[index]
    shift = state.kernel.geometry.PAGE_SHIFT
    if pgmap.altmap is not None and state.kernel.features.altmap_destroy_reads_reserved_memmap:
        corrupted(state, "uninitialised-memmap-read", first >> state.kernel.geometry.PFN_SECTION_SHIFT)
    remove_pfn_range_from_zone(state, pgmap.nid, ZONE_DEVICE, first, stop - first)
    if pgmap.type == "private":
        __remove_pages(state, first, stop - first)
    else:
        arch_remove_memory(state, first << shift, (stop - first) << shift, pgmap.altmap)
    pgmap_array_delete(state, *pgmap.ranges[index])
    shrink_at_removal(state, pgmap.nid, ZONE_DEVICE, first, stop - first)


def memunmap_pages(state: State, ranges: tuple[PfnRange, ...]) -> None:
    """Undo ``memremap_pages``. The ZONE_DEVICE span stays as wide as it was, and so does a section's taint.

    Raises Refusal(EINVAL) when these ranges are not mapped: a driver would not get that far.
    """
    pgmap = state.pgmaps.get(ranges)
    if pgmap is None:
        raise Refusal(22, "memunmap_pages", "not-mapped")
    for index in range(len(pgmap.ranges)):
        _pageunmap_range(state, pgmap, index)
    if pgmap.altmap is not None:
        left = state.altmaps.get(pgmap.altmap)
        if left is not None and left.alloc:
            state.log("warn", "failed to free all reserved pages", once="memunmap_pages:alloc")
        state.drop(state.altmaps, pgmap.altmap)
    state.drop(state.pgmaps, ranges)
    _leave_stale_zone(state, pgmap)


def _leave_stale_zone(state: State, pgmap: DevPagemap) -> None:
    """The memmap of an early section stays, and its struct pages say ZONE_DEVICE until something initialises them again.

    Only ``test_pages_in_a_zone()`` looks (up to v5.17).
    """
    f, shift = state.kernel.features, state.kernel.geometry.PFN_SECTION_SHIFT
    if f.block_records_zone or not f.section_is_early:
        return
    stale: frozenset[PfnRange] = state.misc.get(STALE_DEVICE_PAGES, frozenset())
    more = {
        (max(start, nr << shift), min(end, nr + 1 << shift))
        for start, end in pgmap.ranges
        for nr in range(start >> shift, (end - 1 >> shift) + 1)
        if nr in state.sections and state.sections[nr].section_mem_map & SECTION_IS_EARLY
    }
    if not more <= stale:
        state.put(state.misc, STALE_DEVICE_PAGES, stale | more)
