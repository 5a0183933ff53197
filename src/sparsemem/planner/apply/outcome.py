"""What became of carrying a plan out, for a reader and for a program."""

from __future__ import annotations

import shlex
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sparsemem.planner.prove import shell_text

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Outcome"]

_EXIT = {"done": 0, "undone": 0, "changed": 15}
_STOPPED = 14


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """``result``:

    * "done": every command ran, and the machine is as planned; "undone": everything that could be taken back was;
    * "failed": a command (``argv``) answered otherwise, or the machine shows something else than it did on the model (``found``);
    * "interrupted": a signal came; stopped between two commands, or, with ``argv``, in the middle of one;
    * "half": an interrupted command left something half-made (``found``);
    * "changed": the machine is not the one of the journal (``found``); nothing was run.

    ``done`` of ``total`` commands are done (for ``undo``: taken back). ``output`` are the tool's words, ``log`` the kernel's. ``lost`` is
    what nothing brings back, ``left`` how the machine differs from before the plan when it was taken back.
    """

    result: str
    done: int
    total: int
    journal: str
    step: int | None = None
    argv: tuple[str, ...] = ()
    exit_code: int | None = None
    output: str = ""
    log: tuple[str, ...] = ()
    found: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    undoing: bool = False

    @property
    def exit_status(self) -> int:
        """The program's exit code (docs/exit-codes.md)."""
        return _EXIT.get(self.result, _STOPPED)

    @property
    def explanations(self) -> tuple[str, ...]:
        """What the tool's and the kernel's words mean, one sentence or two each, as far as they are known."""
        from sparsemem.explain import explain

        found: dict[str, str] = {}
        for each in explain("\n".join([self.output, *self.log])).explanations if self.output or self.log else ():
            found.setdefault(
                each.id,
                f"{each.title}: {each.what}" + (f" (sparsemem explain {shlex.quote(each.line)})" if each.line else ""),
            )
        return tuple(found.values())

    @property
    def next(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """What can be done now: (why, command)."""
        undo = ("sparsemem", "plan", "--undo", self.journal)
        if self.undoing:
            return () if self.result == "undone" else (("go on going back", undo),)
        resume = ("sparsemem", "plan", "--resume", self.journal)
        if self.result == "done":
            return (("take it back", undo),) if self.total else ()
        if self.result == "changed":
            return (("take back what was done", undo),) if self.done or self.step else ()
        if self.result == "half":
            return ("take back the half-made and try again", resume), ("take back everything", undo)
        return ("go on, after looking at the machine", resume), ("take back what was done", undo)

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "result": self.result, "undoing": self.undoing, "done": self.done, "total": self.total, "journal": self.journal,
            "step": self.step, "argv": list(self.argv), "exit_code": self.exit_code, "output": self.output, "log": list(self.log),
            "explanations": list(self.explanations), "found": list(self.found), "lost": list(self.lost), "left": list(self.left),
            "next": [{"why": why, "argv": list(argv)} for why, argv in self.next],
        }  # fmt: skip

    def text(self, width: int = 80) -> str:
        """For a reader, at most ``width`` columns where the words allow it; ends in a newline."""
        return "\n".join(self._lines(max(width, 40))) + "\n"

    def _lines(self, width: int) -> Iterator[str]:
        def fold(text: str, indent: str = "") -> Iterator[str]:
            yield from textwrap.wrap(
                text,
                width,
                initial_indent=indent,
                subsequent_indent=indent + "  ",
                break_on_hyphens=False,
                break_long_words=False,
            )

        yield from fold(self._head())
        if self.argv:
            yield f"  $ {shell_text(self.argv)}"
        for line in self.output.splitlines() if self.result == "failed" else ():
            yield from fold(line, "  | ")
        for line in self.log if self.result == "failed" else ():
            yield from fold(f"kernel: {line}", "  | ")
        for line in self.found:
            yield from fold(line, "  ! ")
        for line in self.explanations if self.result == "failed" else ():
            yield from fold(line, "  ")
        for line in self.lost:
            yield from fold(f"can not come back: {line}", "  ")
        for line in self.left:
            yield from fold(f"not as before: {line}", "  ")
        yield f"journal: {self.journal}"
        for why, argv in self.next:
            yield f"  {why}:"
            yield f"    {shlex.join(argv)}"

    def _head(self) -> str:
        many = f"{self.done} of {self.total} command{'' if self.total == 1 else 's'}"
        verb = "taken back" if self.undoing else "done"
        if self.result == "done":
            return f"Done: {many}, and the machine is as planned."
        if self.result == "undone":
            return f"Taken back: {many}."
        if self.result == "changed":
            ran = "Nothing was run" if self.undoing or not self.done else f"Stopped: {many} {verb}"
            was = (
                "what this plan would take back is not what it made"
                if self.undoing
                else "the machine is not as it was when this was planned"
            )
            return f"{ran}: {was}."
        if self.result == "interrupted":
            return f"Interrupted {f'in command {self.step}' if self.argv else 'between two commands'}: {many} {verb}."
        if self.result == "half":
            return f"Command {self.step} was interrupted half-way: {many} {verb}."
        code = f", exit code {self.exit_code}" if self.exit_code else ""
        what = "answered otherwise" if self.exit_code else "left something else than it did on the model"
        return f"Stopped: command {self.step} {what}{code}: {many} {verb}."
