"""The breadth-first loop of ``explore`` compiled with numba (extra ``numba``)."""

from __future__ import annotations

from sparsemem.bulk.explore import Exploration, Model, too_many
from sparsemem.errors import MissingExtraError

try:
    import numba
    import numpy as np
except ImportError as error:
    raise MissingExtraError(
        "numba is not installed", remedy="install the extra: pip install 'sparsemem[numba]'"
    ) from error

__all__ = ["run"]


@numba.njit(cache=True, nogil=True)
def _level(frontier, rules, reached, fresh, hits):  # type: ignore[no-untyped-def]
    """One level of the search: returns how many states of ``fresh`` were filled, or -1 when it is too small."""
    found = 0
    zero = np.uint32(0)
    for f in range(frontier.size):
        state = frontier[f]
        if found + rules.shape[0] > fresh.size:
            return -1 - f, found
        for r in range(rules.shape[0]):
            if state & rules[r, 0] != rules[r, 1]:
                continue
            if rules[r, 2] != zero and state & rules[r, 2] == zero:
                continue
            if rules[r, 3] != zero and state & rules[r, 3] == rules[r, 3]:
                continue
            hits[r] += 1
            after = (state & rules[r, 4]) | rules[r, 5]
            if not reached[after]:
                reached[after] = True
                fresh[found] = after
                found += 1
    return frontier.size, found


def run(model: Model, max_states: int | None = None) -> Exploration:
    """As ``explore(model, "numba", max_states)``."""
    masks = [
        (r.all_set | r.all_clear, r.all_set, r.any_set, r.any_clear, 0xFFFFFFFF & ~r.clear, r.set) for r in model.rules
    ]
    rules = np.array(masks, np.uint32).reshape(-1, 6)
    hits = np.zeros(len(masks), np.int64)
    reached = np.zeros(1 << len(model.bits), np.bool_)
    reached[model.initial] = True
    frontier = np.array([model.initial], np.uint32)
    depths = [1]
    fresh = np.empty(1 << 16, np.uint32)
    while frontier.size:
        parts = []
        position = 0
        while position < frontier.size:
            done, found = _level(frontier[position:], rules, reached, fresh, hits)
            parts.append(fresh[:found].copy())
            if done < 0:
                done = -1 - done
                if not done:  # not even one state's successors fit
                    fresh = np.empty(max(fresh.size, 2 * len(masks)) * 2, np.uint32)
            position += done
        frontier = np.concatenate(parts)
        if frontier.size:
            depths.append(int(frontier.size))
        if max_states is not None and sum(depths) > max_states:
            raise too_many(max_states)
    refused: dict[str, int] = {}
    for rule, n in zip(model.rules, hits.tolist(), strict=True):
        if rule.answer and n:
            refused[rule.answer] = refused.get(rule.answer, 0) + n
    return Exploration(tuple(depths), int(hits.sum()), refused)
