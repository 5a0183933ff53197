"""Features of fs/ext4 and fs/xfs: what mounting with dax says, and refuses."""

from __future__ import annotations

from dataclasses import dataclass

from sparsemem.spec.features_firmware import FirmwareFeatures
from sparsemem.spec.record import Era, choice, since, until

__all__ = ["FsFeatures"]


@dataclass(frozen=True, slots=True, kw_only=True, init=False, repr=False, eq=False)  # cheap: Features makes them
class FsFeatures(FirmwareFeatures):
    """fs/ext4/super.c, fs/xfs/xfs_super.c."""

    dax_mount_modes: bool = since(
        "5.8", "9cb20f94afcd", "fs/ext4: Make DAX mount option a tri-state",
        note="dax= takes always, never and inode, and mounts show dax=always; before, the option is dax and shown as such.",
    )  # fmt: skip
    ext4_dax_warning: bool = until(
        "5.17", "6e47a3cc68fc", "ext4: get rid of super block and sbi from handle_mount_ops()",
        note="ext4 says \"DAX enabled. Warning: EXPERIMENTAL\" when it reads the option, once for each type tried.",
    )  # fmt: skip
    dax_blocksize_message: str = choice(
        Era("debug"),
        Era("device", "5.9", "231609785cbf", "dax: print error message by pr_info() in __generic_fsdax_supported()"),
        Era("ext4", "5.17", "89b93a7b15f7", "ext4: cleanup the dax handling in ext4_fill_super"),
        note="Who says that blocks smaller than a page cannot do dax: a debug line of dax, its info line, or ext4.",
    )  # fmt: skip
    get_tree_bdev_messages: str = choice(
        Era("none"),
        Era("xfs", "5.5", "", "xfs: switch to use the new mount-api"),
        Era("open", "5.17", "cebe85d570cf", "ext4: switch to the new mount api"),
        Era("lookup", "6.6", "", "fs: open block device after superblock creation"),
        note="Which mounts say that the device cannot be opened: none, those of xfs, all; then that it cannot be looked up, where there is "
        "none (seen in the lab: 5.10, 6.1, 6.12, 7.2; in 6.5 and 6.6.9 the first and the second).",
    )  # fmt: skip
    ext4_mount_message: str = choice(
        Era("opts"),
        Era("opts and quota", "5.11", "ca9b404ff137", "ext4: print quota journalling mode on (re-)mount"),
        Era("quota", "5.17", "cebe85d570cf", "ext4: switch to the new mount api"),
        Era("uuid", "6.2", "bb0fbc782ee9", "ext4: print file system UUID on mount, remount and unmount"),
        Era("uuid and mode", "6.4", "6dcc98fbc465", "ext4: add indication of ro vs r/w mounts in the mount message"),
        note="What follows \"mounted filesystem\" (seen in the lab: 5.10, 6.1, 6.12, 7.2).",
    )  # fmt: skip
    ext4_unmount_message: str = choice(
        Era("none"),
        Era("plain", "5.19", "4808cb5b98b4", "ext4: add unmount filesystem message"),
        Era("uuid", "6.2", "bb0fbc782ee9", "ext4: print file system UUID on mount, remount and unmount"),
        note="What ext4 says when it is unmounted.",
    )  # fmt: skip
    xfs_messages_name_uuid: bool = since(
        "6.2", "64c80dfd04d1", "xfs: Print XFS UUID on mount and umount events.",
        note="\"Mounting V5 Filesystem\" and \"Unmounting Filesystem\" are followed by the UUID.",
    )  # fmt: skip
    xfs_bigtime: str = choice(
        Era("unknown"),
        Era("experimental", "5.10", "29887a227131", "xfs: enable big timestamps"),
        Era("known", "5.15", "f19ee6bb1a72", "xfs: drop experimental warnings for bigtime and inobtcount"),
        note="What a file system of today's mkfs.xfs (bigtime, inobtcount) is to this kernel: refused, mounted with two warnings, or "
        "mounted (seen in the lab: 5.10, 6.1).",
    )  # fmt: skip
    xfs_shows_attr2: bool = until(
        "6.18", "b9a176e54162", "xfs: remove deprecated mount options",
        note="Mounts show attr2 (in 6.14.0, not in 6.18.2; a report to linux-xfs says that 6.18 took it away).",
    )  # fmt: skip
    xfs_dax_warning: bool = until(
        "6.8", "27c86d43bcdb", "xfs: drop experimental warning for FSDAX",
        note="xfs says \"DAX enabled. Warning: EXPERIMENTAL, use at your own risk\" (in 6.6.9, not in 6.8.0).",
    )  # fmt: skip
    xfs_dax_reflink: bool = since(
        "6.0", "35fcd75af3ed", "xfs: fail dax mount if reflink is enabled on a partition",
        note="A file system with reflink mounts with dax; before: \"DAX and reflink cannot be used together!\", -EINVAL.",
    )  # fmt: skip
