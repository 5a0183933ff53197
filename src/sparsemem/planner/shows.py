"""What ndctl and daxctl show of one device on the model, as JSON values: the tools' own code, without what is random."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sparsemem.tools import libdaxctl, libndctl
from sparsemem.tools.daxctl_json import device_json
from sparsemem.tools.ndctl_json import namespace_to_json
from sparsemem.tools.result import Console
from sparsemem.tools.tree import MachineTree

if TYPE_CHECKING:
    from sparsemem.machine.machine import Machine

__all__ = ["dax_shows", "namespace_shows"]

_NAMESPACE = ("mode", "map", "size", "align", "sector_size", "name", "blockdev", "chardev")
_DEVICE = ("size", "align", "mode", "target_node", "online_memblocks", "total_memblocks", "movable")


def namespace_shows(machine: Machine, region: str, name: str, ndctl: tuple[int, ...]) -> dict[str, Any] | None:
    """``ndctl list -N -n NAME``; None where it is not there."""
    context = libndctl.Context(MachineTree(machine), Console(tty=False), ndctl)
    for bus in context.buses():
        for each in bus.regions():
            if each.devname == region:
                found = each.find_namespace(name)
                shown = None if found is None else namespace_to_json(found, frozenset({"dax", "idle"}))
                return None if shown is None else {key: shown[key] for key in _NAMESPACE if key in shown}
    return None


def dax_shows(machine: Machine, name: str, ndctl: tuple[int, ...]) -> dict[str, Any] | None:
    """``daxctl list -d NAME``; None where it is not there."""
    context = libdaxctl.Context(MachineTree(machine), Console(tty=False), ndctl)
    for region in context.regions():
        for dev in region.devices():
            if dev.name == name:
                shown = device_json(dev, frozenset({"devices", "idle"}))
                return {key: shown[key] for key in _DEVICE if key in shown}
    return None
