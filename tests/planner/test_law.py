"""What holds of every plan, on drawn machines and intents: it is what the model does, nothing unnamed is lost, every byte is counted."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sparsemem.planner import make_plan, parse_intent, render_text, shell_text, to_json, to_script
from sparsemem.play.player import Player
from sparsemem.play.shell import parse_step
from tests.planner.machines import GIB, MIB, examples, free_bytes, machine

SCHEMA = json.loads((Path(__file__).parents[2] / "docs/plan.schema.json").read_text())

_MACHINES = st.builds(
    lambda kernel, sizes, ways, labels, off, options: machine(
        kernel,
        *(size * 96 * MIB for size in sizes),
        ways=ways,
        labels=labels,
        start=4 * GIB + off * MIB,
        options=options,
    ),
    st.sampled_from(("4.19", "5.1", "5.3", "5.6", "5.10", "6.1", "6.12", "7.2")),
    st.lists(st.sampled_from((4, 8, 11)), min_size=1, max_size=2),
    st.sampled_from((1, 1, 2, 3, 6)),
    st.sampled_from(("1.1", "1.2", "", "blank")),
    st.sampled_from((0, 16, 64, 2)),
    st.sampled_from(("", "auto_online=online")),
)
_WORDS = st.builds(
    lambda count, mode, amount, option: (
        f"{count} x {mode} {amount}{option if mode in ('fsdax', 'devdax', 'system-ram') else ''}"
    ),
    st.sampled_from((1, 1, 2)),
    st.sampled_from(("fsdax", "devdax", "sector", "raw", "system-ram")),
    st.sampled_from(("16M", "96M", "100M", "128M", "192M", "usable 50M", "usable 150M", "10%", "50%", "rest")),
    st.sampled_from(("", "", " map=mem", " align=4K", " align=1G")),
)
_INTENTS = st.builds(
    lambda replace, words: ", ".join([*replace, *words]),
    st.sampled_from(([], ["replace all"])),
    st.lists(_WORDS, min_size=1, max_size=3),
)
_NDCTL = st.sampled_from(((62,), (67,), (71,), (76,), (85,)))


@settings(max_examples=examples(40), suppress_health_check=[HealthCheck.too_slow])
@given(_MACHINES, _INTENTS, _NDCTL)
def test_a_plan_is_what_the_model_does(board: object, text: str, ndctl: tuple[int, ...]) -> None:
    from sparsemem.machine.machine import Machine

    assert isinstance(board, Machine)
    before, history = board.snapshot(), list(board.history)
    intent = parse_intent(text)
    plan = make_plan(board, intent, ndctl=ndctl, nearest=False)
    assert (board.snapshot(), board.history) == (before, history), "the machine that was asked about stays as it is"
    document = to_json(plan)
    jsonschema.validate(document, SCHEMA)
    assert json.loads(json.dumps(document)) == document
    lines = render_text(plan, 40, picture=False).splitlines()
    assert all(len(line) <= 40 or len(line.split()) == 1 for line in lines if "\\" not in line)  # a path is not broken
    assert to_script(plan).startswith("#!/bin/sh\n")
    for each in plan.balance:
        assert sum(each.parts.values()) == each.size
        assert min(each.parts.values()) >= 0
    if plan.impossible:
        assert not plan.commands
        assert plan.after is plan.before
        return
    # an independent playing gives the same machine
    other = board.copy()
    player = Player(other, ndctl=ndctl)
    destroyed: set[str] = set()
    for command in plan.commands:
        step = shell_text(command.argv)
        result = player.step(step, parse_step(step), tty=False)
        assert result.exit_code == 0, result
        destroyed |= set(command.destroys)
    assert other.snapshot() == plan.after.snapshot()
    if not intent.replace:
        assert not destroyed, "nothing is destroyed that was not named"
    wanted = sum(item.count for item in intent.items if item.amount.kind != "rest")
    assert sum(intent.items[each.item].amount.kind != "rest" for each in plan.namespaces) == wanted
    for each in plan.namespaces:
        amount = intent.items[each.item].amount
        if amount.kind == "usable":
            assert each.usable >= amount.size
        if amount.kind == "raw":
            assert each.raw == amount.size


@settings(max_examples=examples(15), suppress_health_check=[HealthCheck.too_slow])
@given(_MACHINES, _INTENTS, _NDCTL)
def test_the_nearest_intents_can_be_had(board: object, text: str, ndctl: tuple[int, ...]) -> None:
    from sparsemem.machine.machine import Machine

    assert isinstance(board, Machine)
    plan = make_plan(board, parse_intent(text), ndctl=ndctl)
    for wrong in plan.impossible:
        assert wrong.what
        assert wrong.why
        for near in wrong.nearest:
            assert str(parse_intent(near)) == near
            assert not make_plan(board, parse_intent(near), ndctl=ndctl, nearest=False).impossible, near


@settings(max_examples=examples(15), suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.sampled_from(("fsdax 96M", "devdax 192M", "sector 96M", "raw 16M", "system-ram 256M")),
        min_size=1,
        max_size=4,
    )
)
def test_undo_gives_the_space_back(words: list[str]) -> None:
    board = machine("6.1", 2 * GIB, options="auto_online=online")
    plan = make_plan(board, parse_intent(", ".join(words)))
    other = plan.after.copy()
    player = Player(other)
    for command in reversed(plan.commands):
        assert command.undo is not None
        for argv in command.undo:
            text = shell_text(argv)
            result = player.step(text, parse_step(text))
            assert result.exit_code == 0, (argv, result.stdout, result.log_lines)
    assert free_bytes(other) == free_bytes(board)
    assert other.state.misc["auto_online"] == board.state.misc["auto_online"]


@pytest.mark.parametrize("labels", ["", "blank", "1.1", "1.2"])
@pytest.mark.parametrize("mode", ["sector", "sector rest sector=512", "fsdax", "devdax", "raw"])
def test_whatever_the_labels(labels: str, mode: str) -> None:
    """A BTT begins at 0 or at 4 KiB by the labels that there are, or are not: the prediction holds."""
    for kernel, ndctl, ways in itertools.product(("5.3", "6.12"), ((62,), (76,)), (1, 6)):
        board = machine(kernel, 768 * MIB, ways=ways, labels=labels)
        words = mode if "rest" in mode else f"{mode} rest"
        plan = make_plan(board, parse_intent(f"replace all, {words}"), ndctl=ndctl, nearest=False)
        assert [each.raw for each in plan.namespaces] == [768 * MIB]
