"""The guest's file system: an initramfs with the userland, one kernel's modules, and the script that answers the lab."""

from __future__ import annotations

import errno
import gzip
import hashlib
import os
import shutil
import stat
import tempfile
import time
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from sparsemem.lab.cache import cache_dir, locked
from sparsemem.lab.qemu import PREFIX
from sparsemem.lab.userland import PROGRAMS, applets, program, run_inside, shared_objects

if TYPE_CHECKING:
    from collections.abc import Callable

    from sparsemem.lab.kernels import KernelImage

__all__ = ["Archive", "initramfs"]

_MODULES = (
    "qemu_fw_cfg", "libcrc32c", "xfs", "libnvdimm", "nd_btt", "nd_pmem", "nd_e820", "nfit", "nd_virtio", "virtio_pmem", "device_dax",
    "dax_pmem_core", "dax_pmem", "kmem", "dax_hmem", "virtio_pci", "virtio_mem", "cxl_acpi", "cxl_pci", "cxl_mem", "cxl_pmem", "dax_cxl",
)  # fmt: skip
"""In the order in which they are loaded: qemu_fw_cfg writes the vmcoreinfo that drgn needs, 5.10 wants dax_pmem_core first."""

_LEFT_OUT = ("dax_pmem_compat*",)
"""Not in the guest: with it 5.10 has devices of the "dax-class" model, as before ``daxctl migrate-device-model``."""


_UNUSED = 14 * 86400
"""Seconds after which an image that nobody asked for is removed."""


class Archive:
    """A cpio archive in the "newc" format, which is what the kernel unpacks."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self._names: set[str] = set()
        self._ino = 0

    def _entry(self, name: str, mode: int, data: bytes) -> None:
        self._ino += 1
        raw = name.encode() + b"\0"
        fields = (self._ino, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(raw), 0)
        head = b"070701" + b"".join(b"%08X" % each for each in fields) + raw
        self.parts += [head, bytes(-len(head) % 4), data, bytes(-len(data) % 4)]

    def directory(self, name: str) -> None:
        """It and its parents, once."""
        parent = ""
        for part in name.split("/"):
            parent = f"{parent}/{part}" if parent else part
            if parent not in self._names:
                self._names.add(parent)
                self._entry(parent, stat.S_IFDIR | 0o755, b"")

    def file(self, name: str, data: bytes, mode: int = 0o755) -> None:
        if name not in self._names:
            self.directory(os.path.dirname(name)) if "/" in name else None
            self._names.add(name)
            self._entry(name, stat.S_IFREG | mode, data)

    def link(self, name: str, target: str) -> None:
        if name not in self._names:
            self.directory(os.path.dirname(name)) if "/" in name else None
            self._names.add(name)
            self._entry(name, stat.S_IFLNK | 0o777, target.encode())

    def finish(self) -> bytes:
        """The whole archive, compressed."""
        self._entry("TRAILER!!!", 0, b"")
        return gzip.compress(b"".join(self.parts), compresslevel=1, mtime=0)


def _agent() -> tuple[bytes, bytes]:
    files = resources.files("sparsemem.lab") / "guest"
    return (files / "init").read_bytes(), (files / "agent").read_bytes()


def _key(image: KernelImage, root: Path) -> str:
    told = f"{image.package} {image.release} {root.name} {root.stat().st_mtime_ns} {image.vmlinuz.stat().st_mtime_ns}"
    return hashlib.sha256(f"{told} {_MODULES} {_LEFT_OUT}".encode() + b"".join(_agent())).hexdigest()[:16]


def initramfs(image: KernelImage, root: Path, say: Callable[[str], None] | None = None) -> Path:
    """The image for a kernel, packed when it is not there yet. ``root`` is the userland. Raises LabError."""
    place = cache_dir() / "initramfs"
    place.mkdir(exist_ok=True)
    path = place / f"{image.name}-{_key(image, root)}.img"
    with locked("initramfs", say):
        if path.exists():
            os.utime(path)
            return path
        for old in place.iterdir():  # another sparsemem may be at work with an image that is not ours
            if old.suffix == ".tmp" or old.stat().st_mtime < time.time() - _UNUSED:
                old.unlink()
        if say is not None:
            say(f"packing the guest of {image.name}")
        data = _pack(image, root)
        temporary = path.with_suffix(".tmp")
        try:
            temporary.write_bytes(data)
            temporary.rename(path)
        finally:
            temporary.unlink(missing_ok=True)
    return path


def _pack(image: KernelImage, root: Path) -> bytes:
    archive = Archive()
    for name in (
        "proc",
        "sys",
        "dev",
        "tmp",
        "mnt",
        "root",
        "run",
        "var/run",
        "etc",
        "lib/x86_64-linux-gnu",
        "lib64",
        "sbin",
        "usr/bin",
    ):
        archive.directory(name)
    for name in PROGRAMS:
        path = program(root, name)
        if path is None:
            continue
        archive.file(f"bin/{os.path.basename(name)}", path.read_bytes())
        for inside, library in shared_objects(root, path).items():
            archive.file(inside, library.read_bytes())
    for name in applets(root):
        archive.link(f"bin/{name}", "busybox")
    config = program(root, "etc/mke2fs.conf")
    if config is not None:
        archive.file("etc/mke2fs.conf", config.read_bytes(), 0o644)
    archive.file("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n", 0o644)
    archive.link("etc/mtab", "/proc/mounts")
    init, agent = _agent()
    archive.file("init", init.replace(b"@MODULES@", " ".join(_MODULES).encode()))
    archive.file("agent", agent)
    _add_modules(archive, image, root)
    return archive.finish()


def _add_modules(archive: Archive, image: KernelImage, root: Path) -> None:
    if image.modules is None:
        return
    with tempfile.TemporaryDirectory(prefix=f"{PREFIX}{os.getpid()}-") as scratch:
        tree = Path(scratch) / "lib/modules"
        left_out = shutil.ignore_patterns("build", "source", *_LEFT_OUT)
        try:
            shutil.copytree(image.modules, tree, symlinks=True, ignore=left_out)
        except shutil.Error as error:  # of each file one, as text
            full = "No space left" in str(error) or "quota" in str(error)
            raise OSError(
                errno.ENOSPC if full else errno.EIO, "No space left on device" if full else str(error)[:200], scratch
            ) from None
        for release in os.listdir(tree):
            run_inside(root, "sbin/depmod", "-b", scratch, release)
        for path in sorted(tree.rglob("*")):
            if path.is_file() and not path.is_symlink():
                archive.file(f"lib/modules/{path.relative_to(tree)}", path.read_bytes(), 0o644)
