"""CXL in sysfs: ``/sys/bus/cxl`` and the directories of its devices, as answers to paths."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.kernel.cxl.core import root_of
from sparsemem.kernel.refusal import Refusal
from sparsemem.machine.sysfs_cxl_drivers import bus_files, driver_files, driver_links, driver_store, listed
from sparsemem.machine.sysfs_cxl_tree import BRIDGE, BUS, PCI, ROOT, directories, on_bus
from sparsemem.machine.sysfs_error import SysfsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.kernel.state import State
    from sparsemem.machine.sysfs_nd_attribute import Attribute

__all__ = ["exists", "handles", "listdir", "paths", "readlink", "roots", "show", "store", "writable"]

_WRITE_ONLY = 0o200
_REGION_WRITABLE = frozenset(("commit", "interleave_granularity", "interleave_ways", "size", "uuid"))


def _has_bus(state: State) -> bool:
    return root_of(state) is not None


def handles(state: State, path: str) -> bool:
    """Is this path, without links, one of these?"""
    if not _has_bus(state):
        return False
    if path.startswith(BUS):
        return True
    if not path.startswith((ROOT, PCI, BRIDGE)) or path.startswith(f"{ROOT}/nvdimm-bridge0/"):
        return False
    tree = directories(state)
    return path in tree or path.rpartition("/")[0] in tree


def roots(state: State) -> Iterator[str]:
    """The directories that everything here lies in."""
    if _has_bus(state):
        yield BUS
        yield from directories(state)


def listdir(state: State, path: str) -> list[str] | None:
    """The names in a directory, sorted; None when it is none."""
    found = listed(state, path)
    if found is not None:
        return sorted(found)
    tree = directories(state)
    if path not in tree:
        return None
    start = f"{path}/"
    below = {each[len(start) :].partition("/")[0] for each in tree if each.startswith(start)}
    if path == f"{ROOT}/nvdimm-bridge0":
        below |= {name for name in state.nd.buses if state.nd[name].path.startswith(start)}
    return sorted({*tree[path].files, *tree[path].links, *below})


def readlink(state: State, path: str) -> str | None:
    """The target of a symbolic link, as an absolute path; None when the path is no link."""
    head, _, name = path.rpartition("/")
    if head == f"{BUS}/devices":
        return on_bus(directories(state)).get(name)
    if head.startswith(f"{BUS}/drivers/"):
        return driver_links(state, head.rpartition("/")[2]).get(name)
    found = directories(state).get(head)
    return None if found is None else found.links.get(name)


def exists(state: State, path: str) -> bool:
    """Is there a file, link or directory?"""
    if path in bus_files() or path in driver_files(state) or listed(state, path) is not None:
        return True
    return _file(state, path) is not None or path in directories(state) or readlink(state, path) is not None


def paths(state: State) -> Iterator[str]:
    """Every file."""
    if _has_bus(state):
        yield from bus_files()
        yield from driver_files(state)
        for path, each in directories(state).items():
            yield from (f"{path}/{name}" for name in each.files)


def writable(path: str) -> bool:
    """May root open this file for writing, by its name?"""
    head, _, leaf = path.rpartition("/")
    holder = head.rpartition("/")[2]
    if holder.startswith("region"):
        return leaf in _REGION_WRITABLE or leaf.startswith("target")
    if holder.startswith("decoder"):
        return leaf in ("create_pmem_region", "create_ram_region", "delete_region", "dpa_size", "mode")
    return head.startswith(BUS) and leaf in ("bind", "unbind")


def _file(state: State, path: str) -> tuple[str, Attribute] | None:
    head, _, leaf = path.rpartition("/")
    found = directories(state).get(head)
    file = None if found is None else found.files.get(leaf)
    return None if found is None or file is None else (found.key, file)


def show(state: State, path: str) -> str:
    """Read a file. Raises SysfsError: ENOENT, EISDIR, EACCES (write-only), or what the kernel function says."""
    found = _file(state, path)
    if found is None:
        if path == f"{BUS}/drivers_autoprobe":
            return "1\n"
        raise SysfsError(
            (13 if path.startswith(BUS) and listed(state, path) is None else 21) if exists(state, path) else 2, path
        )
    if found[1].mode == _WRITE_ONLY:
        raise SysfsError(13, path)
    try:
        return found[1].show(state, found[0])
    except Refusal as refusal:
        raise SysfsError(refusal.errno, path, refusal) from refusal


def store(state: State, path: str, text: str) -> None:
    """Write a file. Raises SysfsError: EACCES (read-only, or none), EISDIR, or what the kernel function says."""
    found = _file(state, path)
    try:
        if found is not None and found[1].store is not None:
            found[1].store(state, found[0], text)
            return
        if path in driver_files(state) and path.endswith(("/bind", "/unbind")):
            driver, _, leaf = path.removeprefix(f"{BUS}/drivers/").partition("/")
            driver_store(state, driver, leaf, text)
            return
    except Refusal as refusal:
        raise SysfsError(refusal.errno, path, refusal) from refusal
    raise SysfsError(21 if listdir(state, path) is not None else 13, path)
