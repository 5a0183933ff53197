"""Comparing what the model answers with what a real kernel did: see tests/transcripts/README.md for the form of a recording.

Uuids are numbered in order of appearance, except those that a step itself gives. ``Total pages`` depends on the kernel build, a device's
major number on the order in which the guest loaded its modules: both are masked.
"""

from __future__ import annotations

import json
import re
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from sparsemem.play import parse_scenario, play, to_json

if TYPE_CHECKING:
    from pathlib import Path

_UUID = re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b")
#: Lines of the guest's own hardware and kernel image, which the recorded short form leaves out.
_HARDWARE = re.compile(r": (PCI |0000:|IOAPIC|HPET|Local APIC|pnp |Kernel |Adapter ROM|ACPI |(port|endpoint|mem)\d+$)")
#: The guest's clocks, which the emulator disturbs.
_CLOCK = re.compile(r"(clocksource|hrtimer|tsc|sched_clock): |TSC found unstable")


class Difference(NamedTuple):
    """``what``: "exit_code", "stdout", "log", or a part of the machine; ``step``: the command."""

    step: str
    what: str
    model: Any
    real: Any


def _numbered(found: re.Match[str], known: dict[str, str], keep: set[str]) -> str:
    text = found[0].lower()
    if text in keep or not text.strip("0-"):
        return found[0]
    return known.setdefault(text, f"00000000-0000-4000-8000-{len(known) + 1:012}")


def _steps(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    keep = {text.lower() for step in steps for text in _UUID.findall(step["command"])}
    number = partial(_numbered, known={}, keep=keep)

    def clean(text: str) -> str:
        text = re.sub(r"Total pages: .*", "Total pages: N", text)
        text = re.sub(r"\b(dev=|MAJOR=)2[345]\d\b", r"\1NNN", text)
        text = re.sub(r"initialised (\d+) pages in \d+ms", r"initialised \1 pages in 0ms", text)
        return _UUID.sub(number, text)

    return [
        {
            "command": s["command"],
            "exit_code": s["exit_code"],
            "stdout": clean(s["stdout"]),
            "log": [clean(line) for line in s["log"] if not _CLOCK.match(line)],
        }
        for s in steps
    ]


def _short(iomem: str) -> list[str]:
    return [line for line in iomem.splitlines() if not _HARDWARE.search(line)]


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
        if (
            "enable-region" in ours["command"]
        ):  # the devices of a region are probed in parallel: any order of their lines
            ours["log"], theirs["log"] = sorted(ours["log"]), sorted(theirs["log"])
        found += [
            Difference(ours["command"], what, ours[what], theirs[what])
            for what in ("exit_code", "stdout", "log")
            if ours["command"] not in skip and ours[what] != theirs[what]
        ]
    return found


def _machine(model: dict[str, Any], real: dict[str, Any]) -> list[Difference]:
    parts: dict[str, tuple[Any, Any]] = {
        "iomem": (_short(model["iomem"]), _short(real["iomem"])),
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
