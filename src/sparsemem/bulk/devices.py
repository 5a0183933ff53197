"""Rule tables for device ranges that come and go: the sub-section maps cut into *atoms*, so that a state is a small
number.

An atom is a run of sub-sections between two neighbouring boundaries (of a device, a section or the boot map): the
kernel always treats its sub-sections alike, so one bit stands for all of them. Ranges are half-open and count
sub-sections.

Two tables, both faithful to the section-by-section order of the kernel and to what a half-failed add leaves behind:

* ``arch_model``: ``arch_add_memory()`` and ``arch_remove_memory()`` of each range in any state. State: a bit an atom.
* ``memremap_model``: ``memremap_pages()`` and ``memunmap_pages()`` of each range by its driver. State: which devices
  live, which atoms
  stay set without an owner, and which end points of a range ``get_dev_pagemap()`` still finds.

Linux kernel commit ba72b4c8cf60 ("mm/sparsemem: support sub-section hotplug") (in v5.3).
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from sparsemem.bulk.explore import Model, Rule
from sparsemem.errors import UsageError
from sparsemem.ranges import Range

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["Atoms", "arch_model", "cut", "memremap_model"]


class Atoms(NamedTuple):
    """The atoms that devices touch, in order, and for each device its atoms section by section."""

    atoms: tuple[Range, ...]
    chunks: tuple[tuple[tuple[int, ...], ...], ...]
    boot: frozenset[int]
    """Atoms that are set in the sub-section map at boot."""

    def of(self, device: int) -> list[int]:
        """All atoms of a device, in order."""
        return [atom for chunk in self.chunks[device] for atom in chunk]


def cut(devices: Sequence[Range], boot: Iterable[Range] = (), subsections_per_section: int = 64) -> Atoms:
    """Cut the devices at every boundary. Raises UsageError for an empty range."""
    boot = list(boot)
    edges = set()
    for r in (*devices, *boot):
        if r.start < 0 or r.end <= r.start:
            raise UsageError(f"the range [{r.start}, {r.end}) of sub-sections is empty")
        edges |= {r.start, r.end}
    for r in devices:
        first = -(-r.start // subsections_per_section) * subsections_per_section
        edges.update(range(first, r.end, subsections_per_section))
    atoms = tuple(
        atom for atom in (Range(a, b) for a, b in pairwise(sorted(edges))) if any(r.contains(atom) for r in devices)
    )
    chunks = []
    for r in devices:
        by_section: dict[int, list[int]] = {}
        for number, atom in enumerate(atoms):
            if r.contains(atom):
                by_section.setdefault(atom.start // subsections_per_section, []).append(number)
        chunks.append(tuple(tuple(by_section[nr]) for nr in sorted(by_section)))
    held = frozenset(number for number, atom in enumerate(atoms) if any(r.contains(atom) for r in boot))
    return Atoms(atoms, tuple(chunks), held)


def arch_model(devices: Sequence[Range], boot: Iterable[Range] = (), subsections_per_section: int = 64) -> Model:
    """``__add_pages()`` and ``__remove_pages()`` of every range, tried in every state.

    Add: section by section; the first section that has one of the bits answers EEXIST, and the sections before it stay
    added. Remove: section by section; a section that lacks one of the bits is left alone with a warning, the others
    are removed.
    """
    atoms = cut(devices, boot, subsections_per_section)
    bits = tuple(f"set {atom.start}-{atom.end - 1}" for atom in atoms.atoms)
    rules: list[Rule] = []
    for device, chunks in enumerate(atoms.chunks):
        masks = [_mask(chunk) for chunk in chunks]
        before = 0
        for mask in masks:
            rules.append(Rule(f"add {device}", "EEXIST", all_clear=before, any_set=mask, set=before))
            before |= mask
        rules.append(Rule(f"add {device}", "", all_clear=before, set=before))
        rules += _removals(f"remove {device}", masks)
    return Model(bits, tuple(rules), _mask(atoms.boot))


def _removals(operation: str, masks: list[int]) -> Iterator[Rule]:
    """One rule for each way the sections can split into complete and incomplete ones.

    A rule can ask for one "some bit is clear"; where more sections are incomplete, the others are told apart by their
    first clear bit.
    """
    for complete in range(1 << len(masks)):
        whole = sum(mask for i, mask in enumerate(masks) if complete >> i & 1)
        lacking = [mask for i, mask in enumerate(masks) if not complete >> i & 1]
        if not lacking:
            yield Rule(operation, "", all_set=whole, clear=whole)
            continue
        cases = [(whole, 0)]
        for mask in lacking[1:]:
            cases = [(ones | below, zeros | bit) for ones, zeros in cases for below, bit in _first_clear(mask)]
        for ones, zeros in cases:
            yield Rule(operation, "WARN", all_set=ones, all_clear=zeros, any_clear=lacking[0], clear=whole)


def _first_clear(mask: int) -> Iterator[tuple[int, int]]:
    below = 0
    while mask:
        bit = mask & -mask
        yield below, bit
        below |= bit
        mask ^= bit


def memremap_model(
    devices: Sequence[Range],
    boot: Iterable[Range] = (),
    system_ram: Iterable[Range] = (),
    subsections_per_section: int = 64,
) -> Model:
    """``memremap_pages()`` and ``memunmap_pages()`` of every range, each with a pgmap of its own.

    Map: ENOMEM when ``get_dev_pagemap()`` finds a live pgmap at the first or at the last pfn; ENXIO when the range
    touches System RAM (``system_ram``, sub-sections rounded outward); EEXIST when a section has one of the bits: the
    sections before it stay added, and ``pgmap_array`` loses what it held of that range, even entries of others. Unmap:
    what the device itself added.
    """
    atoms = cut(devices, boot, subsections_per_section)
    ram = list(system_ram)
    owners = [[d for d in range(len(devices)) if a in atoms.of(d)] for a in range(len(atoms.atoms))]
    lossy = sorted(_lossy(atoms))
    stuck = sorted(
        {
            a
            for chunks in atoms.chunks
            for i, chunk in enumerate(chunks[:-1])
            for a in chunk
            if _may_refuse(chunks[i + 1 :], owners, atoms)
        }
        - atoms.boot
    )
    bits = [f"live {d}" for d in range(len(devices))]
    bits += [f"stuck {atoms.atoms[a].start}-{atoms.atoms[a].end - 1}" for a in stuck]
    bits += [f"found {atoms.atoms[a].start}" for a in lossy]
    stuck_bit = {a: 1 << (len(devices) + i) for i, a in enumerate(stuck)}
    found_bit = {a: 1 << (len(devices) + len(stuck) + i) for i, a in enumerate(lossy)}
    is_found = [found_bit.get(a) or _mask(owners[a]) for a in range(len(owners))]
    is_set = [stuck_bit.get(a, 0) | _mask(owners[a]) for a in range(len(owners))]

    rules: list[Rule] = []
    for d, chunks in enumerate(atoms.chunks):
        mine, live = atoms.of(d), 1 << d
        found = sum(found_bit.get(a, 0) for a in mine)
        # The driver of a device that lives does not probe again: every rule of "map" asks for the live bit to be clear.
        probe = (is_found[mine[0]] | is_found[mine[-1]]) & ~live
        name = f"map {d}"
        if probe:
            rules.append(Rule(name, "ENOMEM", all_clear=live, any_set=probe))
        clear = probe | live
        if any(devices[d].overlaps(r) for r in ram):
            rules.append(Rule(name, "ENXIO", all_clear=clear))
        else:
            left = 0
            for chunk in chunks:
                blocked = _union(is_set[a] for a in chunk) & ~live
                if atoms.boot & set(chunk):
                    rules.append(Rule(name, "EEXIST", all_clear=clear, clear=found, set=left))
                    break
                if blocked:
                    rules.append(Rule(name, "EEXIST", all_clear=clear, any_set=blocked, clear=found, set=left))
                clear |= blocked
                left |= sum(stuck_bit.get(a, 0) for a in chunk)
            else:
                rules.append(Rule(name, "", all_clear=clear, set=live | found))
        rules.append(Rule(f"unmap {d}", "", all_set=live, clear=live | found))
    return Model(tuple(bits), tuple(rules), 0)


def _lossy(atoms: Atoms) -> set[int]:
    """End-point atoms whose entry in ``pgmap_array`` may be gone while their device lives: a refused neighbour erased
    it."""
    covers = [set(atoms.of(d)) for d in range(len(atoms.chunks))]
    ends = {a for d in range(len(covers)) for a in (atoms.of(d)[0], atoms.of(d)[-1])}
    lossy: set[int] = set()
    while True:
        more = set(lossy)
        for f, reach in enumerate(covers):
            first, last = atoms.of(f)[0], atoms.of(f)[-1]
            for d, held in enumerate(covers):
                shared = reach & held
                if d != f and shared and (first not in held or first in lossy) and (last not in held or last in lossy):
                    more |= shared & ends
        if more == lossy:
            return lossy
        lossy = more


def _may_refuse(chunks: tuple[tuple[int, ...], ...], owners: list[list[int]], atoms: Atoms) -> bool:
    return any(len(owners[a]) > 1 or a in atoms.boot for chunk in chunks for a in chunk)


def _mask(numbers: Iterable[int]) -> int:
    return sum(1 << number for number in numbers)


def _union(masks: Iterable[int]) -> int:
    result = 0
    for mask in masks:
        result |= mask
    return result
