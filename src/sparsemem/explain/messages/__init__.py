"""Every message the project knows, by subsystem."""

from __future__ import annotations

from sparsemem.explain.messages import (
    arch,
    btt,
    chmem,
    cxl,
    dax,
    filesystem,
    hypervisor,
    info_block,
    kmem,
    memory_block,
    memory_hotplug,
    memremap,
    ndctl,
    ndctl_verbose,
    nvdimm,
    offline,
    resource,
    sparse,
    tools,
    virtio_mem,
)

__all__ = ["MESSAGES"]

MESSAGES = (
    *memory_hotplug.MESSAGES,
    *offline.MESSAGES,
    *memory_block.MESSAGES,
    *memremap.MESSAGES,
    *sparse.MESSAGES,
    *nvdimm.MESSAGES,
    *info_block.MESSAGES,
    *kmem.MESSAGES,
    *dax.MESSAGES,
    *resource.MESSAGES,
    *ndctl.MESSAGES,
    *ndctl_verbose.MESSAGES,
    *tools.MESSAGES,
    *chmem.MESSAGES,
    *arch.MESSAGES,
    *cxl.MESSAGES,
    *btt.MESSAGES,
    *filesystem.MESSAGES,
    *virtio_mem.MESSAGES,
    *hypervisor.MESSAGES,
)
"""All records; the order decides between two that fit a line equally well."""
