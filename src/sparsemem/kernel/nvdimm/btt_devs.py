"""``drivers/nvdimm/btt_devs.c``: btt devices, and whether the medium says that a namespace is one. Bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.kernel.nvdimm.btt_bytes import BTT_SIG, IB_FLAG_ERROR_MASK, BttSb, checksum_valid, decode
from sparsemem.kernel.nvdimm.claim import nd_attach_ndns, nd_detach_ndns, nvdimm_read_bytes
from sparsemem.kernel.nvdimm.core import (
    UUID_NULL,
    btt_of,
    dev_printk,
    namespace_of,
    nd_size_select_show,
    nd_size_select_store,
    nd_uuid_store,
    put,
    region_of,
)
from sparsemem.kernel.nvdimm.info_block import SB_SIZE
from sparsemem.kernel.nvdimm.types import CCLASS_BTT, CCLASS_BTT2, CCLASS_NONE, NdBtt
from sparsemem.kernel.refusal import Refusal

if TYPE_CHECKING:
    from sparsemem.kernel.nvdimm.types import NdNamespace
    from sparsemem.kernel.state import State

__all__ = [
    "LBASIZES",
    "initial_offset",
    "nd_btt_arena_is_valid",
    "nd_btt_create",
    "nd_btt_probe",
    "nd_btt_version",
    "nd_region_create_btt_seed",
    "sector_size_show",
    "sector_size_store",
    "size_show",
    "uuid_store",
]

LBASIZES = (512, 520, 528, 4096, 4104, 4160, 4224)
_SZ_4K = 4096
_SZ_16M = 16 << 20


# -- attributes


def sector_size_show(state: State, key: str) -> str:
    """The block sizes to choose from, the current one in brackets."""
    return nd_size_select_show(btt_of(state, key).lbasize, LBASIZES)


def sector_size_store(state: State, key: str, text: str) -> None:
    """Raises Refusal: EBUSY (bound), EINVAL (no number, or not one of them)."""
    dev = btt_of(state, key)
    put(state, dev._replace(lbasize=nd_size_select_store(dev.driver, text, LBASIZES)))


def uuid_store(state: State, key: str, text: str) -> None:
    """Raises Refusal: EBUSY (bound), EINVAL (no uuid)."""
    dev = btt_of(state, key)
    put(state, dev._replace(uuid=nd_uuid_store(state, dev.driver, text)))


def size_show(state: State, key: str) -> str:
    """Bytes of the disk. Raises Refusal(ENXIO) while the device is not bound."""
    dev = btt_of(state, key)
    if not dev.driver:
        raise Refusal(6, "size_show", "device-disabled")
    return f"{dev.size}\n"


# -- devices


def _create(state: State, region: str) -> str:
    state.alloc("__nd_btt_create")
    prefix, number = f"btt{region_of(state, region).id}.", state.nd.lowest_free_number(region, "btt")
    dev = NdBtt(f"{prefix}{number}", number, region)
    put(state, dev)
    return dev.name


def nd_btt_create(state: State, region: str) -> str:
    """A btt device for user space to configure, on the bus; "" where there is no memory for it."""
    from sparsemem.kernel.nvdimm.bus import nd_device_register  # it imports the drivers, which import this

    try:
        key = _create(state, region)
    except Refusal:
        return ""
    nd_device_register(state, key)
    return key


def nd_region_create_btt_seed(state: State, region: str) -> None:
    """The region gets a new btt device as its seed."""
    seed = nd_btt_create(state, region)
    put(state, region_of(state, region)._replace(btt_seed=seed))
    if not seed:
        dev_printk(state, "err", region, "failed to create btt namespace")


# -- info blocks


def nd_btt_arena_is_valid(state: State, key: str, data: bytes, *, registered: bool = True) -> bool:
    """Is this the info block of an arena of the device's namespace? A null parent uuid is anybody's."""
    sb = decode(data)
    ndns = namespace_of(state, btt_of(state, key).ndns)
    if sb.signature != BTT_SIG or sb.parent_uuid not in (UUID_NULL, ndns.uuid or UUID_NULL) or not checksum_valid(data):
        return False
    if sb.flags & IB_FLAG_ERROR_MASK:
        dev_printk(state, "info", key, "Found arena with an error flag", registered=registered)
    return True


def initial_offset(dev: NdBtt) -> int:
    """Where in the namespace the first arena begins: at 4 KiB in v1.1, at 0 in v2.0."""
    return 0 if dev.version == (2, 0) else _SZ_4K


def nd_btt_version(state: State, key: str, ndns: NdNamespace, *, registered: bool = True) -> BttSb | None:
    """Set the layout version that the namespace's claim class asks for (2.0 by a label of abstraction btt v2, else 1.1); the first info
    block if the medium has one of that version."""
    dev = btt_of(state, key)
    version = (2, 0) if ndns.claim_class == CCLASS_BTT2 else (1, 1)
    put(state, dev._replace(version=version))
    data = nvdimm_read_bytes(state, ndns, 0 if version == (2, 0) else _SZ_4K, SB_SIZE)
    if not nd_btt_arena_is_valid(state, key, data, registered=registered):
        return None
    sb = decode(data)
    return sb if (sb.version_major, sb.version_minor) == version else None


def nd_btt_probe(state: State, ndns: NdNamespace) -> str:
    """Does the medium say that the namespace is a BTT? The key of the new device that has the namespace now.

    Raises Refusal: ENODEV (it does not), ENXIO (below 16 MiB), ENOMEM.
    """
    from sparsemem.kernel.nvdimm.bus import nd_device_register  # it imports the drivers, which import this

    if ndns.force_raw or ndns.claim_class not in (CCLASS_NONE, CCLASS_BTT, CCLASS_BTT2):
        raise Refusal(19, "nd_btt_probe", "namespace-mode")
    key = _create(state, ndns.region)
    nd_attach_ndns(state, key, ndns.name)
    ndns = namespace_of(state, ndns.name)
    sb = nd_btt_version(state, key, ndns, registered=False) if ndns.size >= _SZ_16M else None
    dev_printk(state, "debug", ndns.name, f"btt: {key if sb is not None else '<none>'}")
    if sb is None:
        nd_detach_ndns(state, key)
        state.drop(state.nd, key)
        raise Refusal(19 if ndns.size >= _SZ_16M else 6, "nd_btt_probe", "info-block-none")
    put(state, btt_of(state, key)._replace(lbasize=sb.external_lbasize, uuid=sb.uuid))
    nd_device_register(state, key)
    return key
