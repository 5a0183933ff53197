"""What user space gets from a file of the attribute tree that says no."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sparsemem.kernel.refusal import Refusal

__all__ = ["SysfsError"]


class SysfsError(OSError):
    """What user space gets: an errno, and the refusal behind it where the kernel function made one."""

    def __init__(self, number: int, path: str, refusal: Refusal | None = None) -> None:
        super().__init__(number, path)
        self.number = number
        self.path = path
        self.refusal = refusal
