"""What is on a device that is about to be destroyed, and who uses it.

``ndctl destroy-namespace -f`` opens the block device with O_EXCL (``ndctl_namespace_disable_safe``), so a mounted file system, swap, or a
device-mapper or md device on it makes it refuse; it minds neither a program that only has the device open nor one that has mapped a dax
device, and unbinding a driver takes it away from them. So all of them count here, before the first command is run.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sparsemem.planner.apply.view import view_of
from sparsemem.units import format_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from sparsemem.planner.apply.view import View

__all__ = ["Content", "contents", "openers"]

_MOUNTED = re.compile(r"^/dev/(\S+) on (.+) type (\S+) \(")
_MEMDEV = re.compile(r"mem\d+")
_LABELS = ("LABEL", "UUID")


@dataclass(frozen=True, slots=True)
class Content:
    """``what``: mode, size, block device and what is on it, as far as it is known; ``users``: who has it in use, a sentence each."""

    name: str
    what: str
    users: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}: {self.what}"


def contents(
    names: Iterable[str],
    lists: Mapping[str, Any],
    ask: Callable[[tuple[str, ...]], str],
    open_by: Callable[[Iterable[str]], dict[str, list[str]]] = lambda devices: {},
) -> list[Content]:
    """Of each device of ``names`` that is there. ``ask``: a command's standard output, empty where there is no such command; ``open_by``:
    file of ``/dev`` -> who has it open."""
    view = view_of(lists)
    wanted = [name for name in dict.fromkeys(names) if name in view or _MEMDEV.fullmatch(name)]
    mounted = [match.groups() for line in ask(("mount",)).splitlines() if (match := _MOUNTED.match(line))]
    swaps = [
        line.split()[0].removeprefix("/dev/") for line in ask(("cat", "/proc/swaps")).splitlines()[1:] if line.strip()
    ]
    found = []
    for name in wanted:
        if name not in view:
            found.append(Content(name, "the labels of a CXL memory device, and what they say of namespaces"))
            continue
        shown = view[name]
        users: list[str] = []
        block, files = shown.get("blockdev"), _files(name, view)
        if block:
            mine = re.compile(rf"{re.escape(str(block))}(p\d+)?")
            users += [f"/dev/{dev} is mounted on {place}" for dev, place, _ in mounted if mine.fullmatch(dev)]
            users += [f"/dev/{dev} is swap" for dev in swaps if mine.fullmatch(dev)]
            held = ask(
                ("sh", "-c", f"ls -d /sys/block/{block}/holders/* /sys/block/{block}/{block}p*/holders/* 2>/dev/null")
            )
            users += [f"/dev/{block} is part of {path.rpartition('/')[2]}" for path in held.split() if "*" not in path]
        if not users:  # a file system's own helpers have it open as well: the mount says it all
            users += [f"{file} is open in {who}" for file, whos in open_by(files).items() for who in whos]
        found.append(Content(name, _what(name, view, ask), tuple(users)))
    return found


def _files(name: str, view: View) -> list[str]:
    devices = [view[name].get("blockdev"), view[name].get("chardev"), name if name.startswith("dax") else None]
    return [f"/dev/{each}" for each in devices if each]


def _what(name: str, view: View, ask: Callable[[tuple[str, ...]], str]) -> str:
    shown = view[name]
    size = int(shown.get("size", 0))
    words = [str(shown.get("mode", "no mode")), f"{format_size(size)} ({size})"]
    if shown.get("name"):
        words.append(f'name "{shown["name"]}"')
    device = view.get(str(shown.get("chardev")), shown)
    if device.get("mode") == "system-ram":
        words.append(
            f"memory of the system, {device.get('online_memblocks', 0)} of {device.get('total_memblocks', 0)} blocks online"
        )
    block = shown.get("blockdev")
    if block:
        words.append(f"/dev/{block} with {_file_system(ask(('blkid', '-p', '-o', 'export', f'/dev/{block}')))}")
    elif name.startswith("namespace") and shown.get("mode") != "devdax":
        words.append("its content can not be told: it has no block device now")
    return ", ".join(words)


def _file_system(told: str) -> str:
    """``blkid -p -o export``, in words."""
    values = dict(line.split("=", 1) for line in told.splitlines() if "=" in line)
    kind = values.get("TYPE") or (f"a {values['PTTYPE']} partition table" if "PTTYPE" in values else None)
    if kind is None:
        return "nothing that blkid knows" if values else "content that can not be told (blkid says nothing)"
    shown = [f"{key.lower()} {values[key].replace(chr(92), '')}" for key in _LABELS if key in values]
    return " ".join([kind, *shown])


def openers(files: Iterable[str]) -> dict[str, list[str]]:
    """File -> the processes ("name (pid)") that have it open or mapped; needs root to see those of others."""
    wanted = set(files)
    found: dict[str, list[str]] = {}
    for pid in filter(str.isdecimal, os.listdir("/proc")) if wanted else ():
        seen: set[str] = set()
        for kind in ("fd", "map_files"):
            try:
                entries = list(os.scandir(f"/proc/{pid}/{kind}"))
            except OSError:  # it has ended, or is somebody else's
                continue
            for entry in entries:
                try:
                    seen.add(os.readlink(entry.path))
                except OSError:
                    continue
        for file in sorted(seen & wanted):
            found.setdefault(file, []).append(f"{_name(pid)} ({pid})")
    return found


def _name(pid: str) -> str:
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return "a process"
