"""A tarball as a source: read in memory, nothing unpacked, no member trusted.

Devices and FIFOs are no files, names that leave the archive are refused, sizes are limited both before and after
decompression, and a truncated archive gives what came before the break.
"""

from __future__ import annotations

import bz2
import io
import lzma
import tarfile
import zlib

from sparsemem.readers.source import MAX_FILE, Entry
from sparsemem.readers.trees import MemorySource

__all__ = ["MAX_UNPACKED", "is_tar", "open_tar", "unpack"]

MAX_UNPACKED = 256 << 20
"""Bytes of an archive after decompression; what lies beyond is left out with a note."""
MAX_MEMBERS = 1 << 20


def unpack(data: bytes) -> tuple[bytes, str | None]:
    """Undo gzip, xz or bzip2 (by magic), up to MAX_UNPACKED bytes. The second value says what went wrong, if anything
    did.
    """
    if data[:2] == b"\x1f\x8b":
        return _inflate(data)
    if data[:6] == b"\xfd7zXZ\0":
        return _stream(lzma.LZMADecompressor(memlimit=1 << 29), data)
    if data[:3] == b"BZh":
        return _stream(bz2.BZ2Decompressor(), data)
    return data, None


def _inflate(data: bytes) -> tuple[bytes, str | None]:
    decoder = zlib.decompressobj(31)
    try:
        plain = decoder.decompress(data, MAX_UNPACKED)
    except zlib.error as error:
        decoder = zlib.decompressobj(31)
        parts = bytearray()
        try:
            for at in range(0, len(data), 4096):
                parts += decoder.decompress(data[at : at + 4096], MAX_UNPACKED - len(parts))
                if len(parts) >= MAX_UNPACKED:
                    break
        except zlib.error:
            pass
        return bytes(parts), f"damaged: {error}"
    return plain, _trouble(decoder.eof, bool(decoder.unconsumed_tail))


def _stream(decoder: lzma.LZMADecompressor | bz2.BZ2Decompressor, data: bytes) -> tuple[bytes, str | None]:
    plain = bytearray()
    at = 0
    try:
        while not decoder.eof and len(plain) < MAX_UNPACKED:
            chunk = data[at : at + 65536] if decoder.needs_input else b""
            if decoder.needs_input and not chunk:
                break
            at += len(chunk)
            plain += decoder.decompress(chunk, MAX_UNPACKED - len(plain))
    except (lzma.LZMAError, OSError, ValueError, EOFError, MemoryError) as error:
        return bytes(plain), f"damaged: {error}"
    return bytes(plain), _trouble(decoder.eof, len(plain) >= MAX_UNPACKED)


def _trouble(complete: bool, full: bool) -> str | None:
    if complete:
        return None
    return f"longer than {MAX_UNPACKED} bytes unpacked; the rest is left out" if full else "ends in the middle"


def is_tar(data: bytes) -> bool:
    """True when the (unpacked) data begins with a tar header."""
    return data[257:262] == b"ustar"


def open_tar(data: bytes, name: str, trouble: str | None = None) -> MemorySource:
    """The source of an unpacked tar archive. A single directory around ``proc`` and ``sys`` is taken off."""
    entries: dict[str, Entry] = {}
    remarks: list[tuple[str, str]] = (
        [("", f"the archive is {trouble}")] if trouble and trouble.startswith("damaged") else []
    )
    if trouble and not remarks:
        remarks.append(("", f"the archive {trouble}" if trouble.startswith("ends") else f"the archive is {trouble}"))
    budget = MAX_UNPACKED
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:", errorlevel=0) as archive:
            for count, member in enumerate(archive):
                if count >= MAX_MEMBERS or budget <= 0:
                    remarks.append((member.name, "the archive holds too much; the rest is left out"))
                    break
                budget -= _take(archive, member, entries, remarks)
    except (
        tarfile.TarError,
        OSError,
        EOFError,
        ValueError,
        OverflowError,
        MemoryError,
        RecursionError,
        KeyError,
    ) as error:
        remarks.append(("", f"the archive cannot be read further: {error}"))
    source = MemorySource(name, _strip(entries))
    for path, what in remarks:
        source.note(path, what)
    return source


def _take(
    archive: tarfile.TarFile, member: tarfile.TarInfo, entries: dict[str, Entry], remarks: list[tuple[str, str]]
) -> int:
    """Add a member; returns the bytes it holds."""
    parts = [part for part in member.name.split("/") if part not in ("", ".")]
    if ".." in parts:
        remarks.append((member.name[:200], "leaves the archive by '..'; left out"))
        return 0
    path = "/".join(parts)
    if not path:
        return 0
    if member.isdir():
        entries.setdefault(path, Entry("dir"))
    elif member.issym():
        entries[path] = Entry("link", member.linkname.encode("utf-8", "surrogateescape"))
    elif member.islnk():
        target = entries.get("/".join(part for part in member.linkname.split("/") if part not in ("", ".")))
        if target is None or target.kind != "file":
            remarks.append((path, "a hard link to nothing in the archive; left out"))
        else:
            entries[path] = target
    elif member.isreg() and not member.issparse():
        stream = archive.extractfile(member)
        content = stream.read(MAX_FILE + 1) if stream is not None else b""
        if len(content) < min(member.size, MAX_FILE + 1):
            remarks.append((path, f"cut: {len(content)} of {member.size} bytes are in the archive"))
        entries[path] = Entry("file", content)
        return len(content)
    else:
        entries[path] = Entry("special")
    return 0


def _strip(entries: dict[str, Entry]) -> dict[str, Entry]:
    tops = {path.partition("/")[0] for path in entries}
    if len(tops) != 1 or tops & {"proc", "sys"}:
        return entries
    prefix = next(iter(tops)) + "/"
    inner = {path[len(prefix) :].partition("/")[0] for path in entries if path.startswith(prefix)}
    if not inner & {"proc", "sys", "sparsemem-capture.json"}:
        return entries
    return {path[len(prefix) :]: entry for path, entry in entries.items() if path.startswith(prefix)}
