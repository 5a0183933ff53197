"""The guest's programs: busybox, ndctl, daxctl, chmem, mkfs and their libraries, out of Debian packages; nothing of the host's."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from sparsemem.lab.apt import Apt
from sparsemem.lab.cache import cache_dir, free_space, in_place, locked
from sparsemem.lab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SUITE", "applets", "program", "shared_objects", "unpack", "userland"]

SUITE = "bookworm"
"""Its ndctl is 76.1, the one that the model's tools follow."""

PACKAGES = ("busybox-static", "ndctl", "daxctl", "e2fsprogs", "xfsprogs", "kmod", "util-linux")
PROGRAMS = (
    "bin/busybox", "usr/bin/ndctl", "usr/bin/daxctl", "usr/bin/cxl", "usr/sbin/chmem", "usr/bin/lsmem", "sbin/mkfs.ext4", "sbin/mkfs.xfs",
)  # fmt: skip
_EDITION = 2
"""Counts what the packages and programs above were: a directory of an older one stays unused."""
_LOADER = "lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"


def unpack(deb: Path, into: Path, *only: str) -> None:
    """The files of a package, or ``only`` those that match one of the patterns. Raises LabError."""
    into.mkdir(parents=True, exist_ok=True)
    reading = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(deb)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # noqa: S603, S607
    with reading:
        writing = subprocess.run(  # noqa: S603
            ["tar", "-x", "-C", str(into), "--no-same-owner", *(["--wildcards", *only] if only else [])],  # noqa: S607
            stdin=reading.stdout, capture_output=True, check=False,
        )  # fmt: skip
        assert reading.stdout is not None
        assert reading.stderr is not None
        reading.stdout.close()
        why = reading.stderr.read().decode(errors="replace").strip()[:200]
    told = writing.stderr.decode(errors="replace")
    if "No space left" in told or "Disk quota" in told:
        raise LabError(
            f"no space left to unpack {deb.name}", remedy="make room, or set XDG_CACHE_HOME to another file system"
        )
    if reading.returncode or (writing.returncode and "Not found in archive" not in told):
        deb.unlink(missing_ok=True)
        raise LabError(
            f"cannot unpack {deb.name}, which was damaged and is removed", why=why or told.strip()[:200],
            remedy="try again",
        )  # fmt: skip


def userland(say: Callable[[str], None] | None = None) -> Path:
    """The directory with the unpacked packages; fetched when it is not there. Raises LabError."""
    root = cache_dir() / f"userland-{SUITE}-{_EDITION}"
    with locked("userland", say):
        if root.exists():
            return root
        free_space(cache_dir(), 400 << 20, "the guest's programs")
        apt = Apt(say)
        apt.update()
        debs = apt.download_with_dependencies(SUITE, PACKAGES)
        with in_place(root) as work:
            for deb in debs:
                unpack(deb, work)
            missing = [name for name in PROGRAMS if name != "usr/bin/cxl" and not program(work, name)]
            if missing:
                raise LabError(f"the packages of {SUITE} have no {', '.join(missing)}")
    return root


def program(root: Path, name: str) -> Path | None:
    """The file of that name, wherever usr-merge has put it."""
    for place in (name, f"usr/{name}", name.removeprefix("usr/")):
        if (root / place).is_file():
            return root / place
    return None


def _loader(root: Path) -> Path:
    found = program(root, _LOADER)
    if found is None:
        raise LabError("the unpacked packages have no dynamic loader", remedy=f"remove {root} and try again")
    return found


def _library_path(root: Path) -> str:
    places = ("lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu/ndctl")
    return ":".join(str(root / place) for place in places)


def run_inside(root: Path, name: str, *arguments: str) -> str:
    """Run a program of the userland on this host with its own loader and libraries; its standard output."""
    path = program(root, name)
    if path is None:
        raise LabError(f"no {name} in {root}")
    argv = [str(_loader(root)), "--library-path", _library_path(root), str(path), *arguments]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)  # noqa: S603
    if done.returncode:
        raise LabError(f"{name} failed", why=(done.stderr or done.stdout).strip()[:200])
    return done.stdout


def applets(root: Path) -> list[str]:
    """What this busybox can be called as. It is static, so it runs here too."""
    path = program(root, "bin/busybox")
    assert path is not None
    return subprocess.run([str(path), "--list"], capture_output=True, text=True, check=True).stdout.split()  # noqa: S603


def shared_objects(root: Path, path: Path) -> dict[str, Path]:
    """Name in the guest -> file, of the libraries that a program needs, the loader among them."""
    with path.open("rb") as file:
        if b"ld-linux" not in file.read(4096):
            return {}  # static
    argv = [str(_loader(root)), "--library-path", _library_path(root), "--list", str(path)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise LabError(f"cannot tell the libraries of {path.name}", why=done.stderr.strip()[:200])
    found: dict[str, Path] = {}
    for line in done.stdout.splitlines():
        for word in line.split():
            if word.startswith(str(root)) and ".so" in word:
                real = Path(os.path.realpath(word))
                found[f"lib/x86_64-linux-gnu/{os.path.basename(word)}"] = real
    found["lib64/ld-linux-x86-64.so.2"] = Path(os.path.realpath(_loader(root)))
    return found
