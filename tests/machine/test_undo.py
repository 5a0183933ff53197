"""apply/undo, snapshots and the layout line, over random operations on every era."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsemem.machine.notation import format_machine, parse_machine
from sparsemem.machine.operations import parse_operation

from . import strategies as own

_plans = st.tuples(st.sampled_from(own.VERSIONS), st.lists(own.OPERATIONS, max_size=12))


@given(_plans)
@settings(max_examples=150, deadline=None)
def test_undo_takes_each_operation_back_exactly(plan: tuple[str, list[str]]) -> None:
    version, operations = plan
    machine = own.machine(version)
    marks = [machine.snapshot()]
    logs = [len(machine.state.lines)]
    for text in operations:
        machine.apply(text)
        marks.append(machine.snapshot())
        logs.append(len(machine.state.lines))
    for _ in operations:
        assert machine.snapshot() == marks.pop()
        assert hash(machine.snapshot()) == hash(machine.snapshot())
        assert len(machine.state.lines) == logs.pop()
        machine.undo()
    assert not machine.snapshot().changes
    assert machine == own.machine(version)


@given(_plans)
@settings(max_examples=100, deadline=None)
def test_the_layout_line_is_the_machine(plan: tuple[str, list[str]]) -> None:
    version, operations = plan
    machine = own.machine(version)
    for text in operations:
        machine.apply(text)
    line = format_machine(machine)
    again = parse_machine(line)
    assert again == machine
    assert format_machine(again) == line
    assert "\n" not in line


@given(own.OPERATIONS)
def test_operations_have_a_text_form(text: str) -> None:
    operation = parse_operation(text)
    assert parse_operation(str(operation)) == operation


@given(_plans)
@settings(max_examples=60, deadline=None)
def test_legal_operations_are_those_that_succeed_and_leave_no_trace(plan: tuple[str, list[str]]) -> None:
    version, operations = plan
    machine = own.machine(version)
    for text in operations[:4]:
        machine.apply(text)
    before = machine.snapshot()
    legal = machine.legal_ops()
    assert machine.snapshot() == before
    assert set(legal) <= set(machine.attempts())
    for operation in legal:
        assert machine.apply(operation).refusal is None
        machine.undo()


@pytest.mark.parametrize("version", own.VERSIONS)
def test_a_fresh_machine_has_no_faults_but_those_of_its_kernel(version: str) -> None:
    kinds = {fault.kind for fault in own.machine(version).faults()}
    assert kinds <= {"uninitialised-hole"}
    if "uninitialised-hole" in kinds:
        assert not version.startswith(("5.6", "5.7", "5.8", "5.9", "5.1.", "6", "7"))
