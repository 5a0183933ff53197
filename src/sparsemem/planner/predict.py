"""What one namespace at one place would be, by the kernel's own arithmetic. Bytes; ranges half-open.

Nothing here writes to the machine: ``sparsemem.planner.prove`` plays the commands, and any difference is a bug that is reported as one.
"""

from __future__ import annotations

from math import lcm
from typing import TYPE_CHECKING, NamedTuple

from sparsemem.kernel.dax.kmem import dax_kmem_range
from sparsemem.kernel.dax.types import DaxRange
from sparsemem.kernel.huge_memory import mapped_sizes
from sparsemem.kernel.memremap import memremap_pages
from sparsemem.kernel.nvdimm.btt import btt_sector_size, create_arenas
from sparsemem.kernel.nvdimm.namespace_attributes import btt_claim_class, mode_show
from sparsemem.kernel.nvdimm.pfn_geometry import new_geometry
from sparsemem.kernel.nvdimm.types import CCLASS_BTT2, NdNamespace, NdPfn
from sparsemem.kernel.refusal import Refusal
from sparsemem.kernel.state import VmemAltmap
from sparsemem.tools.ndctl_features import ndctl_features

if TYPE_CHECKING:
    from sparsemem.kernel.state import State
    from sparsemem.planner.intent import Item
    from sparsemem.planner.spaces import Space

__all__ = ["Outcome", "Refused", "Rules"]

_RESERVE = 8192
_STRUCT_PAGE = 64
_2M, _16M = 1 << 21, 1 << 24
_DAX = ("fsdax", "devdax", "system-ram")


class Outcome(NamedTuple):
    """How ``size`` bytes are used: all fields but ``data``, ``mapped`` and ``blocks`` add up to it.

    ``data``: where the data is, None for sector; ``mapped``: what gets struct pages; ``blocks``: first memory block and the one
    behind the last; ``start_pad``: of ``padding``, what an old kernel cut off in front.
    """

    usable: int
    info_block: int = 0
    memmap: int = 0
    btt: int = 0
    padding: int = 0
    outside_blocks: int = 0
    data: tuple[int, int] | None = None
    mapped: tuple[int, int] | None = None
    blocks: tuple[int, int] | None = None
    start_pad: int = 0


class Refused(NamedTuple):
    """Why there can be none: a rule of ``spec.rules`` (None: a rule of the tool's), and the words."""

    rule: str | None
    words: tuple[str, ...]


class Rules:
    """The rules of one machine (by its kernel) and one release of ndctl."""

    def __init__(self, state: State, ndctl: tuple[int, ...]) -> None:
        self.state = state
        self.tool = ndctl_features(ndctl)
        self.f = state.kernel.features
        self.page = state.kernel.geometry.PAGE_SIZE
        self.section = state.kernel.geometry.SECTION_SIZE
        self.block: int = state.misc["memory_block_size_bytes"]
        self.spent = 0
        self._seen: dict[tuple[object, ...], Outcome | Refused] = {}

    # -- what is legal

    def aligns(self) -> tuple[int, ...]:
        """The alignments that fsdax and devdax can be given."""
        sizes = mapped_sizes(self.state)
        return sizes if self.tool.seed_alignment else tuple(each for each in sizes if each in (4096, _2M, 1 << 30))

    def align(self, space: Space, item: Item) -> int:
        """The alignment of a namespace: the one asked for, or what ndctl takes (``_default_align`` of ``tools.ndctl_validate``)."""
        if item.mode not in _DAX:
            return self.page
        if item.align is not None:
            return item.align
        if space.dax is not None:
            return space.align
        default = self.aligns()[:2][-1]
        return self.page if space.range.start % default else default

    def unit(self, space: Space, item: Item) -> int:
        """What a size must be a multiple of: for ndctl (align x interleave ways, and the region's align) and for the kernel."""
        align = self.align(space, item)
        if space.dax is not None:
            return lcm(align, space.align)
        ndctl = (4096 if not self.tool.seed_alignment and item.mode in ("raw", "sector") else align) * space.ways
        kind = self.f.size_granularity
        kernel = space.align if kind == "region align" else (4096 if kind == "4K" else self.page) * space.ways
        if not space.labelled:
            kernel = self.page
        if self.tool.region_align and self.f.region_align_attribute:
            kernel = lcm(kernel, space.align)
        return lcm(ndctl, kernel)

    def least(self, space: Space, item: Item) -> int:
        """The smallest legal size: 16 MiB for all but raw (``nd_namespace_store`` asks for it, ndctl from 68 on, too)."""
        unit = self.unit(space, item)
        least = _16M if item.mode != "raw" and space.dax is None else 1
        return -(-least // unit) * unit

    # -- what comes of it

    def outcome(self, space: Space, item: Item, start: int, size: int) -> Outcome | Refused:
        """A namespace of ``size`` bytes at ``start``."""
        # a region is asked about as it is, and as it will be when it has labels: that is not the same
        key = (space.name, space.labelled, item.mode, item.map, item.align, item.sector_size, start, size)
        found = self._seen.get(key)
        if found is None:
            # the work so far, for those who have to end it: up to v5.2 every section is mapped for a try
            self.spent += 1 if self.f.subsection_hotplug else 1 + size // self.section
            found = self._seen[key] = self._outcome(space, item, start, size)
        return found

    def _outcome(self, space: Space, item: Item, start: int, size: int) -> Outcome | Refused:
        if space.dax is not None:
            whole = Outcome(size, data=(start, start + size), mapped=(start, start + size))
            return self._ram(item, whole) if item.mode == "system-ram" else whole
        if item.mode == "raw":
            assert space.region is not None
            end = start + size
            if not space.region.pagemap:
                return Outcome(size, data=(start, end))
            return self._mappable(start, end, 0, "ram") or Outcome(size, data=(start, end), mapped=(start, end))
        if item.mode == "sector":
            return self._sector(space, item, size)
        if (
            self.tool.resource_align_16m
            and space.labelled
            and start % _16M  # a label-less namespace is made with --force, which passes over this
        ):
            return Refused("region-align", ("misaligned to 16M, adjust region alignment and retry",))
        made = self._pfn(space, item, start, size)
        return self._ram(item, made) if item.mode == "system-ram" and isinstance(made, Outcome) else made

    def _sector(self, space: Space, item: Item, size: int) -> Outcome | Refused:
        sector = item.sector_size or 4096
        second = not space.relabelled and btt_claim_class(self.state, space.name) == CCLASS_BTT2
        first = 0 if second else 4096  # the first info block lies behind 4 KiB in version 1.1
        arenas = create_arenas(size - first, sector)
        usable = sum(arena.external_nlba for arena in arenas) * btt_sector_size(sector)
        if usable <= 0:
            return Refused("namespace-size", (f"a sector namespace must have at least {_16M + first} bytes",))
        return Outcome(usable, btt=size - usable)

    def _pages_already(self, space: Space, item: Item) -> bool:
        """Legacy memory has its pages in RAM as it is: ndctl leaves it so for fsdax map=mem (``do_setup_pfn``)."""
        if space.labelled or item.mode != "fsdax" or item.map != "mem" or not space.replaced:
            return False
        return mode_show(self.state, space.replaced[0].name) == "memory\n"

    def _pfn(self, space: Space, item: Item, start: int, size: int) -> Outcome | Refused:
        """``nd_pfn_init`` itself, on values that are on no bus; what it logs is taken back."""
        assert space.region is not None
        state = self.state
        if self._pages_already(space, item):
            return Outcome(size, data=(start, start + size), mapped=(start, start + size))
        lines, mark = len(state.lines), state.mark()
        kind = "pfn" if item.mode == "fsdax" else "dax"
        mode = "ram" if item.map == "mem" else "pmem"
        dev = NdPfn(f"{kind}{space.region.id}.0", 0, space.name, kind, mode, self.align(space, item))
        ndns = NdNamespace(f"namespace{space.region.id}.0", 0, space.name, "pmem", start, size)
        try:
            geometry = new_geometry(state, dev.key, space.region, ndns, dev)
        except Refusal as refusal:
            return Refused(refusal.rule, refusal.log)
        finally:
            state.undo(mark)
            del state.lines[lines:]
        pad, cut = geometry.start_pad, geometry.end_trunc
        first, last = start + pad + geometry.offset, start + size - cut
        if first >= last:
            return Refused("info-block-capacity", ())
        refused = self._mappable(start + pad, last, geometry.offset, mode)
        if refused is not None:
            return refused
        pages = (
            (size - pad - cut - _RESERVE) // self.page
            if self.f.pfn_pads_to_sections
            else (size - _RESERVE) // self.page
        )
        memmap = _STRUCT_PAGE * pages if mode == "pmem" else 0
        return Outcome(
            last - first, _RESERVE, memmap, padding=size - (last - first) - _RESERVE - memmap, data=(first, last),
            mapped=(start + pad, last), start_pad=pad,
        )  # fmt: skip

    def _mappable(self, start: int, end: int, offset: int, mode: str) -> Refused | None:
        """Can these addresses get struct pages? ``offset`` and ``mode``: where the data begins, and whether the pages are in the device."""
        unit = self.state.kernel.geometry.SUBSECTION_SIZE
        if not self.f.subsection_hotplug:
            return self._trial(start, end, offset, mode)
        if start % unit or end % unit:
            words = f"Misaligned {start:#x}-{end - 1:#x}: whole sub-sections of {unit >> 20} MiB only"
            return Refused("subsection-alignment", (words,))
        return None

    def _trial(self, start: int, end: int, offset: int, mode: str) -> Refused | None:
        """Up to v5.2 the mapping is widened to sections, and whether those, their page array and its place in the device work out is
        best asked of ``memremap_pages`` itself; what it did is taken back."""
        state, page, section = self.state, self.page, self.section
        altmap = None
        if mode == "pmem":
            base = start - start % section
            altmap = VmemAltmap(
                base_pfn=base // page, end_pfn=(end - 1) // page, reserve=(_RESERVE + start - base) // page,
                free=(offset - _RESERVE) // page,
            )  # fmt: skip
        lines, mark = len(state.lines), state.mark()
        try:
            memremap_pages(state, ((start // page, end // page),), altmap=altmap, owner="plan")
        except Refusal as refusal:
            return Refused(refusal.rule, refusal.log)
        finally:
            state.undo(mark)
            del state.lines[lines:]
        return None

    def _ram(self, item: Item, made: Outcome) -> Outcome | Refused:
        assert made.data is not None
        start, end = made.data
        inside = dax_kmem_range(self.state, DaxRange(0, start, end - 1, 0))
        if inside is None:
            return Refused("kmem-alignment", (f"mapping0: {start:#x}-{end - 1:#x} too small after alignment",))
        first, last = inside[0], inside[1] + 1
        kept = last - first
        return made._replace(
            usable=kept,
            outside_blocks=end - start - kept,
            data=(first, last),
            blocks=(first // self.block, last // self.block),
        )

    # -- sizes to choose

    def grain(self, space: Space, item: Item) -> int:
        """The step of sizes that are ours to choose: the unit, and what the next namespace has to begin at.

        That is 16 MiB for ndctl from 68 on, whole sections where the kernel widens mappings to them, sub-sections after that.
        """
        unit = self.unit(space, item)
        if not space.labelled:
            return unit
        unit = lcm(unit, _16M if self.tool.resource_align_16m else self.state.kernel.geometry.SUBSECTION_SIZE)
        return lcm(unit, self.section) if not self.f.subsection_hotplug and item.mode in _DAX else unit

    def for_usable(self, space: Space, item: Item, start: int, usable: int, most: int) -> tuple[int, Outcome] | None:
        """The smallest legal size at ``start`` that gives ``usable`` bytes or more; None where ``most`` bytes do not."""
        unit = self.grain(space, item)
        least = -(-self.least(space, item) // unit) * unit
        low, size = least - unit, max(least, -(-usable // unit) * unit)
        top = most // unit * unit
        if not space.labelled:
            low, size = space.range.size - unit, space.range.size
            if size > most or self._gives(space, item, start, low, usable) is not None:
                return None
        while (best := self._gives(space, item, start, size, usable)) is None:
            got = self.outcome(space, item, start, size)
            if size >= top or (isinstance(got, Refused) and got.rule == "region-align"):
                return None
            low, short = size, usable - got.usable if isinstance(got, Outcome) else size // 4
            size = min(size + max(-(-short // (2 * unit)) * unit, unit), top)
        while size - low > unit:
            middle = (low + size) // (2 * unit) * unit
            found = self._gives(space, item, start, middle, usable)
            low, size, best = (middle, size, best) if found is None else (low, middle, found)
        # where the end is aligned to more than the unit, a smaller size may do though one between does not
        border = max(self.block if item.mode == "system-ram" else 0, self.align(space, item))
        for less in (
            range(size - unit, max(size - border - 2 * unit, least - unit, usable - 1), -unit) if space.labelled else ()
        ):
            found = self._gives(space, item, start, less, usable)
            size, best = (size, best) if found is None else (less, found)
        return size, best

    def _gives(self, space: Space, item: Item, start: int, size: int, usable: int) -> Outcome | None:
        """What comes of that size, if it is so much."""
        got = self.outcome(space, item, start, size)
        return got if isinstance(got, Outcome) and got.usable >= usable else None

    def for_most(self, space: Space, item: Item, start: int, most: int) -> tuple[int, Outcome] | None:
        """The size up to ``most`` that gives the most data, and of those the smallest; None where there can be no namespace."""
        unit, least = self.unit(space, item), self.least(space, item)
        top = most // unit * unit
        best: tuple[int, Outcome] | None = None
        for size in self._candidates(space, item, start, top):
            if size < least:
                continue
            got = self.outcome(space, item, start, size)
            if isinstance(got, Refused):
                continue
            if best is None or (got.usable, -size) > (best[1].usable, -best[0]):
                best = size, got
        return best

    def _candidates(self, space: Space, item: Item, start: int, top: int) -> set[int]:
        """Sizes of which one is best: all there is, and those that end just behind a border that the data must end on."""
        unit = self.unit(space, item)
        found = {top}
        borders = {self.align(space, item)} if item.mode in _DAX else set()
        if item.mode == "system-ram":
            borders.add(self.block)
        if not self.f.subsection_hotplug and item.mode in _DAX:
            borders.add(self.section)
        for border in borders:
            if border <= unit and start % border == 0:
                continue
            end = (start + top) // border * border
            for back in range(4):
                size = -(-(end - back * border - start) // unit) * unit
                if 0 < size <= top:
                    found.add(size)
        return found
