"""Features of drivers/nvdimm that decide what a driver claims, says and answers; the layout of info blocks is in ``features_device``."""

from __future__ import annotations

from dataclasses import dataclass

from sparsemem.spec.features_label import LabelFeatures
from sparsemem.spec.record import Era, since, until

__all__ = ["NvdimmFeatures"]


@dataclass(frozen=True, slots=True, kw_only=True, init=False, repr=False, eq=False)  # cheap: Features makes them
class NvdimmFeatures(LabelFeatures):
    """pmem.c, btt.c, claim.c, bus.c."""

    probe_maps_info_block_only: bool = since(
        "5.5", "8f4b01fcded2", "libnvdimm/namespace: Differentiate between probe mapping and runtime mapping",
        note="While a namespace is probed only its info blocks (or its page map) are claimed in the iomem tree; before, "
        "all of it, and what stood in the way was answered with -ENXIO instead of -EBUSY.",
    )  # fmt: skip
    failed_probe_advances_seed: bool = since(
        "5.4", "1c97afa71409", "libnvdimm/pmem: Advance namespace seed for specific probe errors",
        note="A namespace whose info block is good and that this kernel cannot use fails with -EOPNOTSUPP, and the region "
        "gets a new seed all the same; before, it came up raw.",
    )  # fmt: skip
    capacity_change_logged: bool = until(
        "5.10", "32f61d67570d", "nvdimm: simplify revalidate_disk handling",
        note="A new pmem disk is announced with \"detected capacity change from 0 to N\".",
    )  # fmt: skip
    read_only_goes_both_ways: bool = since(
        "5.12", "2361db89aaad", "libnvdimm: Notify disk drivers to revalidate region read-only",
        note="Writing a region's read_only makes its disks follow, both ways; before, a disk became read-only when it was "
        "made, and stayed so.",
    )  # fmt: skip
    pfn_pads_against_regions: bool = since(
        "4.20", "ae86cbfef381", "libnvdimm, pfn: Pad pfn namespaces relative to other regions",
        backports={"4.19": "4.19.37"},
        note="A new fsdax or devdax namespace is padded against the sections of other regions, too (while it is padded at "
        "all); before, only against RAM.",
    )  # fmt: skip
    pfn_over_trims: bool = until(
        "5.1", "07464e88365e", "libnvdimm/pfn: Fix over-trim in trim_pfn_device()",
        first=Era(True, "4.20", "ae86cbfef381", "libnvdimm, pfn: Pad pfn namespaces relative to other regions"),
        note="A namespace that does not end on a section is trimmed for a region that begins only in the section after the "
        "next (seen in 5.0.1, gone in 5.2.1).",
    )  # fmt: skip
    dax_pmem_maps_pages: bool = until(
        "5.1", "51cf784c42d0", "device-dax: Start defining a dax bus model",
        note="The driver of a devdax namespace claims all of it and maps its pages: what stands in the way fails its probe; "
        "since then the dax device has a driver of its own for that.",
    )  # fmt: skip
    ppc64_transparent_pud: bool = since(
        "6.6", "27af67f35631", "powerpc/book3s64/mm: enable transparent pud hugepage", arches=("ppc64",),
        note="The radix MMU maps huge pages of a PUD, and device memory can be aligned to one (in 6.6.9, not in 6.4.6).",
    )  # fmt: skip
    virtio_pmem_has_node: bool = since(
        "6.3", "d5ff73bbb03e", "virtio_pmem: populate numa information",
        note="Before, its region is on no node (numa_node -1) and its target node is 0. Not in 6.2.12, in 6.3.8; it was merged with "
        "the zoned block devices of virtio-blk.",
    )  # fmt: skip
    btt_checks_free_blocks: bool = since(
        "7.3", "6a1f2e5ed926", "nvdimm/btt: reject an arena whose nfree is below the lane count",
        backports={"6.12": "6.12.110", "7.2": "7.2.7"},
        note="A BTT with fewer free blocks than lanes (256) is refused.",
    )  # fmt: skip
