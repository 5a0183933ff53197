"""The prompt of ``sparsemem shell``: lines in, answers and changes out. Works on a terminal and on a pipe alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sparsemem.errors import SparsememError
from sparsemem.machine import sysfs
from sparsemem.machine.notation import format_machine
from sparsemem.machine.operations import OPERATIONS
from sparsemem.play.shell import COMMANDS, parse_step
from sparsemem.play.text import final_lines, step_lines

if TYPE_CHECKING:
    from collections.abc import Callable

    from sparsemem.play.player import Player

__all__ = ["HELP", "Prompt"]

HELP = """Type what you would type in the guest: echo, cat, grep, ls, plug NAME SIZE, unplug NAME, or a kernel call such as
memremap_pages 0x100000000-0x103ffffff. And, about the model itself:
  :undo      take the last step back, whole
  :faults    every broken invariant now
  :draw      the picture
  :layout    the layout line: this machine and everything done to it
  :log       the kernel log so far, debug lines too
  :help      this text
  :quit      leave (or Ctrl-D)"""


class Prompt:
    """One session. ``write`` takes each line of output; ``colour`` is for a terminal."""

    def __init__(self, player: Player, write: Callable[[str], None], *, colour: bool = False, width: int = 80) -> None:
        self.player = player
        self.write = write
        self.colour = colour
        self.width = width
        self._marks: list[tuple[int, Any]] = []

    def line(self, text: str) -> bool:
        """Answer one line; False when it asked to leave."""
        text = text.strip()
        if not text or text.startswith("#"):
            return True
        if text in (":quit", ":q", "exit", "quit"):
            return False
        if text.startswith(":"):
            self._about(text)
            return True
        machine = self.player.machine
        try:
            pipeline = parse_step(text)
        except SparsememError as error:
            self.write(f"error: {error.what}" + (f" ({error.why})" if error.why else ""))
            if error.remedy:
                self.write(f"  hint: {error.remedy}")
            return True
        board = self.player.dimms
        self._marks.append((len(machine.history), board.snapshot() if board is not None else None))
        before = machine.snapshot()
        result = self.player.step(text, pipeline)
        for out in list(step_lines(machine, before, result, colour=self.colour))[2:]:
            self.write(out)
        return True

    def _about(self, text: str) -> None:
        machine = self.player.machine
        if text == ":undo":
            if not self._marks:
                self.write("nothing to undo")
                return
            depth, board = self._marks.pop()
            while len(machine.history) > depth:
                machine.undo()
            if self.player.dimms is not None:
                self.player.dimms.restore(board)
            self.write("undone")
        elif text == ":faults":
            for out in list(final_lines(machine, colour=self.colour))[1:]:
                self.write(out)
        elif text == ":layout":
            self.write(format_machine(machine))
        elif text == ":log":
            for entry in machine.state.lines:
                self.write(f"[{entry.level:5}] {entry.text}")
        elif text == ":draw":
            from sparsemem.draw import build_scene, paint_text

            self.write(
                paint_text(build_scene(machine.state, machine.faults()), self.width, color=self.colour).rstrip("\n")
            )
        else:
            self.write(HELP)

    def complete(self, line: str, word: str) -> list[str]:
        """What the word at the end of ``line`` can become: commands first, then files of the attribute tree."""
        if line.lstrip() == word:
            about = [":draw", ":faults", ":help", ":layout", ":log", ":quit", ":undo"]
            return sorted(name for name in (*COMMANDS, *OPERATIONS, *about) if name.startswith(word))
        if word.startswith("/"):
            found = {path for path in sysfs.paths(self.player.machine.state) if path.startswith(word)}
            cut = {
                word + path[len(word) :].partition("/")[0] + ("/" if "/" in path[len(word) :] else "") for path in found
            }
            return sorted(cut)
        if word.startswith("memory"):
            return sorted(f"memory{nr}" for nr in self.player.machine.state.blocks if f"memory{nr}".startswith(word))
        return []
