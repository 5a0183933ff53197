"""Which region, namespace or dax device of one machine is which of the other: by uuid, then by address, then by name.

A key counts only where it is one of a kind on both sides, so that the answer does not depend on the order, nor on which machine comes
first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from sparsemem.machine.description import DaxFact, NamespaceFact, RegionFact

__all__ = ["Named", "match_daxes", "match_namespaces", "match_regions"]


class Named(Protocol):
    """What has a name in the kernel."""

    @property
    def dev(self) -> str:
        """The kernel's name."""
        ...


_T = TypeVar("_T", bound=Named)
_Pairs = list[tuple[_T | None, _T | None]]


def _unique(facts: Sequence[_T], key: Callable[[_T], Hashable | None]) -> dict[Hashable, _T]:
    found: dict[Hashable, _T] = {}
    twice: set[Hashable] = set()
    for fact in facts:
        value = key(fact)
        if value is None:
            continue
        if value in found:
            twice.add(value)
        found[value] = fact
    return {value: fact for value, fact in found.items() if value not in twice}


def _match(before: Sequence[_T], after: Sequence[_T], keys: Sequence[Callable[[_T], Hashable | None]]) -> _Pairs[_T]:
    left, right = list(before), list(after)
    pairs: _Pairs[_T] = []
    for key in keys:
        ours, theirs = _unique(left, key), _unique(right, key)
        for value in ours.keys() & theirs.keys():
            pairs.append((ours[value], theirs[value]))
        done = {id(each) for pair in pairs for each in pair}
        left = [fact for fact in left if id(fact) not in done]
        right = [fact for fact in right if id(fact) not in done]
    return [*pairs, *((fact, None) for fact in left), *((None, fact) for fact in right)]


def match_regions(before: Sequence[RegionFact], after: Sequence[RegionFact]) -> _Pairs[RegionFact]:
    """By address, then by name."""
    return _match(before, after, (lambda fact: fact.range.start if fact.range else None, lambda fact: fact.dev))


def match_namespaces(before: Sequence[NamespaceFact], after: Sequence[NamespaceFact]) -> _Pairs[NamespaceFact]:
    """By uuid, by address, then by name.

    Two that have uuids, and different ones, are two: the one was destroyed, the other made.
    """
    pairs = _match(
        before,
        after,
        (
            lambda fact: fact.uuid or None,
            lambda fact: fact.range.start if fact.range else None,
            lambda fact: fact.dev,
        ),
    )
    split: _Pairs[NamespaceFact] = []
    for left, right in pairs:
        if left is not None and right is not None and left.uuid and right.uuid and left.uuid != right.uuid:
            split += [(left, None), (None, right)]
        else:
            split.append((left, right))
    return split


def match_daxes(before: Sequence[DaxFact], after: Sequence[DaxFact]) -> _Pairs[DaxFact]:
    """By address, then by name."""
    return _match(before, after, (lambda fact: fact.ranges[0].start if fact.ranges else None, lambda fact: fact.dev))
