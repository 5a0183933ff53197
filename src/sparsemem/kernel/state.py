"""The tables that the kernel functions work on, with a journal underneath.

Values are immutable, tables are dicts, and every write is journaled: undo pops the journal back to a mark, and a snapshot is
the set of entries that differ from boot, so it costs what changed and not what exists.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import TYPE_CHECKING, Any, NamedTuple

from sparsemem.errors import NotModelledError
from sparsemem.kernel.dax.table import DaxTable
from sparsemem.kernel.nvdimm.table import NdTable
from sparsemem.kernel.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from sparsemem.kernel.resource import Resource
    from sparsemem.spec import Kernel

__all__ = [
    "MAX_SECTIONS",
    "DevPagemap",
    "LogLine",
    "MemSection",
    "MemSectionUsage",
    "MemoryBlock",
    "MemoryGroup",
    "Pgdat",
    "Snapshot",
    "State",
    "VmemAltmap",
    "Vmemmap",
    "Zone",
]


class MemSectionUsage(NamedTuple):
    """``struct mem_section_usage``. ``reserved``: it came from memblock (its page is PageReserved) and is never freed."""

    subsection_map: int
    reserved: bool


class MemSection(NamedTuple):
    """``struct mem_section``: the word with the coded memmap and the flags, and the usage pointer (None is NULL)."""

    section_mem_map: int
    usage: MemSectionUsage | None


class Vmemmap(NamedTuple):
    """Which sub-sections of a section have their memmap backed (masks).

    ``populated``: mapped at all; ``altmap``: of those, taken from the device's altmap; ``boot``: of those, from boot memory.
    What is in neither of the last two was allocated from RAM at hot-add.
    """

    populated: int
    altmap: int
    boot: int


class Zone(NamedTuple):
    """``struct zone``: pfns and pages. ``spanned_pages`` 0 is an empty zone (start 0)."""

    zone_start_pfn: int
    spanned_pages: int
    present_pages: int

    @property
    def end_pfn(self) -> int:
        return self.zone_start_pfn + self.spanned_pages


class Pgdat(NamedTuple):
    """``struct pglist_data``: the node span in pfns and whether the node is online."""

    node_start_pfn: int
    node_spanned_pages: int
    online: bool

    @property
    def end_pfn(self) -> int:
        return self.node_start_pfn + self.node_spanned_pages


class VmemAltmap(NamedTuple):
    """``struct vmem_altmap``: where a device's memmap is taken from; all fields in pages, ``base_pfn``/``end_pfn`` pfns."""

    base_pfn: int
    end_pfn: int
    reserve: int
    free: int
    align: int = 0
    alloc: int = 0


class DevPagemap(NamedTuple):
    """``struct dev_pagemap``: ``ranges`` are half-open pfn pairs, ``type`` one of MEMORY_DEVICE_*'s names in lower case.

    ``mapped`` are the pfn pairs really added (widened to sections up to v5.2).
    """

    ranges: tuple[tuple[int, int], ...]
    mapped: tuple[tuple[int, int], ...]
    type: str
    nid: int
    altmap: int | None
    owner: str
    vmemmap_shift: int = 0


class MemoryBlock(NamedTuple):
    """``struct memory_block``: ``state`` "online"/"offline"; ``zone`` None when it spans several (or none is recorded).

    ``online_type`` is what it was last onlined as; ``altmap`` the base pfn of its own altmap; ``nr_vmemmap_pages`` 0 or
    more with memmap_on_memory; ``group`` a memory group id.
    """

    state: str
    nid: int
    zone: str | None
    early: bool
    nr_vmemmap_pages: int = 0
    altmap: bool = False
    group: int | None = None


class MemoryGroup(NamedTuple):
    """``struct memory_group``: static (``max_pages``) or dynamic (``unit_pages``), and what is present in it."""

    nid: int
    is_dynamic: bool
    pages: int
    present_kernel_pages: int = 0
    present_movable_pages: int = 0


class LogLine(NamedTuple):
    """A line for the kernel log; ``level`` is emerg, err, warn, info or debug (debug is not printed by default)."""

    level: str
    text: str


class Snapshot(NamedTuple):
    """A state as a value: which boot it descends from and every entry that differs from it. Hashable, comparable."""

    boot: Hashable
    changes: frozenset[tuple[str, Any, Any]]


MAX_SECTIONS = 1 << 21
"""As many sections are held at most (256 TiB on x86-64): about 400 bytes each."""

_MISSING: Any = None  # no table holds None as a value, so None is "no entry"


class State:
    """All tables of a running kernel, plus its log. See docs/architecture.md for the tables."""

    __slots__ = (
        "_boot",
        "_journal",
        "_names",
        "_origin",
        "_seen",
        "altmaps",
        "blocks",
        "dax",
        "dirty",
        "failing",
        "groups",
        "kernel",
        "lines",
        "media",
        "misc",
        "nd",
        "nodes",
        "once",
        "pgmap_array",
        "pgmap_starts",
        "pgmaps",
        "roots",
        "sections",
        "vmemmap",
        "zones",
    )

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.sections: dict[int, MemSection] = {}
        self.roots: dict[int, bool] = {}
        self.vmemmap: dict[int, Vmemmap] = {}
        self.blocks: dict[int, MemoryBlock] = {}
        self.zones: dict[tuple[int, str], Zone] = {}
        self.nodes: dict[int, Pgdat] = {}
        self.pgmaps: dict[tuple[tuple[int, int], ...], DevPagemap] = {}
        self.pgmap_array: dict[int, tuple[int, tuple[tuple[int, int], ...]]] = {}
        self.pgmap_starts: list[int] = []
        self.altmaps: dict[int, VmemAltmap] = {}
        self.groups: dict[int, MemoryGroup] = {}
        self.nd = NdTable()
        self.media: dict[tuple[str, int], bytes] = {}
        self.dax = DaxTable()
        self.misc: dict[str, Any] = {}
        self.once: dict[str, bool] = {}
        self.lines: list[LogLine] = []
        self.dirty: set[int | range] = set()
        self.failing: Callable[[str], bool] | None = None
        self._journal: list[tuple[dict[Any, Any], Any, Any]] = []
        self._origin: dict[tuple[int, Any], Any] = {}
        self._seen = 0
        self._boot: Hashable = None
        named = (
            "sections", "roots", "vmemmap", "blocks", "zones", "nodes", "pgmaps", "pgmap_array", "altmaps", "groups",
            "nd", "media", "dax", "misc",
        )  # fmt: skip
        self._names: dict[int, tuple[str, dict[Any, Any]]] = {
            id(getattr(self, name)): (name, getattr(self, name)) for name in named
        }

    # -- writing

    def put(self, table: dict[Any, Any], key: Any, value: Any) -> None:
        """Write an entry, journaled. None is not a value: use ``drop``."""
        self._journal.append((table, key, table.get(key)))
        table[key] = value

    def drop(self, table: dict[Any, Any], key: Any) -> None:
        """Remove an entry (absent is fine), journaled."""
        old = table.pop(key, None)
        if old is not None:
            self._journal.append((table, key, old))

    def put_section(self, nr: int, section: MemSection | None) -> None:
        """Write ``mem_section`` nr; None is the all-zero one."""
        sections = self.sections
        self._journal.append((sections, nr, sections.get(nr)))
        if section is None:
            sections.pop(nr, None)
        else:
            sections[nr] = section
        self.dirty.add(nr)

    def hold(self, count: int) -> None:
        """Make sure that ``count`` sections more can be kept or visited. Raises NotModelledError."""
        if len(self.sections) + count > MAX_SECTIONS:
            size = self.kernel.geometry.SECTION_SIZE >> 20
            raise NotModelledError(
                f"I cannot hold {len(self.sections) + count:,} sections of {size} MiB",
                why=f"{MAX_SECTIONS:,} is the most that fits in a few hundred MB",
                remedy="name a smaller range",
            )

    def put_run(self, table: dict[Any, Any], keys: range, value: Any) -> None:
        """Write one value under every key of ``keys``, none of which is present: one journal entry for the run."""
        self._journal.append((table, keys, None))
        for each in keys:  # quicker than update(fromkeys()), which makes a second table
            table[each] = value
        if table is self.sections:
            self.dirty.add(keys)

    def put_pgmap(self, start_pfn: int, entry: tuple[int, tuple[tuple[int, int], ...]] | None) -> None:
        """Write an entry of ``pgmap_array`` (None removes it), journaled, and keep the sorted starts."""
        array, starts = self.pgmap_array, self.pgmap_starts
        old = array.get(start_pfn)
        self._journal.append((array, start_pfn, old))
        if entry is None:
            if old is not None:
                del array[start_pfn]
                del starts[bisect_left(starts, start_pfn)]
            return
        array[start_pfn] = entry
        if old is None:
            insort(starts, start_pfn)

    @property
    def iomem(self) -> Resource:
        """The root of the iomem tree."""
        root: Resource = self.misc["iomem"]
        return root

    @iomem.setter
    def iomem(self, root: Resource) -> None:
        self.put(self.misc, "iomem", root)

    # -- going back

    def mark(self) -> int:
        """A point to come back to with ``undo``."""
        return len(self._journal)

    def undo(self, mark: int) -> None:
        """Take every write since ``mark`` back."""
        journal, sections, dirty = self._journal, self.sections, self.dirty
        array, starts = self.pgmap_array, self.pgmap_starts
        while len(journal) > mark:
            table, key, old = journal.pop()
            if type(key) is range:
                for each in key:
                    del table[each]
            elif old is None:
                table.pop(key, None)
            else:
                table[key] = old
            if table is sections:
                dirty.add(key)
            elif table is array:
                index = bisect_left(starts, key)
                if (index < len(starts) and starts[index] == key) != (old is not None):
                    if old is None:
                        del starts[index]
                    else:
                        starts.insert(index, key)
        if self._seen > mark:
            self._seen = mark

    def booted(self, boot: Hashable) -> None:
        """From here on is "since boot": forget how the tables were built. ``boot`` identifies the build."""
        self._journal.clear()
        self._origin.clear()
        self._seen = 0
        self._boot = boot

    def snapshot(self) -> Snapshot:
        """The state as a value; O(entries touched since boot)."""
        journal, origin, names = self._journal, self._origin, self._names
        for index in range(self._seen, len(journal)):
            table, key, old = journal[index]
            if id(table) not in names:
                continue
            if type(key) is range:
                for each in key:
                    origin.setdefault((id(table), each), None)
            else:
                origin.setdefault((id(table), key), old)
        self._seen = len(journal)
        changes = []
        for (table_id, key), old in origin.items():
            name, table = names[table_id]
            now = table.get(key)
            if now is not old and now != old:
                changes.append((name, key, now))
        return Snapshot(self._boot, frozenset(changes))

    def origin(self, name: str, key: Any) -> Any:
        """What the table ``name`` held under ``key`` at boot; None for nothing. Known up to the last snapshot."""
        table: dict[Any, Any] = getattr(self, name)
        return self._origin.get((id(table), key), table.get(key))

    def copy(self) -> State:
        """Another state that is the same and goes its own way; what can be undone here can be undone there."""
        new = State(self.kernel)
        moved: dict[int, dict[Any, Any]] = {id(self.once): new.once}
        for name, table in self._names.values():
            other = getattr(new, name)
            if type(table) is dict:
                other.update(table)
            else:  # the indexes of these follow their writes
                for key, value in table.items():
                    other[key] = value
            moved[id(table)] = other
        new.once.update(self.once)
        new.pgmap_starts[:] = self.pgmap_starts
        new.lines[:] = self.lines
        new.dirty.update(self.dirty)
        new._journal[:] = [(moved[id(table)], key, old) for table, key, old in self._journal]
        new._origin.update({(id(moved[table]), key): old for (table, key), old in self._origin.items()})
        new._seen, new._boot = self._seen, self._boot
        return new

    # -- what the kernel does besides writing tables

    def log(self, level: str, text: str, once: str | None = None) -> None:
        """Print to the kernel log; ``once`` names the call site of a ``_once`` macro."""
        if once is not None:
            if once in self.once:
                return
            self.put(self.once, once, True)
        self.lines.append(LogLine(level, text))

    def alloc(self, where: str) -> None:
        """An allocation point. Raises Refusal(ENOMEM) when the injected failure says so."""
        if self.failing is not None and self.failing(where):
            raise Refusal(12, where, "allocation-failure")
