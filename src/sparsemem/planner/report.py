"""A plan as JSON. The schema is docs/plan.schema.json."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sparsemem.ranges import format_range

if TYPE_CHECKING:
    from sparsemem.planner.plan import (
        Balance,
        Command,
        Impossible,
        MemoryBalance,
        Plan,
        PlannedBlocks,
        PlannedNamespace,
    )
    from sparsemem.planner.vm import VmPlan
    from sparsemem.ranges import Range

__all__ = ["command_to_json", "to_json", "vm_to_json"]


def command_to_json(command: Command) -> dict[str, Any]:
    """``argv``, ``why``, ``expect``, ``undo`` (null: nothing brings it back), ``destroys``."""
    return {
        "argv": list(command.argv),
        "why": command.why,
        "expect": [
            {"tool": each.tool, "dev": each.dev, "shows": None if each.shows is None else dict(each.shows)}
            for each in command.expect
        ],
        "undo": None if command.undo is None else [list(argv) for argv in command.undo],
        "destroys": list(command.destroys),
    }


def _range(r: Range | None) -> str | None:
    return None if r is None else format_range(r)


def _namespace(each: PlannedNamespace) -> dict[str, Any]:
    return {
        "dev": each.dev, "item": each.item, "region": each.region, "mode": each.mode, "map": each.map, "align": each.align,
        "sector_size": each.sector_size, "name": each.name, "range": _range(each.range), "raw_size": each.raw,
        "data": _range(each.data), "usable_size": each.usable, "device": each.device, "subsections": each.subsections,
        "blocks": None if each.blocks is None else list(each.blocks), "numa_node": each.numa_node,
    }  # fmt: skip


def _balance(each: Balance) -> dict[str, Any]:
    return {"region": each.region, "size": each.size, **each.parts, "stranded": each.stranded}


def _impossible(each: Impossible) -> dict[str, Any]:
    return {
        "item": each.item, "what": each.what, "why": each.why, "rule": each.rule, "says": list(each.says),
        "nearest": list(each.nearest),
    }  # fmt: skip


def _blocks(each: PlannedBlocks) -> dict[str, Any]:
    return {
        "item": each.item, "action": each.action, "blocks": list(each.blocks), "range": _range(each.range), "zone": each.zone,
        "numa_node": each.numa_node, "devices": list(each.devices),
    }  # fmt: skip


def _memory(each: MemoryBalance) -> dict[str, Any]:
    return {"numa_node": each.numa_node, "kernel": each.kernel, "movable": each.movable, "offline": each.offline}


def to_json(plan: Plan) -> dict[str, Any]:
    """The whole plan; sizes in bytes, ranges as the kernel prints them (inclusive)."""
    return {
        "intent": str(plan.intent),
        "kernel": plan.kernel,
        "ndctl": ".".join(map(str, plan.ndctl)),
        "search": plan.search,
        "optimal": plan.optimal,
        "stranded": plan.stranded,
        "commands": [command_to_json(each) for each in plan.commands],
        "namespaces": [_namespace(each) for each in plan.namespaces],
        "balance": [_balance(each) for each in plan.balance],
        "memory": [_blocks(each) for each in plan.memory],
        "memory_before": [_memory(each) for each in plan.memory_before],
        "memory_after": [_memory(each) for each in plan.memory_after],
        "impossible": [_impossible(each) for each in plan.impossible],
        "notes": list(plan.notes),
    }


def vm_to_json(vm: VmPlan) -> dict[str, Any]:
    """The placement of a guest's memory devices."""
    return {
        "kernel": vm.kernel,
        "block_size": vm.block_size,
        "qemu": list(vm.qemu),
        "devices": [{"name": each.name, "kind": each.kind, "range": format_range(each.range)} for each in vm.devices],
        "without_addr": list(vm.lost),
        "scarce": list(vm.scarce),
        "impossible": vm.impossible,
        "nearest": list(vm.nearest),
    }
