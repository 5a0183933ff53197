"""Finding and copying paths in an immutable resource tree; what the sibling lists and parent pointers do in C."""

from __future__ import annotations

import errno
from bisect import bisect_right
from typing import TYPE_CHECKING, TypeAlias

from sparsemem.kernel.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.kernel.ioport import Resource

__all__ = [
    "Path",
    "find_resource",
    "first_at_or_after",
    "graft",
    "node_at",
    "overlapping",
    "path_to",
    "start_of",
    "with_child",
]

Path: TypeAlias = "list[tuple[Resource, int]]"
"""From the root down: (ancestor, index of the next step among its children)."""


def start_of(res: Resource) -> int:
    """The sort key of children."""
    return res.start


def first_at_or_after(children: tuple[Resource, ...], addr: int) -> int:
    """Index of the first child that ends at ``addr`` or later (children sorted and disjoint)."""
    index = bisect_right(children, addr, key=start_of)
    return index - 1 if index and children[index - 1].end >= addr else index


def graft(path: Path, node: Resource) -> Resource:
    """The root after the node at the end of ``path`` became ``node``."""
    for ancestor, index in reversed(path):
        children = list(ancestor.children)
        children[index] = node
        node = ancestor.with_children(tuple(children))
    return node


def with_child(parent: Resource, index: int, new: Resource) -> Resource:
    """``parent`` with ``new`` put in at ``index`` of its children."""
    if index == len(parent.children):
        return parent.with_children((*parent.children, new))
    children = list(parent.children)
    children.insert(index, new)
    return parent.with_children(tuple(children))


def find_resource(root: Resource, res: Resource) -> list[tuple[Resource, int]] | None:
    """The way from the root to ``res``: (ancestor, child index) pairs, ``[]`` for the root itself, None when it is
    not there.

    The entry meant is the one with the same start, end and name; of several that look the same, the identical object,
    else the outermost.
    """
    if res is root:
        return []
    path: Path = []
    found: Path | None = None
    node = root
    while True:
        children = node.children
        index = bisect_right(children, res.start, key=start_of) - 1
        if index < 0:
            return found
        child = children[index]
        path.append((node, index))
        if child is res:
            return path
        if found is None and child.start == res.start and child.end == res.end and child.name == res.name:
            found = list(path)
        if child.end < res.end:
            return found
        node = child


def path_to(root: Resource, res: Resource, function: str) -> Path:
    """``find_resource``, or Refusal(EINVAL) from ``function`` when ``res`` is not in the tree."""
    path = find_resource(root, res)
    if path is None:
        raise Refusal(errno.EINVAL, function, "resource-busy")
    return path


def node_at(root: Resource, path: Path) -> Resource:
    """What ``path`` leads to."""
    if not path:
        return root
    parent, index = path[-1]
    return parent.children[index]


def overlapping(node: Resource, start: int, end: int) -> Iterator[Resource]:
    """The children that share a byte with ``start..end`` (inclusive), in order."""
    children = node.children
    for index in range(first_at_or_after(children, start), len(children)):
        child = children[index]
        if child.start > end:
            return
        yield child
