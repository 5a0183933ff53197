"""What a layout line asked for and its kernel refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.doctor.check import Check, Kind
from sparsemem.doctor.checks.nothing import no_steps
from sparsemem.doctor.finding import Remedy
from sparsemem.doctor.intervals import align_down, align_up
from sparsemem.doctor.rules import cure, finding, finding_id, remedies_for
from sparsemem.doctor.verdict import answer_verdict
from sparsemem.ranges import Range
from sparsemem.spec.rules import RULES
from sparsemem.units import format_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.doctor.context import Context
    from sparsemem.doctor.finding import Finding
    from sparsemem.machine.operations import Operation

__all__ = ["Steps"]


class Steps(Check):
    """The operations of a layout line that its kernel refused."""

    id = "steps"
    question = "Which operations of the layout line did this kernel refuse?"
    about = "the operations of the layout line"
    finds = tuple(Kind(finding_id(rule), ("error",), rule) for rule in RULES if RULES[rule].errnos)

    def nothing(self, ctx: Context) -> str | None:
        return no_steps(ctx)

    def run(self, ctx: Context) -> Iterator[Finding]:
        old = not ctx.kernel.features.subsection_hotplug
        mapped: list[Range] = []
        for text, answer in ctx.answers:
            if answer.refusal is None and answer.operation.name in ("memremap_pages", "memunmap_pages"):
                mapped = [r for r in mapped if r not in answer.operation.ranges]
                mapped += answer.operation.ranges if answer.operation.name == "memremap_pages" else ()
            verdict = answer_verdict(answer)
            if verdict.rule is None:
                continue
            topic = finding_id(verdict.rule)
            ranges = answer.operation.ranges
            if not ranges and answer.operation.block is not None:
                at = answer.operation.block * ctx.block_size
                ranges = (Range(at, at + ctx.block_size),)
            yield finding(
                topic, "error", f"Refused: {text}: -{verdict.errno} from {verdict.function}().", verdict.rule, ranges=ranges,
                errno=verdict.errno, kernel_says=verdict.log, capacity=sum(r.size for r in ranges),
                remedies=_whole_blocks(ctx, answer.operation)
                or _stays(ctx, answer.operation, verdict.rule)
                or _once(answer.operation, mapped)
                or remedies_for(topic, old=old),
            )  # fmt: skip


def _once(operation: Operation, mapped: list[Range]) -> tuple[Remedy, ...]:
    """A range that is mapped already, or part of it: no kernel maps it twice."""
    held = next((r for r in mapped if any(r.overlaps(each) for each in operation.ranges)), None)
    if operation.name != "memremap_pages" or held is None:
        return ()
    return (
        Remedy(
            "It is mapped already, and no kernel maps it twice: a driver has to let go of it first, or keep what it has.",
            ("memunmap_pages", f"{held.start:#x}-{held.end - 1:#x}"),
        ),
    )


def _offline_first(ctx: Context, r: Range) -> tuple[tuple[str, ...], ...]:
    """The commands that take the blocks of a range offline."""
    block = ctx.block_size
    numbers = range(r.start // block, -(-r.end // block))
    return tuple(
        ("offline", f"memory{nr}")
        for nr in numbers
        if nr in ctx.state.blocks and ctx.state.blocks[nr].state == "online"
    )


def _stays(ctx: Context, operation: Operation, rule: str) -> tuple[Remedy, ...]:
    """Memory that can not go offline, or can not be removed as it is."""
    early = _early(ctx, operation)
    if rule == "block-online" and operation.ranges and not early:
        words = (operation.name, f"{operation.ranges[0].start:#x}-{operation.ranges[0].end - 1:#x}")
        why = "Take its memory blocks offline first."
        return (Remedy(why, words, steps=(*_offline_first(ctx, operation.ranges[0]), words)),)
    if rule == "boot-memory-offline" or (rule == "block-online" and early and ctx.state.misc.get("boot_memory_stays")):
        return (
            Remedy(
                "What was there at boot never goes on arm64. Boot with less RAM, and plug the rest: what was plugged can go offline again."
            ),
        )
    if rule in ("memory-holes", "multizone-block"):
        return (
            Remedy(
                "This block never goes offline. Take one that is RAM from end to end, in one zone.",
                ("lsmem", "-o", "+ZONES"),
            ),
        )
    if rule in ("isolation-failure", "unmovable-page"):
        return (
            Remedy(
                "The kernel keeps pages of its own there. Take a block of ZONE_MOVABLE; next time, online hot-plugged memory as movable.",
                ("lsmem", "-o", "+ZONES"),
            ),
        )
    return ()


def _early(ctx: Context, operation: Operation) -> bool:
    """Is it about memory of boot?"""
    block = ctx.block_size
    numbers = {r.start // block for r in operation.ranges} | (
        {operation.block} if operation.block is not None else set()
    )
    return any(nr in ctx.state.blocks and ctx.state.blocks[nr].early for nr in numbers)


def _whole_blocks(ctx: Context, operation: Operation) -> tuple[Remedy, ...]:
    """Hot-added or hot-removed RAM that is no whole memory blocks: the blocks that hold it."""
    block = ctx.block_size
    if operation.name not in ("add_memory", "remove_memory", "acpi_memory_device_add") or not operation.ranges:
        return ()
    r = operation.ranges[0]
    whole = Range(align_down(r.start, block), align_up(r.end, block))
    if whole == r:
        return ()
    if operation.name != "remove_memory":
        moved = align_up(r.start, block)
        whole = Range(moved, moved + align_up(r.size, block))
        why = f"Add whole memory blocks: start and size are multiples of {format_size(block)}."
        return (cure(why, operation.name, f"{whole.start:#x}-{whole.end - 1:#x}"),)
    words = (operation.name, f"{whole.start:#x}-{whole.end - 1:#x}")
    why = f"Remove whole memory blocks, of {format_size(block)}, and take them offline first."
    return (Remedy(why, words, steps=(*_offline_first(ctx, whole), words)),)
