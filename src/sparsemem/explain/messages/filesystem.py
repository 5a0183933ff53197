"""Messages of fs/ext4, fs/xfs and fs/super.c about a file system on pmem: mounted, mounted without dax, or not mounted."""

from __future__ import annotations

from sparsemem.explain.messages._steps import LIST
from sparsemem.explain.records import Message, Step, Wording

__all__ = ["MESSAGES"]

_EXT4, _XFS, _SUPER, _DAX = "fs/ext4/super.c", "fs/xfs/xfs_super.c", "fs/super.c", "drivers/dax/super.c"
_MOUNTS = Step("See what is mounted, and with which dax option.", ("grep", "pmem", "/proc/mounts"))
_REMAKE = Step(
    "Save the data and make the file system anew with blocks of the size of a page (mkfs.ext4 takes 1 KiB below 512 MiB by itself).",
    ("mkfs.ext4", "-b", "4096", "/dev/<disk>"),
)

MESSAGES: tuple[Message, ...] = (
    Message(
        id="ext4-mounted",
        title="ext4 is mounted, or unmounted",
        file=_EXT4,
        function="ext4_fill_super",
        wordings=(
            Wording("EXT4-fs (%s): mounted filesystem", fields=("disk",)),
            Wording("EXT4-fs (%s): unmounting filesystem", "5.19", fields=("disk",)),
            Wording("EXT4-fs (%s): re-mounted", fields=("disk",)),
        ),
        what=(
            "All is well. The line does not say whether files are mapped directly: up to 5.16 \"Opts: dax\" does, later only /proc/mounts "
            "(dax=always), and dax=inode asks each file."
        ),
        steps=(_MOUNTS,),
    ),
    Message(
        id="xfs-mounted",
        title="XFS is mounted, or unmounted",
        file=_XFS,
        function="xfs_mountfs",
        wordings=(
            Wording("XFS (%s): Mounting V%d Filesystem", fields=("disk", "version")),
            Wording("XFS (%s): Ending clean mount", fields=("disk",)),
            Wording("XFS (%s): Unmounting Filesystem", fields=("disk",)),
        ),
        what="All is well. The lines do not say whether files are mapped directly; /proc/mounts shows dax=always or dax.",
        steps=(_MOUNTS,),
    ),
    Message(
        id="xfs-experimental",
        title="XFS uses something that this kernel calls experimental",
        file=_XFS,
        function="xfs_fs_fill_super",
        wordings=(
            Wording("XFS (%s): EXPERIMENTAL big timestamp feature in use. Use at your own risk!", "5.10", "5.14", fields=("disk",)),
            Wording("XFS (%s): EXPERIMENTAL inode btree counters feature in use. Use at your own risk!", "5.10", "5.14", fields=("disk",)),
        ),
        what=(
            "The file system was made by a mkfs.xfs newer than this kernel, which turns on bigtime and inobtcount. It is mounted and "
            "works; the kernel stopped calling them experimental in 5.15. A kernel before 5.10 refuses such a file system."
        ),
    ),
    Message(
        id="filesystem-dax-enabled",
        title="a file system is mounted with dax",
        file=_EXT4,
        function="ext4_fill_super",
        wordings=(
            Wording("EXT4-fs (%s): DAX enabled. Warning: EXPERIMENTAL, use at your own risk", None, "5.16", fields=("disk",)),
            Wording("XFS (%s): DAX enabled. Warning: EXPERIMENTAL, use at your own risk", fields=("disk",)),
            Wording("EXT2-fs (%s): DAX enabled. Warning: EXPERIMENTAL, use at your own risk", fields=("disk",)),
        ),
        what=(
            "The dax option was read. ext4 says so before it has looked at the device, so a refusal may follow; XFS says so when it is "
            "really on. The word EXPERIMENTAL is about the file system's dax, not about the device."
        ),
        steps=(_MOUNTS,),
    ),
    Message(
        id="dax-blocksize",
        title="blocks that are not as large as a page: no dax",
        file=_EXT4,
        function="ext4_fill_super",
        rule="filesystem-dax",
        wordings=(
            Wording("EXT4-fs (%s): unsupported blocksize for DAX", "5.17", fields=("disk",)),
            Wording("%s: error: unsupported blocksize for dax", "4.13", "5.16", fields=("disk",), note="debug output before 5.9"),
            Wording(
                "/dev/%s is capable of DAX but current block size %d is different from system page size %d",
                fields=("disk", "bytes", "page"), note="mke2fs 1.45 and later",
            ),
        ),
        what=(
            "The device can do dax, and this file system can not: its blocks must be of the size of a page (4 KiB on x86). Without a dax "
            "option it is mounted and goes through the page cache, which nothing else says; with dax or dax=always the mount is refused. "
            "Since 5.8 ext4 asks the device at every mount, so the line comes without the option, too. "
            "mkfs.ext4 takes 1 KiB by itself where the device is smaller than 512 MiB."
        ),
        steps=(_REMAKE,),
        see=("filesystem-dax-refused",),
    ),
    Message(
        id="filesystem-dax-refused",
        title="a mount with dax is refused",
        file=_EXT4,
        function="ext4_fill_super",
        errno="EINVAL",
        rule="filesystem-dax",
        wordings=(Wording("EXT4-fs (%s): DAX unsupported by block device", fields=("disk",)),),
        what=(
            "dax was asked for and can not be: the namespace has no pages behind it (mode raw of most regions, or sector), the file "
            "system's blocks are not as large as a page, or the namespace has the padding of a kernel before 5.3 at its start. ext4 "
            "refuses the mount; it does not fall back."
        ),
        steps=(
            LIST,
            Step(
                "Mode raw or sector: save the data and make the namespace anew as fsdax.",
                ("ndctl", "create-namespace", "-f", "-e", "<namespace>", "-m", "fsdax"),
            ),
            _REMAKE,
        ),
        see=("start-pad", "dax-blocksize"),
    ),
    Message(
        id="ext4-dax-off",
        title="ext4 mounts without the dax that was asked for",
        file=_EXT4,
        function="ext4_fill_super",
        rule="filesystem-dax",
        wordings=(
            Wording(
                "EXT4-fs (%s): DAX unsupported by block device. Turning off DAX", None, "4.20", fields=("disk",),
                note="read in 4.19 and 4.20, gone in 5.0",
            ),
        ),
        what=(
            "dax was asked for and can not be: no pages behind the namespace (raw on an NVDIMM, sector), or padding at its start. The "
            "mount goes on, and every access goes through the page cache, so the memory is used twice."
        ),
        steps=(
            LIST,
            Step(
                "Save the data and make the namespace anew as fsdax.",
                ("ndctl", "create-namespace", "-f", "-e", "<namespace>", "-m", "fsdax"),
            ),
        ),
        see=("start-pad", "filesystem-dax-refused"),
    ),
    Message(
        id="xfs-dax-off",
        title="XFS mounts without the dax that was asked for",
        file=_XFS,
        function="xfs_setup_dax_always",
        rule="filesystem-dax",
        wordings=(Wording("XFS (%s): DAX unsupported by block device. Turning off DAX", fields=("disk",)),),
        what=(
            "dax was asked for and can not be: no pages behind the namespace (raw, sector), or blocks that are not as large as a page. XFS "
            "mounts all the same, and every access goes through the page cache."
        ),
        steps=(
            LIST,
            Step(
                "Save the data and make the namespace anew as fsdax.",
                ("ndctl", "create-namespace", "-f", "-e", "<namespace>", "-m", "fsdax"),
            ),
        ),
    ),
    Message(
        id="xfs-dax-reflink",
        title="XFS with reflink and dax",
        file=_XFS,
        function="xfs_fs_fill_super",
        errno="EINVAL",
        rule="filesystem-dax",
        wordings=(Wording("XFS (%s): DAX and reflink cannot be used together", "4.17", "5.19", fields=("disk",)),),
        what=(
            "Up to 5.19 a file system whose files may share blocks can not do dax, and mkfs.xfs turns reflink on by itself since "
            "xfsprogs 5.1. The mount is refused."
        ),
        steps=(
            Step("Save the data and make the file system anew.", ("mkfs.xfs", "-f", "-m", "reflink=0", "/dev/<disk>")),
            Step("Or boot kernel 6.0 or later."),
        ),
    ),
    Message(
        id="dax-partition",
        title="a partition that does not begin on a page",
        file=_DAX,
        function="fs_dax_get_by_bdev",
        rule="filesystem-dax",
        wordings=(Wording("%s: error: unaligned partition for dax", "4.13", fields=("disk",), note="debug output before 5.9"),),
        what="The partition's first sector is not on a page, so its blocks can not be mapped: no dax.",
        steps=(Step("Make partitions that begin on multiples of 2 MiB, so that large pages are possible, too."),),
    ),
    Message(
        id="dax-access-failed",
        title="the first page of a device can not be mapped",
        file=_DAX,
        function="__generic_fsdax_supported",
        rule="filesystem-dax",
        wordings=(
            Wording("%s: error: dax access failed (%d)", "4.13", "5.16", fields=("disk", "code"), note="debug output before 5.9"),
            Wording("%s: error: dax support not enabled", "4.17", "5.16", fields=("disk",), note="debug output before 5.9"),
        ),
        what=(
            "The driver was asked for the first and the last page of the device and did not give them. Known cause: padding at the start "
            "of a namespace, made by a kernel before 5.3, because of which sector 0 is not where the page is (ndctl issue 76)."
        ),
        steps=(LIST,),
        cases=("C01",),
        see=("start-pad",),
    ),
    Message(
        id="blockdev-not-there",
        title="a mount finds no block device, or one that is held",
        file=_SUPER,
        function="get_tree_bdev",
        rule="block-device-there",
        wordings=(
            Wording("/dev/%s: Can't lookup blockdev", "6.6", fields=("disk",)),
            Wording("/dev/%s: Can't open blockdev", "5.5", fields=("disk",), note="XFS from 5.5, ext4 from 5.17"),
        ),
        what=(
            "ENOENT: there is no such node, as while the namespace is disabled or of mode devdax. ENOTBLK: the node is no block device "
            "(/dev/dax0.0 is a character device). EBUSY, \"open\" only: another holder has it, as a mount of another type or a btt."
        ),
        steps=(LIST, _MOUNTS),
    ),
    Message(
        id="mount-ro-state",
        title="mounted already, as read-only or not",
        file=_SUPER,
        function="get_tree_bdev",
        errno="EBUSY",
        rule="mount-busy",
        wordings=(Wording("%s: Can't mount, would change RO state", "5.5", fields=("disk",), note="XFS from 5.5, ext4 from 5.17"),),
        what="The device is mounted elsewhere, read-only where this mount is not, or the other way round.",
        steps=(_MOUNTS, Step("Mount it the same way, or remount the other.", ("mount", "-o", "remount,ro", "<directory>"))),
    ),
    Message(
        id="filesystem-not-found",
        title="no file system of that type on the device",
        file=_EXT4,
        function="ext4_fill_super",
        errno="EINVAL",
        rule="filesystem-found",
        wordings=(
            Wording("EXT4-fs (%s): VFS: Can't find ext4 filesystem", fields=("disk",)),
            Wording("XFS (%s): Invalid superblock magic number", fields=("disk",)),
            Wording("EXT4-fs (%s): couldn't mount as %s due to feature incompatibilities", fields=("disk", "type")),
        ),
        what=(
            "At the start of the device is no superblock of this type. On pmem look first whether the namespace is in the mode that it was "
            "made in: a file system made in raw mode is not where fsdax looks, and the other way round."
        ),
        steps=(LIST, Step("See what is on it.", ("blkid", "-p", "/dev/<disk>"))),
    ),
)  # fmt: skip
