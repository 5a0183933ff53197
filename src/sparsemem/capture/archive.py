"""A tree of entries as a tar archive: the same entries give the same bytes."""

from __future__ import annotations

import gzip
import io
import lzma
import tarfile
from typing import TYPE_CHECKING

from sparsemem.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sparsemem.readers.source import Entry

__all__ = ["SUFFIXES", "compress", "tar_bytes"]

SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz")


def tar_bytes(entries: Mapping[str, Entry]) -> bytes:
    """An uncompressed archive: sorted, owned by root, dated 1970, with the directories that hold something implied."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted(entries):
            entry = entries[path]
            member = tarfile.TarInfo(path)
            member.mode = 0o644
            if entry.kind == "dir":
                member.type, member.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(member)
            elif entry.kind == "link":
                member.type, member.mode = tarfile.SYMTYPE, 0o777
                member.linkname = entry.data.decode("utf-8", "surrogateescape")
                archive.addfile(member)
            elif entry.kind == "file":
                member.size = len(entry.data)
                archive.addfile(member, io.BytesIO(entry.data))
    return buffer.getvalue()


def compress(data: bytes, name: str) -> bytes:
    """``data`` packed as ``name`` ends: .tar, .tar.gz, .tgz, .tar.xz or .txz. Raises UsageError for other endings."""
    if name.endswith(".tar"):
        return data
    if name.endswith((".tar.gz", ".tgz")):
        return gzip.compress(data, 9, mtime=0)
    if name.endswith((".tar.xz", ".txz")):
        return lzma.compress(data, preset=6)
    raise UsageError(f"not the name of a tarball: {name!r}", remedy=f"end it in one of {', '.join(SUFFIXES)}")
