"""Features of what drivers/nvdimm and drivers/acpi/nfit show in sysfs."""

from __future__ import annotations

from dataclasses import dataclass

from sparsemem.spec.features_device import DeviceFeatures
from sparsemem.spec.record import Era, choice, since, until

__all__ = ["NdSysfsFeatures"]


@dataclass(frozen=True, slots=True, kw_only=True, init=False, repr=False, eq=False)  # cheap: Features makes them
class NdSysfsFeatures(DeviceFeatures):
    """Attributes and paths of the nd bus."""

    nd_target_node_attribute: bool = since(
        "5.5", "", "libnvdimm: Export the target_node attribute for regions and namespaces",
        note="Regions, namespaces, btt, pfn and dax devices of the nd bus have a target_node file.",
    )  # fmt: skip
    nvdimm_label_flag_is_label: bool = since(
        "5.7", "a0e374525def", "libnvdimm/region: Introduce NDD_LABELING",
        note="The flags file of a DIMM whose labels are in use says \"label\"; before, \"alias\".",
    )  # fmt: skip
    nd_firmware_group: bool = since(
        "5.9", "48001ea50d17", "PM, libnvdimm: Add runtime firmware activation support",
        note="Buses and DIMMs have a directory \"firmware\", empty where the platform cannot activate firmware.",
    )  # fmt: skip
    cxl_dimm_group: bool = since(
        "6.2", "b5807c80b5bc", "cxl: add dimm_id support for __nvdimm_create()",
        note="A DIMM that is a CXL memory device has a directory \"cxl\" with its id (read in 6.12, not in 6.1).",
    )  # fmt: skip
    hmem_resource: bool = until(
        "6.3", "fe098574a93b", "dax/hmem: Convey the dax range via memregion_info()",
        note="A soft-reserved range's platform device has an entry of its own in the iomem tree, around Soft Reserved (seen in 6.1, not "
        "in 6.12).",
    )  # fmt: skip
    hmem_has_parent: bool = since(
        "7.1", "059edcc405e4", "dax/hmem: Parent dax_hmem devices",
        note="sysfs has hmem.N below hmem_platform.0 (seen in 7.2, not in 6.12).",
    )  # fmt: skip
    hmem_without_hmat: bool = since(
        "5.10", "5ccac54f3e12", "ACPI: HMAT: attach a device for each soft-reserved range",
        note="Every soft-reserved range gets a dax region, whether or not an HMAT describes it (seen in 5.10).",
    )  # fmt: skip
    dax_failed_probe_keeps_pgmap: bool = since(
        "5.17", "0e7325f03f09", "device-dax: ensure dev_dax->pgmap is valid for dynamic devices",
        note="A dynamic dax device whose probe failed keeps its page map, and each later probe fails: EINVAL (read in 6.1, 6.12, 7.2).",
    )  # fmt: skip
    nd_power_directory: bool = until(
        "5.14", "2bbafda405c0", "libnvdimm: Drop unused device power management support",
        note="Devices of the nd bus have a directory power (seen in 5.10, not in 6.1; in 5.12.9, not in 5.14-rc5).",
    )  # fmt: skip
    block_sysfs: str = choice(
        Era("5.10"), Era("6.1", "6.0"), Era("6.12", "6.11"), Era("7.2", "7.0"),
        note="Which recorded kernel's files a block device has in sysfs (the releases between the recorded ones are not told apart).",
    )  # fmt: skip
    nfit_node_by_address: bool = since(
        "5.17", "f060db99374e", "ACPI: NFIT: Use fallback node id when numa info in NFIT table is incorrect",
        backports={"5.10": "5.10.251"},
        note="A range whose proximity domain is unknown gets the nodes of its address, and the log says so (5.10.251 has it; in which "
        "5.10 it came is not confirmed).",
    )  # fmt: skip
    nfit_platform_driver: bool = since(
        "7.0", "03667e146f81", "ACPI: NFIT: core: Convert the driver to a platform one",
        note="The bus of NFIT is below /sys/devices/platform and its log lines begin with acpi-nfit (read in 7.2).",
    )  # fmt: skip
