"""``plan``: from what somebody wants of a machine's persistent memory to the commands, proven on the model first."""

from __future__ import annotations

from sparsemem.planner.grammar import parse_intent
from sparsemem.planner.intent import Amount, Intent, Item
from sparsemem.planner.make import make_plan
from sparsemem.planner.plan import Balance, Command, Expectation, Impossible, Plan, PlannedNamespace
from sparsemem.planner.prove import PredictionError, shell_text
from sparsemem.planner.report import command_to_json, to_json, vm_to_json
from sparsemem.planner.script import to_script
from sparsemem.planner.text import render_text, render_vm
from sparsemem.planner.toml_intent import load_intent
from sparsemem.planner.vm import VmPlan, VmSpec, make_vm, parse_vm

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
    "PredictionError",
    "VmPlan",
    "VmSpec",
    "command_to_json",
    "load_intent",
    "make_plan",
    "make_vm",
    "parse_intent",
    "parse_vm",
    "render_text",
    "render_vm",
    "shell_text",
    "to_json",
    "to_script",
    "vm_to_json",
]
