"""``doctor --dmesg FILE``: the lines of a boot log, explained in place and tied to the ranges and devices of a machine.

``explain_log(text, name, description)`` reads a log for the machine that is given, or for the one that the log itself describes (its
memory map), and says which findings it confirms, which it contradicts, and which the kernel was silent about.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sparsemem.doctor.context import make_context
from sparsemem.doctor.dmesg.owners import Owner, Owners
from sparsemem.doctor.dmesg.scan import Event, Log, scan
from sparsemem.doctor.dmesg.text import log_to_json, render_log
from sparsemem.doctor.dmesg.tie import Contradiction, Tied, Ties, tie
from sparsemem.doctor.engine import diagnose_machine, examine
from sparsemem.errors import UsageError
from sparsemem.explain.numbers import Frame
from sparsemem.machine.description import Note
from sparsemem.readers.bootlog import parse_boot_log
from sparsemem.readers.combine import describe
from sparsemem.readers.facts import Facts
from sparsemem.spec import kernel as kernel_for

if TYPE_CHECKING:
    from sparsemem.doctor.context import Context
    from sparsemem.doctor.finding import Diagnosis
    from sparsemem.machine.description import MachineDescription
    from sparsemem.machine.machine import Machine
    from sparsemem.readers.bootlog import BootLog

__all__ = [
    "Contradiction",
    "Event",
    "ExplainedLog",
    "Log",
    "Owner",
    "Tied",
    "Ties",
    "explain_log",
    "explain_log_of_machine",
    "log_to_json",
    "render_log",
]


@dataclass(frozen=True, slots=True)
class ExplainedLog:
    """A log with what is known of its lines. ``diagnosis`` None: there was no machine to tie them to; ``own_machine``: the machine is the
    one that the log describes. ``frame``: the sizes that were measured with; ``ctx``: the machine on the model."""

    name: str
    log: Log
    ties: Ties
    frame: Frame
    owners: Owners | None
    diagnosis: Diagnosis | None
    own_machine: bool
    notes: tuple[Note, ...]
    ctx: Context | None = field(default=None, repr=False, compare=False)

    @property
    def exit_code(self) -> int:
        """As ``doctor``: 10 or 11 by the worst finding of the machine; 11 where the log contradicts it, or tells of a failure that no
        finding explains; else 0."""
        code = self.diagnosis.exit_code if self.diagnosis is not None else 0
        return code or (11 if self.ties.contradicted or self.ties.alone else 0)


def _of_log(boot: BootLog, name: str) -> MachineDescription | None:
    if not boot.regions:
        return None
    facts = Facts()
    facts.log = boot
    facts.notes.extend(boot.notes)
    return describe(facts, name)


def _disagreements(boot: BootLog, ctx: Context) -> list[Contradiction]:
    """Is the log of this machine at all?"""
    found: list[Contradiction] = []
    description = ctx.description
    if description is not None and boot.release and description.kernel_release not in (None, boot.release):
        found.append(
            Contradiction(f"the log is of kernel {boot.release}, the machine runs {description.kernel_release}")
        )
    usable = [region.range for region in boot.regions if region.kind == "usable"]
    if usable and ctx.ram.ranges and boot.kind_of_map != "nodes":
        ends = max(r.end for r in usable), ctx.ram.ranges[-1].end
        # the kernel cuts RAM to whole pages
        if abs(ends[0] - ends[1]) >= ctx.kernel.page_size:
            found.append(
                Contradiction(
                    f"RAM ends at {ends[0]:#x} in the log, at {ends[1]:#x} on the machine: the log is of another one"
                )
            )
    if boot.block_size and ctx.block_size_sure and boot.block_size != ctx.block_size:
        found.append(
            Contradiction(
                f"memory blocks are {boot.block_size:#x} bytes in the log, {ctx.block_size:#x} on the machine"
            )
        )
    return found


def _explain(
    log: Log,
    boot: BootLog,
    name: str,
    ctx: Context,
    diagnosis: Diagnosis,
    notes: tuple[Note, ...],
    *,
    own_machine: bool,
) -> ExplainedLog:
    frame = Frame.of(ctx.kernel, ctx.block_size if ctx.block_size_sure else boot.block_size)
    owners = Owners(ctx)
    ties = tie(log, ctx, diagnosis.findings, frame, owners)
    if not own_machine:
        more = (*_disagreements(boot, ctx), *ties.contradicted)
        ties = Ties(ties.tied, ties.confirmed, more, ties.silent)
    return ExplainedLog(name, log, ties, frame, owners, diagnosis, own_machine, notes, ctx)


def _without_machine(log: Log, boot: BootLog, name: str, notes: tuple[Note, ...]) -> ExplainedLog:
    k = None
    if boot.release is not None:
        try:
            k = kernel_for(boot.release, boot.arch or "x86_64")
        except UsageError:  # a release that is not understood: the usual sizes
            k = None
    frame = Frame.of(k, boot.block_size)
    ties = Ties(tuple(Tied(event, None, ()) for event in log.events), (), (), ())
    return ExplainedLog(name, log, ties, frame, None, None, False, notes)


def _told_by(boot: BootLog, machine: MachineDescription) -> MachineDescription:
    """The machine with what only its boot log tells: the kernel, and what that was built for and given."""
    return replace(
        machine,
        kernel_release=machine.kernel_release or boot.release,
        arch=machine.arch or boot.arch,
        cmdline=machine.cmdline if machine.cmdline is not None else boot.cmdline,
        hypervisor=machine.hypervisor if machine.hypervisor is not None else boot.hypervisor,
    )


def explain_log(
    text: str, name: str, description: MachineDescription | None = None, version: str | None = None
) -> ExplainedLog:
    """Explain a log for that machine, or for the one of which it tells the memory map. ``version``: judge for another kernel.

    Raises UsageError for an unknown version, InputError where the machine does not tell where memory is; never for the log.
    """
    log = scan(text)
    boot = parse_boot_log(text, name)
    own = description is None
    machine = _told_by(boot, description) if description is not None else _of_log(boot, name)
    notes: tuple[Note, ...] = () if own and machine is not None else boot.notes
    if log.boots > 1:
        what = f"holds {log.boots} boots; the last is explained, from line {log.start + 1} on"
        notes = (*(note for note in notes if "boots; the last" not in note.what), Note(name, "", what))
    if machine is None:
        alone = Note(name, "", "it tells no memory map: its lines are tied to no machine (give MACHINE or --sysroot)")
        return _without_machine(log, boot, name, (*notes, alone))
    ctx, diagnosis = examine(machine, version)
    kept = tuple(note for note in diagnosis.notes if "boots; the last" not in note.what)
    return _explain(log, boot, name, ctx, diagnosis, (*notes, *kept), own_machine=own)


def explain_log_of_machine(text: str, name: str, machine: Machine) -> ExplainedLog:
    """The same for a machine of the model (a layout line)."""
    log, boot = scan(text), parse_boot_log(text, name)
    ctx = make_context(machine, None, True, ())
    return _explain(log, boot, name, ctx, diagnose_machine(machine), boot.notes, own_machine=False)
