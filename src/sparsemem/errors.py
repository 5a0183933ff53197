"""Errors that people meet: what, where, why, what now.

::

    SparsememError          exit 1   anything below that has no class of its own
    |- UsageError           exit 2   a wrong argument: option, range, unit, kernel version
    |- InputError           exit 3   a malformed file, layout line or scenario
    |- UnreadableError      exit 4   no such file, no permission, an all-zero iomem
    |- MissingExtraError    exit 5   an optional dependency is not installed
    `- NotModelledError     exit 6   "I cannot tell, because ..."

What the *kernel* refuses is not an error of this program: see ``sparsemem.kernel.refusal``.
"""

from __future__ import annotations

__all__ = ["InputError", "MissingExtraError", "NotModelledError", "SparsememError", "UnreadableError", "UsageError"]


class SparsememError(Exception):
    """``what`` happened, ``where`` (file, line, argument), ``why``, and the ``remedy``: what to do now."""

    exit_code = 1

    def __init__(
        self, what: str, *, where: str | None = None, why: str | None = None, remedy: str | None = None
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.why = why
        self.remedy = remedy

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        if self.why:
            text += f" ({self.why})"
        return f"{text}; {self.remedy}" if self.remedy else text


class UsageError(SparsememError):
    """A wrong argument: option, range, unit, kernel version."""

    exit_code = 2


class InputError(SparsememError):
    """A malformed file, layout line or scenario."""

    exit_code = 3


class UnreadableError(SparsememError):
    """A file that is missing or may not be read, or that hides its content (an all-zero iomem)."""

    exit_code = 4


class MissingExtraError(SparsememError):
    """An optional dependency is not installed; the remedy names the extra."""

    exit_code = 5


class NotModelledError(SparsememError):
    """The model cannot tell, and says why."""

    exit_code = 6
