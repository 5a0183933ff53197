"""The best plan for a problem, and whether it is proven that no other is better."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sparsemem.planner.equal import equal_parts
from sparsemem.planner.search import blocked_in, least_cost, search

if TYPE_CHECKING:
    from sparsemem.planner.problem import Cost, Placement, Problem, Want

__all__ = ["Solution", "solve"]


class Solution(NamedTuple):
    """``placements`` in the order of creation; ``exact``: every arrangement was looked at, or ruled out; ``optimal``: no equal parts are
    larger, and nothing strands less."""

    placements: tuple[Placement, ...]
    cost: Cost
    exact: bool
    optimal: bool


def solve(problem: Problem) -> tuple[Solution | None, Want | None]:
    """The best plan, or None and (where the quick search knows it) the want that finds no place."""
    if not problem.wants and not problem.spaces:
        return Solution((), (0, 0), exact=True, optimal=True), None
    if problem.equal:
        parts = equal_parts(problem)
        if parts.found is None:
            return None, parts.blocked
        return Solution(parts.found[1], parts.found[0], parts.exact, parts.exact), None
    found, exact, blocked = search(problem)
    if found is None:
        return None, blocked or blocked_in(problem)
    return Solution(found[1], found[0], exact, exact or found[0][0] == least_cost(problem)), None
