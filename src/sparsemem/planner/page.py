"""A plan as a page: the picture before and after, what is made and destroyed marked in it, and the plan itself around it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from sparsemem.draw import (
    Commands,
    Line,
    Mark,
    PageText,
    Section,
    Sentence,
    Table,
    build_scene,
    compare,
    paint_html,
    paint_svg,
)
from sparsemem.planner.marks import plan_marks
from sparsemem.planner.prove import block_words, shell_text
from sparsemem.planner.tables import CXL_PARTS, CXL_STRANDED, MEMORY_PARTS, PARTS, STRANDED, by_node, shows_balance
from sparsemem.planner.text import headline, namespace_words
from sparsemem.planner.vm_text import vm_headline
from sparsemem.ranges import format_range
from sparsemem.spec.rules import RULES
from sparsemem.units import format_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.draw import Comparison, Scene
    from sparsemem.machine.machine import Machine
    from sparsemem.planner.plan import Impossible, Plan
    from sparsemem.planner.vm import VmPlan

__all__ = ["paint_plan", "paint_plan_svg", "paint_vm"]


def _scene(machine: Machine, *, exact: bool) -> Scene:
    return build_scene(machine.state, machine.faults(), exact=exact)


def _picture(plan: Plan, *, exact: bool) -> Scene | Comparison:
    """Before beside after; before alone where nothing is done."""
    before = _scene(plan.before, exact=exact)
    return compare(before, _scene(plan.after, exact=exact)) if plan.commands else before


# -- what is told


def _impossible(each: Impossible) -> Iterator[Sentence]:
    yield Sentence(f"can not be had: {each.what}", "error")
    yield Sentence(f"why: {each.why}")
    rule = RULES.get(each.rule or "")
    if rule is not None:
        yield Sentence(f"rule: {rule.title}; in plain words:", command=f"sparsemem explain {each.rule}")
    if each.says:
        yield Sentence("who tries it all the same is told:")
        yield Sentence("$", code=each.says[0])
        yield from (Sentence("", code=line) for line in each.says[1:])
    if each.nearest:
        yield Sentence("nearest that can be had:")
        yield from (Sentence("", command=intent) for intent in each.nearest)
    elif each.item is not None:
        yield Sentence("no intent near it was found that can be had")


def _commands(plan: Plan) -> Section:
    lines = tuple(
        Line(
            shell_text(command.argv),
            f"{number}. {command.why}",
            f"destroys what is on {', '.join(command.destroys)}" if command.destroys else "",
        )
        for number, command in enumerate(plan.commands, 1)
    )
    return Section(f"Commands ({len(lines):,})", (Commands(lines),))


def _regions(plan: Plan) -> Table:
    head = ("CXL region", "memory devices", "window", "ways", "granularity", "addresses", "size", "bytes", "comes with")
    rows = tuple(
        (
            each.region, " ".join(each.memdevs), each.decoder, each.ways, f"{each.granularity:,}" if each.ways > 1 else "",
            format_range(each.range), format_size(each.range.size), f"{each.range.size:,}", ", ".join(each.found),
        )
        for each in plan.regions
    )  # fmt: skip
    return Table(head, rows, frozenset({3, 4, 6, 7}))


def _namespaces(plan: Plan) -> Table:
    head = (
        "namespace", "what", "region", "addresses", "sub-sections", "raw", "raw bytes", "usable", "usable bytes", "device", "memory blocks",
    )  # fmt: skip
    rows = tuple(
        (
            each.dev, namespace_words(each), each.region, format_range(each.range), f"{each.subsections:,}",
            format_size(each.raw), f"{each.raw:,}", format_size(each.usable), f"{each.usable:,}",
            f"/dev/{each.device}" if each.device is not None else "",
            f"{block_words(each.blocks)}, node {each.numa_node}" if each.blocks is not None else "",
        )
        for each in plan.namespaces
    )  # fmt: skip
    return Table(head, rows, frozenset(range(4, 9)))


def _memory(plan: Plan) -> Table:
    head = ("memory blocks", "goes", "zone", "node", "device", "addresses", "size", "bytes")
    rows = tuple(
        (
            block_words(each.blocks), each.action, each.zone, each.numa_node, ", ".join(each.devices), format_range(each.range),
            format_size(each.range.size), f"{each.range.size:,}",
        )
        for each in plan.memory
    )  # fmt: skip
    return Table(head, rows, frozenset({3, 6, 7}))


def _balance(
    name: str, columns: list[tuple[str, dict[str, int]]], words: dict[str, str], stranded: tuple[str, ...] = ()
) -> Section:
    """Columns beside each other, in bytes; parts that are zero everywhere are left out."""
    rows = [
        (said + (" (stranded)" if part in stranded else ""), *(f"{parts[part]:,}" for _, parts in columns))
        for part, said in words.items()
        if any(parts[part] for _, parts in columns)
    ]
    rows.append(("together", *(f"{sum(parts.values()):,}" for _, parts in columns)))
    head = ("bytes", *(column for column, _ in columns))
    return Section(name, (Table(head, tuple(rows), frozenset(range(1, len(head)))),))


def _balances(plan: Plan) -> Iterator[Section]:
    """Regions, CXL memory devices with their window, and memory blocks by node, before and after."""
    if plan.balance and shows_balance(plan):
        yield _balance("Where every byte goes", [(each.region, each.parts) for each in plan.balance], PARTS, STRANDED)
    if plan.cxl and shows_balance(plan):
        name = "CXL memory devices and their window"
        yield _balance(name, [(each.name, each.parts) for each in plan.cxl], CXL_PARTS, CXL_STRANDED)
    nodes = [
        (f"node {nid} {when}", {part: 0 if each is None else getattr(each, part) for part in MEMORY_PARTS})
        for nid, balances in by_node(plan)
        for when, each in zip(("before", "after"), balances, strict=True)
    ]
    if nodes:
        yield _balance("Memory blocks by node", nodes, MEMORY_PARTS)


def _qemu(vm: VmPlan) -> tuple[Section, ...]:
    line = Line(shlex.join(("qemu-system-x86_64", *vm.qemu)))
    devices = tuple(
        (each.name, each.kind, format_size(each.range.size), format_range(each.range)) for each in vm.devices
    )
    parts: list[Sentence | Commands | Table] = [Commands((line,))]
    if devices:
        parts.append(Table(("device", "kind", "size", "addresses"), devices, frozenset({2})))
    if vm.lost:
        parts.append(Sentence("without addr=, where QEMU puts them:"))
        parts += [Sentence(words, "warning") for words in vm.lost]
    return (Section("QEMU's arguments", tuple(parts)),)


def _told(plan: Plan, vm: VmPlan | None) -> PageText:
    kernel = f"Linux {plan.kernel}"
    verdict = Sentence(headline(plan), "error" if plan.impossible else "")
    lead = [Sentence(vm_headline(vm))] if vm is not None else []
    lead += [verdict, Sentence("intent:", command=str(plan.intent))]
    above = list(_qemu(vm)) if vm is not None else []
    above += [Section("What can not be had", tuple(_impossible(each))) for each in plan.impossible]
    if plan.commands:
        above.append(_commands(plan))
    made = [*([_regions(plan)] if plan.regions else []), *([_namespaces(plan)] if plan.namespaces else [])]
    below = [Section("What is made", tuple(made))] if made else []
    if plan.memory:
        below.append(Section("Memory that goes online or offline", (_memory(plan),)))
    below += _balances(plan)
    if plan.notes:
        below.append(Section("Notes", tuple(Sentence(note) for note in plan.notes)))
    return PageText(
        f"No plan for {kernel}" if plan.impossible else f"Plan for {kernel}",
        "change",
        tuple(lead),
        tuple(above),
        tuple(below),
    )


def paint_plan(plan: Plan, vm: VmPlan | None = None) -> str:
    """The page of a plan (``draw.paint_html``); ``vm``: the guest that it is for. Without commands it shows the machine as it is."""
    return paint_html(_picture(plan, exact=True), marks=plan_marks(plan), told=_told(plan, vm))


def paint_plan_svg(plan: Plan) -> str:
    """Before beside after as SVG; before alone where nothing is done."""
    return paint_svg(_picture(plan, exact=False))


def paint_vm(vm: VmPlan) -> str:
    """The page of a guest: its address space with the memory devices marked. ``vm.machine`` must be there."""
    assert vm.machine is not None
    marks = tuple(
        Mark(each.name, "made", f"{each.kind}, {format_size(each.range.size)}", (each.range,)) for each in vm.devices
    )
    told = PageText(f"A guest of Linux {vm.kernel}", "change", (Sentence(vm_headline(vm)),), _qemu(vm))
    return paint_html(_scene(vm.machine, exact=True), marks=marks, told=told)
