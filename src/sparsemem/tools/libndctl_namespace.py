"""``struct ndctl_namespace`` of libndctl: its attributes, and how it is enabled, disabled, resized and deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.tools.libndctl_base import EBUSY, EINVAL, ENXIO, ULLONG_MAX, Device, Lbasize, number
from sparsemem.tools.libndctl_devices import NULL_UUID, Btt, Claimant, Pfn, unparse
from sparsemem.tools.ndctl_features import ndctl_features

if TYPE_CHECKING:
    from sparsemem.tools.libndctl import Region

__all__ = ["MODES", "NS_IO", "NS_PMEM", "Namespace"]

NS_IO, NS_PMEM = 4, 5
"""``ND_DEVICE_NAMESPACE_*``: label-less, and labelled."""
MODES = {"memory": "fsdax", "dax": "devdax", "raw": "raw", "safe": "sector"}
"""The kernel's words for modes, and the tool's."""
_ENFORCE = {"fsdax": "pfn", "sector": "btt", "raw": "", "devdax": "dax"}
_NAME_LEN = 64
EISDIR = 21


class Namespace(Device):
    """``struct ndctl_namespace``."""

    def __init__(self, region: Region, nr: int, path: str) -> None:
        super().__init__(region.context, nr, path)
        self.region = region
        self.generation = region.generation
        self._bdev: str | None = None
        self._lbasize: Lbasize | None = None

    @property
    def type(self) -> int:
        return number(self.attr("nstype"))

    @property
    def size(self) -> int:
        return number(self.attr("size"))

    @property
    def resource(self) -> int:
        text = self.attr("resource")
        return ULLONG_MAX if text is None else number(text)

    @property
    def raw_mode(self) -> int:
        return number(self.attr("force_raw"))

    @property
    def numa_node(self) -> int:
        return number(self.attr("numa_node") or "-1")

    @property
    def target_node(self) -> int:
        return number(self.attr("target_node") or "-1")

    @property
    def uuid(self) -> str:
        return unparse(self.attr("uuid")) if self.type == NS_PMEM else NULL_UUID

    @property
    def alt_name(self) -> str:
        return (self.attr("alt_name") or "") if self.type == NS_PMEM else ""

    @property
    def lbasize(self) -> Lbasize:
        if self._lbasize is None:
            self._lbasize = Lbasize((self.now("sector_size") or "") if self.type == NS_PMEM else "")
        return self._lbasize

    @property
    def sector_size(self) -> int | None:
        """0 where it has none, None where none is chosen (UINT_MAX)."""
        lbasize = self.lbasize
        if not lbasize.num:
            return 0
        return lbasize.supported[lbasize.select] if lbasize.select >= 0 else None

    @property
    def mode(self) -> str:
        """The tool's word: fsdax, devdax, raw or sector; "" where the kernel says nothing known."""
        return MODES.get(self.now("mode") or "", "")

    def _holder(self, *, pfn_first: bool = False) -> Claimant | None:
        """What has it. ``pfn_first``: in which order a verbose library looks."""
        name = self.now("holder")
        region = self.region
        if self.context.telling:
            if pfn_first:
                region.find_pfn(name)
            found = (region.find_btt(name), region.find_pfn(name), region.find_dax(name))
            return found[0] or found[1] or found[2]
        return (region.find_btt(name) or region.find_pfn(name) or region.find_dax(name)) if name else None

    def btt(self) -> Btt | None:
        """The btt that has it."""
        return self.region.find_btt(self.now("holder"))

    def pfn(self) -> Pfn | None:
        """The pfn that has it."""
        return self.region.find_pfn(self.now("holder"))

    def dax(self) -> Pfn | None:
        """The dax device that has it."""
        return self.region.find_dax(self.now("holder"))

    def block_device(self) -> str:
        if self._bdev is None:
            self._bdev = self.context.block_device(f"{self.path}/block")
        return self._bdev or ""

    def is_active(self) -> bool:
        """Itself or what has it is bound to a driver."""
        holder = self._holder()
        return self.is_enabled if holder is None else holder.is_enabled

    def is_configured(self) -> bool:
        return self.type == NS_IO or (self.size >= self.context.page_size and self.uuid != NULL_UUID)

    def is_configuration_idle(self) -> bool:
        """May it be configured as a seed?"""
        if self.is_active():
            return False
        return self.type == NS_IO if self.is_configured() else True

    def set_enforce_mode(self, mode: str) -> int:
        """Say which kind of device may claim it."""
        if mode not in _ENFORCE:
            return -EINVAL
        return self.write("holder_class", _ENFORCE[mode])

    def set_raw_mode(self, raw: int) -> int:
        """1 or 0 as it is then, or a negative errno."""
        raw = int(bool(raw))
        rc = self.write("force_raw", f"{raw}\n")
        if rc < 0:
            return rc
        self.keep("force_raw", str(raw))
        return raw

    def set_uuid(self, uuid: str) -> int:
        rc = self.write("uuid", uuid)
        if rc == 0:
            self.keep("uuid", uuid)
        return rc

    def set_alt_name(self, name: str) -> int:
        if self.type != NS_PMEM:
            return 0
        if len(name.encode()) >= _NAME_LEN:
            return -EINVAL
        rc = self.write("alt_name", name)
        if rc == 0:
            self.keep("alt_name", name)
        return rc

    def set_sector_size(self, size: int) -> int:
        rc = self.write("sector_size", f"{size}\n")
        if rc == 0:
            self.lbasize.choose(size)
        return rc

    def _set_size(self, size: int) -> int:
        rc = self.write("size", f"{size:#x}\n" if size else "0\n")
        if rc == 0:
            self.keep("size", str(size))
            self.forget("resource")
            if self.context.telling:
                self.now("resource")
        return rc

    def set_size(self, size: int) -> int:
        if size == 0:
            self.context.dbg("ndctl_namespace_set_size", f"{self.devname}: use ndctl_namespace_delete() instead")
            return -EINVAL
        if self.is_enabled:
            return -EBUSY
        if self.type != NS_PMEM:
            self.context.dbg("ndctl_namespace_set_size", f"{self.devname}: nstype: {self.type} set size failed")
            return -ENXIO
        return self._set_size(size)

    def enable(self) -> int:
        """0 when it is enabled, 1 when what has it is, or a negative errno."""
        if self.is_enabled:
            return 0
        context, name = self.context, self.devname
        if self.size == 0 and ndctl_features(context.version).enable_skips_empty:
            return -ENXIO
        rc = context.bind(name)
        self.region.refresh_children()
        if self.is_enabled:
            context.dbg("ndctl_namespace_enable", f"{name}: enabled")
            return 0
        holder = self._holder()
        if holder is not None and holder.is_enabled:
            context.dbg("ndctl_namespace_enable", f"{name}: enabled via {holder.devname}")
            return 1
        context.err("ndctl_namespace_enable", f"{name}: failed to enable")
        return rc or -ENXIO

    def disable(self) -> int:
        rc = self.disable_device("ndctl_namespace_disable")
        if rc == 0:
            self._bdev = None
        return rc

    def disable_invalidate(self) -> int:
        """Take down what has it, then itself."""
        holder = self._holder()
        if holder is not None:
            rc = holder.delete()
            if rc:
                return rc
        return self.disable()

    def disable_safe(self) -> int:
        """Disable unless a file system or online memory uses it (EBUSY)."""
        holder = self._holder(pfn_first=True)
        active, bdev = False, None
        if holder is not None and holder.is_enabled:
            if isinstance(holder, Pfn) and holder.KIND == "dax":
                active = ndctl_features(self.context.version).keeps_system_ram and holder.has_active_memory()
            else:
                bdev = holder.block_device()
        elif self.is_enabled:
            bdev = self.block_device()
        if bdev == "":
            return -EISDIR  # open("/dev/")
        if bdev is not None and self.context.tree.busy(bdev):
            self.context.dbg(
                "ndctl_namespace_disable_safe",
                f"{self.devname}: {bdev} failed exclusive open: Device or resource busy",
            )
            return -EBUSY
        if active:
            self.context.dbg(
                "ndctl_namespace_disable_safe", f"{self.devname}: active as system-ram, refusing to disable"
            )
            return -EBUSY
        self.disable_invalidate()
        return 0

    def delete(self) -> int:
        """Give its space back, and forget it."""
        if self.generation != self.region.generation:
            return 0
        if self.is_enabled:
            return -EBUSY
        if self.type != NS_PMEM:
            self.context.dbg("ndctl_namespace_delete", f"{self.devname}: nstype: {self.type} not deletable")
            return 0
        rc = self._set_size(0)
        if rc and rc != -ENXIO:
            return rc
        self.region.drop(self)
        return 0
