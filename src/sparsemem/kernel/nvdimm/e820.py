"""``drivers/nvdimm/e820.c``: "Persistent Memory (legacy)" of the firmware map or of ``memmap=SIZE!START``. One bus, a region a range."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.kernel.nvdimm.core import ida_get
from sparsemem.kernel.nvdimm.nfit import nvdimm_bus_register
from sparsemem.kernel.nvdimm.types import NdRegion

if TYPE_CHECKING:
    from sparsemem.kernel.state import State

__all__ = ["PROVIDER", "e820_register_one"]

PROVIDER = "e820"
_PARENT = "/sys/devices/platform/e820_pmem"


def e820_register_one(
    state: State,
    start: int,
    size: int,
    *,
    numa_node: int = 0,
    target_node: int = 0,
    id: int | None = None,  # noqa: A002
) -> str | None:
    """A range becomes a region without DIMMs whose namespace gets pages; its name, None where it could not be made."""
    from sparsemem.kernel.nvdimm.bus import nd_device_register
    from sparsemem.kernel.nvdimm.region_devs import nd_region_create

    bus = next((name for name in state.nd.buses if state.nd[name].provider == PROVIDER), None)
    if bus is None:
        bus = nvdimm_bus_register(state, PROVIDER, _PARENT)
    number = id if id is not None else ida_get(state.nd[name].id for name in state.nd.regions)
    region = NdRegion(
        f"region{number}", number, bus, start, size, (), 0, pagemap=True, numa_node=numa_node, target_node=target_node
    )
    name = nd_region_create(state, region)
    if name is not None:
        nd_device_register(state, name)
    return name
