"""What the doctor says: findings, the checks that ran, and the diagnosis that holds both. Values only."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sparsemem.doctor.balance import Balance
    from sparsemem.machine.description import Note
    from sparsemem.ranges import Range

__all__ = ["SEVERITIES", "CheckRun", "Diagnosis", "Finding", "Remedy", "Summary"]

SEVERITIES: tuple[str, ...] = ("error", "warning", "notice")
"""Worst first. ``error``: memory or a device that does not work, or data at risk. ``warning``: capacity lost, or what will fail as
soon as it is tried. ``notice``: true and worth knowing, and nothing needs to be done."""

_EXIT_CODES = {"error": 10, "warning": 11}


@dataclass(frozen=True, slots=True)
class Remedy:
    """What to do: ``why``, and the command as data (``argv`` empty where no command does it). Nothing here is ever run.

    ``steps``: the commands that cure the finding (or as much of it as ``why`` says), one after the other, as the model's shell plays them;
    empty where ``argv`` only looks, or no command cures it.
    """

    why: str
    argv: tuple[str, ...] = ()
    steps: tuple[tuple[str, ...], ...] = ()

    @property
    def commands(self) -> tuple[str, ...]:
        """All that there is to type, each line quoted for a shell: the steps where ``argv`` is their first, else ``argv``."""
        words = self.steps if self.steps and self.argv in ((), self.steps[0]) else (self.argv,)
        return tuple(shlex.join(each) for each in words if each)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is the matter.

    ``id`` is a topic of ``sparsemem explain``; ``ranges`` are bytes, half-open, sorted; ``rule`` an id of ``spec.rules`` (None for
    what no rule covers), ``why`` its text and ``kernels`` the kernels it holds for, in words. ``kernel_says``: the lines that this
    kernel prints (empty: it says nothing). ``capacity``: bytes concerned, None where that is no question of capacity; ``lost`` says
    that those bytes can not be used as things stand. ``errno`` is what the kernel answers ("ENXIO"). ``check``: who found it.
    """

    id: str
    severity: str
    what: str
    why: str
    kernels: str
    ranges: tuple[Range, ...] = ()
    devices: tuple[str, ...] = ()
    rule: str | None = None
    errno: str | None = None
    kernel_says: tuple[str, ...] = ()
    capacity: int | None = None
    lost: bool = False
    remedies: tuple[Remedy, ...] = ()
    source: str = ""
    check: str = ""

    @property
    def sort_key(self) -> tuple[int, int, str, tuple[str, ...]]:
        """Worst first, then by address."""
        return SEVERITIES.index(self.severity), self.ranges[0].start if self.ranges else 0, self.id, self.devices


@dataclass(frozen=True, slots=True)
class CheckRun:
    """A check and how it went: ``state`` is "ran", "nothing" (this machine has nothing to check) or "skipped"; ``reason`` of the
    latter two."""

    name: str
    about: str
    state: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Numbers of the machine, bytes. ``device``: device memory that the kernel was told of; ``mapped``: of that, with struct pages;
    ``hotplugged``: RAM that drivers added; ``stranded``: what the findings call lost; ``stuck_blocks``: boot blocks that can never
    go offline, for a hole or for two zones; ``block_size_why``: the rule by which this machine has that block size."""

    ram: int
    device: int
    mapped: int
    hotplugged: int
    stranded: int
    block_size: int
    section_size: int
    blocks: int
    stuck_blocks: int
    block_size_why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """The doctor's answer. ``own_kernel`` is False where another kernel was asked for; ``read`` and ``missing`` name the inputs;
    ``balances``: where the bytes of each region, dax device and CXL window are."""

    source: str
    kernel: str
    arch: str
    own_kernel: bool
    findings: tuple[Finding, ...]
    checks: tuple[CheckRun, ...]
    read: tuple[str, ...]
    missing: tuple[str, ...]
    notes: tuple[Note, ...]
    summary: Summary
    balances: tuple[Balance, ...] = ()

    @property
    def worst(self) -> str | None:
        """The worst severity, None without findings."""
        return self.findings[0].severity if self.findings else None

    @property
    def exit_code(self) -> int:
        """0 for nothing worse than a notice, 11 for a warning, 10 for an error."""
        return _EXIT_CODES.get(self.worst or "", 0)

    @property
    def skipped(self) -> tuple[CheckRun, ...]:
        """The checks that could not be made."""
        return tuple(check for check in self.checks if check.state == "skipped")

    def count(self, severity: str) -> int:
        """How many findings of that severity."""
        return sum(finding.severity == severity for finding in self.findings)
