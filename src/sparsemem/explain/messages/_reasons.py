"""What an errno means when it is the last word of a tool."""

from __future__ import annotations

__all__ = ["REASONS"]

REASONS: tuple[tuple[int, str], ...] = (
    (
        -6,
        (
            "ENXIO: the kernel did not bring the namespace up; the true reason (a conflict in one section, System RAM"
            " in the range, no room after the metadata) is in the kernel log."
        ),
    ),
    (-22, "EINVAL: a size, start or alignment was refused."),
    (-16, "EBUSY: in use, or the address range has an owner."),
    (
        -95,
        (
            "EOPNOTSUPP: the namespace is not aligned to what this kernel maps, or its info block belongs to another "
            "page size."
        ),
    ),
    (-28, "ENOSPC: no piece of free space is that large."),
    (
        -11,
        (
            "EAGAIN: no region was left to try: each is full (a namespace without a driver counts, too), disabled, or offers nothing of "
            "that "
            "mode. -v says why each was passed over."
        ),
    ),
    (-12, "ENOMEM: no memory for the page array, or a conflicting device map."),
    (-19, "ENODEV: no driver took the device; for system-ram often: no target node."),
    (-34, "ERANGE: no room in the CXL window, or an address above the limit."),
    (-17, "EEXIST: part of the range is active already."),
    (-13, "EACCES: not permitted, or the DIMM is locked."),
    (-1, "EPERM: needs root, or is forbidden (arm64 boot memory)."),
)
