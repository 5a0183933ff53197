"""What a reader knows about a machine: facts, without behaviour.

Every field is optional in the sense that a machine may not tell it: an empty tuple or None means "not known", never
"none". Addresses are bytes; ``Range`` is half-open. A note is a located remark about input that could not be used;
notes never replace data.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sparsemem.kernel.ioport import Resource
    from sparsemem.ranges import Range

__all__ = [
    "BlockFact",
    "BootRegion",
    "CxlDeviceFact",
    "CxlFact",
    "DaxFact",
    "InfoBlockFact",
    "LabelAreaFact",
    "MachineDescription",
    "NamespaceFact",
    "Note",
    "RegionFact",
    "ZoneFact",
]


@dataclass(frozen=True, slots=True)
class Note:
    """A located remark: ``source`` is the file, ``where`` the line or key ("" when it is the whole file)."""

    source: str
    where: str
    what: str


@dataclass(frozen=True, slots=True)
class BootRegion:
    """An entry of the firmware memory map. ``kind`` is the e820/EFI type in the words of the kernel's boot log."""

    range: Range
    kind: str
    nid: int = 0


@dataclass(frozen=True, slots=True)
class BlockFact:
    """``/sys/devices/system/memory/memoryN``: ``state`` as read, ``valid_zones`` split at blanks, ``nid`` None when
    unknown.
    """

    nr: int
    state: str
    valid_zones: tuple[str, ...] = ()
    nid: int | None = None
    removable: bool | None = None


@dataclass(frozen=True, slots=True)
class ZoneFact:
    """A zone of ``/proc/zoneinfo``; all numbers are pages, ``start_pfn`` a pfn.

    ``start_pfn`` is None where the kernel prints none: zones without present pages, so every ZONE_DEVICE.
    """

    nid: int
    name: str
    start_pfn: int | None
    spanned: int
    present: int
    managed: int


@dataclass(frozen=True, slots=True)
class NamespaceFact:
    """A libnvdimm namespace. ``size`` is the raw extent where sysfs tells it, else what the tool printed (the usable
    size).

    ``map`` is "dev", "mem" or None; ``data`` what is left for data, ``usable`` its bytes; ``holder`` the btt, pfn or
    dax device that claims the namespace.
    """

    dev: str
    region: str
    mode: str
    map: str | None = None
    range: Range | None = None
    size: int | None = None
    uuid: str | None = None
    align: int | None = None
    sector_size: int | None = None
    blockdev: str | None = None
    name: str | None = None
    enabled: bool = True
    usable: int | None = None
    data: Range | None = None
    holder: str | None = None
    force_raw: bool | None = None
    target_node: int | None = None


@dataclass(frozen=True, slots=True)
class RegionFact:
    """A libnvdimm region (``mappings`` DIMMs interleaved; 0 for e820/legacy). ``type``: "pmem", "blk" or "volatile"."""

    dev: str
    range: Range | None
    size: int
    align: int | None = None
    mappings: int | None = None
    available_size: int | None = None
    max_available_extent: int | None = None
    numa_node: int | None = None
    target_node: int | None = None
    type: str | None = None
    labels: bool | None = None
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class DaxFact:
    """A device-dax device; ``mode`` is "devdax" or "system-ram" (None: no driver), ``region`` its libnvdimm or dax
    region. ``listed``: sysfs or a listing tells of it; False where only iomem does, which tells nothing but its range.
    ``blocks``: the memory blocks that it brought, and ``online`` how many of them are; ``movable``: all of these are in ZONE_MOVABLE.
    """

    dev: str
    size: int
    ranges: tuple[Range, ...] = ()
    align: int | None = None
    mode: str | None = None
    target_node: int | None = None
    region: str | None = None
    listed: bool = True
    blocks: int | None = None
    online: int | None = None
    movable: bool | None = None


@dataclass(frozen=True, slots=True)
class LabelAreaFact:
    """The label area of a DIMM, as ``ndctl read-labels`` writes it."""

    dimm: str
    data: bytes


@dataclass(frozen=True, slots=True)
class InfoBlockFact:
    """The info block of a namespace: the 4 KiB that lie 4 KiB into it."""

    namespace: str
    data: bytes


@dataclass(frozen=True, slots=True)
class CxlDeviceFact:
    """``memN``: bytes of persistent and of volatile capacity, serial number (0: none), and bytes of its label area."""

    name: str
    pmem: int
    ram: int
    serial: int
    label_area: int


@dataclass(frozen=True, slots=True)
class CxlFact:
    """``window``: that of ``decoder0.0``. How many root decoders, ports below the root and endpoint ports there are, and the names of the
    regions."""

    window: Range
    devices: tuple[CxlDeviceFact, ...]
    roots: int = 1
    ports: int = 1
    endpoints: int = 0
    regions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MachineDescription:
    """Everything read from one machine. ``source`` names it ("this machine", a path, a layout line).

    ``boot_map`` is the firmware's (sysfs), or the one the kernel went on with (a boot log's "user" map, where
    ``memmap=`` is already in it): ``memmap=`` of ``cmdline`` may be applied to either, twice is once. ``levels`` are
    x86-64 page-table levels. ``tdx_host``: the log says that the TDX module was initialized.
    """

    source: str
    kernel_release: str | None = None
    arch: str | None = None
    page_size: int | None = None
    cmdline: str | None = None
    hypervisor: bool | None = None
    tdx_host: bool | None = None
    levels: int | None = None
    physical_bits: int | None = None
    iomem: Resource | None = None
    boot_map: tuple[BootRegion, ...] = ()
    block_size: int | None = None
    auto_online: str | None = None
    blocks: tuple[BlockFact, ...] = ()
    zones: tuple[ZoneFact, ...] = ()
    regions: tuple[RegionFact, ...] = ()
    namespaces: tuple[NamespaceFact, ...] = ()
    dax: tuple[DaxFact, ...] = ()
    label_areas: tuple[LabelAreaFact, ...] = ()
    info_blocks: tuple[InfoBlockFact, ...] = ()
    cxl: CxlFact | None = None
    notes: tuple[Note, ...] = field(default=(), compare=False)

    @property
    def tells_ram(self) -> bool:
        """Does it say where RAM is? A listing of devices alone does not."""
        return self.iomem is not None or bool(self.boot_map) or bool(self.blocks and self.block_size)
