"""Every message the project knows, by subsystem."""

from __future__ import annotations

from sparsemem.explain.messages import dax, memory_block, memory_hotplug, memremap, nvdimm, offline, resource, sparse, tools

__all__ = ["MESSAGES"]

MESSAGES = (
    *memory_hotplug.MESSAGES,
    *offline.MESSAGES,
    *memory_block.MESSAGES,
    *memremap.MESSAGES,
    *sparse.MESSAGES,
    *nvdimm.MESSAGES,
    *dax.MESSAGES,
    *resource.MESSAGES,
    *tools.MESSAGES,
)
"""All records; the order decides between two that fit a line equally well."""
