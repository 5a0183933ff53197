"""The attribute tree that user space sees, in one place: ``/sys``, ``/proc`` and the device nodes of ``/dev`` that are modelled.

A path answers as the kernel's does: its text, or an errno. Nothing is written except through an attribute's ``store``. Links are
followed anywhere in a path; each subsystem has its own module, which gets paths without links.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from sparsemem.kernel.refusal import Refusal
from sparsemem.machine import devnode, sysfs_cxl, sysfs_dax, sysfs_memory, sysfs_nd, sysfs_node
from sparsemem.machine.sysfs_error import SysfsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.kernel.state import State

__all__ = [
    "SysfsError",
    "exists",
    "is_directory",
    "listdir",
    "paths",
    "readlink",
    "realpath",
    "show",
    "store",
    "writable",
]

_MAX_LINKS = 40
_CXL_LINKS = ("firmware_node", "parent_dport", "physical_node", "uport", *(f"dport{number}" for number in range(16)))
_LINK_NAMES = frozenset(("bdi", "device", "driver", "module", "subsystem", ".", "..", *_CXL_LINKS))


class _Part(Protocol):
    """What each subsystem answers, for paths without links."""

    def listdir(self, state: State, path: str) -> list[str] | None: ...
    def exists(self, state: State, path: str) -> bool: ...
    def readlink(self, state: State, path: str) -> str | None: ...
    def show(self, state: State, path: str) -> str: ...
    def store(self, state: State, path: str, text: str) -> None: ...
    def writable(self, path: str) -> bool: ...


def _part(state: State, path: str) -> _Part | None:
    """Who answers for a path; None for the directories above everything."""
    if path.startswith("/sys/bus/nd") or sysfs_nd.handles(state, path):
        return sysfs_nd
    if sysfs_dax.handles(path):
        return sysfs_dax
    if sysfs_cxl.handles(state, path):
        return sysfs_cxl
    if devnode.handles(path):
        return devnode
    if sysfs_node.handles(path):
        return sysfs_node
    return sysfs_memory if sysfs_memory.handles(path) else None


def _roots(state: State) -> Iterator[str]:
    yield from sysfs_memory.roots(state)
    yield from sysfs_node.roots(state)
    yield from sysfs_nd.roots(state)
    yield from sysfs_dax.roots(state)
    yield from sysfs_cxl.roots(state)
    yield from devnode.roots(state)


def _below(state: State, path: str) -> list[str] | None:
    """The names in a directory that only leads to others."""
    start = path.rstrip("/") + "/"
    return sorted({root[len(start) :].partition("/")[0] for root in _roots(state) if root.startswith(start)}) or None


def readlink(state: State, path: str) -> str | None:
    """The text of a link, relative as sysfs has them; None when the path is no link. Links before the last name are followed."""
    head, _, name = path.rstrip("/").rpartition("/")
    if not head or name in (".", ".."):
        return None
    found = sysfs_nd.link_at(state, path)
    if found is not None:
        return _relative(realpath(state, head), found)
    here = realpath(state, head)
    part = _part(state, f"{here}/{name}")
    target = None if part is None else part.readlink(state, f"{here}/{name}")
    return None if target is None else _relative(here, target)


def _relative(directory: str, target: str) -> str:
    """``kernfs_get_target_path``: up to where the target's own directory branches off, then down."""
    up, down = directory.split("/"), target.split("/")
    same = 0
    while same < len(up) and same < len(down) - 1 and up[same] == down[same]:
        same += 1
    return "../" * (len(up) - same) + "/".join(down[same:])


def _may_have_links(parts: list[str]) -> bool:
    """Quick: can anything in this path but a plain name of ``/sys/devices`` be meant? (``parts[0]`` is empty.)"""
    if parts[1] == "sys":
        if len(parts) > 2 and parts[2] != "devices":
            return True
        if len(parts) > 6 and parts[3] == "system" and parts[6].startswith(("memory", "node")):
            return True
        return not _LINK_NAMES.isdisjoint(parts) or "" in parts[1:]
    return "" in parts[1:] or ".." in parts or "." in parts


def realpath(state: State, path: str) -> str:
    """The path without links, doubled slashes and dots. Raises SysfsError(ELOOP)."""
    parts = path.split("/")
    if len(parts) > 1 and not _may_have_links(parts):
        return path
    if len(parts) > 5 and parts[2:5] == ["bus", "nd", "devices"] and "" not in parts[5:]:
        found = sysfs_nd.device_path(state, parts[5])
        if found is not None:
            if len(parts) == 7 and parts[6] not in _LINK_NAMES:
                return f"{found}/{parts[6]}"
            parts = [*found.split("/"), *parts[6:]]
            if not _may_have_links(parts):
                return "/".join(parts)
    done = ""
    todo = [part for part in reversed(parts) if part and part != "."]
    links = 0
    while todo:
        name = todo.pop()
        if name == "..":
            done = done.rpartition("/")[0]
            continue
        here = f"{done}/{name}"
        part = _part(state, here)
        target = None if part is None else part.readlink(state, here)
        if target is None:
            done = here
            continue
        links += 1
        if links > _MAX_LINKS:
            raise SysfsError(40, path)
        done = ""
        todo += [each for each in reversed(target.split("/")) if each]
    return done or "/"


def paths(state: State) -> Iterator[str]:
    """Every file, by its path without links, then the links of the buses and classes to devices."""
    yield from sysfs_memory.paths(state)
    yield from sysfs_node.paths(state)
    yield from sysfs_dax.paths(state)
    yield from sysfs_nd.paths(state)
    yield from sysfs_cxl.paths(state)
    yield from devnode.paths(state)


def listdir(state: State, path: str) -> list[str] | None:
    """The names in a directory, sorted; None when it is none."""
    real = realpath(state, path)
    part = _part(state, real)
    if part is not None:
        found = part.listdir(state, real)
        if found is not None or part.exists(state, real):
            return found
    return _below(state, real)


def is_directory(state: State, path: str) -> bool:
    return listdir(state, path) is not None


def exists(state: State, path: str) -> bool:
    """Does stat() succeed?"""
    if sysfs_nd.attribute_at(state, path) is not None:
        return True
    real = realpath(state, path)
    part = _part(state, real)
    return (part is not None and part.exists(state, real)) or _below(state, real) is not None


def writable(state: State, path: str) -> bool:
    """May root open this attribute for writing? By its name, and for libnvdimm by its mode on this device."""
    found = sysfs_nd.attribute_at(state, path)
    if found is not None and found[1].store is None:
        return False
    if sysfs_nd.writable(path) or sysfs_cxl.writable(path) or sysfs_dax.writable(path):
        return True
    real = realpath(state, path)
    return sysfs_memory.writable(real) or sysfs_node.writable(real)


def show(state: State, path: str) -> str:
    """Read a file. Raises SysfsError: ENOENT, EISDIR, EACCES (write-only), or the kernel's errno."""
    found = sysfs_nd.attribute_at(state, path)
    if found is not None:
        try:
            return found[1].show(state, found[0])
        except Refusal as refusal:
            raise SysfsError(refusal.errno, path, refusal) from refusal
    real = realpath(state, path)
    part = _part(state, real)
    if part is None:
        raise SysfsError(21 if _below(state, real) else 2, path)
    return part.show(state, real)


def store(state: State, path: str, text: str) -> None:
    """Write a file. Raises SysfsError: ENOENT (sysfs makes no files: EACCES), EACCES (read-only), EISDIR, or the kernel's errno."""
    found = sysfs_nd.attribute_at(state, path)
    if found is not None and found[1].store is not None:
        try:
            found[1].store(state, found[0], text)
        except Refusal as refusal:
            raise SysfsError(refusal.errno, path, refusal) from refusal
        return
    real = realpath(state, path)
    part = _part(state, real)
    if part is None:
        parent = real.rpartition("/")[0] or "/"
        raise SysfsError(21 if _below(state, real) else 13 if _below(state, parent) else 2, path)
    part.store(state, real, text)
