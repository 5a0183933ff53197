"""mkfs.ext4 and mkfs.xfs: the superblock, and the first blocks of what lies behind it, are written to the device.

Words, sizes and defaults are those of e2fsprogs 1.47.0 and xfsprogs 6.1.0 (measured with the tools themselves).
"""

from __future__ import annotations

import errno
import re
from typing import TYPE_CHECKING
from uuid import UUID, uuid5

from sparsemem.errors import NotModelledError
from sparsemem.kernel.fs import bdev, superblock
from sparsemem.play.commands.mkfs_text import (
    EXT4_NO_SIZE,
    XFS_USAGE,
    ext4_journal,
    ext4_report,
    xfs_log_blocks,
    xfs_report,
)
from sparsemem.play.commands.options import Read, read_options
from sparsemem.play.files import FileError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sparsemem.play.shell.run import Shell
    from sparsemem.play.shell.streams import Streams

__all__ = ["COMMANDS"]

_UUIDS = UUID("2d1c7f0e-5b0a-5e52-8a55-5a1f6d1ef0b1")
_MIB = 1 << 20
_XFS_MINIMUM = 4096
_UNITS = {"": 1, "s": 512, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


def _uuid(sh: Shell, disk: str) -> str:
    return str(uuid5(_UUIDS, f"{disk}.{len(sh.machine.history)}"))


def _device(sh: Shell, read: Read, name: str) -> tuple[str, str]:
    """``(word, path)`` of the one device."""
    if len(read.rest) != 1:
        raise NotModelledError(f"{name} takes one device here", remedy="the size is that of the device")
    return read.rest[0], sh.path(read.rest[0])


def _lay_down(sh: Shell, path: str, sb: superblock.Superblock, behind: bytes, clear: int) -> None:
    """Write the superblock, what comes behind it, and zeroes up to ``clear``."""
    head = superblock.encode(sb)
    size = sh.files.size(path)
    sh.files.pwrite(path, len(head), bytes(max(min(clear, size) - len(head), 0)))
    sh.files.pwrite(path, len(head), behind)
    sh.files.pwrite(path, 0, head)


def _ext4(sh: Shell, argv: list[str], io: Streams) -> int:
    read = read_options("mkfs.ext4", argv[1:])
    word, path = _device(sh, read, "mkfs.ext4")
    quiet = "q" in read.flags
    banner = [] if quiet else ["mke2fs 1.47.0 (5-Feb-2023)"]
    if not sh.files.exists(path):
        return sh.complain(io, "\n".join([*banner, f"The file {word} does not exist and no size was specified."]), 2)
    if not sh.files.is_block_device(path):
        if path.startswith("/dev/dax") and "F" in read.flags:
            return sh.complain(io, "\n".join([*banner, EXT4_NO_SIZE]), 22)
        raise NotModelledError(f"mkfs.ext4 of {word}, which is not a block device, is not implemented")
    state, disk = sh.machine.state, path[5:]
    held = [holder for each, holder in bdev.claims(state) if each == disk]
    if held:
        why = "mounted" if held[0].startswith("mount") else "apparently in use by the system"
        text = f"{word} is {why}; will not make a filesystem here!"
        return sh.complain(io, "\n".join([*banner, text]), errno.EBUSY)
    logical, physical = bdev.block_sizes(state, disk)
    size = bdev.size_of(state, disk)
    blocksize = max(
        1024 if size < 512 * _MIB else 4096, logical
    )  # type "small" of mke2fs.conf; pmem's physical 4096 counts for nothing
    if "b" in read.values:
        if read.value("b") not in ("1024", "2048", "4096"):
            raise NotModelledError(f"mkfs.ext4 -b {read.value('b')} is not implemented")
        blocksize = int(read.value("b"))
        if blocksize < logical:
            return sh.complain(
                io,
                "\n".join([*banner, "mkfs.ext4: Invalid argument while setting blocksize; too small for device"]),
                22,
            )
        if blocksize < physical:
            banner.append(
                f"Warning: specified blocksize {blocksize} is less than device physical sectorsize {physical}"
            )
    page = state.kernel.geometry.PAGE_SIZE
    if blocksize != page and bdev.bdev_dax_supported(state, disk, page):
        banner.append(
            f"{word} is capable of DAX but current block size {blocksize} is different from system page size {page} "
            "so filesystem will not support DAX."
        )
    if banner:
        sh.complain(io, "\n".join(banner))
    blocks = size // blocksize
    if blocks < 64:
        raise NotModelledError(f"mkfs.ext4 on {size} bytes is not implemented")
    label = read.value("L")
    sb = superblock.Superblock(
        "ext4",
        blocksize,
        blocks,
        _given_uuid(read, sh, disk),
        label,
        ext4_journal(blocks) > 0,
        stride=physical // blocksize,
    )
    if not bdev.flushes(state, disk):  # that is noticed when the group descriptors are there, the superblock is not
        sh.files.pwrite(path, 0, bytes(8192))
        sh.files.pwrite(path, max(blocksize, 2048), b"\x01" * 64)
        if not quiet:
            raise NotModelledError("mkfs.ext4 on a device that cannot flush is modelled with -q only")
        return sh.complain(io, "mkfs.ext4: Input/output error while writing out and closing file system", 1)
    _lay_down(sh, path, sb, b"\x01" * 64, max(8192, 2 * blocksize))
    if not quiet:
        io.out.append(ext4_report(sb))
    if not sb.journal:
        sh.complain(io, "\nFilesystem too small for a journal")
    return 0


def _given_uuid(read: Read, sh: Shell, disk: str) -> str:
    if "U" not in read.values:
        return _uuid(sh, disk)
    try:
        return str(UUID(read.value("U")))
    except ValueError:
        raise NotModelledError(f"mkfs.ext4 -U {read.value('U')} is not implemented") from None


def _suboptions(name: str, read: Read, letter: str, known: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in read.values.get(letter, []):
        for word in text.split(","):
            key, _, value = word.partition("=")
            if key not in known:
                raise NotModelledError(f"{name} -{letter} {word} is not implemented")
            found[key] = value
    return found


def _xfs_size(text: str) -> int:
    found = re.fullmatch(r"(\d+)([skmgt]?)", text)
    if found is None:
        raise NotModelledError(f"mkfs.xfs: the size {text} is not implemented")
    return int(found[1]) * _UNITS[found[2]]


def _xfs(sh: Shell, argv: list[str], io: Streams) -> int:
    unsupported = "--unsupported" in argv
    read = read_options("mkfs.xfs", [word for word in argv[1:] if word != "--unsupported"])
    name = "mkfs.xfs"
    word, path = _device(sh, read, name)
    if not sh.files.exists(path):
        return sh.complain(io, f"Error accessing specified device {word}: No such file or directory\n{XFS_USAGE}", 2)
    if not sh.files.is_block_device(path):
        raise NotModelledError(f"{name} of {word}, which is not a block device, is not implemented")
    state, disk = sh.machine.state, path[5:]
    data = _suboptions(name, read, "d", ("su", "sw", "sunit", "swidth"))
    meta = _suboptions(name, read, "m", ("reflink", "bigtime", "crc", "finobt", "rmapbt", "inobtcount"))
    block = _suboptions(name, read, "b", ("size",))
    sector = _suboptions(name, read, "s", ("size",))
    if meta.get("crc", "1") != "1" or block.get("size", "4096") not in ("4096", "4k"):
        raise NotModelledError(f"{name} without crc, or of other blocks than 4096 bytes, is not implemented")
    if bdev.claims(state) and any(each == disk for each, _ in bdev.claims(state)):
        return sh.complain(io, f"{name}: {word} contains a mounted filesystem\n{XFS_USAGE}", errno.EBUSY)
    old = superblock.decode(bdev.read(state, disk, 0, superblock.BLOCK))
    if old is not None and "f" not in read.flags:
        text = f"{name}: {word} appears to contain an existing filesystem ({old.type})."
        return sh.complain(io, f"{text}\n{name}: Use the -f option to force overwrite.", 17)
    size = bdev.size_of(state, disk)
    sunit, swidth = _stripe(data)
    if unsupported:
        sh.complain(io, "Filesystems formatted with --unsupported are not supported!!")
        if size < _XFS_MINIMUM * 4096:
            text = f"size {size // 4096} of data subvolume is too small, minimum {_XFS_MINIMUM} blocks"
            return sh.complain(io, f"{text}\n{XFS_USAGE}", 22)
        if "q" not in read.flags:
            raise NotModelledError("the report of mkfs.xfs --unsupported is not modelled", remedy="add -q")
    elif size < 300 * _MIB:
        return sh.complain(io, f"Filesystem must be larger than 300MB.\n{XFS_USAGE}", 22)
    if not unsupported and not xfs_log_blocks(size // 4096, bool(sunit)):
        return sh.complain(io, f"Log size must be at least 64MB.\n{XFS_USAGE}", 22)
    sectsize = _number(sector.get("size", "0")) or bdev.block_sizes(state, disk)[1]
    sb = superblock.Superblock(
        "xfs", 4096, size // 4096, _uuid(sh, disk), read.value("L"), reflink=meta.get("reflink", "1") == "1",
        bigtime=meta.get("bigtime", "1") == "1", sunit=sunit, swidth=swidth, sectsize=sectsize,
    )  # fmt: skip
    if not bdev.flushes(state, disk):
        raise NotModelledError("mkfs.xfs on a device that cannot flush is not modelled")
    try:
        _lay_down(sh, path, sb, b"XAGF", 128 << 10)
    except FileError as error:
        raise NotModelledError(f"{name}: writing to {word} failed") from error
    if "q" not in read.flags:
        io.out.append(xfs_report(sb, word))
    return 0


def _number(text: str) -> int:
    if not re.fullmatch(r"\d{1,9}", text):
        raise NotModelledError(f"mkfs.xfs: the number {text} is not implemented")
    return int(text)


def _stripe(data: dict[str, str]) -> tuple[int, int]:
    """``sunit`` and ``swidth`` in blocks of 4096 bytes."""
    if "su" in data:
        unit = _xfs_size(data["su"]) // 4096
        return unit, unit * _number(data.get("sw", "1"))
    return _number(data.get("sunit", "0")) // 8, _number(data.get("swidth", "0")) // 8


COMMANDS: dict[str, Callable[[Shell, list[str], Streams], int]] = {"mkfs.ext4": _ext4, "mkfs.xfs": _xfs}
"""name -> function"""
