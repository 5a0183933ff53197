"""Talking to the agent in a guest (``guest/agent``): one line there, exit code, output, what the machine shows and kernel log back."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, NamedTuple, Protocol

from sparsemem.lab.errors import GuestLostError, LabError
from sparsemem.lab.masks import clean_log, without_stamps

if TYPE_CHECKING:
    import socket

__all__ = ["STEP_SECONDS", "Conversation", "GuestAnswer"]

STEP_SECONDS = 60.0
"""How long a step may take before the guest is given up."""

_TERMINAL = re.compile(r"(^|[;&|({\s])(ndctl|daxctl|cxl)\s")


_MOST = 16 << 20
"""Bytes of one answer: a serial line takes a minute and more for as much."""


class GuestAnswer(NamedTuple):
    """``stdout`` is standard output and error as a terminal shows them; ``log`` the kernel's lines of that step, without time stamps."""

    exit_code: int
    stdout: str
    log: tuple[str, ...]


class Machine(Protocol):
    """What is asked when the guest says nothing."""

    def alive(self) -> None:
        """Raises GuestLostError when it is gone."""

    def console(self) -> str:
        """What the guest printed."""


class Conversation:
    """Requests and answers over one socket, each within a bounded time."""

    def __init__(self, connected: socket.socket, machine: Machine) -> None:
        self._socket = connected
        self._machine = machine
        self._number = 0
        self._buffer = bytearray()

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def until(self, mark: bytes, seconds: float) -> bytes:
        """Everything before the next ``mark``. Raises GuestLostError when it does not come in time."""
        end = time.monotonic() + seconds
        start = 0
        while True:
            at = self._buffer.find(mark, start)
            if at >= 0:
                before = bytes(self._buffer[:at])
                del self._buffer[: at + len(mark)]
                return before
            if len(self._buffer) > _MOST:
                raise GuestLostError(
                    f"the guest talks without end: {_MOST >> 20} MiB in one answer", self._machine.console()
                )
            start = max(0, len(self._buffer) - len(mark))
            left = end - time.monotonic()
            if left <= 0:
                raise GuestLostError(f"the guest did not answer within {seconds:.0f} s", self._machine.console())
            self._socket.settimeout(min(left, 0.5))
            try:
                data = self._socket.recv(1 << 16)
            except TimeoutError:
                self._machine.alive()
                continue
            except OSError:
                data = b""
            if not data:
                self._gone()
            self._buffer += data

    def _gone(self) -> None:
        for _ in range(100):
            self._machine.alive()
            time.sleep(0.02)
        raise GuestLostError("the guest hung up", self._machine.console())

    def ask(self, command: str, *, look: bool = False, seconds: float = STEP_SECONDS) -> tuple[GuestAnswer, str]:
        """One line of shell; with ``look`` also what the machine shows after it.

        A step with ndctl or daxctl gets a terminal, another a file.

        Raises GuestLostError; LabError for a command of several lines.
        """
        if "\n" in command:
            raise LabError("a step of several lines cannot be sent to a guest", where=command[:60])
        self._number += 1
        mode = "t" if _TERMINAL.search(f"{command} ") else "f"
        try:
            self._socket.settimeout(10.0)
            self._socket.sendall(f"{self._number} {mode.upper() if look else mode} {command}\n".encode())
        except OSError:
            self._gone()
        self.until(b"<<%d out>>" % self._number, seconds)
        output = self.until(b"<<%d code " % self._number, seconds)
        code = self.until(b">>", 10.0)
        seen = b""
        if look:
            self.until(b"<<%d seen>>" % self._number, 10.0)
            seen = self.until(b"<<%d log>>" % self._number, seconds)
        else:
            self.until(b"<<%d log>>" % self._number, 10.0)
        log = without_stamps(self.until(b"<<%d end>>" % self._number, seconds).decode(errors="replace"))
        text = output.decode(errors="backslashreplace").replace("\r\n", "\n")
        return GuestAnswer(int(code), text, tuple(clean_log(log.splitlines()))), seen.decode(errors="replace")
