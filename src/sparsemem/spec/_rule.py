"""The type of a rule: see ``sparsemem.spec.rules``."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Rule"]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of memory hotplug.

    ``functions``: the kernel functions that enforce it; ``source``: the commit, or the file and the trees read;
    ``errnos``: what a refusal by it answers, in any release (empty for a rule that refuses nothing).
    """

    id: str
    title: str
    text: str
    functions: tuple[str, ...]
    source: str
    since: str | None = None
    until: str | None = None
    errnos: tuple[str, ...] = ()

    @property
    def kernels(self) -> str:
        """``5.3 and later``, ``up to 5.2``, ``5.7 to 5.11`` or ``every kernel``."""
        if self.since and self.until:
            return f"{self.since} to {self.until}" if self.since != self.until else self.since
        if self.since:
            return f"{self.since} and later"
        return f"up to {self.until}" if self.until else "every kernel"
