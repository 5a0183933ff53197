"""The iomem tree: kernel/resource.c on immutable trees.

Every function takes the root and gives the new root back (with the resource, where the kernel returns one); nothing
is changed in place, so an old root stays a valid snapshot. Only the path from the root to the change is copied.
Addresses are bytes, ``end`` is inclusive. Where C returns ``-errno`` a function raises Refusal; where C returns NULL
(``__request_region``) it returns None.

What changed over the kernel's versions is a keyword argument here; the caller takes its value from the feature
record. ``log`` is called with (level, line) where the kernel prints.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, TypeAlias

from sparsemem.kernel._resource_tree import Path, find_resource, first_at_or_after, graft, node_at, path_to, with_child
from sparsemem.kernel.ioport import *  # noqa: F403  (include/linux/ioport.h, as resource.c does)
from sparsemem.kernel.ioport import (
    IORES_DESC_DEVICE_PRIVATE_MEMORY,
    IORES_DESC_NONE,
    IORESOURCE_BUSY,
    IORESOURCE_EXT_TYPE_BITS,
    IORESOURCE_MEM,
    IORESOURCE_SYSRAM_MERGEABLE,
    IORESOURCE_SYSTEM_RAM,
    IORESOURCE_TYPE_BITS,
    RESOURCE_SIZE_MAX,
    Resource,
)
from sparsemem.kernel.ioport import __all__ as _ioport_all
from sparsemem.kernel.refusal import Refusal
from sparsemem.kernel.resource_query import *  # noqa: F403
from sparsemem.kernel.resource_query import __all__ as _query_all

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    *_ioport_all,
    *_query_all,
    "ConflictError",
    "__insert_resource",
    "__release_region",
    "__request_region",
    "__request_resource",
    "adjust_resource",
    "find_resource",
    "insert_resource",
    "insert_resource_expand_to_fit",
    "iomem_resource",
    "merge_system_ram_resource",
    "release_mem_region",
    "release_mem_region_adjustable",
    "release_resource",
    "remove_resource",
    "request_mem_region",
    "request_resource",
    "reserve_region_with_split",
    "update_resource",
]

Log: TypeAlias = "Callable[[str, str], None]"


def _quiet(level: str, line: str) -> None:
    """Where nobody listens."""


def iomem_resource(end: int = RESOURCE_SIZE_MAX, children: tuple[Resource, ...] = ()) -> Resource:
    """The root of ``/proc/iomem``, "PCI mem"; x86 lowers ``end`` to the CPU's physical address bits."""
    return Resource(0, end, "PCI mem", IORESOURCE_MEM, IORES_DESC_NONE, children)


def update_resource(root: Resource, res: Resource, **changes: object) -> tuple[Resource, Resource]:
    """Assign fields of an entry (``res->flags = ...``): the new root and the new entry. Addresses: see
    ``adjust_resource``.

    Raises Refusal(EINVAL) when ``res`` is not in the tree.
    """
    path = path_to(root, res, "update_resource")
    new = node_at(root, path).replace(**changes)
    return graft(path, new), new


# -- request and insert


def __request_resource(parent: Resource, new: Resource) -> tuple[int, Resource | None]:
    """Where ``new`` would go among the children of ``parent``, and what is in the way.

    The conflict is ``parent`` itself when ``new`` runs backwards or does not fit inside, else the lowest child that
    overlaps.
    """
    start, end = new.start, new.end
    if end < start or start < parent.start or end > parent.end:
        return 0, parent
    index = first_at_or_after(parent.children, start)
    if index < len(parent.children) and parent.children[index].start <= end:
        return index, parent.children[index]
    return index, None


def request_resource(root: Resource, new: Resource, parent: Resource | None = None) -> Resource:
    """Put ``new`` directly under ``parent`` (default: the root), where nothing may overlap it.

    Raises Refusal(EBUSY). Returns the new root.
    """
    path = [] if parent is None else path_to(root, parent, "request_resource")
    node = node_at(root, path)
    index, conflict = __request_resource(node, new)
    if conflict is not None:
        raise Refusal(errno.EBUSY, "request_resource", "resource-busy")
    return graft(path, with_child(node, index, new))


def __request_region(
    root: Resource,
    start: int,
    n: int,
    name: str | None,
    flags: int = 0,
    *,
    parent: Resource | None = None,
    log: Log = _quiet,
) -> tuple[Resource, Resource] | None:
    """Create a busy region of ``n`` bytes, as deep as entries that are not busy lead: (new root, region), or None
    (NULL in C).

    A conflict that is not busy becomes the parent and the search goes on inside it; the region takes type and
    descriptor of the parent it ends up under. A conflict that is busy, or one that does not contain the region, ends
    it.
    """
    path = [] if parent is None else path_to(root, parent, "__request_region")
    node = node_at(root, path)
    at_root = node is root
    while True:
        new = Resource(
            start,
            start + n - 1,
            name,
            (node.flags & (IORESOURCE_TYPE_BITS | IORESOURCE_EXT_TYPE_BITS)) | IORESOURCE_BUSY | flags,
            node.desc,
        )
        index, conflict = __request_resource(node, new)
        if conflict is None:
            return graft(path, with_child(node, index, new)), new
        if at_root and conflict.desc == IORES_DESC_DEVICE_PRIVATE_MEMORY:
            log("warn", f"resource: Unaddressable device {conflict.name} conflicts with {name}")
        if conflict is node or conflict.flags & IORESOURCE_BUSY:
            return None
        path.append((node, index))
        node, at_root = conflict, False


def request_mem_region(
    root: Resource, start: int, n: int, name: str | None, *, log: Log = _quiet
) -> tuple[Resource, Resource] | None:
    """``__request_region`` on the iomem tree: (new root, region), or None where the kernel returns NULL."""
    return __request_region(root, start, n, name, log=log)


def __insert_resource(root: Resource, new: Resource, path: Path) -> Resource:
    """Insert below the node at ``path``; the new root, or the conflicting entry wrapped in a ``ConflictError``."""
    node = node_at(root, path)
    while True:
        index, first = __request_resource(node, new)
        if first is None:
            return graft(path, with_child(node, index, new))
        if first is node:
            raise ConflictError(node)
        if first.start > new.start or first.end < new.end or (first.start == new.start and first.end == new.end):
            break
        path.append((node, index))
        node = first
    children = node.children
    last = index
    while True:
        child = children[last]
        if child.start < new.start or child.end > new.end:
            raise ConflictError(child)
        last += 1
        if last == len(children) or children[last].start > new.end:
            break
    inserted = new.with_children(children[index:last])
    return graft(path, node.with_children((*children[:index], inserted, *children[last:])))


class ConflictError(Exception):
    """The entry that ``__insert_resource`` returns in C."""

    def __init__(self, res: Resource) -> None:
        super().__init__(res)
        self.res = res


def insert_resource(root: Resource, new: Resource, parent: Resource | None = None) -> Resource:
    """Insert ``new`` as deep as it fits, taking what lies wholly inside it as its children. Returns the new root.

    Of two entries of the same range the newer becomes the outer one. Raises Refusal(EBUSY) on a partial overlap.
    """
    path = [] if parent is None else path_to(root, parent, "insert_resource")
    try:
        return __insert_resource(root, new, path)
    except ConflictError:
        raise Refusal(errno.EBUSY, "insert_resource", "resource-busy") from None


def insert_resource_expand_to_fit(
    root: Resource, new: Resource, *, log: Log = _quiet, prefix: str = "resource: "
) -> Resource:
    """Insert ``new``, widening it over every entry it overlaps in part. Returns the new root; a misfit of the root is
    dropped.

    ``prefix`` of the log line is "" up to v5.10 (a bare printk) and "resource: " later.
    """
    while True:
        try:
            return __insert_resource(root, new, [])
        except ConflictError as conflict:
            res = conflict.res
        if res is root:
            return root
        new = new.replace(start=min(new.start, res.start), end=max(new.end, res.end))
        log("info", f"{prefix}Expanded resource {new.name} due to conflict with {res.name}")


def reserve_region_with_split(root: Resource, start: int, end: int, name: str) -> Resource:
    """Reserve as busy whatever of ``start..end`` is free at the top level, in pieces. Returns the new root.

    One piece before each conflict and one after the last: as in C, a second conflict inside the last piece splits it
    again.
    """
    flags = (root.flags & IORESOURCE_TYPE_BITS) | IORESOURCE_BUSY
    start, end = max(start, root.start), min(end, root.end)
    while start <= end:
        index, conflict = __request_resource(root, Resource(start, end))
        if conflict is None:
            return with_child(root, index, Resource(start, end, name, flags))
        if conflict.start > start:
            root = with_child(root, index, Resource(start, conflict.start - 1, name, flags))
        start = conflict.end + 1
    return root


# -- release, remove, adjust


def release_resource(root: Resource, old: Resource) -> Resource:
    """Take an entry out with all its children. Raises Refusal(EINVAL) when it is not there. Returns the new root."""
    path = path_to(root, old, "release_resource")
    parent, index = path.pop()
    return graft(path, parent.with_children(parent.children[:index] + parent.children[index + 1 :]))


def remove_resource(root: Resource, old: Resource) -> Resource:
    """Take an entry out and move its children up to its place. Raises Refusal(EINVAL) when it is not there."""
    path = path_to(root, old, "remove_resource")
    parent, index = path.pop()
    children = parent.children
    return graft(path, parent.with_children((*children[:index], *children[index].children, *children[index + 1 :])))


def __release_region(
    root: Resource,
    start: int,
    n: int,
    *,
    parent: Resource | None = None,
    log: Log = _quiet,
    pointer_format: bool = True,
) -> Resource:
    """Free the busy region of exactly these bytes, and what lies below it. Returns the new root, the same one when
    nothing matches.

    Without a match the kernel only warns; ``pointer_format`` chooses between its two wordings (bare printk up to
    v5.10).
    """
    end = start + n - 1
    path = [] if parent is None else path_to(root, parent, "__release_region")
    node = node_at(root, path)
    while True:
        index = first_at_or_after(node.children, start)
        res = node.children[index] if index < len(node.children) else None
        if res is None or res.start > start or res.end < end:
            break
        if not res.flags & IORESOURCE_BUSY:
            path.append((node, index))
            node = res
            continue
        if res.start == start and res.end == end:
            return graft(path, node.with_children(node.children[:index] + node.children[index + 1 :]))
        break
    if pointer_format:
        log("warn", f"resource: Trying to free nonexistent resource <{start:#018x}-{end:#018x}>")
    else:
        log("warn", f"Trying to free nonexistent resource <{start:016x}-{end:016x}>")
    return root


def release_mem_region(
    root: Resource, start: int, n: int, *, log: Log = _quiet, pointer_format: bool = True
) -> Resource:
    """``__release_region`` on the iomem tree."""
    return __release_region(root, start, n, log=log, pointer_format=pointer_format)


def _adjusted(parent: Resource, index: int, start: int, end: int, children: tuple[Resource, ...]) -> Resource | None:
    """``__adjust_resource`` of child ``index``: the changed child, or None where C returns -EBUSY."""
    siblings = parent.children
    if start < parent.start or end > parent.end:
        return None
    if index + 1 < len(siblings) and siblings[index + 1].start <= end:
        return None
    if index and start <= siblings[index - 1].end:
        return None
    if any(child.start < start or child.end > end for child in children):
        return None
    res = siblings[index]
    return Resource(start, end, res.name, res.flags, res.desc, children)


def adjust_resource(root: Resource, res: Resource, start: int, size: int) -> tuple[Resource, Resource]:
    """Give an entry another range: (new root, entry).

    Raises Refusal(EBUSY) when it would leave its parent, touch a sibling or lose a child.
    """
    path = path_to(root, res, "adjust_resource")
    parent, index = path[-1]
    new = _adjusted(parent, index, start, start + size - 1, parent.children[index].children)
    if new is None:
        raise Refusal(errno.EBUSY, "adjust_resource", "resource-busy")
    return graft(path, new), new


def release_mem_region_adjustable(
    root: Resource,
    start: int,
    size: int,
    *,
    never_fails: bool = True,
    reparents_children: bool = True,
    log: Log = _quiet,
) -> Resource:
    """Cut ``size`` bytes out of the one busy memory entry that contains them: free it, shrink it, or split it.
    Returns the new root.

    ``never_fails``: Linux kernel commit cb8e3c8b4f45 ("kernel/resource: make release_mem_region_adjustable() never
    fail") (in v5.10); before, it raises Refusal(EINVAL) without a match and Refusal(EBUSY) when a child is in the
    way; from then on a missing match is silent and a child in the way leaves the entry whole with a warning.
    ``reparents_children``: a split hands the children above the hole to the upper part; before, such a child is in
    the way.
    """
    end = start + size - 1

    def refuse(number: int) -> Resource:
        if never_fails:
            if number == errno.EBUSY:
                log("warn", "WARNING: at kernel/resource.c release_mem_region_adjustable")
            return root
        raise Refusal(number, "release_mem_region_adjustable", "resource-busy")

    if start < root.start or end > root.end:
        return refuse(errno.EINVAL)
    path: Path = []
    node = root
    while True:
        index = first_at_or_after(node.children, start)
        if index == len(node.children):
            return refuse(errno.EINVAL)
        res = node.children[index]
        if res.start >= end or res.start > start or res.end < end or not res.flags & IORESOURCE_MEM:
            return refuse(errno.EINVAL)
        if res.flags & IORESOURCE_BUSY:
            break
        path.append((node, index))
        node = res
    before, after = node.children[:index], node.children[index + 1 :]
    if res.start == start and res.end == end:
        return graft(path, node.with_children(before + after))
    if res.start == start:
        parts: tuple[Resource | None, ...] = (_adjusted(node, index, end + 1, res.end, res.children),)
    elif res.end == end:
        parts = (_adjusted(node, index, res.start, start - 1, res.children),)
    else:
        moved = tuple(child for child in res.children if child.start > end) if reparents_children else ()
        kept = tuple(child for child in res.children if child.start <= end) if reparents_children else res.children
        high = Resource(end + 1, res.end, res.name, res.flags, res.desc, moved)
        parts = (_adjusted(node, index, res.start, start - 1, kept), high)
    remaining = tuple(part for part in parts if part is not None)
    if len(remaining) < len(parts):
        return refuse(errno.EBUSY)
    return graft(path, node.with_children((*before, *remaining, *after)))


def merge_system_ram_resource(root: Resource, res: Resource) -> tuple[Resource, Resource]:
    """Mark a busy System RAM entry mergeable and join it with neighbours that are equal in flags, name and descriptor.

    Neither side may have children. Returns (new root, the entry as it is now).
    Linux kernel commit 9ca6551ee22d ("mm/memory_hotplug: MEMHP_MERGE_RESOURCE to specify merging of System RAM
    resources") (in v5.10).
    """
    wanted = IORESOURCE_SYSTEM_RAM | IORESOURCE_BUSY
    path = path_to(root, res, "merge_system_ram_resource")
    parent, index = path.pop()
    siblings = parent.children
    now = siblings[index]
    if now.flags & wanted != wanted:
        return root, now
    now = now.replace(flags=now.flags | IORESOURCE_SYSRAM_MERGEABLE)
    low, high = index, index + 1
    if high < len(siblings) and _mergeable(now, siblings[high]):
        now = now.replace(end=siblings[high].end)
        high += 1
    if low and _mergeable(siblings[low - 1], now):
        low -= 1
        now = now.replace(start=siblings[low].start)
    return graft(path, parent.with_children((*siblings[:low], now, *siblings[high:]))), now


def _mergeable(r1: Resource, r2: Resource) -> bool:
    """``system_ram_resources_mergeable``."""
    return (
        r1.flags == r2.flags
        and r1.end + 1 == r2.start
        and r1.name == r2.name
        and r1.desc == r2.desc
        and not r1.children
        and not r2.children
    )
