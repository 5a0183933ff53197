"""From a kernel state to a scene: one pass over the sections, folding equal neighbours; patterns are worked out once a run."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from sparsemem.draw.fold import fold
from sparsemem.draw.owners import Devices, Piece, Ram, overlapping, unmapped_claims
from sparsemem.draw.runs import Run, absent_between, present_runs
from sparsemem.draw.scene import BlockInfo, FaultMark, Owner, Row, Scene
from sparsemem.kernel.mmzone import SECTION_IS_EARLY, flag_names
from sparsemem.ranges import Range
from sparsemem.units import format_size

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sparsemem.kernel.state import MemoryBlock, MemSection, State

__all__ = ["FaultLike", "build_scene"]

#: fixed owners, in the order in which masks are laid over each other
_FIXED = {
    "ram": "System RAM", "ram-offline": "System RAM", "hot": "System RAM", "hot-offline": "System RAM",
    "ram-part": "System RAM", "hole": "hole", "residue": "residue", "conflict": "conflict", "lost": "lost", "empty": "empty",
}  # fmt: skip
_KEY = {
    "ram": "R", "ram-offline": "r", "hot": "H", "hot-offline": "h", "ram-part": "+", "hole": "_", "residue": "?",
    "conflict": "!", "lost": "*", "empty": ".",
}  # fmt: skip


class FaultLike(Protocol):
    """What a fault has to tell (``machine.faults.Fault`` does): kind, range in bytes, one sentence."""

    @property
    def kind(self) -> str: ...
    @property
    def range(self) -> Range: ...
    @property
    def what(self) -> str: ...


class _Builder:
    def __init__(self, state: State, faults: Iterable[FaultLike]) -> None:
        self.state = state
        self.g = state.kernel.geometry
        self.has_map = state.kernel.features.subsection_hotplug
        self.units = self.g.SUBSECTIONS_PER_SECTION if self.has_map else 1
        self.unit_size = self.g.SUBSECTION_SIZE if self.has_map else self.g.SECTION_SIZE
        self.full = (1 << self.units) - 1
        self.block_size: int = state.misc.get("memory_block_size_bytes", self.g.SECTION_SIZE)
        self.per_block = max(self.block_size // self.g.SECTION_SIZE, 1)
        self.ram = Ram(state)
        self.devices = Devices(state)
        self.claims = unmapped_claims(state, self.devices, self.ram)
        self.claim_starts = [start for start, _, _ in self.claims]
        self.ragged = self.ram.ragged(self.unit_size) if self.has_map else set()
        self.boot_maps: dict[int, int] = state.misc.get("boot_maps", {})
        self.faults = [FaultMark(f.kind, f.range, f.what, getattr(f, "severity", "error")) for f in faults]
        self.faults.sort(key=lambda f: f.range)
        self.owners: list[Owner] = list(self.devices.owners)
        self.index: dict[tuple[str, str], int] = {}
        self.patterns: dict[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]] = {}
        self.widest_fault = max((f.range.size for f in self.faults), default=0)
        self.fault_starts = [f.range.start for f in self.faults]

    def breaks(self) -> set[int]:
        """Section numbers at which a run must not go on: something changes there that the section's word does not show."""
        shift = self.g.PA_SECTION_SHIFT
        found = set(self.devices.breaks)
        edges = [edge for start, end, _ in self.ram.pieces + self.claims for edge in (start, end)]
        edges += [edge for fault in self.faults for edge in fault.range]
        for edge in edges:
            found.add(edge >> shift)
            if edge & (self.g.SECTION_SIZE - 1):
                found.add((edge >> shift) + 1)
        return found

    def owner(self, kind: str, name: str | None = None) -> int:
        """The index of a fixed owner."""
        name = name or _FIXED[kind]
        found = self.index.get((kind, name))
        if found is None:
            found = self.index[kind, name] = len(self.owners)
            self.owners.append(Owner(kind, name, _KEY[kind]))
        return found

    def row(self, run: Run) -> Row:
        first, count, ms, block = run
        size = self.g.SECTION_SIZE
        where = Range(first * size, (first + count) * size)
        claims = tuple((name, Range(low, high)) for low, high, name in self._claimed(where))
        faults = tuple(self._faults(where))
        if ms is None:
            return Row(first, count, where, False, claims=claims, faults=faults)
        word = ms.section_mem_map
        cells, notes = self._mapped(first, ms, block) if self.has_map else self._unmapped(first, count, ms, block)
        info = None
        if block is not None:
            low, high = first // self.per_block, (first + count - 1) // self.per_block
            info = BlockInfo(low, high, block.state, block.zone, block.nid, block.early)
            if block.nr_vmemmap_pages:
                notes.append(
                    f"each block holds its own memmap: {format_size(block.nr_vmemmap_pages * self.g.PAGE_SIZE)}"
                )
        return Row(first, count, where, True, flag_names(word), cells, (), info, claims, tuple(notes), faults)

    def _claimed(self, where: Range) -> Iterable[Piece]:
        return overlapping(self.claims, self.claim_starts, where.start, where.end)

    def _faults(self, where: Range) -> Iterator[FaultMark]:
        low = bisect_left(self.fault_starts, where.start - self.widest_fault)
        for fault in self.faults[low : bisect_right(self.fault_starts, where.end - 1)]:
            if fault.range.overlaps(where) or fault.range.start == where.start:
                yield fault

    def _ram_owner(self, first: int, early: bool, block: MemoryBlock | None) -> int:
        boot = early if block is None else block.early
        kind = ("ram" if boot else "hot") + ("" if block is None or block.state == "online" else "-offline")
        return self.owner(kind, self.ram.name_at(first * self.g.SECTION_SIZE) if not boot else None)

    def _mapped(
        self, first: int, ms: MemSection, block: MemoryBlock | None
    ) -> tuple[tuple[tuple[int, int], ...], list[str]]:
        """Cells of a section with a sub-section map."""
        full = self.full
        early = bool(ms.section_mem_map & SECTION_IS_EARLY)
        active = ms.usage.subsection_map if ms.usage is not None else 0
        claimed = shared = 0
        layers: list[tuple[int, int]] = []
        notes: list[str] = []
        for number, mask in self.devices.at(first, full):
            shared |= claimed & mask
            claimed |= mask
            layers.append((number, mask & active))
        ram = 0
        if early:
            ram = self.boot_maps.get(first, full) & active
        elif block is not None and not block.early:
            ram = active
        conflict = shared | (ram & claimed)
        lost = claimed & ~active
        if ram:
            part = 0
            if early and self.ragged:
                low = first * self.units
                part = sum(1 << bit for bit in range(self.units) if low + bit in self.ragged) & ram
            layers.append((self._ram_owner(first, early, block), ram & ~part))
            if part:
                layers.append((self.owner("ram-part"), part))
        layers = [(index, mask & ~conflict) for index, mask in layers]
        if conflict:
            names = [self.owners[number].name for number, mask in self.devices.at(first, full) if mask & conflict]
            notes.append("shared by " + " and ".join(names + (["System RAM"] if ram & conflict else [])))
        rest = full & ~(active | claimed)
        for kind, mask in (
            ("conflict", conflict & active),
            ("lost", lost),
            ("residue", active & ~ram & ~claimed),
            ("hole" if early else "empty", rest),
        ):
            if mask:
                layers.append((self.owner(kind), mask))
        return self._cells(tuple(layer for layer in layers if layer[1])), notes

    def _unmapped(
        self, first: int, count: int, ms: MemSection, block: MemoryBlock | None
    ) -> tuple[tuple[tuple[int, int], ...], list[str]]:
        """The one cell of a section without a map, and what of it is really used."""
        size = self.g.SECTION_SIZE
        notes: list[str] = []
        users = [number for number, _ in self.devices.at(first, 1)]
        boot = ms.usage is not None and ms.usage.reserved
        hot = block is not None and not block.early and not boot
        if boot or hot:
            users.append(self._ram_owner(first, boot, block))
        if len(users) > 1:
            notes.append("one memmap for " + " and ".join(self.owners[index].name for index in users))
        if boot or hot:
            covered = self.ram.covered(first * size, (first + count) * size)
            if covered < count * size:
                notes.append(f"RAM is {_size(covered)} of {format_size(count * size)}, but all of it is valid")
        for index in users:
            owner = self.owners[index]
            if owner.kind == "device":
                whole = Range(first * size, (first + count) * size)
                own = sum(part.size for r in owner.ranges if (part := r.intersect(whole)) is not None)
                if own < whole.size:
                    notes.append(
                        f"{owner.name} has {_size(own)} of {format_size(whole.size)}, rounded out to whole sections"
                    )
        if not users:
            return ((self.owner("residue"), 1),), notes
        return ((users[0] if len(users) == 1 else self.owner("conflict"), 1),), notes

    def _cells(self, layers: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
        """Disjoint masks as runs, low bit first; worked out once for each pattern."""
        if len(layers) == 1:
            return ((layers[0][0], self.units),)
        found = self.patterns.get(layers)
        if found is None:
            runs: list[list[int]] = []
            for bit in range(self.units):
                index = next(index for index, mask in layers if mask >> bit & 1)
                if runs and runs[-1][0] == index:
                    runs[-1][1] += 1
                else:
                    runs.append([index, 1])
            found = self.patterns[layers] = tuple((index, units) for index, units in runs)
        return found


def _size(size: int) -> str:
    return format_size(size) if size else "nothing"


def _memmap(state: State) -> tuple[tuple[str, int], ...]:
    """Bytes of struct pages by where they come from, each rounded up to pages: as ``vmemmap_bytes()``, but once per kind."""
    g = state.kernel.geometry
    per_unit = g.PAGES_PER_SUBSECTION * g.sizeof_struct_page
    totals = {"boot": 0, "ram": 0, "altmap": 0}
    for entry, count in Counter(state.vmemmap.values()).items():
        ram = entry.populated & ~entry.boot & ~entry.altmap
        for name, mask in (("boot", entry.boot), ("altmap", entry.altmap), ("ram", ram)):
            totals[name] += -(-mask.bit_count() * per_unit // g.PAGE_SIZE) * g.PAGE_SIZE * count
    return tuple(totals.items())


def _known_flags(state: State) -> tuple[str, ...]:
    f: Any = state.kernel.features
    names = ["MARKED_PRESENT", "HAS_MEM_MAP", "IS_ONLINE"]
    if f.section_is_early:
        names.append("IS_EARLY")
    if f.pfn_to_online_page_checks_subsection:
        names.append("TAINT_ZONE_DEVICE")
    return tuple(names)


def build_scene(
    state: State,
    faults: Iterable[FaultLike] = (),
    *,
    title: str = "",
    notes: Iterable[str] = (),
    window: Range | None = None,
    exact: bool = False,
) -> Scene:
    """What there is to draw of a state.

    ``faults``: objects with ``kind``, ``range`` (bytes) and ``what``; ``notes``: sentences to print with the picture (what a
    kernel answered, say); ``window``: only the sections that these bytes touch (totals count those alone); ``exact``: no row stands for
    several devices, however many rows that makes. Raises nothing of its own.
    """
    builder = _Builder(state, faults)
    g = builder.g
    breaks = builder.breaks()
    if window is not None:
        breaks |= {window.start // g.SECTION_SIZE, -(-window.end // g.SECTION_SIZE)}
    ends = [end for _, end, _ in builder.claims] + [fault.range.end for fault in builder.faults]
    last = min(-(-max(ends, default=0) // g.SECTION_SIZE), g.NR_MEM_SECTIONS)
    runs = absent_between(present_runs(state, builder.per_block, breaks), breaks, last)
    rows = [builder.row(run) for run in runs]
    if window is not None:
        rows = [row for row in rows if row.range.overlaps(window)]
    totals = [0] * len(builder.owners)
    early = sections = 0
    for row in rows:
        for index, units in row.cells:
            totals[index] += units * row.count
        if row.present:
            sections += row.count
            early += row.count if "IS_EARLY" in row.flags else 0
    scene = Scene(
        title=title,
        kernel=str(state.kernel.version),
        arch=state.kernel.arch,
        page_size=g.PAGE_SIZE,
        section_size=g.SECTION_SIZE,
        unit_size=builder.unit_size,
        has_map=builder.has_map,
        block_size=builder.block_size,
        flags=_known_flags(state),
        owners=tuple(builder.owners),
        rows=(),
        totals=tuple(totals),
        sections=sections,
        early_sections=early,
        memmap=_memmap(state),
        faults=tuple(f for f in builder.faults if window is None or f.range.overlaps(window)),
        notes=tuple(notes),
    )
    return replace(scene, rows=tuple(fold(scene, rows, exact=exact)))
