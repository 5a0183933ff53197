"""``ndctl check-namespace``: the BTT of a namespace read through its raw block device, checked and repaired (ndctl/check.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.kernel.nvdimm import btt_bytes
from sparsemem.machine.sysfs_error import SysfsError
from sparsemem.tools.libndctl_base import EBUSY, EINVAL, ENXIO
from sparsemem.tools.libndctl_devices import NULL_UUID
from sparsemem.tools.ndctl_check_arena import Arena, ArenaFault
from sparsemem.tools.releases import debug_built
from sparsemem.tools.result import strerror

if TYPE_CHECKING:
    from sparsemem.kernel.nvdimm.btt_bytes import BttSb
    from sparsemem.tools.libndctl_namespace import Namespace
    from sparsemem.tools.ndctl_params import Run

__all__ = ["BttChk", "namespace_check"]

EIO = 5
_INFO = 4096
_4K = 4096
_MIN, _MAX = 1 << 24, 1 << 39
_STARTS = (4096, 0)
_MMAP_BASE = 0x7FFFF7FFF000
_VERSIONS = {(1, 1): 4096, (2, 0): 0}


class BttChk:
    """``struct btt_chk``: one check, and how it speaks: errors always, the rest with --verbose."""

    def __init__(self, run: Run, ndns: Namespace) -> None:
        self.run = run
        self.ndns = ndns
        self.console = run.console
        self.repair = run.on("repair")
        self.logfix = run.on("logfix")
        self.rawsize = ndns.size
        self.node = ""
        self.start_off = 0
        self.arenas: list[Arena] = []
        self._mapped = _MMAP_BASE

    def err(self, function: str, text: str) -> None:
        self.console.library(self.ndns.devname, function, text)

    def info(self, function: str, text: str) -> None:
        if self.run.on("verbose"):
            self.err(function, text)

    def dbg(self, function: str, text: str) -> None:
        if debug_built(self.run.context.version):
            self.info(function, text)

    def repair_msg(self) -> int:
        self.info("repair_msg", "  Run with --repair to make the changes")
        return 0

    def pread(self, offset: int, size: int) -> bytes:
        return self.run.context.tree.pread(self.node, offset, size)

    def pwrite(self, offset: int, data: bytes) -> None:
        self.run.context.tree.pwrite(self.node, offset, data)

    def read_info(self, offset: int) -> tuple[int, bytes]:
        """4 KiB, or a negative errno."""
        try:
            data = self.pread(offset, _INFO) if offset >= 0 else b""
        except SysfsError as refused:
            self.err("btt_read_info", f"unable to read first info block: {strerror(refused.number)}")
            return -refused.number, b""
        if len(data) != _INFO:
            self.err("btt_read_info", f"short read of first info block: {len(data)}")
            return -ENXIO, data
        return 0, data

    def write_info(self, data: bytes, offset: int) -> int:
        """Put back an info block; without --repair only say that it is needed."""
        if not self.repair:
            self.err("btt_write_info", f"BTT info block at offset {_hex(offset)} needs to be restored")
            self.repair_msg()
            return -EIO
        self.info("btt_write_info", f"Restoring BTT info block at offset {_hex(offset)}")
        self.pwrite(offset, data)
        return 0

    def verify(self, data: bytes) -> int:
        """Signature, parent and checksum."""
        sb = btt_bytes.decode(data)
        if sb.signature != btt_bytes.BTT_SIG or sb.parent_uuid not in (NULL_UUID, self.ndns.uuid):
            return -ENXIO
        return 0 if btt_bytes.checksum_valid(data) else -ENXIO

    def read_verify(self, offset: int) -> tuple[int, bytes]:
        """An info block that is valid."""
        rc, data = self.read_info(offset)
        return rc or self.verify(data), data

    def find(self) -> int:
        """Where the first info block is, recovering it when need be."""
        for start in _STARTS:
            rc, _ = self.read_verify(start)
            if rc == 0:
                self.start_off = start
                return 0
        rc = -ENXIO
        for start in _STARTS:
            rc = self._recover_first(start)
            if rc == 0:
                self.start_off = start
                return self.read_verify(start)[0]
        self.err("namespace_check", "Unable to recover any BTT info blocks")
        self.err("namespace_check", "This may not be a sector mode namespace")
        return rc

    def _estimate(self, off: int) -> tuple[int, int]:
        """``(arenas, bytes left)`` of a namespace of that size; -1 arenas when it is too small."""
        left, arenas = self.rawsize - off, 0
        while left:
            if left < _MIN:
                return (arenas or -1), left
            if left <= _MAX:
                return arenas + 1, 0
            left -= _MAX
            arenas += 1
        return arenas, left

    def _recover_first(self, off: int) -> int:
        here = "__btt_recover_first_sb"
        arenas, left = self._estimate(off)
        if arenas < 0:
            return -EINVAL
        self.info(here, f"estimated arenas: {arenas}, remaining bytes: {_hex(left)}")
        rc, first = self.read_info(off)
        if rc:
            return rc
        end = (self.rawsize - left) // _4K * _4K - _INFO
        offset = end if arenas == 1 else _MAX - _INFO + off
        self.info(here, f"Attempting recover info-block from end-of-arena offset {_hex(offset)}")
        rc, second = self.read_verify(offset)
        if rc == 0:
            sb = btt_bytes.decode(second)
            if _VERSIONS.get((sb.version_major, sb.version_minor)) != off:
                return -ENXIO
            return self.write_info(second, off)
        if arenas > 1:
            self.info(here, f"Attempting to recover info-block from end offset {_hex(end)}")
            rc, second = self.read_verify(end)
            if rc:
                return rc
            mixed = _with_arena_of(second, btt_bytes.decode(first), first)
            if self.verify(mixed) == 0:
                return self.write_info(mixed, off)
        offset = btt_bytes.decode(first).info2off & 0xFFFFFFFF
        if not offset or offset > min(self.rawsize - _INFO, _MAX - _INFO + off):
            return -ENXIO
        self.info(here, f"Attempting to recover info-block from info2 offset {_hex(offset)}")
        rc, second = self.read_verify(offset + off)
        return rc or self.write_info(second, off)

    def _backup(self, nr: int, at: int, left: int) -> tuple[int, bytes]:
        """The info block at the end of the arena, and the first put back from it."""
        here = "btt_discover_arenas"
        offset = self.rawsize // _4K * _4K - _INFO if left <= _MAX else at + _MAX - _INFO
        self.info(here, f"Arena {nr}: Attempting recover info-block using info2")
        rc, data = self.read_info(offset)
        if rc:
            self.err(here, f"Unable to read backup info block (offset {_hex(offset)})")
            return rc, data
        rc = self.verify(data)
        if rc:
            self.err(here, f"Backup info block (offset {_hex(offset)}) verification failed")
            return rc, data
        rc = self.write_info(data, at)
        if rc:
            self.err(here, f"Restoration of the info block failed: {strerror(rc)} ({rc})")
        return rc, data

    def discover(self) -> int:
        """Every arena by its info block."""
        left, at = self.rawsize, self.start_off
        while left:
            nr = len(self.arenas)
            rc, data = self.read_info(at)
            if rc:
                return rc
            if self.verify(data):
                rc, data = self._backup(nr, at, left)
                if rc:
                    return rc
            sb = btt_bytes.decode(data)
            rc = self._sound(sb)
            if rc:
                self.err("btt_discover_arenas", f"Problem parsing arena[{nr}] metadata")
                return rc
            arena = Arena(self, nr, btt_bytes.parse_arena_meta(sb, at))
            self.arenas.append(arena)
            left -= arena.meta.size
            at += arena.meta.size
            if not arena.meta.nextoff:
                break
        count = len(self.arenas)
        self.info("btt_discover_arenas", f"found {count} BTT arena{'s' if count > 1 else ''}")
        return 0

    def _sound(self, sb: BttSb) -> int:
        if sb.internal_nlba - sb.external_nlba & 0xFFFFFFFF != sb.nfree:
            return -ENXIO
        if sb.internal_lbasize != sb.external_lbasize:
            return -ENXIO
        if sb.flags & btt_bytes.IB_FLAG_ERROR_MASK:
            self.err("btt_parse_meta", "Info block error flag is set, aborting")
            return -ENXIO
        return 0

    def check(self) -> int:
        """Everything, once the raw device is there."""
        rc = self.find() or self.discover()
        if rc:
            return rc
        maps = [self._mmap(length, offset) for arena in self.arenas for length, offset in arena.mappings()]
        for arena in self.arenas:
            if not arena.log_set_indices():
                self.err("namespace_check", "Unable to deduce log/padding indices")
                return -ENXIO
        rc = self._check_arenas()
        for at, length, off in maps:
            self.dbg("btt_unmap", f"addr = {at:#x}, length = {_hex(length)}, page_offset = {_hex(off)}")
        return rc

    def _check_arenas(self) -> int:
        for arena in self.arenas:
            self.info("btt_check_arenas", f"checking arena {arena.nr}")
            try:
                arena.check()
            except ArenaFault as fault:
                (self.info if fault.quiet else self.err)("btt_xlat_status", f"arena {arena.nr}: {fault}")
                return -ENXIO
        return 0

    def _mmap(self, length: int, offset: int) -> tuple[int, int, int]:
        """Where the tool would map it, were addresses not random: each below the last."""
        off = offset % self.run.context.page_size
        length += off
        self._mapped -= -(-length // self.run.context.page_size) * self.run.context.page_size
        at = self._mapped + off
        text = f"addr = {at:#x}, length = {_hex(length)}, offset = {_hex(offset - off)}, page_offset = {_hex(off)}"
        self.dbg("btt_mmap", text)
        return at, length, off


def _hex(value: int) -> str:
    """C's ``%#lx``."""
    return f"{value & (1 << 64) - 1:#x}" if value else "0"


def _with_arena_of(data: bytes, first: BttSb, first_data: bytes) -> bytes:
    """An info block with what is an arena's own taken from another, its checksum too."""
    names = ("flags", "external_nlba", "internal_nlba", "nextoff", "dataoff", "mapoff", "logoff", "info2off")
    mixed = btt_bytes.decode(data)._replace(**{name: getattr(first, name) for name in names})
    return btt_bytes.encode(mixed)[:-8] + first_data[-8:]


def _open_and_check(chk: BttChk) -> int:
    """In raw mode: the block device, and the check."""
    ndns = chk.ndns
    rc = ndns.set_raw_mode(1)
    if rc < 0:
        chk.err("namespace_check", f"{ndns.devname}: failed to set the raw mode flag: {strerror(rc)} ({rc})")
        return rc
    rc = ndns.enable()
    if rc:
        chk.err("namespace_check", f"{ndns.devname}: failed to enable in raw mode: {strerror(rc)} ({rc})")
        return rc
    bdev = ndns.block_device()
    chk.node = f"/dev/{bdev}"
    if not bdev or chk.run.context.tree.busy(bdev):
        number = EBUSY if bdev else 21
        chk.err("namespace_check", f"unable to open {chk.node}: {strerror(number)}")
        return -number
    return chk.check()


def namespace_check(run: Run, ndns: Namespace) -> int:
    """0 when its BTT is sound or was repaired, or a negative errno (or 1: something holds it even in raw mode)."""
    chk = BttChk(run, ndns)
    if chk.logfix:
        if not chk.repair:
            chk.err("namespace_check", "--rewrite-log also requires --repair")
            return -EINVAL
        chk.info("namespace_check", "WARNING: interruption may cause unrecoverable metadata corruption")
    chk.info("namespace_check", f"checking {ndns.devname}")
    disabled = False
    if ndns.is_active():
        if not run.on("force"):
            chk.err("namespace_check", f"{ndns.devname}: check aborted, namespace online")
            return -EBUSY
        rc = ndns.disable_safe()
        if rc:
            return rc
        disabled = True
    raw = ndns.raw_mode
    rc = _open_and_check(chk)
    ndns.set_raw_mode(raw)
    ndns.disable_invalidate()
    if disabled and ndns.enable() < 0:
        chk.err("namespace_check", f"{ndns.devname}: failed to re-enable namespace")
    return rc
