"""Labels for a region that has none yet: what ``create-namespace -e`` does before it sets up the namespace (ndctl/namespace.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.tools.libndctl_base import EBUSY, number
from sparsemem.tools.libndctl_label import init_labels, read_label_index
from sparsemem.tools.libndctl_namespace import NS_PMEM

if TYPE_CHECKING:
    from sparsemem.tools.libndctl import Dimm, Region
    from sparsemem.tools.ndctl_params import Run

__all__ = ["enable_labels"]

ENODEV = 19
_V1_1, _V1_2 = 128, 256
"""Bytes of a label of that version."""


def _available(dimm: Dimm) -> int:
    text = dimm.now("available_slots")
    return -1 if text is None else number(text)


def _init(region: Region, label_size: int) -> bool:
    """False when the kernel makes less of v1.2 labels than was written: it does not know them."""
    for dimm in region.dimms():
        cmd = read_label_index(dimm)
        if cmd is None:
            continue
        labels = init_labels(cmd, label_size)
        if labels < 0:
            continue
        dimm.disable()
        dimm.enable()
        if labels != _available(dimm) + 1 and label_size == _V1_2:  # the kernel keeps one for updates
            return False
    return True


def enable_labels(run: Run, region: Region) -> int:
    """0, ENODEV where there can be no labels and nothing was done, or EBUSY."""
    mappings = region.num_mappings
    if not mappings:
        return -ENODEV
    can = 0
    for dimm in region.dimms():
        if not dimm.supports("get_size", "get_data", "set_data"):
            break
        can += 1
    if can != mappings:
        return -ENODEV
    region.disable_invalidate()
    active = [dimm for dimm in region.dimms() if dimm.is_active()]
    for dimm in active:
        run.console.warning(f"{dimm.devname} is active in {region.devname}, failing autolabel\n")
    if not active and not _init(region, _V1_2):
        _init(region, _V1_1)
    region.enable()
    if region.nstype != NS_PMEM:
        run.err("enable_labels", 1257, f"{region.devname}: failed to initialize labels")
        return -EBUSY
    return 0
