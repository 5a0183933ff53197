"""Playing a scenario: each step's exit code, errno, output and kernel log, as a person at the guest's shell would see them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sparsemem.kernel.refusal import Refusal, errno_name
from sparsemem.play.shell.run import Shell

if TYPE_CHECKING:
    from sparsemem.kernel.state import LogLine
    from sparsemem.machine.machine import Machine
    from sparsemem.play.dimm import DimmBoard
    from sparsemem.play.scenario import Scenario
    from sparsemem.play.shell import Script

__all__ = ["Player", "StepResult", "play"]


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
    """A machine, and somebody typing at it.

    ``ndctl``: the release of ndctl and daxctl that is installed, ``util_linux``: that of chmem and lsmem.
    ``keep``: one shell for all steps, as at a prompt; else each step is a ``sh -c`` of its own, as in the recorded guests, and only
    files stay.
    """

    def __init__(
        self, machine: Machine, dimms: DimmBoard | None = None, *, ndctl: tuple[int, ...] = (76,), keep: bool = False,
        util_linux: tuple[int, ...] = (2, 38),
    ) -> None:  # fmt: skip
        self.machine = machine
        self.dimms = dimms
        self._shell = Shell(machine, dimms, ndctl, util_linux)
        self._keep = keep

    def mark(self) -> Any:
        """A point to come back to with ``back``."""
        shell = self._shell
        board = self.dimms.snapshot() if self.dimms is not None else None
        return (
            len(self.machine.history),
            board,
            shell.files.snapshot(),
            shell.cwd,
            dict(shell.variables),
            shell.log_start,
        )

    def back(self, mark: Any) -> None:
        """Take everything since ``mark()`` back."""
        depth, board, files, cwd, variables, log_start = mark
        while len(self.machine.history) > depth:
            self.machine.undo()
        if self.dimms is not None:
            self.dimms.restore(board)
        self._shell.files.restore(files)
        self._shell.cwd, self._shell.variables, self._shell.log_start = cwd, dict(variables), log_start

    @property
    def names(self) -> list[str]:
        """The variables of the shell."""
        return sorted(self._shell.variables)

    @property
    def shell(self) -> Shell:
        """The shell that runs the steps."""
        return self._shell

    def step(self, text: str, script: Script, *, tty: bool = True) -> StepResult:
        """Run one step. ``tty``: its output goes to a terminal (tools print sizes in human units then).

        Raises NotModelledError for what could not be known before: the machine is then as it was.
        """
        state, shell = self.machine.state, self._shell
        lines = len(state.lines)
        if not self._keep:
            shell.fresh()
        mark = self.mark()
        try:
            code, out = shell.run(script, tty=tty)
        except BaseException:
            self.back(mark)
            raise
        number = shell.errno if shell.errno is not None else shell.refusal.errno if shell.refusal else None
        name = errno_name(number) if number and code else None
        return StepResult(text, code, name, out, tuple(state.lines[lines:]), shell.refusal if code else None)


def play(
    scenario: Scenario, kernel: str | None = None, ndctl: tuple[int, ...] | None = None
) -> tuple[Player, list[StepResult]]:
    """Set the scenario's machine up and run its steps, for its own kernel and ndctl or for those given."""
    from sparsemem.play.setup import set_up  # whoever has a machine needs none of it

    machine, dimms = set_up(scenario, kernel)
    player = Player(machine, dimms, ndctl=ndctl or scenario.ndctl, util_linux=scenario.util_linux)
    return player, [player.step(text, script) for text, script in scenario.steps]
