"""``drivers/dax/dax-private.h``: what a dax region and a dax device are. Addresses in bytes, ends inclusive, page offsets in pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from sparsemem.kernel.state import VmemAltmap

__all__ = ["DEVICE_DAX", "KMEM", "DaxRange", "DaxRegion", "DevDax", "StaticPagemap"]

DEVICE_DAX = "device_dax"
KMEM = "kmem"


class DaxRange(NamedTuple):
    """``struct dev_dax_range``: ``pgoff`` pages into the device; ``mapping`` is the number of its mapping device."""

    pgoff: int
    start: int
    end: int
    mapping: int

    @property
    def size(self) -> int:
        return self.end - self.start + 1


class StaticPagemap(NamedTuple):
    """The page map that libnvdimm hands over with a static device: a half-open pfn pair and its altmap."""

    pfns: tuple[int, int]
    altmap: VmemAltmap | None


class DaxRegion(NamedTuple):
    """``struct dax_region``. ``dev`` is the device that backs it ("hmem.0", "dax_region0", the nd dax device), ``driver``
    the name that the log prints for it, ``path`` where sysfs has it. ``static``: from libnvdimm, one device, fixed.
    ``kmem``: its devices go to the kmem driver by default (IORESOURCE_DAX_KMEM). ``numa_node`` -1 is no node.
    """

    id: int
    start: int
    end: int
    target_node: int
    align: int
    dev: str
    driver: str
    path: str
    static: bool = False
    kmem: bool = False
    numa_node: int = -1
    seed: str = ""
    youngest: str = ""

    @property
    def size(self) -> int:
        return self.end - self.start + 1


class DevDax(NamedTuple):
    """``struct dev_dax``. ``region`` is the key of its region in ``state.dax``, ``driver`` "" while unbound.

    ``reserved`` are the kmem ranges (start, end) that are in the iomem tree for it, by range index (None: never added);
    they outlive an unbind whose removal failed. ``group`` is its memory group. ``stale_pgmap``: a probe that failed left its
    page map in the device.
    """

    name: str
    region: str
    id: int
    align: int
    ranges: tuple[DaxRange, ...] = ()
    driver: str = ""
    pgmap: StaticPagemap | None = None
    memmap_on_memory: bool = False
    reserved: tuple[tuple[int, int] | None, ...] = ()
    group: int = 0
    stale_pgmap: bool = False

    @property
    def size(self) -> int:
        return sum(each.size for each in self.ranges)
