"""fs/xfs/xfs_super.c: what xfs needs of a device, and its words in the kernel log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.kernel.fs import bdev, superblock
from sparsemem.kernel.fs.options import dax_option
from sparsemem.kernel.refusal import Refusal

if TYPE_CHECKING:
    from sparsemem.kernel.state import State

__all__ = ["fill_super", "put_super"]

_EINVAL = 22


def fill_super(
    state: State, disk: str, fstype: str, options: str | None, *, ro: bool, silent: bool
) -> tuple[list[str], str]:
    """``(options to show, uuid)``. Raises Refusal(EINVAL): no xfs, or dax with reflink up to v5.19.

    On a device without dax it says so and goes on without.
    """
    state.alloc("xfs_fs_fill_super")
    dax = dax_option(state, options)
    f = state.kernel.features
    sb = superblock.decode(bdev.read(state, disk, 0, superblock.BLOCK))
    if sb is None or sb.type != "xfs":
        if not silent:
            state.log("warn", f"XFS ({disk}): Invalid superblock magic number")
        raise Refusal(_EINVAL, "xfs_readsb", "filesystem-found")
    _check_features(state, disk, sb)
    if dax == "always":
        dax = _setup_dax_always(state, disk, sb)
    name = f" {sb.uuid}" if f.xfs_messages_name_uuid else ""
    if sb.bigtime and f.xfs_bigtime == "experimental":
        state.log("warn", f"XFS ({disk}): EXPERIMENTAL inode btree counters feature in use. Use at your own risk!")
    state.log("info", f"XFS ({disk}): Mounting V5 Filesystem{name}")
    state.log("info", f"XFS ({disk}): Ending clean mount")
    shown = ["attr2"] if f.xfs_shows_attr2 else []
    if dax and dax != "inode":  # that is what no option means
        shown.append(f"dax={dax}" if f.dax_mount_modes else "dax")
    shown += ["inode64", "logbufs=8", "logbsize=32k"]
    if sb.sunit:
        shown += [f"sunit={sb.sunit * sb.blocksize // 512}", f"swidth={sb.swidth * sb.blocksize // 512}"]
    return [*shown, "noquota"], sb.uuid


def _check_features(state: State, disk: str, sb: superblock.Superblock) -> None:
    """bigtime and inobtcount, which today's mkfs.xfs turns on. Raises Refusal(EINVAL) where the kernel knows neither."""
    known = state.kernel.features.xfs_bigtime
    if not sb.bigtime or known == "known":
        return
    if known == "experimental":
        state.log("warn", f"XFS ({disk}): EXPERIMENTAL big timestamp feature in use. Use at your own risk!")
        return
    for text in (
        "Superblock has unknown read-only compatible features (0x8) enabled.",
        "Attempted to mount read-only compatible filesystem read-write.",
        "Filesystem can only be safely mounted read only.",
    ):
        state.log("warn", f"XFS ({disk}): {text}")
    raise Refusal(_EINVAL, "xfs_validate_sb_read", "filesystem-found")


def _setup_dax_always(state: State, disk: str, sb: superblock.Superblock) -> str:
    f = state.kernel.features
    if f.xfs_dax_warning and not f.xfs_dax_reflink:
        state.log("warn", f"XFS ({disk}): DAX enabled. Warning: EXPERIMENTAL, use at your own risk")
    if not bdev.bdev_dax_supported(state, disk, sb.blocksize):
        state.log("err", f"XFS ({disk}): DAX unsupported by block device. Turning off DAX.")
        return "never" if f.dax_mount_modes else ""
    if sb.reflink and not f.xfs_dax_reflink:
        state.log("err", f"XFS ({disk}): DAX and reflink cannot be used together!")
        raise Refusal(_EINVAL, "xfs_fs_fill_super", "filesystem-dax")
    if f.xfs_dax_warning and f.xfs_dax_reflink:
        state.log("warn", f"XFS ({disk}): DAX enabled. Warning: EXPERIMENTAL, use at your own risk")
    return "always"


def put_super(state: State, disk: str, uuid: str) -> None:
    """Say that it is unmounted."""
    name = f" {uuid}" if state.kernel.features.xfs_messages_name_uuid else ""
    state.log("info", f"XFS ({disk}): Unmounting Filesystem{name}")
