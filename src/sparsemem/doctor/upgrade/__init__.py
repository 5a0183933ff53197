"""``doctor --kernel A --upgrade-to B``: what changes on this machine between two kernels, and nothing that stays the same.

``compare_kernels(description, before, after)`` judges the machine on the model for both, in the same way, so that every difference is the
kernels' doing: devices that are mapped or refused, findings that come and go, memory blocks of another size; then the features of
``spec.features`` that differ and touch this machine (``table.EFFECTS``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.doctor.upgrade.cause import Cause, Differences
from sparsemem.doctor.upgrade.change import KINDS, Change, Upgrade, fold
from sparsemem.doctor.upgrade.devices import device_changes
from sparsemem.doctor.upgrade.effects import block_size_change, feature_changes, without_effect
from sparsemem.doctor.upgrade.findings import finding_changes
from sparsemem.doctor.upgrade.sides import Side, observed, own_version, settled, side_of, side_of_machine
from sparsemem.doctor.upgrade.text import render_upgrade, upgrade_to_json
from sparsemem.doctor.upgrade.traits import traits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.machine.description import MachineDescription, Note
    from sparsemem.machine.machine import Machine

__all__ = [
    "KINDS",
    "Cause",
    "Change",
    "Upgrade",
    "compare_kernels",
    "compare_machines_kernels",
    "render_upgrade",
    "upgrade_to_json",
]


def _in_use(old: Side, new: Side, *, evidence: bool) -> Iterator[str]:
    """Devices that work on the old kernel though the model says no: what the new one does can not be told from the model."""
    if not evidence:
        return
    for key, (device, before) in old.verdicts.items():
        after = new.verdicts.get(key)
        live = device.live and device.kind in ("namespace", "dax") and device.mode != "system-ram"
        if live and before.refused and after is not None and after[1].refused:
            yield f"{device.name}: it is in use on {old.name}, where the model says it is refused ({before.rule})"


def _compare(
    old: Side, new: Side, *, evidence: bool, open_questions: tuple[str, ...], notes: tuple[Note, ...]
) -> Upgrade:
    differences = Differences(old.ctx.kernel, new.ctx.kernel)
    unsure = list(open_questions)
    sure = old.ctx.block_size_sure and new.ctx.block_size_sure
    if not sure and not unsure:
        unsure.append(
            "the size of memory blocks: with 64 GiB or more it depends on whether this is a virtual machine, which is not known"
        )
    sure = sure and not open_questions
    changes = list(device_changes(old, new, differences, evidence=evidence, blocks_known=sure))
    changes += finding_changes(old, new, tuple(changes), differences, blocks_known=sure)
    if sure:
        changes += block_size_change(old, new, differences)
    unsure += _in_use(old, new, evidence=evidence)
    told = frozenset(cause.feature for change in changes for cause in change.causes)
    has = traits(old.ctx) | traits(new.ctx)
    changes += feature_changes(old, new, differences, has, told)
    shown = frozenset(cause.feature for change in changes for cause in change.causes)
    summaries = old.diagnosis.summary, new.diagnosis.summary
    return Upgrade(
        source=old.ctx.source,
        before=old.name,
        after=new.name,
        arch=new.ctx.kernel.arch,
        changes=fold(changes),
        without_effect=tuple(without_effect(differences, shown)),
        unsure=tuple(unsure),
        notes=notes,
        mapped=(summaries[0].mapped, summaries[1].mapped),
        stranded=(summaries[0].stranded, summaries[1].stranded),
        block_size=(old.ctx.block_size, new.ctx.block_size),
        contexts=(old.ctx, new.ctx),
    )


def compare_kernels(description: MachineDescription, before: str | None, after: str) -> Upgrade:
    """What changes when this machine boots ``after`` instead of ``before`` (None: the kernel that it runs). Either may be the newer one.

    Raises UsageError for a version that does not exist, or where the machine does not tell its kernel and none is named; InputError where
    it does not tell where memory is.
    """
    version = before if before is not None else own_version(description)
    known, open_questions = settled(description)
    old, new = side_of(known, version), side_of(known, after)
    notes = tuple(dict.fromkeys((*old.diagnosis.notes, *new.diagnosis.notes)))
    return _compare(old, new, evidence=observed(description, version), open_questions=open_questions, notes=notes)


def compare_machines_kernels(before: Machine, after: Machine) -> Upgrade:
    """The same for a layout line, parsed for two kernels."""
    return _compare(side_of_machine(before), side_of_machine(after), evidence=False, open_questions=(), notes=())
