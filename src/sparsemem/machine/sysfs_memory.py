"""Memory in the attribute tree: ``/sys/devices/system/memory``, the parameters of memory_hotplug, and two files of ``/proc``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sparsemem.kernel import memory_block
from sparsemem.kernel.iomem_text import format_iomem
from sparsemem.kernel.kstrtox import kstrtobool, kstrtoull
from sparsemem.kernel.refusal import Refusal
from sparsemem.kernel.state import State, Zone
from sparsemem.machine.sysfs_error import SysfsError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "MEMORY",
    "exists",
    "handles",
    "is_directory",
    "listdir",
    "paths",
    "readlink",
    "roots",
    "show",
    "store",
    "writable",
]

MEMORY = "/sys/devices/system/memory"
_PARAMETERS = "/sys/module/memory_hotplug/parameters"
_WRITABLE_PARAMETERS = ("auto_movable_numa_aware", "auto_movable_ratio", "online_policy")
_BLOCK = re.compile(MEMORY + r"/memory(\d{1,12})(?:/(\w+))?\Z")
_BUS = re.compile(r"/sys/bus/memory/devices/(?=memory\d)")
_BLOCK_FILES = ("online", "phys_device", "phys_index", "removable", "state", "valid_zones")
_BLOCK_OTHERS = ("power", "subsystem", "uevent")
_TOP_FILES = ("auto_online_blocks", "block_size_bytes")
_TOP_OTHERS = ("power", "uevent")
_PROC = ("/proc/iomem", "/proc/zoneinfo")


def _normal(path: str) -> str:
    path = re.sub(r"/+", "/", path)
    return _BUS.sub(MEMORY + "/", path).rstrip("/") or "/"


def _block(state: State, path: str) -> tuple[int, str | None] | None:
    match = _BLOCK.match(path)
    if match is None or int(match[1]) not in state.blocks or match[1] != str(int(match[1])):
        return None
    return int(match[1]), match[2]


def _parameters(state: State) -> dict[str, str]:
    """The module parameters of mm/memory_hotplug.c, as they read."""
    f, misc = state.kernel.features, state.misc
    found: dict[str, str] = {}
    if f.memmap_on_memory:
        found["memmap_on_memory"] = misc["memmap_on_memory"]
    if f.auto_movable_policy:
        found["online_policy"] = misc["online_policy"]
        found["auto_movable_ratio"] = str(misc["auto_movable_ratio"])
        found["auto_movable_numa_aware"] = "Y" if misc["auto_movable_numa_aware"] else "N"
    return {f"{_PARAMETERS}/{name}": f"{value}\n" for name, value in found.items()}


def _links(state: State, nr: int) -> list[str]:
    return [f"node{nid}" for nid in memory_block.block_nodes(state, nr)]


def _zoneinfo(state: State) -> str:
    """The lines of ``/proc/zoneinfo`` that are modelled: zones, what they span, and what is present."""
    lines: list[str] = []
    names = [*(name for name, _ in state.misc["zone_limits"]), "Movable", "Device"]
    for nid in sorted(nid for nid, node in state.nodes.items() if node.online):
        for name in names:
            zone = state.zones.get((nid, name), Zone(0, 0, 0))
            lines.append(f"Node {nid}, zone {name:>8}")
            lines += [f"        spanned  {zone.spanned_pages}", f"        present  {zone.present_pages}"]
            if zone.present_pages:
                lines.append(f"  start_pfn:           {zone.zone_start_pfn}")
    return "".join(f"{line}\n" for line in lines)


def handles(path: str) -> bool:
    """Is this path one of memory's?"""
    return path.startswith(("/sys/devices/system", "/sys/bus/memory", "/sys/module", "/proc"))


def roots(state: State) -> tuple[str, ...]:
    """The directories and files that everything here lies in."""
    return MEMORY, "/sys/bus/memory/devices", *_PROC, *((_PARAMETERS,) if _parameters(state) else ())


def readlink(state: State, path: str) -> str | None:
    """The memory blocks on their bus are links, and so are the nodes of a block."""
    real = _BUS.sub(MEMORY + "/", path)
    match = _BLOCK.match(real)
    if match is None or _block(state, real) is None:
        return None
    if match[2] is None:
        return None if real == path else real
    return f"/sys/devices/system/node/{match[2]}" if match[2] in _links(state, int(match[1])) else None


def paths(state: State) -> Iterator[str]:
    """Every file of the tree."""
    yield from _PROC
    yield from _parameters(state)
    for name in _TOP_FILES:
        yield f"{MEMORY}/{name}"
    for nr in sorted(state.blocks):
        for name in _BLOCK_FILES:
            yield f"{MEMORY}/memory{nr}/{name}"


def listdir(state: State, path: str) -> list[str] | None:
    """The names in a directory, None when it is none."""
    path = _normal(path)
    if path == MEMORY:
        extra = (
            ("crash_hotplug", "hard_offline_page", "soft_offline_page") if state.kernel.features.crash_hotplug else ()
        )
        return sorted([*_TOP_FILES, *_TOP_OTHERS, *extra, *(f"memory{nr}" for nr in state.blocks)])
    found = _block(state, path)
    if found is not None and found[1] is None:
        return sorted([*_BLOCK_FILES, *_BLOCK_OTHERS, *_links(state, found[0])])
    below = {p[len(path.rstrip("/")) + 1 :].split("/")[0] for p in paths(state) if p.startswith(path.rstrip("/") + "/")}
    return sorted(below) or None


def is_directory(state: State, path: str) -> bool:
    return listdir(state, path) is not None


def exists(state: State, path: str) -> bool:
    path = _normal(path)
    found = _block(state, path)
    if found is not None:
        return found[1] is None or found[1] in (*_BLOCK_FILES, "uevent", *_links(state, found[0]))
    return (
        path in _PROC
        or path in _parameters(state)
        or path in {f"{MEMORY}/{name}" for name in (*_TOP_FILES, "uevent")}
        or is_directory(state, path)
    )


def writable(path: str) -> bool:
    """May root open this attribute for writing?"""
    path = _normal(path)
    match = _BLOCK.match(path)
    if path.startswith(_PARAMETERS):
        return path.rpartition("/")[2] in _WRITABLE_PARAMETERS
    return path == f"{MEMORY}/auto_online_blocks" or (match is not None and match[2] in ("online", "state"))


def show(state: State, path: str) -> str:
    """Read a file. Raises SysfsError: ENOENT, EISDIR."""
    path = _normal(path)
    if path == "/proc/iomem":
        return format_iomem(state.iomem, max_level=state.kernel.features.max_iores_level)
    if path == "/proc/zoneinfo":
        return _zoneinfo(state)
    if path == f"{MEMORY}/auto_online_blocks":
        return memory_block.auto_online_blocks_show(state)
    if path == f"{MEMORY}/block_size_bytes":
        return memory_block.block_size_bytes_show(state)
    if path == f"{MEMORY}/uevent":
        return ""
    if path.startswith(_PARAMETERS) and path in _parameters(state):
        return _parameters(state)[path]
    found = _block(state, path)
    if found is None or found[1] not in (None, "uevent", *_BLOCK_FILES):
        raise SysfsError(21 if is_directory(state, path) else 2, path)
    nr, name = found
    if name is None:
        raise SysfsError(21, path)
    if name == "uevent":
        return ""
    if name == "state":
        return memory_block.state_show(state, nr)
    if name == "online":
        return f"{int(state.blocks[nr].state == 'online')}\n"
    if name == "valid_zones":
        return memory_block.valid_zones_show(state, nr)
    if name == "phys_index":
        return memory_block.phys_index_show(state, nr)
    if name == "removable":
        return memory_block.removable_show(state, nr)
    return "0\n"


def _online_store(state: State, nr: int, text: str) -> None:
    """drivers/base/core.c, ``online_store``: a boolean; the state that it has already is fine."""
    if kstrtobool(text, "online_store", "block-state-word"):
        memory_block.device_online(state, nr)
    else:
        memory_block.device_offline(state, nr)


def _parameter_store(state: State, name: str, text: str) -> None:
    """The module parameters of mm/memory_hotplug.c that are 0644; one newline at the end is fine."""
    value: object = text.removesuffix("\n")
    if name == "auto_movable_ratio":
        value = kstrtoull(text, "param_set_uint")
        if value >= 1 << 32:
            raise Refusal(34, "param_set_uint", "attribute-syntax")
    elif name == "auto_movable_numa_aware":
        value = kstrtobool(text, "param_set_bool")
    elif value not in ("contig-zones", "auto-movable"):
        raise Refusal(22, "set_online_policy", "attribute-syntax")
    if state.misc[name] != value:
        state.put(state.misc, name, value)


def store(state: State, path: str, text: str) -> None:
    """Write a file. Raises SysfsError: ENOENT (sysfs makes no files: EACCES), EACCES (read-only), or the kernel's errno."""
    path = _normal(path)
    try:
        if path == f"{MEMORY}/auto_online_blocks":
            memory_block.auto_online_blocks_store(state, text)
            return
        if path in _parameters(state) and writable(path):
            _parameter_store(state, path.rpartition("/")[2], text)
            return
        found = _block(state, path)
        if found is not None and found[1] == "state":
            word = text.removesuffix("\n")
            online = state.blocks[found[0]].state == "online"
            if online and word != "offline" and word in memory_block.ONLINE_TYPES:
                memory_block.remember_online_type(state, found[0], word)  # in vain, but not forgotten
            memory_block.state_store(state, found[0], text)
            return
        if found is not None and found[1] == "online":
            _online_store(state, found[0], text)
            return
    except Refusal as refusal:
        raise SysfsError(refusal.errno, path, refusal) from refusal
    if not exists(state, path):
        parent = path.rpartition("/")[0]
        raise SysfsError(13 if exists(state, parent) else 2, path)
    raise SysfsError(21 if is_directory(state, path) else 13, path)
