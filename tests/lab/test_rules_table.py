"""docs/lab.md says which scenario shows which rule: the table is made, and every name in it is recorded."""

from __future__ import annotations

import tomllib
from fnmatch import fnmatch

from .rules_table import BEGIN, DOCUMENT, END, TESTS, recordings, renewed


def test_the_table_is_that_of_today() -> None:
    text = DOCUMENT.read_text()
    assert BEGIN in text
    assert END in text
    assert text == renewed(text), "python -m tests.lab.rules_table"


def test_every_pattern_names_a_recorded_scenario() -> None:
    known = recordings()
    for rule in tomllib.loads((TESTS / "lab" / "rules.toml").read_text())["rule"]:
        for pattern in rule["scenarios"]:
            assert any(fnmatch(name, pattern) for name in known), (rule["section"], pattern)


def test_the_rules_that_a_guest_can_reach_are_there() -> None:
    rules = tomllib.loads((TESTS / "lab" / "rules.toml").read_text())["rule"]
    assert {rule["section"][0] for rule in rules} >= set("23456789")
    assert "11" in {rule["section"] for rule in rules}
