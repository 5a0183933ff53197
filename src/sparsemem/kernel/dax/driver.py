"""The driver side of ``drivers/dax/bus.c`` and what ``drivers/base`` does for it: match, probe, bind, unbind, new_id."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sparsemem.kernel import dd
from sparsemem.kernel.dax import device, kmem
from sparsemem.kernel.dax.bus import dev_dax_of, put_dev_dax, region_of
from sparsemem.kernel.dax.types import DEVICE_DAX, KMEM, DevDax
from sparsemem.kernel.refusal import Refusal

if TYPE_CHECKING:
    from sparsemem.kernel.state import State

__all__ = [
    "bind_store",
    "dax_bus_match",
    "dax_bus_probe",
    "device_initial_probe",
    "device_release_driver",
    "drivers",
    "new_id_store",
    "remove_id_store",
    "unbind_store",
]

_IDS = "dax_driver_ids"
_ID = re.compile(r"dax(\d+)\.(\d+)\n?\Z")


def drivers(state: State) -> tuple[str, ...]:
    """The drivers of the dax bus: kmem is a module that is loaded on demand, and is taken as loaded."""
    return (DEVICE_DAX, KMEM) if state.kernel.features.kmem else (DEVICE_DAX,)


def _ids(state: State) -> frozenset[tuple[str, str]]:
    found: frozenset[tuple[str, str]] = state.misc.get(_IDS, frozenset())
    return found


def dax_bus_match(state: State, driver: str, dev: DevDax) -> bool:
    """Does the driver take this device? By its id list, or by default (which kmem is, for the regions that ask, v6.3+)."""
    if (driver, dev.name) in _ids(state):
        return True
    by_default = KMEM if state.kernel.features.dax_kmem_by_default and region_of(state, dev.region).kmem else DEVICE_DAX
    return driver == by_default


def dax_bus_probe(state: State, driver: str, name: str) -> None:
    """Bind. Raises Refusal: ENXIO (a device without a size), and what the driver's probe says; the device is unbound then."""
    dev = dev_dax_of(state, name)
    if not dev.size:
        raise Refusal(6, "dax_bus_probe", "dax-empty")
    put_dev_dax(state, dev._replace(driver=driver))
    try:
        if driver == KMEM:
            kmem.dev_dax_kmem_probe(state, name)
        else:
            device.dev_dax_probe(state, name)
    except Refusal as refusal:
        put_dev_dax(state, dev_dax_of(state, name)._replace(driver=""))
        dd.probe_failed(state, driver, name, refusal.errno)
        raise
    region = region_of(state, dev.region)
    if not region.static and region.seed == name:
        state.put(state.dax, dev.region, region._replace(seed=""))


def _try_attach(state: State, driver: str, name: str) -> None:
    try:
        dax_bus_probe(state, driver, name)
    except Refusal:
        return


def device_initial_probe(state: State, name: str) -> None:
    """A new device meets the drivers; that a probe fails is only logged."""
    for driver in drivers(state):
        if not dev_dax_of(state, name).driver and dax_bus_match(state, driver, dev_dax_of(state, name)):
            _try_attach(state, driver, name)


def _devname(text: str) -> str:
    match = _ID.match(text)
    if match is None or any(each != str(int(each)) for each in match.groups()):
        raise Refusal(22, "do_id_store", "attribute-syntax")
    return text.removesuffix("\n")


def new_id_store(state: State, driver: str, text: str) -> None:
    """Add a device name to a driver's list, then offer it every unbound device that it takes. Raises Refusal(EINVAL)."""
    name = _devname(text)
    state.alloc("do_id_store")
    state.put(state.misc, _IDS, _ids(state) | {(driver, name)})
    for each in [dev for dev in state.dax.values() if isinstance(dev, DevDax)]:
        if not each.driver and dax_bus_match(state, driver, each):
            _try_attach(state, driver, each.name)


def remove_id_store(state: State, driver: str, text: str) -> None:
    """Take a device name off a driver's list; a name that is not there is fine. Raises Refusal(EINVAL)."""
    name = _devname(text)
    state.put(state.misc, _IDS, _ids(state) - {(driver, name)})


def bind_store(state: State, driver: str, text: str) -> None:
    """Bind one device by name.

    Raises Refusal: ENODEV (unknown, another driver's; up to v5.13 also where the probe fails or it is bound already), EBUSY (bound
    already), and what the probe says.
    """
    name = text.removesuffix("\n")
    dev = state.dax.get(name)
    matches = isinstance(dev, DevDax) and dax_bus_match(state, driver, dev)
    dd.bind(
        state,
        bound=matches and bool(dev_dax_of(state, name).driver),
        matches=matches,
        probe=lambda: dax_bus_probe(state, driver, name),
    )


def unbind_store(state: State, driver: str, text: str) -> None:
    """Unbind one device by name. Raises Refusal(ENODEV): unknown, or not bound to this driver."""
    dev = state.dax.get(text.removesuffix("\n"))
    if not isinstance(dev, DevDax) or dev.driver != driver:
        raise Refusal(19, "unbind_store", "driver-match")
    device_release_driver(state, dev.name)


def device_release_driver(state: State, name: str) -> None:
    """Unbind: it always succeeds, whatever the driver could not take back."""
    if dev_dax_of(state, name).driver == KMEM:
        kmem.dev_dax_kmem_remove(state, name)
    else:
        device.dev_dax_remove(state, name)
    put_dev_dax(state, dev_dax_of(state, name)._replace(driver=""))
