"""A block device's bytes, and who has it open: what mounting and making a file system need of drivers/nvdimm and block/bdev.c."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.kernel.nvdimm import media
from sparsemem.kernel.nvdimm.core import namespace_of, region_of
from sparsemem.kernel.nvdimm.pmem import capacity
from sparsemem.kernel.nvdimm.types import NdBtt, NdPfn

if TYPE_CHECKING:
    from sparsemem.kernel.state import State

__all__ = ["bdev_dax_supported", "block_sizes", "claim", "claims", "flushes", "read", "release", "size_of"]

_CLAIMS = "claims"


def _place(state: State, disk: str) -> tuple[str, int]:
    """Medium, and where the device starts in it. A btt has a medium of its own: its map is not followed."""
    dev = state.nd[state.nd.disks[disk]]
    if isinstance(dev, NdBtt):
        return f"btt:{dev.uuid}", 0
    ndns = namespace_of(state, dev.ndns) if isinstance(dev, NdPfn) else dev
    start: int = ndns.start - region_of(state, dev.region).ndr_start
    if isinstance(dev, NdPfn) and dev.layout is not None:
        start += dev.layout.dataoff + dev.layout.start_pad
    return dev.region, start


def size_of(state: State, disk: str) -> int:
    """Bytes of a block device."""
    return capacity(state, state.nd.disks[disk])


def flushes(state: State, disk: str) -> bool:
    """False: what is written gets there, but the host answers a flush with an error."""
    return not region_of(state, state.nd[state.nd.disks[disk]].region).flush_fails


def read(state: State, disk: str, offset: int, size: int) -> bytes:
    """Bytes of a block device; fewer at its end."""
    medium, start = _place(state, disk)
    return media.read(state, medium, start + offset, max(0, min(size, size_of(state, disk) - offset)))


def block_sizes(state: State, disk: str) -> tuple[int, int]:
    """``(logical, physical)`` block size in bytes."""
    dev = state.nd[state.nd.disks[disk]]
    if isinstance(dev, NdBtt):
        size = 4096 if dev.lbasize >= 4096 else 512
        return size, size
    logical = dev.lbasize if not isinstance(dev, NdPfn) else namespace_of(state, dev.ndns).lbasize
    return (logical or 512), state.kernel.geometry.PAGE_SIZE


def bdev_dax_supported(state: State, disk: str, blocksize: int) -> bool:
    """Blocks are pages, and the driver mapped pages for the device: not for btt, nor raw namespaces of most regions."""
    dev = state.nd[state.nd.disks[disk]]
    if isinstance(dev, NdBtt) or blocksize != state.kernel.geometry.PAGE_SIZE:
        return False
    if isinstance(dev, NdPfn) and dev.layout is not None and dev.layout.start_pad:
        return False  # the data offset counts from before the pad: sector 0 is not found (commit ae86cbfef381 and its end in v5.3)
    return any(each.kind == "pages" for each in dev.devres)


def claims(state: State) -> frozenset[tuple[str, str]]:
    """``(disk, holder)`` of every exclusive open."""
    found: frozenset[tuple[str, str]] = state.misc.get(_CLAIMS, frozenset())
    return found


def claim(state: State, disk: str, holder: str) -> None:
    """Note a holder."""
    state.put(state.misc, _CLAIMS, claims(state) | {(disk, holder)})


def release(state: State, disk: str, holder: str) -> None:
    """Forget a holder; nothing when it is none."""
    left = claims(state) - {(disk, holder)}
    if left:
        state.put(state.misc, _CLAIMS, left)
    else:
        state.drop(state.misc, _CLAIMS)
