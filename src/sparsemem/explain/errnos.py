"""The errnos of memory hotplug: number, the words that tools print, and what they mean here."""

from __future__ import annotations

__all__ = ["ERRNOS", "errno_of"]

ERRNOS: dict[str, tuple[int, str, str]] = {
    "EPERM": (1, "Operation not permitted", "Not root, or boot memory on arm64, which never goes offline."),
    "ENOENT": (2, "No such file or directory", "There is no such memory block, device or file."),
    "ENXIO": (
        6,
        "No such device or address",
        (
            "The driver could not bring the device up: System RAM in its range or "
            "section, no room left after metadata and alignment, no uuid. "
            'It is also how nd_pmem says "another driver takes this namespace". The reason is in the kernel log.'
        ),
    ),
    "EAGAIN": (
        11,
        "Resource temporarily unavailable",
        'Tools use it for "nothing that fits was found"; a later attempt may work.',
    ),
    "ENOMEM": (
        12,
        "Cannot allocate memory",
        (
            "No memory for the page array (1.6 % of what is added), or, misleadingly, "
            "a device map that conflicts with another."
        ),
    ),
    "EACCES": (13, "Permission denied", "A locked DIMM, or not root."),
    "EBUSY": (
        16,
        "Device or resource busy",
        "The range has an owner, the memory is online, the namespace is in use, or pages can not move.",
    ),
    "EEXIST": (
        17,
        "File exists",
        "Part of the range is there already: an active sub-section, a memory block device, or an entry in /proc/iomem.",
    ),
    "ENODEV": (
        19,
        "No such device",
        (
            "No driver took the device, or the info block is not for this driver; for "
            "system-ram often a missing target node."
        ),
    ),
    "EINVAL": (
        22,
        "Invalid argument",
        "A start or size that is not aligned, a word the file does not know, or a block that can never go offline.",
    ),
    "ENOSPC": (
        28,
        "No space left on device",
        "No piece of free space is large enough, or a range without a whole memory block.",
    ),
    "ERANGE": (34, "Numerical result out of range", "Above the end of the direct map, or no room in a CXL window."),
    "E2BIG": (7, "Argument list too long", "The range lies above the kernel's address limit."),
    "EFAULT": (14, "Bad address", "The direct map of the range could not be made (ppc64)."),
    "ENOSYS": (38, "Function not implemented", "This kernel is built without it: see no-memory-hotplug."),
    "EINTR": (4, "Interrupted system call", "Offlining was interrupted by a signal."),
    "EOPNOTSUPP": (
        95,
        "Operation not supported",
        "A namespace or info block that this kernel can not map: alignment, page size.",
    ),
    "EHWPOISON": (133, "Memory page has hardware error", "The block holds a page with a hardware error."),
}


def errno_of(text: str) -> str | None:
    """The name for ``EEXIST``, ``-EEXIST``, ``-17``, ``errno 17`` or ``File exists``; None for anything else."""
    word = text.strip().strip("`'\"").removeprefix("errno").strip(" :=").removeprefix("-")
    for name, (number, words, _) in ERRNOS.items():
        if (
            word.upper() in (name, "ENOTSUPP" if name == "EOPNOTSUPP" else name, str(number))
            or word.lower() == words.lower()
        ):
            return name
    return None
