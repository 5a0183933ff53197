"""The files that steps see: the attribute tree, device nodes, and small files that the steps themselves make."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.errors import NotModelledError
from sparsemem.kernel.fs import bdev
from sparsemem.kernel.fs import mount as fs
from sparsemem.machine import devnode, sysfs
from sparsemem.machine.operations import store_operation

if TYPE_CHECKING:
    from collections.abc import Callable

    from sparsemem.kernel.refusal import Refusal
    from sparsemem.kernel.state import State
    from sparsemem.machine.machine import Machine
    from sparsemem.machine.operations import Operation

__all__ = ["FileError", "Files"]

_DIRECTORIES = (
    "/", "/bin", "/dev", "/etc", "/lib", "/lib64", "/mnt", "/proc", "/root", "/run", "/sbin", "/sys", "/tmp", "/usr", "/var",  # noqa: S108
)  # fmt: skip
_SPECIAL = ("/dev/null", "/dev/zero", "/proc/mounts")
_MOST = 64 << 20


class FileError(Exception):
    """``number`` is the errno of the failed system call; ``refusal`` what the kernel function behind it said."""

    def __init__(self, number: int, path: str, refusal: Refusal | None = None) -> None:
        super().__init__(number, path)
        self.number = number
        self.path = path
        self.refusal = refusal


class Files:
    """One guest's files. Paths are absolute and without dots: see ``normal``."""

    def __init__(self, machine: Machine, apply: Callable[[Operation], Refusal | None]) -> None:
        self._machine = machine
        self._apply = apply
        self._made: dict[str, str | None] = {
            **dict.fromkeys(_DIRECTORIES),
            "/etc/passwd": "root:x:0:0:root:/root:/bin/sh\n",
        }

    @property
    def _state(self) -> State:
        return self._machine.state

    def snapshot(self) -> dict[str, str | None]:
        """What steps have made, as a value to come back to."""
        return dict(self._made)

    def restore(self, was: dict[str, str | None]) -> None:
        """Be as at ``snapshot()``."""
        self._made = dict(was)

    @staticmethod
    def normal(path: str, cwd: str = "/") -> str:
        """Absolute, without dots and doubled slashes. ``..`` after a link of /sys is left for the tree to follow."""
        if not path.startswith("/"):
            path = f"{cwd.rstrip('/')}/{path}"
        if "//" not in path and "/." not in path and not path.endswith("/"):
            return path
        kept: list[str] = []
        for part in path.split("/"):
            if part == ".." and not (kept and kept[0] == "sys" and len(kept) > 1):
                del kept[-1:]
            elif part not in ("", "."):
                kept.append(part)
        return "/" + "/".join(kept)

    def _key(self, path: str) -> str | None:
        """Where a path of ours is kept; None for what the kernel answers. A mounted file system has keys of its own."""
        head = path[:5]
        if head in ("/sys/", "/proc") or path in ("/sys", "/dev"):
            return None
        if head == "/dev/":  # devtmpfs: what is no node is a file of ours
            return None if path in _SPECIAL or devnode.exists(self._state, path) else path
        if "mounts" in self._state.misc:
            for each in reversed(fs.mounts(self._state)):
                if path == each.directory or path.startswith(each.directory + "/"):
                    key = f"{each.uuid}:{path[len(each.directory) :] or '/'}"
                    self._made.setdefault(f"{each.uuid}:/", None)
                    if each.type == "ext4":
                        self._made.setdefault(f"{each.uuid}:/lost+found", None)
                    return key
        return path

    def exists(self, path: str) -> bool:
        key = self._key(path)
        if key is not None:
            return key in self._made
        return path in _SPECIAL or path in self._made or self._asked(sysfs.exists, path)

    def is_directory(self, path: str) -> bool:
        key = self._key(path)
        if key is not None:
            return self._made.get(key, "") is None
        return path in self._made or (path not in _SPECIAL and self._asked(sysfs.is_directory, path))

    def _asked(self, question: Callable[[State, str], bool], path: str) -> bool:
        try:
            return question(self._state, path)
        except sysfs.SysfsError:
            return False  # too many links

    def is_link(self, path: str) -> bool:
        return self._key(path) is None and path not in _SPECIAL and sysfs.readlink(self._state, path) is not None

    def is_block_device(self, path: str) -> bool:
        return path.startswith("/dev/") and path[5:] in self._state.nd.disks

    def is_regular(self, path: str) -> bool:
        return (
            self.exists(path) and not self.is_directory(path) and (path[:5] != "/dev/" or self._key(path) is not None)
        )

    def listdir(self, path: str) -> list[str]:
        """Sorted names. Raises FileError ENOENT or ENOTDIR."""
        if not self.is_directory(path):
            raise FileError(20 if self.exists(path) else 2, path)
        key = self._key(path)
        if key is not None:
            start = key.rstrip("/") + "/"
            return self._below(start)
        names = sysfs.listdir(self._state, path) or []
        return sorted({*names, *self._below("/dev/")}) if path == "/dev" else names

    def _below(self, start: str) -> list[str]:
        return sorted(
            {each[len(start) :].partition("/")[0] for each in self._made if each.startswith(start) and each != start}
        )

    def read(self, path: str) -> str:
        """Everything in a file. Raises FileError."""
        if path == "/dev/null":
            return ""
        if path in ("/proc/mounts", "/etc/mtab"):
            return fs.proc_mounts(self._state)
        if path == "/dev/zero":
            raise NotModelledError("/dev/zero has no end: only dd reads it, with count=")
        key = self._key(path)
        if key is None:
            return self._read_kernel(path)
        if key not in self._made:
            raise FileError(2, path)
        text = self._made[key]
        if text is None:
            raise FileError(21, path)
        return text

    def _read_kernel(self, path: str) -> str:
        if path.startswith("/dev/") and sysfs.exists(self._state, path):
            return self.pread(path, 0, None).decode("utf-8", "surrogateescape")
        try:
            return sysfs.show(self._state, path)
        except sysfs.SysfsError as error:
            raise FileError(error.number, path, error.refusal) from None

    def pread(self, path: str, offset: int, size: int | None) -> bytes:
        """Bytes of a file or a device; ``size`` None is all. Raises FileError; NotModelledError above 64 MiB."""
        if path == "/dev/zero" and size is not None:
            self._bounded(path, size)
            return bytes(size)
        if not path.startswith("/dev/") or path == "/dev/null":
            data = self.read(path).encode("utf-8", "surrogateescape")
            return data[offset:] if size is None else data[offset : offset + size]
        if not sysfs.exists(self._state, path):
            raise FileError(2, path)
        if not self.is_block_device(path):
            raise NotModelledError(f"reading {path} is not implemented", why="only block devices have content here")
        try:
            data = devnode.pread(self._state, path, offset, _MOST + 1 if size is None else self._bounded(path, size))
        except sysfs.SysfsError as error:
            raise FileError(error.number, path, error.refusal) from None
        self._bounded(path, len(data))
        return data

    @staticmethod
    def _bounded(path: str, size: int) -> int:
        if size > _MOST:
            raise NotModelledError(f"reading more than 64 MiB of {path} at once is not implemented")
        return size

    def check_open(self, path: str) -> None:
        """Can the shell open this for writing? Raises FileError: ENOENT (no such directory), EACCES, EISDIR."""
        if path == "/dev/null" or self.is_block_device(path):
            return
        parent = path.rpartition("/")[0] or "/"
        if self._key(path) is not None:
            if not self.is_directory(parent):
                raise FileError(2, path)
            if self.is_directory(path):
                raise FileError(21, path)
            return
        state = self._state
        if not sysfs.exists(state, path):
            raise FileError(13 if sysfs.exists(state, parent) else 2, path)
        if sysfs.is_directory(state, path):
            raise FileError(21, path)
        if not sysfs.writable(self._state, path):
            raise FileError(13, path)

    def truncate(self, path: str) -> None:
        """What opening with O_TRUNC does to a file of ours."""
        key = self._key(path)
        if key is not None:
            self._made[key] = ""

    def append(self, path: str) -> None:
        """What opening with O_CREAT does to a file of ours."""
        key = self._key(path)
        if key is not None:
            self._made.setdefault(key, "")

    def write(self, path: str, text: str) -> None:
        """One write(2) at the end of an opened file. Raises FileError."""
        if path == "/dev/null":
            return
        if self.is_block_device(path):
            raise NotModelledError(f"writing to {path} from the shell is not implemented", remedy="use dd")
        key = self._key(path)
        if key is not None:
            self._made[key] = (self._made.get(key) or "") + text
            return
        refusal = self._apply(store_operation(path, text))
        if refusal is not None:
            raise FileError(refusal.errno, path, refusal)

    def pwrite(self, path: str, offset: int, data: bytes) -> None:
        """Write bytes to a block device, or into a file of ours. Raises FileError."""
        if path == "/dev/null":
            return
        if self.is_block_device(path):
            refusal = self._apply(store_operation(path, devnode.pwrite_text(offset, data)))
            if refusal is not None:
                raise FileError(refusal.errno, path, refusal)
            return
        self.check_open(path)
        key = self._key(path)
        if key is None:
            self.write(path, data.decode("utf-8", "surrogateescape"))
            return
        old = (self._made.get(key) or "").encode("utf-8", "surrogateescape")
        new = old[:offset].ljust(offset, b"\0") + data + old[offset + len(data) :]
        self._made[key] = new.decode("utf-8", "surrogateescape")

    def mode(self, path: str) -> str:
        """The mode of a file that is no directory, as ls -l shows it."""
        if self._key(path) is not None:
            return "-rw-r--r--"
        try:
            self.read(path)
        except FileError as error:
            if error.number == 13:
                return "--w-------"
        return "-rw-r--r--" if sysfs.writable(self._state, path) else "-r--r--r--"

    def size(self, path: str) -> int:
        """Bytes of a file or a block device. Raises FileError."""
        if self.is_block_device(path):
            return bdev.size_of(self._state, path[5:])
        return len(self.read(path).encode("utf-8", "surrogateescape"))

    def cut(self, path: str, size: int) -> None:
        """ftruncate() of a file of ours."""
        key = self._key(path)
        if key is not None:
            data = (self._made.get(key) or "").encode("utf-8", "surrogateescape")[:size]
            self._made[key] = data.decode("utf-8", "surrogateescape")

    def mkdir(self, path: str) -> None:
        """Raises FileError: EEXIST, ENOENT, EPERM (in /sys), ENOTDIR."""
        if self.exists(path):
            raise FileError(17, path)
        key = self._key(path)
        if key is None:
            raise FileError(1 if path.startswith("/sys/") else 2, path)
        parent = path.rpartition("/")[0] or "/"
        if not self.is_directory(parent):
            raise FileError(20 if self.exists(parent) else 2, path)
        self._made[key] = None

    def remove(self, path: str) -> None:
        """unlink() or rmdir() of something that steps have made. Raises FileError."""
        if not self.exists(path):
            raise FileError(2, path)
        key = self._key(path)
        if key is None or path in _DIRECTORIES:
            raise FileError(1, path)
        self._made.pop(key, None)
