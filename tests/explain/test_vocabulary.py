"""The model and ``explain`` speak of the same rules and faults."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import sparsemem
from sparsemem.explain import explain
from sparsemem.machine.faults import FAULTS
from sparsemem.spec.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCES = Path(sparsemem.__file__).parent


def _named_rules() -> Iterator[tuple[str, str]]:
    for path in sorted(SOURCES.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Refusal":
                given = [*node.args[2:3], *(k.value for k in node.keywords if k.arg == "rule")]
                yield from (
                    (path.name, v.value) for v in given if isinstance(v, ast.Constant) and isinstance(v.value, str)
                )


def test_every_rule_that_the_model_names_exists() -> None:
    named = list(_named_rules())
    assert named, "the model refuses something"
    assert [(file, rule) for file, rule in named if rule not in RULES] == []


def test_every_fault_is_explained() -> None:
    for kind, fault in FAULTS.items():
        (only,) = explain(kind).explanations
        assert only.id == kind
        assert fault.rule in only.what or kind in RULES
