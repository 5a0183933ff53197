"""``plan``: from what somebody wants of a machine's persistent memory to the commands, proven on the model first."""

from __future__ import annotations

from sparsemem.planner.intent import Amount, Intent, Item
from sparsemem.planner.plan import Balance, Command, Expectation, Impossible, Plan, PlannedNamespace
from sparsemem.planner.report import command_to_json, to_json

__all__ = [
    "Amount",
    "Balance",
    "Command",
    "Expectation",
    "Impossible",
    "Intent",
    "Item",
    "Plan",
    "PlannedNamespace",
    "command_to_json",
    "to_json",
]
