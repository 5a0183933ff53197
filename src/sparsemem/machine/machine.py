"""The board: one kernel on one boot layout, and everything done to it since."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from sparsemem.kernel.refusal import Refusal
from sparsemem.machine.layout import BootLayout, boot
from sparsemem.machine.operations import Operation, parse_operation, perform

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.kernel.state import LogLine, Snapshot, State
    from sparsemem.machine.faults import Fault
    from sparsemem.spec import Kernel

__all__ = ["Answer", "Machine"]


class Answer(NamedTuple):
    """What the kernel answered: ``refusal`` None is success; ``log`` the lines of this operation, debug ones too."""

    operation: Operation
    refusal: Refusal | None
    log: tuple[LogLine, ...]

    @property
    def errno(self) -> int:
        """0, or the positive errno."""
        return self.refusal.errno if self.refusal else 0


@dataclass(slots=True)
class _FailNth:
    """Lets the n-th allocation fail."""

    left: int

    def __call__(self, where: str) -> bool:
        self.left -= 1
        return self.left == 0


class Machine:
    """A running kernel. ``apply`` performs an operation, ``undo`` takes the last one back, exactly.

    Two machines are equal when they run the same kernel on the same layout and their states are the same.
    """

    def __init__(self, kernel: Kernel, layout: BootLayout) -> None:
        self.kernel = kernel
        self.layout = layout
        self.state: State = boot(kernel, layout)
        self.history: list[Operation] = []
        self._marks: list[tuple[int, int]] = []

    def apply(self, operation: Operation | str) -> Answer:
        """Perform an operation (a text is parsed). A refusal is an answer, not an exception."""
        op = parse_operation(operation) if isinstance(operation, str) else operation
        state = self.state
        lines = len(state.lines)
        self._marks.append((state.mark(), lines))
        self.history.append(op)
        refusal = None
        if op.fail is not None:
            state.failing = _FailNth(op.fail)
        try:
            perform(state, op)
        except Refusal as caught:
            refusal = caught
        except BaseException:
            state.failing = None
            self.undo()
            raise
        state.failing = None
        return Answer(op, refusal, tuple(state.lines[lines:]))

    def undo(self) -> Operation:
        """Take the last operation back and return it. Raises IndexError when there is none."""
        mark, lines = self._marks.pop()
        self.state.undo(mark)
        del self.state.lines[lines:]
        return self.history.pop()

    def copy(self) -> Machine:
        """Another machine that is the same and goes its own way."""
        new = Machine.__new__(Machine)
        new.kernel, new.layout, new.state = self.kernel, self.layout, self.state.copy()
        new.history, new._marks = list(self.history), list(self._marks)
        return new

    def snapshot(self) -> Snapshot:
        """The state as a value: hashable, comparable, and as large as what changed since boot."""
        return self.state.snapshot()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Machine):
            return NotImplemented
        return self.kernel == other.kernel and self.layout == other.layout and self.snapshot() == other.snapshot()

    __hash__ = None  # type: ignore[assignment]  # it changes; hash its snapshot

    def faults(self) -> list[Fault]:
        """Every broken invariant at once, each located; an empty list is a sound machine."""
        from sparsemem.machine.faults import faults

        return faults(self.state)

    def attempts(self) -> Iterator[Operation]:
        """Operations worth trying on this machine, legal or not: its devices, its blocks, and what is mapped now."""
        from sparsemem.machine.moves import attempts

        return attempts(self.state)

    def legal_ops(self) -> list[Operation]:
        """Those of ``attempts()`` that this kernel would carry out."""
        legal = []
        for op in self.attempts():
            if self.apply(op).refusal is None:
                legal.append(op)
            self.undo()
        return legal
