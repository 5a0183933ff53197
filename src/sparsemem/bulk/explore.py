"""Every order of operations of a small configuration: guarded rules over a few dozen bits, explored breadth first.

A ``Model`` is a table of ``Rule``s; a state is one small integer, so that the set of reached states is a flat byte map
and a whole frontier moves through a rule in a handful of array operations. ``explore`` runs a table with plain sets,
with numpy, or with numba; all three give the same counts. ``sparsemem.bulk.devices`` builds tables from device ranges.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from sparsemem.errors import MissingExtraError, NotModelledError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["MAX_DENSE_BITS", "Answer", "Exploration", "Model", "Rule", "explore", "step"]

MAX_DENSE_BITS = 30
"""The widest state that gets a dense byte map (1 GiB of address space, of which only touched pages cost memory)."""


class Rule(NamedTuple):
    """One guarded transition: *when* all of the guards hold, bits are cleared, then set.

    Guards: every bit of ``all_set`` is set; every bit of ``all_clear`` is clear; some bit of ``any_set`` is set, and
    some bit of ``any_clear`` is clear (a zero mask asks nothing). The rules of one operation exclude each other: in
    any state at most one applies.
    """

    operation: str
    answer: str
    """"" when the operation is done, else the errno name of the refusal (or "WARN")."""
    all_set: int = 0
    all_clear: int = 0
    any_set: int = 0
    any_clear: int = 0
    clear: int = 0
    set: int = 0

    def applies(self, state: int) -> bool:
        return (
            state & self.all_set == self.all_set
            and not state & self.all_clear
            and (not self.any_set or state & self.any_set != 0)
            and (not self.any_clear or ~state & self.any_clear != 0)
        )

    def next(self, state: int) -> int:
        return state & ~self.clear | self.set

    @property
    def injective(self) -> bool:
        """Two states that this rule applies to never become one: every bit it writes was known before."""
        return not (self.clear | self.set) & ~(self.all_set | self.all_clear)


class Model(NamedTuple):
    """A table of rules over ``len(bits)`` bits; ``bits[i]`` says what bit ``i`` means."""

    bits: tuple[str, ...]
    rules: tuple[Rule, ...]
    initial: int = 0


class Answer(NamedTuple):
    """What an operation did in a state: "" or the errno name, and the state after it."""

    operation: str
    answer: str
    state: int


@dataclass(frozen=True, slots=True)
class Exploration:
    """``depths[d]`` states are first reached after ``d`` operations; ``transitions`` counts every operation tried in
    every state where one of its rules applies, ``refused`` those with an answer, by answer."""

    depths: tuple[int, ...]
    transitions: int
    refused: dict[str, int]

    @property
    def states(self) -> int:
        return sum(self.depths)


def step(model: Model, state: int) -> list[Answer]:
    """What each operation answers in ``state``, in the order of the rules."""
    return [Answer(rule.operation, rule.answer, rule.next(state)) for rule in model.rules if rule.applies(state)]


Backend = Literal["auto", "python", "numpy", "numba"]


def explore(model: Model, backend: Backend = "auto", max_states: int | None = None) -> Exploration:
    """Reach every state from ``model.initial`` and count.

    ``auto`` takes numpy where it is installed and the state is narrow enough, else plain sets. Raises UsageError for a
    rule that reaches outside the bits, NotModelledError when a dense backend is asked for more than MAX_DENSE_BITS
    bits or ``max_states`` is exceeded, MissingExtraError when the backend is not installed.
    """
    width = len(model.bits)
    for rule in model.rules:
        if any(mask < 0 or mask >> width for mask in rule[2:]):
            raise UsageError(f"the rule {rule.operation!r} reaches outside the {width} bits of the state")
    if backend == "auto":
        backend = "numpy" if width <= MAX_DENSE_BITS and _have_numpy() else "python"
    if backend == "python":
        return _python(model, max_states)
    if width > MAX_DENSE_BITS:
        raise NotModelledError(
            f"a state of {width} bits has no dense map",
            why=f"the limit is {MAX_DENSE_BITS}",
            remedy="use the python backend or fewer ranges",
        )
    if backend == "numpy":
        return _numpy(model, max_states)
    if backend == "numba":
        from sparsemem.bulk import explore_numba

        return explore_numba.run(model, max_states)
    raise UsageError(f"no such backend: {backend!r}", remedy="choose auto, python, numpy or numba")


def too_many(limit: int) -> NotModelledError:
    """The error for an exploration that was told where to stop."""
    return NotModelledError(f"more than {limit} states", remedy="raise max_states or leave out some ranges")


def _have_numpy() -> bool:
    from importlib.util import find_spec

    return find_spec("numpy") is not None


def _python(model: Model, max_states: int | None) -> Exploration:
    reached = {model.initial}
    frontier = [model.initial]
    depths, transitions = [1], 0
    refused: dict[str, int] = {}
    while frontier:
        fresh = []
        for state in frontier:
            for rule in model.rules:
                if rule.applies(state):
                    transitions += 1
                    if rule.answer:
                        refused[rule.answer] = refused.get(rule.answer, 0) + 1
                    after = rule.next(state)
                    if after not in reached:
                        reached.add(after)
                        fresh.append(after)
        frontier = fresh
        if fresh:
            depths.append(len(fresh))
        if max_states is not None and len(reached) > max_states:
            raise too_many(max_states)
    return Exploration(tuple(depths), transitions, refused)


_CHUNK = (
    1 << 14
)  # states that move through all rules together: they and the scratch arrays stay in the second-level cache


def _numpy(model: Model, max_states: int | None) -> Exploration:
    try:
        import numpy as np
    except ImportError as error:
        raise MissingExtraError(
            "numpy is not installed", remedy="install the extra: pip install 'sparsemem[bulk]'"
        ) from error
    narrow = np.uint32
    reached = np.zeros(1 << len(model.bits), np.bool_)
    reached[model.initial] = True
    frontier: Any = np.array([model.initial], narrow)
    depths, transitions = [1], 0
    refused: dict[str, int] = {}
    rules = [(rule, *_constants(rule, narrow), rule.injective) for rule in model.rules]
    while frontier.size:
        fresh: list[Any] = []
        for begin in range(0, frontier.size, _CHUNK):
            part = frontier[begin : begin + _CHUNK]
            for rule, pinned, wanted, some_set, some_clear, keep, put, injective in rules:
                applies = (part & pinned) == wanted
                if rule.any_set:
                    applies &= (part & some_set) != 0
                if rule.any_clear:
                    applies &= (part & some_clear) != some_clear
                n = int(np.count_nonzero(applies))
                if not n:
                    continue
                transitions += n
                if rule.answer:
                    refused[rule.answer] = refused.get(rule.answer, 0) + n
                if not rule.clear and not rule.set:
                    continue
                after = part[applies]
                after &= keep
                after |= put
                after = after[~reached[after]]
                if not after.size:
                    continue
                if not injective:
                    after = np.unique(after)
                reached[after] = True
                fresh.append(after)
        frontier = np.concatenate(fresh) if fresh else frontier[:0]
        if frontier.size:
            depths.append(int(frontier.size))
        if max_states is not None and sum(depths) > max_states:
            raise too_many(max_states)
    return Exploration(tuple(depths), transitions, refused)


def _constants(rule: Rule, kind: Any) -> Sequence[Any]:
    full = 0xFFFFFFFF
    return [
        kind(mask)
        for mask in (
            rule.all_set | rule.all_clear,
            rule.all_set,
            rule.any_set,
            rule.any_clear,
            full & ~rule.clear,
            rule.set,
        )
    ]
