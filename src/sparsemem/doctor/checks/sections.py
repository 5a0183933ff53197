"""Broken invariants of the sections, and sections that RAM and device memory share."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from sparsemem.doctor.check import Check, Kind
from sparsemem.doctor.checks.nothing import no_devices
from sparsemem.doctor.intervals import merge
from sparsemem.doctor.needs import ADDRESSES
from sparsemem.doctor.rules import finding, remedies_for
from sparsemem.doctor.verdict import judge, shared_parts
from sparsemem.machine.faults import FAULTS
from sparsemem.ranges import Range

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.doctor.context import Context
    from sparsemem.doctor.devices import Device
    from sparsemem.doctor.finding import Finding
    from sparsemem.machine.faults import Fault

__all__ = ["BesideRam", "Invariants", "SharedTeardown"]

#: kind of fault -> (finding, rule, severity here): the topics that explain knows, and how bad it is for the machine's user.
_FAULTS: dict[str, tuple[str, str | None, str]] = {
    "shared-memmap": ("devices-share-section", "section-exists", "error"),
    "device-pages-look-online": ("mixed-section-online-page", "mixed-section-online-page", "error"),
    "block-holds-device-pages": ("block-partly-ram", "memory-holes", "warning"),
    "section-word-not-memmap": ("section-word-not-memmap", None, "warning"),
    "uninitialised-hole": ("uninitialised-hole", None, "notice"),
    "altmap-leak": ("altmap-leak", "altmap-leak", "warning"),
}
#: kinds that are a bug of some kernels, where no rule says which.
_KERNELS = {
    "section-word-not-memmap": "5.3 to 5.6",
    "stale-section-word": "5.3 to 5.5",
    "uninitialised-hole": "up to 5.5",
}
_WORDS = {
    "section-word-not-memmap": "The word of these sections does not code their memmap: a crash dump made with this kernel is wrong there.",
    "uninitialised-hole": "RAM ends inside a section, and this kernel leaves the struct pages of the rest uninitialised: reading "
    "/proc/kpageflags or /proc/kpagecount there gives garbage. Nothing else is known to go wrong.",
    "device-pages-look-online": "This kernel takes these device pages for online RAM: soft-offlining such an address succeeds where it "
    "must fail, and code that walks pages may read struct pages that were never set up.",
    "block-holds-device-pages": "These memory blocks hold RAM and device pages: they can never go offline.",
    "shared-memmap": "Two users share one page array: when one goes, the other loses its struct pages.",
}


class Invariants(Check):
    """What the model finds broken, by kind."""

    id = "invariants"
    question = "Do sections, memmaps, zones and blocks hold together on this kernel?"
    about = "sections, memmaps, zones and blocks"
    finds = tuple(
        Kind(topic, (severity,), rule, says=_KERNELS.get(kind, ""))
        for kind in FAULTS
        for topic, rule, severity in [_FAULTS.get(kind, (kind, None, FAULTS[kind].severity))]
    )

    def run(self, ctx: Context) -> Iterator[Finding]:
        by_kind: dict[str, list[Fault]] = {}
        for fault in ctx.machine.faults():
            if fault.kind == "block-holds-device-pages" and _boot_block(ctx, fault.range):
                continue  # told by blocks.partly_ram, together with what is not mapped
            by_kind.setdefault(fault.kind, []).append(fault)
        for kind, found in by_kind.items():
            record = FAULTS[kind]
            topic, rule, severity = _FAULTS.get(kind, (kind, None, record.severity))
            ranges = merge(fault.range for fault in found)
            what = _WORDS.get(kind) or f"{found[0].what}."
            yield finding(
                topic, severity, what, rule, why="" if rule else record.rule, ranges=ranges, devices=_owners(ctx, ranges),
                capacity=sum(r.size for r in ranges), source=record.source,
                kernels="" if rule else _KERNELS.get(kind, ""),
                remedies=remedies_for(topic, old=not ctx.kernel.features.subsection_hotplug),
            )  # fmt: skip


def _boot_block(ctx: Context, r: Range) -> bool:
    block = ctx.state.blocks.get(r.start // ctx.block_size)
    return block is not None and block.early


def _owners(ctx: Context, ranges: tuple[Range, ...]) -> tuple[str, ...]:
    """Devices in those ranges; the ranges are few, the devices may be many."""
    if len(ranges) > 64:
        return ()
    return tuple(dict.fromkeys(d.name for d in ctx.devices if d.maps and any(d.range.overlaps(r) for r in ranges)))[:16]


def _beside(ctx: Context) -> Iterator[tuple[Device, Range]]:
    """Devices with the part of theirs that lies in a section with RAM."""
    for device in ctx.devices:
        if not device.maps:
            continue
        for part in shared_parts(ctx, device.span):
            if ctx.ram.touches(part):
                edge = part.end - 1 if part.end == device.span.start else part.start
                section = Range(edge // ctx.section * ctx.section, (edge // ctx.section + 1) * ctx.section)
                mine = section.intersect(device.span)
                if mine is not None:
                    yield device, mine


class BesideRam(Check):
    """Device memory in a section with RAM, where this kernel maps it (v5.3 and later; the refusals are told by ``mappings``)."""

    id = "beside-ram"
    question = "Does device memory share a section with System RAM, and what does this kernel make of it?"
    about = "device memory beside RAM"
    needs = (ADDRESSES,)
    finds = (
        Kind(
            "mixed-section-online-page",
            (
                "error",
                "warning",
            ),
            "mixed-section-online-page",
        ),
        Kind("tainted-section", ("notice",), "section-taint"),
    )

    def nothing(self, ctx: Context) -> str | None:
        return no_devices(ctx)

    def run(self, ctx: Context) -> Iterator[Finding]:
        f = ctx.kernel.features
        if not f.subsection_hotplug:
            return
        mapped: list[tuple[Device, Range]] = []
        waiting: list[tuple[Device, Range]] = []
        for device, part in _beside(ctx):
            live = ctx.mapped.touches(part)
            if live or not judge(ctx, device).refused:
                (mapped if live else waiting).append((device, part))
        if f.device_page_counts_as_online:
            if waiting:  # the mapped ones are faults already
                ranges, names = _united(waiting)
                started = any(device.live for device, _ in waiting)
                yield finding(
                    "mixed-section-online-page", "error" if started else "warning",
                    "Device memory shares a section with RAM. This kernel maps it, and then takes these device pages for online RAM: "
                    "soft-offlining such an address succeeds where it must fail, and code that walks pages may read struct pages that were "
                    "never set up.",
                    "mixed-section-online-page", ranges=ranges, devices=names, capacity=sum(r.size for r in ranges),
                    remedies=remedies_for("mixed-section-online-page", old=False),
                )  # fmt: skip
        elif f.pfn_to_online_page_checks_subsection and (mapped or waiting):
            ranges, names = _united(mapped + waiting)
            verb = "is mapped" if mapped else "can be mapped"
            yield finding(
                "tainted-section", "notice",
                f"Device memory shares a section with RAM and {verb}: this kernel handles that. It marks the section, and looks up each "
                "page there before it calls it RAM. Kernels up to 5.2 refuse such a mapping, 5.3 to 5.11 take the device's pages for RAM.",
                "section-taint", ranges=ranges, devices=names, capacity=sum(r.size for r in ranges),
            )  # fmt: skip


def _united(parts: list[tuple[Device, Range]]) -> tuple[tuple[Range, ...], tuple[str, ...]]:
    return merge(part for _, part in parts), tuple(dict.fromkeys(device.name for device, _ in parts))


class SharedTeardown(Check):
    """arm64 with 4 KiB pages before the fix of v6.15: removing one device unmaps the struct pages of its neighbour."""

    id = "teardown"
    question = "Does removing one device take the page array of its neighbour?"
    about = "page arrays that neighbours share"
    needs = (ADDRESSES,)
    finds = (Kind("devices-share-section", ("warning",), says="5.7 to 6.13, arm64 with 4 KiB pages"),)

    def nothing(self, ctx: Context) -> str | None:
        return no_devices(ctx)

    def run(self, ctx: Context) -> Iterator[Finding]:
        if not ctx.kernel.features.section_teardown_breaks_shared_pmd or ctx.kernel.page_size != 4096:
            return
        devices = [device for device in ctx.devices if device.maps and ctx.mapped.touches(device.range)]
        for left, right in pairwise(devices):
            end, start = left.span.end, right.span.start
            if end % ctx.section and end // ctx.section == start // ctx.section and end <= start:
                at = end // ctx.section * ctx.section
                yield finding(
                    "devices-share-section", "warning",
                    f"{left.name} and {right.name} share a section. On this kernel, destroying one of them also unmaps the struct pages of "
                    "the other.",
                    None, why="The memmap of the section is mapped by one large entry, which is torn down with the first of its users.",
                    kernels="5.7 to 6.13, arm64 with 4 KiB pages", ranges=(Range(at, at + ctx.section),), devices=(left.name, right.name),
                    capacity=ctx.section, source='Linux kernel commit d4234d131b0a ("arm64: mm: Populate vmemmap at the page level if not '
                    'section aligned") (in v6.14)',
                )  # fmt: skip
