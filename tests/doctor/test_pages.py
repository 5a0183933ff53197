"""The pages of an upgrade, a diff and a boot log against what they are made of."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sparsemem import fixtures
from sparsemem.doctor.diff import diff_machines, portrait_of, portrait_of_machine
from sparsemem.doctor.diff.page import entry_marks, paint_diff
from sparsemem.doctor.dmesg import explain_log
from sparsemem.doctor.dmesg.page import line_marks, paint_log
from sparsemem.doctor.picture import scene_of
from sparsemem.doctor.upgrade import compare_kernels
from sparsemem.doctor.upgrade.page import change_marks, paint_upgrade
from sparsemem.draw.marks import MARKS
from sparsemem.machine.notation import parse_machine
from sparsemem.ranges import format_range
from sparsemem.readers import read_machine

_X = "{http://www.w3.org/1999/xhtml}"
LOGS = Path(__file__).parent / "logs"


def _data(text: str) -> dict[str, Any]:
    page = ET.fromstring(text)  # noqa: S314
    found: dict[str, Any] = json.loads(
        next(each.text or "" for each in page.iter(f"{_X}script") if each.get("id") == "sparsemem-data")
    )
    return found


@pytest.mark.parametrize(("name", "before", "after"), [("mixed-region", "5.1", "6.1"), ("pmem-guest", "6.1", "5.2")])
def test_upgrade(name: str, before: str, after: str) -> None:
    upgrade = compare_kernels(read_machine(fixtures.path(name)), before, after)
    data = _data(paint_upgrade(upgrade))
    assert [data["comparison"][side]["kernel"] for side in ("left", "right")] == [before, after]
    assert len(data["marks"]) == len(upgrade.changes) > 0
    for mark, change in zip(change_marks(upgrade), upgrade.changes, strict=True):
        assert mark.severity == ("better" if change.severity == "good" else change.severity)
        assert (mark.what, mark.ranges, mark.side) == (change.what, change.ranges, None)
        said = [text for _, text in mark.facts]
        assert {"\n".join(lines) for lines in (change.before, change.after) if lines} <= set(said)
    assert "Also changed" not in paint_upgrade(upgrade)
    assert "Also changed" in paint_upgrade(upgrade, everything=True)


def test_upgrade_draws_legacy_memory_as_each_kernel_takes_it() -> None:
    """5.1 refuses what shares a section with RAM (a user's report, cases.md C09); 6.1 maps all of it."""
    upgrade = compare_kernels(read_machine(fixtures.path("mixed-region")), "5.1", "6.1")
    old, new = (scene_of(ctx, booted=True) for ctx in upgrade.contexts)
    assert [sum(owner.kind == "device" for owner in scene.owners) for scene in (old, new)] == [0, 1]
    (device,) = [owner for owner in new.owners if owner.kind == "device"]
    assert [format_range(r) for r in device.ranges] == ["0x200000000-0x2fbffffff"]
    # The machine that was judged is not touched by being drawn.
    assert not upgrade.contexts[1].machine.state.pgmaps


def test_diff() -> None:
    before, after = "6.1; 0-4G ram, 4G+256M ram", "6.1; 0-4G ram, 8G+1G pmem; add_memory 0x100000000-0x107ffffff"
    diff = diff_machines(*(portrait_of_machine(parse_machine(line)) for line in (before, after)))
    data = _data(paint_diff(diff))
    assert data["comparison"]["labels"] == ["before", "after"]
    assert len(data["marks"]) == len(diff.entries)
    sides = {"removed": 0, "added": 1}
    for mark, entry in zip(entry_marks(diff), diff.entries, strict=True):
        assert (mark.severity, mark.side) == (entry.change, sides.get(entry.change))
        assert mark.ranges == (() if entry.range is None else (entry.range,))
    assert {"removed", "added", "changed"} <= {mark.severity for mark in entry_marks(diff)}


def test_lines_of_a_fact_stay_lines() -> None:
    """What a kernel logs, and what was and is: each on a line of its own, and no question mark for the end of one."""
    before, after = "6.1; 0-4G ram, 4G+256M ram", "6.1; 0-4G ram; add_memory 0x100000000-0x107ffffff"
    diff = diff_machines(*(portrait_of_machine(parse_machine(line)) for line in (before, after)))
    facts = ["".join(each.itertext()) for each in ET.fromstring(paint_diff(diff)).iter(f"{_X}dd")]  # noqa: S314
    assert "before: online\nafter: offline" in facts
    assert not any("?" in fact for fact in facts)
    upgrade = paint_upgrade(compare_kernels(read_machine(fixtures.path("mixed-region")), "5.1", "6.1"))
    assert not any("?" in "".join(each.itertext()) for each in ET.fromstring(upgrade).iter(f"{_X}dd"))  # noqa: S314


def test_diff_of_a_machine_with_itself_and_of_two_architectures() -> None:
    ours, theirs = (portrait_of(read_machine(fixtures.path(name))) for name in ("pmem-guest", "arm64-virt"))
    same = paint_diff(diff_machines(ours, ours))
    assert "no difference in what both tell" in same
    assert _data(same)["marks"] == []
    both = _data(paint_diff(diff_machines(ours, theirs)))
    assert [both["comparison"][side]["arch"] for side in ("left", "right")] == ["x86_64", "arm64"]


@pytest.mark.parametrize("log", sorted(LOGS.glob("*.log")), ids=lambda path: path.stem)
def test_log(log: Path) -> None:
    explained = explain_log(log.read_text(encoding="utf-8"), log.name)
    if explained.ctx is None:
        return
    data = _data(paint_log(explained))
    assert data["noun"] == "line"
    assert [mark["what"].split(":")[0] for mark in data["marks"]] == [
        f"line {tied.event.first}" for tied in explained.ties.tied
    ]
    for mark, tied in zip(line_marks(explained), explained.ties.tied, strict=True):
        assert mark.severity == (tied.finding.severity if tied.finding is not None else "notice")
        if tied.range is not None:
            assert mark.ranges == (tied.range,)
    every = ET.fromstring(paint_log(explained, all_lines=True))  # noqa: S314
    section = next(each for each in every.iter(f"{_X}section") if each.get("aria-label") == "The log")
    shown = len(list(section.iter(f"{_X}tr"))) - 1
    folded = sum(tied.event.folded for tied in explained.ties.tied)
    assert shown == min(len(explained.log.lines) - explained.log.start - folded, 400)


def test_every_severity_has_its_look() -> None:
    """A mark without a sign or an ink would not be seen."""
    from sparsemem.draw.page_style import page_style

    sheet = page_style()
    for severity, (sign, ink) in MARKS.items():
        assert len(sign) == 1
        assert f".mark-{severity}{{fill:var(--{ink})}}" in sheet
        assert f"--{ink}:#" in sheet


def test_a_hostile_source_is_data() -> None:
    description = replace(read_machine(fixtures.path("mixed-region")), source="<script>x</script>&\"'")
    upgrade, portrait = compare_kernels(description, "5.1", "6.1"), portrait_of(description)
    log = explain_log((LOGS / "C09-5.1.log").read_text(encoding="utf-8"), "<b>&", description)
    for text in (paint_upgrade(upgrade), paint_diff(diff_machines(portrait, portrait)), paint_log(log)):
        assert len(list(ET.fromstring(text).iter(f"{_X}script"))) == 2  # noqa: S314
        assert "<script>x" not in text
