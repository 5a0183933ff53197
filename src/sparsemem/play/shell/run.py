"""Running what was parsed: lists, pipes, loops, redirects, and handing each command to its function."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from sparsemem.errors import NotModelledError
from sparsemem.play.commands import find_command
from sparsemem.play.files import FileError, Files
from sparsemem.play.shell.checks import check_words
from sparsemem.play.shell.expand import ShellError, expand_field, expand_words
from sparsemem.play.shell.streams import Input, Output, Streams
from sparsemem.play.shell.syntax import For, Group, If, Pipe, Simple, While

if TYPE_CHECKING:
    from sparsemem.kernel.refusal import Refusal
    from sparsemem.machine.machine import Machine
    from sparsemem.machine.operations import Operation
    from sparsemem.play.dimm import DimmBoard
    from sparsemem.play.shell.syntax import Node, Redirect, Script

__all__ = ["Exit", "LoopControl", "Shell"]

#: What busybox's commands say when their write(2) fails, and their exit code.
_WRITERS = {
    "cat": ("cat: write error", 1), "dd": ("", 1), "echo": ("sh: write error", 1), "grep": ("", 0), "head": ("head: standard output", 0),
    "ls": ("", 0), "printf": ("", 1), "tail": ("tail: write error", 1), "wc": ("wc: standard output", 0),
}  # fmt: skip
_MOST_ROUNDS = 100_000


class Exit(Exception):  # noqa: N818  (not an error)
    """``exit CODE``."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class LoopControl(Exception):  # noqa: N818  (not an error)
    """``break`` and ``continue``."""

    def __init__(self, word: str) -> None:
        super().__init__(word)
        self.word = word


class Shell:
    """One shell on one machine: variables, directory, files, and what went wrong last."""

    def __init__(
        self, machine: Machine, dimms: DimmBoard | None = None, ndctl: tuple[int, ...] = (76,), util_linux: tuple[int, ...] = (2, 38)
    ) -> None:  # fmt: skip
        self.machine = machine
        self.dimms = dimms
        self.ndctl = ndctl
        self.util_linux = util_linux
        self.files = Files(machine, self.apply)
        self.refusal: Refusal | None = None
        self.errno: int | None = None
        self.log_start = len(machine.state.lines)  # of what dmesg shows
        self.fresh()

    def fresh(self) -> None:
        """A new ``sh -c``: no variables, at the root."""
        self.variables: dict[str, str] = {}
        self.cwd = "/"
        self.code = 0
        self._err = Output()

    def run(self, script: Script, *, tty: bool = True) -> tuple[int, str]:
        """Exit code, and what a terminal (or, not ``tty``, a pipe) shows."""
        terminal = Output(tty=tty)
        self.refusal, self.errno = None, None
        streams = Streams(Input(), terminal, terminal)
        try:
            self.code = self.script(script, streams)
        except Exit as leaving:
            self.code = leaving.code
        except LoopControl:
            self.code = 0
        except ShellError as error:
            terminal.append(f"sh: {error.words}\n")
            self.code = error.code
        return self.code, terminal.text

    # -- what the commands use

    def apply(self, operation: Operation) -> Refusal | None:
        """Do something to the machine; a refusal is remembered as the reason of a failed step."""
        refusal = self.machine.apply(operation).refusal
        if refusal is not None:
            self.refusal = refusal
        return refusal

    def path(self, word: str) -> str:
        """The absolute path that a word means here."""
        return Files.normal(word, self.cwd)

    def complain(self, streams: Streams, text: str, number: int | None = None, code: int = 1) -> int:
        """Print a line on standard error, and what to return."""
        streams.err.append(f"{text}\n")
        if number is not None:
            self.errno = number
        return code

    def capture(self, script: Script) -> str:
        """The output of ``$(script)``."""
        out = Output()
        self.code = self.subshell(script, Streams(Input(), out, self._err))
        return out.text

    # -- the grammar

    def script(self, script: Script, streams: Streams) -> int:
        """Run a list; its exit code."""
        code = 0
        for joint, node in script:
            if joint == ";" or (joint == "&&") == (code == 0):
                code = self.code = self._node(node, streams)
        return code

    def subshell(self, body: Script | Node, streams: Streams) -> int:
        """Run it with variables and a directory of its own; its exit code."""
        kept = self.variables, self.cwd
        self.variables = dict(self.variables)
        try:
            if isinstance(body, (Simple, Pipe, For, While, If, Group)):
                return self._node(body, streams)
            return self.script(body, streams)
        except Exit as leaving:
            return leaving.code
        finally:
            self.variables, self.cwd = kept

    def _node(self, node: Node, streams: Streams) -> int:
        if type(node) is Simple:
            return self._simple(node, streams)
        if type(node) is Pipe:
            return self._pipe(node, streams)
        assert isinstance(node, (For, While, If, Group))
        return self._compound(node, streams)

    def _pipe(self, node: Pipe, streams: Streams) -> int:
        stdin, code = streams.stdin, 0
        for index, command in enumerate(node.commands):
            last = index + 1 == len(node.commands)
            out = streams.out if last else Output()
            stage = Streams(stdin, out, streams.err)
            code = self._node(command, stage) if len(node.commands) == 1 else self.subshell(command, stage)
            if not last:
                stdin = Input(out.text)
        return int(code == 0) if node.negated else code

    def _compound(self, node: For | While | If | Group, streams: Streams) -> int:
        opened = self._redirected(node.redirects, streams)
        if opened is None:
            return 1
        if type(node) is For:
            return self._for(node, opened)
        if type(node) is While:
            return self._while(node, opened)
        if type(node) is If:
            for condition, body in node.clauses:
                if self.script(condition, opened) == 0:
                    return self.script(body, opened)
            return self.script(node.otherwise, opened) if node.otherwise is not None else 0
        assert type(node) is Group
        return self.subshell(node.body, opened) if node.subshell else self.script(node.body, opened)

    def _for(self, node: For, streams: Streams) -> int:
        code = 0
        self._err = streams.err
        for word in expand_words(node.words, self):
            self.variables[node.name] = word
            try:
                code = self.script(node.body, streams)
            except LoopControl as control:
                code = 0
                if control.word == "break":
                    break
        return code

    def _while(self, node: While, streams: Streams) -> int:
        code = 0
        for _ in range(_MOST_ROUNDS):
            try:
                if (self.script(node.condition, streams) == 0) == node.until:
                    return code
                code = self.script(node.body, streams)
            except LoopControl as control:
                code = 0
                if control.word == "break":
                    return code
        raise NotModelledError("a loop that does not end", why=f"it went round {_MOST_ROUNDS} times")

    # -- one command

    def _simple(self, node: Simple, streams: Streams) -> int:
        self._err = streams.err
        if node.assigns:
            self.code = 0
            for name, word in node.assigns:
                self.variables[name] = expand_field(word, self)
            code = self.code
            return 1 if self._redirected(node.redirects, streams) is None else code
        argv = expand_words(node.words, self)
        opened = streams
        if node.redirects:
            found = self._redirected(node.redirects, streams)
            if found is None:
                return 1
            opened = found
        if not argv:
            return self.code if node.words else 0
        operation = node.operation
        if operation is None and any(type(word) is not str for word in node.words):
            operation = check_words(argv)  # now that its words are known
        if operation is not None:
            code = 0 if self.apply(operation) is None else 1
        else:
            command = find_command(argv[0])
            assert command is not None
            code = command(self, argv, opened)
        for stream in {id(each): each for each in (opened.out, opened.err) if each.path}.values():
            code = self._flush(stream, argv[0], streams) or code
        return code

    def _redirected(self, redirects: tuple[Redirect, ...], streams: Streams) -> Streams | None:
        """The streams with these files in place; None when one could not be opened."""
        stdin, out, err = streams
        for fd, op, target in redirects:
            if op == ">&":
                if fd == 2 and target == "1":
                    err = out
                elif fd == 1 and target == "2":
                    out = err
                continue
            word = expand_field(target, self)
            path = self.path(word)
            if op == "<":
                try:
                    stdin = Input(self.files.read(path))
                except FileError as error:
                    words = "no such file" if error.number == errno.ENOENT else os.strerror(error.number)
                    self.complain(streams, f"sh: can't open {word}: {words}", error.number)
                    return None
                continue
            if not self._open(word, path, op, streams):
                return None
            if fd == 1:
                out = Output(path)
            else:
                err = Output(path)
        return Streams(stdin, out, err)

    def _open(self, word: str, path: str, op: str, streams: Streams) -> bool:
        try:
            self.files.check_open(path)
        except FileError as error:
            words = "nonexistent directory" if error.number == errno.ENOENT else os.strerror(error.number)
            self.complain(streams, f"sh: can't create {word}: {words}", error.number)
            return False
        if op == ">":
            self.files.truncate(path)
        else:
            self.files.append(path)
        return True

    def _flush(self, stream: Output, writer: str, streams: Streams) -> int:
        """Write what a command left for an open file; the code that its writer exits with when that fails."""
        chunks = list(stream) if writer == "cat" else [stream.text] if stream else []
        stream.clear()
        for text in chunks:
            if not text:
                continue  # no write(2) is made
            try:
                self.files.write(stream.path, text)
            except FileError as error:
                words, code = _WRITERS.get(writer, _WRITERS["echo"])
                if words:
                    streams.err.append(f"{words}: {os.strerror(error.number)}\n")
                self.errno = error.number
                return code
        return 0
