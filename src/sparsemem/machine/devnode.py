"""Device nodes below ``/dev``: the bytes of a pmem block device, and the label area of a DIMM through its ioctls.

Writes have a text form, so that they are operations like any other: ``pwrite OFFSET HEX`` and ``pwrite OFFSET zero SIZE``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sparsemem.kernel.dax.types import DEVICE_DAX, DevDax
from sparsemem.kernel.nvdimm.types import NdBtt, NdNamespace, NdPfn, NdRegion, Nvdimm
from sparsemem.machine.sysfs_error import SysfsError

if TYPE_CHECKING:
    from sparsemem.kernel.state import State

__all__ = [
    "exists",
    "handles",
    "label_area_size",
    "listdir",
    "paths",
    "pread",
    "pwrite_text",
    "readlink",
    "roots",
    "show",
    "store",
    "writable",
]

_PAGE = 4096
_LABEL_BLOCK = 256
_WRITE = re.compile(r"pwrite (\d+) (?:zero (\d+)|((?:[0-9a-f]{2})+))")
_ENOENT, _EIO, _EBUSY, _EINVAL, _ENOTTY, _ENOSPC = 2, 5, 16, 22, 25, 28


def handles(path: str) -> bool:
    """Is that a device node?"""
    return path.startswith("/dev/")


def _nodes(state: State) -> list[str]:
    nd, dax = (
        state.nd,
        (name for name, each in state.dax.items() if isinstance(each, DevDax) and each.driver == DEVICE_DAX),
    )
    return sorted([*nd.disks, *nd.dimms, *(f"ndctl{nd[name].id}" for name in nd.buses), *dax])


def roots(state: State) -> list[str]:
    """The nodes."""
    return [f"/dev/{name}" for name in _nodes(state)]


paths = roots


def exists(state: State, path: str) -> bool:
    """Is there such a node?"""
    name = path.removeprefix("/dev/")
    if name in state.nd.disks or name in state.nd.dimms:
        return True
    if name.startswith("ndctl"):
        return f"ndbus{name[5:]}" in state.nd.buses
    dev = state.dax.get(name)
    return isinstance(dev, DevDax) and dev.driver == DEVICE_DAX


def listdir(state: State, path: str) -> list[str] | None:
    """Nodes are no directories."""
    return None


def readlink(state: State, path: str) -> str | None:
    """Nodes are no links."""
    return None


def writable(path: str) -> bool:
    """Nodes are not attributes that one echoes to."""
    return False


def show(state: State, path: str) -> str:
    """Their bytes are no text: SysfsError ENOENT, or EINVAL for a node."""
    raise SysfsError(_EINVAL if exists(state, path) else _ENOENT, path)


def label_area_size(state: State, nmem: str) -> int:
    """Bytes of the label area (ND_CMD_GET_CONFIG_SIZE). SysfsError: ENOENT, ENOTTY without one."""
    dimm = state.nd.get(nmem)
    if not isinstance(dimm, Nvdimm):
        raise SysfsError(_ENOENT, f"/dev/{nmem}")
    if not dimm.config_size:
        raise SysfsError(_ENOTTY, f"/dev/{nmem}")
    return dimm.config_size


def _extent(state: State, path: str) -> tuple[str, int, int, int]:
    """``(media name, block size, where the device starts in it, its size)``. SysfsError ENOENT."""
    name = path.removeprefix("/dev/")
    if isinstance(state.nd.get(name), Nvdimm):
        return f"{name}:label", _LABEL_BLOCK, 0, label_area_size(state, name)
    device: NdNamespace | NdPfn | NdBtt | None = state.nd.get(state.nd.disks.get(name, ""))
    if device is None:
        raise SysfsError(_ENOENT, path)
    if isinstance(device, NdBtt):
        return f"btt:{device.uuid}", _PAGE, 0, device.size  # a medium of its own: its map is not followed
    ndns: NdNamespace = device if isinstance(device, NdNamespace) else state.nd[device.ndns]
    region: NdRegion = state.nd[device.region]
    start, size = ndns.start - region.ndr_start, ndns.size
    if isinstance(device, NdPfn) and device.layout is not None:
        start += device.layout.dataoff + device.layout.start_pad
        size -= device.layout.dataoff + device.layout.start_pad + device.layout.end_trunc
    return device.region, _PAGE, start, size


def pread(state: State, path: str, offset: int, size: int) -> bytes:
    """Bytes of a node; fewer at its end. SysfsError: ENOENT, ENOTTY."""
    media, block, start, length = _extent(state, path)
    end = start + min(offset + size, length)
    parts = []
    at = start + offset
    while at < end:
        base = at - at % block
        upto = min(base + block, end)
        page = state.media.get((media, base), bytes(block))
        parts.append(page[at - base : upto - base])
        at = upto
    return b"".join(parts)


def pwrite_text(offset: int, data: bytes) -> str:
    """What ``store`` takes to write those bytes."""
    return f"pwrite {offset} {data.hex()}" if any(data) else f"pwrite {offset} zero {len(data)}"


def store(state: State, path: str, text: str) -> None:
    """Write to a node. SysfsError: ENOENT, EINVAL (not a write), ENOSPC (past the end), EBUSY (labels of an active DIMM)."""
    media, block, start, length = _extent(state, path)
    match = _WRITE.fullmatch(text.strip())
    if match is None:
        raise SysfsError(_EINVAL, path)
    data = bytes(int(match[2])) if match[2] else bytes.fromhex(match[3])
    offset = int(match[1])
    if offset + len(data) > length:
        raise SysfsError(_EINVAL if block == _LABEL_BLOCK else _ENOSPC, path)
    if block == _LABEL_BLOCK and state.nd[path.removeprefix("/dev/")].busy:
        raise SysfsError(_EBUSY, path)  # nd_cmd_clear_to_send()
    at = start + offset
    done = 0
    while done < len(data):
        base = at - at % block
        upto = min(base + block, at + len(data) - done)
        piece = data[done : done + upto - at]
        old = state.media.get((media, base), bytes(block))
        new = old[: at - base] + piece + old[upto - base :]
        if new != old:
            if any(new):
                state.put(state.media, (media, base), new)
            else:
                state.drop(state.media, (media, base))
        done += upto - at
        at = upto
