"""Operations of a virtio-mem device: it is found, and it changes its configuration. Sizes as text, "256M"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.errors import UsageError
from sparsemem.kernel.virtio_mem.driver import (
    VirtioMemConfig,
    VirtioMemParameters,
    virtio_mem_config_changed,
    virtio_mem_probe,
)
from sparsemem.kernel.virtio_mem.table import device_of
from sparsemem.units import parse_size

if TYPE_CHECKING:
    from collections.abc import Callable

    from sparsemem.kernel.state import State
    from sparsemem.machine.operations import Operation

__all__ = ["OPERATIONS", "OPTIONS"]


def _size(op: Operation, name: str, default: str = "0") -> int:
    return parse_size(op.option(name, default))


def _power_of_two(text: str) -> int:
    size = parse_size(text)
    if not size or size & (size - 1):
        raise ValueError(text)
    return size


def _probe(state: State, op: Operation) -> None:
    r, name = op.ranges[0], op.option("virtio", "virtio0")
    if device_of(state, name) is not None:
        raise UsageError(f"{name} is there already", remedy="give the other device a name: virtio=virtio1")
    config = VirtioMemConfig(
        r.start, r.size, _size(op, "block", "2M"), _size(op, "requested"), _size(op, "usable", str(r.size)),
        int(op.option("nid", "0")),
    )  # fmt: skip
    parameters = VirtioMemParameters(
        op.option("unplug_online", "Y") == "Y", op.option("force_bbm", "N") == "Y", _size(op, "bbm_block_size")
    )
    virtio_mem_probe(state, name, config, parameters)


def _resize(state: State, op: Operation) -> None:
    name = op.option("virtio", "virtio0")
    vm = device_of(state, name)
    usable = str(vm.region_size) if vm is not None else "0"
    virtio_mem_config_changed(state, name, _size(op, "requested"), _size(op, "usable", usable))


#: name -> (how it is performed, what it takes), for operations.OPERATIONS
OPERATIONS: dict[str, tuple[Callable[[State, Operation], None], str]] = {
    "virtio_mem": (_probe, "range"),
    "virtio_mem_resize": (_resize, ""),
}

#: option -> how its value is checked
OPTIONS: dict[str, Callable[[str], object]] = {
    "bbm_block_size": parse_size,
    "block": _power_of_two,
    "force_bbm": ("N", "Y").index,
    "requested": parse_size,
    "unplug_online": ("N", "Y").index,
    "usable": parse_size,
    "virtio": str,
}
