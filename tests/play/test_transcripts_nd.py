"""What real kernels answered to ndctl, daxctl and file systems on persistent memory, replayed on the model."""

from __future__ import annotations

from pathlib import Path

import pytest

from .recordings import differences, differences_before

HERE = Path(__file__).parents[1] / "transcripts_nd"
RECORDED = sorted(path for path in HERE.glob("*@*.json"))

#: Scenarios that are compared up to their first step that is not modelled, and what that is.
PARTLY = {
    "errors_busy": "a process in the background",
    "options": "ndctl inject-error",
}
#: Steps whose answers cannot be the same, by scenario, and why.
INCOMPARABLE = {
    "btt": {"ndctl check-namespace -v namespace0.0": "addresses of mmap()"},
    "modes": {"dmesg | wc -l": "the boot log is not modelled"},
    "write_infoblock": {"ndctl write-infoblock -c -o /tmp/d -s 64M": "a random uuid among bytes"},
}
#: Answers that differ still: (scenario or recording, step, reason).
DIFFERENT: dict[str, dict[str, str]] = {}


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda path: path.stem)
def test_the_model_answers_as_the_kernel_did(recorded: Path) -> None:
    name, version = recorded.stem.split("@")
    skip = tuple(INCOMPARABLE.get(name, {}))
    known = {**DIFFERENT.get(name, {}), **DIFFERENT.get(recorded.stem, {})}
    compare = differences_before if name in PARTLY else differences
    found = compare(recorded.with_name(f"{name}.toml"), recorded, version, skip)
    assert not [each for each in found if each.step not in known]


def test_the_record_is_there() -> None:
    assert len(RECORDED) > 100
