"""What daxctl does by release: one field a change that shows, with release and commit.

Facts from the history of daxctl between v60 and v81, and from recordings of 71.1, 76.1, 81 and 85. The history between v81 and v85 was not
there: for a change in it the message with the patch is named, and 82 to 84 refuse to answer where it matters.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from sparsemem.tools.releases import since_85

__all__ = ["DaxctlFeatures", "daxctl_features"]

_SINCE: dict[str, tuple[int, str]] = {
    "no_movable": (67, "819a970"),
    "warns_of_races": (67, "0542201"),
    "region_names": (68, "56f4a91"),
    "sizes": (71, "8d14392"),
    "mappings": (71, "6f3106b"),
    "align": (71, "cf64c05"),
    "memblock_counts": (72, "e81f890"),
    "check_config": (72, "33a3791"),
    "device_paths": (72, "33a3791"),
    "heeds_policy": (72, "99415df"),
    "exact_end": (76, "06419eb"),
    "skips_memory_failure": (76, "9b81c4a"),
    "keeps_first_device": (79, "d78f57e"),
    "any_error": (79, "f533bd7"),
    "create_takes_no_words": (80, "f285461"),
    "says_unremovable": (81, "ac46afe"),
}


class DaxctlFeatures(NamedTuple):
    """What the modelled daxctl does. The release and commit of each field stand in ``_SINCE``."""

    no_movable: bool
    """--no-movable."""
    warns_of_races: bool
    """Memory that is online before it is brought online is warned of."""
    region_names: bool
    """--region takes a word, "region5" too; before, a number only."""
    sizes: bool
    """reconfigure-device has --size and --align."""
    mappings: bool
    """list -M."""
    align: bool
    """Devices are listed with their alignment."""
    memblock_counts: bool
    """list tells how many memory blocks a device has and how many are online."""
    check_config: bool
    """reconfigure-device -C."""
    device_paths: bool
    """/dev/dax0.0 is taken for dax0.0."""
    heeds_policy: bool
    """system-ram is refused where the kernel brings memory online by itself."""
    exact_end: bool
    """A memory block that begins where the device ends is not taken for one of it."""
    skips_memory_failure: bool
    """It does not take nodeN/memory_failure (Linux 6.3) for a memory block; before, nothing about memory works on such kernels."""
    keeps_first_device: bool
    """That the kernel keeps daxX.0 (EBUSY) is no failure of destroy-device."""
    any_error: bool
    """The exit code is the last error of all devices, and none at all is a success; before, the last device's answer."""
    create_takes_no_words: bool
    """create-device refuses words, and lost the options of reconfigure-device."""
    says_unremovable: bool
    """offline-memory looks at "removable" first."""
    famfs: bool | None
    """A third mode, of the driver fsdev_dax; a device is looked at for its mode before it is changed, and devdax is set up anew where it
    was there already (seen in 85; agQM3KXNMvtbpb_0@aschofie-mobl2.lan). None: not known."""


@cache
def daxctl_features(version: tuple[int, ...]) -> DaxctlFeatures:
    """The features of that release."""
    found = {name: version[0] >= since for name, (since, _) in _SINCE.items()}
    return DaxctlFeatures(**found, famfs=since_85(version))
