"""A case's machine, as plain files: diagnosed as it stands, changed, cured by its remedies, or under another kernel.

``NAME.toml`` is a scenario (a layout line and what the people typed), ``NAME.layout`` a layout line, anything else what ``read_machine``
reads: an iomem text, or a tree of files.
"""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sparsemem.doctor import diagnose, diagnose_machine
from sparsemem.machine.build import build
from sparsemem.machine.notation import parse_layout, parse_machine
from sparsemem.play import parse_scenario, play
from sparsemem.play.player import Player
from sparsemem.play.shell import parse_step
from sparsemem.readers import read_machine, read_text
from sparsemem.readers.model import read_model
from sparsemem.readers.trees import Entry, MemorySource
from sparsemem.spec import kernel as kernel_for

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sparsemem.doctor import Diagnosis
    from sparsemem.machine.description import MachineDescription
    from sparsemem.machine.machine import Machine
    from sparsemem.play.player import StepResult

__all__ = ["MACHINES", "Change", "Subject", "machine_text", "start"]

MACHINES = Path(__file__).parent / "machines"
Change = tuple[str, str]
"""A text of the machine's files, and what it becomes."""


@dataclass
class Subject:
    """A machine that can be examined and worked on. ``steps``: what people typed on it, and the answers."""

    diagnosis: Diagnosis
    player: Player
    description: MachineDescription | None
    steps: tuple[StepResult, ...] = ()

    @property
    def said(self) -> tuple[str, ...]:
        """What the kernel and the tools printed, at boot and since."""
        lines = tuple(line.text for line in self.player.machine.state.lines)
        return lines + tuple(line for step in self.steps for line in step.stdout.splitlines())

    @property
    def works(self) -> bool:
        """Does all that was typed work?"""
        return all(step.exit_code == 0 for step in self.steps)

    def cure(self, steps: Iterable[tuple[str, ...]]) -> tuple[StepResult, ...]:
        """Type the commands, and examine the machine anew."""
        texts = [shlex.join(words) for words in steps]
        answers = tuple(self.player.step(text, parse_step(text)) for text in texts)
        self.diagnosis = diagnose_machine(self.player.machine)
        return answers

    def under(self, kernel: str) -> Diagnosis:
        """The machine as it stands, judged for another kernel."""
        return diagnose(self.description or read_model(self.player.machine), kernel)


def machine_text(name: str) -> dict[str, str]:
    """The machine's files, by their path in it."""
    place = MACHINES / name
    if place.is_file():
        return {"": place.read_text()}
    return {str(each.relative_to(place)): each.read_text() for each in sorted(place.rglob("*")) if each.is_file()}


def _changed(files: dict[str, str], changes: Iterable[Change]) -> dict[str, str]:
    for old, new in changes:
        if not any(old in text for text in files.values()):
            raise ValueError(f"{old!r} is in none of the machine's files")
        files = {path: text.replace(old, new) for path, text in files.items()}
    return files


def start(name: str, kernel: str | None = None, changes: Iterable[Change] = ()) -> Subject:
    """Boot the machine, do on it what people did, and examine it."""
    files = _changed(machine_text(name), changes)
    suffix = os.path.splitext(name)[1]
    if suffix == ".toml":
        player, answers = play(parse_scenario(files[""], name), kernel)
        return Subject(diagnose_machine(player.machine), player, None, tuple(answers))
    if suffix == ".layout":
        machine = _of_layout(files[""].strip(), kernel)
        return Subject(diagnose_machine(machine), Player(machine), None)
    if "" in files:
        description = read_text(files[""], name)
    else:
        description = read_machine(
            MemorySource(name, {path: Entry("file", text.encode()) for path, text in files.items()})
        )
    machine = build(description, kernel, devices=True).machine
    return Subject(diagnose(description, kernel), Player(machine), description)


def _of_layout(line: str, kernel: str | None) -> Machine:
    own = parse_layout(line)[0]
    override = kernel_for(kernel, own.arch, own.page_size, own.levels) if kernel is not None else None
    return parse_machine(line, kernel_override=override)
