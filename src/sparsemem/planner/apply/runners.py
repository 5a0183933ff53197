"""Who runs the commands: this host, or the model (a rehearsal). A guest of the lab is a third one, in the tests."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any, Protocol

from sparsemem.errors import InputError, NotModelledError, SparsememError, UnreadableError
from sparsemem.kernel.cxl.core import root_of
from sparsemem.planner.apply.view import CXL, MEMORY, POLICY, SYSFS
from sparsemem.planner.prove import shell_text
from sparsemem.play.player import Player
from sparsemem.play.shell import parse_step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from sparsemem.machine.machine import Machine

__all__ = ["LISTS", "HostRunner", "ModelRunner", "Runner", "read_lists"]

_ATTRIBUTES = (
    "nd/devices/region*/mappings", "nd/devices/region*/nstype", "nd/devices/region*/resource", "nd/devices/namespace*/resource",
    "nd/devices/namespace*/uuid",
    "dax/devices/*/resource",
)  # fmt: skip

LISTS = {
    "ndctl": ("ndctl", "list", "-R", "-N", "-i"),
    "daxctl": ("daxctl", "list", "-D", "-i"),
    CXL: ("cxl", "list", "-R", "-T", "-i"),
    POLICY: ("cat", "/sys/devices/system/memory/auto_online_blocks"),
    SYSFS: ("sh", "-c", f"grep -s . {' '.join(f'/sys/bus/{each}' for each in _ATTRIBUTES)} | cat"),
    MEMORY: ("sh", "-c", "cd /sys/devices/system/memory && grep . memory*/state memory*/valid_zones"),
}
"""What is asked of a machine, and by which command."""
_CXL_RELEASE = 76
"""The one whose ``cxl list`` is modelled; no plan for another one has a command of cxl."""


_PACKAGES = {"chmem": "util-linux"}


class Runner(Protocol):
    """A machine that commands are run on."""

    name: str

    def run(self, argv: tuple[str, ...]) -> tuple[int, str]:
        """Run a command to its end: exit code, standard output and error."""

    def observe(self) -> dict[str, Any]:
        """What it shows: the JSON documents of ``LISTS`` (None: nothing), the policy as text, and the memory blocks."""

    def log(self) -> tuple[str, ...]:
        """The kernel's lines since the last time, as far as they can be had."""


def read_lists(ask: Callable[[tuple[str, ...]], str]) -> dict[str, Any]:
    """What ``Runner.observe`` answers; ``ask`` gives a command's standard output. Raises InputError where a tool prints no JSON."""
    found: dict[str, Any] = {}
    for key, argv in LISTS.items():
        text = ask(argv).strip()
        if key in (POLICY, SYSFS):
            found[key] = text or None
            continue
        if key == MEMORY:
            found[key] = _blocks(text)
            continue
        try:
            found[key] = json.loads(text) if text else None
        except ValueError:
            if key == CXL:  # a release that does not know regions; a plan that makes one stops at the difference
                found[key] = None
                continue
            raise InputError(f"{' '.join(argv)} printed no JSON", where=key, why=text[:80]) from None
    return found


def _blocks(text: str) -> dict[int, str]:
    """``memory32/state:online`` and the like: number -> "offline" or "online in Movable"."""
    shown: dict[str, dict[int, str]] = {"state": {}, "valid_zones": {}}
    for number, name, value in re.findall(r"^memory(\d+)/(state|valid_zones):(.*)$", text, re.MULTILINE):
        shown[name][int(number)] = value
    zones = shown["valid_zones"]
    return {
        number: f"online in {zones[number]}" if state == "online" and number in zones else state
        for number, state in shown["state"].items()
    }


class ModelRunner:
    """The model as the machine. ``save``: a file that has the machine's layout line after each command, so that a rehearsal can be gone
    on with."""

    name = "model"

    def __init__(self, machine: Machine, ndctl: tuple[int, ...] = (76,), save: Path | None = None) -> None:
        self.machine = machine
        self._player = Player(machine, ndctl=ndctl)
        self._ndctl = ndctl
        self._save = save
        self._log: tuple[str, ...] = ()
        self._seen: dict[str, Any] | None = None
        self._keep()

    def keep_at(self, path: Path) -> None:
        """Keep the machine in this file from now on."""
        self._save = path
        self._keep()

    def run(self, argv: tuple[str, ...]) -> tuple[int, str]:
        self._seen = None
        text = shell_text(argv)
        step = self._player.step(text, parse_step(text), tty=False)
        self._log = tuple(step.log_lines)
        self._keep()
        return step.exit_code, step.stdout

    def observe(self) -> dict[str, Any]:
        if self._seen is None:  # nothing but run() changes it
            self._seen = read_lists(self.ask)
        return self._seen

    def log(self) -> tuple[str, ...]:
        lines, self._log = self._log, ()
        return lines

    def ask(self, argv: tuple[str, ...]) -> str:
        """The standard output of a command that changes nothing; empty for one that the model has not."""
        if argv[0] == CXL and (root_of(self.machine.state) is None or self._ndctl[0] != _CXL_RELEASE):
            return ""
        text = f"{shell_text(argv)} 2>/dev/null"
        try:
            return self._player.step(text, parse_step(text), tty=False).stdout
        except NotModelledError:
            return ""

    def _keep(self) -> None:
        if self._save is None:
            return
        from sparsemem.machine.notation import format_machine

        beside = self._save.with_name(f".{self._save.name}.new")
        try:
            beside.write_text(format_machine(self.machine) + "\n")
            beside.replace(self._save)
        except OSError as error:
            raise UnreadableError(
                f"cannot keep the machine of the rehearsal: {error.strerror}", where=str(self._save)
            ) from None


class HostRunner:
    """This machine. A signal from the terminal does not reach a command that runs, and ``keep`` (the journal's descriptor) is handed to
    it, so that the journal stays locked if it outlives us.

    Raises UnreadableError without root.
    """

    name = "host"

    def __init__(self, keep: Iterable[int] = ()) -> None:
        if os.geteuid() != 0:
            raise UnreadableError(
                "the commands of a plan need root", remedy="run it with sudo, or rehearse it on the model: --rehearse"
            )
        self.keep = tuple(keep)
        self._messages = -1
        with contextlib.suppress(OSError):
            self._messages = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            os.lseek(self._messages, 0, os.SEEK_END)

    def run(self, argv: tuple[str, ...]) -> tuple[int, str]:
        done = subprocess.run(  # noqa: S603  # a command of the plan, as it was shown
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True, pass_fds=self.keep,
            check=False,
        )  # fmt: skip
        return done.returncode, done.stdout.decode(errors="backslashreplace")

    def observe(self) -> dict[str, Any]:
        return read_lists(self.ask)

    def log(self) -> tuple[str, ...]:
        lines: list[str] = []
        while self._messages >= 0:
            try:
                record = os.read(self._messages, 8192)
            except BrokenPipeError:  # some were overwritten before we came
                continue
            except OSError:
                break
            lines.append(record.split(b";", 1)[-1].split(b"\n")[0].decode(errors="backslashreplace"))
        return tuple(lines)

    @staticmethod
    def need(argvs: Iterable[tuple[str, ...]]) -> None:
        """Raises SparsememError for a command that is not installed."""
        for name in sorted({argv[0] for argv in argvs}):
            if shutil.which(name) is None:
                package = _PACKAGES.get(name, name)
                raise SparsememError(
                    f"{name} is not installed", remedy=f"apt-get install {package}, or what your system calls it"
                )

    @staticmethod
    def release() -> tuple[int, ...] | None:
        """The release of ndctl and daxctl that is installed; None where none is, or it does not say."""
        from sparsemem.errors import UsageError
        from sparsemem.play.scenario import parse_ndctl_version

        for tool in ("ndctl", "daxctl"):
            with contextlib.suppress(OSError, UsageError):
                asked = [tool, "--version"]
                done = subprocess.run(asked, capture_output=True, check=False)  # noqa: S603  # one of two fixed words
                said = done.stdout.decode(errors="replace")
                return parse_ndctl_version(".".join(said.strip().split(".")[:2]))
        return None

    def ask(self, argv: tuple[str, ...]) -> str:
        """The standard output of a command that changes nothing; empty where it is not installed."""
        try:
            done = subprocess.run(  # noqa: S603  # one of LISTS
                argv, stdin=subprocess.DEVNULL, capture_output=True, start_new_session=True, check=False
            )
        except FileNotFoundError:
            return ""  # a machine without this tool; need() minds where a plan uses it
        return done.stdout.decode(errors="replace")
