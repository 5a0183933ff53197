"""Every broken invariant of a state at once, each located. See FAULTS for what each kind means and where it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from sparsemem.machine import fault_checks as checks
from sparsemem.machine import nd_fault_checks as nd_checks
from sparsemem.ranges import Range

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sparsemem.kernel.state import State

__all__ = ["FAULTS", "Fault", "FaultKind", "faults"]


class FaultKind(NamedTuple):
    """``rule`` is the invariant, ``source`` the kernel bug or rule behind it, ``severity`` error or warning."""

    rule: str
    source: str
    severity: str


@dataclass(frozen=True, slots=True)
class Fault:
    """A broken invariant: its kind (a key of FAULTS), the bytes it concerns, and what is the matter in one sentence."""

    kind: str
    range: Range
    what: str

    @property
    def severity(self) -> str:
        return FAULTS[self.kind].severity

    def __str__(self) -> str:
        return f"{self.kind} {self.range}: {self.what}"


FAULTS: dict[str, FaultKind] = {
    "valid-without-memmap": FaultKind(
        "A pfn for which pfn_valid() says yes has its struct page mapped.",
        'Linux kernel commit ef69bc9f689d ("mm/sparse: never partially remove memmap for early section") (in v5.9); '
        'd4234d131b0a ("arm64: mm: Populate vmemmap at the page level if not section aligned") (in v6.15)',
        "error",
    ),
    "memmap-without-section": FaultKind(
        "A memmap that is mapped belongs to sub-sections that are active.",
        "mm/sparse.c, section_deactivate()",
        "warning",
    ),
    "usage-freed": FaultKind(
        "The usage of a boot section lives in boot memory and is never freed, and a valid section has one.",
        "Linux kernel commit 8068df3b6037 (\"mm/memory_hotplug: don't free usage map when removing a re-added early "
        'section") (in v5.5)',
        "error",
    ),
    "stale-section-word": FaultKind(
        "The word of a section that is gone is zero, or dump tools follow it.",
        'Linux kernel commit 1f503443e7df ("mm/sparse.c: reset section\'s mem_map when fully deactivated") (in v5.6)',
        "warning",
    ),
    "section-word-not-memmap": FaultKind(
        "The word of a valid section codes the address of its memmap.",
        '"mm/sparsemem: get address to page struct instead of address to pfn" (in v5.7)',
        "error",
    ),
    "shared-memmap": FaultKind(
        "Two users do not share one section's memmap: when one leaves, the other loses its pages.",
        'Linux kernel commit ba72b4c8cf60 ("mm/sparsemem: support sub-section hotplug") (in v5.3), which ended it',
        "error",
    ),
    "device-without-pages": FaultKind(
        "Every page of a live device mapping is valid and has its struct page.",
        "v5.2 and older, __add_pages() taking -EEXIST for success: see shared-memmap",
        "error",
    ),
    "pgmap-lookup-lost": FaultKind(
        "get_dev_pagemap() finds every page of a live device mapping.",
        "mm/memremap.c, pagemap_range(): the array is overwritten before -EEXIST is known, and its error path erases it",
        "error",
    ),
    "unowned-pages": FaultKind(
        "Active sub-sections belong to RAM or to a live device mapping.",
        "mm/memory_hotplug.c, __add_pages(): what was added before the refused section stays",
        "warning",
    ),
    "block-holds-device-pages": FaultKind(
        "A memory block holds no device pages; it can never be offlined while it does.",
        'mm/memory_hotplug.c, offline_pages(): "memory holes"',
        "warning",
    ),
    "device-pages-look-online": FaultKind(
        "pfn_to_online_page() says no for a device's pages.",
        'Linux kernel commit 1f90a3477df3 ("mm: teach pfn_to_online_page() about ZONE_DEVICE section collisions") (in v5.12)',
        "error",
    ),
    "uninitialised-hole": FaultKind(
        "Every valid pfn of a boot section has an initialised struct page.",
        'Linux kernel commit e822969cab48 ("mm/page_alloc.c: fix uninitialized memmaps on a partially populated last '
        'section") (in v5.6)',
        "warning",
    ),
    "span-too-small": FaultKind(
        "A zone and its node span all their pages.", "mm/memory_hotplug.c, move_pfn_range_to_zone()", "error"
    ),
    "block-without-sections": FaultKind(
        "The sections of a memory block that is all RAM are present.", "drivers/base/memory.c", "error"
    ),
    "resource-without-section": FaultKind(
        "Busy System RAM in the iomem tree is backed by valid sections.",
        "mm/memory_hotplug.c, add_memory_resource()",
        "error",
    ),
    "block-without-resource": FaultKind(
        "A hot-added memory block is claimed by System RAM in the iomem tree.",
        "mm/memory_hotplug.c up to v5.2, __add_pages(): blocks that it made before it failed stay, the claim does not",
        "warning",
    ),
    "altmap-page-freed": FaultKind(
        "Memmap that lies in the memory which is taken back is not given to the page allocator.",
        '"mm/memory_hotplug: fix incorrect altmap passing in error path" (in v7.2)',
        "error",
    ),
    "uninitialised-device-pages": FaultKind(
        "Every struct page of a live device mapping is initialised.",
        '"mm/mm_init: fix uninitialized struct pages for ZONE_DEVICE" (in v7.2)',
        "error",
    ),
    "uninitialised-memmap-read": FaultKind(
        "Only the memmap of pages that were onlined, or initialised for a device, says which zone and node they are in.",
        'Linux kernel commits 77e080e7680e ("mm/memunmap: don\'t access uninitialized memmap in memunmap_pages()") (in v5.4), '
        'feee6b298916 ("mm/memory_hotplug: shrink zones when offlining memory") (in v5.5)',
        "warning",
    ),
    "section-beyond-table": FaultKind(
        "A section lies inside the section table.",
        'Linux kernel commit dca4436d1cf9 ("mm/memory_hotplug: add a bounds check to __add_pages()") (in v5.5)',
        "error",
    ),
    "node-offline-in-use": FaultKind(
        "A node that has pages is online.",
        'Linux kernel commit 2c91f8fc6c99 ("mm/memory_hotplug: fix try_offline_node()") (in v5.4)',
        "error",
    ),
    "altmap-leak": FaultKind("An altmap that nobody uses is gone.", "mm/memremap.c, memunmap_pages()", "warning"),
    "namespaces-overlap": FaultKind(
        "A byte of a region belongs to one namespace.", "drivers/nvdimm/namespace_devs.c, scan_labels()", "error"
    ),
    "namespace-outside-region": FaultKind(
        "A namespace lies in its region.", "drivers/nvdimm/namespace_devs.c, create_namespace_pmem()", "error"
    ),
    "driver-lost-its-range": FaultKind(
        "What the driver of a namespace claimed and mapped stays so while it is bound.",
        "drivers/nvdimm/pmem.c, pmem_attach_disk()",
        "error",
    ),
    "disk-gone-in-use": FaultKind(
        "A block device that is mounted is there.",
        "drivers/base/dd.c, unbind_store(): a driver is unbound whether or not its disk is open; ndctl asks first",
        "error",
    ),
}

_CHECKS: tuple[Callable[[State], Iterator[tuple[str, int, int, str]]], ...] = (
    checks.memmaps,
    checks.section_words,
    checks.device_mappings,
    checks.owners,
    checks.blocks,
    checks.spans,
    checks.resources,
    nd_checks.namespaces,
    nd_checks.claims_of_drivers,
    nd_checks.block_devices,
)


def faults(state: State) -> list[Fault]:
    """All faults, sorted by address; neighbours of one kind and text are one fault."""
    shift = state.kernel.geometry.PAGE_SHIFT
    found = sorted({(kind, start, end, what) for check in _CHECKS for kind, start, end, what in check(state)})
    merged: list[tuple[str, int, int, str]] = []
    for kind, start, end, what in found:
        if merged and merged[-1][0] == kind and merged[-1][2] == start and merged[-1][3] == what:
            merged[-1] = (kind, merged[-1][1], end, what)
        else:
            merged.append((kind, start, end, what))
    merged.sort(key=lambda fault: (fault[1], fault[0]))
    return [Fault(kind, Range(start << shift, end << shift), what) for kind, start, end, what in merged]
