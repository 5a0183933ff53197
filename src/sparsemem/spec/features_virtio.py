"""Features of drivers/virtio/virtio_mem.c: RAM that the hypervisor lends and takes back in small blocks."""

from __future__ import annotations

from dataclasses import dataclass

from sparsemem.spec.features_nvdimm import NvdimmFeatures
from sparsemem.spec.record import since

__all__ = ["VirtioFeatures"]


@dataclass(frozen=True, slots=True, kw_only=True, init=False, repr=False, eq=False)  # cheap: Features makes them
class VirtioFeatures(NvdimmFeatures):
    """virtio_mem.c."""

    virtio_mem: bool = since(
        "5.8", "5f1f79bbc9e2", "virtio-mem: Paravirtualized memory hotplug",
        note="There is a driver for virtio-mem devices.",
    )  # fmt: skip
    virtio_mem_big_block_mode: bool = since(
        "5.11", "4ba50cd3355d", "virtio-mem: Big Block Mode (BBM) memory hotplug",
        note="A device whose blocks are not smaller than a memory block is used in big blocks (before, blocks larger than a "
        "memory block are refused), at most 1 GiB of what was added may be offline (before, ten memory blocks), memory that goes "
        "offline or away calls the work queue in other cases, and pages in Movable that are in use for a moment are asked for again.",
    )  # fmt: skip
    virtio_mem_movable_first: bool = since(
        "5.14", "c740bb97cc84", "virtio-mem: prioritize unplug from ZONE_MOVABLE in Sub Block Mode",
        note="Memory is unplugged from Movable blocks first and plugged into those of kernel zones first; before, the zone was "
        "not looked at.",
    )  # fmt: skip
    virtio_mem_says_nid_first: bool = since(
        "5.16", "94300fcf4cef", "virtio-mem: factor out hotplug specifics from virtio_mem_init() into virtio_mem_init_hotplug()",
        note="The node is logged with the device's own sizes, before the memory block size (read in 5.10 and 6.1).",
    )  # fmt: skip
    virtio_mem_region_exclusive: bool = since(
        "5.16", "2128f4e21aa2", "virtio-mem: disallow mapping virtio-mem memory via /dev/mem",
        note="The device's own entry of the iomem tree is IORESOURCE_EXCLUSIVE.",
    )  # fmt: skip
    virtio_mem_pageblock_subblocks: bool = since(
        "5.19", "448b8ec3bf11", "drivers: virtio_mem: use pageblock size as the minimum virtio_mem size.",
        note="A sub-block is at least a pageblock (2 MiB on x86-64); before, a chunk of the largest order of the buddy (4 MiB).",
    )  # fmt: skip
    virtio_mem_keeps_removing: bool = since(
        "6.6", "a31648fd4f96", "virtio-mem: keep retrying on offline_and_remove_memory() errors in Sub Block Mode (SBM)",
        backports={"6.4": "6.4.16", "6.5": "6.5.3"},
        note="A memory block that has nothing plugged any more and could not be removed is tried again each time.",
    )  # fmt: skip
