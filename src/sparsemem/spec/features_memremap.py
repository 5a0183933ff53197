"""Features of mm/memremap.c (kernel/memremap.c up to v5.2): mapping device memory."""

from __future__ import annotations

from dataclasses import dataclass

from sparsemem.spec.features_block import BlockFeatures
from sparsemem.spec.record import Era, choice, since, until

__all__ = ["MemremapFeatures"]

_SPLIT = ("5.4", "6869b7b20659", "memremap: provide a not device managed memremap_pages")
_RANGES = ("5.10", "b7b3c01b1915", "mm/memremap_pages: support multiple ranges per invocation")


@dataclass(frozen=True, slots=True, kw_only=True, init=False, repr=False, eq=False)  # cheap: Features makes them
class MemremapFeatures(BlockFeatures):
    """Conflicts, altmaps, page types and references of ``memremap_pages()``."""

    pagemap_ranges: bool = since(*_RANGES, note="A dev_pagemap has several ranges; before, one resource.")
    nr_range_check: bool = since(*_RANGES, note='memremap_pages() refuses nr_range 0 ("nr_range must be specified").')
    pgmap_coherent: bool = since(
        "6.0", "f25cbb7a95a2", "mm: add zone device coherent type memory support", note="MEMORY_DEVICE_COHERENT exists."
    )
    memremap_compat_align: bool = since(
        "5.7", "9ffc1d19fc4a", "mm/memremap_pages: Introduce memremap_compat_align()",
        note="An alignment that every kernel of the architecture can map is enforced on namespaces.",
    )  # fmt: skip
    mixed_region_message: str = choice(
        Era("%s attempted on mixed region %pr"),
        Era("%s attempted on %s region %pr", "5.0", "06489cfbd915", "mm, devm_memremap_pages: kill mapping \"System RAM\" support",
        backports={"4.19": "4.19.14", "4.20": "4.20.1"}),
        Era("attempted on %s region %#llx-%#llx", *_RANGES),
        note="The WARN for a range that touches System RAM; a first %s is mixed_region_function.",
    )  # fmt: skip
    mixed_region_function: str = choice(
        Era("devm_memremap_pages"),
        Era("memremap_pages", *_SPLIT),
        note="The name that mixed_region_message begins with.",
    )
    mixed_region_policy: str = choice(
        Era("ram is success"),
        Era("refused", "5.0", "06489cfbd915", 'mm, devm_memremap_pages: kill mapping "System RAM" support',
            {"4.19": "4.19.14", "4.20": "4.20.1"}),
        note="What a range that lies wholly in System RAM gets: its direct-map address, or -ENXIO.",
    )  # fmt: skip
    conflict_names_device: bool = until(*_SPLIT, note="The conflict WARN is a dev_WARN, which names driver and device.")
    ref_teardown_required: bool = until(
        "5.17", "b80892ca022e", "memremap: remove support for external pgmap refcounts",
        first=Era(True, "5.2-rc5", "50f44ee7248a", "mm/devm_memremap_pages: fix final page put race"),
        backports={"5.15": "5.15.100"},
        note='A caller\'s own reference needs teardown methods ("Missing reference count teardown definition", '
        '-EINVAL).',
    )  # fmt: skip
    pgmap_private_owner: bool = since(
        "5.7", "f894ddd5ff01", "memremap: add an owner field to struct dev_pagemap",
        note='Device-private pages need an owner ("Missing owner", -EINVAL).',
    )  # fmt: skip
    pgmap_page_free: str = choice(
        Era(""),
        Era("Missing page_free method", "5.3", "f6a55e1a3fe6", "memremap: lift the devmap_enable manipulation into devm_memremap_pages"),
        Era("Missing folio_free method", "6.19", "3a5a06554566", "mm/zone_device: rename page_free callback to folio_free"),
        note="The WARN for private and coherent (up to v5.9 also fsdax) pages without a free method (-EINVAL).",
    )  # fmt: skip
    pgmap_folio_size_check: bool = since(
        "6.18", "646b67d57589", "mm/memremap: reject unreasonable folio/compound page sizes in memremap_pages()",
        note="A page size beyond the largest folio is refused (-EINVAL).",
    )  # fmt: skip
    pgmap_vmemmap_shift: bool = since(
        "5.17", "c4386bd8ee3a", "mm/memremap: add ZONE_DEVICE support for compound pages",
        note="A dev_pagemap may be made of large pages (vmemmap_shift).",
    )  # fmt: skip
    memremap_zone_device_init_logged: bool = until(
        "6.4", "dd31bad21980", "mm: be less noisy during memory hotplug",
        first=Era(True, "4.20", "966cf44f637e",
                  "mm: defer ZONE_DEVICE page initialization to the point where we init pgmap"),
        backports={"6.1": "6.1.184"},
        note="memmap_init_zone_device() logs how long it took at level info; later at level debug.",
    )  # fmt: skip
    zone_device_init_message: str = choice(
        Era(""),
        Era("%s initialised, %lu pages in %ums", "4.20", "966cf44f637e",
            "mm: defer ZONE_DEVICE page initialization to the point where we init pgmap"),
        Era("%s initialised %lu pages in %ums", "5.4", "fdc029b19dfd", "memremap: remove the dev field in struct dev_pagemap"),
        note="That line; %s is the name of the device (up to 5.3) or memmap_init_zone_device.",
    )  # fmt: skip
    percpu_ref_exit_before_unmap: bool = until(
        "6.0", "1e57ffb6e3fd", "mm/memremap: fix memunmap_pages() race with get_dev_pagemap()",
        first=Era(True, "5.3", "24917f6b1041", "memremap: provide an optional internal refcount in struct dev_pagemap"),
        backports={"5.15": "5.15.100"}, bug=25,
        note="The reference of a pgmap is freed before the pgmap stops being reachable.",
    )  # fmt: skip
    altmap_destroy_reads_reserved_memmap: bool = until(
        "5.4-rc4", "77e080e7680e", "mm/memunmap: don't access uninitialized memmap in memunmap_pages()",
        first=Era(True, "5.0", "2c2a5af6fed2", "mm, memory_hotplug: add nid parameter to arch_remove_memory"), backports={"5.3": "5.3.8"},
        bug=11,
        note="Destroying a mapping with an altmap takes its node from the reserved, uninitialised part of the memmap.",
    )  # fmt: skip
    memory_failure_reads_device_metadata: bool = until(
        "5.12", "34dc45be4563", "mm: fix memory_failure() handling of dax-namespace metadata", bug=19,
        backports={"5.10": "5.10.35", "5.11": "5.11.4"},
        note="A memory error in the altmap or the info block of a namespace is handled through an uninitialised page.",
    )  # fmt: skip
