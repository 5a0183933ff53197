"""``/sys/bus/nd`` itself and its drivers: bind, unbind, drivers_probe (drivers/base/bus.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.kernel.nvdimm.core import dev_name
from sparsemem.machine.sysfs_nd_attribute import driver_of

if TYPE_CHECKING:
    from sparsemem.kernel.state import State

__all__ = ["BUS", "driver_listdir", "driver_module", "driver_paths", "driver_store", "drivers_of_bus"]

BUS = "/sys/bus/nd"
_BUS_FILES = ("drivers_autoprobe", "drivers_probe", "uevent")
_DRIVER_FILES = ("bind", "uevent", "unbind")


def drivers_of_bus(state: State) -> tuple[str, ...]:
    """The names below ``/sys/bus/nd/drivers``; nd_bus cannot be bound by hand."""
    from sparsemem.kernel.nvdimm.bus import drivers

    found = tuple(drivers(state))
    return found if "nd_bus" in found else (*found, "nd_bus")


def _files(driver: str) -> tuple[str, ...]:
    return ("uevent",) if driver == "nd_bus" else _DRIVER_FILES


def driver_paths(state: State) -> list[str]:
    """The files of the bus and of its drivers."""
    found = [f"{BUS}/{name}" for name in _BUS_FILES]
    for driver in drivers_of_bus(state):
        found += [f"{BUS}/drivers/{driver}/{name}" for name in _files(driver)]
    return found


def driver_listdir(state: State, path: str) -> list[str] | None:
    """The names in ``/sys/bus/nd``, in ``drivers``, and in a driver's directory."""
    if path == BUS:
        return sorted(["devices", "drivers", *_BUS_FILES])
    if path == f"{BUS}/drivers":
        return sorted(drivers_of_bus(state))
    head, _, driver = path.rpartition("/")
    if head != f"{BUS}/drivers" or driver not in drivers_of_bus(state):
        return None
    return sorted([*_files(driver), "module", *(dev_name(key) for key in state.nd if driver_of(state, key) == driver)])


def driver_module(state: State, driver: str) -> str | None:
    """Where the link ``module`` of a driver leads."""
    if driver not in drivers_of_bus(state):
        return None
    return f"/sys/module/{driver if driver in ('dax_pmem', 'nd_pmem') else 'libnvdimm'}"


def driver_store(state: State, path: str, text: str) -> bool:
    """Write to a file of a driver; False when there is none of that path. Raises Refusal."""
    from sparsemem.kernel.nvdimm import bus

    if path not in driver_paths(state):
        return False
    driver, _, name = path.removeprefix(f"{BUS}/drivers/").partition("/")
    if name == "bind":
        bus.bind_store(state, driver, text)
    elif name == "unbind":
        bus.unbind_store(state, driver, text)
    return True
