"""Machines on which commands were played, and remedies played on them."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from sparsemem.doctor import diagnose_machine
from sparsemem.machine.notation import parse_machine
from sparsemem.play.player import Player
from sparsemem.play.shell import parse_step

if TYPE_CHECKING:
    from sparsemem.doctor import Diagnosis, Finding, Remedy

__all__ = ["cured", "finding", "ids", "play", "remedy"]


def play(layout: str, *steps: str, ndctl: int = 76, refused: bool = False) -> Player:
    """The machine of a layout line after some commands; each of them works, but the last one where it is to be ``refused``."""
    player = Player(parse_machine(layout), ndctl=(ndctl,))
    for number, step in enumerate(steps):
        answer = player.step(step, parse_step(step))
        failed = answer.exit_code != 0
        assert failed == (refused and number == len(steps) - 1), (step, answer.stdout)
    return player


def ids(found: Diagnosis) -> set[str]:
    return {each.id for each in found.findings}


def finding(player: Player, topic: str) -> Finding:
    (found,) = [each for each in diagnose_machine(player.machine).findings if each.id == topic]
    return found


def remedy(found: Finding) -> Remedy:
    """The first that the model can play."""
    return next(each for each in found.remedies if each.steps)


def cured(player: Player, topic: str) -> Diagnosis:
    """Play the remedy of a finding; what the doctor says then."""
    for step in remedy(finding(player, topic)).steps:
        text = shlex.join(step)
        answer = player.step(text, parse_step(text))
        assert answer.exit_code == 0, (text, answer.stdout)
    return diagnose_machine(player.machine)
