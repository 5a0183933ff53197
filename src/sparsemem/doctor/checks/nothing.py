"""Why a machine has nothing to check: the answers that several checks share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.kernel.ioport import IORES_DESC_PERSISTENT_MEMORY_LEGACY
from sparsemem.kernel.memory_block_size import cxl_windows

if TYPE_CHECKING:
    from sparsemem.doctor.context import Context

__all__ = [
    "no_cxl",
    "no_dax",
    "no_devices",
    "no_legacy",
    "no_namespaces",
    "no_ram",
    "no_regions",
    "no_steps",
    "no_windows",
]


def no_devices(ctx: Context) -> str | None:
    """No range of device memory."""
    return None if ctx.devices else "there is no device memory"


def no_legacy(ctx: Context) -> str | None:
    """No range of type 12, what memmap= makes."""
    found = any(res.desc == IORES_DESC_PERSISTENT_MEMORY_LEGACY for res in ctx.state.iomem.children)
    return None if found else "there is no memory of memmap="


def no_regions(ctx: Context) -> str | None:
    """No libnvdimm region."""
    return None if ctx.description is not None and ctx.description.regions else "there are no regions"


def no_namespaces(ctx: Context) -> str | None:
    """No namespace."""
    return None if ctx.description is not None and ctx.description.namespaces else "there are no namespaces"


def no_dax(ctx: Context) -> str | None:
    """No dax device."""
    return None if ctx.description is not None and ctx.description.dax else "there are no dax devices"


def no_cxl(ctx: Context) -> str | None:
    """No CXL memory device in sysfs, as far as that was read."""
    found = ctx.description.cxl if ctx.description is not None else None
    return None if found is not None and found.devices else "there are no CXL memory devices"


def no_windows(ctx: Context) -> str | None:
    """No CXL window in the iomem tree."""
    return None if cxl_windows(ctx.state.iomem) else "there are no CXL windows"


def no_ram(ctx: Context) -> str | None:
    """No RAM, or none that could be hot-plugged."""
    if not ctx.ram.ranges:
        return "no RAM is described"
    bare = ctx.description is not None and ctx.description.hypervisor is False
    return "this is no virtual machine" if bare else None


def no_steps(ctx: Context) -> str | None:
    """A machine as it was captured, or a layout line without operations."""
    return None if ctx.answers and not ctx.captured else "there are no steps"
