"""Every transcript of a real kernel, replayed on the model: the regression oracle. See tests/transcripts/README.md.

Compared for each step: exit code, output and kernel log; at the end iomem, sections, memory blocks and zones.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from .recordings import differences

TESTS = Path(__file__).parents[1]
RECORDED = sorted(path for name in ("transcripts", "transcripts_shared") for path in (TESTS / name).glob("*@*.json"))

#: Steps whose answer is not modelled, and why.
SKIPPED_STEPS = {
    "ls -d /sys/devices/system/node/node*/memory*": "the node directories are not part of the attribute tree",
}


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda path: path.stem)
def test_the_model_answers_as_the_kernel_did(recorded: Path) -> None:
    name, version = recorded.stem.split("@")
    assert not differences(recorded.with_name(f"{name}.toml"), recorded, version, tuple(SKIPPED_STEPS))


def test_the_record_is_there() -> None:
    assert len(RECORDED) > 300
    assert {path.stem.split("@")[1] for path in RECORDED} >= {"5.10", "6.1", "6.12", "7.2"}
    assert sum(path.parent.name == "transcripts_shared" for path in RECORDED) == 6
