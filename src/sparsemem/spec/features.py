"""Every behaviour that changed between kernels, by name: the record the model asks instead of asking for a version.

Each feature is declared once, as a dataclass field, in the module named after the kernel files it belongs to; this
module puts them together.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from typing import TYPE_CHECKING, cast

from sparsemem.spec.features_cxl import CxlFeatures

if TYPE_CHECKING:
    from sparsemem.spec.record import Record
    from sparsemem.spec.version import KernelVersion

__all__ = ["Features", "features", "history", "known_bugs"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class Features(CxlFeatures):
    """What one kernel does, feature by feature. See ``history()`` for the releases and commits behind each.

    ``features()`` makes one for each kernel and keeps it, so they are compared by identity.
    """


@cache
def history() -> tuple[Record, ...]:
    """The records behind the fields of ``Features``, in the order of declaration."""
    return tuple(cast("Record", f.metadata["record"])._replace(name=f.name) for f in fields(Features))


@cache
def features(version: KernelVersion, arch: str = "x86_64") -> Features:
    """The features of this kernel."""
    return Features(**{record.name: record.value(version, arch) for record in history()})  # type: ignore[arg-type]


def known_bugs(of: Features) -> tuple[Record, ...]:
    """The records of the numbered kernel bugs that this kernel has."""
    return tuple(record for record in history() if record.bug is not None and getattr(of, record.name))
