"""The tree that the tools act on: files to read, attributes to write, block devices and label areas. Nothing else.

A ``MachineTree`` is a running model: each write is an operation of the machine, so that it is in its history and can be
undone. A ``SourceTree`` is a captured machine: it can be read.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Protocol
from uuid import UUID, uuid5

from sparsemem.errors import NotModelledError
from sparsemem.machine import sysfs
from sparsemem.machine.kernfs import readdir_order
from sparsemem.machine.operations import store_operation
from sparsemem.machine.sysfs_error import SysfsError

if TYPE_CHECKING:
    from sparsemem.machine.machine import Machine
    from sparsemem.readers.source import Source

__all__ = ["MachineTree", "SourceTree", "Tree"]

_NOTHING_HAPPENED = frozenset({"driver-match", "sysfs-path"})
_UUIDS = UUID("5b0e4f0e-6a5c-5d3e-9f6c-53c1a0d3f2aa")


class Tree(Protocol):
    """What a tool may do. Paths are absolute; errors are SysfsError with the errno that user space would get."""

    #: a running kernel answers writes; a captured tree does not
    live: bool
    #: sysconf(_SC_PAGESIZE)
    page_size: int
    #: the release of the kernel, e.g. (6, 12); None where it is not known
    kernel: tuple[int, int] | None

    def read(self, path: str) -> str:
        """The text of a file."""

    def write(self, path: str, text: str) -> None:
        """Write an attribute, as ``echo -n``."""

    def listdir(self, path: str) -> list[str]:
        """The names in a directory in the order in which readdir() gives them; empty when there is none."""

    def readlink(self, path: str) -> str | None:
        """The target of a link as it stands there, None when it is no link."""

    def realpath(self, path: str) -> str:
        """The path without links."""

    def exists(self, path: str) -> bool:
        """stat() succeeds."""

    def busy(self, blockdev: str) -> bool:
        """A mounted block device: open(O_EXCL) fails with EBUSY."""

    def pread(self, device: str, offset: int, size: int) -> bytes:
        """Bytes of a device node, e.g. the block device ``/dev/pmem0``, or the label area of ``/dev/nmem0``."""

    def pwrite(self, device: str, offset: int, data: bytes) -> None:
        """Write bytes to a device node."""

    def label_area_size(self, nmem: str) -> int:
        """ND_CMD_GET_CONFIG_SIZE of a DIMM, in bytes. SysfsError ENOTTY where it has none."""

    def fresh_uuid(self) -> str:
        """uuid_generate(); the same machine with the same history gets the same one."""


class MachineTree:
    """The tree of a running model."""

    live = True

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.page_size = machine.kernel.geometry.PAGE_SIZE
        self.kernel: tuple[int, int] | None = machine.kernel.version.series
        self._drawn = 0

    def read(self, path: str) -> str:
        return sysfs.show(self.machine.state, path)

    def write(self, path: str, text: str) -> None:
        answer = self.machine.apply(store_operation(path, text))
        if answer.refusal is None:
            return
        number = answer.refusal.errno
        if number == errno.EACCES and not self.exists(path):
            number = errno.ENOENT  # a tool opens without O_CREAT
        if answer.refusal.rule in _NOTHING_HAPPENED and not answer.log:
            self.machine.undo()  # util_bind() asks each driver: those that do not match are no part of the history
        raise SysfsError(number, path, answer.refusal)

    def listdir(self, path: str) -> list[str]:
        return readdir_order(sysfs.listdir(self.machine.state, path) or [])

    def readlink(self, path: str) -> str | None:
        return sysfs.readlink(self.machine.state, path)

    def realpath(self, path: str) -> str:
        return sysfs.realpath(self.machine.state, path)

    def exists(self, path: str) -> bool:
        return sysfs.exists(self.machine.state, path)

    def busy(self, blockdev: str) -> bool:
        claims = self.machine.state.misc.get("claims", frozenset())
        return any(device == blockdev and holder != "mkfs" for device, holder in claims)

    def pread(self, device: str, offset: int, size: int) -> bytes:
        from sparsemem.machine import devnode

        return devnode.pread(self.machine.state, device, offset, size)

    def pwrite(self, device: str, offset: int, data: bytes) -> None:
        from sparsemem.machine import devnode

        self.write(device, devnode.pwrite_text(offset, data))

    def label_area_size(self, nmem: str) -> int:
        from sparsemem.machine import devnode

        return devnode.label_area_size(self.machine.state, nmem)

    def fresh_uuid(self) -> str:
        self._drawn += 1
        return str(uuid5(_UUIDS, f"{len(self.machine.history)}.{self._drawn}"))


class SourceTree:
    """A captured machine. Writing is refused as on a read-only file system."""

    live = False

    def __init__(self, source: Source, page_size: int = 4096) -> None:
        self.source = source
        self.page_size = page_size
        self.kernel: tuple[int, int] | None = None

    def read(self, path: str) -> str:
        text = self.source.read_text(path, quiet=True)
        if text is None:
            raise SysfsError(errno.ENOENT, path)
        return text

    def write(self, path: str, text: str) -> None:
        raise SysfsError(errno.EROFS, path)

    def listdir(self, path: str) -> list[str]:
        return readdir_order(self.source.listdir(path))

    def readlink(self, path: str) -> str | None:
        return self.source.readlink(path)

    def realpath(self, path: str) -> str:
        return self.source.realpath(path) or path

    def exists(self, path: str) -> bool:
        return self.source.realpath(path) is not None

    def busy(self, blockdev: str) -> bool:
        return False

    def pread(self, device: str, offset: int, size: int) -> bytes:
        raise NotModelledError(f"{device} was not captured", why="a captured tree has no device content")

    def pwrite(self, device: str, offset: int, data: bytes) -> None:
        raise SysfsError(errno.EROFS, device)

    def label_area_size(self, nmem: str) -> int:
        raise NotModelledError(f"/dev/{nmem} was not captured", why="a captured tree has no device content")

    def fresh_uuid(self) -> str:
        raise SysfsError(errno.EROFS, "uuid")
