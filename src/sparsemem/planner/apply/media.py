"""The label areas of this machine's DIMMs: which version its labels have, the kernel shows nowhere, and a size depends on it."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

from sparsemem.machine.description import LabelAreaFact

if TYPE_CHECKING:
    from sparsemem.machine.description import MachineDescription

__all__ = ["with_labels"]

_DEVICES = "/sys/bus/nd/devices"


def with_labels(description: MachineDescription) -> MachineDescription:
    """The description of this machine with what ``ndctl read-labels`` reads; as it is where that reads nothing. Needs root."""
    return replace(description, label_areas=description.label_areas or _label_areas())


def _label_areas() -> tuple[LabelAreaFact, ...]:
    try:
        dimms = sorted(name for name in os.listdir(_DEVICES) if re.fullmatch(r"nmem\d+", name))
    except OSError:
        return ()
    found = []
    for dimm in dimms:
        argv = ["ndctl", "read-labels", dimm]
        try:
            done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False)  # noqa: S603  # a name of the kernel's
        except OSError:
            return ()
        if done.returncode == 0 and done.stdout:
            found.append(LabelAreaFact(dimm, done.stdout))
    return tuple(found)
