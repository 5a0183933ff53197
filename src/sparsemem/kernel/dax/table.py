"""``state.dax`` with indexes: the regions by the path of the device that backs them, and the devices of each region.

They follow every write to the table, undo included.
"""

from __future__ import annotations

from typing import Any

from sparsemem.kernel.dax.types import DaxRegion, DevDax

__all__ = ["DaxTable"]


class DaxTable(dict[str, Any]):
    """Dax regions and devices by key. Do not change the indexes; write through ``State.put`` and ``State.drop``.

    ``regions``: path of the backing device -> key; ``backed``: its name -> key; ``devices``: key of a region -> names of its devices.
    """

    __slots__ = ("backed", "devices", "regions")

    def __init__(self) -> None:
        super().__init__()
        self.regions: dict[str, str] = {}
        self.backed: dict[str, str] = {}
        self.devices: dict[str, dict[str, None]] = {}

    def __setitem__(self, key: str, dev: Any) -> None:
        super().__setitem__(key, dev)
        if isinstance(dev, DaxRegion):
            self.regions[dev.path] = key
            self.backed[dev.dev] = key
        elif isinstance(dev, DevDax):
            self.devices.setdefault(dev.region, {})[key] = None

    def pop(self, key: str, *default: Any) -> Any:
        """As ``dict.pop``."""
        old = super().pop(key, *default)
        if isinstance(old, DaxRegion):
            del self.regions[old.path]
            del self.backed[old.dev]
        elif isinstance(old, DevDax):
            del self.devices[old.region][key]
        return old

    def __delitem__(self, key: str) -> None:
        self.pop(key)
