"""``drivers/cxl/pmem.c``: persistent capacity of CXL memory devices. One bus; a DIMM a memory device, a region a CXL region. Bytes."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from sparsemem.kernel.ioport import IORES_DESC_PERSISTENT_MEMORY, IORESOURCE_MEM, Resource
from sparsemem.kernel.nvdimm import media
from sparsemem.kernel.nvdimm.core import ida_get, put
from sparsemem.kernel.nvdimm.label_bytes import nd_fletcher64
from sparsemem.kernel.nvdimm.nfit import nvdimm_bus_register
from sparsemem.kernel.nvdimm.types import Mapping, NdRegion, Nvdimm
from sparsemem.kernel.resource import insert_resource

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sparsemem.kernel.state import State

__all__ = [
    "PROVIDER",
    "CxlNvdimm",
    "cxl_nvdimm_bridge_probe",
    "cxl_nvdimm_of",
    "cxl_nvdimm_probe",
    "cxl_pmem_region_probe",
]

PROVIDER = "CXL"
_BRIDGE = "/sys/devices/platform/ACPI0017:00/root0/nvdimm-bridge0"
PERSIST = "nd_persist:"


class CxlNvdimm(NamedTuple):
    """What sysfs shows of a memory device in the cxl group of its DIMM."""

    provider: str
    id: int


def cxl_nvdimm_of(state: State, nvdimm: str) -> CxlNvdimm | None:
    """The CXL memory device behind a DIMM; None for one that is none."""
    found: CxlNvdimm | None = state.misc.get(f"cxl:{nvdimm}")
    return found


def cxl_nvdimm_bridge_probe(state: State) -> str:
    """The bus, made the first time; its name."""
    for name in state.nd.buses:
        if state.nd[name].provider == PROVIDER:
            return name
    return nvdimm_bus_register(state, PROVIDER, _BRIDGE)


def cxl_nvdimm_probe(
    state: State,
    bus: str,
    config_size: int,
    labels: Sequence[tuple[int, bytes]] = (),
    id: int | None = None,  # noqa: A002
) -> str:
    """A memory device becomes a DIMM whose labels count even while there are none; its name."""
    from sparsemem.kernel.nvdimm.bus import nd_device_register

    state.alloc("__nvdimm_create")
    number = id if id is not None else ida_get(state.nd[name].id for name in state.nd.dimms)
    name = f"nmem{number}"
    serial = sum(state.nd[each].bus == bus for each in state.nd.dimms)
    state.put(state.misc, f"cxl:{name}", CxlNvdimm(f"pmem{serial}", serial))
    for offset, data in labels:
        media.write_label_area(state, name, offset, data)
    put(state, Nvdimm(name, number, bus, serial, config_size, labeling=True))
    nd_device_register(state, name)
    return name


def cxl_pmem_region_probe(
    state: State, bus: str, start: int, size: int, nvdimms: Sequence[str], *, numa_node: int = 0, target_node: int = 0,
    id: int | None = None,  # noqa: A002
) -> str | None:  # fmt: skip
    """A CXL region of persistent capacity becomes a region of the bus; its name, None where a mapping is not page aligned.

    Raises Refusal(EBUSY): its range overlaps something else in the iomem tree.
    """
    from sparsemem.kernel.nvdimm.bus import nd_device_register
    from sparsemem.kernel.nvdimm.region_devs import nd_region_create

    new = Resource(start, start + size - 1, "Persistent Memory", IORESOURCE_MEM, IORES_DESC_PERSISTENT_MEMORY, ())
    state.iomem = insert_resource(state.iomem, new)
    each = size // len(nvdimms)
    cookie = nd_fletcher64(b"".join(struct.pack("<QQ", 0, state.nd[name].serial) for name in nvdimms))
    mappings = tuple(Mapping(name, 0, each, index) for index, name in enumerate(nvdimms))
    number = id if id is not None else ida_get(state.nd[name].id for name in state.nd.regions)
    region = NdRegion(
        f"region{number}",
        number,
        bus,
        start,
        size,
        mappings,
        0,
        cookie,
        cookie,
        numa_node=numa_node,
        target_node=target_node,
    )
    name = nd_region_create(state, region)
    if name is not None:
        state.put(state.misc, f"{PERSIST}{name}", "memory_controller")
        nd_device_register(state, name)
    return name
