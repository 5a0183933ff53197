"""A plan as the head of a journal: each command with what the machine shows after it, taken from the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sparsemem.planner.apply.runners import ModelRunner
from sparsemem.planner.apply.view import WATCH, changes, differences, same_thing, view_of, watched
from sparsemem.planner.prove import PredictionError
from sparsemem.planner.report import command_to_json

if TYPE_CHECKING:
    from sparsemem.planner.plan import Plan

__all__ = ["adopt", "head_of", "steps_of"]


def steps_of(plan: Plan) -> tuple[dict[str, dict[str, Any]], list[dict[str, Any]]]:
    """The view before the first command, and the commands as JSON with their ``changes``. Raises PredictionError."""
    model = ModelRunner(plan.before.copy(), plan.ndctl)
    blocks = watched(command.argv for command in plan.commands)
    start = before = view_of({**model.observe(), WATCH: blocks})
    steps = []
    for command in plan.commands:
        code, output = model.run(command.argv)
        if code:
            raise PredictionError(f"{command.text} was played and is refused now: {output.strip()}")
        after = view_of({**model.observe(), WATCH: blocks})
        steps.append({**command_to_json(command), "changes": changes(before, after)})
        before = after
    return start, steps


def head_of(plan: Plan, runner: str, boot: str | None = None) -> dict[str, Any]:
    """What a journal begins with. ``boot``: which boot of the machine it is."""
    start, steps = steps_of(plan)
    return {
        "intent": str(plan.intent), "kernel": plan.kernel, "ndctl": ".".join(map(str, plan.ndctl)), "runner": runner, "boot": boot,
        "start": start, "steps": steps,
    }  # fmt: skip


def adopt(head: dict[str, Any], lists: dict[str, Any]) -> list[str]:
    """Begin from what the machine shows: how it differs from the one that was planned for, or nothing, and then ``start`` is what it shows.

    The devices, their modes and sizes, and the policy decide. What else is shown of a device need not be known to whoever only read the
    machine's files; from now on it must stay.
    """
    lists = {**lists, WATCH: watched(step["argv"] for step in head.get("steps", ()))}
    view, start = view_of(lists), head["start"]
    wrong = [name for name in {**start, **view} if not same_thing(view.get(name), start.get(name))]
    if not wrong:
        head["start"] = view
    return differences(view, start, wrong)
