"""A plan for a reader: commands, namespaces, balance, picture, and what can not be had. No line is wider than asked for (40 at least)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.planner.intent import size_word
from sparsemem.planner.lines import Page, sizes
from sparsemem.planner.prove import block_words, shell_text
from sparsemem.planner.tables import add_tables, shows_balance
from sparsemem.ranges import format_range
from sparsemem.spec.rules import RULES
from sparsemem.units import format_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.planner.cxl.stage import PlannedRegion
    from sparsemem.planner.plan import Impossible, Plan, PlannedBlocks, PlannedNamespace

__all__ = ["blocks_words", "headline", "namespace_words", "region_words", "render_text"]

_MOST = 24


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


def _namespace(page: Page, each: PlannedNamespace) -> None:
    device = f", /dev/{each.device}" if each.device is not None else ""
    page.add(f"{each.dev} in {each.region}: {namespace_words(each)}{device}", "  ", "    ", "36")
    page.add(f"raw {sizes(each.raw)}, usable {sizes(each.usable)}", "      ")
    page.add(f"{format_range(each.range)}, {each.subsections} sub-sections mapped", "      ")
    if each.blocks is not None:
        first, last = each.blocks
        many = f", {last - first} blocks" if last - first > 1 else ""
        page.add(f"{block_words(each.blocks)}{many}, on node {each.numa_node}", "      ")


def blocks_words(each: PlannedBlocks) -> str:
    """``memory32 to memory39 of dax0.0 on node 1: online in Movable``."""
    how = f"online in {each.zone}" if each.action == "online" else f"offline, out of {each.zone}"
    of = f" of {', '.join(each.devices)}" if each.devices else ""
    return f"{block_words(each.blocks)}{of} on node {each.numa_node}: {how}"


def _blocks(page: Page, each: PlannedBlocks) -> None:
    first, last = each.blocks
    many = f", {last - first} blocks" if last - first > 1 else ""
    page.add(blocks_words(each), "  ", "    ", "36")
    page.add(f"{format_range(each.range)}, {sizes(each.range.size)}{many}", "      ")


def region_words(each: PlannedRegion) -> str:
    """``on mem0 mem1, in the window of decoder0.0, 2 ways of 256 bytes``."""
    many = f", {each.ways} ways of {each.granularity} bytes" if each.ways > 1 else ""
    return f"on {' '.join(each.memdevs)}, in the window of {each.decoder}{many}"


def _cxl_region(page: Page, each: PlannedRegion) -> None:
    page.add(f"{each.region} {region_words(each)}", "  ", "    ", "36")
    page.add(f"{format_range(each.range)}, {sizes(each.range.size)}", "      ")
    if each.found:
        page.add(f"comes with {', '.join(each.found)}", "      ")


def _impossible(page: Page, each: Impossible) -> None:
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
    if not shows_balance(plan):
        return f"Plan for Linux {plan.kernel}: {_amounts(plan)}, played on the model."
    count = len(plan.namespaces)
    made = f"{len(plan.regions)} CXL region{'' if len(plan.regions) == 1 else 's'}, " if plan.regions else ""
    shared = sum(each.count for each in plan.intent.items if each.amount.kind == "rest") > 1
    best = (
        "no equal parts are larger, and no arrangement of them strands less"
        if shared
        else "no arrangement strands less"
    )
    how = best if plan.optimal else "found by a quick search: another one may strand less"
    return (
        f"Plan for Linux {plan.kernel} with ndctl {tool}: {made}{count} namespace{'' if count == 1 else 's'}, played on the model. "
        f"{format_size(plan.stranded)} are stranded; {how}." + (f" {_amounts(plan)}." if plan.memory else "")
    )


def render_text(
    plan: Plan, width: int = 80, colour: bool = False, *, picture: bool = True, unicode: bool = True
) -> str:
    """The whole plan as text; ends in a newline."""
    page = Page(width, colour=colour)
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
    for region in plan.regions:
        _cxl_region(page, region)
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
    add_tables(page, plan)
    for note in plan.notes:
        page.add(f"note: {note}", "", "  ")
    if picture and plan.commands:
        page.blank()
        page.lines += _picture(plan, page.width, colour=colour, unicode=unicode)
    while page.lines and not page.lines[-1]:
        page.lines.pop()
    return "\n".join(page.lines) + "\n"
