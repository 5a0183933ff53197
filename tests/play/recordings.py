"""Comparing what the model answers with what a real kernel did: see tests/transcripts/README.md for the form of a recording.

Uuids are numbered in order of appearance, except those that a step itself gives. ``Total pages`` depends on the kernel build, a device's
major number on the order in which the guest loaded its modules: both are masked.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from sparsemem.lab.luck import probed_by, same_but_for_order
from sparsemem.lab.masks import Uuids, clean_log, masked_log, masked_text, without_hardware
from sparsemem.play import parse_scenario, play, to_json

if TYPE_CHECKING:
    from pathlib import Path


class Difference(NamedTuple):
    """``what``: "exit_code", "stdout", "log", or a part of the machine; ``step``: the command."""

    step: str
    what: str
    model: Any
    real: Any


def _steps(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    uuids = Uuids("\n".join(step["command"] for step in steps))
    return [
        {
            "command": s["command"],
            "exit_code": s["exit_code"],
            "stdout": masked_text(uuids.mask(s["stdout"]), s["command"]),
            "log": [uuids.mask(line) for line in masked_log(clean_log(s["log"]))],
        }
        for s in steps
    ]


def _zones(zones: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return sorted(
        (z["node"], z["zone"], z["spanned"], z["present"], z.get("start_pfn") if z["present"] else None)
        for z in zones
        if z["spanned"]
    )


def _read(scenario: Path) -> str:
    """The scenario; a ``[recording]`` table is the recorder's: the label areas may have been left blank."""
    text, _, recording = scenario.read_text().partition("[recording]")
    return text.replace("labels = true", 'labels = "blank"') if "init_labels = false" in recording else text


def differences(scenario: Path, recorded: Path, version: str, skip: tuple[str, ...] = ()) -> list[Difference]:
    """Play ``scenario`` and compare everything that was recorded. ``skip``: commands whose answers are not compared."""
    real = json.loads(recorded.read_text())
    version = real.get("kernel", version)  # which release of the series it was, where that is known
    player, results = play(parse_scenario(_read(scenario), str(scenario), scenario.parent), version)
    model = to_json(player.machine, results)
    theirs = _after_start(real["steps"], len(results))
    assert [step["command"] for step in theirs] == [step["command"] for step in model["steps"]]
    return _compared(model["steps"], theirs, skip) + _machine(model, real)


def _after_start(steps: list[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    if len(steps) != count + 1:
        return steps
    assert "init-labels" in steps[0]["command"]  # recorded, but a scenario starts after it
    return steps[1:]


def _compared(model: list[dict[str, Any]], real: list[dict[str, Any]], skip: tuple[str, ...]) -> list[Difference]:
    found = []
    for ours, theirs in zip(_steps(model), _steps(real), strict=True):
        if same_but_for_order(probed_by(ours["command"]), theirs["log"], ours["log"]):
            theirs["log"] = ours["log"]
        found += [
            Difference(ours["command"], what, ours[what], theirs[what])
            for what in ("exit_code", "stdout", "log")
            if ours["command"] not in skip and ours[what] != theirs[what]
        ]
    return found


def _machine(model: dict[str, Any], real: dict[str, Any]) -> list[Difference]:
    parts: dict[str, tuple[Any, Any]] = {
        "iomem": (without_hardware(model["iomem"]), without_hardware(real["iomem"])),
        "blocks": (model["blocks"], real["blocks"]),
    }
    if real.get("sections") is not None:
        keys = ("nr", "flags", "subsection_map")
        parts["sections"] = ([{key: s[key] for key in keys} for s in model["sections"]], real["sections"])
    if "zones" in real:
        parts["zones"] = (_zones(model["zones"]), _zones(real["zones"]))
        parts["block_size_bytes"] = (model["block_size_bytes"], int(str(real["block_size_bytes"]), 16))
        parts["auto_online_blocks"] = (model["auto_online_blocks"], real["auto_online_blocks"])
    return [Difference("at the end", what, ours, theirs) for what, (ours, theirs) in parts.items() if ours != theirs]
