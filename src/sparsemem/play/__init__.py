"""Scenarios: a machine and the commands that a person types, answered by the model."""

from __future__ import annotations

from sparsemem.play.player import Player, StepResult, play
from sparsemem.play.report import to_json
from sparsemem.play.scenario import Scenario, load_scenario, parse_scenario

__all__ = ["Player", "Scenario", "StepResult", "load_scenario", "parse_scenario", "play", "to_json"]
