"""A whole label area, as ``ndctl read-labels`` captures it: taken apart, audited, and written back identical. Pure: no state."""

from __future__ import annotations

from typing import NamedTuple

from sparsemem.kernel.nvdimm.label_bytes import (
    CLAIM_CLASSES,
    INDEX_SIGNATURE,
    UPDATING,
    NsIndex,
    NsLabel,
    decode_index,
    decode_label,
    encode_index,
    encode_label,
    free_slots,
    fresh_index,
    index_problem,
    label_problem,
    nd_label_validate,
    nvdimm_num_label_slots,
    sizeof_namespace_index,
)

__all__ = ["Finding", "LabelArea", "audit", "decode", "fresh"]


class Finding(NamedTuple):
    """Something wrong in a label area. ``where``: "index0", "index1", "slot 3" or "area"; ``offset``: the byte it starts at."""

    kind: str
    where: str
    offset: int
    text: str


class LabelArea(NamedTuple):
    """A label area. ``current`` is the index block in force (-1: none; the DIMM has no labels), ``slots`` every slot in order,
    ``tail`` the bytes behind the last slot."""

    size: int
    label_size: int
    index_size: int
    current: int
    indexes: tuple[NsIndex, NsIndex]
    slots: tuple[NsLabel, ...]
    tail: bytes

    @property
    def labels(self) -> tuple[NsLabel, ...]:
        """The labels in force, by slot: those that the current index block has as used and that are valid."""
        if self.current < 0:
            return ()
        free = free_slots(self.indexes[self.current])
        used = (slot for slot in range(min(self.indexes[self.current].nslot, len(self.slots))) if not free >> slot & 1)
        return tuple(self.slots[slot] for slot in used if not label_problem(self._raw(slot), slot))

    def _raw(self, slot: int) -> bytes:
        return encode_label(self.slots[slot], self.label_size, checksum=False)

    def encode(self) -> bytes:
        """The area as bytes, checksums as they are: what ``decode`` was given."""
        blocks = [encode_index(each, checksum=False) for each in self.indexes]
        return b"".join([*blocks, *(self._raw(slot) for slot in range(len(self.slots))), self.tail])


def fresh(size: int, version: str = "1.2") -> bytes:
    """An initialized area without labels, as ``ndctl init-labels`` leaves a blank one. Raises ValueError: too small."""
    label_size = {"1.1": 128, "1.2": 256}[version]
    if not sizeof_namespace_index(size, label_size):
        raise ValueError(f"{size} bytes hold no label area of version {version}")
    blocks = (encode_index(fresh_index(size, label_size, number, 3 - number, ndctl=True)) for number in (0, 1))
    return b"".join(blocks).ljust(size, b"\0")


def decode(area: bytes) -> LabelArea:
    """Take an area apart. Raises ValueError when it is too small to be one."""
    current, label_size, _ = nd_label_validate(area)
    index_size = sizeof_namespace_index(len(area), label_size)
    if not index_size:
        raise ValueError(f"label area ({len(area)}) too small to host ({label_size} byte) labels")
    first, second = (decode_index(area[n * index_size : (n + 1) * index_size]) for n in (0, 1))
    base = 2 * index_size
    end = base + nvdimm_num_label_slots(len(area), label_size) * label_size
    slots = tuple(decode_label(area[at : at + label_size]) for at in range(base, end, label_size))
    return LabelArea(len(area), label_size, index_size, current, (first, second), slots, area[end:])


def _audit_index(raw: bytes, area: LabelArea) -> list[Finding]:
    found: list[Finding] = []
    for number, index in enumerate(area.indexes):
        where, at = f"index{number}", number * area.index_size
        problem = index_problem(raw, number, area.label_size)
        if index.sig != INDEX_SIGNATURE:
            found.append(Finding("signature", where, at, problem))
            continue
        if (index.major, index.minor) not in ((1, 1), (1, 2)):
            found.append(Finding("version", where, at + 60, f"label version {index.major}.{index.minor}"))
        if problem:
            kind = problem.split()[1].rstrip(":")
            found.append(Finding(kind, where, at, problem))
            continue
        slots = nvdimm_num_label_slots(area.size, area.label_size)
        if index.nslot != slots:
            found.append(Finding("nslot", where, at + 56, f"{index.nslot} slots, the area has room for {slots}"))
        if int.from_bytes(index.free, "little") >> -(-index.nslot // 64) * 64:  # ndctl init-labels fills the last 64
            found.append(
                Finding("bitmap", where, at + 72, f"slots far beyond the last ({index.nslot}) are marked free")
            )
    bad = {each.where for each in found if each.kind != "version"}
    first, second = area.indexes
    if not bad & {"index0", "index1"} and first.seq & 3 == second.seq & 3:
        text = f"both index blocks have sequence number {first.seq & 3}: the second one counts"
        found.append(Finding("sequence-equal", "area", 20, text))
    return found


def _audit_labels(area: LabelArea) -> list[Finding]:
    found: list[Finding] = []
    current = area.indexes[area.current]
    free = free_slots(current)
    extents: list[tuple[int, int, int]] = []
    seen: dict[tuple[str, int], int] = {}
    for slot, label in enumerate(area.slots[: current.nslot]):
        if free >> slot & 1:
            continue
        where, at = f"slot {slot}", 2 * area.index_size + slot * area.label_size
        problem = label_problem(area._raw(slot), slot)
        if problem:
            kind = "label-checksum" if "checksum" in problem else "label-slot"
            found.append(Finding(kind, where, at, problem))
            continue
        if label.flags & UPDATING:
            found.append(Finding("updating", where, at + 80, f"the update of {label.uuid} was cut short"))
        if label.position >= max(label.nlabel, 1):
            text = f"position {label.position} in a set of {label.nlabel}"
            found.append(Finding("position", where, at + 86, text))
        if area.label_size >= 256 and label.abstraction_guid not in CLAIM_CLASSES:
            text = f"unknown abstraction {label.abstraction_guid}"
            found.append(Finding("abstraction", where, at + 144, text))
        if not label.rawsize or label.dpa + label.rawsize > 1 << 64:
            found.append(Finding("extent", where, at + 112, f"{label.rawsize:#x} bytes at {label.dpa:#x}"))
        if (label.uuid, label.isetcookie) in seen:
            text = f"{label.uuid} is in slot {seen[label.uuid, label.isetcookie]} too"
            found.append(Finding("uuid-twice", where, at, text))
        seen.setdefault((label.uuid, label.isetcookie), slot)
        extents.append((label.dpa, label.dpa + label.rawsize, slot))
    extents.sort()
    reach, holder = 0, -1
    for start, end, slot in extents:
        if holder >= 0 and start < reach:
            at = 2 * area.index_size + slot * area.label_size + 104
            found.append(
                Finding("overlap", f"slot {slot}", at, f"DIMM address {start:#x} belongs to slot {holder} too")
            )
        if end > reach:
            reach, holder = end, slot
    return found


def audit(raw: bytes) -> tuple[LabelArea, tuple[Finding, ...]]:
    """Take an area apart and say everything that is wrong with it, in the order of the medium.

    A blank area has no findings and no labels (``current`` -1). Raises ValueError when it is too small to be one.
    """
    area = decode(raw)
    if area.current < 0 and not any(raw[: 2 * area.index_size]):
        return area, ()
    found = _audit_index(raw, area)
    if area.current >= 0:
        found += _audit_labels(area)
    return area, tuple(sorted(found, key=lambda each: each.offset))
