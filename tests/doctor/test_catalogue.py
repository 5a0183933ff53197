"""The catalogue in the docs is that of the checks, and no check finds what it does not declare."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings

from sparsemem import fixtures
from sparsemem.doctor import Diagnosis, diagnose
from sparsemem.doctor.catalogue import updated
from sparsemem.doctor.checks import CHECKS
from sparsemem.errors import InputError, SparsememError
from sparsemem.readers import read_machine
from sparsemem.spec.rules import RULES
from tests.doctor.test_doctor_law import VERSIONS, descriptions

if TYPE_CHECKING:
    from sparsemem.machine.description import MachineDescription

DOCUMENT = Path(__file__).parents[2] / "docs/doctor.md"
DECLARED = {(check.id, kind.id, severity) for check in CHECKS for kind in check.finds for severity in kind.severities}


def undeclared(found: Diagnosis) -> set[tuple[str, str, str]]:
    return {(each.check, each.id, each.severity) for each in found.findings} - DECLARED


def test_the_document_is_current() -> None:
    text = DOCUMENT.read_text()
    assert updated(text, "docs/doctor.md") == text, "run: python -m sparsemem.doctor.catalogue docs/doctor.md"


def test_every_finding_is_explained() -> None:
    from sparsemem.explain.lookup import find_name
    from sparsemem.machine.faults import FAULTS

    for check in CHECKS:
        for kind in check.finds:
            known = find_name(kind.id) or find_name(kind.rule or "") or kind.id in FAULTS
            assert known or kind.id in ("model-disagrees", "kmem-unavailable"), kind


def test_a_document_without_markers_is_an_error() -> None:
    with pytest.raises(InputError, match="no place"):
        updated("# nothing", "x.md")


def test_checks_are_complete() -> None:
    assert len({check.id for check in CHECKS}) == len(CHECKS)
    for check in CHECKS:
        assert check.question.endswith("?")
        assert check.finds
        assert all(kind.rule is None or kind.rule in RULES for kind in check.finds)


@pytest.mark.parametrize("version", [None, "5.1", "5.4", "6.1", "7.2"])
def test_fixtures_yield_what_is_declared(version: str | None) -> None:
    for name in fixtures.names():
        assert undeclared(diagnose(read_machine(fixtures.path(name)), version)) == set()


@settings(max_examples=60, deadline=None)
@given(descriptions(), VERSIONS)
def test_any_machine_yields_what_is_declared(description: MachineDescription, version: str | None) -> None:
    try:
        found = diagnose(description, version)
    except SparsememError:
        return
    assert undeclared(found) == set()
