"""What ends an application without an outcome."""

from __future__ import annotations

from sparsemem.errors import SparsememError

__all__ = ["ApplyError"]


class ApplyError(SparsememError):
    """Carrying out a plan is not possible as things stand: the journal is in use, or its file can not be written."""

    exit_code = 14
