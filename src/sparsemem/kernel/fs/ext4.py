"""fs/ext4/super.c: what ext4 needs of a device, and its words in the kernel log."""

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
    """``(options to show, uuid)``. Raises Refusal(EINVAL): no ext4, not an ext2 or ext3, or no dax where it was asked for."""
    state.alloc("ext4_fill_super")
    dax = dax_option(state, options)
    f = state.kernel.features
    sb = superblock.decode(bdev.read(state, disk, 0, superblock.BLOCK))
    if sb is None or sb.type != "ext4":
        if not silent:
            state.log("err", f"EXT4-fs ({disk}): VFS: Can't find ext4 filesystem")
        raise Refusal(_EINVAL, "ext4_fill_super", "filesystem-found")
    if dax == "always" and f.ext4_dax_warning:
        state.log("warn", f"EXT4-fs ({disk}): DAX enabled. Warning: EXPERIMENTAL, use at your own risk")
    if fstype != "ext4":
        if not silent:
            state.log("err", f"EXT4-fs ({disk}): couldn't mount as {fstype} due to feature incompatibilities")
        raise Refusal(_EINVAL, "ext4_fill_super", "filesystem-found")
    if (
        f.dax_mount_modes or dax == "always"
    ):  # since 5.8 the device is asked whatever the option is, as inodes may want it
        _say_blocksize(state, disk, sb.blocksize)
    if dax == "always" and not bdev.bdev_dax_supported(state, disk, sb.blocksize):
        state.log("err", f"EXT4-fs ({disk}): DAX unsupported by block device.")
        raise Refusal(_EINVAL, "ext4_fill_super", "filesystem-dax")
    _say_mounted(state, disk, sb, options, ro=ro)
    stripe = [f"stripe={sb.stride}"] if sb.stride > 1 else []
    word = f"dax={dax}" if f.dax_mount_modes else "dax"
    return [*stripe, word] if dax else stripe, sb.uuid


def _say_blocksize(state: State, disk: str, blocksize: int) -> None:
    """Where nothing but the size of the blocks stands against dax."""
    page = state.kernel.geometry.PAGE_SIZE
    if blocksize == page or not bdev.bdev_dax_supported(state, disk, page):
        return
    form = state.kernel.features.dax_blocksize_message
    if form == "ext4":
        state.log(
            "err", f"EXT4-fs ({disk}): unsupported blocksize for DAX\\x0a"
        )  # a newline in the text, as /dev/kmsg shows it
    else:
        state.log("info" if form == "device" else "debug", f"{disk}: error: unsupported blocksize for dax")


def _say_mounted(state: State, disk: str, sb: superblock.Superblock, options: str | None, *, ro: bool) -> None:
    form = state.kernel.features.ext4_mount_message
    mode = "with ordered data mode" if sb.journal else "without journal"
    who = {"uuid": f" {sb.uuid}", "uuid and mode": f" {sb.uuid} {'ro' if ro else 'r/w'}"}.get(form, "")
    text = f"EXT4-fs ({disk}): mounted filesystem{who} {mode}."
    if form in ("opts", "opts and quota"):
        text += f" Opts: {'(null)' if options is None else options}"
    if form == "opts and quota":
        text += "."
    if form != "opts":
        text += " Quota mode: none."
    state.log("info", text)


def put_super(state: State, disk: str, uuid: str) -> None:
    """Say that it is unmounted, where this kernel does."""
    form = state.kernel.features.ext4_unmount_message
    if form != "none":
        state.log("info", f"EXT4-fs ({disk}): unmounting filesystem{f' {uuid}' if form == 'uuid' else ''}.")
