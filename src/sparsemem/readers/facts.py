"""What was read so far, and what it implies.

A fact that one file hides often stands in another: a namespace's address (root only in sysfs) in the iomem tree, the
page size in the ratio of zones to System RAM. Deductions are made only where they are certain; the others stay unknown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sparsemem.machine.description import (
    BootRegion,
    CxlFact,
    DaxFact,
    InfoBlockFact,
    LabelAreaFact,
    NamespaceFact,
    Note,
    RegionFact,
    ZoneFact,
)
from sparsemem.ranges import Range
from sparsemem.readers.bootlog import BootLog
from sparsemem.readers.kmem_extents import block_size_of, kmem_entries, sizes_by_count
from sparsemem.readers.lsmem import looks_like_lsmem, parse_lsmem
from sparsemem.readers.lsmem_text import lsmem_table
from sparsemem.readers.memory_blocks import MemoryBlocks
from sparsemem.readers.ndctl import looks_like_ndctl, parse_ndctl
from sparsemem.readers.proc import ProcFacts

if TYPE_CHECKING:
    from sparsemem.kernel.ioport import Resource

__all__ = ["Facts", "arch_of_iomem", "block_size_told", "daxes_of", "namespaces_of", "page_size_of", "regions_of"]

_NAMESPACE = re.compile(r"namespace(\d{1,9})\.\d{1,9}")
_DAX = re.compile(r"dax\d{1,9}\.\d{1,9}")


@dataclass(slots=True)
class Facts:
    """What was read so far, before it is combined."""

    proc: ProcFacts = field(default_factory=ProcFacts)
    iomem: Resource | None = None
    hidden: bool = False
    memory: MemoryBlocks = field(default_factory=MemoryBlocks)
    zones: tuple[ZoneFact, ...] = ()
    regions: tuple[RegionFact, ...] = ()
    namespaces: tuple[NamespaceFact, ...] = ()
    dax: tuple[DaxFact, ...] = ()
    boot_map: tuple[BootRegion, ...] = ()
    label_areas: tuple[LabelAreaFact, ...] = ()
    info_blocks: tuple[InfoBlockFact, ...] = ()
    cxl: CxlFact | None = None
    log: BootLog = field(default_factory=BootLog)
    notes: list[Note] = field(default_factory=list)

    def _add_blocks(self, documents: list[Any], source: str, block_size: int | None) -> None:
        memory, notes = parse_lsmem(documents, source)
        self.notes.extend(notes)
        if not self.memory.blocks:
            size = self.memory.block_size or memory.block_size or block_size
            self.memory = replace(memory, block_size=size, auto_online=self.memory.auto_online)

    def add_lsmem_table(self, text: str, source: str) -> bool:
        """Take in the table of ``lsmem``; False when the text holds none."""
        table = lsmem_table(text)
        if table is not None:
            self._add_blocks([{"memory": table[0]}], source, table[1])
        return table is not None

    def add_listing(self, documents: list[Any], source: str) -> bool:
        """Take in ndctl, daxctl or lsmem output where sysfs said nothing; False when it is none of these."""
        known = False
        if looks_like_lsmem(documents):
            known = True
            self._add_blocks(documents, source, None)
        if looks_like_ndctl(documents):
            known = True
            regions, namespaces, dax, notes = parse_ndctl(documents, source)
            self.notes.extend(notes)
            self.regions += tuple(fact for fact in regions if fact.dev not in {old.dev for old in self.regions})
            self.namespaces += tuple(
                fact for fact in namespaces if fact.dev not in {old.dev for old in self.namespaces}
            )
            self.dax += tuple(fact for fact in dax if fact.dev not in {old.dev for old in self.dax})
        return known


def arch_of_iomem(root: Resource | None) -> str | None:
    """Only names that one architecture's kernel writes: APICs and e820 type 12 are x86's, ARMH ACPI ids are arm64's."""
    for _, node in root.walk() if root is not None else ():
        name = node.name or ""
        if name.startswith(("IOAPIC ", "Local APIC")) or name == "Persistent Memory (legacy)":
            return "x86_64"
        if re.match(r"ARMH[0-9A-F]{4}:", name):
            return "arm64"
    return None


def page_size_of(facts: Facts, notes: list[Note], name: str) -> int | None:
    """System RAM in bytes over present pages; the kernel's own reservations keep the ratio within a few per cent."""
    present = sum(zone.present for zone in facts.zones)
    if facts.iomem is None or not present:
        return None
    ram = sum(node.size for _, node in facts.iomem.walk() if (node.name or "").startswith("System RAM"))
    for size in (4096, 16384, 65536):
        if 0.9 < ram / present / size < 1.2:
            notes.append(Note(name, "", f"page size {size} follows from System RAM and the pages in its zones"))
            return size
    return None


def _named(root: Resource | None, pattern: re.Pattern[str]) -> dict[str, list[tuple[Resource, Resource | None]]]:
    """Entries whose name matches, with the top-level entry around each."""
    found: dict[str, list[tuple[Resource, Resource | None]]] = {}
    top: Resource | None = None
    for depth, node in root.walk() if root is not None else ():
        if depth == 0:
            top = node
        if node.name and pattern.fullmatch(node.name):
            found.setdefault(node.name, []).append((node, top if depth else None))
    return found


def _is_pmem(node: Resource | None) -> bool:
    return node is not None and (node.name or "").startswith("Persistent Memory")


def namespaces_of(facts: Facts) -> tuple[NamespaceFact, ...]:
    """Fill in addresses from iomem, and take namespaces from there that no other source names.

    A devdax namespace reserves only its metadata under its own name; the data is its dax device's.
    """
    lines = {dev: places[0][0] for dev, places in _named(facts.iomem, _NAMESPACE).items() if len(places) == 1}
    result = []
    for fact in facts.namespaces:
        node = lines.pop(fact.dev, None)
        if node is not None and fact.range is None:
            if fact.holder is not None or fact.mode == "raw":
                size = fact.size  # sysfs: the raw extent
            else:
                size = node.size if fact.mode != "devdax" else None
            if size is not None and (fact.mode == "devdax" or size == node.size):
                extent = Range(node.start, node.start + size)
                fact = replace(fact, range=extent, size=size, data=extent if fact.mode == "raw" else fact.data)
        result.append(fact)
    daxes = [node for places in _named(facts.iomem, _DAX).values() for node, _ in places]
    for dev, node in lines.items():
        number, _, index = dev.removeprefix("namespace").partition(".")
        follows = any(node.end < dax.start and dax.name == f"dax{number}.{index}" for dax in daxes)
        result.append(
            NamespaceFact(
                dev=dev,
                region=f"region{number}",
                mode="devdax" if follows else "unknown",
                range=None if follows else Range(node.start, node.end + 1),
                size=None if follows else node.size,
            )
        )
    return tuple(result)


def regions_of(facts: Facts, namespaces: tuple[NamespaceFact, ...]) -> tuple[RegionFact, ...]:
    """An address that sysfs hides: the pmem entry of the same size that holds the region's namespaces, or the only one
    of that size.
    """
    if facts.iomem is None or all(region.range for region in facts.regions):
        return facts.regions
    entries = [node for node in facts.iomem.children if _is_pmem(node)]
    result = []
    for region in facts.regions:
        if region.range is None:
            fitting = [node for node in entries if node.size == region.size]
            alike = [other for other in facts.regions if other.size == region.size]
            own = [fact.range for fact in namespaces if fact.region == region.dev and fact.range is not None]
            holding = [
                node for node in fitting if own and all(node.start <= r.start and r.end <= node.end + 1 for r in own)
            ]
            node = holding[0] if len(holding) == 1 else fitting[0] if len(fitting) == len(alike) == 1 else None
            if node is not None:
                region = replace(region, range=Range(node.start, node.end + 1))
        result.append(region)
    return tuple(result)


def daxes_of(facts: Facts, notes: list[Note], name: str) -> tuple[DaxFact, ...]:
    """Fill in ranges from iomem, and take devices from there that no other source names.

    kmem reserves only the whole memory blocks inside a device, so there a shorter iomem entry is not the device's
    range.
    """
    lines = _named(facts.iomem, _DAX)
    result = []
    entries = {entry.dev: entry for entry in kmem_entries(facts.iomem)}
    for fact in facts.dax:
        places = lines.pop(fact.dev, [])
        if places and not fact.ranges:
            ranges = tuple(Range(node.start, node.end + 1) for node, _ in places)
            entry = entries.get(fact.dev) if len(places) == 1 else None
            whole = entry.device(fact.size) if entry is not None else None
            if sum(extent.size for extent in ranges) == fact.size:
                fact = replace(fact, ranges=ranges)
            elif whole is not None:
                fact = replace(fact, ranges=(whole,))
            else:
                notes.append(
                    Note(name, fact.dev, "its range is hidden, and iomem shows only the part that its driver uses")
                )
        if not fact.ranges and fact.mode == "system-ram":
            fact = _by_blocks(facts, fact)
        result.append(fact)
    for dev, places in lines.items():
        ranges = tuple(Range(node.start, node.end + 1) for node, _ in places)
        ram = any((child.name or "").startswith("System RAM") for node, _ in places for child in node.children)
        entry = entries.get(dev) if len(places) == 1 else None
        whole = entry.device(None) if entry is not None else None
        if whole is not None:
            ranges = (whole,)
            notes.append(Note(name, dev, "known from iomem only: it is taken to fill the entry around it"))
        elif ram:
            notes.append(
                Note(
                    name, dev, "known from iomem only: the range is what the kmem driver uses, the device may be larger"
                )
            )
        region = f"region{dev[3:].partition('.')[0]}" if all(_is_pmem(top) for _, top in places) else None
        result.append(
            DaxFact(
                dev=dev,
                size=sum(extent.size for extent in ranges),
                ranges=ranges,
                mode="system-ram" if ram else "devdax",
                region=region,
                listed=False,
            )
        )
    return tuple(result)


def _by_blocks(facts: Facts, fact: DaxFact) -> DaxFact:
    """What the memory blocks of its node tell of a device that is RAM, where it is the only one on that node and they fit its size."""
    size, node = facts.memory.block_size, fact.target_node
    alike = [other for other in facts.dax if other.mode == "system-ram" and other.target_node == node]
    blocks = [block for block in facts.memory.blocks if block.nid == node]
    if not size or not node or len(alike) != 1 or size not in sizes_by_count(fact.size, len(blocks)):
        return fact
    online = [block for block in blocks if block.state == "online"]
    movable = {block.valid_zones[:1] == ("Movable",) for block in online if block.valid_zones}
    fact = replace(
        fact, blocks=len(blocks), online=len(online), movable=movable.pop() if len(movable) == 1 else fact.movable
    )
    first, last = min(block.nr for block in blocks), max(block.nr for block in blocks)
    if len(blocks) * size == fact.size and last - first + 1 == len(blocks):
        fact = replace(fact, ranges=(Range(first * size, (last + 1) * size),))
    return fact


def block_size_told(facts: Facts, dax: tuple[DaxFact, ...], notes: list[Note], name: str) -> int | None:
    """The memory block size that follows from what kmem took of the dax devices."""
    entries = kmem_entries(facts.iomem)
    counts = [(fact.size, fact.blocks) for fact in dax if fact.mode == "system-ram" and fact.blocks]
    size = block_size_of(entries, {fact.dev: fact.ranges[0] for fact in dax if len(fact.ranges) == 1}, counts)
    if size is not None:
        notes.append(Note(name, "", f"memory blocks of {size >> 20} MiB follow from what kmem took of its devices"))
    return size
