"""The archive that the kernel unpacks, read back by a reader of the format of its own."""

from __future__ import annotations

import gzip
import shutil
import stat
import subprocess
from typing import TYPE_CHECKING

import pytest

from sparsemem.lab.initramfs import Archive

if TYPE_CHECKING:
    from pathlib import Path


def unpack(data: bytes) -> dict[str, tuple[int, bytes]]:
    """Documentation/driver-api/early-userspace/buffer-format.rst: c_ fields of 8 hexadecimal digits, names and data padded to 4."""
    found: dict[str, tuple[int, bytes]] = {}
    at = 0
    while True:
        assert data[at : at + 6] == b"070701"
        fields = [int(data[at + 6 + 8 * index : at + 14 + 8 * index], 16) for index in range(13)]
        mode, size, name_size = fields[1], fields[6], fields[11]
        name = data[at + 110 : at + 110 + name_size - 1].decode()
        assert data[at + 110 + name_size - 1] == 0
        at = (at + 110 + name_size + 3) // 4 * 4
        if name == "TRAILER!!!":
            return found
        assert name not in found
        found[name] = (mode, data[at : at + size])
        at = (at + size + 3) // 4 * 4


def packed() -> bytes:
    archive = Archive()
    archive.file("init", b"#!/bin/sh\n")
    archive.file("lib/modules/6.1/a.ko", b"\x7fELF" + bytes(5), 0o644)
    archive.file("lib/modules/6.1/a.ko", b"again", 0o644)
    archive.link("bin/ls", "busybox")
    archive.directory("bin")
    archive.file("empty", b"")
    return archive.finish()


def test_what_goes_in_comes_out() -> None:
    found = unpack(gzip.decompress(packed()))
    assert found["init"] == (stat.S_IFREG | 0o755, b"#!/bin/sh\n")
    assert found["lib/modules/6.1/a.ko"] == (stat.S_IFREG | 0o644, b"\x7fELF" + bytes(5))
    assert found["bin/ls"] == (stat.S_IFLNK | 0o777, b"busybox")
    assert found["empty"][1] == b""
    names = list(found)
    assert (
        names.index("lib")
        < names.index("lib/modules")
        < names.index("lib/modules/6.1")
        < names.index("lib/modules/6.1/a.ko")
    )
    assert packed() == packed()


@pytest.mark.skipif(shutil.which("cpio") is None, reason="no cpio here")
def test_cpio_takes_it(tmp_path: Path) -> None:
    subprocess.run(["cpio", "-i", "--quiet"], cwd=tmp_path, input=gzip.decompress(packed()), check=True)  # noqa: S607
    assert (tmp_path / "init").read_bytes() == b"#!/bin/sh\n"
    assert (tmp_path / "bin/ls").is_symlink()
