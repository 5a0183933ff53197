"""libnvdimm in sysfs: ``/sys/bus/nd``, ``/sys/class/nd``, the block devices, and the directory of every device of a bus.

A path is taken apart name by name and each device is looked up by its name, so that one answer costs the same with ten namespaces
and with ten thousand. Directories and files are the kernel's; ``power`` and the like, which hold nothing modelled, are left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sparsemem.kernel.nvdimm.core import dev_name
from sparsemem.kernel.nvdimm.types import NdBtt, NdNamespace, NdPfn, NdRegion, Nvdimm, NvdimmBus
from sparsemem.kernel.refusal import Refusal
from sparsemem.machine import sysfs_block, sysfs_dax
from sparsemem.machine.sysfs_error import SysfsError
from sparsemem.machine.sysfs_nd_attribute import POWER, Attribute, driver_of
from sparsemem.machine.sysfs_nd_bus import bus_attributes, bus_groups, dimm_attributes, dimm_groups
from sparsemem.machine.sysfs_nd_class import ndctl_attributes
from sparsemem.machine.sysfs_nd_drivers import BUS, driver_listdir, driver_module, driver_paths, driver_store
from sparsemem.machine.sysfs_nd_namespace import btt_attributes, namespace_attributes, pfn_attributes
from sparsemem.machine.sysfs_nd_region import region_attributes, region_groups

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.kernel.state import State

__all__ = [
    "attribute_at",
    "device_path",
    "exists",
    "handles",
    "link_at",
    "listdir",
    "paths",
    "readlink",
    "roots",
    "show",
    "store",
    "writable",
]

_CLASS_ND = "/sys/class/nd"
_BUS_DEVICES = f"{BUS}/devices"
_BLOCK_LISTS = ("/sys/block", "/sys/class/block")
_WRITABLE = frozenset(
    [
        "align",
        "alt_name",
        "bind",
        "deep_flush",
        "force_raw",
        "holder_class",
        "hw_error_scrub",
        "mode",
        "namespace",
        "read_only",
        "sector_size",
        "size",
        "unbind",
        "uuid",
    ]
)
_ATTRIBUTES = {
    NvdimmBus: bus_attributes,
    Nvdimm: dimm_attributes,
    NdRegion: region_attributes,
    NdNamespace: namespace_attributes,
    NdBtt: btt_attributes,
    NdPfn: pfn_attributes,
}
_GROUPS = {NvdimmBus: bus_groups, Nvdimm: dimm_groups, NdRegion: region_groups}


class _Place(NamedTuple):
    """A device and what of the path comes after its directory."""

    key: str
    rest: tuple[str, ...]


def _key(state: State, name: str) -> str | None:
    """The key of a device by its name on the nd bus."""
    if name in state.nd:
        return name
    return f"nd:{name}" if f"nd:{name}" in state.nd else None


def device_path(state: State, name: str) -> str | None:
    """The directory of a device by its name on the nd bus (or its key); None when there is none."""
    key = _key(state, name)
    if key is None:
        return None
    dev = state.nd[key]
    if isinstance(dev, NvdimmBus):
        return dev.path
    if isinstance(dev, Nvdimm | NdRegion):
        return f"{state.nd[dev.bus].path}/{dev.name}"
    return f"{state.nd[state.nd[dev.region].bus].path}/{dev.region}/{dev.name}"


def _locate(state: State, path: str) -> _Place | None:
    """The innermost nd device that a path without links goes through."""
    for name in state.nd.buses:
        base = state.nd[name].path
        if not path.startswith(base) or path[len(base) : len(base) + 1] not in ("", "/"):
            continue
        rest = tuple(path[len(base) + 1 :].split("/")) if len(path) > len(base) else ()
        key = name
        if rest and rest[0] in state.nd and getattr(state.nd[rest[0]], "bus", None) == name:
            key, rest = rest[0], rest[1:]
            child = _key(state, rest[0]) if rest else None
            if child is not None and getattr(state.nd[child], "region", None) == key:
                key, rest = child, rest[1:]
        return _Place(key, rest)
    return None


def _dax_below(state: State, place: _Place) -> bool:
    """Does the path go on into the dax bus, below a libnvdimm dax device?"""
    if not place.rest or not place.key.startswith("nd:"):
        return False
    return place.rest[0] == "dax_region" or (place.rest[0].startswith("dax") and place.rest[0] in state.dax)


def handles(state: State, path: str) -> bool:
    """Is this path, without links, one of the nd bus? (Whether it exists is for the others to say.)"""
    if path.startswith((BUS, _CLASS_ND, *_BLOCK_LISTS)):
        return True
    place = _locate(state, path) if path.startswith("/sys/devices/") else None
    return place is not None and not _dax_below(state, place)


def roots(state: State) -> Iterator[str]:
    """The directories that everything here lies in."""
    yield from (BUS, _CLASS_ND, *_BLOCK_LISTS)
    for name in state.nd.buses:
        yield state.nd[name].path


# -- the directory of a device


def _attributes(state: State, key: str) -> dict[str, Attribute]:
    return _ATTRIBUTES[type(state.nd[key])](state, key)


def _groups(state: State, key: str) -> dict[str, dict[str, Attribute]]:
    find = _GROUPS.get(type(state.nd[key]))
    found = {} if find is None else find(state, key)
    return {**found, "power": POWER} if state.kernel.features.nd_power_directory else found


def _links(state: State, key: str) -> dict[str, str]:
    found = {"subsystem": BUS}
    if driver := driver_of(state, key):
        found["driver"] = f"{BUS}/drivers/{driver}"
    return found


def _children(state: State, key: str) -> list[str]:
    dev = state.nd[key]
    if isinstance(dev, NvdimmBus):
        return ["nd", *state.nd.bus_devices.get(key, ())]
    if isinstance(dev, NdRegion):
        return [dev_name(each) for each in state.nd.children.get(key, ())]
    return ["block"] if getattr(dev, "disk", "") else []


def _device_listdir(state: State, place: _Place) -> list[str] | None:
    key, rest = place
    if not rest:
        below = sysfs_dax.children(state, device_path(state, key) or "") if key.startswith("nd:") else []
        return sorted(
            {*_attributes(state, key), *_groups(state, key), *_links(state, key), *_children(state, key), *below}
        )
    if isinstance(state.nd[key], NvdimmBus) and rest[0] == "nd":
        name = f"ndctl{state.nd[key].id}"
        if len(rest) == 1:
            return [name]
        power = {"power": POWER} if state.kernel.features.nd_power_directory else {}
        if len(rest) == 3 and rest[1] == name and rest[2] in power:
            return sorted(POWER)
        return sorted([*ndctl_attributes(state, key), *power, "device", "subsystem"]) if rest[1:] == (name,) else None
    disk = getattr(state.nd[key], "disk", "")
    if rest[0] == "block" and disk:
        if len(rest) == 1:
            return [disk]
        if rest[1] != disk:
            return None
        groups = sysfs_block.block_groups(state, key)
        if len(rest) == 2:
            return sorted([*sysfs_block.block_attributes(state, key), *groups, "bdi", "device", "subsystem"])
        return sorted(groups[rest[2]]) if len(rest) == 3 and rest[2] in groups else None
    groups = _groups(state, key)
    return sorted(groups[rest[0]]) if len(rest) == 1 and rest[0] in groups else None


def _device_readlink(state: State, place: _Place) -> str | None:
    key, rest = place
    if len(rest) == 1:
        return _links(state, key).get(rest[0])
    if len(rest) != 3 or rest[2] not in ("bdi", "device", "subsystem"):
        return None
    if rest[0] == "nd" and rest[1] == f"ndctl{getattr(state.nd[key], 'id', '')}" and key in state.nd.buses:
        return device_path(state, key) if rest[2] == "device" else _CLASS_ND
    if rest[0] == "block" and rest[1] and rest[1] == getattr(state.nd[key], "disk", ""):
        if rest[2] == "bdi":
            return sysfs_block.bdi_path(state, key)
        return device_path(state, key) if rest[2] == "device" else "/sys/class/block"
    return None


def _device_file(state: State, place: _Place) -> Attribute | None:
    key, rest = place
    if len(rest) == 1:
        return _attributes(state, key).get(rest[0])
    if not rest:
        return None
    if rest[0] == "block" and rest[1] == getattr(state.nd[key], "disk", ""):
        if len(rest) == 3:
            return sysfs_block.block_attributes(state, key).get(rest[2])
        return sysfs_block.block_groups(state, key).get(rest[2], {}).get(rest[3]) if len(rest) == 4 else None
    if rest[0] == "nd" and key in state.nd.buses and rest[1] == f"ndctl{state.nd[key].id}":
        if len(rest) == 4 and rest[2] == "power" and state.kernel.features.nd_power_directory:
            return POWER.get(rest[3])
        return ndctl_attributes(state, key).get(rest[2]) if len(rest) == 3 else None
    return _groups(state, key).get(rest[0], {}).get(rest[1]) if len(rest) == 2 else None


# -- the lists of devices


def _listed(state: State, path: str) -> dict[str, str] | None:
    """The links in a directory that holds nothing else: name -> target."""
    if path == _BUS_DEVICES:
        return {dev_name(key): device_path(state, key) or "" for key in state.nd}
    if path == _CLASS_ND:
        return {
            f"ndctl{state.nd[key].id}": _link(state, path, f"ndctl{state.nd[key].id}") or "" for key in state.nd.buses
        }
    if path in _BLOCK_LISTS:
        return {disk: _link(state, path, disk) or "" for disk in state.nd.disks}
    return None


def _link(state: State, path: str, name: str) -> str | None:
    """The target of one link in such a directory."""
    if path == _BUS_DEVICES:
        return device_path(state, name)
    if path == _CLASS_ND and name.startswith("ndctl"):
        base = device_path(state, f"ndbus{name.removeprefix('ndctl')}")
        return None if base is None else f"{base}/nd/{name}"
    if path in _BLOCK_LISTS and name in state.nd.disks:
        return f"{device_path(state, state.nd.disks[name])}/block/{name}"
    if path.startswith(f"{BUS}/drivers/"):
        if name == "module":
            return driver_module(state, path.rpartition("/")[2])
        key = _key(state, name)
        if key is not None and driver_of(state, key) == path.rpartition("/")[2]:
            return device_path(state, key)
    return None


# -- the tree


def listdir(state: State, path: str) -> list[str] | None:
    """The names in a directory, sorted; None when it is none."""
    if path.startswith("/sys/devices/"):
        place = _locate(state, path)
        return None if place is None else _device_listdir(state, place)
    found = _listed(state, path)
    return sorted(found) if found is not None else driver_listdir(state, path)


def readlink(state: State, path: str) -> str | None:
    """The target of a symbolic link, as an absolute path; None when the path is no link."""
    if path.startswith("/sys/devices/"):
        place = _locate(state, path)
        return None if place is None else _device_readlink(state, place)
    head, _, name = path.rpartition("/")
    return _link(state, head, name)


def exists(state: State, path: str) -> bool:
    """Is there a file, link or directory?"""
    if path.startswith("/sys/devices/"):
        place = _locate(state, path)
        if place is None:
            return False
        if not place.rest or _device_file(state, place) is not None or _device_readlink(state, place) is not None:
            return True
        return _device_listdir(state, place) is not None
    head, _, name = path.rpartition("/")
    if _link(state, head, name) is not None or path in driver_paths(state):
        return True
    return path in (_BUS_DEVICES, _CLASS_ND, *_BLOCK_LISTS) or driver_listdir(state, path) is not None


def paths(state: State) -> Iterator[str]:
    """Every file."""
    yield from driver_paths(state)
    for key in list(state.nd):
        base = device_path(state, key) or ""
        dev = state.nd[key]
        yield from (f"{base}/{name}" for name in _attributes(state, key))
        for group, files in _groups(state, key).items():
            yield from (f"{base}/{group}/{name}" for name in files)
        if isinstance(dev, NvdimmBus):
            yield from (f"{base}/nd/ndctl{dev.id}/{name}" for name in ndctl_attributes(state, key))
            if state.kernel.features.nd_power_directory:
                yield from (f"{base}/nd/ndctl{dev.id}/power/{name}" for name in POWER)
        if disk := getattr(dev, "disk", ""):
            yield from (f"{base}/block/{disk}/{name}" for name in sysfs_block.block_attributes(state, key))
            for group, files in sysfs_block.block_groups(state, key).items():
                yield from (f"{base}/block/{disk}/{group}/{name}" for name in files)


def writable(path: str) -> bool:
    """May root open this attribute for writing, by its name?"""
    head, _, leaf = path.rpartition("/")
    return leaf in _WRITABLE and ("/ndbus" in path or path.startswith(BUS)) and "/dax_region" not in head


def _missing(state: State, path: str) -> SysfsError:
    if exists(state, path):
        return SysfsError(21, path)
    return SysfsError(2, path)


def attribute_at(state: State, path: str) -> tuple[str, Attribute] | None:
    """The device and its attribute, where the path is a device of the bus and the name of a file in its directory: a shortcut."""
    head, _, leaf = path.rpartition("/")
    base, _, name = head.rpartition("/")
    nd = state.nd
    key = name if name in nd else f"nd:{name}"
    dev = nd.get(key)
    if dev is None:
        return None
    if base != _BUS_DEVICES and device_path(state, key) != head:
        return None
    found = _ATTRIBUTES[type(dev)](state, key).get(leaf)
    return None if found is None else (key, found)


def link_at(state: State, path: str) -> str | None:
    """The target, where the path is a device on the bus, or ``driver`` or ``subsystem`` in a device's directory: a shortcut."""
    head, _, leaf = path.rpartition("/")
    if head == _BUS_DEVICES:
        return device_path(state, leaf)
    if leaf not in ("driver", "subsystem"):
        return None
    base, _, name = head.rpartition("/")
    key = name if name in state.nd else f"nd:{name}"
    if key not in state.nd or (base != _BUS_DEVICES and device_path(state, key) != head):
        return None
    if leaf == "subsystem":
        return BUS
    driver = driver_of(state, key)
    return f"{BUS}/drivers/{driver}" if driver else None


def show(state: State, path: str) -> str:
    """Read a file. Raises SysfsError: ENOENT, EISDIR, EACCES (write-only), or what the kernel function says."""
    place = _locate(state, path) if path.startswith("/sys/devices/") else None
    file = None if place is None else _device_file(state, place)
    if place is None or file is None:
        if path == f"{BUS}/drivers_autoprobe":
            return "1\n"
        raise SysfsError(13, path) if path in driver_paths(state) else _missing(state, path)
    try:
        return file.show(state, place.key)
    except Refusal as refusal:
        raise SysfsError(refusal.errno, path, refusal) from refusal


def store(state: State, path: str, text: str) -> None:
    """Write a file. Raises SysfsError: ENOENT, EACCES (read-only, or no such file), EISDIR, or what the kernel function says."""
    place = _locate(state, path) if path.startswith("/sys/devices/") else None
    file = None if place is None else _device_file(state, place)
    try:
        if place is not None and file is not None:
            if file.store is None:
                raise SysfsError(13, path)
            file.store(state, place.key, text)
            return
        if driver_store(state, path, text):
            return
    except Refusal as refusal:
        raise SysfsError(refusal.errno, path, refusal) from refusal
    error = _missing(state, path)
    if error.number == 2 and exists(state, path.rpartition("/")[0]):
        raise SysfsError(13, path)  # sysfs makes no files
    raise error
