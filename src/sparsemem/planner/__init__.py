"""``plan``: from what somebody wants of a machine's persistent memory to the commands, proven on the model first.

The names are imported when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sparsemem.planner.cxl.item import RegionItem
    from sparsemem.planner.cxl.measure import CxlBalance
    from sparsemem.planner.cxl.stage import PlannedRegion
    from sparsemem.planner.grammar import parse_intent
    from sparsemem.planner.intent import Amount, Intent, Item
    from sparsemem.planner.make import make_plan
    from sparsemem.planner.memory.intent import MemoryItem
    from sparsemem.planner.page import paint_plan, paint_plan_svg, paint_vm
    from sparsemem.planner.plan import (
        Balance,
        Command,
        Expectation,
        Impossible,
        MemoryBalance,
        Plan,
        PlannedBlocks,
        PlannedNamespace,
    )
    from sparsemem.planner.prove import PredictionError, shell_text
    from sparsemem.planner.report import command_to_json, to_json, vm_to_json
    from sparsemem.planner.script import to_script
    from sparsemem.planner.text import render_text
    from sparsemem.planner.toml_intent import load_intent
    from sparsemem.planner.vm import VmPlan, VmSpec, make_vm, parse_vm
    from sparsemem.planner.vm_text import render_vm

__all__ = [
    "Amount",
    "Balance",
    "Command",
    "CxlBalance",
    "Expectation",
    "Impossible",
    "Intent",
    "Item",
    "MemoryBalance",
    "MemoryItem",
    "Plan",
    "PlannedBlocks",
    "PlannedNamespace",
    "PlannedRegion",
    "PredictionError",
    "RegionItem",
    "VmPlan",
    "VmSpec",
    "command_to_json",
    "load_intent",
    "make_plan",
    "make_vm",
    "paint_plan",
    "paint_plan_svg",
    "paint_vm",
    "parse_intent",
    "parse_vm",
    "render_text",
    "render_vm",
    "shell_text",
    "to_json",
    "to_script",
    "vm_to_json",
]

_HOMES = {
    "cxl.item": ("RegionItem",),
    "cxl.measure": ("CxlBalance",),
    "cxl.stage": ("PlannedRegion",),
    "grammar": ("parse_intent",),
    "intent": ("Amount", "Intent", "Item"),
    "make": ("make_plan",),
    "memory.intent": ("MemoryItem",),
    "page": ("paint_plan", "paint_plan_svg", "paint_vm"),
    "plan": (
        "Balance",
        "Command",
        "Expectation",
        "Impossible",
        "MemoryBalance",
        "Plan",
        "PlannedBlocks",
        "PlannedNamespace",
    ),
    "prove": ("PredictionError", "shell_text"),
    "report": ("command_to_json", "to_json", "vm_to_json"),
    "script": ("to_script",),
    "text": ("render_text",),
    "toml_intent": ("load_intent",),
    "vm": ("VmPlan", "VmSpec", "make_vm", "parse_vm"),
    "vm_text": ("render_vm",),
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            import importlib

            return getattr(importlib.import_module(f"sparsemem.planner.{home}"), name)
    raise AttributeError(f"module 'sparsemem.planner' has no attribute {name!r}")
