"""Free addresses in the iomem tree: ``get_free_mem_region`` of kernel/resource.c, for device-private memory and CXL
regions.
"""

from __future__ import annotations

import errno

from sparsemem.kernel._resource_tree import path_to
from sparsemem.kernel.ioport import IORES_DESC_DEVICE_PRIVATE_MEMORY, IORESOURCE_MEM, Resource
from sparsemem.kernel.refusal import Refusal
from sparsemem.kernel.resource import (
    ConflictError,
    __insert_resource,
    __request_region,
    update_resource,
)
from sparsemem.kernel.resource_query import REGION_DISJOINT, region_intersects

__all__ = ["alloc_free_mem_region", "request_free_mem_region"]


def request_free_mem_region(
    root: Resource,
    base: Resource,
    size: int,
    name: str,
    *,
    section_size: int,
    physmem_end: int,
    steps_by_align: bool = True,
) -> tuple[Resource, Resource]:
    """Reserve free addresses for device-private memory, from the top down: (new root, region).

    Raises Refusal(ERANGE) when there is no room. ``physmem_end`` is the last byte the direct map can reach;
    ``steps_by_align`` False tries only every ``size`` bytes.
    """
    size = -(-size // section_size) * section_size
    step = section_size if steps_by_align else size
    addr = min(base.end, physmem_end) - size + 1
    while addr > step and addr >= base.start:
        if region_intersects(base, addr, size, 0) == REGION_DISJOINT:
            got = __request_region(root, addr, size, name)
            if got is None:
                break
            return update_resource(*got, desc=IORES_DESC_DEVICE_PRIVATE_MEMORY)
        addr -= step
    raise Refusal(errno.ERANGE, "get_free_mem_region", "resource-busy")


def alloc_free_mem_region(
    root: Resource, base: Resource, size: int, align: int, name: str, *, physmem_end: int, steps_by_align: bool = True
) -> tuple[Resource, Resource]:
    """Insert a new entry over free addresses of ``base`` (a CXL window), from the bottom up: (new root, entry).

    Raises Refusal(ERANGE) when there is no room.
    """
    size = -(-size // align) * align
    addr = -(-max(base.start, align) // align) * align
    while addr <= min(base.end, physmem_end):
        if region_intersects(base, addr, size, 0) == REGION_DISJOINT:
            new = Resource(addr, addr + size - 1, name, IORESOURCE_MEM)
            try:
                return __insert_resource(root, new, path_to(root, base, "get_free_mem_region")), new
            except ConflictError:
                break
        addr += align if steps_by_align else size
    raise Refusal(errno.ERANGE, "get_free_mem_region", "resource-busy")
