"""What changes for each device: mapped or refused, and how many of its bytes can be used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.doctor.rules import finding_id
from sparsemem.doctor.upgrade.change import Change
from sparsemem.doctor.upgrade.table import CAUSES
from sparsemem.units import format_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.doctor.devices import Device
    from sparsemem.doctor.finding import Remedy
    from sparsemem.doctor.upgrade.cause import Cause, Differences
    from sparsemem.doctor.upgrade.sides import Side
    from sparsemem.doctor.verdict import Verdict

__all__ = ["device_changes", "why"]


def why(differences: Differences, *names: str | None, blocks: bool = True) -> tuple[Cause, ...]:
    """What is behind a change in a rule or a finding, of the features that differ. ``blocks``: memory blocks differ in size."""
    wanted = dict.fromkeys(feature for name in names for feature in CAUSES.get(name or "", ()))
    return differences.among(wanted, but=() if blocks else ("block_size_rule", "SECTION_SIZE"))


def _answer(verdict: Verdict) -> str:
    return f"-{verdict.errno} from {verdict.function}()"


def device_changes(
    old: Side, new: Side, differences: Differences, *, evidence: bool, blocks_known: bool
) -> Iterator[Change]:
    """One change a device at most. ``evidence``: the machine was read while it ran the old kernel; ``blocks_known``: the size of memory
    blocks can be told for both."""
    for key, (device, before) in old.verdicts.items():
        if key not in new.verdicts:
            continue
        after = new.verdicts[key][1]
        if device.mode == "system-ram":
            if blocks_known:
                yield from _kmem(old, new, device, differences)
            continue
        if evidence and before.refused and device.live and device.kind in ("namespace", "dax"):
            continue  # in use on the old kernel, whatever the model says: told as unsure
        change = _mapping(old, new, device, before, after, differences)
        if change is not None:
            yield change


def _remedies(side: Side, device: Device, verdict: Verdict) -> tuple[Remedy, ...]:
    """What the finding about it advises."""
    found = (each for each in side.diagnosis.findings if each.rule == verdict.rule and device.name in each.devices)
    return next((each.remedies for each in found), ())


def _mapping(
    old: Side, new: Side, device: Device, before: Verdict, after: Verdict, differences: Differences
) -> Change | None:
    size, ranges, names = device.range.size, (device.range,), (device.name,)
    if before.refused and not after.refused:
        usable = size - sum(after.padding)
        what = f"{device.name} can be mapped ({format_size(usable)}). {old.name} refuses it: {_answer(before)}."
        return Change(
            id=finding_id(before.rule or ""), kind="starts", severity="good", what=what, ranges=ranges, devices=names, bytes=usable,
            before=before.log, after=after.log, causes=why(differences, before.rule),
        )  # fmt: skip
    if after.refused and not before.refused:
        verb = "stops working" if device.live else "could not be mapped any more"
        what = f"{device.name} {verb}: {new.name} refuses it, {_answer(after)}."
        return Change(
            id=finding_id(after.rule or ""), kind="stops", severity="error" if device.live else "warning", what=what, ranges=ranges,
            devices=names, bytes=-(size - sum(before.padding)), before=before.log, after=after.log,
            causes=why(differences, after.rule), remedies=_remedies(new, device, after),
        )  # fmt: skip
    if after.refused and (before.rule, before.errno, before.log) != (after.rule, after.errno, after.log):
        what = f"{device.name} is refused by both, in other words: {_answer(before)}, then {_answer(after)}."
        if (before.rule, before.errno, before.function) == (after.rule, after.errno, after.function):
            what = f"{device.name} is refused by both ({_answer(after)}), and the log line is another."
        return Change(
            id=finding_id(after.rule or ""), kind="answers", severity="notice", what=what, ranges=ranges, devices=names,
            before=before.log, after=after.log, causes=why(differences, before.rule, after.rule),
        )  # fmt: skip
    gained = sum(before.padding) - sum(after.padding)
    if gained and not after.refused:
        word = "is not cut any more" if gained > 0 else "is cut at its ends"
        what = f"A new namespace over all of {device.name} {word}: {format_size(abs(gained))} {'gained' if gained > 0 else 'lost'}."
        return Change(
            id="section-padding", kind="gains" if gained > 0 else "loses", severity="good" if gained > 0 else "warning", what=what,
            ranges=ranges, devices=names, bytes=gained, before=before.log, after=after.log, causes=why(differences, "section-padding"),
        )  # fmt: skip
    return None


def _kmem(old: Side, new: Side, device: Device, differences: Differences) -> Iterator[Change]:
    blocks = old.ctx.block_size, new.ctx.block_size
    before, after = old.ram_of(device, blocks[0]), new.ram_of(device, blocks[1])
    if before == after:
        return
    if not new.ctx.kernel.features.kmem:
        kind, why_not = "stops", f"{new.name} has no driver that makes RAM of it"
    else:
        kind = "stops" if not after else "starts" if not before else "loses" if after < before else "gains"
        why_not = f"memory blocks are {format_size(blocks[1])}, before {format_size(blocks[0])}"
    severity = {"stops": "error", "loses": "warning"}.get(kind, "good")
    yield Change(
        id="kmem-stranded", kind=kind, severity=severity,
        what=f"{device.name} gives {format_size(after)} of RAM, before {format_size(before)}: {why_not}.",
        ranges=(device.range,), devices=(device.name,), bytes=after - before, causes=why(differences, "kmem-stranded"),
    )  # fmt: skip
