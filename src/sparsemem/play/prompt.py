"""The prompt of ``sparsemem shell``: lines in, answers and changes out. Works on a terminal and on a pipe alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sparsemem.errors import SparsememError
from sparsemem.machine.notation import format_machine
from sparsemem.play.completion import complete
from sparsemem.play.shell import parse_step
from sparsemem.play.text import final_lines, step_lines

if TYPE_CHECKING:
    from collections.abc import Callable

    from sparsemem.play.player import Player

__all__ = ["HELP", "Prompt"]

_ABOUT = (":draw", ":faults", ":help", ":layout", ":log", ":quit", ":undo")

HELP = """Type what you would type in the guest: ndctl, daxctl, chmem, lsmem, mkfs.ext4, mount, echo, cat, grep, ls,
plug NAME SIZE, or a kernel call such as memremap_pages 0x100000000-0x103ffffff. And, about the model itself:
  :undo      take the last line back, whole
  :faults    every broken invariant now
  :draw      the picture
  :layout    the layout line: this machine and everything done to it
  :log       the kernel log so far, debug lines too
  :help      this text
  :quit      leave (or Ctrl-D)"""


class Prompt:
    """One session. ``write`` takes each line of output; ``colour`` is for a terminal."""

    def __init__(
        self,
        player: Player,
        write: Callable[[str], None],
        *,
        colour: bool = False,
        width: int = 80,
        debug: bool = False,
    ) -> None:
        self.player = player
        self.write = write
        self.colour = colour
        self.width = width
        self.debug = debug
        self._marks: list[Any] = []

    def line(self, text: str) -> bool:
        """Answer one line; False when it asked to leave."""
        text = text.strip()
        if not text or text.startswith("#"):
            return True
        if text in (":quit", ":q", "exit", "quit", "logout"):
            return False
        if text.startswith(":"):
            self._about(text)
            return True
        machine = self.player.machine
        try:
            script = parse_step(text)
        except SparsememError as error:
            self._say(error)
            return True
        mark = self.player.mark()
        before = machine.snapshot()
        try:
            result = self.player.step(text, script)
        except SparsememError as error:
            self._say(error)
            return True
        self._marks.append(mark)
        for out in list(step_lines(machine, before, result, debug=self.debug, colour=self.colour))[2:]:
            self.write(out)
        return True

    def _say(self, error: SparsememError) -> None:
        self.write(f"error: {error.what}" + (f" ({error.why})" if error.why else ""))
        if error.remedy:
            self.write(f"  hint: {error.remedy}")

    def _about(self, text: str) -> None:
        machine = self.player.machine
        if text == ":undo":
            if not self._marks:
                self.write("nothing to undo")
                return
            self.player.back(self._marks.pop())
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
        """What the word at the end of ``line`` can become: see ``completion``."""
        if line.lstrip() == word and word.startswith(":"):
            return sorted(name for name in _ABOUT if name.startswith(word))
        return complete(self.player.machine.state, self.player.shell.files, line, word, self.player.shell.cwd)
