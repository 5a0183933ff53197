"""``/sys/bus/cxl`` itself and its drivers: bind and unbind (drivers/base/bus.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.errors import NotModelledError
from sparsemem.kernel.cxl.core import regions
from sparsemem.kernel.cxl.mem import mem_bind, mem_unbind
from sparsemem.kernel.cxl.region import device_release_driver, region_bind
from sparsemem.kernel.refusal import Refusal
from sparsemem.machine.sysfs_cxl_tree import BUS, directories, on_bus

if TYPE_CHECKING:
    from collections.abc import Callable

    from sparsemem.kernel.state import State

__all__ = ["bus_files", "driver_files", "driver_links", "driver_store", "listed"]

_MODULES = {
    "cxl_dax_region": "dax_cxl",
    "cxl_mem": "cxl_mem",
    "cxl_nvdimm": "cxl_pmem",
    "cxl_nvdimm_bridge": "cxl_pmem",
    "cxl_pmem_region": "cxl_pmem",
    "cxl_port": "cxl_port",
    "cxl_region": "cxl_core",
}


def _bindable(state: State) -> dict[str, bool]:
    """The drivers, and whether they have files bind and unbind."""
    of_pmem = state.kernel.features.cxl_pmem_drivers_bindable
    found = {"cxl_mem": True, "cxl_port": True, "cxl_region": True}
    found |= dict.fromkeys(("cxl_nvdimm", "cxl_nvdimm_bridge", "cxl_pmem_region"), of_pmem)
    return found | ({"cxl_dax_region": False} if state.kernel.features.cxl_sysfs != "6.1" else {})


def _region_unbind(state: State, name: str) -> None:
    found = [each for each in regions(state) if each.name == name and each.bound]
    if not found:
        raise Refusal(19, "unbind_store", "driver-match")
    device_release_driver(state, name)


_BINDING: dict[tuple[str, str], Callable[[State, str], None]] = {
    ("cxl_mem", "bind"): mem_bind,
    ("cxl_mem", "unbind"): mem_unbind,
    ("cxl_region", "bind"): region_bind,
    ("cxl_region", "unbind"): _region_unbind,
}


def driver_store(state: State, driver: str, leaf: str, text: str) -> None:
    """Write a device's name to bind or unbind of a driver. Raises Refusal."""
    name = text.removesuffix("\n")
    act = _BINDING.get((driver, leaf))
    if act is not None:
        act(state, name)
        return
    holder = on_bus(directories(state)).get(name)
    bound = holder is not None and directories(state)[holder].links.get("driver") == f"{BUS}/drivers/{driver}"
    if bound and leaf == "unbind":
        raise NotModelledError(f"I cannot tell what becomes of {name} without its driver {driver}")
    raise Refusal(19, f"{leaf}_store", "driver-match")


def bus_files() -> list[str]:
    """The files of the bus, by their paths."""
    return [f"{BUS}/{name}" for name in ("drivers_autoprobe", "drivers_probe", "flush", "uevent")]


def driver_files(state: State) -> list[str]:
    """The files of the drivers, by their paths."""
    found = []
    for name, bindable in _bindable(state).items():
        found += [
            f"{BUS}/drivers/{name}/{leaf}" for leaf in (("bind", "uevent", "unbind") if bindable else ("uevent",))
        ]
    return found


def driver_links(state: State, driver: str) -> dict[str, str]:
    """The links in a driver's directory: its module, and the devices that it has."""
    tree = directories(state)
    there = f"{BUS}/drivers/{driver}"
    found = {path.rpartition("/")[2]: path for path, each in tree.items() if each.links.get("driver") == there}
    if driver in _MODULES and (driver != "cxl_port" or state.kernel.features.cxl_sysfs != "6.1"):
        found["module"] = f"/sys/module/{_MODULES[driver]}"
    return found


def listed(state: State, path: str) -> list[str] | None:
    """The names in a directory of the bus; None when it is none."""
    if path == BUS:
        return ["devices", "drivers", *(each.rpartition("/")[2] for each in bus_files())]
    if path == f"{BUS}/devices":
        return list(on_bus(directories(state)))
    if path == f"{BUS}/drivers":
        return list(_bindable(state))
    head, _, driver = path.rpartition("/")
    if head == f"{BUS}/drivers" and driver in _bindable(state):
        files = [each.rpartition("/")[2] for each in driver_files(state) if each.startswith(f"{path}/")]
        return [*files, *driver_links(state, driver)]
    return None
