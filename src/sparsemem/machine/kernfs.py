"""``fs/kernfs/dir.c``: the order in which sysfs lists a directory. Tools that keep what ``readdir`` gives show it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["kernfs_name_hash", "readdir_order"]

_MASK = (1 << 64) - 1
_GOLDEN_RATIO_64 = 0x61C8864680B583EB
_INT_MAX = (1 << 31) - 1


def kernfs_name_hash(name: str) -> int:
    """The 31-bit hash by which kernfs sorts the names of a directory (64-bit kernels)."""
    value = 0
    for c in name.encode():
        value = (value + (c << 4) + (c >> 4)) * 11 & _MASK
    value = (value * _GOLDEN_RATIO_64 & _MASK) >> 32 & _INT_MAX
    return min(value + 2 if value < 2 else value, _INT_MAX - 1)


def readdir_order(names: Iterable[str]) -> list[str]:
    """The names as ``readdir`` gives them in sysfs."""
    return sorted(names, key=lambda name: (kernfs_name_hash(name), name))
