"""``state.nd`` with indexes: the buses, regions and DIMMs, the children of each region, and who has a block device.

They follow every write to the table, undo included, so that finding a device costs the same with ten namespaces and ten thousand.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Any

from sparsemem.kernel.nvdimm.types import NdBtt, NdNamespace, NdPfn, NdRegion, Nvdimm, NvdimmBus

__all__ = ["NdTable"]

_CHILDREN = (NdNamespace, NdPfn, NdBtt)


def _kind(dev: Any) -> str:
    return "namespace" if isinstance(dev, NdNamespace) else "btt" if isinstance(dev, NdBtt) else str(dev.type)


class _Numbers:
    """Which numbers are taken: ``free`` has every number below ``top`` that is not, and some that are."""

    __slots__ = ("free", "taken", "top")

    def __init__(self) -> None:
        self.taken: set[int] = set()
        self.free: list[int] = []
        self.top = 0

    def add(self, number: int) -> None:
        self.taken.add(number)
        while self.top <= number:
            if self.top != number:
                heappush(self.free, self.top)
            self.top += 1

    def remove(self, number: int) -> None:
        self.taken.discard(number)
        heappush(self.free, number)

    def lowest(self) -> int:
        while self.free and self.free[0] in self.taken:
            heappop(self.free)
        return self.free[0] if self.free else self.top


class NdTable(dict[str, Any]):
    """The devices of libnvdimm by key. Do not change the indexes; write through ``State.put`` and ``State.drop``.

    ``children``: region -> keys of its namespaces, btt, pfn and dax devices, in the order they were made; ``disks``: block
    device name -> key; ``bus_devices``: bus -> keys of its DIMMs and regions; ``uuids``: uuid -> keys of the children that have it.
    """

    __slots__ = ("_numbers", "bus_devices", "buses", "children", "dimms", "disks", "regions", "uuids")

    def __init__(self) -> None:
        super().__init__()
        self.buses: dict[str, None] = {}
        self.regions: dict[str, None] = {}
        self.dimms: dict[str, None] = {}
        self.children: dict[str, dict[str, None]] = {}
        self.bus_devices: dict[str, dict[str, None]] = {}
        self.disks: dict[str, str] = {}
        self.uuids: dict[str, dict[str, None]] = {}
        self._numbers: dict[tuple[str, str], _Numbers] = {}

    def lowest_free_number(self, region: str, kind: str) -> int:
        """``ida_simple_get`` of a region: the number of its next "namespace", "btt", "pfn" or "dax"."""
        numbers = self._numbers.get((region, kind))
        return 0 if numbers is None else numbers.lowest()

    def _top(self, dev: Any) -> dict[str, None] | None:
        if isinstance(dev, NvdimmBus):
            return self.buses
        if isinstance(dev, NdRegion):
            return self.regions
        return self.dimms if isinstance(dev, Nvdimm) else None

    def _appear(self, key: str, dev: Any) -> None:
        top = self._top(dev)
        if top is not None:
            top[key] = None
            if not isinstance(dev, NvdimmBus):
                self.bus_devices.setdefault(dev.bus, {})[key] = None
        elif isinstance(dev, _CHILDREN):
            self.children.setdefault(dev.region, {})[key] = None
            self._numbers.setdefault((dev.region, _kind(dev)), _Numbers()).add(dev.id)
            self._values(key, dev)

    def _values(self, key: str, dev: Any) -> None:
        if dev.disk:
            self.disks[dev.disk] = key
        if dev.uuid:
            self.uuids.setdefault(dev.uuid, {})[key] = None

    def _forget(self, key: str, dev: Any) -> None:
        """What depends on the values of a device."""
        if dev.disk and self.disks.get(dev.disk) == key:
            del self.disks[dev.disk]
        if dev.uuid:
            keys = self.uuids[dev.uuid]
            keys.pop(key, None)
            if not keys:
                del self.uuids[dev.uuid]

    def _vanish(self, key: str, dev: Any) -> None:
        top = self._top(dev)
        if top is not None:
            top.pop(key, None)
            if not isinstance(dev, NvdimmBus):
                self.bus_devices[dev.bus].pop(key, None)
        elif isinstance(dev, _CHILDREN):
            self.children[dev.region].pop(key, None)
            self._numbers[dev.region, _kind(dev)].remove(dev.id)
            self._forget(key, dev)

    def __setitem__(self, key: str, dev: Any) -> None:
        old = self.get(key)
        super().__setitem__(key, dev)
        if old is None:
            self._appear(key, dev)
        elif isinstance(dev, _CHILDREN) and dev.region == old.region:
            if dev.disk != old.disk or dev.uuid != old.uuid:
                self._forget(key, old)
                self._values(key, dev)
        elif (
            type(dev) is not type(old) or isinstance(dev, _CHILDREN) or getattr(dev, "bus", 0) != getattr(old, "bus", 0)
        ):
            self._vanish(key, old)
            self._appear(key, dev)

    def pop(self, key: str, *default: Any) -> Any:
        """As ``dict.pop``."""
        old = super().pop(key, *default)
        if old is not None:
            self._vanish(key, old)
        return old

    def __delitem__(self, key: str) -> None:
        self.pop(key)
