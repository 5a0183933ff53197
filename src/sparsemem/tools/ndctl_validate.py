"""``validate_namespace_options`` of ndctl/namespace.c: what a region, its seeds and a namespace allow, before anything is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sparsemem.tools.libndctl_base import EINVAL, ENXIO, ULLONG_MAX
from sparsemem.tools.libndctl_namespace import NS_IO
from sparsemem.tools.ndctl_filter import nsmode
from sparsemem.tools.ndctl_params import uuid_valid
from sparsemem.tools.options import parse_size64, parse_size_units

if TYPE_CHECKING:
    from sparsemem.tools.libndctl import Region
    from sparsemem.tools.libndctl_devices import Pfn
    from sparsemem.tools.libndctl_namespace import Namespace
    from sparsemem.tools.ndctl_params import Run

__all__ = ["EAGAIN", "ENODEV", "Parsed", "do_setup_pfn", "validate_available_capacity", "validate_namespace_options"]

EAGAIN, ENODEV = 11, 19
_4K, _2M, _16M, _1G = 1 << 12, 1 << 21, 1 << 24, 1 << 30
_NAME_LEN = 64
_SUFFIX = {1 << 10: "K", 1 << 20: "M", 1 << 30: "G", 1 << 40: "T"}
_HERE = "validate_namespace_options"


@dataclass
class Parsed:
    """``struct parsed_parameters``: sizes in bytes; ``sector_size`` None is UINT_MAX, what the kernel picks."""

    mode: str = "raw"
    loc: str = "none"
    uuid: str = ""
    name: str = ""
    size: int = 0
    units: int = 1
    default_size: bool = False
    sector_size: int | None = 0
    align: int = 0
    autolabel: bool = True
    autorecover: bool = True


def do_setup_pfn(ndns: Namespace | None, p: Parsed) -> bool:
    """Does fsdax take a pfn device here?"""
    return p.mode == "fsdax" and (ndns is None or ndns.mode != "fsdax" or p.loc == "pmem")


def validate_available_capacity(run: Run, region: Region, p: Parsed, where: tuple[str, int]) -> int:
    """Is there room? Without a size, all the room there is."""
    if region.nstype == NS_IO and run.features.labelless_create:
        available = region.size
    else:
        available = region.max_available_extent() if run.features.max_available_extent else ULLONG_MAX
        if available == ULLONG_MAX:
            available = region.available_size()
    if not available or p.size > available:
        run.debug(*where, f"{region.devname}: insufficient capacity size: {p.size:x} avail: {available:x}")
        return -EAGAIN
    if p.size == 0:
        p.size = available
    return 0


def _capacity(run: Run, region: Region, ndns: Namespace | None, p: Parsed) -> int:
    size = run.text("size")
    if size is not None:
        p.size, p.units = parse_size_units(size)
    elif ndns is not None:
        p.size = ndns.size
    else:
        p.default_size = True
    if ndns is None and run.features.size_in_validate:
        rc = validate_available_capacity(run, region, p, ("validate_available_capacity", 623))
        if rc:
            return rc
    if run.features.refuses_label_less_size and region.nstype == NS_IO and p.size != region.size:
        run.error("Legacy / label-less namespaces do not support sub-dividing a region")
        run.error("Retry without -s/--size=")
        return -EINVAL
    return 0


def _identity(run: Run, ndns: Namespace | None, p: Parsed) -> int:
    uuid = run.text("uuid")
    if uuid is not None and not uuid_valid(uuid):
        run.err(_HERE, 698, f"{_HERE}: invalid uuid")
        return -EINVAL
    p.uuid = run.context.tree.fresh_uuid() if uuid is None else uuid.lower()
    name = run.text("name")
    p.name = ndns.alt_name if name is None and ndns is not None else name or ""
    if len(p.name.encode()) >= _NAME_LEN:
        run.err(_HERE, 710, f"{_HERE}: alt name overflow")
        return -EINVAL
    return 0


def _mode(run: Run, region: Region, ndns: Namespace | None, p: Parsed) -> tuple[int, Pfn | None]:
    """The mode, and the seed that it takes."""
    mode = run.text("mode")
    if mode is not None:
        p.mode = nsmode(mode) or ""
        if not region.is_pmem and p.mode in ("fsdax", "devdax"):
            run.err(_HERE, 719, f"blk {region.devname} does not support {p.mode} mode")
            return -EAGAIN, None
    elif ndns is not None:
        p.mode = ndns.mode
    seed = None
    if p.mode == "fsdax":
        seed = region.pfn_seed()
        if seed is None and run.mode_default:
            run.err(_HERE, 729, f"{region.devname} fsdax mode not available")
            p.mode = "raw"
    elif p.mode == "devdax":
        seed = region.dax_seed()
        if seed is None:
            run.error("Kernel does not support devdax mode")
            return -ENODEV, None
    return 0, seed


def _given_align(run: Run, region: Region, p: Parsed, seed: Pfn | None, text: str) -> int:
    if not run.features.seed_alignment:
        return _given_align_of_old(run, region, p, text)
    if p.mode == "fsdax" and seed is None:
        run.error("Kernel does not support setting an alignment in fsdax mode")
        return -EINVAL
    if seed is None:
        run.error(f"{p.mode} mode does not support setting an alignment")
        return -ENXIO
    p.align = parse_size64(text)
    if p.align not in seed.alignments.supported:
        run.error(f"unsupported align: {text}")
        return -ENXIO
    return 0


def _given_align_of_old(run: Run, region: Region, p: Parsed, text: str) -> int:
    """Before v64: 2M unless given, and 4K, 2M or 1G."""
    default = run.on("align_default")
    p.align = parse_size64(text)
    pfn, dax = region.pfn_seed(), region.dax_seed()
    if p.mode == "fsdax" and p.align != _2M and (pfn is None or not pfn.has_align()):
        run.debug(_HERE, 537, f"{region.devname} not support 'align' for fsdax mode")
        return -EAGAIN
    if p.mode == "devdax" and (dax is None or not dax.has_align()):
        run.debug(_HERE, 546, f"{region.devname} not support 'align' for devdax mode")
        return -EAGAIN
    if not default and p.mode in ("sector", "raw"):
        run.error(f"{p.mode} mode does not support setting an alignment")
        return -ENXIO
    resource = region.resource()
    if default and resource < ULLONG_MAX and resource & (_2M - 1):
        run.debug(_HERE, 570, f"{region.devname}: falling back to a 4K alignment")
        p.align = _4K
    if p.align not in (_4K, _2M, _1G):
        run.error(f"unsupported align: {text}")
        return -ENXIO
    return 0


def _default_align(run: Run, region: Region, ndns: Namespace | None, p: Parsed, seed: Pfn | None) -> None:
    page = run.context.page_size
    if ndns is not None and run.features.keeps_alignment and p.mode == ndns.mode:
        holder = ndns.pfn() or ndns.dax()
        p.align = page if holder is None else holder.align
    elif p.mode == "fsdax":
        p.align = seed.align if seed is not None and seed.has_align() else _2M
    elif p.mode == "devdax" and seed is not None:
        p.align = seed.align
    else:
        p.align = page
    resource = region.resource()
    if resource < ULLONG_MAX and resource & (p.align - 1):
        run.debug(_HERE, 834, f"{region.devname}: falling back to a page alignment")
        p.align = page


def _size(run: Run, region: Region, p: Parsed) -> int:
    align = region.align if run.features.region_align else None
    if align is not None and p.size % align:
        run.err(_HERE, 842, f"{region.devname}: align setting is {align:#x} size {p.size:#x} is misaligned")
        return -EINVAL
    old = not run.features.seed_alignment
    size_align = _4K if old and p.mode in ("raw", "sector") else p.align
    ways = region.ways
    if size_align and p.size % (size_align * ways):
        unit = max(p.units, size_align) * ways
        count = p.size // unit + 1
        if run.features.size_overflow_check and count > ULLONG_MAX // unit:
            run.err(_HERE, 873, f"size overflow: {count} * {unit} exceeds ULLONG_MAX")
            return -EINVAL
        p.size = (count * unit & ULLONG_MAX) // p.units
        lead = "  " if old else ""
        words = (
            f"'--size=' must align to interleave-width: {ways} and alignment: {p.align}\n"
            f"{lead}did you intend --size={p.size}{_SUFFIX.get(p.units, '')}?"
        )
        if run.features.errors_with_reason:
            run.err(_HERE, 873, words)
        else:
            run.error(words)
        return -EINVAL
    if run.features.minimum_16m and p.size < _16M and p.mode != "raw":
        if p.default_size:
            run.debug(_HERE, 885, f"{region.devname}: insufficient capacity for mode: {p.mode}")
            return -EAGAIN
        run.error(f"'--size=' must be >= 16MiB for '{p.mode}' mode")
        return -EINVAL
    return 0


def _given_sector_size(run: Run, region: Region, ndns: Namespace | None, p: Parsed, text: str) -> int:
    p.sector_size = parse_size64(text)
    btt = region.btt_seed()
    if p.mode == "sector":
        if btt is None:
            run.err(_HERE, 902, f"{region.devname}: does not support 'sector' mode")
            return -EINVAL
        if p.sector_size not in btt.lbasize.supported:
            run.err(_HERE, 912, f"{region.devname}: does not support btt sector_size {p.sector_size}")
            return -EINVAL
        return 0
    seed = ndns or region.namespace_seed()
    if seed is None:
        run.err(_HERE, 922, f"{region.devname}: failed to get seed")
        return -ENXIO
    if p.sector_size not in seed.lbasize.supported:
        run.err(_HERE, 932, f"{region.devname}: does not support namespace sector_size {p.sector_size}")
        return -EINVAL
    return 0


def _sector_size(run: Run, region: Region, ndns: Namespace | None, p: Parsed) -> int:
    text = run.text("sector_size")
    if text is not None:
        return _given_sector_size(run, region, ndns, p, text)
    if ndns is not None:
        btt = ndns.btt()
        p.sector_size = btt.sector_size if btt is not None and p.mode == "sector" else ndns.sector_size
        return 0
    seed = region.namespace_seed()
    if seed is None:
        run.err(_HERE, 954, f"{region.devname}: failed to get seed")
        return -ENXIO
    p.sector_size = 512 if seed.lbasize.num else None
    return 0


def _location(run: Run, region: Region, ndns: Namespace | None, p: Parsed, seed: Pfn | None) -> int:
    where, dax = run.text("map"), p.mode in ("fsdax", "devdax")
    if where is not None:
        p.loc = "ram" if where == "mem" else "pmem"
        if ndns is not None and not dax:
            run.err(_HERE, 978, f"{ndns.devname}: --map= only valid for fsdax mode namespace")
            return -EINVAL
    elif dax:
        p.loc = "pmem"
    if (seed is None or p.mode != "fsdax") and do_setup_pfn(ndns, p):
        run.error(f"operation failed, {region.devname} cannot support requested mode")
        return -EINVAL
    return 0


def validate_namespace_options(run: Run, region: Region, ndns: Namespace | None) -> tuple[int, Parsed]:
    """Fill in what ``setup_namespace`` needs; ``ndns`` is the namespace to set up anew. 0 or a negative errno: EAGAIN passes on."""
    p = Parsed()
    if not region.is_enabled:
        run.debug(_HERE, 663, f"{region.devname}: disabled, skipping...")
        return -EAGAIN, p
    rc = _capacity(run, region, ndns, p) or _identity(run, ndns, p)
    if rc:
        return rc, p
    rc, seed = _mode(run, region, ndns, p)
    if rc:
        return rc, p
    text = run.text("align")
    if text is not None:
        rc = _given_align(run, region, p, seed, text)
    else:
        _default_align(run, region, ndns, p, seed)
    rc = rc or _size(run, region, p) or _sector_size(run, region, ndns, p) or _location(run, region, ndns, p, seed)
    p.autolabel, p.autorecover = run.on("autolabel"), run.on("autorecover")
    return rc, p
