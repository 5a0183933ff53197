"""What a machine has that a difference between two kernels may touch."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from sparsemem.doctor.verdict import shared_parts
from sparsemem.units import MIB, TIB

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.doctor.context import Context
    from sparsemem.machine.description import MachineDescription

__all__ = ["TRAITS", "traits"]

TRAITS: dict[str, str] = {
    "ram": "it has RAM in memory blocks",
    "tail": "its RAM ends inside a section",
    "two-zones": "a memory block spans zones",
    "partial-block": "a memory block is not all RAM",
    "plug": "a virtual machine, or RAM from a device: memory comes and goes",
    "nodes": "it has more than one node",
    "device": "it has device memory that gets struct pages",
    "mixed": "device memory shares a section with RAM",
    "shared": "two devices share a section",
    "pad": "a device's end shares a section with RAM or with another region",
    "misaligned": "a device starts or ends off a sub-section",
    "high": "device memory lies more than 10 TiB above RAM",
    "regions": "it has libnvdimm regions or legacy persistent memory",
    "nfit": "it has DIMMs of persistent memory",
    "labels": "its regions have labels",
    "unlabelled": "it has regions without labels",
    "small-region": "it has a region below 16 MiB",
    "pfn": "it has fsdax or devdax namespaces",
    "fsdax": "it has fsdax namespaces",
    "devdax": "it has devdax namespaces",
    "map-dev": "it has namespaces with map=dev",
    "sector": "it has sector-mode namespaces",
    "force-raw": "it has legacy memory forced raw",
    "dax": "it has device-dax devices, or could make them",
    "devdax-mem": "it has device-dax memory whose page array is in RAM",
    "multi-range": "it has a dax device of several ranges",
    "kmem": "a dax device is System RAM",
    "soft": "it has soft-reserved memory",
    "cxl": "it has CXL windows",
    "soft-cxl": "soft-reserved memory lies in a CXL window",
    "virtio-mem": "it has virtio-mem memory",
    "virtio-pmem": "it has virtio-pmem memory",
    "mem-parameter": "mem= is on its command line",
    "memmap-on-memory": "memory_hotplug.memmap_on_memory is on its command line",
    "online-policy": "memory_hotplug.online_policy is on its command line",
    "ecam": "its iomem names the PCI configuration space",
    "pnp": "its iomem names PnP devices",
    "apic": "its iomem names the local APIC",
    "never": "no machine: a kernel's inner life, a fault of a driver, or a build unlike those of distributions",
}
"""Every trait in words: why a change was left out, or is told."""


def _names(ctx: Context) -> list[str]:
    return [res.name or "" for _, res in ctx.state.iomem.walk()]


def _of_iomem(ctx: Context) -> Iterator[str]:
    names = _names(ctx)
    for trait, words in (("ecam", ("PCI MMCONFIG", "PCI ECAM")), ("pnp", ("pnp 0", "PNP0")), ("apic", ("Local APIC",)),
                         ("soft", ("Soft Reserved",)), ("cxl", ("CXL Window",)), ("virtio-mem", ("virtio", "System RAM (virtio_mem)")),
                         ("virtio-pmem", ("virtio-pmem", "virtio_pmem"))):  # fmt: skip
        if any(name.startswith(words) for name in names):
            yield trait
    for top in ctx.state.iomem.children:
        inner = [res.name or "" for _, res in top.walk()]
        if any(name.startswith("CXL Window") for name in inner) and any(n.startswith("Soft Reserved") for n in inner):
            yield "soft-cxl"


def _of_ram(ctx: Context) -> Iterator[str]:
    if not ctx.ram.ranges:
        return
    yield "ram"
    if ctx.ram.ranges[-1].end % ctx.section:
        yield "tail"
    if any(block.early and block.zone is None for block in ctx.state.blocks.values()):
        yield "two-zones"
    if any(r.start % ctx.block_size or r.end % ctx.block_size for r in ctx.ram.ranges if r.start >= MIB):
        yield "partial-block"
    top = -(-ctx.ram.ranges[-1].end // TIB) * TIB + 10 * TIB
    if any(device.range.end > top for device in ctx.devices):
        yield "high"
    if len({nid for _, _, nid in ctx.machine.layout.ram}) > 1 or "possible_nodes" in dict(ctx.machine.layout.options):
        yield "nodes"


def _of_devices(ctx: Context) -> Iterator[str]:
    unit = ctx.kernel.geometry.SUBSECTION_SIZE
    maps = [device for device in ctx.devices if device.maps]
    for device in maps:
        yield "device"
        if (device.range.start | device.range.end) % unit:
            yield "misaligned"
        before, after = shared_parts(ctx, device.range)
        if ctx.ram.touches(before) or ctx.ram.touches(after):
            yield from ("mixed", "pad")
        if ctx.regions.touches(before) or ctx.regions.touches(after):
            yield "pad"
    for left, right in pairwise(maps):
        if left.range.end % ctx.section and left.range.end // ctx.section == right.range.start // ctx.section:
            yield "shared"
    for device in ctx.devices:
        if device.kind in ("legacy", "pmem", "region", "namespace"):
            yield "regions"
        if device.kind == "legacy":
            yield "unlabelled"
        if device.kind in ("soft", "dax"):
            yield "dax"


def _of_namespaces(description: MachineDescription) -> Iterator[str]:
    for fact in description.namespaces:
        if fact.mode in ("fsdax", "devdax", "sector"):
            yield fact.mode
        if fact.mode in ("fsdax", "devdax"):
            yield "pfn"
            if fact.map == "dev":
                yield "map-dev"
        if fact.mode == "devdax":
            yield "dax"
            if fact.map == "mem":
                yield "devdax-mem"
        if fact.force_raw:
            yield "force-raw"
    for region in description.regions:
        yield "regions"
        if region.mappings:
            yield "nfit"
        yield "labels" if region.labels or (region.mappings and region.labels is None) else "unlabelled"
        if region.size < 16 * MIB:
            yield "small-region"


def _of_description(ctx: Context, description: MachineDescription) -> Iterator[str]:
    yield from _of_namespaces(description)
    modes = {fact.dev for fact in description.namespaces if fact.mode == "devdax"}
    for dax in description.dax:
        yield "dax"
        if dax.mode == "system-ram":
            yield from ("kmem", "plug")
        elif f"namespace{dax.dev[3:]}" not in modes:
            yield "devdax-mem"
        if len(dax.ranges) > 1:
            yield "multi-range"
    if description.hypervisor:
        yield "plug"
    words = (description.cmdline or "").split()
    for prefix, trait in (("mem=", "mem-parameter"), ("memory_hotplug.memmap_on_memory", "memmap-on-memory"),
                          ("memory_hotplug.online_policy", "online-policy")):  # fmt: skip
        if any(word.startswith(prefix) for word in words):
            yield trait


def traits(ctx: Context) -> frozenset[str]:
    """The traits of the machine, as this kernel sees it."""
    found = {*_of_iomem(ctx), *_of_ram(ctx), *_of_devices(ctx)}
    if ctx.description is not None:
        found |= set(_of_description(ctx, ctx.description))
    elif any(op.name.startswith(("add_memory", "remove_memory")) for op in ctx.machine.history):
        found.add("plug")
    if "cxl" in found:
        found |= {"dax", "plug"}
    return frozenset(found)
