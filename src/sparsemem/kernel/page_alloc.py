"""``mm/page_alloc.c`` as far as its log goes: in which order the zones of the nodes follow each other, and which zone is the policy's.

No SLIT is modelled: every other node is as far away as any (``REMOTE_DISTANCE``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sparsemem.kernel.state import State

__all__ = ["build_all_zonelists", "node_distance", "node_memory", "numa_map_to_online_node", "policy_zone"]

_LOCAL_DISTANCE, _REMOTE_DISTANCE = 10, 20
_PENALTY_FOR_NODE_WITH_CPUS = 1
_MAX_NUMNODES = 1024


def node_distance(one: int, other: int) -> int:
    """As firmware without a SLIT has it."""
    return _LOCAL_DISTANCE if one == other else _REMOTE_DISTANCE


def node_memory(state: State) -> frozenset[int]:
    """``N_MEMORY``: the nodes that have a present page."""
    return frozenset(nid for (nid, _), zone in state.zones.items() if zone.present_pages)


def numa_map_to_online_node(state: State, nid: int) -> int:
    """The node, or where it is offline the nearest one that is not; -1 stays -1."""
    online = [each for each, node in sorted(state.nodes.items()) if node.online]
    return nid if nid < 0 or nid in online else min(online, key=lambda each: node_distance(nid, each), default=nid)


def _find_next_best_node(state: State, nid: int, used: set[int], memory: frozenset[int], load: dict[int, int]) -> int:
    """The next node of ``nid``'s fallback list: itself, then near before far, those without CPUs before others; -1: no more."""
    skips = state.kernel.features.memoryless_node_out_of_its_list
    if nid not in used and (nid in memory or not skips):
        used.add(nid)
        return nid
    cpus: frozenset[int] = state.misc.get("cpu_nodes", frozenset({0}))

    def value(each: int) -> tuple[int, int]:
        far = node_distance(nid, each) + (each < nid) + _PENALTY_FOR_NODE_WITH_CPUS * (each in cpus)
        return far * _MAX_NUMNODES + load.get(each, 0), each

    best = min((each for each in memory if each not in used), key=value, default=-1)
    if best >= 0:
        used.add(best)
    return best


def _build_zonelists(state: State, nid: int, memory: frozenset[int], load: dict[int, int]) -> None:
    order: list[int] = []
    used: set[int] = set()
    previous = nid
    while (node := _find_next_best_node(state, nid, used, memory, load)) >= 0:
        if node_distance(nid, node) != node_distance(nid, previous):
            load[node] = load.get(node, 0) + 1
        order.append(node)
        previous = node
    if state.kernel.features.fallback_order_logged:
        text = "".join(f"{node} " for node in order)
        state.log("info", f"Fallback order for Node {nid}: {text}")


def build_all_zonelists(state: State, hotadded: int | None = None, *, leaving: int | None = None) -> None:
    """Only its log: the page total depends on what is free above the watermarks, which is not modelled.

    ``hotadded``: a node that comes and is not online yet, whose lists alone are built; ``leaving``: one whose last pages have just
    gone, and which up to v6.6 counts as one with memory still.
    """
    online = [nid for nid, node in sorted(state.nodes.items()) if node.online]
    memory, load = node_memory(state), dict[int, int]()
    if leaving is not None and not state.kernel.features.memoryless_node_out_of_lists:
        memory |= {leaving}
    if hotadded is not None and hotadded not in online:
        _build_zonelists(state, hotadded, memory, load)
    else:
        every = state.kernel.features.zonelists_of_possible_nodes
        possible: frozenset[int] = state.misc.get("possible_nodes", frozenset({0}))
        for nid in sorted(possible) if every else online:
            _build_zonelists(state, nid, memory, load)
    state.log("info", f"Built {len(online)} zonelists, mobility grouping on.  Total pages: ?")
    state.log("info", f"Policy zone: {policy_zone(state)}")


def policy_zone(state: State) -> str:
    """The highest zone below Movable that ever had pages; it never goes back. Remembered in ``misc["policy_zone"]``."""
    names: list[str] = [name for name, _ in state.misc["zone_limits"]]
    best: int = state.misc.get("policy_zone", 0)
    for (_, name), zone in state.zones.items():
        if zone.present_pages and name in names:
            best = max(best, names.index(name))
    if best != state.misc.get("policy_zone", 0):
        state.put(state.misc, "policy_zone", best)
    return names[best]
