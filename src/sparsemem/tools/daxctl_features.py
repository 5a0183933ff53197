"""What daxctl does by release: one field a change that shows, with release and commit."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

__all__ = ["DaxctlFeatures", "daxctl_features"]

_SINCE: dict[str, tuple[int, str]] = {
    "no_movable": (67, "819a970"),
    "warns_of_races": (67, "0542201"),
    "region_names": (68, "56f4a91"),
    "sizes": (71, "8d14392"),
    "mappings": (71, "6f3106b"),
    "align": (71, "cf64c05"),
    "check_config": (72, "33a3791"),
    "heeds_policy": (72, "99415df"),
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
    check_config: bool
    """reconfigure-device -C."""
    heeds_policy: bool
    """system-ram is refused where the kernel brings memory online by itself."""
    keeps_first_device: bool
    """That the kernel keeps daxX.0 (EBUSY) is no failure of destroy-device."""
    any_error: bool
    """The exit code is the last error of all devices, and none at all is a success; before, the last device's answer."""
    create_takes_no_words: bool
    """create-device refuses words, and lost the options of reconfigure-device."""
    says_unremovable: bool
    """offline-memory looks at "removable" first."""


@cache
def daxctl_features(version: tuple[int, ...]) -> DaxctlFeatures:
    """The features of that release."""
    return DaxctlFeatures(**{name: version[0] >= since for name, (since, _) in _SINCE.items()})
