"""What the tools show of one device on the model, as JSON values: their own code, without what is random."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sparsemem.tools import libdaxctl
from sparsemem.tools.daxctl_json import device_json
from sparsemem.tools.result import Console
from sparsemem.tools.tree import MachineTree

if TYPE_CHECKING:
    from sparsemem.machine.machine import Machine

__all__ = ["DEVICE_KEYS", "NAMESPACE_KEYS", "dax_shows"]

NAMESPACE_KEYS = ("mode", "map", "size", "align", "sector_size", "name", "blockdev", "chardev")
"""Of what ``ndctl create-namespace`` prints and ``ndctl list -N`` shows: all that the command decides."""
DEVICE_KEYS = ("size", "align", "mode", "target_node", "online_memblocks", "total_memblocks", "movable")


def dax_shows(machine: Machine, name: str, ndctl: tuple[int, ...]) -> dict[str, Any] | None:
    """``daxctl list -d NAME``; None where it is not there."""
    context = libdaxctl.Context(MachineTree(machine), Console(tty=False), ndctl)
    for region in context.regions():
        for dev in region.devices():
            if dev.name == name:
                shown = device_json(dev, frozenset({"devices", "idle"}))
                return {key: shown[key] for key in DEVICE_KEYS if key in shown}
    return None
