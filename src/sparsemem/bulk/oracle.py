"""The naive reference of ``devices``: the same operations on plain sets of sub-sections, without atoms, masks or
rules."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from sparsemem.bulk.explore import Exploration

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Sequence

    from sparsemem.ranges import Range

S = TypeVar("S")

__all__ = ["explore_arch", "explore_memremap"]


class Table(NamedTuple):
    """What the operations change: set sub-sections, devices that live, and which device ``pgmap_array`` holds for a
    sub-section."""

    bits: frozenset[int]
    live: frozenset[int] = frozenset()
    pgmap_array: frozenset[tuple[int, int]] = frozenset()


def _sections(r: Range, size: int) -> list[frozenset[int]]:
    chunks: dict[int, set[int]] = {}
    for sub in range(r.start, r.end):
        chunks.setdefault(sub // size, set()).add(sub)
    return [frozenset(chunks[nr]) for nr in sorted(chunks)]


def _add_pages(bits: frozenset[int], chunks: Iterable[frozenset[int]]) -> tuple[str, frozenset[int]]:
    for chunk in chunks:
        if bits & chunk:
            return "EEXIST", bits
        bits |= chunk
    return "", bits


def _remove_pages(bits: frozenset[int], chunks: Iterable[frozenset[int]]) -> tuple[str, frozenset[int]]:
    answer = ""
    for chunk in chunks:
        if chunk <= bits:
            bits -= chunk
        else:
            answer = "WARN"
    return answer, bits


def explore_arch(devices: Sequence[Range], boot: Iterable[Range] = (), size: int = 64) -> Exploration:
    """Every order of ``arch_add_memory`` and ``arch_remove_memory``."""
    chunks = [_sections(r, size) for r in devices]

    def successors(bits: frozenset[int]) -> Iterable[tuple[str, frozenset[int]]]:
        for chunk in chunks:
            yield _add_pages(bits, chunk)
            yield _remove_pages(bits, chunk)

    touched = {sub for r in devices for sub in range(r.start, r.end)}
    held = frozenset(sub for r in boot for sub in range(r.start, r.end) if sub in touched)
    return _search(held, successors, lambda bits: bits)


def explore_memremap(
    devices: Sequence[Range], boot: Iterable[Range] = (), system_ram: Iterable[Range] = (), size: int = 64
) -> Exploration:
    """Every order of ``memremap_pages`` and ``memunmap_pages``."""
    chunks = [_sections(r, size) for r in devices]
    ram = list(system_ram)
    ends = {sub for r in devices for sub in (r.start, r.end - 1)}

    def map_(t: Table, d: int) -> tuple[str, Table]:
        r = devices[d]
        held = dict(t.pgmap_array)
        if r.start in held or r.end - 1 in held:
            return "ENOMEM", t
        if any(r.overlaps(other) for other in ram):
            return "ENXIO", t
        held.update((sub, d) for sub in range(r.start, r.end))
        answer, bits = _add_pages(t.bits, chunks[d])
        if answer:
            for sub in range(r.start, r.end):
                del held[sub]
            return answer, Table(bits, t.live, frozenset(held.items()))
        return "", Table(bits, t.live | {d}, frozenset(held.items()))

    def unmap(t: Table, d: int) -> tuple[str, Table]:
        answer, bits = _remove_pages(t.bits, chunks[d])
        held = frozenset(
            (sub, owner) for sub, owner in t.pgmap_array if sub not in range(devices[d].start, devices[d].end)
        )
        return answer, Table(bits, t.live - {d}, held)

    def successors(t: Table) -> Iterable[tuple[str, Table]]:
        for d in range(len(devices)):
            yield unmap(t, d) if d in t.live else map_(t, d)

    # What pgmap_array holds inside a range can never be asked for: only end points are probed.
    return _search(
        Table(frozenset(sub for r in boot for sub in range(r.start, r.end))),
        successors,
        lambda t: (t.bits, t.live, frozenset(entry for entry in t.pgmap_array if entry[0] in ends)),
    )


def _search(start: S, successors: Callable[[S], Iterable[tuple[str, S]]], key: Callable[[S], Hashable]) -> Exploration:
    reached = {key(start)}
    frontier = [start]
    depths, transitions = [1], 0
    refused: Counter[str] = Counter()
    while frontier:
        fresh = []
        for state in frontier:
            for answer, after in successors(state):
                transitions += 1
                if answer:
                    refused[answer] += 1
                known = key(after)
                if known not in reached:
                    reached.add(known)
                    fresh.append(after)
        frontier = fresh
        if fresh:
            depths.append(len(fresh))
    return Exploration(tuple(depths), transitions, dict(refused))
