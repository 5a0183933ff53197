"""What a tool leaves behind: its text and its exit code, and the console it writes to."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Console", "ToolExit", "ToolResult", "errno_of_words", "strerror"]

_WORDS = {
    1: "Operation not permitted",
    2: "No such file or directory",
    5: "Input/output error",
    6: "No such device or address",
    11: "Resource temporarily unavailable",
    12: "Cannot allocate memory",
    13: "Permission denied",
    14: "Bad address",
    16: "Device or resource busy",
    17: "File exists",
    19: "No such device",
    20: "Not a directory",
    21: "Is a directory",
    22: "Invalid argument",
    25: "Inappropriate ioctl for device",
    27: "File too large",
    28: "No space left on device",
    30: "Read-only file system",
    34: "Numerical result out of range",
    75: "Value too large for defined data type",
    95: "Operation not supported",
}


def strerror(number: int) -> str:
    """glibc's words for a positive or negative errno, in the C locale."""
    number = abs(number)
    return "Success" if number == 0 else _WORDS.get(number, f"Unknown error {number}")


def errno_of_words(text: str) -> int | None:
    """The errno whose words end the last line that ends with any ("...: No such device or address"): what the tool says was wrong."""
    numbers = {words: number for number, words in _WORDS.items()}
    for line in reversed(text.splitlines()):
        number = numbers.get(line.rpartition(": ")[2])
        if number is not None:
            return number
    return None


class ToolResult(NamedTuple):
    """``output`` is both streams in the order they were written: what a terminal shows. ``exit_code`` is 0 to 255."""

    stdout: str
    stderr: str
    exit_code: int
    output: str = ""

    @property
    def stdout_bytes(self) -> bytes:
        """What stdout is for a pipe: also where the tool wrote a label area or an info block."""
        return self.stdout.encode("utf-8", "surrogateescape")


class ToolExit(Exception):  # noqa: N818  (the tool's own exit(), not an error of ours)
    """The tool called ``exit(code)``."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Console:
    """The two streams of a tool. ``tty``: stdout is a terminal (ndctl prints sizes in human units then)."""

    def __init__(self, *, tty: bool = True) -> None:
        self.tty = tty
        self._parts: list[tuple[bool, str]] = []

    def out(self, text: str) -> None:
        self._parts.append((True, text))

    def out_bytes(self, data: bytes) -> None:
        """Bytes of any kind on stdout; ``stdout_bytes`` of the result gives them back."""
        self.out(data.decode("utf-8", "surrogateescape"))

    def err(self, text: str) -> None:
        self._parts.append((False, text))

    def error(self, text: str) -> None:
        """ndctl's ``error()``: util/usage.c puts a newline after a text that has its own."""
        self.err(f"  Error: {text}\n")

    def warning(self, text: str) -> None:
        self.err(f"  Warning: {text}\n")

    def library(self, owner: str, function: str, text: str) -> None:
        """A line that libndctl or libdaxctl logs at LOG_ERR."""
        self.err(f"{owner}: {function}: {text}\n")

    def refused(self, owner: str, function: str, problem: str, number: int, *, show: bool, hints: bool) -> None:
        """What util/sysfs.c says of an attribute that cannot be read or written: at LOG_DEBUG (``show``), or with a hint at LOG_ERR."""
        hint = hints and number in (1, 13)
        if show or hint:
            more = " hint: try running as root or using sudo" if hint else ""
            self.library(owner, function, f"{problem}: {strerror(number)}{more}")

    def result(self, status: int) -> ToolResult:
        """The result for what the command function returned (a negative errno becomes its low byte, as in exit())."""
        return ToolResult(
            "".join(text for is_out, text in self._parts if is_out),
            "".join(text for is_out, text in self._parts if not is_out),
            status & 0xFF,
            "".join(text for _, text in self._parts),
        )
