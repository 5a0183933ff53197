"""Every row of cases.toml holds, every case has a row or a reason, and docs/cases.md is what they say."""

from __future__ import annotations

from pathlib import Path

import pytest

from sparsemem.explain.cases import CASES
from tests.cases.__main__ import main
from tests.cases.document import updated
from tests.cases.running import MACHINES, start
from tests.cases.table import Cure, FailedError, Row, arithmetic, check, load

ROWS, NOT_DONE = load()
DOCUMENT = Path(__file__).parents[2] / "docs" / "cases.md"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.id}-{row.finding}")
def test_the_doctor_says_it_and_the_remedy_helps(row: Row) -> None:
    outcome = check(row)
    assert len(outcome.verified) == len(row.cure) > 0


def test_every_case_has_a_row_or_a_reason() -> None:
    rows = {row.id for row in ROWS}
    assert rows | set(NOT_DONE) == set(CASES)
    assert not rows & set(NOT_DONE)
    used = {row.machine for row in ROWS}
    assert {each.name for each in MACHINES.iterdir()} == used


def test_the_document_is_the_table() -> None:
    text = DOCUMENT.read_text()
    assert updated(text) == text, "run: python -m tests.cases.document docs/cases.md"
    with pytest.raises(ValueError, match="no place"):
        updated("nothing")


def test_the_machines_hold_nothing_of_the_answer() -> None:
    """Neither the finding nor any word that the kernel says about it is in a machine's files."""
    for row in ROWS:
        place = MACHINES / row.machine
        files = [place] if place.is_file() else [each for each in place.rglob("*") if each.is_file()]
        text = "\n".join(each.read_text() for each in files)
        assert row.finding not in text
        assert not [words for words in row.quoted if words in text]


def _with(row: Row, **fields: object) -> Row:
    from dataclasses import replace

    return replace(row, **fields)  # type: ignore[arg-type]


def test_a_row_that_does_not_hold_fails() -> None:
    row = next(row for row in ROWS if row.id == "C09")
    check(row)
    wrong: list[tuple[dict[str, object], str]] = [
        ({"finding": "kmem-stranded"}, "no kmem-stranded"),
        ({"quoted": ("no such words",)}, "is not in"),
        ({"lost": "0xfc000001"}, "not what the doctor counts"),
        ({"kernel": "6.1"}, "no ram-beside-device"),
        ({"cure": (Cure(kernel="5.2", says="Boot kernel 5.12 or later"),)}, "is still there"),
        ({"cure": (Cure(kernel="5.12", says="no such remedy"),)}, "no remedy says"),
        ({"cure": (Cure(kernel="5.10"),)}, "instead there is now"),
        ({"cure": (Cure(change=(("2fbffffff", "2fcffffff"), ("2fc000000", "2fd000000"))),)}, "is still there"),
    ]
    for fields, message in wrong:
        with pytest.raises(FailedError, match=message):
            check(_with(row, **fields))
    with pytest.raises(ValueError, match="in none of"):
        check(_with(row, cure=(Cure(change=(("absent", ""),)),)))


def test_a_remedy_must_work() -> None:
    row = next(row for row in ROWS if row.id == "C28")
    with pytest.raises(FailedError, match="then ndctl"):
        check(
            _with(
                row, cure=(Cure(remedy="the region has the room", then=("ndctl destroy-namespace -f namespace9.9",)),)
            )
        )
    assert not start(row.machine).works


def test_arithmetic() -> None:
    assert arithmetic("0x10 + 2 * MIB - -16908288 % (2 * MIB) // 2") == 16 + 2097152 - 1966080 // 2
    for text in ("__import__('os')", "1.5", "a", "1 << 2"):
        with pytest.raises((ValueError, KeyError)):
            arithmetic(text)


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["c09"]) == 0
    out = capsys.readouterr().out
    assert "attempted on mixed region [mem 0x200000000-0x2fbffffff flags 0x200]" in out
    assert "C09 ram-beside-device: gone: on 5.12" in out
    assert main(["C23"]) == 0
    assert "Kernels 3.10 to 4.15 are not modelled" in capsys.readouterr().out
    assert main(["C99"]) == 2
