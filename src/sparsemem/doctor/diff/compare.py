"""Two portraits, and every difference between them."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from sparsemem.doctor.diff.devices import Names, diff_devices
from sparsemem.doctor.diff.entry import Entry, Value, differing, hull, known
from sparsemem.doctor.intervals import Intervals, merge
from sparsemem.ranges import Range

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sparsemem.doctor.diff.portrait import Portrait
    from sparsemem.doctor.finding import Finding

__all__ = ["diff_portraits"]


def _ram(before: Portrait, after: Portrait) -> Iterator[Entry]:
    ours, theirs = Intervals(before.ram), Intervals(after.ram)
    for left, right, removed in ((ours, theirs, True), (theirs, ours, False)):
        for r in left.ranges:
            at = r.start
            for part in (*right.within(r), Range(r.end, r.end)):
                if at < part.start:
                    gap, name = Range(at, part.start), "System RAM"
                    yield Entry("ram", name if removed else None, None if removed else name, gap)
                at = max(at, part.end)


def _block_name(r: Range, size: int) -> str:
    first, last = r.start // size, (r.end - 1) // size
    return f"memory{first}" if first == last else f"memory{first}-{last}"


def _blocks(before: Portrait, after: Portrait) -> Iterator[Entry]:
    """Stretches that are alike on each side, and differ between them; with memory blocks of another size, by address all the same."""
    edges = sorted({edge for side in (before, after) for run in side.blocks for edge in run.range})
    sides = [iter(side.blocks) for side in (before, after)]
    heads = [next(each, None) for each in sides]
    found: list[tuple[Range, tuple[str, str] | None, tuple[str, str] | None]] = []
    for start, end in pairwise(edges):
        here: list[tuple[str, str] | None] = []
        for index, walk in enumerate(sides):
            head = heads[index]
            while head is not None and head.range.end <= start:
                head = heads[index] = next(walk, None)
            here.append((head.state, head.zone) if head is not None and head.range.start <= start else None)
        if here[0] == here[1]:
            continue
        if found and found[-1][0].end == start and [*found[-1][1:]] == here:
            found[-1] = (Range(found[-1][0].start, end), here[0], here[1])
        else:
            found.append((Range(start, end), here[0], here[1]))
    for r, old, new in found:
        names = [_block_name(r, side.block_size) for side in (before, after)]
        values = [{"state": each[0], "zone": each[1]} if each is not None else {} for each in (old, new)]
        if old is not None and new is not None:
            yield from differing("block", (names[0], names[1]), r, {**values[0]}, {**values[1]})
        else:
            yield Entry("block", names[0] if old else None, names[1] if new else None, r, {**values[0]}, {**values[1]})


def _device_ranges(before: Portrait, after: Portrait) -> Iterator[Entry]:
    ours = {r: (what, mode) for r, what, mode in before.device_ranges}
    theirs = {r: (what, mode) for r, what, mode in after.device_ranges}
    for r in sorted(ours.keys() | theirs.keys()):
        old, new = ours.get(r), theirs.get(r)
        if old is not None and new is not None:
            yield from differing("device", (old[0], new[0]), r, {"type": old[1]}, {"type": new[1]})
        else:
            ours_only: dict[str, Value] = {"type": old[1]} if old else {}
            theirs_only: dict[str, Value] = {"type": new[1]} if new else {}
            yield Entry("device", old[0] if old else None, new[0] if new else None, r, ours_only, theirs_only)


def _sections(before: Portrait, after: Portrait, names: Names) -> Iterator[Entry]:
    size = before.section_size
    if size != after.section_size:
        return
    for section in sorted(before.shared.keys() | after.shared.keys()):
        old, new = before.shared.get(section), after.shared.get(section)
        if old is not None and new is not None and names.ours(old) == names.theirs(new):
            continue
        where, name = Range(section * size, (section + 1) * size), f"section {section}"
        ours: dict[str, Value] = {"shared by": old} if old else {}
        theirs: dict[str, Value] = {"shared by": new} if new else {}
        yield Entry("section", name if old else None, name if new else None, where, ours, theirs)


def _finding(finding: Finding) -> dict[str, Value]:
    return {
        "severity": finding.severity, "where": finding.ranges, "capacity": finding.capacity, "lost": finding.lost,
        "errno": finding.errno,
    }  # fmt: skip


def _keyed(
    findings: Iterable[Finding], names: Callable[[Iterable[str]], tuple[str, ...]]
) -> dict[tuple[str, tuple[str, ...], int], Finding]:
    found: dict[tuple[str, tuple[str, ...], int], Finding] = {}
    for finding in findings:
        devices, number = names(finding.devices), 0
        while (finding.id, devices, number) in found:
            number += 1
        found[finding.id, devices, number] = finding
    return found


def _findings(before: Portrait, after: Portrait, names: Names) -> Iterator[Entry]:
    ours, theirs = _keyed(before.diagnosis.findings, names.ours), _keyed(after.diagnosis.findings, names.theirs)
    for key in dict.fromkeys((*ours, *theirs)):
        old, new = ours.get(key), theirs.get(key)
        places = [merge(finding.ranges)[:1] for finding in (old, new) if finding is not None]
        at = [place[0] for place in places if place]
        where = hull(at[0], at[-1]) if at else None
        texts: list[dict[str, Value]] = []
        for finding in (old, new):
            texts.append({"what": finding.what, "devices": finding.devices} if finding is not None else {})
        if old is not None and new is not None:
            yield from differing("finding", (old.id, new.id), where, _finding(old), _finding(new))
        elif old is not None:
            yield Entry("finding", old.id, None, where, known(_finding(old)) | texts[0], {})
        elif new is not None:
            yield Entry("finding", None, new.id, where, {}, known(_finding(new)) | texts[1])


def _numbers(side: Portrait) -> dict[str, int]:
    s = side.diagnosis.summary
    free = [side.free(region) for region in side.regions]
    return {
        "System RAM at boot": s.ram, "RAM added since": s.hotplugged, "device memory": s.device, "mapped device memory": s.mapped,
        "stranded": s.stranded, "in regions": sum(region.size for region in side.regions),
        "in namespaces": sum(fact.range.size if fact.range else fact.size or 0 for fact in side.namespaces),
        "usable in namespaces": sum(fact.usable or 0 for fact in side.namespaces), "free in regions": sum(each or 0 for each in free),
        "in dax devices": sum(dax.size for dax in side.dax),
    }  # fmt: skip


def _capacity(before: Portrait, after: Portrait) -> Iterator[Entry]:
    ours, theirs = _numbers(before), _numbers(after)
    for name, size in ours.items():
        if size != theirs[name]:
            yield Entry("capacity", name, name, None, {"bytes": size}, {"bytes": theirs[name]})


def _kernel(before: Portrait, after: Portrait) -> Iterator[Entry]:
    for name, old, new in (
        ("kernel", before.kernel, after.kernel), ("architecture", before.arch, after.arch),
        ("page size", before.page_size, after.page_size),
        ("section size", before.section_size, after.section_size), ("memory block size", before.block_size, after.block_size),
    ):  # fmt: skip
        ours: dict[str, Value] = {"value": old}
        theirs: dict[str, Value] = {"value": new}
        yield from differing("kernel", (name, name), None, ours, theirs)


def diff_portraits(before: Portrait, after: Portrait) -> tuple[Entry, ...]:
    """Every difference, sorted. What ``diff_portraits(b, a)`` holds are the mirrored entries of ``diff_portraits(a, b)``."""
    devices, names = diff_devices(before, after)
    found = [
        *_kernel(before, after), *_ram(before, after), *_blocks(before, after), *_device_ranges(before, after),
        *devices, *_sections(before, after, names), *_findings(before, after, names), *_capacity(before, after),
    ]  # fmt: skip
    return tuple(sorted(found, key=lambda entry: entry.sort_key))
