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
        Era(True, "6.11", "216e04bf1e4d", "riscv: mm: Add support for ZONE_DEVICE", arches=("riscv64",)),
        Era(True, "6.11", "b7a2750ef268", "LoongArch: Add ARCH_HAS_PTE_DEVMAP support", arches=("loongarch64",)),
        Era(True, "6.17", "d438d2734170", "mm: remove devmap related functions and page table bits", arches=("s390x",)),
        note="ZONE_DEVICE can be built: it wants hot-remove and, up to 6.16, a page table bit (ARCH_HAS_PTE_DEVMAP).",
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
    riscv64_memory_hotplug: bool = since(
        "6.11", "f8c2a240556e", "riscv: Enable memory hotplugging for RISC-V", arches=("riscv64",),
        note="riscv64 can add and remove memory at all.",
    )  # fmt: skip
    memmap_on_memory_arch: bool = choice(
        Era(False),
        Era(True, "5.13", "f91ef2223dc4", "x86/Kconfig: introduce ARCH_MHP_MEMMAP_ON_MEMORY_ENABLE", arches=("x86_64",)),
        Era(True, "5.13", "ca6e51d592d2", "arm64/Kconfig: introduce ARCH_MHP_MEMMAP_ON_MEMORY_ENABLE", arches=("arm64",)),
        Era(True, "6.6", "603fd64dfa45", "powerpc/book3s64/memhotplug: enable memmap on memory for radix", arches=("ppc64",)),
        Era(True, "6.9", "9eda317c15ff", "s390: enable MHP_MEMMAP_ON_MEMORY", arches=("s390x",)),
        Era(True, "6.11", "f8c2a240556e", "riscv: Enable memory hotplugging for RISC-V", arches=("riscv64",)),
        note="The architecture has ARCH_MHP_MEMMAP_ON_MEMORY_ENABLE.",
    )  # fmt: skip
