"""``drivers/dax/bus.c``: dax regions, the devices carved out of them, and which driver takes them. Bytes; inclusive ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.kernel.dax.types import KMEM, DaxRange, DaxRegion, DevDax, StaticPagemap
from sparsemem.kernel.huge_memory import mapped_sizes
from sparsemem.kernel.kstrtox import kstrtobool, kstrtoint, kstrtoull
from sparsemem.kernel.memremap import memremap_compat_align
from sparsemem.kernel.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.kernel.state import State

__all__ = [
    "align_store",
    "alloc_dax_region",
    "alloc_is_aligned",
    "create_store",
    "dax_align_valid",
    "dax_region_avail_size",
    "delete_store",
    "dev_dax_of",
    "dev_driver_string",
    "devices_of",
    "devm_create_dev_dax",
    "mapping_store",
    "memmap_on_memory_store",
    "put_dev_dax",
    "region_of",
    "size_store",
    "unregister_region",
]


# -- the tables


def region_of(state: State, key: str) -> DaxRegion:
    """The region under this key of ``state.dax``."""
    region = state.dax[key]
    assert isinstance(region, DaxRegion)
    return region


def dev_dax_of(state: State, name: str) -> DevDax:
    """The device of this name ("dax0.0")."""
    dev = state.dax[name]
    assert isinstance(dev, DevDax)
    return dev


def put_dev_dax(state: State, dev: DevDax) -> DevDax:
    """Write a device back, journaled."""
    state.put(state.dax, dev.name, dev)
    return dev


def devices_of(state: State, key: str) -> Iterator[DevDax]:
    """The devices of a region, in the order of their creation."""
    for name in list(state.dax.devices.get(key, ())):
        yield dev_dax_of(state, name)


def dev_driver_string(dev: DevDax) -> str:
    """What ``dev_printk`` puts before a message: the driver, or the bus of a device without one."""
    return f"{dev.driver or 'dax'} {dev.name}"


def _children(state: State, key: str) -> list[tuple[int, int, str]]:
    """The children of the region's resource: what is handed out, by address."""
    return sorted((r.start, r.end, dev.name) for dev in devices_of(state, key) for r in dev.ranges)


def dax_region_avail_size(state: State, key: str) -> int:
    """Bytes of the region that no device has."""
    return region_of(state, key).size - sum(end - start + 1 for start, end, _ in _children(state, key))


def dax_align_valid(state: State, align: int) -> bool:
    """A page, a PMD (with transparent huge pages), or a PUD where the architecture has huge PUDs."""
    return align in mapped_sizes(state)


def alloc_is_aligned(state: State, dev: DevDax, size: int) -> bool:
    """Is a size a multiple of the device's alignment and of what the architecture can map?"""
    return size % max(dev.align, memremap_compat_align(state)) == 0


# -- regions


def alloc_dax_region(state: State, region: DaxRegion) -> str:
    """Register a region; its key in ``state.dax`` ("dax_region0", with the id).

    Raises Refusal(ENOMEM), which is what every caller makes of NULL: start or size not a multiple of the alignment; another
    region in the range (v7.1+).
    """
    if region.start % region.align or region.size % region.align:
        raise Refusal(12, "alloc_dax_region", "dax-region-alignment")
    state.alloc("alloc_dax_region")
    others = [region_of(state, each) for each in state.dax.regions.values()]
    if state.kernel.features.dax_region_conflicts and any(
        each.start <= region.end and region.start <= each.end for each in others
    ):
        text = (
            f"{region.driver} {region.dev}: dax_region resource conflict for "
            f"[mem {region.start:#010x}-{region.end:#010x}]"
        )
        state.log("err" if state.kernel.features.dax_region_conflict_logged else "debug", text)
        raise Refusal(12, "alloc_dax_region", "dax-region-conflict", (text,))
    key = f"dax_region{region.id}"
    if key in state.dax:  # the namespaces of a libnvdimm region share its number; a CXL region and an hmem one may, too
        key += f":{region.dev}"
    state.put(state.dax, key, region)
    return key


def unregister_region(state: State, key: str) -> None:
    """The backing device loses its driver: every device of the region is unbound and deleted, then the region goes."""
    from sparsemem.kernel.dax.driver import device_release_driver  # it imports this module

    for dev in reversed(list(devices_of(state, key))):
        if dev.driver:
            device_release_driver(state, dev.name)
        state.drop(state.dax, dev.name)
    state.drop(state.dax, key)


# -- devices


def devm_create_dev_dax(
    state: State,
    key: str,
    size: int,
    *,
    id: int = -1,  # noqa: A002  (the kernel's word)
    pgmap: StaticPagemap | None = None,
    memmap_on_memory: bool = False,
) -> str:
    """Make a device of ``size`` bytes (0: a seed) at the start of the region, offered to the drivers; its name.

    Raises Refusal: EINVAL (an id where the region chooses, or none where it does not), ENOMEM (taken). That no driver takes it
    is no refusal.
    """
    region = region_of(state, key)
    if region.static == (id < 0):
        text = "dynamic id specified to static region" if region.static else "static id specified to dynamic region"
        state.log("warn", f"{region.driver} {region.dev}: {text}")
        raise Refusal(22, "devm_create_dev_dax", "dax-static", (text,))
    state.alloc("devm_create_dev_dax")
    used = {dev.id for dev in devices_of(state, key)}
    number = id if id >= 0 else next(nr for nr in range(len(used) + 1) if nr not in used)
    dev = DevDax(f"dax{region.id}.{number}", key, number, region.align, (), "", pgmap, memmap_on_memory)
    if dev.name in state.dax:
        raise Refusal(17, "devm_create_dev_dax", "dax-static")
    if size:
        dev = _with_range(state, dev, region.start, size)
    put_dev_dax(state, dev)
    from sparsemem.kernel.dax.driver import device_initial_probe  # it imports this module

    device_initial_probe(state, dev.name)
    return dev.name


def _with_range(state: State, dev: DevDax, start: int, size: int) -> DevDax:
    """``alloc_dev_dax_range``: the device with one more range. Raises Refusal(ENOMEM): outside the region, or taken."""
    region, end = region_of(state, dev.region), start + size - 1
    busy = any(first <= end and start <= last for first, last, _ in _children(state, dev.region))
    if end < start or start < region.start or end > region.end or busy:
        raise Refusal(12, "alloc_dev_dax_range", "dax-no-space")
    state.alloc("alloc_dev_dax_range")
    pages = sum(each.size for each in dev.ranges) >> state.kernel.geometry.PAGE_SHIFT
    used = {each.mapping for each in dev.ranges}
    mapping = next(nr for nr in range(len(used) + 1) if nr not in used)
    return dev._replace(ranges=(*dev.ranges, DaxRange(pages, start, end, mapping)))


def _resized_last(dev: DevDax, size: int) -> DevDax:
    last = dev.ranges[-1]
    return dev._replace(ranges=(*dev.ranges[:-1], last._replace(end=last.start + size - 1)))


def create_store(state: State, key: str, text: str) -> None:
    """Make one more seed in a dynamic region. Raises Refusal: EINVAL (not 1, a static region), ENOSPC (no room)."""
    region = region_of(state, key)
    if region.static or kstrtoint(text, "create_store") != 1:
        raise Refusal(22, "create_store", "dax-static")
    if not dax_region_avail_size(state, key):
        raise Refusal(28, "create_store", "dax-no-space")
    name = devm_create_dev_dax(state, key, 0)
    region = region_of(state, key)
    state.put(state.dax, key, region._replace(seed=region.seed or name, youngest=name))


def delete_store(state: State, key: str, text: str) -> None:
    """Delete an empty device. Raises Refusal: EINVAL (static), ENXIO (unknown), EBUSY (bound, has a size, or number 0)."""
    region, name = region_of(state, key), text.removesuffix("\n")
    if region.static:
        raise Refusal(22, "delete_store", "dax-static")
    dev = state.dax.get(name)
    if not isinstance(dev, DevDax) or dev.region != key:
        raise Refusal(6, "delete_store", "dax-unknown")
    if dev.driver or dev.size or dev.id == 0:
        raise Refusal(16, "delete_store", "dax-busy")
    state.drop(state.dax, name)
    seed = "" if region.seed == name else region.seed
    youngest = "" if region.youngest == name else region.youngest
    state.put(state.dax, key, region._replace(seed=seed, youngest=youngest))


# -- size, mapping, align


def size_store(state: State, name: str, text: str) -> None:
    """Resize an unbound device, in bytes.

    Raises Refusal: EINVAL (not a number, not a multiple of the alignment), EBUSY (bound), ENOSPC (more than the region has
    left), ENXIO (the growth is not a multiple of the alignment).
    """
    size = kstrtoull(text, "size_store")
    dev = dev_dax_of(state, name)
    if not alloc_is_aligned(state, dev, size):
        raise Refusal(22, "size_store", "dax-alignment")
    if dev.driver:
        raise Refusal(16, "dev_dax_resize", "dax-busy")
    if size > dev.size and size - dev.size > dax_region_avail_size(state, dev.region):
        raise Refusal(28, "dev_dax_resize", "dax-no-space")
    if size < dev.size:
        _shrink(state, dev, dev.size - size)
    elif size > dev.size:
        _grow(state, dev, size - dev.size)


def _shrink(state: State, dev: DevDax, to_shrink: int) -> None:
    """``dev_dax_shrink``: take bytes away from the last range backward."""
    while to_shrink:
        last = dev.ranges[-1]
        if to_shrink < last.size:
            dev, to_shrink = _resized_last(dev, last.size - to_shrink), 0
        else:
            dev, to_shrink = dev._replace(ranges=dev.ranges[:-1]), to_shrink - last.size
    put_dev_dax(state, dev)


def _grow(state: State, dev: DevDax, to_alloc: int) -> None:
    """``dev_dax_resize``: the lowest free space first, in as many ranges as it takes; what was added stays on a refusal."""
    if not alloc_is_aligned(state, dev, to_alloc):
        text = f"{dev_driver_string(dev)}: resize of {to_alloc:#018x} misaligned"
        state.log("warn", text, once="dev_dax_resize:misaligned")
        raise Refusal(6, "dev_dax_resize", "dax-alignment", (text,))
    region = region_of(state, dev.region)
    while to_alloc:
        children = _children(state, dev.region)
        if not children:
            put_dev_dax(state, _with_range(state, dev, region.start, to_alloc))
            return
        if children[0][0] > region.start:
            alloc = min(children[0][0] - region.start, to_alloc)
            dev = put_dev_dax(state, _with_range(state, dev, region.start, alloc))
            to_alloc -= alloc
            continue
        for index, (start, end, owner) in enumerate(children):
            limit = children[index + 1][0] if index + 1 < len(children) else region.end + 1
            alloc = min(limit - (end + 1), to_alloc)
            if alloc <= 0:
                continue
            last = dev.ranges[-1] if dev.ranges else None
            if owner == dev.name and last is not None and (last.start, last.end) == (start, end):
                dev = put_dev_dax(state, _resized_last(dev, last.size + alloc))
            else:
                dev = put_dev_dax(state, _with_range(state, dev, end + 1, alloc))
            to_alloc -= alloc
            break
        else:
            raise Refusal(28, "dev_dax_resize", "dax-no-space")


def mapping_store(state: State, name: str, text: str) -> None:
    """Add the range "start-end" (hexadecimal, inclusive) to a device of a dynamic region.

    A misaligned length is taken without a word and without a range, as the kernel does. Raises Refusal: EINVAL (not two
    numbers), ENOMEM (outside the region, or taken).
    """
    start, dash, end = text.removesuffix("\n").partition("-")
    if not dash:
        raise Refusal(22, "range_parse", "attribute-syntax")
    first, last = kstrtoull(start, "range_parse", 16), kstrtoull(end, "range_parse", 16)
    dev = dev_dax_of(state, name)
    size = (last - first + 1) & ((1 << 64) - 1)
    if not alloc_is_aligned(state, dev, size):
        return
    if not size:
        if dev.ranges:
            state.log("warn", f"{dev_driver_string(dev)}: 0-size allocation must be first", once="alloc_dev_dax_range")
            raise Refusal(16, "alloc_dev_dax_range", "dax-no-space")
        return
    put_dev_dax(state, _with_range(state, dev, first, size))


def align_store(state: State, name: str, text: str) -> None:
    """Raises Refusal: ENXIO (not a number), EINVAL (not an alignment, or a range that does not fit it), EBUSY (bound)."""
    try:
        align = kstrtoull(text, "align_store")
    except Refusal:
        raise Refusal(6, "align_store", "dax-alignment") from None
    if not dax_align_valid(state, align):
        raise Refusal(22, "align_store", "dax-alignment")
    dev = dev_dax_of(state, name)
    if dev.driver:
        raise Refusal(16, "align_store", "dax-busy")
    new = dev._replace(align=align)
    if not all(alloc_is_aligned(state, new, each.size) for each in dev.ranges):
        raise Refusal(22, "dev_dax_validate_align", "dax-alignment")
    put_dev_dax(state, new)


def memmap_on_memory_store(state: State, name: str, text: str) -> None:
    """v6.8+. Raises Refusal: EINVAL (not a boolean), EOPNOTSUPP (memmap_on_memory is off), EBUSY (bound to kmem)."""
    value = kstrtobool(text, "memmap_on_memory_store")
    dev = dev_dax_of(state, name)
    if value and state.misc.get("memmap_on_memory", "N") == "N":
        raise Refusal(95, "memmap_on_memory_store", "memmap-on-memory-unsupported")
    if dev.memmap_on_memory != value and dev.driver == KMEM:
        raise Refusal(16, "memmap_on_memory_store", "dax-busy")
    put_dev_dax(state, dev._replace(memmap_on_memory=value))
