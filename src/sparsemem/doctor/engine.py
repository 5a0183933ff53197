"""The doctor: every check over one machine."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sparsemem.doctor.anew import for_kernel
from sparsemem.doctor.balance import balances
from sparsemem.doctor.checks import CHECKS
from sparsemem.doctor.checks.access import inputs
from sparsemem.doctor.context import Context, make_context
from sparsemem.doctor.finding import CheckRun, Diagnosis, Finding
from sparsemem.doctor.intervals import Intervals, merge
from sparsemem.doctor.summary import summarize
from sparsemem.machine.build import build
from sparsemem.machine.machine import Machine
from sparsemem.readers.model import has_devices, read_model

if TYPE_CHECKING:
    from sparsemem.doctor.check import Check
    from sparsemem.machine.description import MachineDescription, Note
    from sparsemem.machine.machine import Answer

__all__ = ["CHECKS", "diagnose", "diagnose_machine", "examine"]

_FEW = 8
"""So many findings of one kind are told one by one."""
_TYPED_AS_CALLS = ("store", "claim", "release", "nd_", "dax_region", "bdev", "mount", "path_")
"""Operations that are the tools' work, or firmware's: what was refused of them is not what the line asked for."""


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


def _run(check: Check, ctx: Context) -> tuple[CheckRun, list[Finding]]:
    """One check: skipped for want of input, nothing to check, or ran."""
    nothing = check.nothing(ctx)
    for need in check.needs:
        missing = need.missing(ctx)
        if missing is not None and (nothing is None or need.comes_first):
            return CheckRun(check.id, check.about, "skipped", missing), []
    if nothing is not None:
        return CheckRun(check.id, check.about, "nothing", nothing), []
    found = [
        replace(each, check=check.id, remedies=tuple(for_kernel(remedy, ctx) for remedy in each.remedies))
        for each in check.run(ctx)
    ]
    return CheckRun(check.id, check.about, "ran"), found


def _examine(ctx: Context, notes: tuple[Note, ...]) -> Diagnosis:
    findings: list[Finding] = []
    runs: list[CheckRun] = []
    for check in CHECKS:
        run, found = _run(check, ctx)
        runs.append(run)
        findings += found
    findings = _fold(findings)
    read, missing_inputs = inputs(ctx.description) if ctx.captured and ctx.description else (("a layout line",), ())
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
        summary=summarize(ctx, findings),
        balances=balances(ctx),
    )


def examine(description: MachineDescription, version: str | None = None) -> tuple[Context, Diagnosis]:
    """A machine on the model, for its own kernel or for ``version``, and what the checks say of it.

    Raises UsageError for an unknown version, InputError when the description does not tell where memory is.
    """
    built = build(description, version)
    own = version is None and description.kernel_release is not None
    ctx = make_context(built.machine, description, own, built.mappings, states=built.own)
    return ctx, _examine(ctx, (*description.notes, *built.notes))


def diagnose(description: MachineDescription, version: str | None = None) -> Diagnosis:
    """What the checks say of a machine. Raises as ``examine`` does."""
    return examine(description, version)[1]


def diagnose_machine(machine: Machine) -> Diagnosis:
    """Examine a machine of the model as it stands: that of a layout line, or one on which commands were played.

    The steps of a layout line that its kernel refused are findings. Its regions, namespaces and dax devices, its labels and info blocks
    are read as a captured machine's are.
    """
    asked = [op for op in machine.history if not op.name.startswith(_TYPED_AS_CALLS)]
    answers: list[tuple[str, Answer]] = []
    if asked:
        machine, history = Machine(machine.kernel, machine.layout), machine.history
        replayed = [(op, machine.apply(op)) for op in history]
        answers = [(str(op), answer) for op, answer in replayed if not op.name.startswith(_TYPED_AS_CALLS)]
    description = read_model(machine) if has_devices(machine) else None
    ctx = make_context(machine, description, True, tuple(answers), captured=False)
    refused = Intervals(r for _, answer in answers if answer.refusal is not None for r in answer.operation.ranges)
    if refused.ranges:
        kept = tuple(d for d in ctx.devices if d.kind == "mapping" or not refused.touches(d.range))
        ctx = replace(ctx, devices=kept)
    return _examine(ctx, ())
