"""Features of the x86 firmware map and of what the kernel writes into ``/proc/iomem`` at boot: e820, PCI, APIC, ACPI."""

from __future__ import annotations

from dataclasses import dataclass

from sparsemem.spec.features_device import DeviceFeatures
from sparsemem.spec.record import Era, choice, since, until

__all__ = ["FirmwareFeatures"]


@dataclass(frozen=True, slots=True, kw_only=True, init=False, repr=False, eq=False)  # cheap: Features makes them
class FirmwareFeatures(DeviceFeatures):
    """arch/x86/kernel/e820.c, arch/x86/pci, drivers/acpi, and the printing in kernel/resource.c."""

    max_iores_level: int = choice(
        Era(5),
        Era(8, "7.0", "4326ab1806a5", "resource: Increase MAX_IORES_LEVEL to 8"),
        note="How deep /proc/iomem indents; what lies deeper prints at this depth (read: 5 in 6.12, 8 in 7.2).",
    )
    soft_reserved_deferred: bool = since(
        "7.0", "bc62f5b308cb", "dax/hmem, e820, resource: Defer Soft Reserved insertion until hmem is ready",
        note="Soft Reserved ranges wait in a tree of their own and do not show in /proc/iomem (read in 7.2).",
    )  # fmt: skip
    ecam_name: str = choice(
        Era("PCI MMCONFIG"),
        Era("PCI ECAM", "6.8", "", "x86/pci: Rename 'MMCONFIG' to 'ECAM', use pr_fmt"),
        note="What the PCI configuration window is called in /proc/iomem (seen: MMCONFIG on 6.1, ECAM on 6.12).",
    )
    lapic_resource_shown: bool = until(
        "6.6",
        note="/proc/iomem has a Local APIC line (seen in 6.1; 6.12 registers a virtual address, which is refused).",
    )
    motherboard_by_acpi: bool = since(
        "7.0", note="ACPI itself reserves motherboard resources (PNP0C01:00); before, the pnp driver did (seen in 7.2)."
    )
