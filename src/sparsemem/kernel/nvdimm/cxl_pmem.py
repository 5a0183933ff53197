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
from sparsemem.kernel.resource import insert_resource, remove_resource

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
    "cxl_pmem_region_remove",
]

PROVIDER = "CXL"
_BRIDGE = "/sys/devices/platform/ACPI0017:00/root0/nvdimm-bridge0"
PERSIST = "nd_persist:"
_MAX_XFER = 2040  # the mailbox of QEMU's device takes 2048 bytes, the header of a label command 8


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
    *,
    serial: int | None = None,
    device: str = "",
) -> str:
    """A memory device becomes a DIMM whose labels count even while there are none; its name.

    ``serial`` and ``device`` ("pmem0"): where they are not those of the next one.
    """
    from sparsemem.kernel.nvdimm.bus import nd_device_register

    state.alloc("__nvdimm_create")
    number = id if id is not None else ida_get(state.nd[name].id for name in state.nd.dimms)
    name = f"nmem{number}"
    count = sum(state.nd[each].bus == bus for each in state.nd.dimms)
    serial = count if serial is None else serial
    state.put(state.misc, f"cxl:{name}", CxlNvdimm(device or f"pmem{count}", serial))
    for offset, data in labels:
        media.write_label_area(state, name, offset, data)
    put(state, Nvdimm(name, number, bus, serial, config_size, labeling=True, max_xfer=_MAX_XFER))
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


def cxl_pmem_region_remove(state: State, name: str, start: int, size: int) -> None:
    """The region goes, then its entry in the iomem tree: what was in that stays."""
    from sparsemem.kernel.nvdimm.bus import nd_device_unregister

    nd_device_unregister(state, name)
    state.drop(state.misc, f"{PERSIST}{name}")
    old = Resource(start, start + size - 1, "Persistent Memory", IORESOURCE_MEM, IORES_DESC_PERSISTENT_MEMORY, ())
    state.iomem = remove_resource(state.iomem, old)
