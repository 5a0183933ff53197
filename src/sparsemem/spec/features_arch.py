"""Features of the architectures: which of them can add, remove and map memory at all, and their own checks.

Read in the Kconfig files and the arch_add_memory() of 5.10, 6.1, 6.12 and 7.2 and of the releases named here.
"""

from __future__ import annotations

from dataclasses import dataclass

from sparsemem.spec.features_hotplug import HotplugFeatures
from sparsemem.spec.record import Era, choice, since, until

__all__ = ["ArchFeatures"]

_HOT_REMOVE = ("5.7", "bbd6ec605c0f", "arm64/mm: Enable memory hot remove")


@dataclass(frozen=True, slots=True, kw_only=True, init=False, repr=False, eq=False)  # cheap: Features makes them
class ArchFeatures(HotplugFeatures):
    """CONFIG_MEMORY_HOTPLUG, MEMORY_HOTREMOVE and ZONE_DEVICE by architecture; arm64's rules; memmap_on_memory."""

    zone_device: bool = choice(
        Era(False),
        Era(True, "4.0", arches=("x86_64", "ppc64")),
        Era(True, *_HOT_REMOVE, arches=("arm64",)),
        Era(True, "6.11", arches=("riscv64", "loongarch64")),
        Era(True, "6.17", "", "mm: remove devmap related functions and page table bits", arches=("s390x",)),
        note="ZONE_DEVICE can be built: it wants hot-remove and, up to 6.16, a page table bit (ARCH_HAS_PTE_DEVMAP). For "
        "loongarch64 the release is not confirmed (6.1 has not, 6.12 has).",
    )
    arm64_memory_hotplug: bool = since(
        "5.1",
        "4ab215061554",
        "arm64: Add memory hotplug support",
        arches=("arm64",),
        note="arm64 can add memory at all.",
    )
    arm64_boot_memory_stays: bool = since(
        *_HOT_REMOVE, arches=("arm64",),
        note='Boot memory cannot go offline ("Boot memory [%lx %lx] offlining attempted", -EPERM).',
    )  # fmt: skip
    arm64_memory_hotremove: bool = since(*_HOT_REMOVE, arches=("arm64",), note="arm64 can remove memory at all.")
    arm64_checks_linear_region: bool = until(
        "5.12", "bca3feaa0764", "mm/memory_hotplug: prevalidate the address range being added with platform",
        first=Era(True, "5.11", "58284a901b42", "arm64/mm: Validate hotplug range before creating linear mapping",
                  {"5.10": "5.10.4"}), arches=("arm64",),
        note='arch_add_memory() refuses what the direct map cannot hold ("[%llx %llx] is outside linear mapping region", '
        "-EINVAL). The 5.10 release that took it is not confirmed (5.10.251 has it).",
    )  # fmt: skip
    riscv64_memory_hotplug: bool = since("6.11", arches=("riscv64",), note="riscv64 can add and remove memory at all.")
    memmap_on_memory_arch: bool = choice(
        Era(False),
        Era(True, "5.13", arches=("x86_64", "arm64")),
        Era(True, "6.6", arches=("ppc64",)),
        Era(True, "6.9", arches=("s390x",)),
        Era(True, "6.11", arches=("riscv64",)),
        note="The architecture has ARCH_MHP_MEMMAP_ON_MEMORY_ENABLE.",
    )
