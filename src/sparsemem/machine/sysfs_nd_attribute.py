"""What an attribute of a device is, and those that every device of the nd bus has (drivers/nvdimm/bus.c, drivers/base/core.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sparsemem.kernel.nvdimm.core import nvdimm_of, region_of
from sparsemem.kernel.nvdimm.types import NdBtt, NdNamespace, NdPfn, NdRegion, Nvdimm, NvdimmBus
from sparsemem.machine.sysfs_error import SysfsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sparsemem.kernel.state import State

__all__ = [
    "COMMON",
    "POWER",
    "UEVENT",
    "Attribute",
    "devnum",
    "devtype",
    "driver_of",
    "has_target_node",
    "ignored",
    "numa",
    "ro",
    "rw",
    "text",
]

_DAX = 7


class Attribute(NamedTuple):
    """A file of a device: its mode, and the functions behind reading and writing it. Both take the key of the device."""

    mode: int
    show: Callable[[State, str], str]
    store: Callable[[State, str, str], None] | None = None


def ro(show: Callable[[State, str], str], mode: int = 0o444) -> Attribute:
    """A file that is read."""
    return Attribute(mode, show)


def rw(show: Callable[[State, str], str], store: Callable[[State, str, str], None]) -> Attribute:
    """A file that is read and written."""
    return Attribute(0o644, show, store)


def text(value: str) -> Attribute:
    """A file that always reads the same."""
    return Attribute(0o444, lambda state, key: f"{value}\n")


def ignored(state: State, key: str, text: str) -> None:
    """A write that nothing in the model depends on."""


def _no_autosuspend(state: State, key: str) -> str:
    raise SysfsError(5, key)


POWER = {
    "autosuspend_delay_ms": Attribute(0o644, _no_autosuspend, ignored),
    "control": Attribute(0o644, lambda state, key: "auto\n", ignored),
    "runtime_active_time": text("0"),
    "runtime_status": text("unsupported"),
    "runtime_suspended_time": text("0"),
}
"""The directory ``power`` of a device without power management (drivers/base/power/sysfs.c)."""


def devnum(state: State, name: str) -> tuple[int, int]:
    """Major and minor of nmemN and ndctlN. The majors are dynamic: these are those of a Debian 6.1 guest."""
    return (244, nvdimm_of(state, name).id) if name.startswith("nmem") else (245, int(name.removeprefix("ndctl")))


def driver_of(state: State, key: str) -> str:
    """The driver that a device is bound to, "" for none."""
    dev = state.nd[key]
    return "nd_bus" if isinstance(dev, NvdimmBus) else str(dev.driver)


def devtype(state: State, key: str) -> str:
    """The name of the device's type; "" for a bus."""
    dev = state.nd[key]
    if isinstance(dev, NdNamespace):
        return f"nd_namespace_{dev.type}"
    if isinstance(dev, NdPfn):
        return f"nd_{dev.type}"
    names = {NdBtt: "nd_btt", NdRegion: "nd_pmem", Nvdimm: "nvdimm"}
    return names.get(type(dev), "")


def _modalias(state: State, key: str) -> str:
    from sparsemem.kernel.nvdimm.region_devs import nd_region_to_nstype

    dev = state.nd[key]
    if isinstance(dev, NvdimmBus):
        number = 0
    elif isinstance(dev, Nvdimm):
        number = 1
    elif isinstance(dev, NdRegion):
        number = 2
    elif isinstance(dev, NdPfn) and dev.type == "dax":
        number = _DAX
    else:
        number = nd_region_to_nstype(state, region_of(state, dev.region))
    return f"nd:t{number}"


def _uevent(state: State, key: str) -> str:
    lines = []
    dev = state.nd[key]
    if isinstance(dev, Nvdimm):
        major, minor = devnum(state, dev.name)
        lines += [f"MAJOR={major}", f"MINOR={minor}", f"DEVNAME={dev.name}"]
    if kind := devtype(state, key):
        lines.append(f"DEVTYPE={kind}")
    if driver := driver_of(state, key):
        lines.append(f"DRIVER={driver}")
    return "".join(f"{line}\n" for line in (*lines, f"MODALIAS={_modalias(state, key)}"))


UEVENT = Attribute(0o644, _uevent, ignored)


def _region_of(state: State, key: str) -> NdRegion:
    dev = state.nd[key]
    return dev if isinstance(dev, NdRegion) else region_of(state, dev.region)


COMMON = {
    "devtype": ro(lambda state, key: f"{devtype(state, key)}\n"),
    "modalias": ro(lambda state, key: f"{_modalias(state, key)}\n"),
    "uevent": UEVENT,
}
"""``nd_device_attribute_group``, and ``uevent``."""

_NUMA_NODE = ro(lambda state, key: f"{_region_of(state, key).numa_node}\n")
_TARGET_NODE = ro(lambda state, key: f"{_region_of(state, key).target_node}\n")


_NUMA = {"numa_node": _NUMA_NODE}, {"numa_node": _NUMA_NODE, "target_node": _TARGET_NODE}


def numa(*, target: bool) -> dict[str, Attribute]:
    """``nd_numa_attribute_group``: the target node only where there is one."""
    return _NUMA[target]


def has_target_node(state: State, region: NdRegion) -> bool:
    """Do the devices of this region have a ``target_node`` file?"""
    return region.target_node >= 0 and state.kernel.features.nd_target_node_attribute
