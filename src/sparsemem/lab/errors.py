"""What can go wrong with real things: no QEMU, no package, a guest that is gone.

::

    LabError                exit 7   the lab cannot do it: a program, a package, a module, disk space
    |- GoneError                     the index names a package that the mirror has no more
    |- LackingQemuError              this QEMU has no such device, machine or option
    |- RefusedByQemuError            QEMU would not start this machine
    `- GuestLostError       exit 8   the guest stopped answering: neither the same nor different
"""

from __future__ import annotations

from sparsemem.errors import SparsememError

__all__ = ["GoneError", "GuestLostError", "LabError", "LackingQemuError", "RefusedByQemuError"]


class LabError(SparsememError):
    """The lab cannot do what was asked; the remedy names the package or the command."""

    exit_code = 7


class GoneError(LabError):
    """A package of the index that the mirror does not have (any more)."""


class LackingQemuError(LabError):
    """This QEMU cannot be the machine of any lab, or not with this device: no word about the scenario."""


class RefusedByQemuError(LabError):
    """QEMU does not start; ``what`` is what it printed."""


class GuestLostError(LabError):
    """The guest does not answer any more. ``console`` is the end of what it printed."""

    exit_code = 8

    def __init__(self, what: str, console: str = "") -> None:
        super().__init__(what, why=_last_words(console), remedy="its console is in the report")
        self.console = console


def _last_words(console: str) -> str | None:
    for line in reversed(console.splitlines()):
        if "Kernel panic" in line or "BUG" in line or "Oops" in line:
            return line.strip()
    return None
