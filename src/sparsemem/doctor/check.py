"""What a check is: a small class that says what it asks, which input it needs, and what it may find."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from sparsemem.spec.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sparsemem.doctor.context import Context
    from sparsemem.doctor.finding import Finding

__all__ = ["Check", "Kind", "Need"]


@dataclass(frozen=True, slots=True)
class Need:
    """An input. ``words`` name it for people; ``missing`` says why it is not there, or None. ``comes_first``: without it there is no
    telling either whether there is anything to check."""

    words: str
    missing: Callable[[Context], str | None]
    comes_first: bool = False


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of finding: the topic, its severities, the rule of ``spec.rules`` or, where no rule says it, the kernels in words."""

    id: str
    severities: tuple[str, ...]
    rule: str | None = None
    says: str = ""

    @property
    def kernels(self) -> str:
        """The kernels it holds for."""
        return self.says or (RULES[self.rule].kernels if self.rule is not None else "every kernel")


class Check(ABC):
    """``id`` is stable (JSON); ``question`` is what it asks, ``about`` the same in a few words for "Not judged: ..."; ``needs``: all of
    them, or it is skipped; ``finds``: every kind of finding that it may yield (the engine holds it to that in tests)."""

    id: ClassVar[str]
    question: ClassVar[str]
    about: ClassVar[str]
    needs: ClassVar[tuple[Need, ...]] = ()
    finds: ClassVar[tuple[Kind, ...]] = ()

    def nothing(self, ctx: Context) -> str | None:
        """Why this machine has nothing to check, or None."""
        return None

    @abstractmethod
    def run(self, ctx: Context) -> Iterable[Finding]:
        """What is the matter."""
