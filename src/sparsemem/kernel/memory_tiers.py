"""``mm/memory-tiers.c`` as far as its log goes: nodes whose memory is slower lie in a lower tier, and the tiers are printed when a node
gets its first memory or loses its last.

Without HMAT there are two kinds: "dram", and "dax" for memory that the kmem driver brings to a node that had none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sparsemem.kernel.page_alloc import node_memory

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sparsemem.kernel.state import State

__all__ = [
    "DAX",
    "DRAM",
    "clear_node_memory_type",
    "format_nodes",
    "init_node_memory_type",
    "memory_node_changed",
    "memory_tier_init",
]

DRAM, DAX = "dram", "dax"
_TIERS = (DRAM, DAX)  # by abstract distance: the nearer first


class NodeMemoryType(NamedTuple):
    """``struct node_memory_type_map``: the kind of a node, "" for none yet, and how many devices hold on to it; ``tier``: whether the
    node is in the tier of its kind."""

    memtype: str = ""
    map_count: int = 0
    tier: bool = False


def _type_of(state: State, nid: int) -> NodeMemoryType:
    found: NodeMemoryType = state.misc.get(f"memory_type:{nid}", NodeMemoryType())
    return found


def _put(state: State, nid: int, new: NodeMemoryType) -> None:
    if new != _type_of(state, nid):
        state.put(state.misc, f"memory_type:{nid}", new)


def memory_tier_init(state: State) -> None:
    """At boot every node with memory is DRAM. Like all here it is followed only for kernels that print it."""
    if not state.kernel.features.demotion_targets_logged:
        return
    for nid in node_memory(state):
        _put(state, nid, NodeMemoryType(DRAM, 1, True))


def init_node_memory_type(state: State, nid: int, memtype: str) -> None:
    """A device brings memory of that kind; the first kind of a node counts."""
    if not state.kernel.features.demotion_targets_logged:
        return
    old = _type_of(state, nid)
    kind = old.memtype or memtype
    _put(state, nid, old._replace(memtype=kind, map_count=old.map_count + (kind == memtype)))


def clear_node_memory_type(state: State, nid: int, memtype: str = "") -> None:
    """The device goes; the last one takes the kind with it. Without ``memtype`` it is whatever the node has."""
    if not state.kernel.features.demotion_targets_logged:
        return
    old = _type_of(state, nid)
    count = old.map_count - (memtype in ("", old.memtype))
    _put(state, nid, old._replace(memtype=old.memtype if count else "", map_count=count))


def memory_node_changed(state: State, nid: int, *, has_memory: bool) -> None:
    """``memtier_hotplug_callback``: a node got its first memory, or lost its last.

    Linux kernel commit 6c542ab75714 ("mm/demotion: build demotion targets based on explicit memory tiers") (in v6.1); printed later.
    """
    if not state.kernel.features.demotion_targets_logged:
        return
    if has_memory:
        init_node_memory_type(state, nid, DRAM)
    elif not _type_of(state, nid).tier:
        return
    _put(state, nid, _type_of(state, nid)._replace(tier=has_memory))
    _dump_demotion_targets(state)


def _dump_demotion_targets(state: State) -> None:
    memory = sorted(node_memory(state))
    tiers = {nid: _TIERS.index(_type_of(state, nid).memtype or DRAM) for nid in memory if _type_of(state, nid).tier}
    for nid, tier in tiers.items():
        lower = [each for each, other in tiers.items() if other > tier]
        words = f"preferred: {format_nodes(lower)}, fallback: {format_nodes(lower)}" if lower else "null"
        state.log("info", f"Demotion targets for Node {nid}: {words}")


def format_nodes(nids: Iterable[int]) -> str:
    """Numbers as ``%*pbl`` prints them, in order and once: "1-2,4"."""
    runs: list[list[int]] = []
    for nid in sorted(set(nids)):
        if runs and runs[-1][1] == nid - 1:
            runs[-1][1] = nid
        else:
            runs.append([nid, nid])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)
