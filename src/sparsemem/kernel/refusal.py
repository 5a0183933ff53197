"""What the kernel answers when it refuses: the C ``return -errno`` with everything a person needs to follow it up."""

from __future__ import annotations

import errno as _errno
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["EHWPOISON", "ENOSPC", "Refusal", "errno_name"]

EHWPOISON = 133
ENOSPC = _errno.ENOSPC

_NAMES = {**_errno.errorcode, EHWPOISON: "EHWPOISON", 95: "EOPNOTSUPP"}


def errno_name(number: int) -> str:
    """``17`` -> ``"EEXIST"``; unknown numbers print as ``"E<number>"``."""
    return _NAMES.get(number, f"E{number}")


class Refusal(Exception):  # noqa: N818  (an answer, not an error of ours)
    """A kernel function said no.

    ``errno`` is positive (17, not -17), ``function`` the kernel function that refused, ``rule`` an id of
    ``sparsemem.spec.rules``, ``log`` the lines that function logged for it. A refusal leaves the state as the real kernel
    leaves it: identical, or with the residue that the rule names. ``crash`` is set where the kernel does not return an
    errno but stops with a BUG or an oops; ``errno`` is then what the failed check would have returned.
    """

    def __init__(self, errno: int, function: str, rule: str, log: Iterable[str] = (), *, crash: bool = False) -> None:
        super().__init__(errno, function, rule)
        self.errno = errno
        self.function = function
        self.rule = rule
        self.log = tuple(log)
        self.crash = crash

    @property
    def name(self) -> str:
        return errno_name(self.errno)

    def __str__(self) -> str:
        return f"-{self.name} from {self.function} ({self.rule})"
