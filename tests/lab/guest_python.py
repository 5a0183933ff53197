"""A guest that has Python and this very source tree: what the lab boots, and one more archive behind it."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import TYPE_CHECKING

from sparsemem.lab.initramfs import Archive
from sparsemem.lab.userland import program, shared_objects

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["with_python"]

_LEFT_OUT = {
    "test",
    "idlelib",
    "lib2to3",
    "ensurepip",
    "tkinter",
    "turtledemo",
    "pydoc_data",
    "distutils",
    "asyncio",
    "unittest",
    "__pycache__",
}
_LIBRARIES = ("libbz2.so.1.0", "liblzma.so.5", "libcrypto.so.3", "libuuid.so.1")
"""Of the standard library's extension modules."""
_SITE = "usr/lib/python3/dist-packages"


def with_python(initrd: Path, root: Path, out: Path) -> Path:
    """``initrd`` with Python of the userland ``root``, click and sparsemem; ``sparsemem`` is a command there. The kernel unpacks one
    archive after the other."""
    archive = Archive()
    python = program(root, "usr/bin/python3.11")
    assert python is not None, "bookworm's kmod and mkfs bring it along"
    archive.file("usr/bin/python3.11", python.read_bytes())
    archive.link("bin/python3", "/usr/bin/python3.11")
    for name, library in shared_objects(root, python).items():
        archive.file(name, library.read_bytes())
    for path, name in _tree(root / "usr/lib/python3.11", "usr/lib/python3.11"):
        archive.file(name, path.read_bytes(), 0o644)
    for name in _LIBRARIES:
        library = program(root, f"lib/x86_64-linux-gnu/{name}")
        assert library is not None, name
        archive.file(f"lib/x86_64-linux-gnu/{name}", library.read_bytes())
    for package in ("click", "sparsemem"):
        found = importlib.util.find_spec(package)
        assert found is not None
        assert found.origin is not None
        for path, name in _tree(Path(found.origin).parent, f"{_SITE}/{package}"):
            archive.file(name, path.read_bytes(), 0o644)
    archive.file("bin/sparsemem", b'#!/bin/sh\nexec python3 -m sparsemem "$@"\n')
    data = initrd.read_bytes()
    out.write_bytes(data + bytes(-len(data) % 4) + archive.finish())
    return out


def _tree(top: Path, name: str) -> Iterator[tuple[Path, str]]:
    for directory, names, files in os.walk(top):
        names[:] = sorted(set(names) - _LEFT_OUT)
        for file in sorted(files):
            path = Path(directory) / file
            if file.endswith((".py", ".so")) or (
                file.endswith((".toml", ".txt", ".json", ".xz", ".tar")) and "sparsemem" in name
            ):
                yield path, f"{name}/{path.relative_to(top)}"
