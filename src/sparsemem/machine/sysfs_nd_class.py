"""``/sys/class/nd``: the character device ndctlN of each bus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.kernel.nvdimm.core import bus_of
from sparsemem.machine.sysfs_nd_attribute import Attribute, devnum, ignored, ro, rw

if TYPE_CHECKING:
    from sparsemem.kernel.state import State

__all__ = ["ndctl_attributes"]


def _dev(state: State, key: str) -> str:
    major, minor = devnum(state, f"ndctl{bus_of(state, key).id}")
    return f"{major}:{minor}\n"


def _uevent(state: State, key: str) -> str:
    name = f"ndctl{bus_of(state, key).id}"
    major, minor = devnum(state, name)
    return f"MAJOR={major}\nMINOR={minor}\nDEVNAME={name}\n"


_FILES = {"dev": ro(_dev), "uevent": rw(_uevent, ignored)}


def ndctl_attributes(state: State, key: str) -> dict[str, Attribute]:
    """The files of the character device of a bus."""
    return _FILES
