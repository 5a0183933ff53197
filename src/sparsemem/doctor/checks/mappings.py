"""Device memory that this kernel refuses to map, and what it would do with what is not mapped yet."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from sparsemem.doctor.check import Check, Kind
from sparsemem.doctor.checks.nothing import no_devices
from sparsemem.doctor.intervals import align_down
from sparsemem.doctor.needs import ADDRESSES
from sparsemem.doctor.regions import all_there_is, is_legacy, ndctl_unit
from sparsemem.doctor.rules import BACK_UP, NEWER_KERNEL, cure, finding, finding_id, remake, remedies_for, replace
from sparsemem.doctor.verdict import judge, try_mapping
from sparsemem.ranges import Range
from sparsemem.units import MIB, format_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.doctor.context import Context
    from sparsemem.doctor.devices import Device
    from sparsemem.doctor.finding import Finding, Remedy
    from sparsemem.doctor.verdict import Verdict

__all__ = ["Mappings", "Neighbours"]

_MAPPING_RULES = (
    "mixed-region", "ram-region", "conflicting-mapping", "section-exists", "subsection-overlap", "pfn-span-alignment",
    "vmemmap-alignment", "altmap-invalid", "altmap-exhausted", "addressable-range", "compat-align", "namespace-alignment",
    "info-block-alignment", "info-block-capacity", "zone-device-config", "linear-region", "boot-map-rounding",
)  # fmt: skip
_REFUSED = tuple(Kind(finding_id(rule), ("error", "warning"), rule) for rule in _MAPPING_RULES)


class Mappings(Check):
    """Every device range: refused, cut, or fine. The fine ones say nothing here."""

    id = "mappings"
    question = "Which device memory does this kernel refuse to map, or cut?"
    about = "device memory that this kernel refuses"
    needs = (ADDRESSES,)
    finds = (
        *_REFUSED,
        Kind("ram-beside-device", ("warning",), "section-padding"),
        Kind("devices-share-section", ("warning",), "section-padding"),
        Kind("model-disagrees", ("notice",)),
    )

    def nothing(self, ctx: Context) -> str | None:
        return no_devices(ctx)

    def run(self, ctx: Context) -> Iterator[Finding]:
        old = not ctx.kernel.features.subsection_hotplug
        for device in ctx.devices:
            verdict = judge(ctx, device)
            if verdict.refused:
                yield _refused(ctx, device, verdict, old)
            elif any(verdict.padding):
                yield _cut(ctx, device, verdict)


def _refused(ctx: Context, device: Device, verdict: Verdict, old: bool) -> Finding:
    assert verdict.rule is not None
    topic = finding_id(verdict.rule)
    answer = f"-{verdict.errno} from {verdict.function}()"
    if ctx.own_kernel and device.live and device.kind in ("namespace", "dax"):
        return finding(
            "model-disagrees", "notice",
            f"{device.name} is in use, though by the rules of {ctx.kernel} mapping it is refused ({answer}). "
            "A distribution's kernel may carry later fixes, or an address here is not what the machine has: cannot tell which.",
            verdict.rule, ranges=(device.range,), devices=(device.name,), errno=verdict.errno, kernel_says=verdict.log,
            capacity=device.range.size,
        )  # fmt: skip
    unsure = device.mode == "unknown" and not is_legacy(ctx, device)
    severity = "error" if device.live and not unsure else "warning"
    if unsure:
        what = (
            f"{device.name} can not be mapped, if it is to have struct pages: {answer}. Its mode is not told: fsdax and devdax have them, "
            "raw and sector do not."
        )
    elif device.live:
        what = (
            f"{device.name} can not be mapped: {answer}. It has no struct pages, and what needs them does not come up."
        )
    else:
        what = f"{device.name} is not mapped; mapping it whole would be refused: {answer}."
    if any(verdict.padding):
        what += f" Before that, {format_size(sum(verdict.padding))} would be cut off at its ends."
    namespace = device.name if device.kind == "namespace" and not all_there_is(ctx, device) else None
    return finding(
        topic, severity, what, verdict.rule, ranges=(device.range,), devices=(device.name,), errno=verdict.errno,
        kernel_says=verdict.log, capacity=device.range.size, lost=device.live and not unsure,
        remedies=_legal(ctx, device) or _to_a_section(ctx, device, verdict) or remedies_for(
            topic, old=old, device=namespace, legacy=device.range if device.kind == "legacy" else None, section=ctx.section
        ),
    )  # fmt: skip


def _to_a_section(ctx: Context, device: Device, verdict: Verdict) -> tuple[Remedy, ...]:
    """A region that starts inside a section, whose page array does not fit (up to v5.2): a size that ends on one, or map=mem."""
    start, region = device.range.start + verdict.padding[0], device.region
    if verdict.rule != "altmap-exhausted" or region is None or region.labels is not True:
        return ()
    size = align_down(device.range.end - verdict.padding[1], ctx.section) - start
    unit = ndctl_unit(ctx, region)
    # ndctl refuses a place that is off 16 MiB, whatever the kernel makes of it, unless it is told -f
    words = ("ndctl", "create-namespace", *(("-f",) if device.range.start % (16 * MIB) else ()), "-r", region.dev)
    whole = cure("Keep its page array in RAM.", *words, "-M", "mem")
    if verdict.padding[0] or unit is None or size < ctx.section or size % unit:
        return (NEWER_KERNEL, whole)
    why = "Or ask for a size that ends on a section."
    return (NEWER_KERNEL, whole, cure(why, *words, "-s", str(size)))


def _legal(ctx: Context, device: Device) -> tuple[Remedy, ...]:
    """A misaligned namespace of a region with labels: made anew with the next smaller legal size, at an aligned place."""
    fact, region = device.namespace, device.region
    if fact is None or region is None or region.labels is not True or fact.mode not in ("fsdax", "devdax"):
        return ()
    unit = ndctl_unit(ctx, region)
    if (
        unit is None
        or device.range.size % unit == 0
        or device.range.size < unit
        or not ctx.kernel.features.subsection_hotplug
    ):
        return ()
    size = device.range.size // unit * unit
    why = f"Then make it anew with a legal size: a multiple of {format_size(unit)}."
    if region.range is not None and (device.range.start - region.range.start) % unit:
        return (BACK_UP, replace(why, device.name, region.dev, fact.mode, size))
    return (BACK_UP, remake(why, device.name, fact.mode, size))


def _cut(ctx: Context, device: Device, verdict: Verdict) -> Finding:
    start, end = verdict.padding
    r = device.range
    lost = tuple(each for each in (Range(r.start, r.start + start), Range(r.end - end, r.end)) if each.size)
    where = " and ".join(word for word, size in (("start", start), ("end", end)) if size)
    what = (
        f"A namespace over all of {device.name} loses {format_size(start + end)} at its {where}, since it shares a section with RAM "
        "or with another region."
    )
    if start:
        what += " With its start cut, direct access (DAX) is off although block I/O works."
    beside_ram = any(ctx.ram.touches(Range(each.start // ctx.section * ctx.section, -(-each.end // ctx.section) * ctx.section))
                     for each in lost)  # fmt: skip
    topic = "ram-beside-device" if beside_ram else "devices-share-section"
    return finding(
        topic, "warning", what, "section-padding", ranges=lost, devices=(device.name,), kernel_says=verdict.log,
        capacity=start + end, lost=True, remedies=remedies_for(topic, old=True),
    )  # fmt: skip


class Neighbours(Check):
    """Two ranges in one section, neither mapped yet, on a kernel without sub-sections: map one after the other, and see."""

    id = "neighbours"
    question = "Do two devices meet inside a section, on a kernel without sub-sections?"
    about = "devices that share a section"
    needs = (ADDRESSES,)
    finds = (Kind("devices-share-section", ("warning",), "conflicting-mapping", says="up to 5.2"),)

    def nothing(self, ctx: Context) -> str | None:
        return no_devices(ctx)

    def run(self, ctx: Context) -> Iterator[Finding]:
        if ctx.kernel.features.subsection_hotplug:
            return
        waiting = [
            device for device in ctx.devices if device.maps and device.kind != "mapping" and device.answer is None
        ]
        for left, right in pairwise(waiting):
            if left.range.end > right.range.start or left.range.end // ctx.section != right.range.start // ctx.section:
                continue
            first, second = judge(ctx, left), judge(ctx, right)
            if first.refused or second.refused or left.range.end % ctx.section == 0:
                continue
            rests = [
                Range(d.range.start + v.padding[0], d.range.end - v.padding[1])
                for d, v in ((left, first), (right, second))
            ]
            if rests[0].end // ctx.section != rests[1].start // ctx.section or rests[0].end % ctx.section == 0:
                continue
            yield _pair(ctx, left, right, rests)


def _pair(ctx: Context, left: Device, right: Device, rests: list[Range]) -> Finding:
    from sparsemem.machine.operations import Operation

    ctx.machine.apply(Operation("memremap_pages", (rests[0],)))
    verdict = try_mapping(ctx, rests[1], right.name)
    ctx.machine.undo()
    edge = rests[0].end // ctx.section * ctx.section
    shared = Range(edge, edge + ctx.section)
    if verdict.refused:
        what = f"{left.name} and {right.name} share a section: with {left.name} mapped, {right.name} is refused (-{verdict.errno})."
    else:
        what = f"{left.name} and {right.name} share a section and would share its page array: destroying one breaks the other."
    return finding(
        "devices-share-section", "warning", what, verdict.rule or "section-exists", ranges=(shared,),
        devices=(left.name, right.name), errno=verdict.errno, kernel_says=verdict.log, capacity=ctx.section,
        remedies=remedies_for("devices-share-section", old=True),
    )  # fmt: skip
