"""A plan as the head of a journal: each command with what the machine shows after it, taken from the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sparsemem.planner.apply.identity import facts_of, identities, wrong_facts
from sparsemem.planner.apply.runners import ModelRunner
from sparsemem.planner.apply.view import changes, differences, relevant, same_thing, view_of
from sparsemem.planner.prove import PredictionError
from sparsemem.planner.report import command_to_json

if TYPE_CHECKING:
    from sparsemem.planner.plan import Plan

__all__ = ["adopt", "head_of", "steps_of"]


def steps_of(plan: Plan) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What the model shows before the first command, and the commands as JSON with their ``changes``. Raises PredictionError."""
    model = ModelRunner(plan.before.copy(), plan.ndctl)
    commands = [command.argv for command in plan.commands]
    start = relevant(model.observe(), commands)
    before = view_of(start)
    steps = []
    for command in plan.commands:
        code, output = model.run(command.argv)
        if code:
            raise PredictionError(f"{command.text} was played and is refused now: {output.strip()}")
        after = view_of(relevant(model.observe(), commands))
        steps.append({**command_to_json(command), "changes": changes(before, after)})
        before = after
    return start, steps


def head_of(plan: Plan, runner: str, boot: str | None = None, machine: str | None = None) -> dict[str, Any]:
    """What a journal begins with. ``boot``: which boot of the machine it is, ``machine``: which machine."""
    start, steps = steps_of(plan)
    return {
        "intent": str(plan.intent), "kernel": plan.kernel, "ndctl": ".".join(map(str, plan.ndctl)), "runner": runner, "boot": boot,
        "machine": machine, "start": view_of(start), "facts": facts_of(start), "ids": identities(start), "steps": steps,
    }  # fmt: skip


def adopt(head: dict[str, Any], lists: dict[str, Any]) -> list[str]:
    """Begin from what the machine shows: how it differs from the one that was planned for, or nothing, and then ``start`` is what it shows.

    The devices, where they begin, their modes and sizes, their regions and the policy decide. What else is shown of a device need not be
    known to whoever only read the machine's files; from now on it must stay.
    """
    view, start = view_of(relevant(lists, [step["argv"] for step in head.get("steps", ())])), head["start"]
    wrong = [name for name in {**start, **view} if not same_thing(view.get(name), start.get(name))]
    found = differences(view, start, wrong) + wrong_facts(head.get("facts", {}), facts_of(lists), model=True)
    there = identities(lists)
    for name, planned in head.get("ids", {}).items():
        begins = there.get(name, {}).get("start")
        if name.startswith("namespace") and begins and begins != planned.get("start", begins) and name not in wrong:
            found.append(f"{name} begins at {begins}, not {planned['start']}")
    if not found:
        head |= {"start": view, "facts": facts_of(lists), "ids": there}
    return found
