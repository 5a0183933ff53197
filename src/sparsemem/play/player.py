"""Playing a scenario: each step's exit code, errno, output and kernel log, as a person at the guest's shell would see them.

Messages of the shell and its tools are busybox's, which is what the recorded guests run.
"""

from __future__ import annotations

import fnmatch
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sparsemem.kernel.refusal import Refusal, errno_name
from sparsemem.machine import sysfs
from sparsemem.machine.operations import Operation, store_operation
from sparsemem.play.dimm import DimmBoard, PlugError
from sparsemem.play.setup import set_up
from sparsemem.units import parse_size

if TYPE_CHECKING:
    from collections.abc import Callable

    from sparsemem.kernel.state import LogLine
    from sparsemem.machine.machine import Machine
    from sparsemem.play.scenario import Scenario
    from sparsemem.play.shell import Command, Pipeline

__all__ = ["Player", "StepResult", "play"]

#: What busybox's commands say when their write(2) fails, and their exit code.
_WRITERS = {
    "cat": ("cat: write error", 1), "echo": ("sh: write error", 1), "grep": ("", 0), "head": ("head: standard output", 0),
    "ls": ("", 0), "printf": ("", 1), "tail": ("tail: write error", 1), "wc": ("wc: standard output", 0),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class StepResult:
    """``errno`` is the name of the kernel's refusal or None; ``stdout`` is standard output and error together; ``log`` all lines."""

    command: str
    exit_code: int
    errno: str | None
    stdout: str
    log: tuple[LogLine, ...]
    refusal: Refusal | None = None

    @property
    def log_lines(self) -> list[str]:
        """The lines that a default kernel prints: everything but debug messages."""
        return [line.text for line in self.log if line.level != "debug"]


class Player:
    """A machine, and somebody typing at it."""

    def __init__(self, machine: Machine, dimms: DimmBoard | None = None) -> None:
        self.machine = machine
        self.dimms = dimms
        self._out: list[str] = []
        self._refusal: Refusal | None = None
        self._errno: int | None = None
        self._in: str | None = None
        self._piped = 0

    def step(self, text: str, pipeline: Pipeline) -> StepResult:
        """Run one step."""
        state = self.machine.state
        lines = len(state.lines)
        self._out, self._refusal, self._errno = [], None, None
        code, skipping = 0, False
        for index, command in enumerate(pipeline):
            if command.after != "|":
                skipping = command.after == "&&" and code != 0
            if skipping:
                continue
            self._in = "".join(self._out[self._piped :]) if command.after == "|" else None
            if self._in is not None:
                del self._out[self._piped :]
            if index + 1 == len(pipeline) or pipeline[index + 1].after != "|" or command.after != "|":
                self._piped = len(self._out)
            code = self._run(command)
        number = self._refusal.errno if self._refusal else self._errno
        name = errno_name(number) if number and code else None
        return StepResult(
            text, code, name, "".join(self._out), tuple(state.lines[lines:]), self._refusal if code else None
        )

    def _run(self, command: Command) -> int:
        if command.operation is not None:
            return self._apply(command.operation)
        handler: Callable[[Command], int] = getattr(self, f"_do_{command.argv[0]}")
        if command.redirect is None:
            return handler(command)
        kept, self._out = self._out, []
        code = handler(command)
        text, self._out = "".join(self._out), kept
        return self._write(command.redirect, text, command.argv[0]) or code

    def _apply(self, operation: Operation) -> int:
        answer = self.machine.apply(operation)
        if answer.refusal is None:
            return 0
        self._refusal = answer.refusal
        return 1

    def _complain(self, text: str, number: int) -> int:
        self._out.append(text)
        self._errno = number
        return 1

    def _write(self, path: str, text: str, writer: str) -> int:
        state = self.machine.state
        if not sysfs.exists(state, path):
            parent = path.rpartition("/")[0]
            if not sysfs.exists(state, parent):
                return self._complain(f"sh: can't create {path}: nonexistent directory\n", 2)
            return self._complain(f"sh: can't create {path}: Permission denied\n", 13)
        if sysfs.is_directory(state, path):
            return self._complain(f"sh: can't create {path}: Is a directory\n", 21)
        if not sysfs.writable(path):
            return self._complain(f"sh: can't create {path}: Permission denied\n", 13)
        if not text:
            return 0  # no write(2) is made
        if self._apply(store_operation(path, text)):
            assert self._refusal is not None
            words, code = _WRITERS.get(writer, _WRITERS["echo"])
            if words:
                self._out.append(f"{words}: {os.strerror(self._refusal.errno)}\n")
            return code
        return 0

    # -- the shell's commands

    def _do_true(self, command: Command) -> int:
        return 0

    def _do_false(self, command: Command) -> int:
        return 1

    def _do_sleep(self, command: Command) -> int:
        return 0

    def _do_echo(self, command: Command) -> int:
        words, end = list(command.argv[1:]), "\n"
        if words[:1] == ["-n"]:
            words, end = words[1:], ""
        self._out.append(" ".join(words) + end)
        return 0

    def _do_printf(self, command: Command) -> int:
        text = command.argv[1] if len(command.argv) > 1 else ""
        self._out.append(text.replace("\\n", "\n").replace("\\t", "\t") % command.argv[2:])
        return 0

    def _do_test(self, command: Command) -> int:
        flag, path = (*command.argv[1:3], "", "")[:2]
        state = self.machine.state
        if flag == "-d":
            return 0 if sysfs.is_directory(state, path) else 1
        return 0 if flag in ("-e", "-f") and sysfs.exists(state, path) else 1

    def _expand(self, words: tuple[str, ...]) -> list[str]:
        found: list[str] = []
        for word in words:
            if not re.search(r"[*?\[]", word):
                found.append(word)
                continue
            names = [path for path in sysfs.paths(self.machine.state) if fnmatch.fnmatchcase(path, word)]
            found.extend(sorted(path for path in names if path.count("/") == word.count("/")) or [word])
        return found

    def _do_cat(self, command: Command) -> int:
        code = 0
        if self._in is not None and len(command.argv) == 1:
            self._out.append(self._in)
        for path in self._expand(command.argv[1:]):
            try:
                self._out.append(sysfs.show(self.machine.state, path))
            except sysfs.SysfsError as error:
                verb = "read error" if error.number == 21 else f"can't open '{path}'"
                code = self._complain(f"cat: {verb}: {os.strerror(error.number)}\n", error.number)
        return code

    def _do_ls(self, command: Command) -> int:
        code = 0
        whole = "-d" in command.argv
        for path in self._expand(tuple(word for word in command.argv[1:] if not word.startswith("-"))):
            names = sysfs.listdir(self.machine.state, path)
            if names is not None and not whole:
                self._out.append("".join(f"{name}\n" for name in names))
            elif sysfs.exists(self.machine.state, path):
                self._out.append(f"{path}\n")
            else:
                code = self._complain(f"ls: {path}: No such file or directory\n", 2)
        return code

    def _do_grep(self, command: Command) -> int:
        words = [word for word in command.argv[1:] if not word.startswith("-")]
        if not words:
            return self._complain("grep: no pattern\n", 22)
        options = "".join(word for word in command.argv[1:] if word.startswith("-"))
        try:
            pattern = re.compile(words[0], re.IGNORECASE if "i" in options else 0)
        except re.error:
            return self._complain(f"grep: bad regex '{words[0]}'\n", 22)
        paths, code, failed = self._expand(tuple(words[1:])), 1, False
        if not paths and self._in is not None:
            found = [line for line in self._in.splitlines() if bool(pattern.search(line)) != ("v" in options)]
            self._out += [f"{line}\n" for line in found if "q" not in options]
            return 0 if found else 1
        for path in paths:
            try:
                text = sysfs.show(self.machine.state, path)
            except sysfs.SysfsError as error:
                self._complain(f"grep: {path}: {os.strerror(error.number)}\n", error.number)
                failed = True
                continue
            for line in text.splitlines():
                if bool(pattern.search(line)) != ("v" in options):
                    if "q" not in options:
                        self._out.append(f"{path}:{line}\n" if len(paths) > 1 else f"{line}\n")
                    code = 0
        return 2 if failed else code

    def _count(self, command: Command) -> int:
        numbers = [word.lstrip("-n") for word in command.argv[1:]]
        return next((int(word) for word in numbers if word.isdecimal()), 10)

    def _do_head(self, command: Command) -> int:
        self._out += [f"{line}\n" for line in (self._in or "").splitlines()[: self._count(command)]]
        return 0

    def _do_tail(self, command: Command) -> int:
        lines = (self._in or "").splitlines()
        self._out += [f"{line}\n" for line in lines[max(len(lines) - self._count(command), 0) :]]
        return 0

    def _do_wc(self, command: Command) -> int:
        self._out.append(f"{len((self._in or '').splitlines())}\n")
        return 0

    # -- the hypervisor's

    def _do_plug(self, command: Command) -> int:
        _, name, size, *rest = command.argv
        places = {key: int(value, 0) for key, _, value in (word.partition("=") for word in rest)}
        return self._hypervisor(
            lambda board: board.plug(
                self.machine, name, parse_size(size),
                addr=places.get("addr", 0), slot=places.get("slot", -1), node=places.get("node", 0),
            )
        )  # fmt: skip

    def _do_unplug(self, command: Command) -> int:
        return self._hypervisor(lambda board: board.unplug(self.machine, command.argv[1]))

    def _hypervisor(self, action: Callable[[DimmBoard], None]) -> int:
        if self.dimms is None:
            return self._complain("this machine has no hypervisor to plug a DIMM: use add_memory\n", 19)
        try:
            action(self.dimms)
        except PlugError as error:
            self._out.append(f"{error}\n")
            self._refusal = error.refusal
            return 1
        return 0


def play(scenario: Scenario, kernel: str | None = None) -> tuple[Player, list[StepResult]]:
    """Set the scenario's machine up and run its steps, for its own kernel or for ``kernel``."""
    machine, dimms = set_up(scenario, kernel)
    player = Player(machine, dimms)
    return player, [player.step(text, pipeline) for text, pipeline in scenario.steps]
