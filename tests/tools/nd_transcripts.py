"""Recorded answers of real kernels and ndctl 76.1 (``tests/transcripts_nd``), played on the model: what differs, step by step.

Other releases are in ``tests/transcripts_nd_versions``: NAME@KERNEL+ndctlRELEASE; those that its identical.txt lists are the same as
what 76.1 answered.
``python -m tests.tools.nd_transcripts [NAME[,NAME]] [KERNEL[+ndctlRELEASE]]`` shows the differences.
"""

from __future__ import annotations

import difflib
import json
import re
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from sparsemem.errors import NotModelledError
from sparsemem.lab.luck import probed_by, same_but_for_order
from sparsemem.lab.masks import Uuids, masked_log, masked_text, without_hardware
from sparsemem.machine.operations import Operation
from sparsemem.play import parse_scenario, to_json
from sparsemem.play.player import Player
from sparsemem.play.setup import set_up
from sparsemem.play.shell import parse_step
from sparsemem.ranges import Range
from sparsemem.units import parse_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.machine.machine import Machine

HERE = Path(__file__).parent.parent / "transcripts_nd"
RECORDED = sorted(path.name.removesuffix(".json") for path in HERE.glob("*@*.json"))
VERSIONS = HERE.parent / "transcripts_nd_versions"
IDENTICAL = (VERSIONS / "identical.txt").read_text().split()
OTHER_RELEASES = sorted(IDENTICAL + [path.name.removesuffix(".json") for path in VERSIONS.glob("*@*.json")])
INIT = "ndctl disable-region all; ndctl init-labels -f all; ndctl enable-region all"


class Difference(NamedTuple):
    """``what`` is "exit", "stdout", "log", "not modelled" or the name of a part of the machine at the end."""

    step: int
    command: str
    what: str
    ours: Any
    real: Any


def _text(text: str, command: str) -> str:
    text = text.encode("utf-8", "backslashreplace").decode().replace("\\udc", "\\x")
    return masked_text(re.sub(r"addr = 0x[0-9a-f]+", "addr = X", text), command)


def _toml(name: str) -> str:
    path = HERE / f"{name}.toml"
    return (path if path.exists() else VERSIONS / path.name).read_text()


def scenario_text(name: str) -> tuple[str, list[str]]:
    """The scenario without its steps, and the steps."""
    whole = _toml(name)
    table = tomllib.loads(whole)
    text = re.sub(r"(?ms)^steps = \[.*?^\]$", "steps = []", whole)
    text = re.sub(r"(?ms)^\[recording\].*|^qemu = .*?$", "", text)
    if not table.get("recording", {}).get("init_labels", True):
        text = text.replace("labels = true", 'labels = "blank"')
    return text, table["steps"]


def _virtio_pmem(machine: Machine, size: int, kind: str) -> Operation:
    """A virtio-pmem device of QEMU 7.2 (behind all other memory devices); it cannot flush memory without a file behind it."""
    regions = [machine.state.nd[each] for each in machine.state.nd.regions]
    start = max([4 << 30, *(each.ndr_start + each.ndr_size for each in regions)])
    place = Range(start, start + size)
    options = (("bus", "virtio"), ("flush", "fails" if kind == "ram" else "works"))
    return Operation("nd_region", (place,), options=options)


def board(name: str, version: str, ndctl: tuple[int, ...] = (76,)) -> tuple[Machine, Player]:
    """The machine of a scenario, and somebody at its shell."""
    text, _ = scenario_text(name)
    machine, dimms = set_up(parse_scenario(text, name, HERE), version)
    for kind, size in re.findall(r"memory-backend-(ram|file),id=vpm\d,[^\"]*?size=(\w+)", _toml(name)):
        machine.apply(_virtio_pmem(machine, parse_size(size), kind))
    return machine, Player(machine, dimms, ndctl=ndctl)


def parts(recorded: str) -> tuple[str, str, tuple[int, ...]]:
    """Scenario, kernel and the release of ndctl."""
    name, _, where = recorded.partition("@")
    kernel, _, release = where.partition("+ndctl")
    return name, kernel, (int(release or "76"),)


def answers(recorded: str) -> dict[str, Any]:
    """What was recorded."""
    path = VERSIONS / f"{recorded}.json"
    if recorded in IDENTICAL or "+" not in recorded:
        path = HERE / f"{recorded.partition('+')[0]}.json"
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def differences(recorded: str) -> Iterator[Difference]:
    """Play one recording. Nothing is left out."""
    name, version, ndctl = parts(recorded)
    real = answers(recorded)
    _, written = scenario_text(name)
    steps = real["steps"]
    if steps and steps[0]["command"] == INIT and written[:1] != [INIT]:
        steps = steps[1:]
    machine, player = board(
        name, real.get("kernel", version), ndctl
    )  # which release of the series, where that is known
    ours_name, real_name = Uuids("\n".join(written)), Uuids("\n".join(written))
    results = []
    for number, step in enumerate(steps):
        command = step["command"]
        theirs = _text(real_name.mask(step["stdout"]), command)
        try:
            result = player.step(command, parse_step(command))
        except NotModelledError as error:
            yield Difference(number, command, "not modelled", str(error), theirs)
            continue
        results.append(result)
        mine = _text(ours_name.mask(result.stdout), command)
        if result.exit_code != step["exit_code"]:
            yield Difference(number, command, "exit", result.exit_code, step["exit_code"])
        if mine != theirs:
            yield Difference(number, command, "stdout", mine, theirs)
        log, wanted = (
            [names.mask(each) for each in masked_log(lines)]
            for names, lines in ((ours_name, result.log_lines), (real_name, step["log"]))
        )
        if log != wanted and not same_but_for_order(probed_by(command), wanted, log):
            yield Difference(number, command, "log", log, wanted)
    yield from _machine_differences(machine, results, real)


def _machine_differences(machine: Machine, results: list[Any], real: dict[str, Any]) -> Iterator[Difference]:
    model = to_json(machine, results)
    for key, ours, theirs in (
        ("iomem", without_hardware(model["iomem"]), without_hardware(real["iomem"])),
        ("blocks", model["blocks"], real["blocks"]),
        ("zones", _zones(model["zones"]), _zones(real["zones"])),
    ):
        if ours != theirs:
            yield Difference(-1, "", key, ours, theirs)
    if real.get("sections") is not None:
        sections = [{key: each[key] for key in ("nr", "flags", "subsection_map")} for each in model["sections"]]
        if sections != real["sections"]:
            yield Difference(-1, "", "sections", sections, real["sections"])


def _zones(zones: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return sorted(
        (z["node"], z["zone"], z["spanned"], z["present"], z.get("start_pfn") if z["present"] else None)
        for z in zones
        if z["spanned"]
    )


def _show(found: Difference) -> str:
    ours, real = found.ours, found.real
    if isinstance(ours, str) and isinstance(real, str):
        lines = difflib.unified_diff(real.splitlines(), ours.splitlines(), "real", "model", lineterm="", n=2)
        return "\n".join(f"      {line[:200]}" for line in list(lines)[:40])
    return f"      real  {str(real)[:600]}\n      model {str(ours)[:600]}"


def main(argv: list[str]) -> None:
    quiet = "-q" in argv
    argv = [each for each in argv if each != "-q"]
    names = argv[0].split(",") if argv and argv[0] != "all" else None
    total = 0
    for recorded in RECORDED + OTHER_RELEASES:
        name, _, version = recorded.partition("@")
        if (names and name not in names) or (argv[1:] and version not in argv[1].split(",")):
            continue
        found = list(differences(recorded))
        total += len(found)
        if found:
            print(f"{recorded}: {len(found)}")
        for each in found if not quiet else []:
            print(f"   step {each.step} {each.what}: {each.command}\n{_show(each)}")
    print(total)


if __name__ == "__main__":
    main(sys.argv[1:])
