"""What ends an application without an outcome."""

from __future__ import annotations

from sparsemem.errors import SparsememError

__all__ = ["ApplyError"]


class ApplyError(SparsememError):
    """Carrying out a plan is not possible as things stand: the journal is in use, its file can not be written, what it would destroy is in
    use (exit code 14), or it is about another machine or another boot (15)."""

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        why: str | None = None,
        remedy: str | None = None,
        exit_code: int = 14,
    ) -> None:
        super().__init__(what, where=where, why=why, remedy=remedy)
        self.exit_code = exit_code
