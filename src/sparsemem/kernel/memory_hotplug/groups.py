"""Memory groups (v5.15+): what belongs to one device, so that it is onlined alike.

Linux kernel commit 028fc57a1c36 ("drivers/base/memory: introduce "memory groups" to logically group memory blocks") (in v5.15)
"""

from __future__ import annotations

from sparsemem.kernel.memory_hotplug.zones import pages_per_block
from sparsemem.kernel.refusal import Refusal
from sparsemem.kernel.state import MemoryGroup, State

__all__ = ["memory_group_register_dynamic", "memory_group_register_static", "memory_group_unregister"]


def _register(state: State, group: MemoryGroup) -> int:
    if group.nid not in state.misc.get("possible_nodes", frozenset({0})):
        raise Refusal(22, "memory_group_register", "node-impossible")
    state.alloc("memory_group_register")
    state.alloc("memory_group_register: xa_alloc")
    mgid = 1
    while mgid in state.groups:
        mgid += 1
    state.put(state.groups, mgid, group)
    return mgid


def memory_group_register_static(state: State, nid: int, max_pages: int) -> int:
    """A group of at most ``max_pages``; its id (from 1). Raises Refusal: EINVAL (nothing, impossible node), ENOMEM."""
    if not max_pages:
        raise Refusal(22, "memory_group_register_static", "group-invalid")
    return _register(state, MemoryGroup(nid, False, max_pages))


def memory_group_register_dynamic(state: State, nid: int, unit_pages: int) -> int:
    """A group that grows by ``unit_pages``, a power of two of at least a block. Raises Refusal: EINVAL, ENOMEM."""
    if not unit_pages or unit_pages & (unit_pages - 1) or unit_pages < pages_per_block(state):
        raise Refusal(22, "memory_group_register_dynamic", "group-invalid")
    return _register(state, MemoryGroup(nid, True, unit_pages))


def memory_group_unregister(state: State, mgid: int) -> None:
    """Raises Refusal: EINVAL (unknown), EBUSY (it still has blocks)."""
    if mgid not in state.groups:
        raise Refusal(22, "memory_group_unregister", "group-unknown")
    if any(block.group == mgid for block in state.blocks.values()):
        raise Refusal(16, "memory_group_unregister", "group-busy")
    state.drop(state.groups, mgid)
