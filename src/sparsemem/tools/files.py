"""The files that a tool is given and leaves behind: those of the player, not of this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.tools.result import strerror

if TYPE_CHECKING:
    from collections.abc import MutableMapping

__all__ = ["Files"]

ENOENT, EACCES, EISDIR = 2, 13, 21
_DIRECTORIES = frozenset({"/", "/tmp", "/root", "/mnt", "/run", "/var", "/var/tmp", "/home", "/etc", "/dev"})  # noqa: S108


class Files:
    """``content`` maps a path to bytes, and is written to. ``stdin``: what is piped in.

    A file can be made in the directories of any system, beside another file, and anywhere without a directory in its name.
    """

    def __init__(self, content: MutableMapping[str, bytes] | None = None, stdin: bytes = b"") -> None:
        self.content = {} if content is None else content
        self.stdin = stdin

    strerror = staticmethod(strerror)

    def _is_directory(self, path: str) -> bool:
        return path in _DIRECTORIES or any(each.startswith(f"{path}/") for each in self.content)

    def cannot_read(self, path: str | None) -> int:
        """The errno of open(O_RDONLY), 0 when it can be read."""
        return 0 if path is None or path == "/dev/null" or path in self.content else ENOENT

    def cannot_write(self, path: str | None) -> int:
        """The errno of open(O_CREAT), 0 when it can be written."""
        if path is None or path == "/dev/null" or path in self.content:
            return 0
        if self._is_directory(path.rstrip("/") or "/"):
            return EISDIR
        directory, slash, _ = path.rpartition("/")
        return 0 if not slash or self._is_directory(directory or "/") else ENOENT

    def input(self, path: str | None) -> bytes:
        """The bytes of a file, or of stdin."""
        return self.stdin if path is None else self.content.get(path, b"")

    def write(self, path: str, data: bytes) -> None:
        """Leave a file behind."""
        if path != "/dev/null":
            self.content[path] = data
