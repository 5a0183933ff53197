"""Where a machine's files come from: one interface over a directory and a tarball.

A source never raises for what it finds: a missing file is None, an unreadable one is None and a located note. Links are
followed inside the root only (an absolute link means the root, ``..`` stops there), as ``chroot`` would. Nothing here
can block: only regular files are opened.
"""

from __future__ import annotations

import errno
import re
from typing import TYPE_CHECKING, NamedTuple

from sparsemem.machine.description import Note

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["MAX_FILE", "Entry", "Source", "UnusableError"]

MAX_FILE = 64 << 20
"""Bytes read of any one file; the rest is left out with a note."""
_MAX_LINKS = 40


class Entry(NamedTuple):
    """What is at a path: ``kind`` is file, dir, link or special; ``data`` the content or the link's target."""

    kind: str
    data: bytes = b""


class UnusableError(Exception):
    """A path that exists and cannot be used."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(why)
        self.path = path
        self.why = why


class Source:
    """A tree of files under a root. ``name`` names it for people; ``notes`` collects what could not be read."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.notes: list[Note] = []
        self.trace: dict[str, Entry] | None = None
        self.unreadable: dict[str, str] = {}
        self._resolved: dict[str, str] = {"": ""}

    # What a kind of source provides. Paths are relative, without links in them, without a leading slash.
    def _kind(self, path: str) -> str | None:
        """file, dir, link, special, or None when there is nothing. May raise OSError."""
        raise NotImplementedError

    def _target(self, path: str) -> str:
        raise NotImplementedError

    def _read(self, path: str, limit: int) -> bytes:
        raise NotImplementedError

    def _names(self, path: str) -> Iterable[str]:
        raise NotImplementedError

    # What readers use. Paths may be absolute ("/proc/iomem") and go through links.
    def where(self, path: str) -> str:
        """The path as a note or an error should name it."""
        return f"{self.name}:{path.lstrip('/')}"

    def note(self, path: str, what: str, where: str = "") -> None:
        """Remark on a file (``where``: the line or the key inside it)."""
        self.notes.append(Note(self.where(path), where, what))

    def read_text(
        self, path: str, *, limit: int = MAX_FILE, keep: Callable[[str], str] | None = None, quiet: bool = False
    ) -> str | None:
        """The file as text (invalid UTF-8 replaced), or None when it is missing or unreadable.

        ``keep`` reduces a long or private file to what readers need, before anything else sees it. ``quiet`` leaves an
        unreadable file to the caller, which finds it in ``unreadable``.
        """
        data = self._get(path, limit, quiet)
        if data is None:
            return None
        real, content = data
        text = content.decode("utf-8", "replace")
        if keep is not None:
            text = keep(text)
            content = text.encode()
        if self.trace is not None:
            self.trace[real] = Entry("file", content)
        return text

    def read_bytes(self, path: str, *, limit: int = MAX_FILE) -> bytes | None:
        """The file's bytes, or None when it is missing or unreadable."""
        data = self._get(path, limit, False)
        if data is None:
            return None
        if self.trace is not None:
            self.trace[data[0]] = Entry("file", data[1])
        return data[1]

    def value(self, path: str, *, quiet: bool = False) -> str | None:
        """A one-value attribute file, stripped; None when missing, unreadable or empty."""
        text = self.read_text(path, limit=1 << 16, quiet=quiet)
        return (text.strip("\0 \t\r\n") or None) if text is not None else None

    def listdir(self, path: str, pattern: str = "") -> list[str]:
        """Names in a directory that match the whole regular expression, in natural order; empty when there is no such
        directory.
        """
        try:
            real = self._resolve(path)
            if real is None or self._kind(real) != "dir":
                return []
            names = list(self._names(real))
        except (UnusableError, OSError) as error:
            self._failed(path, error, False)
            return []
        if pattern:
            match = re.compile(pattern).fullmatch
            names = [name for name in names if match(name)]
        if self.trace is not None:
            for name in names:
                self._record(f"{real}/{name}" if real else name, self.trace)
        return sorted(names, key=_natural)

    def readlink(self, path: str) -> str | None:
        """The target of the link at ``path``, or None when it is not a link."""
        parent, _, last = path.strip("/").rpartition("/")
        try:
            real = self._resolve(parent)
            if real is None:
                return None
            link = f"{real}/{last}" if real else last
            if self._kind(link) != "link":
                return None
            target = self._target(link)
        except (UnusableError, OSError) as error:
            self._failed(path, error, False)
            return None
        if self.trace is not None:
            self.trace[link] = Entry("link", target.encode("utf-8", "surrogateescape"))
        return target

    def denied(self, before: set[str]) -> list[str]:
        """Files refused for lack of permission since ``unreadable`` held ``before``, in order."""
        words = ("permission denied", "operation not permitted")
        return sorted(path for path, why in self.unreadable.items() if path not in before and why in words)

    def driver(self, device: str) -> str | None:
        """The driver bound to a device: where its ``driver`` link points, else ``DRIVER=`` in its ``uevent``."""
        target = self.readlink(f"{device}/driver")
        if target is not None:
            return target.rstrip("/").rpartition("/")[2] or None
        uevent = self.value(f"{device}/uevent")
        if uevent is None:
            return None
        match = re.search(r"^DRIVER=(.+)$", uevent, re.MULTILINE)
        return match[1].strip() if match else None

    def realpath(self, path: str) -> str | None:
        """``path`` without links, inside the root, with a leading slash; None when it does not exist."""
        try:
            real = self._resolve(path)
            return None if real is None or self._kind(real) is None else "/" + real
        except (UnusableError, OSError) as error:
            self._failed(path, error, False)
            return None

    def is_dir(self, path: str) -> bool:
        """True when there is a directory at ``path`` (through links)."""
        try:
            real = self._resolve(path)
            return real is not None and self._kind(real) == "dir"
        except (UnusableError, OSError):
            return False

    def _record(self, real: str, trace: dict[str, Entry]) -> None:
        try:
            kind = self._kind(real)
            if kind == "dir":
                trace.setdefault(real, Entry("dir"))
            elif kind == "link":
                trace[real] = Entry("link", self._target(real).encode("utf-8", "surrogateescape"))
        except OSError:
            return

    def _get(self, path: str, limit: int, quiet: bool) -> tuple[str, bytes] | None:
        try:
            real = self._resolve(path)
            kind = None if real is None else self._kind(real)
            if real is None or kind is None:
                return None
            if kind != "file":
                raise UnusableError(path, "a directory" if kind == "dir" else "not a regular file; not opened")
            data = self._read(real, limit + 1)
        except (UnusableError, OSError) as error:
            self._failed(path, error, quiet)
            return None
        if len(data) > limit:
            cut = data.rfind(b"\n", 0, limit) + 1 or limit
            data = data[:cut]
            self.note(path, f"longer than {limit} bytes: only the first {cut} were read")
        return real, data

    def _failed(self, path: str, error: Exception, quiet: bool) -> None:
        if isinstance(error, OSError):
            if error.errno in (errno.ENOENT, errno.ENOTDIR):
                return
            why = (error.strerror or type(error).__name__).lower()
        else:
            why = error.why if isinstance(error, UnusableError) else str(error)
        self.unreadable["/" + path.strip("/")] = why
        if not quiet:
            self.note(path, f"cannot be read: {why}")

    def _resolve(self, path: str) -> str | None:
        """The path without links; None when a component is missing. Raises UnusableError for a loop of links."""
        path = path.strip("/")
        done = self._resolved.get(path)
        if done is not None:
            return done
        parent, _, last = path.rpartition("/")
        # Thousands of attributes lie in one directory: that is looked up once.
        current = self._resolve(parent) if parent else ""
        if current is None:
            return None
        todo, links = [last], 0
        while todo:
            part = todo.pop()
            if part in ("", "."):
                continue
            if part == "..":
                current = current.rpartition("/")[0]
                continue
            following = f"{current}/{part}" if current else part
            kind = self._kind(following)
            if kind is None:
                return None
            if kind != "link":
                current = following
                continue
            links += 1
            if links > _MAX_LINKS:
                raise UnusableError(path, "too many links (a loop?)")
            target = self._target(following)
            if self.trace is not None:
                self.trace[following] = Entry("link", target.encode("utf-8", "surrogateescape"))
            if target.startswith("/"):
                current = ""
            todo.extend(reversed(target.split("/")))
            if len(todo) > 4096:
                raise UnusableError(path, "its links expand without end")
        if len(self._resolved) < 1 << 20:
            self._resolved[path] = current
            self._resolved.setdefault(current, current)
        return current


def _natural(name: str) -> tuple[tuple[int, str], ...]:
    """Sort key that puts memory9 before memory10."""
    return tuple(
        (int(part[:18]), "") if part.isascii() and part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)
    )
