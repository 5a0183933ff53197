"""Features of mm/memremap.c (kernel/memremap.c up to v5.2)."""

from __future__ import annotations

from dataclasses import dataclass

from sparsemem.spec.features_hotplug import HotplugFeatures
from sparsemem.spec.record import Era, choice, since, until

__all__ = ["MemremapFeatures"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MemremapFeatures(HotplugFeatures):
    """Mapping device memory: conflicts, altmaps, page references."""

    pagemap_ranges: bool = since("5.10", note="A dev_pagemap has several ranges; before, one resource.")
    pgmap_coherent: bool = since("6.0", note="MEMORY_DEVICE_COHERENT exists.")
    memremap_compat_align: bool = since(
        "5.7", "9ffc1d19fc4a", "mm/memremap_pages: Introduce memremap_compat_align()",
        note="An alignment that every kernel of the architecture can map is enforced on namespaces.",
    )  # fmt: skip
    mixed_region_message: str = choice(
        Era("%s attempted on mixed region %pr"),
        Era("%s attempted on %s region %pr", "5.0"),
        Era("attempted on %s region %#llx-%#llx", "5.10"),
        note="The WARN for a range that touches System RAM.",
    )
    mixed_region_policy: str = choice(
        Era("ram is success"), Era("refused", "5.0"),
        note="What a range that lies wholly in System RAM gets: its direct-map address, or -ENXIO.",
    )  # fmt: skip
    conflict_names_device: bool = until("5.3", note="The conflict WARN is a dev_WARN that names the device.")
    ref_teardown_required: bool = until("5.17", first=("5.0", "", ""), note="A pgmap needs its own reference with teardown methods.")
    memremap_zone_device_init_logged: bool = until("6.5", first=("5.0", "", ""), note='"... initialised %lu pages in %ums" is level info.')
    nr_range_check: bool = since("5.10", note='memremap_pages() refuses nr_range 0 ("nr_range must be specified").')
    percpu_ref_exit_before_unmap: bool = until(
        "6.0", "1e57ffb6e3fd", "mm/memremap: fix memunmap_pages() race with get_dev_pagemap()", bug=25,
        note="The reference of a pgmap is freed before the pgmap stops being reachable.",
    )  # fmt: skip
    altmap_destroy_reads_reserved_memmap: bool = until(
        "5.4", "77e080e7680e", "mm/memunmap: don't access uninitialized memmap in memunmap_pages()", first=("5.3", "", ""), bug=11,
        note="Destroying a mapping with an altmap reads zone and node from the reserved, uninitialised memmap.",
    )  # fmt: skip
