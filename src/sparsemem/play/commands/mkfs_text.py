"""What mkfs.ext4 and mkfs.xfs print when they are not told to be quiet, and the numbers in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.errors import NotModelledError

if TYPE_CHECKING:
    from sparsemem.kernel.fs.superblock import Superblock

__all__ = ["EXT4_NO_SIZE", "XFS_USAGE", "ext4_journal", "ext4_report", "xfs_log_blocks", "xfs_report"]

_MIB, _GIB, _TIB = 1 << 20, 1 << 30, 1 << 40
_JOURNALS = (
    (2048, 0), (32768, 1024), (262144, 4096), (524288, 8192), (4194304, 16384), (8388608, 32768), (16777216, 65536),
    (33554432, 131072),
)  # fmt: skip

EXT4_NO_SIZE = """mkfs.ext4: Device size reported to be zero.  Invalid partition specified, or
\tpartition table wasn't reread after running fdisk, due to
\ta modified partition being busy and in use.  You may need to reboot
\tto re-read your partition table.
"""
"""What mkfs.ext4 prints for a device without a size, such as a character device."""

XFS_USAGE = """Usage: mkfs.xfs
/* blocksize */\t\t[-b size=num]
/* config file */\t[-c options=xxx]
/* metadata */\t\t[-m crc=0|1,finobt=0|1,uuid=xxx,rmapbt=0|1,reflink=0|1,
\t\t\t    inobtcount=0|1,bigtime=0|1]
/* data subvol */\t[-d agcount=n,agsize=n,file,name=xxx,size=num,
\t\t\t    (sunit=value,swidth=value|su=num,sw=num|noalign),
\t\t\t    sectsize=num
/* force overwrite */\t[-f]
/* inode size */\t[-i perblock=n|size=num,maxpct=n,attr=0|1|2,
\t\t\t    projid32bit=0|1,sparse=0|1,nrext64=0|1]
/* no discard */\t[-K]
/* log subvol */\t[-l agnum=n,internal,size=num,logdev=xxx,version=n
\t\t\t    sunit=value|su=num,sectsize=num,lazy-count=0|1]
/* label */\t\t[-L label (maximum 12 characters)]
/* naming */\t\t[-n size=num,version=2|ci,ftype=0|1]
/* no-op info only */\t[-N]
/* prototype file */\t[-p fname]
/* quiet */\t\t[-q]
/* realtime subvol */\t[-r extsize=num,size=num,rtdev=xxx]
/* sectorsize */\t[-s size=num]
/* version */\t\t[-V]
\t\t\tdevicename
<devicename> is required unless -d name=xxx is given.
<num> is xxx (bytes), xxxs (sectors), xxxb (fs blocks), xxxk (xxx KiB),
      xxxm (xxx MiB), xxxg (xxx GiB), xxxt (xxx TiB) or xxxp (xxx PiB).
<value> is xxx (512 byte blocks)."""
"""What mkfs.xfs prints when it cannot go on."""


def ext4_journal(blocks: int) -> int:
    """Blocks of the journal that a file system of so many blocks gets by default; 0 is none."""
    return next((journal for limit, journal in _JOURNALS if blocks < limit), 262144)


def _sparse(group: int) -> bool:
    """Has this block group a copy of the superblock?"""
    if group in (0, 1):
        return True
    for base in (3, 5, 7):
        power = base
        while power < group:
            power *= base
        if power == group:
            return True
    return False


def _inodes(sb: Superblock, groups: int) -> int:
    megabytes = sb.blocks * sb.blocksize // _MIB
    ratio = 8192 if megabytes < 3 else 4096 if megabytes < 512 else 16384
    wanted = sb.blocks * sb.blocksize // max(ratio, sb.blocksize)
    per_block = sb.blocksize // 256
    each = -(-wanted // groups)
    each = -(-each // per_block) * per_block
    return each // 8 * 8 * groups


def _progress(text: str, groups: int, *, wide: bool) -> str:
    width = len(str(groups))
    shown = f"{0:{width}}/{groups}"
    back = "\b" * len(shown)
    return f"{text}: {shown}{back}{' ' * len(shown)}{back}done{' ' * 28 if wide else ''}\n"


def ext4_report(sb: Superblock) -> str:
    """The whole report. ``sb.blocks`` is cut where the last group would be too small for what every group has."""
    first = 1 if sb.blocksize == 1024 else 0
    per_group = 8 * sb.blocksize
    groups = -(-(sb.blocks - first) // per_group)
    inodes = _inodes(sb, groups)
    rest = (sb.blocks - first) % per_group
    if rest and rest < 52 + inodes // groups * 256 // sb.blocksize and groups > 1:
        raise NotModelledError("the report of mkfs.ext4 for this size is not modelled", remedy="add -q")
    lines = [f"Creating filesystem with {sb.blocks} {sb.blocksize // 1024}k blocks and {inodes} inodes\n"]
    copies = [str(group * per_group + first) for group in range(1, groups) if _sparse(group)]
    if groups > 1:
        lines.append(f"Filesystem UUID: {sb.uuid}\nSuperblock backups stored on blocks: ")
        column = 99
        for index, copy in enumerate(copies):
            if column + len(copy) + 2 > 72:
                lines.append("\n\t")
                column = 8
            lines.append(copy + (", " if index + 1 < len(copies) else ""))
            column += len(copy) + 2
        lines.append("\n")
    lines.append("\n")
    lines.append(_progress("Allocating group tables", groups, wide=True))
    lines.append(_progress("Writing inode tables", groups, wide=True))
    if sb.journal:
        lines.append(f"Creating journal ({ext4_journal(sb.blocks)} blocks): done\n")
    lines.append(_progress("Writing superblocks and filesystem accounting information", groups, wide=False))
    return "".join([*lines, "\n"])


def xfs_log_blocks(blocks: int, striped: bool) -> int:
    """Blocks of the log, at least 64 MiB; 0 where no allocation group has room for that."""
    size = blocks * 4096
    ags = (8 if size <= 8 * _GIB else 16 if size < 512 * _GIB else 32) if striped else 4
    if striped and -(-blocks // ags) < 16384 + 256:
        return 0
    return max(16384, blocks // 2048)


def xfs_report(sb: Superblock, device: str) -> str:
    """The table that mkfs.xfs prints, for devices below 1 TiB without a stripe."""
    if sb.sunit or sb.blocks * 4096 >= _TIB:
        raise NotModelledError(
            "the report of mkfs.xfs for a stripe, or from 1 TiB on, is not modelled", remedy="add -q"
        )
    large = 1 if sb.sectsize == 4096 else 0
    log, reflink, big = xfs_log_blocks(sb.blocks, False), int(sb.reflink), int(sb.bigtime)
    blocks = sb.blocks // 4 * 4 if sb.blocks % 4 else sb.blocks
    if blocks != sb.blocks:
        raise NotModelledError("the report of mkfs.xfs for this size is not modelled", remedy="add -q")
    return (
        f"meta-data={device:<22} isize=512    agcount=4, agsize={blocks // 4} blks\n"
        f"         ={'':22} sectsz={sb.sectsize:<5} attr=2, projid32bit=1\n"
        f"         ={'':22} crc=1        finobt=1, sparse=1, rmapbt=0\n"
        f"         ={'':22} reflink={reflink}    bigtime={big} inobtcount=1 nrext64=0\n"
        f"data     ={'':22} bsize=4096   blocks={blocks}, imaxpct=25\n"
        f"         ={'':22} sunit=0      swidth=0 blks\n"
        f"naming   =version 2{'':13} bsize=4096   ascii-ci=0, ftype=1\n"
        f"log      =internal log{'':10} bsize=4096   blocks={log}, version=2\n"
        f"         ={'':22} sectsz={sb.sectsize:<5} sunit={large} blks, lazy-count=1\n"
        f"realtime =none{'':18} extsz=4096   blocks=0, rtextents=0\n"
    )
