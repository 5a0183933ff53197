"""Regions, namespaces and dax devices of two machines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sparsemem.doctor.diff.entry import Entry, Value, differing, hull, known
from sparsemem.doctor.diff.match import match_daxes, match_namespaces, match_regions

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sparsemem.doctor.diff.portrait import Portrait
    from sparsemem.machine.description import DaxFact, NamespaceFact, RegionFact
    from sparsemem.ranges import Range

__all__ = ["Names", "diff_devices"]

_Fields = dict[str, Value]


@dataclass(frozen=True, slots=True)
class Names:
    """What a name of each side stands for. Those that are on one side only stand for nothing of the other, whatever they are called."""

    before: dict[str, str]
    after: dict[str, str]

    def ours(self, names: Iterable[str]) -> tuple[str, ...]:
        """Names of the machine before, as the machine after calls them."""
        return tuple(sorted(self.before.get(name, name) for name in names))

    def theirs(self, names: Iterable[str]) -> tuple[str, ...]:
        """Names of the machine after."""
        return tuple(sorted(self.after.get(name, name) for name in names))

    def pair(self, old: str | None, new: str | None) -> None:
        """Take in that the one is the other, or that there is no other."""
        if old is not None:
            self.before[old] = f"{old} (before)" if new is None else new
        if new is not None:
            self.after[new] = f"{new} (after)" if old is None else new


def _region(side: Portrait, fact: RegionFact) -> _Fields:
    return {
        "address": (fact.range,) if fact.range else None, "size": fact.size, "free": side.free(fact), "align": fact.align,
        "mappings": fact.mappings, "type": fact.type, "numa_node": fact.numa_node, "target_node": fact.target_node,
        "labels": fact.labels, "enabled": fact.enabled,
    }  # fmt: skip


def _namespace(fact: NamespaceFact) -> _Fields:
    return {
        "region": fact.region, "mode": fact.mode, "map": fact.map, "address": (fact.range,) if fact.range else None, "size": fact.size,
        "usable": fact.usable, "data": (fact.data,) if fact.data else None, "align": fact.align, "sector_size": fact.sector_size,
        "blockdev": fact.blockdev, "label": fact.name, "uuid": fact.uuid, "enabled": fact.enabled,
    }  # fmt: skip


def _dax(fact: DaxFact) -> _Fields:
    return {
        "mode": fact.mode, "size": fact.size, "address": fact.ranges, "align": fact.align, "target_node": fact.target_node,
    }  # fmt: skip


def _entries(
    kind: str,
    old: tuple[str, Range | None, _Fields] | None,
    new: tuple[str, Range | None, _Fields] | None,
    names: Names,
) -> Iterable[Entry]:
    names.pair(old[0] if old else None, new[0] if new else None)
    if old is not None and new is not None:
        ours, theirs = dict(old[2]), dict(new[2])
        if "region" in ours and names.ours((str(ours["region"]),)) == names.theirs((str(theirs["region"]),)):
            del ours["region"], theirs["region"]
        return differing(kind, (old[0], new[0]), hull(old[1], new[1]), ours, theirs)
    if old is not None:
        return [Entry(kind, old[0], None, old[1], known(old[2]), {})]
    return [Entry(kind, None, new[0], new[1], {}, known(new[2]))] if new is not None else []


def diff_devices(before: Portrait, after: Portrait) -> tuple[list[Entry], Names]:
    """The entries, and which name is which."""
    found: list[Entry] = []
    names = Names({}, {})
    for old, new in match_regions(before.regions, after.regions):
        left = (old.dev, old.range, _region(before, old)) if old is not None else None
        right = (new.dev, new.range, _region(after, new)) if new is not None else None
        found += _entries("region", left, right, names)
    for ours, theirs in match_namespaces(before.namespaces, after.namespaces):
        left = (ours.dev, ours.range, _namespace(ours)) if ours is not None else None
        right = (theirs.dev, theirs.range, _namespace(theirs)) if theirs is not None else None
        found += _entries("namespace", left, right, names)
    for one, other in match_daxes(before.dax, after.dax):
        left = (one.dev, one.ranges[0] if one.ranges else None, _dax(one)) if one is not None else None
        right = (other.dev, other.ranges[0] if other.ranges else None, _dax(other)) if other is not None else None
        found += _entries("dax", left, right, names)
    return found, names
