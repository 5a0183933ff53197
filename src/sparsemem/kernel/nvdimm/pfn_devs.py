"""``drivers/nvdimm/pfn_devs.c`` and ``dax_devs.c``: fsdax and devdax personalities of a namespace. Bytes; pfns where named so."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sparsemem.kernel.huge_memory import mapped_sizes
from sparsemem.kernel.memremap import memremap_compat_align
from sparsemem.kernel.nvdimm.claim import (
    devm_namespace_disable,
    devm_namespace_enable,
    nd_attach_ndns,
    nd_detach_ndns,
    nvdimm_read_bytes,
    nvdimm_write_bytes,
)
from sparsemem.kernel.nvdimm.core import (
    UUID_NULL,
    dev_printk,
    namespace_of,
    nd_size_select_show,
    nd_size_select_store,
    nd_uuid_store,
    pfn_of,
    put,
    region_of,
)
from sparsemem.kernel.nvdimm.pfn import DAX_SIG, MODES, PFN_SIG, NdPfnSb, checksum_valid, decode, encode
from sparsemem.kernel.nvdimm.pfn_geometry import Geometry, new_geometry
from sparsemem.kernel.nvdimm.types import CCLASS_DAX, CCLASS_NONE, CCLASS_PFN, NdPfn, PfnLayout
from sparsemem.kernel.refusal import Refusal
from sparsemem.kernel.state import VmemAltmap

if TYPE_CHECKING:
    from sparsemem.kernel.nvdimm.types import NdNamespace
    from sparsemem.kernel.state import State

__all__ = [
    "Setup",
    "align_store",
    "mode_store",
    "nd_pfn_create",
    "nd_pfn_probe",
    "nd_pfn_supported_alignments",
    "nd_pfn_validate",
    "nd_region_create_pfn_seed",
    "nvdimm_setup_pfn",
    "resource_show",
    "size_show",
    "supported_alignments_show",
    "uuid_store",
]

_SZ_4K = 4096
_SB_SIZE = 4096


class Setup(NamedTuple):
    """What ``nvdimm_setup_pfn`` makes of an info block: bytes [start, end] to map, where data begins, the altmap, and the alignment that
    the block states."""

    start: int
    end: int
    dataoff: int
    altmap: VmemAltmap | None
    align: int


# -- attributes


def nd_pfn_supported_alignments(state: State) -> tuple[int, ...]:
    """Alignments that a pfn or dax device can be given: a page, a PMD, and a PUD where the architecture maps huge PUDs."""
    return mapped_sizes(state)


def _default_alignment(state: State) -> int:
    return nd_pfn_supported_alignments(state)[:2][-1]


def mode_store(state: State, key: str, text: str) -> None:
    """``pmem``, ``ram`` or ``none``: where the page map goes. Raises Refusal: EBUSY (bound), EINVAL."""
    dev = pfn_of(state, key)
    if dev.driver:
        raise Refusal(16, "mode_store", "namespace-busy")
    n = len(text) - 1  # strncmp() over all but the last character: a word may be cut short by one
    for word in ("pmem", "ram", "none"):
        if (word + "\n")[:n] == text[:n] or word[:n] == text[:n]:
            put(state, dev._replace(mode=word))
            return
    raise Refusal(22, "mode_store", "attribute-syntax")


def align_store(state: State, key: str, text: str) -> None:
    """Raises Refusal: EBUSY (bound), EINVAL (not a supported alignment)."""
    dev = pfn_of(state, key)
    put(state, dev._replace(align=nd_size_select_store(dev.driver, text, nd_pfn_supported_alignments(state))))


def uuid_store(state: State, key: str, text: str) -> None:
    """Raises Refusal: EBUSY (bound), EINVAL (no uuid)."""
    dev = pfn_of(state, key)
    put(state, dev._replace(uuid=nd_uuid_store(state, dev.driver, text)))


def supported_alignments_show(state: State) -> str:
    """The alignments to choose from."""
    return nd_size_select_show(0, nd_pfn_supported_alignments(state))


def resource_show(state: State, key: str) -> str:
    """Where data begins. Raises Refusal(ENXIO) while the device is not bound."""
    dev = pfn_of(state, key)
    if not dev.driver or dev.layout is None:
        raise Refusal(6, "resource_show", "device-disabled")
    return f"{namespace_of(state, dev.ndns).start + dev.layout.start_pad + dev.layout.dataoff:#x}\n"


def size_show(state: State, key: str) -> str:
    """Bytes of data. Raises Refusal(ENXIO) while the device is not bound."""
    dev = pfn_of(state, key)
    if not dev.driver or dev.layout is None:
        raise Refusal(6, "size_show", "device-disabled")
    used = dev.layout.start_pad + dev.layout.end_trunc + dev.layout.dataoff
    return f"{namespace_of(state, dev.ndns).size - used}\n"


# -- devices


def _create(state: State, region: str, kind: str) -> str:
    state.alloc(f"nd_{kind}_alloc")
    prefix, number = f"{kind}{region_of(state, region).id}.", state.nd.lowest_free_number(region, kind)
    dev = NdPfn(f"{prefix}{number}", number, region, kind, "none", _default_alignment(state))
    put(state, dev)
    return dev.key


def nd_pfn_create(state: State, region: str, kind: str) -> str:
    """``nd_pfn_create`` (kind "pfn") and ``nd_dax_create`` ("dax"): a device for user space to configure, on the bus; its name, "" where
    there is no memory for it."""
    from sparsemem.kernel.nvdimm.bus import nd_device_register  # it imports the drivers, which import this

    try:
        key = _create(state, region, kind)
    except Refusal:
        return ""
    nd_device_register(state, key)
    return pfn_of(state, key).name


def nd_region_create_pfn_seed(state: State, region: str, kind: str) -> None:
    """The region gets a new pfn or dax device as its seed."""
    name = nd_pfn_create(state, region, kind)
    dev = region_of(state, region)
    put(state, dev._replace(pfn_seed=name) if kind == "pfn" else dev._replace(dax_seed=name))
    if not name:
        dev_printk(state, "err", region, f"failed to create {kind} namespace")


def nd_pfn_probe(state: State, ndns: NdNamespace, kind: str) -> str:
    """``nd_pfn_probe`` (kind "pfn") and ``nd_dax_probe`` ("dax"): does the medium say that the namespace is one?

    The key of the new device that has the namespace now. Raises Refusal: ENODEV (it does not), and what ``nd_pfn_validate`` says.
    """
    if ndns.force_raw or ndns.claim_class not in (CCLASS_NONE, CCLASS_PFN if kind == "pfn" else CCLASS_DAX):
        raise Refusal(19, f"nd_{kind}_probe", "namespace-mode")
    from sparsemem.kernel.nvdimm.bus import nd_device_register  # it imports the drivers, which import this

    key = _create(state, ndns.region, kind)
    nd_attach_ndns(state, key, ndns.name)
    try:
        nd_pfn_validate(state, key, registered=False)
    except Refusal:
        dev_printk(state, "debug", ndns.name, f"{kind}: <none>")
        nd_detach_ndns(state, key)
        state.drop(state.nd, key)
        raise
    dev_printk(state, "debug", ndns.name, f"{kind}: {pfn_of(state, key).name}")
    nd_device_register(state, key)
    return key


# -- info blocks


def nd_pfn_validate(state: State, key: str, *, registered: bool = True) -> NdPfnSb:
    """Read the namespace's info block and judge it for this device, which takes its settings from it when it has no uuid yet.

    Raises Refusal: ENODEV (none, another's, broken: the device may write its own), ENXIO (no such mode), EOPNOTSUPP (it is valid
    and this kernel cannot use it; EINVAL, EBUSY or ENXIO up to v5.6).
    """
    f, g = state.kernel.features, state.kernel.geometry
    dev = pfn_of(state, key)
    ndns = namespace_of(state, dev.ndns)

    def refuse(errno: int, rule: str, text: str = "", old: int | None = None) -> Refusal:
        if f.raw_fallback_on_bad_info_block and old is not None:
            errno = old
        line = (dev_printk(state, "err", key, text, registered=registered),) if text else ()
        return Refusal(errno, "nd_pfn_validate", rule, line)

    data = nvdimm_read_bytes(state, ndns, _SZ_4K, _SB_SIZE)
    sb = decode(data)
    if sb.signature != (PFN_SIG if dev.type == "pfn" else DAX_SIG) or not checksum_valid(data):
        raise refuse(19, "info-block-none")
    if str(sb.parent_uuid) != (ndns.uuid or UUID_NULL):
        raise refuse(19, "info-block-none")
    start_pad, end_trunc = (sb.start_pad, sb.end_trunc) if sb.version_minor >= 1 else (0, 0)
    align = sb.align if sb.version_minor >= 2 else 0
    page_size, page_struct_size = (sb.page_size, sb.page_struct_size) if sb.version_minor >= 4 else (g.PAGE_SIZE, 64)
    if sb.mode not in (1, 2):
        raise refuse(6, "info-block-settings")
    mode, offset = MODES[sb.mode], sb.dataoff
    if not align:
        align = 1 << (offset.bit_length() - 1) % 64  # ilog2(0) is -1, and shifts by 63
    if f.info_block_minor >= 4 and mode == "pmem":
        if page_size > g.PAGE_SIZE:
            raise refuse(95, "info-block-page-size", f"init failed, page size mismatch {page_size}")
        if page_struct_size < g.sizeof_struct_page:
            raise refuse(95, "info-block-page-size", f"init failed, struct page size mismatch {page_struct_size}")
    signed = align - (align >> 63 << 64)
    if f.info_block_minor >= 4 and dev.type == "dax" and align not in nd_pfn_supported_alignments(state):
        raise refuse(95, "supported-alignment", f"init failed, alignment mismatch: {dev.align}:{signed}")
    if not dev.uuid:
        dev = dev._replace(uuid=str(sb.uuid), align=align, mode=mode)
        put(state, dev)
    else:
        if str(sb.uuid) != dev.uuid:
            raise refuse(19, "info-block-none")
        if dev.align != align or dev.mode != mode:
            refusal = refuse(95, "info-block-settings", "init failed, settings mismatch", 22)
            stated = f"align: {dev.align:x}:{align:x} mode: {MODES.index(dev.mode)}:{sb.mode}"
            dev_printk(state, "debug", key, stated, registered=registered)
            raise refusal
    if align > ndns.size:
        raise refuse(95, "info-block-capacity", f"alignment: {align:x} exceeds capacity {ndns.size:x}", 22)
    if offset >= ndns.size:
        raise refuse(95, "info-block-capacity", f"pfn array size exceeds capacity of {ndns.name}", 16)
    if (ndns.start + offset + start_pad) % align or offset % g.PAGE_SIZE:
        text = f"bad offset: {offset:#x} dax disabled align: {align:#x}"
        raise refuse(95, "info-block-alignment", text, 6)
    if f.memremap_compat_align:
        compat = memremap_compat_align(state)
        if (ndns.start + start_pad) % compat:
            raise refuse(95, "info-block-alignment", "resource start misaligned")
        if (ndns.end + 1 - end_trunc) % compat:
            raise refuse(95, "info-block-alignment", "resource end misaligned")
    if not f.zero_sized_namespace and offset >= ndns.size - start_pad - end_trunc:
        raise refuse(95, "info-block-capacity", "bad offset with small namespace")
    return sb._replace(start_pad=start_pad, end_trunc=end_trunc, align=sb.align if sb.version_minor >= 2 else 0)


def _nd_pfn_init(state: State, key: str) -> NdPfnSb:
    """The info block of this device: the one on the medium, or a new one. Raises Refusal."""
    state.alloc("nd_pfn_init")
    dev = pfn_of(state, key)
    ndns = namespace_of(state, dev.ndns)
    try:
        sb = nd_pfn_validate(state, key)
    except Refusal as refusal:
        if refusal.errno != 19:
            raise
    else:
        _clear_memmap_errors(state, key, ndns, dev.mode, sb.dataoff)
        return sb
    region = region_of(state, dev.region)
    if region.ro:
        line = dev_printk(state, "info", key, f"{region.name} is read-only, unable to init metadata")
        raise Refusal(6, "nd_pfn_init", "region-read-only", (line,))
    geometry: Geometry = new_geometry(state, key, region, ndns, dev)
    f, g = state.kernel.features, state.kernel.geometry
    minor = f.info_block_minor
    data = encode(
        NdPfnSb(
            signature=PFN_SIG if dev.type == "pfn" else DAX_SIG,
            uuid=dev.uuid,
            parent_uuid=ndns.uuid or UUID_NULL,
            version_minor=minor,
            dataoff=geometry.offset,
            npfns=geometry.npfns,
            mode=MODES.index(dev.mode),
            start_pad=geometry.start_pad,
            end_trunc=geometry.end_trunc,
            align=dev.align,
            page_size=g.PAGE_SIZE if minor >= 4 else 0,
            page_struct_size=64 if minor >= 4 else 0,
        )
    )
    _clear_memmap_errors(state, key, ndns, dev.mode, geometry.offset)
    nvdimm_write_bytes(state, ndns, _SZ_4K, data)
    return decode(data)


def _clear_memmap_errors(state: State, key: str, ndns: NdNamespace, mode: str, dataoff: int) -> None:
    """Claim the whole memmap area, as the kernel does to look for bad blocks in it (none are modelled). Raises Refusal(EBUSY)."""
    if mode == "pmem" and state.kernel.features.probe_maps_info_block_only:
        devm_namespace_disable(state, key)
        devm_namespace_enable(state, key, ndns, dataoff)


def nvdimm_setup_pfn(state: State, key: str, reserve: int) -> Setup:
    """What to map for a pfn or dax device: reads or writes its info block. ``reserve``: bytes of the info block area.

    Raises Refusal: ENODEV (no uuid or no namespace), EINVAL, ENXIO, EOPNOTSUPP and others: see ``nd_pfn_validate``.
    """
    dev = pfn_of(state, key)
    if not dev.uuid or not dev.ndns:
        raise Refusal(19, "nvdimm_setup_pfn", "info-block-settings")
    sb = _nd_pfn_init(state, key)
    dev, ndns, g = pfn_of(state, key), namespace_of(state, dev.ndns), state.kernel.geometry
    start, end = ndns.start + sb.start_pad, ndns.end - sb.end_trunc
    if start > end:  # no release asks before v6.6; nothing can be mapped there
        raise Refusal(22, "memremap_pages", "info-block-capacity")
    if dev.mode == "ram":
        if sb.dataoff < reserve:
            raise Refusal(22, "__nvdimm_setup_pfn", "info-block-capacity")
        put(state, dev._replace(layout=PfnLayout(sb.dataoff, sb.start_pad, sb.end_trunc, sb.npfns)))
        return Setup(start, end, sb.dataoff, None, sb.align)
    if dev.mode != "pmem":
        raise Refusal(6, "__nvdimm_setup_pfn", "info-block-settings")
    npfns = (end - start + 1 - sb.dataoff) >> g.PAGE_SHIFT
    if not state.kernel.features.subsection_hotplug:
        npfns = -(-npfns // g.PAGES_PER_SECTION) * g.PAGES_PER_SECTION
    if sb.npfns > npfns:
        dev_printk(state, "info", key, f"number of pfns truncated from {sb.npfns} to {npfns}")
    unit = g.PAGES_PER_SUBSECTION if state.kernel.features.subsection_hotplug else g.PAGES_PER_SECTION
    base = start >> g.PAGE_SHIFT
    aligned = base - base % unit
    altmap = VmemAltmap(
        base_pfn=aligned,
        end_pfn=end >> g.PAGE_SHIFT,
        reserve=(reserve >> g.PAGE_SHIFT) + base - aligned,
        free=(sb.dataoff - reserve) >> g.PAGE_SHIFT,
    )
    put(state, dev._replace(layout=PfnLayout(sb.dataoff, sb.start_pad, sb.end_trunc, npfns)))
    return Setup(start, end, sb.dataoff, altmap, sb.align)
