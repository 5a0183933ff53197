"""A sysfs tree that a guest printed (``tests/tools/transcripts``), as the tools see it; and the real tools' answers on it.

The last step of such a recording prints the tree: ``D`` a directory, ``L`` a link, ``F`` a file with ``~`` for its newlines.
"""

from __future__ import annotations

import difflib
import errno
import json
import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING

from sparsemem.machine.kernfs import readdir_order
from sparsemem.machine.sysfs_error import SysfsError

if TYPE_CHECKING:
    from sparsemem.tools.result import ToolResult

HERE = Path(__file__).parent / "transcripts"
_ND = re.compile(r"region\d+|namespace\d+\.\d+|btt\d+\.\d+|pfn\d+\.\d+|nmem\d+|ndbus\d+")
_CLASSES = {r"ndctl\d+": "/sys/class/nd", r"pmem[\d.]+s?": "/sys/block"}


def steps(name: str) -> list[dict[str, object]]:
    """The recorded steps."""
    found: list[dict[str, object]] = json.loads((HERE / f"{name}.json").read_text())["steps"]
    return found


def difference(ours: ToolResult, real: dict[str, object]) -> str:
    """What differs from a recorded step, "" for nothing."""
    want = f"{real['stdout']}exit {real['exit_code']}\n"
    output = ours.output.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    got = f"{output}exit {ours.exit_code}\n"
    return "\n".join(difflib.unified_diff(want.splitlines(), got.splitlines(), "real", "model", lineterm=""))


class RecordedTree:
    """Reads only. Links of /sys/bus and /sys/class are made from the directories where the guest did not print them."""

    live = False
    page_size = 4096
    kernel = None

    def __init__(self, printed: str) -> None:
        self.files: dict[str, str | None] = {}
        self.links: dict[str, str] = {}
        self.children: dict[str, dict[str, None]] = {}
        for line in printed.splitlines():
            kind, rest = line[0], line[2:]
            if kind == "F":
                path, _, text = rest.partition("=")
                self.files[path] = None if text.startswith("cat: ") else text.replace("~", "\n")
            elif kind == "L":
                path, target = rest.split(" -> ")
                self.links[path] = target
            else:
                path = rest
            self._add(path)
        self._bus_links()
        self._add("/sys/devices/system/node/node0")

    def _add(self, path: str) -> None:
        while path != "/":
            parent, name = posixpath.split(path)
            self.children.setdefault(parent, {})[name] = None
            path = parent

    def _bus_links(self) -> None:
        for parent, names in list(self.children.items()):
            for name in names:
                base = next((base for pattern, base in _CLASSES.items() if re.fullmatch(pattern, name)), "")
                if _ND.fullmatch(name) or (re.fullmatch(r"dax\d+\.\d+", name) and re.search(r"/region\d+\Z", parent)):
                    base = "/sys/bus/nd/devices"
                elif re.fullmatch(r"dax\d+\.\d+", name) and re.search(r"/dax\d+\.\d+\Z", parent):
                    base = "/sys/bus/dax/devices"
                if base and parent.startswith("/sys/devices"):
                    self.links.setdefault(f"{base}/{name}", f"{parent}/{name}")
                    self._add(f"{base}/{name}")

    def read(self, path: str) -> str:
        found = self.files.get(self.realpath(path), "")
        if found is None:
            raise SysfsError(errno.ENXIO, path)
        if self.realpath(path) not in self.files:
            raise SysfsError(errno.ENOENT, path)
        return found

    def write(self, path: str, text: str) -> None:
        raise SysfsError(errno.EROFS, path)

    def listdir(self, path: str) -> list[str]:
        return readdir_order(list(self.children.get(self.realpath(path), ())))

    def readlink(self, path: str) -> str | None:
        parent, name = posixpath.split(path)
        return self.links.get(f"{self.realpath(parent)}/{name}")

    def realpath(self, path: str) -> str:
        done, todo = "", [part for part in reversed(path.split("/")) if part]
        while todo:
            part = todo.pop()
            if part in (".", ".."):
                done = done if part == "." else posixpath.dirname(done)
                continue
            target = self.links.get(f"{done}/{part}")
            if target is None:
                done = f"{done}/{part}"
                continue
            done = "" if target.startswith("/") else done
            todo += [each for each in reversed(target.split("/")) if each]
        return done or "/"

    def exists(self, path: str) -> bool:
        path = self.realpath(path)
        return path in self.files or path in self.children or self._is_leaf(path)

    def _is_leaf(self, path: str) -> bool:
        parent, name = posixpath.split(path)
        return name in self.children.get(parent, ())

    def busy(self, blockdev: str) -> bool:
        return False

    def pread(self, device: str, offset: int, size: int) -> bytes:
        raise SysfsError(errno.ENOENT, device)

    def pwrite(self, device: str, offset: int, data: bytes) -> None:
        raise SysfsError(errno.ENOENT, device)

    def label_area_size(self, nmem: str) -> int:
        raise SysfsError(errno.ENOENT, nmem)

    def fresh_uuid(self) -> str:
        raise SysfsError(errno.EROFS, "uuid")
