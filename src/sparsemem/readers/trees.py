"""The two kinds of source: a directory on disk, and a tree held in memory (a tarball)."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from sparsemem.readers.source import Entry, Source, UnusableError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["DirectorySource", "MemorySource"]


class DirectorySource(Source):
    """A directory tree: ``/`` for this machine, or a captured tree."""

    def __init__(self, root: str, name: str | None = None) -> None:
        super().__init__(name if name is not None else root)
        self.root = root
        self._prefix = root.rstrip("/") + "/"

    def where(self, path: str) -> str:
        return self._prefix + path.lstrip("/")

    def _kind(self, path: str) -> str | None:
        try:
            mode = os.lstat(self._prefix + path).st_mode
        except (FileNotFoundError, NotADirectoryError):
            return None
        except ValueError as error:  # an embedded NUL
            raise UnusableError(path, str(error)) from None
        if stat.S_ISREG(mode):
            return "file"
        return "dir" if stat.S_ISDIR(mode) else "link" if stat.S_ISLNK(mode) else "special"

    def _target(self, path: str) -> str:
        return os.readlink(self._prefix + path)

    def _names(self, path: str) -> Iterable[str]:
        return os.listdir(self._prefix + path)

    def _read(self, path: str, limit: int) -> bytes:
        # O_NONBLOCK and the second look guard against a file that became a FIFO in between.
        fd = os.open(self._prefix + path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise UnusableError(path, "not a regular file; not opened")
            chunks, size = [], 0
            while size < limit and (chunk := os.read(fd, min(limit - size, 1 << 20))):
                chunks.append(chunk)
                size += len(chunk)
            return b"".join(chunks)
        finally:
            os.close(fd)


class MemorySource(Source):
    """A tree held in memory: path without a leading slash -> Entry. Parents exist by themselves."""

    def __init__(self, name: str, entries: dict[str, Entry]) -> None:
        super().__init__(name)
        self.entries = entries
        self._children: dict[str, dict[str, None]] = {"": {}}
        for path in entries:
            self._adopt(path)

    def _adopt(self, path: str) -> None:
        while path:
            parent, _, last = path.rpartition("/")
            children = self._children.setdefault(parent, {})
            if last in children:
                return
            children[last] = None
            path = parent

    def _kind(self, path: str) -> str | None:
        entry = self.entries.get(path)
        if entry is not None:
            return entry.kind
        return "dir" if path in self._children else None

    def _target(self, path: str) -> str:
        return self.entries[path].data.decode("utf-8", "surrogateescape")

    def _names(self, path: str) -> Iterable[str]:
        return self._children.get(path, {})

    def _read(self, path: str, limit: int) -> bytes:
        return self.entries[path].data[:limit]
