"""``drivers/nvdimm/virtio_pmem.c``: a virtio-pmem device. A bus each, with one region without DIMMs that is flushed by the host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.kernel.nvdimm.core import ida_get
from sparsemem.kernel.nvdimm.nfit import nvdimm_bus_register
from sparsemem.kernel.nvdimm.types import NdRegion

if TYPE_CHECKING:
    from sparsemem.kernel.state import State

__all__ = ["PROVIDER", "virtio_pmem_probe"]

PROVIDER = "virtio-pmem"


def virtio_pmem_probe(
    state: State,
    start: int,
    size: int,
    *,
    numa_node: int = 0,
    target_node: int = 0,
    id: int | None = None,  # noqa: A002
    flush_fails: bool = False,
) -> str | None:
    """The device's memory becomes a region whose namespace gets pages; its name, None where it could not be made.

    ``flush_fails``: the host answers each flush with an error, as QEMU does for memory without a file behind it.
    """
    from sparsemem.kernel.nvdimm.bus import nd_device_register
    from sparsemem.kernel.nvdimm.region_devs import nd_region_create

    slot = sum(state.nd[name].provider == PROVIDER for name in state.nd.buses)
    bus = nvdimm_bus_register(state, PROVIDER, f"/sys/devices/pci0000:00/0000:00:{slot + 2:02x}.0/virtio{slot}")
    if not state.kernel.features.virtio_pmem_has_node:
        numa_node, target_node = -1, 0
    number = id if id is not None else ida_get(state.nd[name].id for name in state.nd.regions)
    region = NdRegion(
        f"region{number}",
        number,
        bus,
        start,
        size,
        (),
        0,
        pagemap=True,
        async_flush=True,
        flush_fails=flush_fails,
        numa_node=numa_node,
        target_node=target_node,
    )
    name = nd_region_create(state, region)
    if name is None:
        bus_name = bus.removeprefix("ndbus")
        state.log("err", f"virtio_pmem virtio{bus_name}: failed to create nvdimm region")
        state.drop(state.nd, bus)
        return None
    nd_device_register(state, name)
    return name
