"""Every quoted line is recognised and its numbers are read, whatever the noise in front of it."""

from __future__ import annotations

import pytest
from quoted_lines import QUOTED

from sparsemem.explain import explain
from sparsemem.explain.clean import clean

NOISE = (
    "",
    "[   17.491097] ",
    "[    1.5][    T1] ",
    "<4>[12345.678901] ",
    "kern  :warn  : [  100.000001] ",
    "[Tue Nov 20 10:11:12 2018] ",
    "Nov 20 10:11:12 host-1 kernel: ",
    "Nov 20 10:11:12 host-1 kernel: [   17.491097] ",
    "2025-10-28T10:11:12.123456+01:00 host kernel: ",
    "> > ",
    "\x1b[33m[   17.491097]\x1b[0m ",
)


@pytest.mark.parametrize(("case", "line", "message", "numbers"), QUOTED)
def test_quoted_line_is_recognised_and_decoded(case: str, line: str, message: str, numbers: dict[str, str]) -> None:
    answer = explain(line)
    assert [e.id for e in answer.explanations] == [message], case
    read = [(n.label, n.text) for n in answer.explanations[0].numbers]
    for label, text in numbers.items():
        assert any(name == label and text in words for name, words in read), (case, label, text, read)


@pytest.mark.parametrize("noise", NOISE)
def test_noise_changes_nothing(noise: str) -> None:
    for _, line, message, _ in QUOTED:
        answer = explain(noise + line)
        assert [e.id for e in answer.explanations] == [message], noise + line
        assert answer.explanations[0].numbers == explain(line).explanations[0].numbers
        assert answer.explanations[0].line == clean(line)


def test_a_whole_paste_answers_every_line_once_and_counts_the_rest() -> None:
    paste = "\n".join(
        (
            "Nov 20 10:11:12 h kernel: nd_pmem pfn1.0: Conflicting mapping in same section",
            "Nov 20 10:11:12 h kernel: ------------[ cut here ]------------",
            "Nov 20 10:11:12 h kernel: WARNING: CPU: 2 PID: 1 at arch/x86/mm/init_64.c:850 add_pages+0x5c/0x60",
            "Nov 20 10:11:12 h kernel: Modules linked in: nd_pmem",
            "Nov 20 10:11:13 h kernel: nd_pmem pfn1.0: Conflicting mapping in same section",
        )
    )
    answer = explain(paste)
    assert [e.id for e in answer.explanations] == ["conflicting-mapping", "warning"]
    assert answer.unrecognised == ("Modules linked in: nd_pmem",)


def test_a_line_that_mail_wrapped_is_read_whole() -> None:
    answer = explain("Block size [0x80000000] unaligned hotplug range: start\n0x1040000000, size 0x80000000")
    (only,) = answer.explanations
    assert only.line == "Block size [0x80000000] unaligned hotplug range: start 0x1040000000, size 0x80000000"
    assert any(n.label == "memory block" for n in only.numbers)


def test_a_block_size_in_the_paste_measures_the_other_lines() -> None:
    lines = (
        "x86/mm: Memory block size: 2048MB\nkmem dax0.0: mapping0: 0x148200000-0x33fffffff too small after alignment"
    )
    kmem = explain(lines).explanations[1]
    # 0x180000000 and 0x300000000 are the 2 GiB lines inside: 6 GiB usable, 958 MiB before and 1 GiB behind
    text = {n.label: n.text for n in kmem.numbers}
    assert text["usable"].startswith("0x180000000-0x2ffffffff, 6 GiB")
    assert "894 MiB at the start, 1 GiB at the end" in text["lost"]


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("nd_pmem namespace0.0: probe with driver nd_pmem failed with error -95", "EOPNOTSUPP"),
        ("nd_pmem: probe of namespace1.0 failed with error -6", "ENXIO"),
        ("failed to create namespace: No such device or address", "ENXIO"),
        ("error reconfiguring devices: Invalid argument", "EINVAL"),
        ("sh: write error: Device or resource busy", "EBUSY"),
    ],
)
def test_an_errno_in_a_line_is_explained(line: str, word: str) -> None:
    assert word in explain(line).explanations[0].what


def test_the_device_in_a_line_goes_into_the_commands() -> None:
    steps = explain("nd_pmem pfn1.3: namespace1.7 unable to satisfy requested alignment").explanations[0].steps
    assert ("ndctl", "create-namespace", "-r", "region1", "--align=2M", "-s", "<size>") in [s.argv for s in steps]
