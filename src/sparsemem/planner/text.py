"""A plan for a reader: commands, namespaces, balance, picture, and what can not be had. No line is wider than asked for (40 at least)."""

from __future__ import annotations

import shlex
import textwrap
from typing import TYPE_CHECKING

from sparsemem.planner.intent import size_word
from sparsemem.planner.prove import block_words, shell_text
from sparsemem.ranges import format_range
from sparsemem.spec.rules import RULES
from sparsemem.units import format_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.planner.plan import Balance, Impossible, Plan, PlannedBlocks, PlannedNamespace
    from sparsemem.planner.vm import VmPlan

__all__ = ["PARTS", "STRANDED", "headline", "namespace_words", "render_text", "render_vm", "vm_headline"]

_MOST = 24
PARTS = {
    "data": "data that users see", "rounding": "more than was asked for", "info_block": "info blocks", "memmap": "struct pages (map=dev)",
    "btt": "sector tables", "padding": "padding", "outside_blocks": "outside memory blocks", "idle": "without a driver",
    "unusable": "free, not usable", "free": "free",
}  # fmt: skip
"""The parts of a balance in words."""
STRANDED = ("rounding", "padding", "outside_blocks", "unusable")
"""Those of them that serve nobody."""


class _Page:
    def __init__(self, width: int, *, colour: bool) -> None:
        self.width = max(width, 40)
        self.colour = colour
        self.lines: list[str] = []

    def add(self, text: str, indent: str = "", hang: str | None = None, code: str = "") -> None:
        """A paragraph, folded at blanks; a word that is too long is cut."""
        hang = indent if hang is None else hang
        folded = textwrap.wrap(
            text, self.width, initial_indent=indent, subsequent_indent=hang, break_on_hyphens=False
        ) or [""]
        self.lines += [f"\x1b[{code}m{line}\x1b[0m" if code and self.colour else line for line in folded]

    def command(self, text: str, indent: str) -> None:
        """A command that can be copied: folded with backslashes."""
        rows, row = [], indent
        for word in text.split(" "):
            if len(row) + len(word) + 3 > self.width and row.strip():
                rows.append(row.rstrip() + " \\")
                row = indent + "  "
            row += word + " "
        rows.append(row.rstrip())
        self.lines += [f"\x1b[1m{line}\x1b[0m" if self.colour else line for line in rows]

    def blank(self) -> None:
        if self.lines and self.lines[-1]:
            self.lines.append("")


def _sizes(size: int) -> str:
    words = format_size(size)
    return words if words.endswith("bytes") else f"{words} ({size})"


def namespace_words(each: PlannedNamespace) -> str:
    """``fsdax map=dev align=2M name=db``."""
    words = [each.mode]
    if each.map is not None:
        words.append(f"map={each.map}")
    if each.align is not None:
        words.append(f"align={size_word(each.align)}")
    if each.sector_size is not None:
        words.append(f"sector={each.sector_size}")
    if each.name is not None:
        words.append(f"name={each.name}")
    return " ".join(words)


def _namespace(page: _Page, each: PlannedNamespace) -> None:
    device = f", /dev/{each.device}" if each.device is not None else ""
    page.add(f"{each.dev} in {each.region}: {namespace_words(each)}{device}", "  ", "    ", "36")
    page.add(f"raw {_sizes(each.raw)}, usable {_sizes(each.usable)}", "      ")
    page.add(f"{format_range(each.range)}, {each.subsections} sub-sections mapped", "      ")
    if each.blocks is not None:
        first, last = each.blocks
        many = f", {last - first} blocks" if last - first > 1 else ""
        page.add(f"{block_words(each.blocks)}{many}, on node {each.numa_node}", "      ")


def _blocks(page: _Page, each: PlannedBlocks) -> None:
    first, last = each.blocks
    many = f", {last - first} blocks" if last - first > 1 else ""
    how = f"online in {each.zone}" if each.action == "online" else f"offline, out of {each.zone}"
    of = f" of {', '.join(each.devices)}" if each.devices else ""
    page.add(f"{block_words(each.blocks)}{of} on node {each.numa_node}: {how}", "  ", "    ", "36")
    page.add(f"{format_range(each.range)}, {_sizes(each.range.size)}{many}", "      ")


def _memory_table(page: _Page, plan: Plan) -> None:
    """Bytes of each node's memory blocks, before and after; in units where there is no room for bytes."""
    size: int = plan.before.state.misc["memory_block_size_bytes"]
    after = {each.numa_node: each for each in plan.memory_after}
    for before in plan.memory_before:
        parts = (("kernel", "kernel zones"), ("movable", "movable"), ("offline", "offline"))
        rows = [(words, [getattr(each, part) for each in (before, after[before.numa_node])]) for part, words in parts]
        rows = [row for row in rows if any(row[1])]
        rows.append(("together", [sum(row[1][at] for row in rows) for at in (0, 1)]))
        head = f"bytes of node {before.numa_node}"
        cells = [(words, [f"{value:,}" for value in values]) for words, values in rows]
        wide = max(len(each) for _, values in cells for each in values) + 2
        if 2 + len(head) + 2 * wide > page.width:
            cells = [(words, [format_size(value) for value in values]) for words, values in rows]
            wide, head = 12, f"{head.removeprefix('bytes of '):<12}"
        page.lines.append(f"  {head}{'before':>{wide}}{'after':>{wide}}")
        page.lines += [f"  {words:<{len(head)}}{one:>{wide}}{two:>{wide}}" for words, (one, two) in cells]
        page.add(f"in memory blocks of {format_size(size)}", "  ")
        page.blank()


def _table(page: _Page, balances: tuple[Balance, ...]) -> None:
    """Regions side by side as long as there is room; parts that are zero everywhere are left out."""
    label = max(map(len, PARTS.values())) + 3
    form = ","
    column = max(max((len(f"{each.size:,}") for each in balances), default=0), 8) + 2
    if label + column > page.width:
        form, column = "", max(max(len(str(each.size)) for each in balances), 8) + 1
    per = max((page.width - label) // column, 1)
    for at in range(0, len(balances), per):
        group = balances[at : at + per]
        page.lines.append(f"  {'bytes':<{label - 2}}" + "".join(f"{each.region:>{column}}" for each in group))
        for part, words in PARTS.items():
            values = [each.parts[part] for each in group]
            if any(values):
                mark = "! " if part in STRANDED else "  "
                page.lines.append(
                    f"{mark}{words:<{label - 2}}" + "".join(f"{value:>{column}{form}}" for value in values)
                )
        page.lines.append(f"  {'together':<{label - 2}}" + "".join(f"{each.size:>{column}{form}}" for each in group))
        page.blank()


def _impossible(page: _Page, each: Impossible) -> None:
    page.add(f"can not be had: {each.what}", "", "  ", "31")
    page.add(f"why: {each.why}", "  ", "    ")
    rule = RULES.get(each.rule or "")
    if rule is not None:
        page.add(f"rule: {rule.title} (sparsemem explain {each.rule})", "  ", "    ")
    if each.says:
        page.add("who tries it all the same is told:", "  ")
        for line in each.says:
            page.add(line, "    ", "      ", "2")
    if each.nearest:
        page.add("nearest that can be had:", "  ")
        for text in each.nearest:
            page.add(text, "    ", "      ", "32")
    elif each.item is not None:
        page.add("no intent near it was found that can be had", "  ")
    page.blank()


def _picture(plan: Plan, width: int, *, colour: bool, unicode: bool) -> Iterator[str]:
    from sparsemem.draw import build_scene, compare, paint_text

    before = build_scene(plan.before.state, plan.before.faults())
    after = build_scene(plan.after.state, plan.after.faults())
    yield from paint_text(compare(before, after), width, color=colour, unicode=unicode, limit=_MOST).splitlines()


def _amounts(plan: Plan) -> str:
    """``1 GiB of memory go online`` and the like; memory that goes and comes is counted each time."""
    words: list[str] = []
    for action in ("online", "offline"):
        size = sum(each.range.size for each in plan.memory if each.action == action)
        if size:
            words.append(f"{format_size(size)} {action}" if words else f"{format_size(size)} of memory go {action}")
    return " and ".join(words) or "no memory block changes"


def headline(plan: Plan) -> str:
    """What came of the intent, in a sentence or two."""
    tool = ".".join(map(str, plan.ndctl))
    if plan.impossible:
        return f"no plan for Linux {plan.kernel} with ndctl {tool}"
    if not plan.intent.items and not plan.intent.replace:
        return f"Plan for Linux {plan.kernel}: {_amounts(plan)}, played on the model."
    count = len(plan.namespaces)
    shared = sum(each.count for each in plan.intent.items if each.amount.kind == "rest") > 1
    best = (
        "no equal parts are larger, and no arrangement of them strands less"
        if shared
        else "no arrangement strands less"
    )
    how = best if plan.optimal else "found by a quick search: another one may strand less"
    return (
        f"Plan for Linux {plan.kernel} with ndctl {tool}: {count} namespace{'' if count == 1 else 's'}, played on the model. "
        f"{format_size(plan.stranded)} are stranded; {how}." + (f" {_amounts(plan)}." if plan.memory else "")
    )


def render_text(
    plan: Plan, width: int = 80, colour: bool = False, *, picture: bool = True, unicode: bool = True
) -> str:
    """The whole plan as text; ends in a newline."""
    page = _Page(width, colour=colour)
    page.add(headline(plan), "", "  ", "1")
    page.add(f"intent: {plan.intent}", "", "  ")
    page.blank()
    for wrong in plan.impossible:
        _impossible(page, wrong)
    for number, command in enumerate(plan.commands[:_MOST], 1):
        page.add(f"{number}. {command.why}", "", "   ")
        page.command(shell_text(command.argv), "     ")
        if command.destroys:
            page.add(f"destroys what is on {', '.join(command.destroys)}", "     ", "       ", "31")
    if len(plan.commands) > _MOST:
        page.add(f"... and {len(plan.commands) - _MOST} more commands (--script has all)")
    page.blank()
    for each in plan.namespaces[:_MOST]:
        _namespace(page, each)
    if len(plan.namespaces) > _MOST:
        page.add(f"... and {len(plan.namespaces) - _MOST} more (--json has all)", "  ")
    page.blank()
    for blocks in plan.memory[:_MOST]:
        _blocks(page, blocks)
    if len(plan.memory) > _MOST:
        page.add(f"... and {len(plan.memory) - _MOST} more (--json has all)", "  ")
    page.blank()
    _memory_table(page, plan)
    if plan.balance and (plan.intent.items or plan.intent.replace):
        _table(page, plan.balance)
    for note in plan.notes:
        page.add(f"note: {note}", "", "  ")
    if picture and plan.commands:
        page.blank()
        page.lines += _picture(plan, page.width, colour=colour, unicode=unicode)
    while page.lines and not page.lines[-1]:
        page.lines.pop()
    return "\n".join(page.lines) + "\n"


def vm_headline(vm: VmPlan) -> str:
    """What came of the specification, in a sentence or two."""
    if vm.impossible is not None:
        return f"no such guest of Linux {vm.kernel}: {vm.impossible}"
    return (
        f"A guest of Linux {vm.kernel} has memory blocks of {format_size(vm.block_size)}. Booted on the model: no section and no memory "
        "block is shared, and every device is taken in."
    )


def render_vm(vm: VmPlan, width: int = 80, colour: bool = False) -> str:
    """The QEMU arguments, where each device is, and what goes wrong without addresses; ends in a newline."""
    page = _Page(width, colour=colour)
    if vm.impossible is not None:
        page.add(vm_headline(vm), "", "  ", "31")
        if vm.nearest:
            page.add("nearest that can be had:", "  ")
            for text in vm.nearest:
                page.add(f'--vm "{text}"', "    ", "      ", "32")
        return "\n".join(page.lines) + "\n"
    page.add(vm_headline(vm), "", "  ", "1")
    page.blank()
    pairs = [
        f"{shlex.quote(option)} {shlex.quote(value)}" for option, value in zip(vm.qemu[::2], vm.qemu[1::2], strict=True)
    ]
    page.lines += [
        f"  {'    ' if number else 'qemu-system-x86_64 '}{pair}{' ' + chr(92) if number + 1 < len(pairs) else ''}"
        for number, pair in enumerate(pairs)
    ]
    page.blank()
    for device in vm.devices:
        page.add(
            f"{device.name}: {device.kind} {format_size(device.range.size)} at {format_range(device.range)}",
            "  ",
            "    ",
        )
    if vm.scarce:
        page.blank()
        for words in vm.scarce:
            page.add(words, "! ", "    ")
    if vm.devices:
        page.blank()
        if vm.lost:
            page.add("without addr=, where QEMU puts them:", "")
            for words in vm.lost:
                page.add(words, "! ", "    ")
        else:
            page.add(
                "QEMU's own addresses would do for these sizes; addr= keeps it so when something is added in front."
            )
    return "\n".join(page.lines) + "\n"
