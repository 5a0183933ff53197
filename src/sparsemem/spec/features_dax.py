"""Features of drivers/dax and of the driver core under it that decide who takes a dax device, and with which words."""

from __future__ import annotations

from dataclasses import dataclass

from sparsemem.spec.features_fs import FsFeatures
from sparsemem.spec.record import since, until

__all__ = ["DaxFeatures"]


@dataclass(frozen=True, slots=True, kw_only=True, init=False, repr=False, eq=False)  # cheap: Features makes them
class DaxFeatures(FsFeatures):
    """device-dax, kmem, drivers/base/dd.c."""

    dax_kmem_by_default: bool = since(
        "6.3", "e9ee9fe3a9d4", "dax: Assign RAM regions to memory-hotplug by default",
        note="The devices of soft-reserved and CXL RAM regions go to kmem; before, every device goes to device_dax first.",
    )  # fmt: skip
    dax_class: bool = until(
        "5.17", "83762cb5c7c4", "dax: Kill DEV_DAX_PMEM_COMPAT",
        note="There is a /sys/class/dax: of the old device model, or (5.1 on) of dax_pmem_compat, empty when that is not loaded.",
    )  # fmt: skip
    bind_returns_probe_error: bool = since(
        "5.14", "ef6dcbdd8eb2", "driver core: Flow the return code from ->probe() through to sysfs bind",
        note="Writing to a driver's bind file answers with the probe's errno; before, with ENODEV.",
    )  # fmt: skip
    probe_failure_names_device: bool = since(
        "6.9", "32de4b4f9dfa", "driver: core: Log probe failure as error and with device metadata",
        note="A failed probe is logged as \"probe with driver D failed with error\"; before, \"probe of device failed with error\".",
    )  # fmt: skip
