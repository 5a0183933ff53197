"""``drivers/nvdimm/bus.c``: the nd bus: which driver takes a device, probe and remove, and devices that come and go.

The kernel registers devices in threads of their own; here they queue, and meet their drivers when the probe that made them
is over: a region's seeds exist before its namespaces are probed, and a namespace has let go before the pfn device made of it is probed.
That is the order in which a real kernel nearly always gets there, and user space waits for it (``wait_probe``). Which of several
namespaces is done first, and so the order of their log lines, is a race there: here it is the order of their numbers. So is a number
that is asked for just after a device was told to go: here it is free at once (of four recorded kernels, two gave the next one).

Nothing here asks whether a block device is open or mounted. ``unbind`` takes a device from under a file system without a word, as the
kernel does: what refuses is ndctl. The claim in ``state.misc["claims"]`` stays, on a disk that is gone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.kernel import dd
from sparsemem.kernel.nvdimm.claim import devres_release_all, nd_detach_ndns
from sparsemem.kernel.nvdimm.core import dev_name, put
from sparsemem.kernel.nvdimm.region_devs import nd_region_advance_seeds
from sparsemem.kernel.nvdimm.types import NdBtt, NdNamespace, NdPfn, NdRegion, Nvdimm, NvdimmBus
from sparsemem.kernel.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from sparsemem.kernel.state import State

__all__ = [
    "BINDABLE",
    "bind_store",
    "device_of",
    "device_release_driver",
    "driver_for",
    "drivers",
    "nd_device_register",
    "nd_device_unregister",
    "probe",
    "unbind_store",
]

BINDABLE = ("dax_pmem", "nd_pmem", "nd_region", "nvdimm")
"""Drivers with ``bind`` and ``unbind`` files: nd_bus has none."""

_QUEUE = "nd_async"
_EOPNOTSUPP = 95
_CHILD = (NdNamespace, NdPfn, NdBtt)


def drivers(state: State) -> tuple[str, ...]:
    """The directories of /sys/bus/nd/drivers. Modules that load on demand are taken as loaded, but for nd_blk, whose devices
    (block apertures, gone in v5.18) are not modelled."""
    return ("dax_pmem", "nd_bus", "nd_pmem", "nd_region", "nvdimm")


def device_of(state: State, name: str) -> str:
    """The key of the device of this name on the nd bus; "" where there is none."""
    name = name.removesuffix("\n")
    key = f"nd:{name}" if name.startswith("dax") else name
    return key if key in state.nd and ":" not in name else ""


def driver_for(state: State, key: str) -> str:
    """``nvdimm_bus_match``: the one driver that takes a device."""
    dev = state.nd[key]
    if isinstance(dev, Nvdimm):
        return "nvdimm"
    if isinstance(dev, NdRegion):
        return "nd_region"
    if isinstance(dev, NvdimmBus):
        return "nd_bus"
    return "dax_pmem" if isinstance(dev, NdPfn) and dev.type == "dax" else "nd_pmem"


# -- probe and remove


def _set_driver(state: State, key: str, driver: str) -> None:
    dev = state.nd[key]
    if isinstance(dev, NdPfn) and not driver:
        dev = dev._replace(layout=None)
    put(state, dev._replace(driver=driver))


def _call_probe(state: State, key: str) -> None:
    from sparsemem.kernel.nvdimm import dax_devs, dimm, pmem, region  # the drivers register devices with this module

    dev = state.nd[key]
    if isinstance(dev, Nvdimm):
        dimm.nvdimm_probe(state, key)
    elif isinstance(dev, NdRegion):
        region.nd_region_probe(state, key)
    elif isinstance(dev, NdPfn) and dev.type == "dax":
        dax_devs.dax_pmem_probe(state, key)
    else:
        pmem.nd_pmem_probe(state, key)


def _unbind_cleanup(state: State, key: str) -> None:
    """What a driver leaves to devres, then the driver."""
    from sparsemem.kernel.nvdimm import region

    dev = state.nd[key]
    if isinstance(dev, _CHILD):
        devres_release_all(state, key)
    elif isinstance(dev, NdRegion):
        region.devres_release(state, key)
    _set_driver(state, key, "")


def probe(state: State, key: str) -> None:
    """Bind a device to its driver, and let what that makes meet its own drivers.

    Raises Refusal with what the driver's probe says; the failure is logged and the device is unbound again.
    """
    _run(state, lambda: _probe(state, key))


def _probe(state: State, key: str) -> None:
    driver, dev = driver_for(state, key), state.nd[key]
    _set_driver(state, key, driver)
    try:
        _call_probe(state, key)
    except Refusal as refusal:
        if refusal.crash:
            raise
        if (
            isinstance(dev, _CHILD)
            and refusal.errno == _EOPNOTSUPP
            and state.kernel.features.failed_probe_advances_seed
        ):
            nd_region_advance_seeds(state, dev.region, key)
        _unbind_cleanup(state, key)
        dd.probe_failed(state, driver, dev_name(key), refusal.errno)
        raise
    if isinstance(dev, _CHILD):
        nd_region_advance_seeds(state, dev.region, key)


def device_release_driver(state: State, key: str) -> None:
    """Unbind. It always succeeds: see the module's docstring for what is mounted there."""
    from sparsemem.kernel.nvdimm import dimm, pmem, region  # the drivers register devices with this module

    dev = state.nd[key]
    if not dev.driver:
        return
    if isinstance(dev, Nvdimm):
        dimm.nvdimm_remove(state, key)
    elif isinstance(dev, NdRegion):
        region.nd_region_remove(state, key)
    elif not (isinstance(dev, NdPfn) and dev.type == "dax"):
        pmem.nd_pmem_remove(state, key)
    _unbind_cleanup(state, key)


# -- registration


def _run(state: State, action: Callable[[], None]) -> None:
    """Do something that may register devices; the outermost caller then lets them meet their drivers, in order."""
    if _QUEUE in state.misc:
        action()
        return
    state.put(state.misc, _QUEUE, ())
    try:
        action()
    finally:
        while state.misc[_QUEUE]:
            key, *rest = state.misc[_QUEUE]
            state.put(state.misc, _QUEUE, tuple(rest))
            _initial_probe(state, key)
        state.drop(state.misc, _QUEUE)


def _initial_probe(state: State, key: str) -> None:
    dev = state.nd.get(key)
    if dev is None or isinstance(dev, NvdimmBus) or dev.driver:
        return
    try:
        _probe(state, key)
    except Refusal as refusal:
        if refusal.crash:
            raise


def nd_device_register(state: State, key: str) -> None:
    """A device (in ``state.nd`` already) is announced: its driver probes it, at once or when the probe under way is over. That the
    probe fails is only logged."""
    if _QUEUE in state.misc:
        state.put(state.misc, _QUEUE, (*state.misc[_QUEUE], key))
    else:
        _run(state, lambda: _initial_probe(state, key))


def nd_device_unregister(state: State, key: str) -> None:
    """A device goes: unbound, its claim on a namespace dropped, out of the table."""
    dev = state.nd.get(key)
    if dev is None:
        return
    if not isinstance(dev, NvdimmBus) and dev.driver:
        device_release_driver(state, key)
    if isinstance(dev, (NdPfn, NdBtt)):
        nd_detach_ndns(state, key)
    state.drop(state.nd, key)


# -- what user space writes


def bind_store(state: State, driver: str, text: str) -> None:
    """Bind one device by name.

    Raises Refusal: ENODEV (unknown, another driver's; up to v5.13 also where the probe fails or it is bound already), EBUSY (bound
    already), and what the probe says: ENXIO where a namespace turned out to be a btt, pfn or dax device, which is bound by then.
    """
    key = device_of(state, text)
    matches = bool(key) and driver_for(state, key) == driver
    bound = matches and bool(state.nd[key].driver)
    dd.bind(state, bound=bound, matches=matches, probe=lambda: probe(state, key))


def unbind_store(state: State, driver: str, text: str) -> None:
    """Unbind one device by name. Raises Refusal(ENODEV): unknown, or not bound to this driver."""
    key = device_of(state, text)
    if not key or isinstance(state.nd[key], NvdimmBus) or state.nd[key].driver != driver:
        raise Refusal(19, "unbind_store", "driver-match")
    _run(state, lambda: device_release_driver(state, key))
