"""Every transcript of a real kernel, replayed on the model: the regression oracle. See tests/transcripts/README.md.

Compared for each step: exit code, output and kernel log; at the end iomem, sections, memory blocks and zones. ``Total pages`` of the
zonelists line depends on the kernel build and is masked.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from sparsemem.errors import NotModelledError
from sparsemem.play import load_scenario, play, to_json

HERE = Path(__file__).parent.parent / "transcripts"
RECORDED = sorted(path.name.removesuffix(".json") for path in HERE.glob("*@*.json"))

#: Scenarios with a command that the model does not have yet, by that command: they must say so, not answer.
NOT_MODELLED = {
    "block_readonly": "ls -l",
    "mix_pmem_disabled": "ndctl",
    "mix_pmem_misaligned": "ndctl",
    "mix_two_pmem_one_block": "ndctl",
    "plug_offlined_default": "grep -A1",
}
#: Steps whose answer is not modelled, and why.
SKIPPED_STEPS = {
    "ls -d /sys/devices/system/node/node*/memory*": "the node directories are not part of the attribute tree",
}
#: Lines of the guest's own hardware and kernel image, which the recorded short form leaves out.
_HARDWARE = re.compile(r": (PCI |0000:|IOAPIC|HPET|Local APIC|pnp |Kernel |Adapter ROM|ACPI )")


def _short(iomem: str) -> list[str]:
    return [line for line in iomem.splitlines() if not _HARDWARE.search(line)]


def _log(lines: list[str]) -> list[str]:
    return [re.sub(r"Total pages: .*", "Total pages: N", line) for line in lines]


def _zones(zones: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return sorted(
        (z["node"], z["zone"], z["spanned"], z["present"], z.get("start_pfn") if z["present"] else None)
        for z in zones
        if z["spanned"]
    )


@pytest.mark.parametrize("recorded", RECORDED)
def test_the_model_answers_as_the_kernel_did(recorded: str) -> None:
    name, version = recorded.split("@")
    real = json.loads((HERE / f"{recorded}.json").read_text())
    scenario_file = str(HERE / f"{name}.toml")
    if name in NOT_MODELLED:
        with pytest.raises(NotModelledError, match=NOT_MODELLED[name]):
            load_scenario(scenario_file)
        return
    player, results = play(load_scenario(scenario_file), version)
    model = to_json(player.machine, results)
    steps = real["steps"]
    if len(steps) == len(results) + 1:
        assert "init-labels" in steps[0]["command"]  # recorded, but a scenario starts after it
        steps = steps[1:]
    for ours, theirs in zip(model["steps"], steps, strict=True):
        if ours["command"] in SKIPPED_STEPS:
            continue
        answer = (ours["exit_code"], ours["stdout"], _log(ours["log"]))
        assert answer == (theirs["exit_code"], theirs["stdout"], _log(theirs["log"])), ours["command"]
    assert _short(model["iomem"]) == _short(real["iomem"])
    assert model["blocks"] == real["blocks"]
    if real.get("sections") is not None:
        without_start = [{key: s[key] for key in ("nr", "flags", "subsection_map")} for s in model["sections"]]
        assert without_start == real["sections"]
    assert _zones(model["zones"]) == _zones(real["zones"])
    assert model["block_size_bytes"] == int(str(real["block_size_bytes"]), 16)
    assert model["auto_online_blocks"] == real["auto_online_blocks"]


def test_the_record_is_there() -> None:
    assert len(RECORDED) > 300
    assert {name.split("@")[1] for name in RECORDED} >= {"5.10", "6.1", "6.12", "7.2"}
