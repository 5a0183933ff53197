"""Which finding a line belongs to, and what the log says of each finding."""

from __future__ import annotations

import errno
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sparsemem.doctor.dmesg.owners import device_names
from sparsemem.doctor.rules import finding_id
from sparsemem.doctor.verdict import judge
from sparsemem.explain.match import match_line
from sparsemem.explain.numbers import span_of
from sparsemem.spec.rules import RULES

if TYPE_CHECKING:
    from sparsemem.doctor.context import Context
    from sparsemem.doctor.devices import Device
    from sparsemem.doctor.dmesg.owners import Owners
    from sparsemem.doctor.dmesg.scan import Event, Log
    from sparsemem.doctor.finding import Finding
    from sparsemem.explain.numbers import Frame
    from sparsemem.ranges import Range

__all__ = ["Contradiction", "Tied", "Ties", "tie"]

_NUMBER = re.compile(r"(?:namespace|pfn|dax|btt|region|mapping_region)(\d+)")
_NEAR = 40
"""So many lines apart, two lines about one device are about one matter."""


@dataclass(frozen=True, slots=True)
class Tied:
    """An event, the bytes it is about, the devices it names, and the finding that it belongs to."""

    event: Event
    range: Range | None
    devices: tuple[str, ...]
    finding: Finding | None = None


@dataclass(frozen=True, slots=True)
class Contradiction:
    """What the log says against the machine: ``line`` from 1 (None for the log as a whole), ``finding`` where it is about one."""

    what: str
    line: int | None = None
    finding: Finding | None = None


@dataclass(frozen=True, slots=True)
class Ties:
    """``confirmed``: findings with the lines that say so; ``silent``: findings without one, each with the reason."""

    tied: tuple[Tied, ...]
    confirmed: tuple[tuple[Finding, tuple[int, ...]], ...]
    contradicted: tuple[Contradiction, ...]
    silent: tuple[tuple[Finding, str], ...]

    @property
    def alone(self) -> tuple[Tied, ...]:
        """What failed by the log alone: no finding explains it, and it contradicts none."""
        against = {each.line for each in self.contradicted}
        return tuple(
            each
            for each in self.tied
            if each.finding is None
            and each.event.first not in against
            and (each.event.hit is None or _errno(each.event) is not None)
        )


def _number(name: str | None) -> int | None:
    """EOPNOTSUPP and ENOTSUP are one number."""
    return getattr(errno, name, None) if name else None


def _errno(event: Event) -> int | None:
    """What the line says, or the message stands for."""
    hit = event.hit
    if hit is None:
        return None
    number = hit.values.get("errno")
    return abs(number) if number else _number(hit.message.errno)


def _last_word(tied: Tied, before: list[Tied]) -> Finding | None:
    """ "probe failed" without an address: what a line above it, with the same errno, is about."""
    if tied.event.hit is None or tied.event.hit.message.id != "probe-failed":
        return None
    for other in reversed(before):
        if tied.event.first - other.event.last > _NEAR:
            return None
        known = not other.devices or set(other.devices) & set(tied.devices)
        if other.finding is not None and known and _errno(other.event) == _errno(tied.event):
            return other.finding
    return None


def _ranges(log: Log, frame: Frame) -> list[Tied]:
    """The range of each line, or of a line near it that names the same device."""
    found: list[Tied] = []
    last: dict[str, tuple[int, Range]] = {}
    for event in log.events:
        hit = event.hit
        names = device_names(hit) if hit is not None else ()
        r = span_of(hit.values, frame) if hit is not None else None
        for name in names:
            if r is not None:
                last[name] = event.last, r
            elif name in last and event.first - last[name][0] <= _NEAR:
                r = last[name][1]
        found.append(Tied(event, r, names))
    return found


def _same_device(names: tuple[str, ...], finding: Finding, owners: Owners) -> bool:
    for name in names:
        owner = owners.named(name)
        if name in finding.devices or (owner is not None and owner.name in finding.devices):
            return True
        match = _NUMBER.match(name)
        if match and f"region{match[1]}" in finding.devices and not name.startswith("dax"):
            return True
    return False


def _touches(tied: Tied, finding: Finding, owners: Owners) -> bool:
    """Are the line and the finding about the same bytes, or the same device?"""
    ranges = finding.ranges
    if tied.range is not None and any(tied.range.overlaps(r) for r in ranges):
        return True
    if _same_device(tied.devices, finding, owners):
        return True
    if tied.range is not None:
        return False
    places = [owner.range for name in tied.devices if (owner := owners.named(name)) is not None and owner.range]
    return any(place.overlaps(r) for place in places for r in ranges)


def _says(finding: Finding) -> frozenset[str]:
    """The messages that the kernel prints for it."""
    return frozenset(hit.message.id for line in finding.kernel_says if (hit := match_line(line)) is not None)


def _score(tied: Tied, finding: Finding, says: frozenset[str], owners: Owners) -> int:
    """How much the line belongs to the finding; 0 for not at all."""
    event = tied.event
    if event.hit is None:
        rules = event.place[0].rules if event.place is not None else ()
        return 0 if finding.rule not in rules or not finding.kernel_says else 1
    message = event.hit.message
    placed = tied.range is not None or bool(tied.devices)
    if placed and not _touches(tied, finding, owners):
        return 0
    if message.id in says:
        return 4 if placed else 2
    if not placed:
        return 0
    if message.rule is not None and message.rule == finding.rule:
        return 3
    if message.rule is not None and finding_id(message.rule) == finding.id:
        return 2
    return 2 if message.id == "probe-failed" and _errno(event) == _number(finding.errno) else 0


class _Devices:
    """The devices of a machine by name and by range; of several the first one counts."""

    def __init__(self, ctx: Context) -> None:
        self._all = ctx.devices
        self._index: dict[str | Range, int] = {}
        for index, device in enumerate(ctx.devices):
            self._index.setdefault(device.name, index)
            self._index.setdefault(device.range, index)

    def of(self, tied: Tied, owners: Owners) -> Device | None:
        """The device that the line is about."""
        keys: set[str | Range] = {o.name for name in tied.devices if (o := owners.named(name)) is not None}
        keys |= {*tied.devices, *((tied.range,) if tied.range is not None else ())}
        found = [self._index[key] for key in keys if key in self._index]
        if found:
            return self._all[min(found)]
        return next((d for d in self._all if tied.range is not None and d.range.contains(tied.range)), None)


def _against(tied: Tied, ctx: Context, owners: Owners, devices: _Devices) -> str | None:
    """A refusal in the log of what this kernel maps on the model."""
    hit = tied.event.hit
    rule = RULES.get(hit.message.rule or "") if hit is not None else None
    if hit is None or rule is None or not rule.errnos or hit.message.errno is None:
        return None
    device = devices.of(tied, owners)
    if device is None or not device.maps or judge(ctx, device).refused:
        return None
    return (
        f"{device.name} was refused ({rule.id}), which this machine on {ctx.kernel.version} would map: the log is of another layout or "
        "kernel, or something else was in the way"
    )


def _disk(tied: Tied, owners: Owners) -> str | None:
    """A disk that came up larger than what it is on now."""
    hit = tied.event.hit
    if hit is None or hit.message.id != "pmem-capacity":
        return None
    owner = next((each for name in tied.devices if (each := owners.named(name)) is not None), None)
    size = hit.values.get("bytes") or hit.values.get("size")
    if owner is None or owner.range is None or size is None or size <= owner.range.size:
        return None
    return f"{tied.devices[0]} had {size} bytes, more than {owner.name} has"


def tie(log: Log, ctx: Context, findings: tuple[Finding, ...], frame: Frame, owners: Owners) -> Ties:
    """Tie every line to the machine and its findings."""
    says = {index: _says(finding) for index, finding in enumerate(findings)}
    tied: list[Tied] = []
    confirmed: dict[int, list[int]] = {}
    contradicted: list[Contradiction] = []
    devices = _Devices(ctx)
    for each in _ranges(log, frame):
        scores = [(_score(each, finding, says[index], owners), -index) for index, finding in enumerate(findings)]
        best, negative = max(scores, default=(0, 0))
        if best:
            confirmed.setdefault(-negative, []).append(each.event.first)
            each = Tied(each.event, each.range, each.devices, findings[-negative])
        elif (last := _last_word(each, tied)) is not None:
            index = next(number for number, finding in enumerate(findings) if finding is last)
            confirmed.setdefault(index, []).append(each.event.first)
            each = Tied(each.event, each.range, each.devices, last)
        elif (what := _against(each, ctx, owners, devices)) is not None:
            contradicted.append(Contradiction(what, each.event.first))
        elif (disk := _disk(each, owners)) is not None:
            contradicted.append(Contradiction(disk, each.event.first))
        tied.append(each)
    contradicted += _came_up(tied, findings, confirmed, owners)
    against = {id(each.finding) for each in contradicted if each.finding is not None}
    silent = [
        (finding, _silence(finding, log))
        for index, finding in enumerate(findings)
        if index not in confirmed and id(finding) not in against
    ]
    return Ties(
        tuple(tied), tuple((findings[index], tuple(lines)) for index, lines in confirmed.items()), tuple(contradicted), tuple(silent)
    )  # fmt: skip


def _came_up(
    tied: list[Tied], findings: tuple[Finding, ...], confirmed: dict[int, list[int]], owners: Owners
) -> list[Contradiction]:
    """Findings that say a device is refused, where the log has it come up."""
    found: list[Contradiction] = []
    up = [
        each
        for each in tied
        if each.event.hit is not None and each.event.hit.message.id in ("pmem-capacity", "zone-device-initialised")
    ]
    for index, finding in enumerate(findings):
        if finding.errno is None or finding.severity != "error" or index in confirmed:
            continue
        line = next((each.event.first for each in up if each.devices and _touches(each, finding, owners)), None)
        if line is not None:
            found.append(Contradiction(f"{finding.id}: the device came up", line, finding))
    return found


def _silence(finding: Finding, log: Log) -> str:
    if not finding.kernel_says:
        return "the kernel prints nothing about it"
    where = "the log begins at boot" if log.from_boot else "the log does not begin at boot"
    return f'no line like "{finding.kernel_says[0]}"; {where}'
