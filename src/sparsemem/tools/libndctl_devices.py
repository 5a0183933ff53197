"""What claims a namespace: ``struct ndctl_btt``, ``ndctl_pfn`` and ``ndctl_dax`` of libndctl."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.tools.libndctl_base import ULLONG_MAX, Device, Lbasize, number
from sparsemem.tools.libndctl_verbose import tell_dax_region

if TYPE_CHECKING:
    from sparsemem.tools.libdaxctl import Region as DaxRegion
    from sparsemem.tools.libndctl import Region
    from sparsemem.tools.libndctl_namespace import Namespace

__all__ = ["NULL_UUID", "Btt", "Claimant", "Pfn", "unparse"]

NULL_UUID = "00000000-0000-0000-0000-000000000000"


def unparse(text: str | None) -> str:
    """uuid_unparse() of what the library parsed: an empty attribute is the null uuid."""
    return text.lower() if text else NULL_UUID


class Claimant(Device):
    """What btt, pfn and dax devices share."""

    KIND = ""

    def __init__(self, region: Region, nr: int, path: str) -> None:
        super().__init__(region.context, nr, path)
        self.region = region
        self.generation = region.generation
        self._ndns: Namespace | None = None
        self._bdev: str | None = None

    @property
    def uuid(self) -> str:
        return unparse(self.attr("uuid"))

    @property
    def size(self) -> int:
        """Usable bytes; ULLONG_MAX while it is not enabled."""
        text = self.attr("size")
        return ULLONG_MAX if text is None else number(text)

    def set_uuid(self, uuid: str) -> int:
        rc = self.write("uuid", uuid)
        if rc == 0:
            self.keep("uuid", uuid)
        return rc

    def set_namespace(self, ndns: Namespace | None) -> int:
        rc = self.write("namespace", "\n" if ndns is None else ndns.devname)
        if rc == 0:
            self._ndns = ndns
        return rc

    def get_namespace(self) -> Namespace | None:
        if self._ndns is None:
            self._ndns = self.region.find_namespace(self.now("namespace"))
        return self._ndns

    def block_device(self) -> str:
        if self._bdev is None:
            self._bdev = self.context.block_device(f"{self.path}/block")
        return self._bdev or ""

    def enable(self) -> int:
        """Bind; then rescan, as that makes a new seed."""
        if self.is_enabled:
            return 0
        rc = self.enable_device(f"ndctl_{self.KIND}_enable")
        if rc:
            return rc
        self._bdev = None
        self.region.refresh_children()
        return 0

    def delete(self) -> int:
        """Unbind, let the namespace go, and forget the device."""
        if self.generation != self.region.generation:
            return 0
        self.context.unbind(self.path)
        rc = self.set_namespace(None)
        if rc:
            self.context.dbg(f"ndctl_{self.KIND}_delete", f"{self.devname}: failed to clear namespace: {rc}")
            return rc
        self.region.drop(self)
        return 0


class Btt(Claimant):
    """``struct ndctl_btt``: sector mode."""

    KIND = "btt"
    REFRESHED = ("size",)

    def __init__(self, region: Region, nr: int, path: str) -> None:
        super().__init__(region, nr, path)
        self._lbasize: Lbasize | None = None

    @property
    def lbasize(self) -> Lbasize:
        if self._lbasize is None:
            self._lbasize = Lbasize(self.now("sector_size") or "")
        return self._lbasize

    @property
    def sector_size(self) -> int | None:
        """None where none is chosen (UINT_MAX)."""
        lbasize = self.lbasize
        return lbasize.supported[lbasize.select] if lbasize.select >= 0 else None

    def set_sector_size(self, size: int) -> int:
        rc = self.write("sector_size", f"{size}\n")
        if rc == 0:
            self.lbasize.choose(size)
        return rc


class Pfn(Claimant):
    """``struct ndctl_pfn``, and ``ndctl_dax`` (``KIND`` "dax") which has one inside."""

    KIND = "pfn"
    REFRESHED = ("size", "resource")

    def __init__(self, region: Region, nr: int, path: str) -> None:
        super().__init__(region, nr, path)
        self._alignments: Lbasize | None = None
        self._dax_region: DaxRegion | None = None
        if self.devname.startswith("dax"):
            self.KIND = "dax"

    @property
    def resource(self) -> int:
        text = self.attr("resource")
        return ULLONG_MAX if text is None else number(text)

    @property
    def location(self) -> str:
        """Where the memmap goes: "none", "ram" or "pmem"."""
        return self.attr("mode") or "none"

    @property
    def align(self) -> int:
        return number(self.attr("align"))

    def has_align(self) -> bool:
        return self.context.tree.exists(f"{self.path}/align")

    @property
    def alignments(self) -> Lbasize:
        """What the kernel supports; 4K and 2M where it does not say. The last word counts only with a space behind it."""
        if self._alignments is None:
            text = self.now("supported_alignments")
            self._alignments = Lbasize("4096 2097152" if text is None else text)
        return self._alignments

    def set_location(self, location: str) -> int:
        rc = self.write("mode", location)
        if rc == 0:
            self.keep("mode", location)
        return rc

    def set_align(self, align: int) -> int:
        rc = self.write("align", f"{align}\n")
        if rc == 0:
            self.keep("align", str(align))
        return rc

    def dax_region(self, *, shown: bool = True) -> DaxRegion:
        """ndctl_dax_get_daxctl_region(): the region of device-dax behind this device. ``shown``: for its JSON."""
        from sparsemem.tools import libdaxctl

        if self._dax_region is None:
            if self.context.telling:
                tell_dax_region(self.context, self.region.id, self.path, shown=shown)
            context = libdaxctl.Context(self.context.tree, self.context.console, self.context.version)
            self._dax_region = libdaxctl.Region(context, self.region.id, self.path)
        return self._dax_region

    def has_active_memory(self) -> bool:
        """Is a device of it online as system-ram? That it cannot be told counts too."""
        for device in self.dax_region(shown=False).devices():
            memory = device.memory()
            if memory is not None and memory.num_online():
                return True
        return False
