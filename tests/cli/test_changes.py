"""``doctor --upgrade-to``, ``doctor --dmesg`` and ``diff`` on the command line: answers, exit codes, and the law of bad input."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsemem.cli.app import run
from tests.doctor.machines import case_path

LOGS = Path(__file__).parents[1] / "doctor" / "logs"
DOCUMENTED = {0, 1, 2, 3, 4, 5, 6, 10, 11, 12}
LAYOUT = "6.1; 0-4G ram, 8G+64M pmem, 0x204000000-0x23fffffff ram; memremap_pages 0x200000000-0x203ffffff"


def _run(*argv: str, stdin: bytes = b"") -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    real = sys.stdin
    sys.stdin = io.TextIOWrapper(io.BytesIO(stdin))
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run(list(argv))
    finally:
        sys.stdin = real
    return code, out.getvalue(), err.getvalue()


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        (("doctor", "example:mixed-region", "--upgrade-to", "6.1"), 11),
        (("doctor", "example:mixed-region", "--kernel", "6.1", "--upgrade-to", "5.2"), 10),
        (("doctor", "example:laptop", "--upgrade-to", "5.3-rc7"), 0),
        (("doctor", LAYOUT, "--upgrade-to", "5.2"), 10),
        (("doctor", LAYOUT, "--upgrade-to", "6.1"), 0),
        (("doctor", "--dmesg", str(LOGS / "misaligned-7.2.log")), 10),
        (("doctor", "--dmesg", str(LOGS / "C49.log")), 11),
        (("diff", "example:laptop", "example:laptop"), 0),
        (("diff", "example:laptop", "example:pmem-guest"), 12),
        (("diff", LAYOUT, LAYOUT), 0),
        (("diff", LAYOUT, "6.1; 0-4G ram"), 12),
    ],
)
def test_exit_codes_in_text_and_json(argv: tuple[str, ...], code: int) -> None:
    answer, out, err = _run(*argv)
    assert (answer, err) == (code, "")
    assert out.endswith("\n")
    answer, out, err = _run(*argv, "--json")
    assert (answer, err) == (code, "")
    assert isinstance(json.loads(out), dict)


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        (("doctor", "example:laptop", "--upgrade-to", "6.99"), 2),
        (("doctor", "example:laptop", "--upgrade-to", "next"), 2),
        (("doctor", "example:laptop", "--upgrade-to", "6.1", "--compare", "6.1"), 2),
        (("doctor", "example:laptop", "--upgrade-to", "6.1", "--dmesg", "x"), 2),
        (("doctor", "example:laptop", "--all"), 2),
        (("doctor", "example:laptop", "--all-lines"), 2),
        (("doctor", str(case_path("C09.iomem")), "--upgrade-to", "6.1"), 2),
        (("doctor", "-", "--dmesg", "-"), 2),
        (("doctor", "--dmesg", "no such file"), 4),
        (("doctor", "--dmesg", str(LOGS)), 3),
        (("doctor", "--dmesg", sys.executable), 3),
        (("doctor", "--dmesg", str(LOGS / "C49.log"), "6.1; 0-1EiB ram"), 3),
        (("doctor", "--dmesg", "-"), 3),
        (("doctor", "example:laptop", "--upgrade-to", "6.1", "--html", "x.html", "--json"), 2),
        (("doctor", "example:laptop", "--upgrade-to", "6.1", "--html", "/nonexistent/x.html"), 4),
        (("doctor", "--dmesg", str(LOGS / "C35.log"), "--html", "x.html"), 2),
        (("diff", "example:laptop", "example:laptop", "--html", "x.html", "--json"), 2),
        (("diff", "example:laptop", "example:laptop", "--html", "/nonexistent/x.html"), 4),
        (("diff", "example:laptop", "no such file"), 4),
        (("diff", "example:laptop", "6.1; 0-1EiB ram"), 3),
        (("diff", "6.1 x86_64 levels=5; 0-4P ram", LAYOUT), 6),
    ],
)
def test_a_bad_question_is_one_short_error(argv: tuple[str, ...], code: int) -> None:
    answer, out, err = _run(*argv)
    assert answer == code, err
    assert not out
    assert 1 <= len(err.splitlines()) <= 2
    assert err.startswith("sparsemem: error: ")


def test_a_log_may_come_compressed_or_from_a_serial_line(tmp_path: Path) -> None:
    text = (LOGS / "misaligned-7.2.log").read_bytes()
    plain = _run("doctor", "--dmesg", "-", stdin=text)
    file = tmp_path / "dmesg.gz"
    file.write_bytes(gzip.compress(text.replace(b"\n", b"\r\n")))
    code, out, _ = _run("doctor", "--dmesg", str(file))
    assert code == plain[0] == 10
    assert out.split("\n\n", 1)[1] == plain[1].split("\n\n", 1)[1]


@pytest.mark.parametrize("options", [("--upgrade-to", "6.12"), ("--dmesg", str(LOGS / "misaligned-7.2.log"))])
@pytest.mark.parametrize("machine", ["example:pmem-guest", "example:pmem-two-regions"])
def test_only_log_lines_are_wider_than_80_columns(machine: str, options: tuple[str, ...]) -> None:
    _, out, _ = _run("doctor", machine, *options)
    for line in out.splitlines():
        assert len(line) <= 80 or "nd_pmem" in line or "kmem" in line or "[mem" in line or "/" in line, line


_PIECES = st.sampled_from(
    ["", "0x", "-", ";", ",", "{", "=", " ", "P", "f" * 17, "9" * 30, "\ud800", "memory", "fail=0", "[", "\t"]
)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_mutated_lines_are_answered_or_refused(data: st.DataObject) -> None:
    text = LAYOUT
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        text = text[:at] + data.draw(_PIECES) + text[at + data.draw(st.integers(0, 6)) :]
    for argv in (
        ("doctor", "--upgrade-to", "5.2", "--", text),
        ("diff", "--", LAYOUT, text),
        ("diff", "--", text, LAYOUT),
    ):
        code, _, err = _run(*argv)
        assert code in DOCUMENTED, (argv, err)
        if code in (2, 3, 4, 6):
            assert len(err.splitlines()) <= 3, (argv, err)
