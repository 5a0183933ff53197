"""The inputs that checks declare, and the words for a machine that does not tell them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.doctor.check import Need

if TYPE_CHECKING:
    from sparsemem.doctor.context import Context

__all__ = [
    "ADDRESSES", "AUTO_ONLINE", "BLOCKS", "BLOCK_SIZE", "CXL_DEVICES", "DAX", "INFO_BLOCKS", "IOMEM", "LABELS", "NAMESPACES", "OWN_KERNEL",
    "REGIONS", "STATES", "TREE",
]  # fmt: skip


def _addresses(ctx: Context) -> str | None:
    """Where device memory lies is known from iomem, sysfs or a listing; without any of them there is no telling."""
    d = ctx.description
    if d is None or d.iomem is not None or ctx.devices or d.boot_map:
        return None
    return "no addresses of devices are known (no /proc/iomem, or without root)"


def _regions(ctx: Context) -> str | None:
    return "a layout line without nd_region tells nothing of regions" if ctx.description is None else None


def _namespaces(ctx: Context) -> str | None:
    if ctx.description is None:
        return "a layout line tells nothing of namespaces"
    facts = ctx.description.namespaces
    if facts and all(fact.range is None for fact in facts):
        return f"the addresses of {', '.join(fact.dev for fact in facts[:4])} are not known"
    return None


def _block_size(ctx: Context) -> str | None:
    if ctx.block_size_sure:
        return None
    if ctx.description is not None and not ctx.description.tells_ram:
        return "cannot tell the memory block size: where RAM ends is not known"
    return "cannot tell the memory block size: with 64 GiB or more it depends on whether this is a virtual machine, which is not known"


def _dax(ctx: Context) -> str | None:
    return "a layout line tells nothing of dax devices" if ctx.description is None else None


def _cxl(ctx: Context) -> str | None:
    return "a layout line tells nothing of CXL memory devices" if ctx.description is None else None


def _iomem(ctx: Context) -> str | None:
    d = ctx.description
    return None if d is None or d.iomem is not None else "there is no /proc/iomem with addresses"


def _blocks(ctx: Context) -> str | None:
    d = ctx.description
    return None if d is not None and d.blocks and d.block_size else "the states of the memory blocks are not known"


def _states(ctx: Context) -> str | None:
    d = ctx.description
    if d is not None and any(dax.blocks is not None for dax in d.dax):
        return None
    return _blocks(ctx)


def _auto_online(ctx: Context) -> str | None:
    known = ctx.description is not None and ctx.description.auto_online is not None
    return None if known else "auto_online_blocks was not read"


def _labels(ctx: Context) -> str | None:
    if ctx.description is not None and ctx.description.label_areas:
        return None
    return "no label area was captured (ndctl read-labels -o nmem0.labels nmem0)"


def _info_blocks(ctx: Context) -> str | None:
    if ctx.description is not None and ctx.description.info_blocks:
        return None
    return "no info block was captured (ndctl read-infoblock -o namespace0.0.infoblock namespace0.0)"


def _own_kernel(ctx: Context) -> str | None:
    return None if ctx.states else "the state of this machine says nothing of another kernel's"


ADDRESSES = Need("addresses of device memory", _addresses, comes_first=True)
REGIONS = Need("libnvdimm regions", _regions)
NAMESPACES = Need("namespaces with addresses", _namespaces)
BLOCK_SIZE = Need("the memory block size", _block_size)
DAX = Need("dax devices", _dax)
CXL_DEVICES = Need("CXL memory devices", _cxl)
IOMEM = Need("/proc/iomem", _iomem)
TREE = Need("/proc/iomem (CXL windows, soft-reserved memory, virtio-mem)", _iomem, comes_first=True)
BLOCKS = Need("memory blocks with their states", _blocks)
STATES = Need("memory blocks with their states, or a listing that counts them", _states)
AUTO_ONLINE = Need("auto_online_blocks", _auto_online)
LABELS = Need("label areas", _labels)
INFO_BLOCKS = Need("info blocks", _info_blocks)
OWN_KERNEL = Need("the machine's own kernel", _own_kernel)
