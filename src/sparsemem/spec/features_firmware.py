"""Features of the x86 firmware map and of how ``/proc/iomem`` is printed."""

from __future__ import annotations

from dataclasses import dataclass

from sparsemem.spec.features_nd_sysfs import NdSysfsFeatures
from sparsemem.spec.record import Era, choice, since

__all__ = ["FirmwareFeatures"]


@dataclass(frozen=True, slots=True, kw_only=True, init=False, repr=False, eq=False)  # cheap: Features makes them
class FirmwareFeatures(NdSysfsFeatures):
    """arch/x86/kernel/e820.c, and the printing in kernel/resource.c."""

    max_iores_level: int = choice(
        Era(5),
        Era(8, "7.0", "4326ab1806a5", "resource: Increase MAX_IORES_LEVEL to 8"),
        note="How deep /proc/iomem indents; what lies deeper prints at this depth (read: 5 in 6.19.9, 8 in 7.0.0).",
    )
    soft_reserved_deferred: bool = since(
        "7.0", "bc62f5b308cb", "dax/hmem, e820, resource: Defer Soft Reserved insertion until hmem is ready",
        note="Soft Reserved ranges wait in a tree of their own and do not show in /proc/iomem (read in 7.0.0).",
    )  # fmt: skip
