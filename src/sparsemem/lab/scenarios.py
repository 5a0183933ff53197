"""Scenario files for the lab: those of ``play``, and the recorded ones, which may have a ``[recording]`` table."""

from __future__ import annotations

import tomllib
from pathlib import Path

from sparsemem.errors import InputError, UnreadableError
from sparsemem.play.scenario import Scenario, load_scenario, parse_scenario

__all__ = ["bootable", "load"]


def load(path: str) -> Scenario:
    """Read a scenario. ``[recording] init_labels = false``: its label areas are left blank. Raises SparsememError."""
    try:
        text = Path(path).read_text()
    except UnicodeDecodeError:
        return load_scenario(path)  # it knows the words
    except OSError as error:
        raise UnreadableError(f"cannot read it: {error.strerror}", where=path) from None
    text, _, recording = text.partition("[recording]")
    try:
        told = tomllib.loads(recording)
    except tomllib.TOMLDecodeError:
        told = {}
    if told.get("init_labels") is False:
        text = text.replace("labels = true", 'labels = "blank"')
    return bootable(parse_scenario(text, path, Path(path).parent))


def bootable(scenario: Scenario) -> Scenario:
    """The scenario, when QEMU can be its machine. Raises InputError."""
    if scenario.machine.kind != "memory":
        raise InputError(
            f"a machine given by {scenario.machine.kind} cannot be booted", where=scenario.name,
            remedy='a scenario for the lab says memory = "512M" and what goes with it',
        )  # fmt: skip
    return scenario
