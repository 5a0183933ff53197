"""Addresses that somebody else holds, or that the direct map does not reach."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.doctor.check import Check, Kind
from sparsemem.doctor.checks.nothing import no_devices, no_regions
from sparsemem.doctor.finding import Remedy
from sparsemem.doctor.needs import ADDRESSES, IOMEM, REGIONS
from sparsemem.doctor.rules import finding
from sparsemem.kernel.ioport import IORESOURCE_BUSY
from sparsemem.ranges import Range, format_range
from sparsemem.spec.limits import physmem_end
from sparsemem.units import TIB, format_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.doctor.context import Context
    from sparsemem.doctor.finding import Finding
    from sparsemem.kernel.ioport import Resource

__all__ = ["BusyRange", "DirectMap"]

_OURS = (
    "namespace",
    "dax",
    "region",
    "btt",
    "pfn",
    "pmem",
    "Persistent Memory",
    "Soft Reserved",
    "CXL Window",
    "ACPI0012",
    *(f"virtio{digit}" for digit in range(10)),
)


class BusyRange(Check):
    """A region in a range that iomem gives to somebody else: the driver can not reserve it."""

    id = "busy-range"
    question = "Does something else hold the addresses of a region or namespace?"
    about = "addresses that somebody else holds"
    needs = (REGIONS, IOMEM)
    finds = (Kind("device-range-busy", ("error", "warning"), "device-resource-busy"),)

    def nothing(self, ctx: Context) -> str | None:
        return no_regions(ctx)

    def _holder(self, ctx: Context, r: Range) -> Resource | None:
        for res in ctx.state.iomem.children:
            if res.start < r.end and r.start <= res.end and not (res.name or "").startswith(_OURS):
                if res.flags & IORESOURCE_BUSY:
                    return res
                inner = next(
                    (c for c in res.children if c.start < r.end and r.start <= c.end and c.flags & IORESOURCE_BUSY),
                    None,
                )
                if inner is not None and not (inner.name or "").startswith(_OURS):
                    return inner
        return None

    def run(self, ctx: Context) -> Iterator[Finding]:
        for device in ctx.devices:
            if device.kind not in ("namespace", "region"):
                continue
            enabled = device.namespace.enabled if device.namespace is not None else False
            holder = self._holder(ctx, device.range)
            if holder is None or (enabled and ctx.own_kernel):
                continue
            name = device.name if device.kind == "namespace" else device.name.replace("region", "namespace") + ".0"
            place = format_range(Range(holder.start, holder.end + 1))
            yield finding(
                "device-range-busy",
                "error",
                f'{device.name} lies in a range that "{holder.name}" ({place}) holds: its driver can not reserve it (-EBUSY), and the '
                "namespace does not come up.",
                "device-resource-busy",
                ranges=(device.range,),
                devices=(device.name,),
                errno="EBUSY",
                capacity=device.range.size,
                lost=True,
                kernel_says=(
                    f"nd_pmem {name}: could not reserve region [mem {device.range.start:#010x}-{device.range.end - 1:#010x}]",
                ),
                remedies=(
                    Remedy(
                        "Take the range out of the firmware's map of RAM (EFI or e820 map, device tree), or move the device."
                    ),
                    Remedy("See who holds it.", ("grep", "-n", "", "/proc/iomem")),
                ),
            )


class DirectMap(Check):
    """x86-64 with KASLR, between two changes: what lies more than 10 TiB above RAM has no place in the direct map."""

    id = "direct-map"
    question = "Does device memory lie beyond what the direct map reaches under KASLR?"
    about = "device memory beyond the direct map"
    needs = (ADDRESSES,)
    finds = (
        Kind(
            "beyond-direct-map",
            ("warning",),
            "addressable-range",
            "x86-64 with KASLR: 6.11 to 6.14, 6.1.110 and 6.6.51 and later",
        ),
    )

    def nothing(self, ctx: Context) -> str | None:
        return no_devices(ctx)

    def run(self, ctx: Context) -> Iterator[Finding]:
        if not ctx.ram.ranges or ctx.description is None:
            return  # a layout line says it with physmem_end=, and the mapping is tried under that
        words = (ctx.description.cmdline or "").split()
        end, whole = (
            physmem_end(ctx.kernel, ctx.ram.ranges[-1].end, kaslr="nokaslr" not in words),
            physmem_end(ctx.kernel),
        )
        if end == whole:
            return
        for device in ctx.devices:
            working = ctx.own_kernel and device.live and device.kind in ("namespace", "dax")
            if not device.maps or working or not end < device.range.end <= whole:
                continue
            yield finding(
                "beyond-direct-map",
                "warning",
                f"{device.name} ends at {device.range.end:#x}. With KASLR this kernel keeps the direct map to RAM and 10 TiB above "
                f"it, here {format_size(end // TIB * TIB)}: mapping the device is refused (-EINVAL), and there is no disk.",
                "addressable-range",
                ranges=(device.range,),
                devices=(device.name,),
                errno="EINVAL",
                capacity=device.range.size,
                kernel_says=(
                    f"Hotplug memory [{device.range.start:#x}-{device.range.end:#x}] exceeds maximum addressable range [0x0-{end - 1:#x}]",
                ),
                remedies=(
                    Remedy(
                        "Boot with nokaslr, or a kernel from 6.15 on (6.12.31, 6.1.141), which keeps the direct map whole."
                    ),
                    Remedy("In a virtual machine: let the hypervisor place the device right above RAM."),
                ),
            )
