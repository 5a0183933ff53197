"""Rules of libnvdimm's info blocks, claims and drivers."""

from __future__ import annotations

from sparsemem.spec._rule import Rule

__all__ = ["RULES"]

_READ = "(read in 5.10, 6.1, 6.12, 7.2)"

RULES: tuple[Rule, ...] = (
    Rule(
        "info-block-none",
        "a namespace is what its info block says",
        "No info block of this kind: another signature, a wrong checksum, another namespace's or another device's uuid. The next kind is"
        " tried; a device that is being set up writes its own.",
        ("nd_pfn_validate", "nd_btt_probe"),
        f"drivers/nvdimm/pfn_devs.c, btt_devs.c {_READ}",
        errnos=("ENODEV", "ENXIO"),
    ),
    Rule(
        "namespace-mode",
        "a namespace with a mode is not taken for another",
        "The label states the mode, or raw mode is forced: no other info block is looked for.",
        ("nd_btt_probe", "nd_pfn_probe", "nd_dax_probe"),
        f"drivers/nvdimm/btt_devs.c, pfn_devs.c, dax_devs.c {_READ}",
        errnos=("ENODEV",),
    ),
    Rule(
        "namespace-personality",
        "a namespace with an info block comes back as what that says",
        "The raw driver steps back: the btt, pfn or dax device made of the namespace is bound instead.",
        ("nd_pmem_probe",),
        f"drivers/nvdimm/pmem.c {_READ}",
        errnos=("ENXIO",),
    ),
    Rule(
        "namespace-registration",
        "a region without one namespace is not brought up",
        "None of the region's namespaces could be registered.",
        ("nd_region_probe",),
        f"drivers/nvdimm/region.c {_READ}",
        errnos=("ENODEV",),
    ),
    Rule(
        "region-read-only",
        "nothing is written to a read-only region",
        "A new info block cannot be written to a region that is read-only.",
        ("nd_pfn_init", "btt_init"),
        f"drivers/nvdimm/pfn_devs.c, btt.c {_READ}",
        errnos=("ENXIO", "ENOMEM"),
    ),
    Rule(
        "flush-failed",
        "an info block counts when it was flushed",
        "The host of a virtio-pmem device answered the flush after the write with an error.",
        ("nsio_rw_bytes",),
        f"drivers/nvdimm/claim.c, nd_virtio.c {_READ}",
        errnos=("EIO", "ENOMEM"),
    ),
    Rule(
        "btt-corrupt",
        "a BTT is whole or not used",
        "An arena after the first is broken, its log makes no sense, it claims more than the namespace has, or it has fewer free blocks"
        " than the region has lanes.",
        ("discover_arenas", "log_set_indices", "btt_log_read", "nsio_rw_bytes"),
        f"drivers/nvdimm/btt.c {_READ}",
        errnos=("ENODEV", "ENXIO", "EIO", "EFAULT", "ENOMEM"),
    ),
    Rule(
        "device-disabled",
        "a device without a driver has no size and no address",
        "Its size and resource files answer only while it is enabled.",
        ("size_show", "resource_show"),
        f"drivers/nvdimm/btt_devs.c, pfn_devs.c {_READ}",
        errnos=("ENXIO",),
    ),
    Rule(
        "region-registration",
        "a region is made of whole pages of its DIMMs, at addresses that are free",
        "A mapping is not page aligned, or the range overlaps something else in the iomem tree: there is no region.",
        ("nvdimm_pmem_region_create", "acpi_nfit_register_region"),
        f"drivers/nvdimm/region_devs.c, drivers/acpi/nfit/core.c {_READ}",
        errnos=("ENOMEM",),
    ),
)
