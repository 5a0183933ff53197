"""NUMA nodes in the attribute tree: ``/sys/devices/system/node``, with links between nodes and memory blocks (drivers/base/node.c).

Of a node's own files only ``uevent`` is modelled; that the others are there is known, what they say is not.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sparsemem.errors import NotModelledError
from sparsemem.kernel import memory_block
from sparsemem.kernel.memory_tiers import format_nodes
from sparsemem.kernel.page_alloc import node_memory
from sparsemem.machine.sysfs_error import SysfsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.kernel.state import State

__all__ = [
    "NODE",
    "exists",
    "handles",
    "is_directory",
    "is_node",
    "listdir",
    "paths",
    "readlink",
    "roots",
    "show",
    "store",
    "writable",
]

NODE = "/sys/devices/system/node"
_MEMORY = "/sys/devices/system/memory"
_BUS = "/sys/bus/node/devices"
_OF_NODE = re.compile(rf"(?:{NODE}|{_BUS})/node(0|[1-9]\d{{0,3}})(?:/([\w.]+))?(/.+)?\Z")
_BLOCK = re.compile(r"memory(0|[1-9]\d{0,11})\Z")
_OTHERS = ("compact", "cpulist", "cpumap", "distance", "hugepages", "meminfo", "numastat", "power", "vmstat")
_TOP_OTHERS = ("has_generic_initiator", "power")


def _lists(state: State) -> dict[str, str]:
    """The files that list nodes."""
    normal = [
        nid for (nid, name), zone in state.zones.items() if zone.present_pages and name not in ("Movable", "Device")
    ]
    found = {
        "has_cpu": state.misc["cpu_nodes"],
        "has_memory": node_memory(state),
        "has_normal_memory": normal,
        "online": _online(state),
        "possible": state.misc["possible_nodes"],
    }
    return {f"{NODE}/{name}": f"{format_nodes(nids)}\n" for name, nids in found.items()}


def _online(state: State) -> list[int]:
    return [nid for nid, node in state.nodes.items() if node.online]


def _at(state: State, path: str) -> tuple[int, str, str] | None:
    """``(node, name, what comes behind)`` of a path below a node that is online."""
    match = _OF_NODE.match(path)
    if match is None or int(match[1]) not in _online(state):
        return None
    return int(match[1]), match[2] or "", match[3] or ""


def _blocks(state: State, nid: int) -> list[str]:
    return [f"memory{nr}" for nr in state.blocks if nid in memory_block.block_nodes(state, nr)]


def _has_block(state: State, nid: int, name: str) -> bool:
    match = _BLOCK.match(name)
    return match is not None and int(match[1]) in state.blocks and nid in memory_block.block_nodes(state, int(match[1]))


def is_node(path: str) -> bool:
    """Is this the directory of a node, of which not every file is modelled?"""
    match = _OF_NODE.match(path)
    return match is not None and match[2] is None


def handles(path: str) -> bool:
    """Is this path one of a node's, or of the nodes'?"""
    return path.startswith((NODE, _BUS))


def roots(state: State) -> tuple[str, ...]:
    """The directories that everything here lies in."""
    return NODE, _BUS


def readlink(state: State, path: str) -> str | None:
    """A node on its bus, and a block below its node, are links."""
    found = _at(state, path)
    if found is None or found[2]:
        return None
    nid, name, _ = found
    if not name:
        return f"{NODE}/node{nid}" if path.startswith(_BUS) else None
    return f"{_MEMORY}/{name}" if path.startswith(NODE) and _has_block(state, nid, name) else None


def paths(state: State) -> Iterator[str]:
    """The files that list nodes."""
    yield from _lists(state)


def listdir(state: State, path: str) -> list[str] | None:
    """The names in a directory, None when it is none; of a node's, those that every machine has (:func:`is_node`)."""
    path = path.rstrip("/")
    if path == _BUS:
        return sorted(f"node{nid}" for nid in _online(state))
    if path == NODE:
        lists = (each.rpartition("/")[2] for each in _lists(state))
        return sorted([*lists, *_TOP_OTHERS, "uevent", *(f"node{nid}" for nid in _online(state))])
    found = _at(state, path)
    if found is None or found[1]:
        return None
    return sorted([*_others(state), "uevent", *_blocks(state, found[0])])


def _others(state: State) -> tuple[str, ...]:
    return (*_OTHERS, "memory_failure") if state.kernel.features.node_memory_failure else _OTHERS


def is_directory(state: State, path: str) -> bool:
    found = _at(state, path)
    return path.rstrip("/") in (NODE, _BUS) or (
        found is not None and found[1] in ("", "hugepages", "memory_failure", "power")
    )


def exists(state: State, path: str) -> bool:
    """Does stat() succeed? Of a node's files, for those that every machine has."""
    found = _at(state, path)
    if found is not None:
        nid, name, behind = found
        if name and not behind and name not in (*_others(state), "uevent"):
            return _has_block(state, nid, name)
        return not behind
    return path in _lists(state) or path == f"{NODE}/uevent" or is_directory(state, path)


def writable(path: str) -> bool:
    """May root open this attribute for writing?"""
    return handles(path) and path.endswith(("/uevent", "/compact"))


def show(state: State, path: str) -> str:
    """Read a file. Raises SysfsError: ENOENT, EISDIR; NotModelledError for what a node says of itself."""
    lists = _lists(state)
    if path in lists:
        return lists[path]
    if not exists(state, path):
        raise SysfsError(2, path)
    if is_directory(state, path):
        raise SysfsError(21, path)
    if path.endswith("/uevent"):
        return ""
    raise NotModelledError(f"what {path} says is not modelled")


def store(state: State, path: str, text: str) -> None:
    """Write a file: none of them keeps anything. Raises SysfsError: ENOENT, EACCES, EISDIR."""
    if not exists(state, path):
        raise SysfsError(13 if is_directory(state, path.rpartition("/")[0]) else 2, path)
    if is_directory(state, path):
        raise SysfsError(21, path)
    if not writable(path):
        raise SysfsError(13, path)
    raise NotModelledError(f"what writing to {path} does is not modelled")
