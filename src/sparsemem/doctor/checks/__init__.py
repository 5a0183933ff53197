"""The checks, by what they look at; ``CHECKS`` is the order in which they run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.doctor.checks import (
    access,
    alignment,
    blocks,
    capacity,
    cxl,
    dax,
    half_made,
    hotplug,
    info_blocks,
    kmem,
    labels,
    mappings,
    memmap,
    regions,
    resources,
    sections,
    steps,
    tdx,
    virtio_mem,
)

if TYPE_CHECKING:
    from sparsemem.doctor.check import Check

__all__ = ["CHECKS"]

CHECKS: tuple[Check, ...] = (
    access.Access(),
    sections.Invariants(),
    steps.Steps(),
    mappings.Mappings(),
    mappings.Neighbours(),
    alignment.SharedSubSection(),
    sections.BesideRam(),
    sections.SharedTeardown(),
    memmap.MemmapPieces(),
    resources.BusyRange(),
    resources.DirectMap(),
    blocks.PartlyRam(),
    hotplug.HotplugRoom(),
    hotplug.EarlyEdges(),
    virtio_mem.VirtioMemRegions(),
    dax.TargetNode(),
    dax.AutoOnline(),
    dax.PartlyOnline(),
    dax.Movable(),
    tdx.TdxHost(),
    kmem.Kmem(),
    cxl.CxlWindows(),
    cxl.LowMemoryHole(),
    cxl.SoftReserved(),
    cxl.CxlUnused(),
    half_made.HalfMade(),
    regions.LabelLess(),
    regions.FreeInSection(),
    regions.FreeOffSubSection(),
    alignment.InterleaveUnit(),
    alignment.AlignCost(),
    alignment.NewerKernels(),
    capacity.FreeSpace(),
    capacity.CutNamespaces(),
    capacity.PageArrays(),
    labels.LabelAreas(),
    labels.LabelSets(),
    info_blocks.InfoBlocks(),
)
"""Every check."""
