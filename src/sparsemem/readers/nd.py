"""``/sys/bus/nd/devices``: libnvdimm regions and namespaces, with the btt, pfn and dax devices that claim them.

Linux kernel v7.2, drivers/nvdimm: ``region_devs.c``, ``namespace_devs.c``, ``pfn_devs.c``. A namespace's ``size`` is
its raw extent; the claiming pfn or dax device knows what is left for data, and where (``resource``, root only). The
seeds that the kernel keeps for the next ``create-namespace`` have size 0 or no namespace and are no namespaces.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sparsemem.machine.description import NamespaceFact, RegionFact
from sparsemem.ranges import Range
from sparsemem.readers.text import hex_int, number

if TYPE_CHECKING:
    from sparsemem.readers.source import Source

__all__ = ["read_nd"]

DIRECTORY = "/sys/bus/nd/devices"
MODES = {"raw": "raw", "memory": "fsdax", "dax": "devdax", "safe": "sector"}
"""sysfs words to ndctl's."""
MAPS = {"pmem": "dev", "ram": "mem", "none": None}
TYPES = {"4": "pmem", "5": "pmem", "6": "blk"}
"""``nstype``: ND_DEVICE_NAMESPACE_IO (label-less), _PMEM (labels), _BLK."""


def read_nd(source: Source) -> tuple[tuple[RegionFact, ...], tuple[NamespaceFact, ...]]:
    """Regions and namespaces of a machine, in the order of their numbers."""
    before = set(source.unreadable)
    regions = [_region(source, name) for name in source.listdir(DIRECTORY, r"region\d{1,9}")]
    namespaces = [_namespace(source, name) for name in source.listdir(DIRECTORY, r"namespace\d{1,9}\.\d{1,9}")]
    hidden = source.denied(before)
    if hidden:
        devices = ", ".join(dict.fromkeys(path.split("/")[-2] for path in hidden))
        source.note(
            DIRECTORY, f"addresses of {devices} cannot be read; run as root to see them", hidden[0].rpartition("/")[2]
        )
    return tuple(fact for fact in regions if fact), tuple(fact for fact in namespaces if fact)


def _number(source: Source, device: str, attribute: str, *, quiet: bool = False) -> int | None:
    text = source.value(f"{DIRECTORY}/{device}/{attribute}", quiet=quiet)
    if text is None:
        return None
    value = number(text)
    if value is None and text != "-1":
        source.note(f"{DIRECTORY}/{device}/{attribute}", f"not a number: {text[:40]!r}")
    return value


def _node(source: Source, device: str, attribute: str) -> int | None:
    """A node number; -1 (none) and absence are None."""
    return _number(source, device, attribute)


def _align(source: Source, device: str) -> int | None:
    """``region*/align`` is printed as %#lx, ``pfn*/align`` as %ld."""
    return _number(source, device, "align")


def _range(source: Source, device: str, size: int | None) -> Range | None:
    text = source.value(f"{DIRECTORY}/{device}/resource", quiet=True)
    if text is None or not size:
        return None
    start = hex_int(text) if text.startswith("0x") else number(text)
    if start is None:
        source.note(f"{DIRECTORY}/{device}/resource", f"not an address: {text[:40]!r}")
        return None
    return Range(start, start + size) if start < (1 << 64) - 1 else None


def _region(source: Source, name: str) -> RegionFact | None:
    size = _number(source, name, "size")
    if size is None:
        source.note(f"{DIRECTORY}/{name}", "the size of this region is not known; left out")
        return None
    nstype = source.value(f"{DIRECTORY}/{name}/nstype")
    return RegionFact(
        dev=name,
        range=_range(source, name, size),
        size=size,
        align=_align(source, name),
        mappings=_number(source, name, "mappings"),
        available_size=_number(source, name, "available_size"),
        max_available_extent=_number(source, name, "max_available_extent"),
        numa_node=_node(source, name, "numa_node"),
        target_node=_node(source, name, "target_node"),
        type=TYPES.get(nstype or ""),
        labels=None if nstype not in TYPES else nstype != "4",
        enabled=source.driver(f"{DIRECTORY}/{name}") is not None,
    )


class _Holder(NamedTuple):
    size: int | None
    data: Range | None
    align: int | None
    map: str | None
    uuid: str | None
    sector_size: int | None


def _holder(source: Source, name: str) -> _Holder:
    size = _number(source, name, "size", quiet=True)
    mode = source.value(f"{DIRECTORY}/{name}/mode")
    return _Holder(
        size,
        _range(source, name, size),
        _align(source, name),
        MAPS.get(mode or ""),
        source.value(f"{DIRECTORY}/{name}/uuid"),
        _sector_size(source.value(f"{DIRECTORY}/{name}/sector_size")),
    )


def _namespace(source: Source, name: str) -> NamespaceFact | None:
    size = _number(source, name, "size")
    if not size:
        if size is None:
            source.note(f"{DIRECTORY}/{name}", "the size of this namespace is not known; left out")
        return None
    word = source.value(f"{DIRECTORY}/{name}/mode")
    if word is not None and word not in MODES:
        source.note(f"{DIRECTORY}/{name}/mode", f"not a mode this reader knows: {word[:40]!r}")
    mode = MODES.get(word or "", word or "unknown")
    claimed = source.value(f"{DIRECTORY}/{name}/holder")
    holder = _holder(source, claimed) if claimed and "/" not in claimed else None
    extent = _range(source, name, size)
    force_raw = source.value(f"{DIRECTORY}/{name}/force_raw")
    sector_size = _sector_size(source.value(f"{DIRECTORY}/{name}/sector_size"))
    bound = [device for device in (name, claimed) if device and source.driver(f"{DIRECTORY}/{device}") is not None]
    disks = [
        disk
        for device in (name, claimed)
        if device
        for disk in source.listdir(f"{DIRECTORY}/{device}/block", r"\w[\w.-]{0,60}")
    ]
    return NamespaceFact(
        dev=name,
        region="region" + name[len("namespace") :].partition(".")[0],
        mode=mode,
        map=holder.map if holder else ("mem" if mode == "fsdax" else None),
        range=extent,
        size=size,
        uuid=(holder.uuid if holder else None) or source.value(f"{DIRECTORY}/{name}/uuid"),
        align=holder.align if holder else None,
        sector_size=(holder.sector_size if holder else None) or sector_size,
        blockdev=disks[0] if disks else None,
        name=source.value(f"{DIRECTORY}/{name}/alt_name"),
        enabled=bool(bound),
        usable=holder.size if holder else size if mode in ("raw", "fsdax") else None,
        data=holder.data if holder else extent if mode in ("raw", "fsdax") else None,
        holder=claimed,
        force_raw=None if force_raw not in ("0", "1") else force_raw == "1",
        target_node=_node(source, name, "target_node"),
    )


def _sector_size(text: str | None) -> int | None:
    """``[512] 520 4096``: the one in use is in brackets."""
    if text is None:
        return None
    words = text.split()
    chosen = next((word[1:-1] for word in words if word.startswith("[") and word.endswith("]")), None)
    return number(chosen if chosen is not None else words[0]) if words else None
