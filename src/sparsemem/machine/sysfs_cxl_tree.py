"""The directories of the cxl bus's devices: ports and decoders below ``root0``, memory devices below their PCI devices.

They are made from the devices' values, path -> files and links, and kept for as long as those are the same: a listing asks thousands of
times. ``power`` and the like, which hold nothing modelled, are left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sparsemem.kernel.cxl.core import PORT_DECODER, ROOT_DECODER, decoders, endpoint_decoder, memdevs, regions, root_of
from sparsemem.machine.sysfs_cxl_attribute import (
    committed,
    decoder_files,
    memdev_files,
    port_files,
    region_files,
    root_decoder_files,
    typed,
)

if TYPE_CHECKING:
    from sparsemem.kernel.cxl.core import CxlRoot
    from sparsemem.kernel.state import State
    from sparsemem.machine.sysfs_nd_attribute import Attribute

__all__ = ["BRIDGE", "BUS", "PCI", "ROOT", "Directories", "Directory", "directories", "on_bus"]

BUS = "/sys/bus/cxl"
ROOT = "/sys/devices/platform/ACPI0017:00/root0"
BRIDGE = "/sys/devices/LNXSYSTM:00/LNXSYBUS:00/ACPI0016:00"
PCI = "/sys/devices/pci0000:0c"
_PORT = f"{ROOT}/port1"


class Directory(NamedTuple):
    """A directory: its files with the key that their functions take, and its links."""

    key: str
    files: dict[str, Attribute]
    links: dict[str, str]


Directories = dict[str, Directory]
"""Path -> directory."""


def _driver(name: str) -> dict[str, str]:
    return {"driver": f"{BUS}/drivers/{name}"} if name else {}


_KEPT: dict[object, Directories] = {}
_MOST_KEPT = 64


def directories(state: State) -> Directories:
    """Every directory of a device, by its path; not to be changed. Empty on a machine without CXL."""
    root = root_of(state)
    if root is None:
        return {}
    f = state.kernel.features
    of_kernel = f.cxl_sysfs, f.cxl_bridge_is_pci_root, f.cxl_dports_with_devices
    key = of_kernel, root, tuple(memdevs(state)), tuple(decoders(state)), tuple(regions(state))
    kept = _KEPT.get(key)
    if kept is None:
        if len(_KEPT) >= _MOST_KEPT:
            _KEPT.clear()
        kept = _KEPT[key] = _directories(state, root)
    return kept


def _directories(state: State, root: CxlRoot) -> Directories:
    f, found, bus = state.kernel.features, Directories(), {"subsystem": BUS}
    newer = f.cxl_sysfs != "6.1"
    host = PCI if f.cxl_bridge_is_pci_root else BRIDGE
    found[BRIDGE] = Directory("", {}, {"physical_node": PCI})
    found[PCI] = Directory("", {}, {"firmware_node": BRIDGE})
    found[ROOT.rpartition("/")[0]] = Directory("", {}, {})
    found[ROOT] = Directory("", port_files(state, 4, "", 0), {**bus, "uport": ROOT.rpartition("/")[0], "dport12": host})
    found[f"{ROOT}/{ROOT_DECODER}"] = Directory(ROOT_DECODER, root_decoder_files(state), bus)
    bridge = typed("cxl_nvdimm_bridge", 1, "cxl_nvdimm_bridge")
    found[f"{ROOT}/nvdimm-bridge0"] = Directory("", bridge, {**bus, **_driver("cxl_nvdimm_bridge")})
    shown = root.devices if f.cxl_dports_with_devices else root.dports
    links = {**bus, **_driver("cxl_port"), "uport": host}
    links |= {f"dport{number}": f"{PCI}/0000:0c:{number:02x}.0" for number in range(shown)}
    if newer:
        links["parent_dport"] = host
    found[_PORT] = Directory("", port_files(state, 3, "cxl_port", committed(state)), links)
    found[f"{_PORT}/{PORT_DECODER}"] = Directory(PORT_DECODER, decoder_files(PORT_DECODER), bus)
    for number in range(root.dports):
        found[f"{PCI}/0000:0c:{number:02x}.0"] = Directory("", {}, {})
    for each in memdevs(state):
        _add_memdev(state, found, each.name)
    for region in regions(state):
        path = f"{ROOT}/{ROOT_DECODER}/{region.name}"
        found[path] = Directory(region.name, region_files(state, region), bus | _driver("cxl_region" * region.bound))
        if region.pmem:
            driver = "cxl_pmem_region" if region.nd_region else ""
            found[f"{path}/pmem_{region.name}"] = Directory(
                "", typed("cxl_pmem_region", 7, driver), bus | _driver(driver)
            )
    return found


def _add_memdev(state: State, found: Directories, name: str) -> None:
    memdev = next(each for each in memdevs(state) if each.name == name)
    bus = {"subsystem": BUS}
    above = f"{PCI}/{memdev.root_port}/{memdev.host}"
    path = f"{above}/{name}"
    files, groups = memdev_files(state, memdev)
    found[above] = Directory("", {}, {})
    found[path] = Directory(name, files, bus | _driver("cxl_mem" * memdev.bound))
    for group, inside in groups.items():
        found[f"{path}/{group}"] = Directory(name, inside, {})
    if memdev.nvdimm:
        found[f"{path}/pmem{memdev.id}"] = Directory(
            "", typed("cxl_nvdimm", 2, "cxl_nvdimm"), bus | _driver("cxl_nvdimm")
        )
    if memdev.endpoint:
        port = f"{_PORT}/endpoint{memdev.endpoint}"
        links = {**bus, **_driver("cxl_port"), "uport": path}
        if state.kernel.features.cxl_sysfs != "6.1":
            links["parent_dport"] = above.rpartition("/")[0]
        count = committed(state, port.rpartition("/")[2])
        found[port] = Directory("", port_files(state, 3, "cxl_port", count), links)
        decoder = endpoint_decoder(memdev)
        found[f"{port}/{decoder}"] = Directory(decoder, decoder_files(decoder), bus)


def on_bus(tree: Directories) -> dict[str, str]:
    """The devices of the bus: name -> path."""
    return {path.rpartition("/")[2]: path for path, each in tree.items() if each.links.get("subsystem") == BUS}
