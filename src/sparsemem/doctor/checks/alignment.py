"""Sizes and starts that cost capacity, or that another kernel will not take."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from sparsemem.doctor.check import Check, Kind
from sparsemem.doctor.checks.nothing import no_devices, no_namespaces, no_regions
from sparsemem.doctor.finding import Remedy
from sparsemem.doctor.intervals import align_down, align_up
from sparsemem.doctor.namespace_balance import NamespaceView, namespace_shares
from sparsemem.doctor.needs import ADDRESSES, NAMESPACES, REGIONS
from sparsemem.doctor.regions import ndctl_unit
from sparsemem.doctor.rules import BACK_UP, cure, finding, remake, replace
from sparsemem.kernel.memremap import memremap_compat_align
from sparsemem.ranges import Range
from sparsemem.units import MIB, format_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.doctor.context import Context
    from sparsemem.doctor.devices import Device
    from sparsemem.doctor.finding import Finding
    from sparsemem.machine.description import NamespaceFact

__all__ = ["AlignCost", "InterleaveUnit", "NewerKernels", "SharedSubSection"]


class SharedSubSection(Check):
    """Two devices, or a device and RAM, inside one sub-section of 2 MiB: the smallest unit there is from v5.3 on."""

    id = "sub-sections"
    question = "Do two users meet inside a sub-section of 2 MiB, so that only one of them can have it?"
    about = "sub-sections that two users share"
    needs = (ADDRESSES,)
    finds = (
        Kind("subsection-shared", ("warning",), "subsection-overlap"),
        Kind("boot-map-rounding", ("warning",), "boot-map-rounding"),
    )

    def nothing(self, ctx: Context) -> str | None:
        return no_devices(ctx)

    def run(self, ctx: Context) -> Iterator[Finding]:
        if not ctx.kernel.features.subsection_hotplug:
            return
        unit = ctx.kernel.geometry.SUBSECTION_SIZE
        devices = [device for device in ctx.devices if device.maps]
        for left, right in pairwise(devices):
            end, start = left.range.end, right.range.start
            if end > start or end % unit == 0 or start >= align_up(end, unit):
                continue
            shared = Range(align_down(end, unit), align_up(end, unit))
            hole = f", {format_size(start - end)} apart" if start > end else ""
            yield finding(
                "subsection-shared",
                "warning",
                f"{left.name} and {right.name} meet inside the sub-section {shared.start:#x}{hole}: only one of them can have it, "
                "so mapping both whole is refused.",
                "subsection-overlap",
                ranges=(shared,),
                devices=(left.name, right.name),
                capacity=unit,
                remedies=(
                    BACK_UP,
                    Remedy(
                        f"Then make one of them anew, with a start and a size that are multiples of {format_size(unit)}."
                    ),
                ),
            )
        for device in devices:
            for edge in (device.range.start, device.range.end):
                shared = Range(align_down(edge, unit), align_up(edge, unit))
                other = Range(shared.start, edge) if edge == device.range.start else Range(edge, shared.end)
                if edge % unit and ctx.ram.touches(other):
                    yield finding(
                        "boot-map-rounding",
                        "warning",
                        f"RAM and {device.name} meet inside the sub-section {shared.start:#x}: the kernel counts all of it as RAM's, and "
                        "mapping the device there is refused.",
                        "boot-map-rounding",
                        ranges=(shared,),
                        devices=(device.name,),
                        capacity=unit,
                        remedies=(
                            Remedy(
                                "Start or end the device on the next multiple of 2 MiB (memmap=, firmware, the image's size)."
                            ),
                        ),
                    )


class AlignCost(Check):
    """A namespace aligned to 1 GiB pays up to 1 GiB for its info block and page array, and another for its end."""

    id = "align-cost"
    question = "What does the align of a namespace cost?"
    about = "what a large align costs"
    needs = (NAMESPACES,)
    finds = (Kind("align-cost", ("warning",), "info-block-capacity", "every kernel"),)

    def nothing(self, ctx: Context) -> str | None:
        return no_namespaces(ctx)

    def run(self, ctx: Context) -> Iterator[Finding]:
        assert ctx.description is not None
        usual = ctx.kernel.geometry.PMD_SIZE
        answers = dict(ctx.answers)
        blocks = {each.namespace: each.data for each in ctx.description.info_blocks}
        for fact in ctx.description.namespaces:
            if fact.mode not in ("fsdax", "devdax") or fact.range is None or not fact.align or fact.align <= usual:
                continue
            shares = namespace_shares(ctx, NamespaceView(fact, None, answers.get(fact.dev), blocks.get(fact.dev)))
            lost = shares.get("rounding", 0)
            if lost < usual:
                continue
            metadata = shares["info"] + shares.get("memmap", 0)
            yield finding(
                "align-cost", "warning",
                f"{fact.dev} ({format_size(fact.range.size)}) offers {format_size(shares.get('data', 0))}: its {format_size(metadata)} of "
                f"metadata are rounded up to its align of {format_size(fact.align)}, and {format_size(lost)} are nobody's.",
                "info-block-capacity", why="Data starts on a multiple of the align behind info block and page array, and ends on one.",
                kernels="every kernel", ranges=_rounding(fact.range, fact.data, metadata), devices=(fact.dev,), capacity=lost, lost=True,
                remedies=(
                    BACK_UP,
                    cure(f"Then make it anew with the usual align of {format_size(usual)}.",
                         "ndctl", "create-namespace", "-f", "-e", fact.dev, "-m", fact.mode, "-a", f"{usual // MIB}M"),
                ),
            )  # fmt: skip


def _rounding(whole: Range, data: Range | None, metadata: int) -> tuple[Range, ...]:
    if data is None:
        return (whole,)
    parts = (Range(whole.start + metadata, data.start), Range(data.end, whole.end))
    return tuple(part for part in parts if part.start < part.end)


class NewerKernels(Check):
    """Namespaces that this kernel maps and a newer one will not (v5.7 and later hold every edge to 2 MiB)."""

    id = "newer-kernels"
    question = "Which namespaces that work here will a newer kernel refuse?"
    about = "namespaces that a newer kernel refuses"
    needs = (NAMESPACES,)
    finds = (Kind("refused-by-newer-kernels", ("warning", "notice"), "info-block-alignment", "5.7 and later"),)

    def nothing(self, ctx: Context) -> str | None:
        return no_namespaces(ctx)

    def run(self, ctx: Context) -> Iterator[Finding]:
        if ctx.kernel.features.memremap_compat_align:
            return
        unit = memremap_compat_align(ctx.state)
        crashes = unit > ctx.kernel.geometry.SUBSECTION_SIZE and ctx.kernel.features.namespace_below_compat_align
        here = "crashes in arch_add_memory() when it maps that, and" if crashes else "does not ask, but"
        for device in ctx.devices:
            fact = device.namespace
            if fact is None or not device.maps or fact.mode not in ("fsdax", "devdax"):
                continue
            r = device.span
            end = fact.data.end if fact.data is not None and fact.data.end <= r.end else r.end
            if not (r.start % unit or end % unit):
                continue
            edge = "start" if r.start % unit else "end"
            yield finding(
                "refused-by-newer-kernels",
                "warning" if crashes else "notice",
                f"{device.name} does not {edge} on a multiple of {format_size(unit)}: this kernel {here} "
                "5.7 and later refuse it (-EOPNOTSUPP), and its data can not be reached there.",
                "info-block-alignment",
                kernels="5.7 and later",
                ranges=(r,),
                devices=(device.name,),
                errno="EOPNOTSUPP",
                kernel_says=(f"resource {edge} misaligned",),
                capacity=r.size,
                remedies=(
                    *_before_the_upgrade(device, fact),
                    Remedy("Ask what the new kernel will do.", ("sparsemem", "doctor", "--kernel", "6.12")),
                ),
            )


def _before_the_upgrade(device: Device, fact: NamespaceFact) -> tuple[Remedy, ...]:
    """A size that every kernel takes: a multiple of 16 MiB on each DIMM, what 5.7 and later ask of new namespaces."""
    why = "Before the upgrade, save its data and make it anew with a size that is a multiple of 16 MiB on each DIMM."
    region = device.region
    if region is None or region.labels is not True or not region.mappings or fact.range is None:
        return (Remedy(why),)
    unit = 16 * MIB * region.mappings
    size = align_down(fact.range.size, unit)
    if not size:
        return (Remedy(why),)
    if region.range is not None and (fact.range.start - region.range.start) % unit:
        why += " What lies in front of it comes first: it begins where that ends."
        return (replace(why, fact.dev, region.dev, fact.mode, size),)
    return (remake(why, fact.dev, fact.mode, size),)


class InterleaveUnit(Check):
    """A set of 3, 6 or 12 DIMMs: no round size is legal there."""

    id = "interleave-unit"
    question = "Which sizes are legal in a region whose interleave width is no power of two?"
    about = "legal sizes in interleave sets"
    needs = (REGIONS,)
    finds = (Kind("interleave-unit", ("notice",), "interleave-size"),)

    def nothing(self, ctx: Context) -> str | None:
        return no_regions(ctx)

    def run(self, ctx: Context) -> Iterator[Finding]:
        assert ctx.description is not None
        for region in ctx.description.regions:
            ways = region.mappings or 1
            unit = ndctl_unit(ctx, region)
            if ways & (ways - 1) == 0 or region.labels is False or unit is None:
                continue
            gib = 1 << 30
            legal = align_up(4 * gib, unit)
            if ctx.kernel.features.region_align_attribute:
                says: tuple[str, ...] = (f"{region.dev}: align setting is {unit:#x} size {4 * gib:#x} is misaligned",)
            else:
                says = (
                    f"'--size=' must align to interleave-width: {ways} and alignment: {2 * MIB}",
                    f"did you intend --size={legal // MIB}M?",
                )
            yield finding(
                "interleave-unit",
                "notice",
                f"{region.dev} is interleaved over {ways} DIMMs: sizes there are multiples of {format_size(unit)}, so 4 GiB is none, and "
                f"{legal} bytes ({legal // MIB} MiB) is the next.",
                "interleave-size",
                devices=(region.dev,),
                ranges=(region.range,) if region.range is not None else (),
                kernel_says=says,
                remedies=(
                    Remedy(
                        "Ask for such a size.",
                        ("ndctl", "create-namespace", "-r", region.dev, "-s", f"{legal // MIB}M"),
                    ),
                ),
            )
