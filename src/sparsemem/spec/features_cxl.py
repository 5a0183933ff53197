"""Features of drivers/cxl: when the kernel takes a memory device, commits a region and makes persistent memory of it."""

from __future__ import annotations

from dataclasses import dataclass

from sparsemem.spec.features_virtio import VirtioFeatures
from sparsemem.spec.record import Era, choice, since, until

__all__ = ["CxlFeatures"]

_BETWEEN = "(read in 6.2.12, not in 6.1)"
_6_3 = "(read in 6.3.8, not in 6.2.12)"


@dataclass(frozen=True, slots=True, kw_only=True, init=False, repr=False, eq=False)  # cheap: Features makes them
class CxlFeatures(VirtioFeatures):
    """core/region.c, core/hdm.c, pci.c, mem.c, pmem.c."""

    cxl_drivers: bool = since(
        "5.12", "4cdadfd5e0a7", "cxl/mem: Introduce a driver for CXL-2.0-Type-3 endpoints",
        note="There is a driver for CXL memory devices.",
    )  # fmt: skip
    cxl_regions: bool = since(
        "6.0", "779dd20cfb56", "cxl/region: Add region creation support",
        note="Root decoders make regions; a window of CXL addresses has an entry \"CXL Window N\" in the iomem tree.",
    )  # fmt: skip
    cxl_bridge_is_pci_root: bool = since(
        "6.2", "1dedb6f3cf7f", "cxl/ACPI: Register CXL host ports by bridge device",
        note=f"The dports of a CXL root are PCI host bridges (pci0000:0c); before, their ACPI devices (ACPI0016:00) {_BETWEEN}.",
    )  # fmt: skip
    cxl_event_interrupts: bool = since(
        "6.3", "a49aa8141b65", "cxl/mem: Wire up event interrupts",
        note="cxl_pci does not take a device without an interrupt for its event logs where the kernel handles CXL memory errors and takes "
        f"message interrupts {_6_3}: QEMU 7.2's device is one.",
    )  # fmt: skip
    cxl_flushes_caches: bool = since(
        "6.2", "d18bc74aced6", "cxl/region: Manage CPU caches relative to DPA invalidation events",
        note=f"A region is committed only where the CPU can write back its caches for it: ENXIO in a guest {_BETWEEN}.",
    )  # fmt: skip
    cxl_nvdimm_of_memdev: bool = since(
        "6.2", "f17b558d6663", "cxl/pmem: Refactor nvdimm device registration, delete the workqueue",
        note=f"The DIMM of a memory device comes and goes with its driver; before, it stays when that is unbound {_BETWEEN}.",
    )  # fmt: skip
    cxl_names_failed_decoder: bool = since(
        "6.3", "32ce3f185bbb", "cxl/port: Split endpoint and switch port probe",
        note="A decoder that is not as it should be is logged as \"Failed to initialize decoderX.Y\"; before, \"Couldn't enumerate "
        f"decoders\" {_6_3}.",
    )  # fmt: skip
    cxl_pmem_drivers_bindable: bool = until(
        "6.2", "cb9cfff82f6a", "cxl/acpi: Simplify cxl_nvdimm_bridge probing",
        note="The drivers cxl_nvdimm, cxl_nvdimm_bridge and cxl_pmem_region have files bind and unbind (not in 6.2.12).",
    )  # fmt: skip
    cxl_partitions: bool = since(
        "6.15", "be5cbd084027", "cxl: Kill enum cxl_decoder_mode",
        note="Capacity that a device has no partition for is EINVAL instead of ENXIO; a decoder without a mode is ENODEV as a target, and "
        "giving it capacity EBUSY (read in 6.17.0, not in 6.14).",
    )  # fmt: skip
    cxl_dirty_shutdown: bool = since(
        "6.15", "a52b6a2c1c99", "cxl/pci: Support Global Persistent Flush (GPF)",
        note="A device that cannot set its dirty shutdown state is logged when it becomes a DIMM (read in 6.17.0, not in 6.14).",
    )  # fmt: skip
    cxl_pmem_needs_serial: bool = since(
        "6.15", "2da9ad027e80", "cxl/pmem: debug invalid serial number data",
        note="A region with a device without a serial number becomes no region of libnvdimm (read in 6.17.0, not in 6.14).",
    )  # fmt: skip
    cxl_logs_failed_attach: bool = since(
        "6.16", "9efefa1c6f2c", "cxl/region: Add a dev_warn() on registration failure",
        note="A target that a region does not take is logged: \"failed to attach decoderX.Y to regionZ\" (read in 6.17.0, not in 6.14).",
    )  # fmt: skip
    cxl_dports_with_devices: bool = since(
        "6.18", "4f06d81e7c6a", "cxl: Defer dport allocation for switch ports",
        note="A port has only the dports that a memory device was found behind; before, all that PCI shows (read in 6.18.2, not in "
        "6.17.0).",
    )  # fmt: skip
    cxl_sysfs: str = choice(
        Era("6.1"), Era("6.12", "6.8"), Era("7.2", "7.1"),
        note="Which recorded kernel's files CXL devices have in sysfs (the releases between the recorded ones are not told apart).",
    )  # fmt: skip
