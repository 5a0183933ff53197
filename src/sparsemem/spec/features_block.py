"""Features of drivers/base/memory.c: memory block devices, their size and their files in sysfs."""

from __future__ import annotations

from dataclasses import dataclass

from sparsemem.spec.features_arch import ArchFeatures
from sparsemem.spec.record import Era, choice, since, until

__all__ = ["BlockFeatures"]


@dataclass(frozen=True, slots=True, kw_only=True, init=False, repr=False, eq=False)  # cheap: Features makes them
class BlockFeatures(ArchFeatures):
    """``/sys/devices/system/memory``."""

    block_records_zone: bool = since(
        "5.18", "395f6081bad4", "drivers/base/memory: determine and store zone for single-zone memory blocks",
        note="A memory block remembers its one zone; one that spans zones or nodes cannot go offline (-EINVAL).",
    )  # fmt: skip
    last_hole_in_highest_zone: bool = since(
        "5.12", "0740a50b9baa", "mm/page_alloc.c: refactor initialization of struct page for holes in memory layout",
        backports={"5.10": "5.10.24"},
        note="Pages behind the last RAM, up to the end of its section, are given to the highest zone of the last node "
        "(5.10.251 does it, 5.11.0 does not; with which 5.10 it began is not confirmed).",
    )  # fmt: skip
    removable_always_one: bool = since(
        "5.6.0", "53cdc1cb29e8", "drivers/base/memory.c: indicate all memory blocks as removable",
        backports={"5.4": "5.4.29", "5.5": "5.5.14"},
        note="The removable file of a memory block says 1 without looking.",
    )  # fmt: skip
    block_size_rule: str = choice(
        Era("largest divisor"),
        Era(
            "bare metal 2G", "5.9", "fe124c95df9e", "x86/mm: use max memory block size on bare metal", None, ("x86_64",)
        ),
        Era("advised", "6.16", "b1143537098b", "x86: probe memory block size advisement value during mm init", None, ("x86_64",)),
        note="How x86 memory_block_size_bytes() chooses on a machine with 64 GiB or more.",
    )  # fmt: skip
    node_memory_failure: bool = since(
        "6.3", "44b8f8bf2438", "mm: memory-failure: add memory failure stats to sysfs",
        note="/sys/devices/system/node/nodeN has a directory memory_failure, which a pattern memory* finds too.",
    )  # fmt: skip
    crash_hotplug: bool = since(
        "6.6", "88a6f8994421", "crash: memory and CPU hotplug sysfs attributes",
        note="There is a crash_hotplug file, and Debian's build has the *_offline_page files, too (seen in the lab: not on "
        "6.1, but on 6.12 and 7.2).",
    )  # fmt: skip
    acpi_rescan_retries: bool = since(
        "6.9", "4f4a335acfbb", "ACPI: scan: Consolidate Device Check and Bus Check notification handling",
        note="Plugging a DIMM rescans its parent, and tries DIMMs again that were refused (in the lab: not on 6.1).",
    )  # fmt: skip
    pci_ecam_in_iomem: bool = since(
        "6.8", "704891033b97", "x86/pci: Rename 'MMCONFIG' to 'ECAM', use pr_fmt",
        note='iomem says "PCI ECAM", before "PCI MMCONFIG" (seen in the lab: 6.1 and 6.12; in 6.8.0, not in 6.6.9).',
    )  # fmt: skip
    pnp_names_in_iomem: bool = since(
        "7.0", "3ad5df239104", "ACPI: PNP: Drop PNP0C01 and PNP0C02 from acpi_pnp_device_ids[]",
        note='iomem names system devices "PNP0C01:00", before "pnp 00:06" (seen in the lab: 6.12 and 7.2).',
    )  # fmt: skip
    local_apic_in_iomem: bool = until(
        "6.6", "78c32000848c", "x86/apic: Get rid of apic_phys",
        note='iomem has a "Local APIC" line (seen in the lab: 6.1, not 6.12); since then the kernel tries to insert the '
        "address of its mapping, which is no bus address.",
    )  # fmt: skip
    auto_online_types: bool = since(
        "5.7", "5f47adf762b7", "mm/memory_hotplug: allow to specify a default online_type",
        note="auto_online_blocks and memhp_default_state= also take online_kernel and online_movable.",
    )  # fmt: skip
    default_online_type_choice: bool = since(
        "6.14", "44d46b76c3a4", "mm: add build-time option for hotplug memory default online type", backports={"6.12": "6.12.110"},
        note="The build chooses one of four default online types; before, offline or online.",
    )  # fmt: skip
    online_by_default: bool = since(
        "6.5", arches=("x86_64",),
        note="Debian's build onlines hot-added memory by default (off in its 5.10 and 6.1, on from 6.5; other "
        "distributions differ): a choice of its configuration (changelog of linux 6.5~rc7-1~exp1), no change of the kernel.",
    )  # fmt: skip
    online_reports_hwpoison: bool = since(
        "6.2", "5033091de814", "mm/hwpoison: introduce per-memory_block hwpoison counter",
        note="A block with poisoned pages cannot go online again (-EHWPOISON).",
    )  # fmt: skip
    block_size_validated: bool = since(
        "5.4", "", "driver/base/memory.c: Validate memory block size early",
        note="A memory block size that is no power of two, or below a section, is a panic.",
    )  # fmt: skip
