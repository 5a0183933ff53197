"""QEMU's virtio-mem device: what it takes on the command line and for ``requested-size``, and what it lets the guest use. Bytes.

Learned from QEMU 7.2 by asking it (and from hw/virtio/virtio-mem.c).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sparsemem.machine.memory_devices import ALIGNMENT, DeviceMemory, DimmRefusedError
from sparsemem.units import MIB

if TYPE_CHECKING:
    from sparsemem.ranges import Range

__all__ = ["VirtioMemDevice", "VirtioMemSpec", "plug_virtio_mem"]

_MIN_BLOCK_SIZE = MIB
_DEFAULT_BLOCK_SIZE = 2 * MIB  # the size of a transparent huge page of an x86-64 host
_USABLE_EXTENT = 256 * MIB


class VirtioMemSpec(NamedTuple):
    """A virtio-mem device of the scenario. ``block_size`` None: QEMU's default."""

    size: int
    requested: int = 0
    block_size: int | None = None
    node: int = 0


class VirtioMemDevice(NamedTuple):
    """A device at work. ``usable``: how much of its region the guest may use now, which only grows."""

    name: str
    range: Range
    block_size: int
    requested: int
    usable: int
    node: int = 0

    def resize(self, requested: int) -> VirtioMemDevice:
        """``qom-set requested-size``. Raises DimmRefusedError with QEMU's words."""
        if requested % self.block_size:
            raise DimmRefusedError(f"'requested-size' has to be multiples of 'block-size' ({self.block_size:#x})")
        if requested > self.range.size:
            raise DimmRefusedError(f"'requested-size' cannot exceed the memory backend size({self.range.size:#x})")
        usable = max(self.usable, _usable(self.range.size, self.block_size, requested))
        return self._replace(requested=requested, usable=usable)


def _usable(size: int, block_size: int, requested: int) -> int:
    """A little more than is requested, so that a guest can add whole memory blocks."""
    return -(-min(size, requested + _USABLE_EXTENT) // block_size) * block_size if requested else 0


def plug_virtio_mem(devices: DeviceMemory, name: str, spec: VirtioMemSpec) -> tuple[DeviceMemory, VirtioMemDevice]:
    """The device of the command line. Raises DimmRefusedError with the words of the first check that fails.

    That more is requested than there is room for, QEMU sees only when it is changed.
    """
    block = _DEFAULT_BLOCK_SIZE if spec.block_size is None else spec.block_size
    if block < _MIN_BLOCK_SIZE:
        raise DimmRefusedError(f"'block-size' property has to be at least {_MIN_BLOCK_SIZE:#x}")
    if block & (block - 1):
        raise DimmRefusedError("'block-size' property has to be a power of two")
    devices, plugged = devices.plug_virtio_mem(name, spec.size, max(block, ALIGNMENT), spec.node)
    if spec.node >= devices.nodes:
        words = f"'node' property has value '{spec.node}', which exceedsthe number of numa nodes: {devices.nodes}"
        raise DimmRefusedError(words)
    if spec.requested % block:
        raise DimmRefusedError(f"'requested-size' property has to be multiples of 'block-size' ({block:#x})")
    usable = _usable(spec.size, block, spec.requested)
    return devices, VirtioMemDevice(name, plugged.range, block, spec.requested, usable, spec.node)
