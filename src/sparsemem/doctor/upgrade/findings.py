"""Findings that come, go, or are worth more or less on the other kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.doctor.finding import SEVERITIES
from sparsemem.doctor.upgrade.change import Change
from sparsemem.doctor.upgrade.devices import why
from sparsemem.units import format_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.doctor.finding import Diagnosis, Finding
    from sparsemem.doctor.upgrade.cause import Differences
    from sparsemem.doctor.upgrade.sides import Side

__all__ = ["finding_changes", "pair_findings"]

_Key = tuple[str, tuple[str, ...], int]


def _keyed(diagnosis: Diagnosis) -> dict[_Key, Finding]:
    """Findings by what they say of whom; the second of the same kind is the second."""
    found: dict[_Key, Finding] = {}
    for each in diagnosis.findings:
        number = 0
        while (each.id, each.devices, number) in found:
            number += 1
        found[each.id, each.devices, number] = each
    return found


def pair_findings(old: Diagnosis, new: Diagnosis) -> Iterator[tuple[Finding | None, Finding | None]]:
    """Each finding of the one with the same of the other; None where there is none."""
    before, after = _keyed(old), _keyed(new)
    for key in dict.fromkeys((*before, *after)):
        yield before.get(key), after.get(key)


def _basis(finding: Finding) -> str:
    return f"{finding.rule}, {finding.kernels}" if finding.rule else finding.kernels


def _of_devices(side: Side) -> frozenset[str]:
    """Findings that say no more than the verdict on their devices, which is compared device by device."""
    refused = {(device.name, verdict.rule) for device, verdict in side.verdicts.values() if verdict.refused}
    cut = {device.name for device, verdict in side.verdicts.values() if any(verdict.padding)}
    return frozenset(
        each.what
        for each in side.diagnosis.findings
        if each.devices
        and (
            all((name, each.rule) in refused for name in each.devices)
            or (each.rule == "section-padding" and each.id != "start-pad" and cut.issuperset(each.devices))
        )
    )


def _replaced(finding: Finding, told: tuple[Change, ...], fresh: list[Finding]) -> bool:
    """A notice about devices of which something more important is told."""
    if finding.severity != "notice":
        return False
    names = set(finding.devices)
    moved = any(change.kind in ("stops", "starts") and names.intersection(change.devices) for change in told)
    return moved or any(each.severity != "notice" and names.intersection(each.devices) for each in fresh)


def finding_changes(
    old: Side, new: Side, told: tuple[Change, ...], differences: Differences, *, blocks_known: bool
) -> Iterator[Change]:
    """What is not ``told`` already as the change of a device."""
    pairs = list(pair_findings(old.diagnosis, new.diagnosis))
    fresh = [after for before, after in pairs if before is None and after is not None]
    of_devices = _of_devices(old) | _of_devices(new)
    ram = {name for change in told if change.id == "kmem-stranded" for name in change.devices}
    blocks = old.ctx.block_size != new.ctx.block_size
    for before, after in pairs:
        finding = after or before
        assert finding is not None
        if finding.what in of_devices or (finding.id.startswith("kmem-") and ram.intersection(finding.devices)):
            continue
        if not blocks_known and finding.rule in ("kmem-alignment", "block-alignment"):
            continue
        if after is None and _replaced(finding, told, fresh):
            continue
        change = _change(before, after, differences, blocks=blocks)
        if change is not None:
            yield change


def _change(before: Finding | None, after: Finding | None, differences: Differences, *, blocks: bool) -> Change | None:
    if before is None or after is None:
        finding = after or before
        assert finding is not None
        comes = before is None
        size = finding.capacity if finding.lost else None
        severity = finding.severity if comes or finding.severity == "notice" else "good"
        return Change(
            id=finding.id, kind="worse" if comes else "better", severity=severity,
            what=finding.what if comes else f"No longer: {finding.what}", ranges=finding.ranges, devices=finding.devices,
            bytes=None if size is None else -size if comes else size, before=() if comes else finding.kernel_says,
            after=finding.kernel_says if comes else (), causes=why(differences, finding.rule, finding.id, blocks=blocks),
            basis=_basis(finding), remedies=finding.remedies if comes else (),
        )  # fmt: skip
    return _differs(before, after, differences, blocks=blocks)


def _differs(before: Finding, after: Finding, differences: Differences, *, blocks: bool) -> Change | None:
    lost = [(each.capacity or 0) if each.lost else 0 for each in (before, after)]
    rank = SEVERITIES.index(after.severity) - SEVERITIES.index(before.severity)
    said = before.kernel_says != after.kernel_says or before.errno != after.errno
    if lost[0] == lost[1] and not rank and not said:
        return None
    if lost[0] != lost[1]:
        kind, severity = ("loses", after.severity) if lost[1] > lost[0] else ("gains", "good")
        what = f"{after.what} Before, it was {format_size(lost[0])}."
    elif rank:
        kind, severity = ("worse", after.severity) if rank < 0 else ("better", "good")
        what = f"{after.what} ({after.severity}, before {before.severity}.)"
    else:
        kind, severity, what = "answers", "notice", after.what
    return Change(
        id=after.id, kind=kind, severity=severity, what=what, ranges=after.ranges, devices=after.devices,
        bytes=lost[0] - lost[1] or None, before=before.kernel_says, after=after.kernel_says,
        causes=why(differences, before.rule, after.rule, after.id, blocks=blocks), basis=_basis(after),
        remedies=after.remedies if kind in ("loses", "worse") else (),
    )  # fmt: skip
