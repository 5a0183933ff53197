"""Rules of mounting a block device, with and without dax."""

from __future__ import annotations

from sparsemem.spec._rule import Rule

__all__ = ["RULES"]

_VFS = "fs/namespace.c, fs/super.c (mounts recorded in 5.10, 6.1, 6.12, 7.2)"
_FS = "fs/ext4/super.c, fs/xfs/xfs_super.c, drivers/dax/super.c (mounts recorded in 5.10, 6.1, 6.12, 7.2)"

RULES: tuple[Rule, ...] = (
    Rule(
        "filesystem-type",
        "a file system type must be known to the kernel",
        "Nothing of that name is registered.",
        ("do_new_mount",),
        _VFS,
        errnos=("ENODEV",),
    ),
    Rule(
        "block-device-there",
        "a block device exists while its namespace is enabled",
        "The node is not there, is none of a block device, or the device behind it is gone.",
        ("get_tree_bdev",),
        _VFS,
        errnos=("ENOENT", "ENOTBLK", "ENXIO"),
    ),
    Rule(
        "mount-busy",
        "a block device has one holder",
        "It is mounted there already, as another type or with another read-only flag, or something else has it open for itself.",
        ("get_tree_bdev", "do_add_mount"),
        _VFS,
        errnos=("EBUSY",),
    ),
    Rule(
        "mount-there",
        "what is unmounted is mounted",
        "Nothing is mounted on that directory, or from that device.",
        ("path_umount",),
        _VFS,
        errnos=("EINVAL",),
    ),
    Rule(
        "filesystem-found",
        "a mount finds its own superblock",
        "The device has no superblock of this type, or one with features that this kernel does not know.",
        ("ext4_fill_super", "xfs_readsb", "xfs_validate_sb_read"),
        _FS,
        errnos=("EINVAL",),
    ),
    Rule(
        "filesystem-dax",
        "dax needs pages behind the device, and blocks of one page",
        "fsdax namespaces have them, raw ones of most regions and sector ones do not; up to v5.19 xfs with reflink refuses, too.",
        ("ext4_fill_super", "xfs_fs_fill_super"),
        _FS,
        errnos=("EINVAL",),
    ),
)
