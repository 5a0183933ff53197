"""mount(2) and umount(2) for block devices (fs/namespace.c, fs/super.c): one superblock a device, one mount a directory.

What a file system says and refuses is in ``ext4`` and ``xfs``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, NoReturn

from sparsemem.kernel.fs import bdev, ext4, xfs
from sparsemem.kernel.refusal import Refusal

if TYPE_CHECKING:
    from sparsemem.kernel.state import State

__all__ = ["FILESYSTEMS", "Mount", "lookup_failed", "mount", "mounts", "proc_mounts", "umount"]

_MOUNTS = "mounts"
_ENXIO, _EBUSY, _ENODEV, _EINVAL = 6, 16, 19, 22

FILESYSTEMS = ("ext3", "ext2", "ext4", "xfs")
"""Types with a block device, in the order of ``/proc/filesystems`` in the recorded guests."""


class Mount(NamedTuple):
    """``options`` as ``/proc/mounts`` shows them; ``holder`` names the claim on the device."""

    disk: str
    directory: str
    type: str
    options: str
    uuid: str
    holder: str


def mounts(state: State) -> tuple[Mount, ...]:
    """Everything mounted from a block device, oldest first."""
    found: tuple[Mount, ...] = state.misc.get(_MOUNTS, ())
    return found


def proc_mounts(state: State) -> str:
    """``/proc/mounts``: only block devices of the model."""
    return "".join(f"/dev/{m.disk} {m.directory} {m.type} {m.options} 0 0\n" for m in mounts(state))


def _put(state: State, found: tuple[Mount, ...]) -> None:
    if found:
        state.put(state.misc, _MOUNTS, found)
    else:
        state.drop(state.misc, _MOUNTS)


def lookup_failed(state: State, source: str, fstype: str, errno: int) -> NoReturn:
    """The path ``source`` leads to no block device. Raises Refusal: ENODEV (no such type), or ``errno``."""
    if fstype not in FILESYSTEMS:
        raise Refusal(_ENODEV, "do_new_mount", "filesystem-type")
    word = "lookup" if state.kernel.features.get_tree_bdev_messages == "lookup" else "open"
    _say(state, fstype, "err", f"{source}: Can't {word} blockdev")
    raise Refusal(errno, "get_tree_bdev", "block-device-there")


def _say(state: State, fstype: str, level: str, text: str) -> None:
    """What get_tree_bdev() logs; mount_bdev(), which it replaced type by type, says nothing."""
    if state.kernel.features.get_tree_bdev_messages in ("open", "lookup", fstype):
        state.log(level, text)


def mount(
    state: State, disk: str, directory: str, fstype: str, options: str | None, *, ro: bool = False, silent: bool = False
) -> None:
    """Mount a device. ``options`` None: no data was passed; ``silent``: MS_SILENT, as when types are tried.

    Raises Refusal: ENXIO (no such device now), EBUSY, ENODEV (no such type), EINVAL and what the file system answers.
    """
    if fstype not in FILESYSTEMS:
        raise Refusal(_ENODEV, "do_new_mount", "filesystem-type")
    if disk not in state.nd.disks:
        raise Refusal(_ENXIO, "get_tree_bdev", "block-device-there")
    same = [m for m in mounts(state) if m.disk == disk]
    held = [each for each in bdev.claims(state) if each[0] == disk]
    if held and not (same and same[0].type == fstype):
        _say(state, fstype, "err", f"/dev/{disk}: Can't open blockdev")
        raise Refusal(_EBUSY, "get_tree_bdev", "mount-busy")
    if same:
        shown, uuid = same[0].options, same[0].uuid
        if ro != (shown.split(",")[0] == "ro"):
            _say(state, fstype, "warn", f"{disk}: Can't mount, would change RO state")
            raise Refusal(_EBUSY, "get_tree_bdev", "mount-busy")
        if any(m.directory == directory for m in same):
            raise Refusal(_EBUSY, "do_add_mount", "mount-busy")
        holder = same[0].holder
    else:
        fill_super = xfs.fill_super if fstype == "xfs" else ext4.fill_super
        more, uuid = fill_super(state, disk, fstype, options, ro=ro, silent=silent)
        shown = ",".join(["ro" if ro else "rw", "relatime", *more])
        holder = f"mount:{directory}"
        bdev.claim(state, disk, holder)
    _put(state, (*mounts(state), Mount(disk, directory, fstype, shown, uuid, holder)))


def umount(state: State, target: str) -> None:
    """Unmount the newest mount on a directory (or of ``/dev/DISK``). Raises Refusal(EINVAL): nothing is mounted there."""
    found = [m for m in mounts(state) if target in (m.directory, f"/dev/{m.disk}")]
    if not found:
        raise Refusal(_EINVAL, "path_umount", "mount-there")
    gone = found[-1]
    left = list(mounts(state))
    left.reverse()
    left.remove(gone)
    left.reverse()
    _put(state, tuple(left))
    if any(m.holder == gone.holder for m in left):
        return
    (xfs.put_super if gone.type == "xfs" else ext4.put_super)(state, gone.disk, gone.uuid)
    bdev.release(state, gone.disk, gone.holder)
