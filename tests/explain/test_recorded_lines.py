"""Every line that a recorded kernel logged is explained: what people paste is what kernels print."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from sparsemem.explain import explain
from sparsemem.lab.masks import masked_log

TESTS = Path(__file__).parents[1]
NOT_OURS = re.compile(r"Adding \d+k swap|random: |input: ")
"""Lines of a guest that nothing of this project causes; the emulator's clocks are taken out by the lab's masks."""


def recorded() -> list[str]:
    """One line of each form; numbers aside."""
    forms: dict[str, str] = {}
    for path in sorted(TESTS.glob("transcripts*/*.json")):
        document = json.loads(path.read_text())
        for step in document.get("steps", []):
            for line in masked_log(step.get("log", [])):
                form = re.sub(r"0x[0-9a-f]+|[0-9a-f]{8}-[0-9a-f-]{27}|\d+", "N", line)
                forms.setdefault(form, line.replace("Total pages: N", "Total pages: 245658"))
    return sorted(line for line in forms.values() if not NOT_OURS.match(line))


@pytest.mark.parametrize("line", recorded())
def test_a_recorded_line_is_explained(line: str) -> None:
    assert explain(line).matched, line


def test_there_are_enough_of_them_to_mean_something() -> None:
    assert len(recorded()) > 80
