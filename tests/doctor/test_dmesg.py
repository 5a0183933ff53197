"""``doctor --dmesg``: lines that public reports quote, and the console of a real kernel, tied to machines."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsemem import fixtures
from sparsemem.doctor.dmesg import ExplainedLog, Tied, explain_log, explain_log_of_machine, log_to_json, render_log
from sparsemem.doctor.dmesg.scan import scan
from sparsemem.machine.notation import parse_machine
from sparsemem.ranges import Range
from sparsemem.readers import read_log, read_machine, read_text
from tests.doctor.machines import case_path
from tests.explain.quoted_lines import QUOTED

HERE = Path(__file__).parent
LOGS = HERE / "logs"
GOLDEN = HERE / "golden_changes"
C33 = case_path("C33.layout").read_text().strip()
C49 = "6.10 arm64; 40000000-bfffffff ram"
C30 = "7.0; 1000-9ffff ram, 100000-7fffffff ram, 850000000-284fffffff Soft Reserved"

#: log -> the machine it is read for: "log" (its own), a bundled one, or a layout line
MACHINES = {
    "C01-4.18": "pmem-two-regions",
    "C09-5.1": "log",
    "C26-5.7": "pmem-kmem",
    "C30-7.0": C30,
    "C33-4.17": C33,
    "C35": "arm64-virt",
    "C49": C49,
    "misaligned-7.2": "log",
}


def explained(name: str, machine: str | None = None, version: str | None = None) -> ExplainedLog:
    text, machine = read_log(str(LOGS / f"{name}.log")), machine or MACHINES[name]
    if machine == "log":
        return explain_log(text, f"{name}.log", version=version)
    if machine in fixtures.names():
        from dataclasses import replace

        description = replace(read_machine(fixtures.path(machine)), source=f"example:{machine}", notes=())
        return explain_log(text, f"{name}.log", description, version)
    return explain_log_of_machine(text, f"{name}.log", parse_machine(machine))


def at(result: ExplainedLog, line: int) -> Tied:
    (found,) = [each for each in result.ties.tied if each.event.first == line]
    return found


@pytest.mark.parametrize("name", MACHINES)
def test_golden(name: str) -> None:
    got = render_log(explained(name), 80)
    path = GOLDEN / f"dmesg-{name}.txt"
    if os.environ.get("SPARSEMEM_WRITE_GOLDEN"):
        path.write_text(got, encoding="utf-8")
    assert got == path.read_text(encoding="utf-8")


@pytest.mark.parametrize(("case", "line", "message", "numbers"), QUOTED)
def test_each_quoted_line_is_found_in_a_log(case: str, line: str, message: str, numbers: dict[str, str]) -> None:
    noise = ["[    1.000000] usb 1-1: new device", "", "[    1.100000] EXT4-fs (sda1): mounted"]
    log = scan("\n".join([*noise, f"[    2.500000] {line}", *noise]))
    (event,) = log.events
    assert (event.hit.message.id if event.hit is not None else "warning") == message, case
    assert (event.first, event.stamp) == (len(noise) + 1, "2.500000")
    assert log.known == 1


def test_c09_the_trace_is_one_event_with_its_owner_and_its_finding() -> None:
    result = explained("C09-5.1")
    assert result.own_machine
    event = at(result, 11)
    assert (event.event.last, event.event.folded) == (19, 8)
    assert event.range == Range(0x200000000, 0x2FC000000)
    assert result.owners is not None
    assert "Persistent Memory (legacy) 0x200000000-0x2fbffffff" in result.owners.words(event.range)
    assert event.finding is not None
    assert (event.finding.id, event.finding.errno) == ("ram-beside-device", "ENXIO")
    assert at(result, 20).finding is event.finding, "the last word of the driver, with the same errno"
    assert [(finding.id, lines) for finding, lines in result.ties.confirmed] == [("ram-beside-device", (11, 20))]


def test_c09_read_for_a_kernel_with_sub_sections_contradicts_it() -> None:
    result = explained("C09-5.1", "mixed-region", "6.1")
    assert [each.line for each in result.ties.contradicted if each.line] == [11]
    assert {finding.id for finding, _ in result.ties.silent} == {"tainted-section", "block-partly-ram"}


def test_c14_a_real_kernel_says_what_the_doctor_says() -> None:
    result = explained("misaligned-7.2")
    event = at(result, 385)
    assert event.event.stamp == "49.720970"
    assert event.range == Range(0x15000000, 0x17EE0000)
    assert [(f.id, lines) for f, lines in result.ties.confirmed] == [("namespace-misaligned", (385, 386))]
    finding = result.ties.confirmed[0][0]
    assert finding.kernel_says[0] in event.event.text, "the model's words are the kernel's"
    assert not result.ties.contradicted
    assert result.exit_code == 10


@pytest.mark.parametrize("name", ["mapped-5.10", "mapped-6.12"])
def test_a_real_boot_without_trouble_contradicts_nothing(name: str) -> None:
    result = explain_log(read_log(str(LOGS / f"{name}.log")), name)
    assert result.own_machine
    assert not result.ties.contradicted
    assert not result.ties.alone
    assert not result.ties.confirmed
    assert {finding.id for finding, _ in result.ties.silent} == {
        "block-partly-ram", "mixed-section-online-page" if name.endswith("5.10") else "tainted-section",
    }  # fmt: skip


def test_c33_the_dimm() -> None:
    result = explained("C33-4.17")
    assert [(f.id, lines) for f, lines in result.ties.confirmed] == [("dimm-misaligned", (2,))]
    (inside,) = [n for e in log_to_json(result)["events"] for n in e["numbers"] if n["label"] == "inside"]
    assert inside["text"].startswith("nothing")


def test_c26_and_c49_name_who_holds_the_range() -> None:
    kmem = explained("C26-5.7")
    assert kmem.owners is not None
    range_ = at(kmem, 2).range
    assert range_ is not None
    assert range_.size == 7936 << 20
    assert "dax0.0" in kmem.owners.words(range_)
    efi = explained("C49")
    (event,) = [each for each in log_to_json(efi)["events"] if each["line"] == 1]
    assert [owner["name"] for owner in event["owners"]] == ["System RAM"]


def test_a_log_of_another_machine_is_said_to_be() -> None:
    result = explained("misaligned-7.2", "mixed-region")
    said = " ".join(each.what for each in result.ties.contradicted)
    assert "the log is of kernel 7.2" in said
    assert "RAM ends at 0x1ffde000 in the log, at 0x440000000 on the machine" in said


def test_without_a_machine_the_lines_are_explained_and_that_is_said() -> None:
    result = explain_log((LOGS / "C26-5.7.log").read_text(), "x")
    assert result.diagnosis is None
    assert len(result.ties.tied) == 4
    assert "tied to no machine" in render_log(result)
    assert [each.event.hit.message.id for each in result.ties.alone if each.event.hit] == [
        "memory-is-onlined", "kmem-cannot-be-hotremoved", "pmem-could-not-reserve", "probe-failed",
    ]  # fmt: skip
    assert result.exit_code == 11


def test_of_several_boots_the_last_is_read() -> None:
    first, second = (LOGS / "C09-5.1.log").read_text(), (LOGS / "misaligned-7.2.log").read_text()
    result = explain_log(first + second, "x")
    assert min(each.event.first for each in result.ties.tied) > len(first.splitlines())
    assert [f.id for f, _ in result.ties.confirmed] == ["namespace-misaligned"]
    assert any("holds 2 boots" in note.what for note in result.notes)


def test_the_same_line_again_is_told_once_with_its_places() -> None:
    line = "Block size [0x40000000] unaligned hotplug range: start 0xc8000000, size 0x40000000"
    log = scan("\n".join(f"[ {index}.0] {line}" for index in range(5)))
    (event,) = log.events
    assert event.again == (2, 3, 4, 5)
    assert log.known == 5


def test_all_lines_shows_every_line_once() -> None:
    text = (LOGS / "C09-5.1.log").read_text()
    shown = render_log(explain_log(text, "x"), 80, all_lines=True)
    for number, line in enumerate(text.splitlines(), 1):
        if not 11 <= number < 20:
            assert line.split("] ", 1)[1] in shown
    assert "left out" not in shown


def test_other_drivers_are_left_alone() -> None:
    log = scan(
        "[ 1.0] e1000: probe of 0000:00:03.0 failed with error -5\n[ 2.0] sd 0:0:0:0: [sda] Attached SCSI disk\n"
    )
    assert not log.events


def test_json_has_every_key() -> None:
    document = json.loads(json.dumps(log_to_json(explained("C09-5.1"))))
    assert set(document) == {
        "log", "machine", "kernel", "own_machine", "lines", "known", "unknown", "boots", "start", "exit_code", "events", "confirmed",
        "contradicted", "alone", "silent", "notes",
    }  # fmt: skip
    assert document["lines"] == document["known"] + document["unknown"]
    assert set(document["events"][0]) == {
        "line", "last", "again", "time", "text", "id", "title", "what", "errno", "rule", "range", "devices", "owners", "blocks", "numbers",
        "finding",
    }  # fmt: skip


_PIECES = st.sampled_from(
    ["------------[ cut here ]------------", "---[ end trace 0 ]---", "Linux version 6.1 (x", "BIOS-e820: [mem 0x0-0xfff] usable", "\x00",
     "0x", "f" * 20, "[mem 0x1-0x0]", "WARNING: CPU: 0 PID: 1 at mm/sparse.c:1 x+0x1/0x2", "\ud800", "namespace0.0", ""]
)  # fmt: skip
_TEXT = "\n".join((LOGS / f"{name}.log").read_text() for name in ("C01-4.18", "C26-5.7", "C33-4.17", "C49"))
_BASE = read_text("00100000-7fffffff : System RAM\n140000000-33fffffff : Persistent Memory\n", "drawn")


@settings(max_examples=120, deadline=None)
@given(st.data(), st.booleans())
def test_no_log_is_too_odd(data: st.DataObject, machine: bool) -> None:
    lines = _TEXT.split("\n")
    for _ in range(data.draw(st.integers(1, 6))):
        index = data.draw(st.integers(0, len(lines) - 1))
        cut = data.draw(st.integers(0, len(lines[index])))
        lines[index] = lines[index][:cut] + data.draw(_PIECES) + lines[index][cut + data.draw(st.integers(0, 9)) :]
    result = explain_log("\n".join(lines), "drawn", _BASE if machine else None)
    document = log_to_json(result)
    assert document["known"] <= document["lines"]
    assert all(1 <= each["line"] <= each["last"] <= len(lines) for each in document["events"])
    assert render_log(result, 60, all_lines=True).endswith("\n")


def test_a_machine_that_tells_no_kernel_has_that_of_its_log() -> None:
    """Qian Cai's report (case N01): the iomem text tells none, the log 5.3-rc4, where -22 is what the second piece gets."""
    text = (
        "[    0.000000] Linux version 5.3.0-rc4-next-20190816+ (root@x)\n"
        "[    0.000000] Command line: memmap=4G!4G\n"
        "[   33.251029] nd_pmem: probe of namespace1.0 failed with error -22\n"
    )
    machine = read_machine(Path(__file__).parents[1] / "cases" / "machines" / "N01.iomem")
    result = explain_log(text, "dmesg", machine)
    assert result.diagnosis is not None
    assert result.diagnosis.kernel.startswith("5.3-rc4")
    assert "subsection-misaligned" in {each.id for each in result.diagnosis.findings}
    assert explain_log(text, "dmesg", machine, "6.1").diagnosis.kernel == "6.1"  # type: ignore[union-attr]
