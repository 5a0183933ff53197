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
from sparsemem.kernel.dax.types import DevDax
from sparsemem.kernel.nvdimm.types import NdNamespace
from sparsemem.planner.prove import block_words, shell_text
from sparsemem.planner.tables import PARTS, STRANDED
from sparsemem.planner.text import headline, namespace_words
from sparsemem.planner.vm_text import vm_headline
from sparsemem.ranges import Range, format_range
from sparsemem.spec.rules import RULES
from sparsemem.units import format_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.draw import Comparison, Scene
    from sparsemem.machine.machine import Machine
    from sparsemem.planner.plan import Balance, Impossible, Plan, PlannedNamespace
    from sparsemem.planner.vm import VmPlan

__all__ = ["paint_plan", "paint_plan_svg", "paint_vm", "plan_marks"]

_BEFORE, _AFTER = 0, 1


def _scene(machine: Machine, *, exact: bool) -> Scene:
    return build_scene(machine.state, machine.faults(), exact=exact)


def _picture(plan: Plan, *, exact: bool) -> Scene | Comparison:
    """Before beside after; before alone where nothing is done."""
    before = _scene(plan.before, exact=exact)
    return compare(before, _scene(plan.after, exact=exact)) if plan.commands else before


# -- marks


def _extent(machine: Machine, name: str) -> tuple[tuple[Range, ...], str]:
    """Where a namespace or dax device is on a machine, and its size in words; nothing where the machine does not have it."""
    nd, dax = machine.state.nd.get(name), machine.state.dax.get(name)
    ranges: tuple[Range, ...] = ()
    if isinstance(nd, NdNamespace) and nd.size:
        ranges = (Range(nd.start, nd.end + 1),)
    elif isinstance(dax, DevDax):
        ranges = tuple(Range(each.start, each.end + 1) for each in dax.ranges)
    return ranges, format_size(sum(each.size for each in ranges)) if ranges else ""


def _made(each: PlannedNamespace, commands: tuple[str, ...]) -> Mark:
    facts = [("region", each.region), ("raw size", _bytes(each.raw)), ("usable size", _bytes(each.usable))]
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


def plan_marks(plan: Plan) -> tuple[Mark, ...]:
    """What is destroyed, marked where it was, then what is made, marked where it is."""
    makers: dict[str, list[str]] = {}
    destroyers: dict[str, list[str]] = {}
    for command in plan.commands:
        said = shell_text(command.argv)
        for name in dict.fromkeys(each.dev for each in command.expect if each.shows is not None):
            makers.setdefault(name, []).append(said)
        for name in command.destroys:
            destroyers.setdefault(name, []).append(said)
    marks = []
    for name, commands in destroyers.items():
        ranges, size = _extent(plan.before, name)
        what = f"what is on it is lost{f': {size}' if size else ''}"
        marks.append(Mark(name, "destroyed", what, ranges, tuple(("$", each) for each in commands), _BEFORE))
    for each in plan.namespaces:
        names = dict.fromkeys((each.dev, each.device or each.dev))
        commands = [said for name in names for said in makers.get(name, ())]
        marks.append(_made(each, tuple(dict.fromkeys(commands))))
    return tuple(marks)


# -- what is told


def _bytes(size: int) -> str:
    words = format_size(size)
    return words if words.endswith("bytes") else f"{words} ({size:,} bytes)"


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


def _namespaces(plan: Plan) -> Section:
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
    return Section("What is made", (Table(head, rows, frozenset(range(4, 9))),))


def _balance(balances: tuple[Balance, ...]) -> Section:
    """Regions beside each other, in bytes; parts that are zero everywhere are left out."""
    rows = [
        (words + (" (stranded)" if part in STRANDED else ""), *(f"{each.parts[part]:,}" for each in balances))
        for part, words in PARTS.items()
        if any(each.parts[part] for each in balances)
    ]
    rows.append(("together", *(f"{each.size:,}" for each in balances)))
    head = ("bytes", *(each.region for each in balances))
    return Section("Where every byte goes", (Table(head, tuple(rows), frozenset(range(1, len(head)))),))


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
    below = [_namespaces(plan)] if plan.namespaces else []
    if plan.balance:
        below.append(_balance(plan.balance))
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
