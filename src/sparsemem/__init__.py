"""Linux memory hotplug at sub-section granularity, executable.

Six names are enough to begin with: ``parse_machine`` and ``format_machine`` (a machine as a layout line), ``read_machine`` and ``build``
(a machine from files), ``Machine`` and ``SparsememError``. They are imported when they are first used. A kernel by version is
``sparsemem.spec.kernel("6.1")``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sparsemem.errors import SparsememError
    from sparsemem.machine.build import build
    from sparsemem.machine.machine import Machine
    from sparsemem.machine.notation import format_machine, parse_machine
    from sparsemem.readers import read_machine
__all__ = ["Machine", "SparsememError", "build", "format_machine", "parse_machine", "read_machine"]

_HOMES = {
    "Machine": "sparsemem.machine.machine",
    "SparsememError": "sparsemem.errors",
    "build": "sparsemem.machine.build",
    "format_machine": "sparsemem.machine.notation",
    "parse_machine": "sparsemem.machine.notation",
    "read_machine": "sparsemem.readers",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'sparsemem' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)
