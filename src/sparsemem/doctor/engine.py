"""The doctor: every check over one machine."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sparsemem.doctor import access, blocks, capacity, kmem, mappings, sections
from sparsemem.doctor.context import Check, Context, make_context
from sparsemem.doctor.finding import CheckRun, Diagnosis, Finding, Summary
from sparsemem.doctor.intervals import Intervals, merge
from sparsemem.machine.build import build
from sparsemem.machine.machine import Machine
from sparsemem.ranges import Range

if TYPE_CHECKING:
    from sparsemem.machine.description import MachineDescription, Note
    from sparsemem.machine.machine import Answer

__all__ = ["CHECKS", "diagnose", "diagnose_machine"]

_FEW = 8
"""So many findings of one kind are told one by one."""


def _always(_: Context) -> str | None:
    return None


def _iomem(ctx: Context) -> str | None:
    """Where device memory lies is known from iomem, sysfs or a listing; without any of them there is no telling."""
    d = ctx.description
    if d is None or d.iomem is not None or ctx.devices or any(e.kind.startswith("persistent") for e in d.boot_map):
        return None
    if d.boot_map:
        return None
    return "no addresses of devices are known (no /proc/iomem, or without root)"


def _described(ctx: Context) -> str | None:
    return "a layout line tells nothing of it" if ctx.description is None else None


def _regions(ctx: Context) -> str | None:
    if ctx.description is None:
        return "a layout line tells nothing of namespaces"
    missing = [fact.dev for fact in ctx.description.namespaces if fact.range is None]
    if missing and all(fact.range is None for fact in ctx.description.namespaces):
        return f"the addresses of {', '.join(missing[:4])} are not known"
    return None


def _block_size(ctx: Context) -> str | None:
    if ctx.block_size_sure:
        return None
    return "cannot tell the memory block size: with 64 GiB or more it depends on whether this is a virtual machine, which is not known"


def _dax(ctx: Context) -> str | None:
    return "a layout line tells nothing of dax devices" if ctx.description is None else _block_size(ctx)


def _has_devices(ctx: Context) -> str | None:
    return None if ctx.devices else "there is no device memory"


def _has_regions(ctx: Context) -> str | None:
    return None if ctx.description is not None and ctx.description.namespaces else "there are no namespaces"


def _has_dax(ctx: Context) -> str | None:
    return None if ctx.description is not None and ctx.description.dax else "there are no dax devices"


def _has_windows(ctx: Context) -> str | None:
    windows = any((res.name or "").startswith("CXL Window") for res in ctx.state.iomem.children)
    return None if windows else "there are no CXL windows"


def _has_ram(ctx: Context) -> str | None:
    if not ctx.ram.ranges:
        return "no RAM is described"
    bare = ctx.description is not None and ctx.description.hypervisor is False
    return "this is no virtual machine" if bare else None


def _has_steps(ctx: Context) -> str | None:
    return None if ctx.description is None and ctx.answers else "there are no steps"


CHECKS: tuple[Check, ...] = (
    Check("access", "whether addresses could be read", _always, _always, access.zero_iomem),
    Check("invariants", "sections, memmaps, zones and blocks", _always, _always, sections.faults),
    Check("steps", "the operations of the layout line", _always, _has_steps, mappings.steps),
    Check("mappings", "device memory that this kernel refuses", _iomem, _has_devices, mappings.mappings),
    Check("neighbours", "devices that share a section", _iomem, _has_devices, mappings.neighbours),
    Check("beside-ram", "device memory beside RAM", _iomem, _has_devices, sections.beside_ram),
    Check("teardown", "page arrays that neighbours share", _iomem, _has_devices, sections.shared_teardown),
    Check("blocks", "memory blocks that hold device memory", _iomem, _has_devices, blocks.partly_ram),
    Check("hotplug-room", "room for hot-plugged RAM", _block_size, _has_ram, blocks.hotplug_room),
    Check("movable", "RAM from devices in kernel zones", _described, _has_dax, blocks.will_not_come_back),
    Check("kmem", "device memory as RAM", _dax, _has_dax, kmem.kmem),
    Check("cxl-windows", "CXL windows and memory blocks", _block_size, _has_windows, kmem.cxl_windows),
    Check("free-space", "free space that can not be given out", _regions, _has_regions, capacity.free_space),
    Check("cut-namespaces", "namespaces that an old kernel cut", _regions, _has_regions, capacity.cut_namespaces),
    Check("page-arrays", "page arrays in RAM in spite of map=dev", _regions, _has_regions, capacity.page_arrays),
)


def _summary(ctx: Context, findings: list[Finding]) -> Summary:
    shift = ctx.kernel.geometry.PAGE_SHIFT
    live = Intervals(Range(start << shift, end << shift) for p in ctx.state.pgmaps.values() for start, end in p.mapped)
    added = sum(not block.early for block in ctx.state.blocks.values()) * ctx.block_size
    whole = [d.range for d in ctx.devices]
    if ctx.description is not None:
        whole += [region.range for region in ctx.description.regions if region.range is not None]
    lost = Intervals(r for each in findings if each.lost for r in each.ranges)
    return Summary(
        ram=ctx.ram.size,
        device=Intervals(whole).size,
        mapped=live.size,
        hotplugged=added,
        stranded=lost.size,
        block_size=ctx.block_size,
        section_size=ctx.section,
        blocks=len(ctx.state.blocks),
        stuck_blocks=blocks.stuck_blocks(ctx),
    )


def _fold(findings: list[Finding]) -> list[Finding]:
    """More than a few findings of one kind become one that holds all their ranges and devices."""
    groups: dict[tuple[object, ...], list[Finding]] = {}
    for each in findings:
        groups.setdefault((each.id, each.severity, each.rule, each.errno, each.lost), []).append(each)
    folded: list[Finding] = []
    for group in groups.values():
        if len(group) <= _FEW:
            folded += group
            continue
        first = min(group, key=lambda each: each.sort_key)
        folded.append(
            replace(
                first,
                what=f"{len(group)} times, first: {first.what}",
                ranges=merge(r for each in group for r in each.ranges),
                devices=tuple(dict.fromkeys(name for each in group for name in each.devices)),
                capacity=sum(each.capacity or 0 for each in group),
            )
        )
    return sorted(folded, key=lambda each: each.sort_key)


def _examine(ctx: Context, notes: tuple[Note, ...]) -> Diagnosis:
    findings: list[Finding] = []
    runs: list[CheckRun] = []
    for check in CHECKS:
        nothing, missing = check.applies(ctx), check.needs(ctx)
        if missing is not None and (nothing is None or check.needs is _iomem):
            runs.append(CheckRun(check.name, check.about, "skipped", missing))
        elif nothing is not None:
            runs.append(CheckRun(check.name, check.about, "nothing", nothing))
        else:
            found = list(check.run(ctx))
            findings += found
            runs.append(CheckRun(check.name, check.about, "ran"))
    findings = _fold(findings)
    read, missing_inputs = access.inputs(ctx.description) if ctx.description is not None else (("a layout line",), ())
    return Diagnosis(
        source=ctx.source,
        kernel=str(ctx.kernel.version),
        arch=ctx.kernel.arch,
        own_kernel=ctx.own_kernel,
        findings=tuple(findings),
        checks=tuple(runs),
        read=read,
        missing=missing_inputs,
        notes=notes,
        summary=_summary(ctx, findings),
    )


def diagnose(description: MachineDescription, version: str | None = None) -> Diagnosis:
    """Examine a machine, for its own kernel or for ``version``.

    Raises UsageError for an unknown version, InputError when the description does not tell where memory is.
    """
    built = build(description, version)
    own = version is None and description.kernel_release is not None
    ctx = make_context(built.machine, description, own, built.mappings)
    return _examine(ctx, (*description.notes, *built.notes))


def diagnose_machine(machine: Machine) -> Diagnosis:
    """Examine the machine of a layout line as it stands; the steps that its kernel refused are findings."""
    replayed = Machine(machine.kernel, machine.layout)
    answers: list[tuple[str, Answer]] = [(str(op), replayed.apply(op)) for op in machine.history]
    ctx = make_context(replayed, None, True, tuple(answers))
    refused = Intervals(r for _, answer in answers if answer.refusal is not None for r in answer.operation.ranges)
    if refused.ranges:
        kept = tuple(d for d in ctx.devices if d.kind == "mapping" or not refused.touches(d.range))
        ctx = replace(ctx, devices=kept)
    return _examine(ctx, ())
