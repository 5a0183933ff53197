"""Rules of drivers/cxl: memory devices, decoders and regions."""

from __future__ import annotations

from sparsemem.spec._rule import Rule

__all__ = ["RULES"]

_REGION = "drivers/cxl/core/region.c (read in 6.1, 6.12, 7.2)"
_HDM = "drivers/cxl/core/hdm.c (read in 6.1, 6.12, 7.2)"

RULES: tuple[Rule, ...] = (
    Rule(
        "cxl-256m",
        "CXL capacity comes in 256 MiB",
        "What a decoder gets of its device, and a region of its window for each target, are multiples of 256 MiB.",
        ("dpa_size_store", "alloc_hpa"),
        _REGION,
        since="6.0",
        errnos=("EINVAL",),
    ),
    Rule(
        "cxl-cache-flush",
        "a region is committed where the CPU can flush its caches",
        "Committing and resetting write the caches back for the region's addresses; a CPU that tells of a hypervisor does not offer "
        "that, so a guest commits no region unless the hypervisor hides itself.",
        ("cxl_region_invalidate_memregion",),
        "drivers/cxl/core/region.c (read in 6.2.12, 6.12, 7.2)",
        since="6.2",
        errnos=("ENXIO",),
    ),
    Rule(
        "cxl-capacity",
        "a decoder gives what its device has",
        "A decoder has a mode, and capacity of that kind is given to it before it can be a target; there is no more than the device has.",
        ("cxl_dpa_alloc", "cxl_dpa_set_mode", "cxl_region_attach"),
        _HDM,
        since="6.0",
        errnos=("EINVAL", "ENOSPC", "ENXIO", "ENODEV", "EBUSY"),
    ),
    Rule(
        "cxl-decoder-busy",
        "a decoder is for one region",
        "Every port between a region and its devices needs a decoder that no other region has; a decoder in a region keeps its capacity.",
        ("cxl_region_attach", "cxl_dpa_alloc", "cxl_dpa_free", "cxl_dpa_set_mode"),
        _REGION,
        since="6.0",
        errnos=("EBUSY",),
    ),
    Rule(
        "cxl-decoder-stuck",
        "a decoder that says committed has a size",
        "A new endpoint port is taken with what its decoders say. QEMU's device goes on to say committed after a reset, without a size.",
        ("init_hdm_decoder",),
        _HDM,
        since="6.0",
        errnos=("ENXIO",),
    ),
    Rule(
        "cxl-region-config",
        "a region is set up step by step",
        "Ways, granularity and uuid, then its size, then all targets, then the commit, then the driver; each step only once the one "
        "before is done, and back in the other order.",
        (
            "alloc_hpa", "commit_store", "cxl_region_attach", "cxl_region_probe", "free_hpa", "interleave_granularity_store",
            "interleave_ways_store", "uuid_store",
        ),
        _REGION,
        since="6.0",
        errnos=("EBUSY", "EINVAL", "ENXIO"),
    ),
    Rule(
        "cxl-region-id",
        "a new region has the number that was offered",
        "create_pmem_region reads as the name of the next region, and takes that name only.",
        ("create_pmem_region_store",),
        _REGION,
        since="6.0",
        errnos=("EBUSY",),
    ),
    Rule(
        "cxl-serial",
        "persistent memory needs devices with serial numbers",
        "The interleave set of a region is known by the serial numbers of its devices; without one there is no region of libnvdimm.",
        ("cxl_pmem_region_probe",),
        "drivers/cxl/pmem.c (read in 6.17.0, 7.2; not in 6.14)",
        since="6.15",
        errnos=("ENXIO",),
    ),
    Rule(
        "cxl-unknown",
        "names are of devices that are there",
        "A region is deleted, and a decoder made a target, by its name on the cxl bus.",
        ("attach_target", "cxl_find_region_by_name"),
        _REGION,
        since="6.0",
        errnos=("ENODEV", "EINVAL"),
    ),
)  # fmt: skip
