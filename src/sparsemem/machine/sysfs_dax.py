"""The dax bus in sysfs: ``/sys/bus/dax`` and the device directories of drivers/dax/bus.c, with show and store per attribute.

Directories exist where the kernel has them; ``power`` and the like, which hold nothing modelled, are left out.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sparsemem.kernel.dax import bus, driver
from sparsemem.kernel.dax.types import DaxRegion, DevDax
from sparsemem.kernel.refusal import Refusal
from sparsemem.machine.sysfs_error import SysfsError
from sparsemem.machine.sysfs_nd_attribute import POWER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sparsemem.kernel.state import State

__all__ = ["BUS", "children", "exists", "handles", "listdir", "paths", "readlink", "roots", "show", "store", "writable"]

BUS = "/sys/bus/dax"
_CLASS = "/sys/class/dax"
_NAME = r"dax\d+\.\d+"
_REGION_FILE = re.compile(r"(/sys/devices/.+)/dax_region(?:/(\w+))?\Z")
_DEVICE_FILE = re.compile(rf"(/sys/devices/.+)/({_NAME})(?:/(\w+)(?:/(\w+))?)?\Z")
_POWER_FILE = re.compile(rf"((?:/sys/devices/.+)/{_NAME}(?:/mapping\d+)?)/power(?:/(\w+))?\Z")
_BUS_FILE = re.compile(rf"{BUS}/devices/({_NAME})(/.*)?\Z")
_DRIVER_FILE = re.compile(rf"{BUS}/drivers/(\w+)(?:/([\w.]+))?(/.*)?\Z")
_DRIVER_FILES = ("bind", "new_id", "remove_id", "uevent", "unbind")
_BUS_FILES = ("drivers_autoprobe", "drivers_probe", "uevent")
_MAPPING_FILES = ("end", "page_offset", "start", "uevent")
_WRITABLE = ("size", "align", "mapping", "memmap_on_memory", "create", "delete", *_DRIVER_FILES)


def _regions(state: State) -> dict[str, str]:
    """Path of the backing device -> key."""
    return state.dax.regions


def _devices(state: State) -> list[DevDax]:
    return [each for each in state.dax.values() if isinstance(each, DevDax)]


def _device_path(state: State, dev: DevDax) -> str:
    return f"{bus.region_of(state, dev.region).path}/{dev.name}"


def _region_files(state: State, region: DaxRegion) -> tuple[str, ...]:
    if region.static or not state.kernel.features.dax_multi_range:
        return ("align", "id", "size")
    return ("align", "available_size", "create", "delete", "id", "seed", "size")


def _device_files(state: State, dev: DevDax) -> tuple[str, ...]:
    f, region = state.kernel.features, bus.region_of(state, dev.region)
    files = ["dev", "modalias", "numa_node", "resource", "size", "uevent"]
    if f.dax_multi_range:
        files += ["align"] if region.static else ["align", "mapping"]
    if region.target_node >= 0:
        files.append("target_node")
    if f.dax_memmap_on_memory_attribute:
        files.append("memmap_on_memory")
    return tuple(sorted(files))


def _mappings(state: State, dev: DevDax) -> tuple[str, ...]:
    return tuple(f"mapping{r.mapping}" for r in dev.ranges) if state.kernel.features.dax_multi_range else ()


def _resolve(state: State, path: str) -> str:
    """The path with the links of the bus and of the drivers followed."""
    path = re.sub(r"/+", "/", path).rstrip("/")
    for _ in range(8):
        match = _BUS_FILE.match(path)
        if match and isinstance(dev := state.dax.get(match[1]), DevDax):
            path = _device_path(state, dev) + (match[2] or "")
            continue
        match = _DRIVER_FILE.match(path)
        if match and match[2] and isinstance(dev := state.dax.get(match[2]), DevDax) and dev.driver == match[1]:
            path = _device_path(state, dev) + (match[3] or "")
            continue
        match = re.match(rf"(/sys/devices/.+)/({_NAME})/(driver|subsystem)(/.*)\Z", path)
        if match and isinstance(dev := state.dax.get(match[2]), DevDax):
            if match[3] == "subsystem":
                path = BUS + match[4]
                continue
            if dev.driver:
                path = f"{BUS}/drivers/{dev.driver}{match[4]}"
                continue
        break
    return path


def _region_file(state: State, path: str) -> tuple[str, str | None] | None:
    match = _REGION_FILE.match(path)
    if match is None or match[1] not in _regions(state):
        return None
    return _regions(state)[match[1]], match[2]


def _device_file(state: State, path: str) -> tuple[DevDax, str | None, str | None] | None:
    match = _DEVICE_FILE.match(path)
    if match is None:
        return None
    dev = state.dax.get(match[2])
    if not isinstance(dev, DevDax) or bus.region_of(state, dev.region).path != match[1]:
        return None
    return dev, match[3], match[4]


def _power(state: State, path: str) -> str | None:
    """The file of a directory ``power`` that a path means; "" for the directory itself."""
    match = _POWER_FILE.match(path)
    found = None if match is None else _device_file(state, match[1])
    if match is None or found is None or (found[1] is not None and found[1] not in _mappings(state, found[0])):
        return None
    return match[2] or ""


def handles(path: str) -> bool:
    """Is this path of a form that the dax bus has? (Whether it exists is for the others to say.)"""
    if "dax" not in path and "hmem" not in path:
        return False
    path = re.sub(r"/+", "/", path).rstrip("/")
    if path == _CLASS:
        return True
    if path == BUS or path.startswith(BUS + "/"):
        return True
    return path.startswith("/sys/devices/") and bool(
        re.search(r"/dax_region(/\w+)?\Z", path)
        or re.search(rf"/(hmem\.\d+|dax_region\d+|{_NAME})/{_NAME}(/|\Z)", path)
        or re.search(r"/(hmem\.\d+|dax_region\d+)\Z", path)
    )


def roots(state: State) -> Iterator[str]:
    """The directories that everything here lies in."""
    yield BUS
    if state.kernel.features.dax_class:
        yield _CLASS
    for path, key in _regions(state).items():
        if not bus.region_of(state, key).static:
            yield path


def children(state: State, path: str) -> list[str]:
    """What the dax bus adds to the directory of the device that backs a region."""
    key = _regions(state).get(path)
    return [] if key is None else ["dax_region", *(each.name for each in bus.devices_of(state, key))]


def exists(state: State, path: str) -> bool:
    """Is there a file, link or directory?"""
    power = _power(state, path)
    if power is not None:
        return not power or power in POWER
    found, region, match = _device_file(state, path), _region_file(state, path), _DRIVER_FILE.match(path)
    if found is not None and found[1] is not None:
        dev, name, leaf = found
        if leaf is not None:
            return leaf in _MAPPING_FILES and name in _mappings(state, dev)
        links = ("driver", "subsystem") if dev.driver else ("subsystem",)
        return name in _device_files(state, dev) or name in links or name in _mappings(state, dev)
    if region is not None and region[1] is not None:
        return region[1] in _region_files(state, bus.region_of(state, region[0]))
    if match is not None and match[2] is not None:
        return match[1] in driver.drivers(state) and not match[3] and match[2] in _DRIVER_FILES
    return path in (f"{BUS}/{name}" for name in _BUS_FILES) or listdir(state, path) is not None


def listdir(state: State, path: str) -> list[str] | None:
    """The names in a directory, sorted; None when it is none."""
    path = _resolve(state, path)
    if path == _CLASS:
        return [] if state.kernel.features.dax_class else None
    if path == BUS:
        return ["devices", "drivers", *_BUS_FILES]
    if path == f"{BUS}/devices":
        return sorted(each.name for each in _devices(state))
    if path == f"{BUS}/drivers":
        return sorted(driver.drivers(state))
    match = _DRIVER_FILE.match(path)
    if match and match[1] in driver.drivers(state) and not match[2]:
        return sorted([*_DRIVER_FILES, "module", *(each.name for each in _devices(state) if each.driver == match[1])])
    if path in _regions(state):
        key = _regions(state)[path]
        return sorted(["dax_region", "driver", *(each.name for each in bus.devices_of(state, key))])
    if (power := _power(state, path)) is not None:
        return None if power else sorted(POWER)
    region = _region_file(state, path)
    if region is not None:
        return None if region[1] else sorted(_region_files(state, bus.region_of(state, region[0])))
    found = _device_file(state, path)
    if found is None:
        return None
    dev, name, leaf = found
    if name is None:
        links = ["driver", "power", "subsystem"] if dev.driver else ["power", "subsystem"]
        return sorted([*_device_files(state, dev), *_mappings(state, dev), *links])
    return sorted([*_MAPPING_FILES, "power"]) if name in _mappings(state, dev) and leaf is None else None


def readlink(state: State, path: str) -> str | None:
    """The target of a symbolic link, as an absolute path; None when the path is no link."""
    path = re.sub(r"/+", "/", path).rstrip("/")
    head, _, leaf = path.rpartition("/")
    if leaf == "module" and head in (f"{BUS}/drivers/{name}" for name in driver.drivers(state)):
        return f"/sys/module/{head.rpartition('/')[2]}"
    match = _BUS_FILE.match(path) or re.match(rf"{BUS}/drivers/\w+/({_NAME})()\Z", path)
    if match and not match[2]:
        dev = state.dax.get(match[1])
        owner = path.split("/")[5] if path.startswith(f"{BUS}/drivers/") else None
        if isinstance(dev, DevDax) and owner in (None, dev.driver):
            return _device_path(state, dev)
        return None
    found = _device_file(state, path)
    if found is None or found[2] is not None:
        return None
    if found[1] == "driver" and found[0].driver:
        return f"{BUS}/drivers/{found[0].driver}"
    return BUS if found[1] == "subsystem" else None


def paths(state: State) -> Iterator[str]:
    """Every file."""
    for name in driver.drivers(state) if state.dax else ():
        for leaf in _DRIVER_FILES:
            yield f"{BUS}/drivers/{name}/{leaf}"
    for each in list(state.dax.values()):
        if isinstance(each, DaxRegion):
            for leaf in _region_files(state, each):
                yield f"{each.path}/dax_region/{leaf}"
        elif isinstance(each, DevDax):
            base = _device_path(state, each)
            for leaf in _device_files(state, each):
                yield f"{base}/{leaf}"
            yield from (f"{base}/power/{leaf}" for leaf in POWER)
            for mapping in _mappings(state, each):
                for leaf in _MAPPING_FILES:
                    yield f"{base}/{mapping}/{leaf}"
                yield from (f"{base}/{mapping}/power/{leaf}" for leaf in POWER)


def writable(path: str) -> bool:
    """May root open this attribute for writing? (size and align of a static device say no when they are written.)"""
    head, _, leaf = path.rstrip("/").rpartition("/")
    return handles(path) and leaf in _WRITABLE and not (head.endswith("/dax_region") and leaf in ("size", "align"))


def show(state: State, path: str) -> str:
    """Read a file. Raises SysfsError: ENOENT, EISDIR, EACCES (write-only)."""
    real = _resolve(state, path)
    if power := _power(state, real):
        if power not in POWER:
            raise SysfsError(2, path)
        return POWER[power].show(state, path)
    region = _region_file(state, real)
    if region is not None and region[1] in _region_files(state, bus.region_of(state, region[0])):
        return _show_region(state, path, region[0], region[1])
    found = _device_file(state, real)
    if found is not None:
        dev, name, leaf = found
        if leaf in _MAPPING_FILES and name in _mappings(state, dev):
            if leaf == "uevent":
                return ""
            each = next(r for r in dev.ranges if f"mapping{r.mapping}" == name)
            value = {"start": each.start, "end": each.end, "page_offset": each.pgoff}[leaf]
            return f"{value:#x}\n"
        if leaf is None and name in _device_files(state, dev):
            return _show_device(state, path, dev, name)
    if listdir(state, path) is not None:
        raise SysfsError(21, path)
    if exists(state, real) and readlink(state, real) is None:
        raise SysfsError(13, path)
    raise SysfsError(2, path)


def _show_region(state: State, path: str, key: str, name: str | None) -> str:
    region = bus.region_of(state, key)
    if name == "delete":
        raise SysfsError(13, path)
    values = {
        "id": region.id,
        "size": region.size,
        "align": region.align,
        "available_size": bus.dax_region_avail_size(state, key),
        "seed": region.seed,
        "create": region.youngest,
    }
    return f"{values[name or '']}\n"


def _show_device(state: State, path: str, dev: DevDax, name: str) -> str:
    region = bus.region_of(state, dev.region)
    if name == "mapping":
        raise SysfsError(13, path)
    if name in ("dev", "uevent"):
        minor = region.id * 256 + dev.id
        uevent = f"MAJOR=253\nMINOR={minor}\nDEVNAME={dev.name}\n" + (f"DRIVER={dev.driver}\n" if dev.driver else "")
        return f"253:{minor}\n" if name == "dev" else f"{uevent}MODALIAS=dax:t0\n"
    values: dict[str, object] = {
        "align": dev.align,
        "memmap_on_memory": int(dev.memmap_on_memory),
        "modalias": "dax:t0",
        "numa_node": region.numa_node,
        "resource": f"{dev.ranges[0].start if dev.ranges else region.start:#x}",
        "size": dev.size,
        "target_node": region.target_node,
    }
    return f"{values[name]}\n"


def _store_function(state: State, real: str) -> Callable[[State, str, str], None] | None:
    region = _region_file(state, real)
    if region is not None and region[1] in _region_files(state, bus.region_of(state, region[0])):
        return {"create": bus.create_store, "delete": bus.delete_store}.get(region[1] or "")
    found = _device_file(state, real)
    if found is not None and found[2] is None and found[1] in _device_files(state, found[0]):
        if bus.region_of(state, found[0].region).static and found[1] in ("size", "align"):
            return None
        stores = {
            "size": bus.size_store,
            "align": bus.align_store,
            "mapping": bus.mapping_store,
            "memmap_on_memory": bus.memmap_on_memory_store,
        }
        return stores.get(found[1] or "")
    match = _DRIVER_FILE.match(real)
    if match is not None and match[1] in driver.drivers(state):
        actions = {
            "bind": driver.bind_store,
            "unbind": driver.unbind_store,
            "new_id": driver.new_id_store,
            "remove_id": driver.remove_id_store,
        }
        return actions.get(match[2] or "")
    return None


def store(state: State, path: str, text: str) -> None:
    """Write a file. Raises SysfsError: ENOENT, EACCES (read-only, or no such file), EISDIR, or the kernel's errno."""
    real = _resolve(state, path)
    function = _store_function(state, real)
    if function is None:
        if listdir(state, path) is not None:
            raise SysfsError(21, path)
        exists = listdir(state, real.rpartition("/")[0]) is not None
        raise SysfsError(13 if exists else 2, path)
    region, found, match = _region_file(state, real), _device_file(state, real), _DRIVER_FILE.match(real)
    subject = region[0] if region else found[0].name if found else match[1] if match else ""
    try:
        function(state, subject, text)
    except Refusal as refusal:
        raise SysfsError(refusal.errno, path, refusal) from refusal
