"""What a plan marks in the address space: what goes, marked before; what is made, marked after; and memory that goes online or offline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.draw import Mark
from sparsemem.kernel.cxl.core import memdevs, regions
from sparsemem.kernel.dax.types import DevDax
from sparsemem.kernel.nvdimm.types import NdNamespace
from sparsemem.planner.memory.intent import runs_name
from sparsemem.planner.prove import block_words, shell_text
from sparsemem.planner.text import blocks_words, namespace_words, region_words
from sparsemem.ranges import Range, format_range
from sparsemem.units import format_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.machine.machine import Machine
    from sparsemem.planner.cxl.stage import PlannedRegion
    from sparsemem.planner.plan import Command, Plan, PlannedBlocks, PlannedNamespace

__all__ = ["exact_size", "plan_marks"]

_BEFORE, _AFTER = 0, 1


def exact_size(size: int) -> str:
    """``512 MiB (536,870,912 bytes)``."""
    words = format_size(size)
    return words if words.endswith("bytes") else f"{words} ({size:,} bytes)"


def _extent(machine: Machine, name: str) -> tuple[tuple[Range, ...], str]:
    """Where a namespace or dax device is on a machine, and its size in words; nothing where the machine does not have it."""
    nd, dax = machine.state.nd.get(name), machine.state.dax.get(name)
    ranges: tuple[Range, ...] = ()
    if isinstance(nd, NdNamespace) and nd.size:
        ranges = (Range(nd.start, nd.end + 1),)
    elif isinstance(dax, DevDax):
        ranges = tuple(Range(each.start, each.end + 1) for each in dax.ranges)
    return ranges, format_size(sum(each.size for each in ranges)) if ranges else ""


def _destroyed(machine: Machine, name: str, commands: list[str]) -> Mark:
    ranges, size = _extent(machine, name)
    what = f"what is on it is lost{f': {size}' if size else ''}"
    if name in (each.name for each in memdevs(machine.state)):
        what = "its labels, and what they say of namespaces, are lost"
    return Mark(name, "destroyed", what, ranges, tuple(("$", each) for each in commands), _BEFORE)


def _removed(plan: Plan) -> Iterator[Mark]:
    """CXL regions that go. What was on them is marked as destroyed, by the namespaces."""
    there = {each.name: each for each in regions(plan.before.state)}
    for command in plan.commands:
        gone = [each.dev for each in command.expect if each.tool == "cxl" and each.shows is None and each.dev in there]
        for name in gone:
            where = Range(there[name].start, there[name].start + there[name].size)
            facts = (("$", shell_text(command.argv)),)
            yield Mark(name, "removed", f"this CXL region goes: {format_size(where.size)}", (where,), facts, _BEFORE)


def _made(each: PlannedNamespace, commands: tuple[str, ...]) -> Mark:
    facts = [("region", each.region), ("raw size", exact_size(each.raw)), ("usable size", exact_size(each.usable))]
    if each.data is not None:
        facts.append(("data", format_range(each.data)))
    facts.append(("sub-sections", f"{each.subsections:,} mapped"))
    if each.blocks is not None:
        facts.append(("memory blocks", f"{block_words(each.blocks)}, on node {each.numa_node}"))
    if each.device is not None:
        facts.append(("device", f"/dev/{each.device}"))
    facts += [("$", command) for command in commands]
    what = f"{namespace_words(each)}: {format_size(each.usable)} usable of {format_size(each.raw)}"
    return Mark(each.dev, "made", what, (each.range,), tuple(facts), _AFTER)


def _region(each: PlannedRegion, commands: list[str]) -> Mark:
    facts = [
        ("memory devices", " ".join(each.memdevs)),
        ("window", each.decoder),
        ("size", exact_size(each.range.size)),
    ]
    if each.ways > 1:
        facts.append(("interleaving", f"{each.ways} ways of {each.granularity} bytes"))
    if each.found:
        facts.append(("comes with", ", ".join(each.found)))
    facts += [("$", command) for command in commands]
    what = f"CXL region {region_words(each)}: {format_size(each.range.size)}"
    return Mark(each.region, "made", what, (each.range,), tuple(facts), _AFTER)


def _moves(plan: Plan) -> Iterator[tuple[PlannedBlocks, Command]]:
    """The memory blocks with the command that moves them: both are in one order, and a command's blocks are all that it names."""
    waiting = iter(plan.memory)
    for command in plan.commands:
        if command.argv[0] != "chmem":
            continue
        first, _, last = command.argv[-1].partition("-")
        left = int(last or first) + 1 - int(first)
        while left > 0:
            each = next(waiting)
            left -= each.blocks[1] - each.blocks[0]
            yield each, command


def _memory(plan: Plan, each: PlannedBlocks, command: Command) -> Mark:
    """On both sides where the memory is there before, too: it stays where it is."""
    many = each.blocks[1] - each.blocks[0]
    facts = [
        ("memory blocks", f"{many:,}, {exact_size(each.range.size)}"), ("zone", each.zone), ("node", str(each.numa_node)),
    ]  # fmt: skip
    facts += [("device", name) for name in each.devices]
    facts.append(("$", shell_text(command.argv)))
    side = None if each.blocks[0] in plan.before.state.blocks else _AFTER
    what = f"{blocks_words(each)}: {format_size(each.range.size)}"
    return Mark(runs_name(*each.blocks), each.action, what, (each.range,), tuple(facts), side)


def plan_marks(plan: Plan) -> tuple[Mark, ...]:
    """What is destroyed and which CXL regions go, marked where they were; then what is made, marked where it is, the regions first; then
    memory that goes online or offline."""
    makers: dict[str, list[str]] = {}
    destroyers: dict[str, list[str]] = {}
    for command in plan.commands:
        said = shell_text(command.argv)
        for name in dict.fromkeys(each.dev for each in command.expect if each.shows is not None):
            makers.setdefault(name, []).append(said)
        for name in command.destroys:
            destroyers.setdefault(name, []).append(said)
    marks = [_destroyed(plan.before, name, commands) for name, commands in destroyers.items()]
    marks += _removed(plan)
    marks += [_region(each, makers.get(each.region, [])) for each in plan.regions]
    for each in plan.namespaces:
        names = dict.fromkeys((each.dev, each.device or each.dev))
        commands = [said for name in names for said in makers.get(name, ())]
        marks.append(_made(each, tuple(dict.fromkeys(commands))))
    marks += [_memory(plan, blocks, command) for blocks, command in _moves(plan)]
    return tuple(marks)
