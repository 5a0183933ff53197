"""The arithmetic of ``nd_pfn_init``: where data begins in a new fsdax or devdax namespace, by the kernel that makes it. Bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sparsemem.kernel.huge_memory import pmd_size
from sparsemem.kernel.memremap import memremap_compat_align
from sparsemem.kernel.nvdimm.core import dev_printk
from sparsemem.kernel.nvdimm.region_devs import nd_region_conflict
from sparsemem.kernel.refusal import Refusal
from sparsemem.kernel.resource import IORESOURCE_SYSTEM_RAM, REGION_MIXED, region_intersects

if TYPE_CHECKING:
    from sparsemem.kernel.nvdimm.types import NdNamespace, NdPfn, NdRegion
    from sparsemem.kernel.state import State

__all__ = ["Geometry", "new_geometry"]

_SZ_8K = 8192
_MAX_STRUCT_PAGE_SIZE = 64
_DAX_LABEL = 128 << 10


class Geometry(NamedTuple):
    """``offset``: of the data, from the namespace's start (from start + start_pad where there is padding)."""

    offset: int
    start_pad: int
    end_trunc: int
    npfns: int


def _align(value: int, unit: int) -> int:
    return -(-value // unit) * unit


def _trim_pfn_device(state: State, region: NdRegion, ndns: NdNamespace, align: int) -> tuple[int, int]:
    """Up to v5.2: what to cut off so that the namespace shares no section with RAM or another region: (start_pad, end_trunc)."""
    section = state.kernel.geometry.SECTION_SIZE
    start, end = ndns.start, ndns.end + 1
    below, above = start - start % section, _align(end, section)

    f = state.kernel.features

    def collides(low: int, size: int, beyond: int = 0) -> bool:
        kind = region_intersects(state.iomem, low, size, IORESOURCE_SYSTEM_RAM, descend=f.region_intersects_descends)
        if kind == REGION_MIXED:
            return True
        return f.pfn_pads_against_regions and nd_region_conflict(state, region, low, size + beyond)

    start_pad = _align(start, section) - start if collides(below, end - below) else 0
    end_trunc = 0
    if end % align or collides(start, above - start, above - end if f.pfn_over_trims else 0):
        end_trunc = end - min(end - end % section, end - end % align)
    return start_pad, end_trunc


def _padded(state: State, key: str, region: NdRegion, ndns: NdNamespace, dev: NdPfn) -> Geometry:
    g, f = state.kernel.geometry, state.kernel.features
    start_pad, end_trunc = _trim_pfn_device(state, region, ndns, dev.align)
    if start_pad + end_trunc:
        dev_printk(state, "info", key, f.pfn_section_pad_message % (ndns.name, start_pad + end_trunc))
    start, size = ndns.start + start_pad, ndns.size
    pages = (size - start_pad - end_trunc - _SZ_8K) // g.PAGE_SIZE
    npfns = _align(pages, g.PAGES_PER_SECTION)
    reserve = _SZ_8K + (_DAX_LABEL if f.dax_label_reserve and dev.type == "dax" else 0)
    if dev.mode == "pmem":
        offset = _align(start + reserve + _MAX_STRUCT_PAGE_SIZE * npfns, max(dev.align, pmd_size(state))) - start
    elif dev.mode == "ram":
        offset = _align(start + reserve, dev.align) - start
    else:
        raise Refusal(6, "nd_pfn_init", "info-block-settings")
    _fits(state, key, ndns, offset + start_pad + end_trunc, size)
    return Geometry(offset, start_pad, end_trunc, (size - offset - start_pad - end_trunc) // 4096)  # whatever the page


def _fits(state: State, key: str, ndns: NdNamespace, used: int, size: int) -> None:
    if used >= size:
        line = dev_printk(state, "err", key, f"{ndns.name} unable to satisfy requested alignment")
        raise Refusal(6, "nd_pfn_init", "info-block-capacity", (line,))


def new_geometry(state: State, key: str, region: NdRegion, ndns: NdNamespace, dev: NdPfn) -> Geometry:
    """The layout of a new info block.

    Raises Refusal: EINVAL (start misaligned; struct page too large), ENXIO (no room for data; no mode).
    """
    g, f = state.kernel.geometry, state.kernel.features
    if f.pfn_pads_to_sections:
        return _padded(state, key, region, ndns, dev)
    start, size = ndns.start, ndns.size
    npfns = (size - _SZ_8K) >> g.PAGE_SHIFT
    if f.memremap_compat_align:
        compat = memremap_compat_align(state)
        if start % compat:
            line = dev_printk(state, "err", key, f"{ndns.name}: start {start:#018x} misaligned to {compat:#x}")
            raise Refusal(22, "nd_pfn_init", "namespace-alignment", (line,))
    else:
        compat = g.SUBSECTION_SIZE
    align = max(dev.align, compat)
    end_trunc = 0 if f.namespace_end_not_truncated else (start + size) % align
    if dev.mode == "pmem":
        page_map_size = _MAX_STRUCT_PAGE_SIZE * npfns
        if g.sizeof_struct_page > _MAX_STRUCT_PAGE_SIZE and f.struct_page_size_checked:
            line = dev_printk(state, "err", key, "Memory debug options prevent using pmem for the page map")
            raise Refusal(22, "nd_pfn_init", "page-map-debug", (line,))
        offset = _align(start + _SZ_8K + page_map_size, align) - start
    elif dev.mode == "ram":
        offset = _align(start + _SZ_8K, align) - start
    else:
        raise Refusal(6, "nd_pfn_init", "info-block-settings")
    _fits(state, key, ndns, offset, size if f.zero_sized_namespace else size - end_trunc)
    return Geometry(offset, 0, end_trunc, (size - offset - end_trunc) >> g.PAGE_SHIFT)
