"""``drivers/acpi/nfit/core.c``: DIMMs and interleave sets of the ACPI NFIT become devices of a libnvdimm bus. Bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sparsemem.kernel.ioport import IORES_DESC_PERSISTENT_MEMORY, IORESOURCE_MEM, Resource
from sparsemem.kernel.nvdimm import media
from sparsemem.kernel.nvdimm.core import ida_get, put
from sparsemem.kernel.nvdimm.interleave import QEMU_SERIAL, acpi_nfit_init_interleave_set
from sparsemem.kernel.nvdimm.types import Mapping, NdRegion, Nvdimm, NvdimmBus
from sparsemem.kernel.refusal import Refusal
from sparsemem.kernel.resource import REGION_INTERSECTS, insert_resource, region_intersects

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sparsemem.kernel.nvdimm.interleave import SetMember
    from sparsemem.kernel.state import State

__all__ = [
    "LINE",
    "PROVIDER",
    "Dimm",
    "NfitMem",
    "acpi_nfit_init",
    "acpi_nfit_register_dimm",
    "acpi_nfit_register_region",
    "nfit_mem_of",
    "nfit_spa_of",
    "nvdimm_bus_register",
]

PROVIDER = "ACPI.NFIT"
LINE = 4096
"""Bytes of a set on one DIMM before the next one follows."""


class NfitMem(NamedTuple):
    """``struct nfit_mem``: what the NFIT says of a DIMM, in the byte order in which sysfs prints it. ``family`` -1: no commands."""

    handle: int
    serial: int
    id: str
    phys_id: int = 0
    vendor: int = 0x8680
    device: int = 0x0100
    rev_id: int = 0x0100
    subsystem_vendor: int = 0
    subsystem_device: int = 0
    subsystem_rev_id: int = 0
    format: int = 0x0301
    family: int = -1
    dsm_mask: int = 0
    flags: str = ""


class Dimm(NamedTuple):
    """A DIMM as QEMU describes it: its ``slot`` gives handle, serial number and SPA. ``config_size``: bytes of its label area,
    whose content is ``labels``."""

    slot: int
    config_size: int = 0
    labels: tuple[tuple[int, bytes], ...] = ()
    id: int | None = None
    unarmed: bool = False


def nfit_mem_of(state: State, nvdimm: str) -> NfitMem | None:
    """What the NFIT says of a DIMM; None for one that is not from there."""
    found: NfitMem | None = state.misc.get(f"nfit:{nvdimm}")
    return found


def nfit_spa_of(state: State, region: str) -> int | None:
    """The number of the SPA range of a region; None for one that is not from the NFIT."""
    found: int | None = state.misc.get(f"nfit:{region}")
    return found


def nvdimm_bus_register(state: State, provider: str, parent: str) -> str:
    """A bus below the device ``parent`` (a path in sysfs); its name."""
    state.alloc("nvdimm_bus_register")
    number = ida_get(state.nd[name].id for name in state.nd.buses)
    bus = NvdimmBus(f"ndbus{number}", number, provider, f"{parent}/ndbus{number}")
    put(state, bus)
    return bus.name


def acpi_nfit_init(state: State) -> str:
    """The bus of the NFIT, made the first time; its name."""
    for name in state.nd.buses:
        if state.nd[name].provider == PROVIDER:
            return name
    platform = state.kernel.features.nfit_platform_driver
    parent = "/sys/devices/platform/ACPI0012:00" if platform else "/sys/devices/LNXSYSTM:00/LNXSYBUS:00/ACPI0012:00"
    return nvdimm_bus_register(state, PROVIDER, parent)


def _dev(state: State) -> str:
    return "acpi-nfit ACPI0012:00" if state.kernel.features.nfit_platform_driver else "nfit ACPI0012:00"


def _swap32(value: int) -> int:
    return int.from_bytes(value.to_bytes(4, "little"), "big")


def acpi_nfit_register_dimm(state: State, bus: str, dimm: Dimm) -> str:
    """A DIMM is announced on the bus, which probes it; its name."""
    from sparsemem.kernel.nvdimm.bus import nd_device_register

    state.alloc("__nvdimm_create")
    number = dimm.id if dimm.id is not None else ida_get(state.nd[name].id for name in state.nd.dimms)
    name = f"nmem{number}"
    serial = _swap32(QEMU_SERIAL + dimm.slot)
    has = dimm.config_size > 0
    mem = NfitMem(dimm.slot + 1, serial, f"8680-{serial:08x}", family=0 if has else -1, dsm_mask=0x70 if has else 0)
    if dimm.unarmed:
        mem = mem._replace(flags="not_armed ")
    state.put(state.misc, f"nfit:{name}", mem)
    for offset, data in dimm.labels:
        media.write_label_area(state, name, offset, data)
    put(state, Nvdimm(name, number, bus, serial, dimm.config_size, unarmed=dimm.unarmed))
    nd_device_register(state, name)
    return name


def _insert_persistent_memory(state: State, start: int, size: int) -> None:
    """``acpi_nfit_insert_resource``: the range is in the iomem tree as persistent memory. Raises Refusal(EBUSY)."""
    found = region_intersects(state.iomem, start, size, IORESOURCE_MEM, IORES_DESC_PERSISTENT_MEMORY)
    if found != REGION_INTERSECTS:
        new = Resource(start, start + size - 1, "Persistent Memory", IORESOURCE_MEM, IORES_DESC_PERSISTENT_MEMORY, ())
        state.iomem = insert_resource(state.iomem, new)


def acpi_nfit_register_region(
    state: State,
    bus: str,
    start: int,
    size: int,
    nvdimms: Sequence[str],
    members: Sequence[SetMember],
    *,
    range_index: int,
    dpa: Sequence[int] | int = 0,
    numa_node: int = 0,
    target_node: int = 0,
    by_address: bool = False,
    id: int | None = None,  # noqa: A002  (the kernel's word)
) -> str | None:
    """An interleave set of these DIMMs (each from byte ``dpa`` of its own; ``members``: what the NFIT says of them, in that order)
    becomes a region, which is probed; its name.

    ``by_address``: the NFIT's domain is unknown, so both nodes are those of the address, and the log says so (v5.17+).

    None where the range is taken or a mapping is not page aligned: logged, as in the kernel.
    """
    from sparsemem.kernel.nvdimm.bus import nd_device_register
    from sparsemem.kernel.nvdimm.region_devs import nd_region_create

    if by_address and state.kernel.features.nfit_node_by_address:
        span = f"nfit region [{start:#018x}-{start + size - 1:#018x}]"
        state.log("info", f"{_dev(state)}: changing numa node from -1 to {numa_node} for {span}")
        state.log("info", f"{_dev(state)}: changing target node from -1 to {target_node} for {span}")
    try:
        _insert_persistent_memory(state, start, size)
    except Refusal as refusal:
        state.log("warn", f"{_dev(state)}: failed to insert pmem resource to iomem: -{refusal.errno}")
        state.log("err", f"{_dev(state)}: failed to register spa range {range_index}")
        return None
    each, found = size // len(nvdimms), acpi_nfit_init_interleave_set(members)
    starts = [dpa] * len(nvdimms) if isinstance(dpa, int) else list(dpa)
    mappings = tuple(Mapping(name, starts[i], each, found.position[i]) for i, name in enumerate(nvdimms))
    number = id if id is not None else ida_get(state.nd[name].id for name in state.nd.regions)
    region = NdRegion(
        f"region{number}",
        number,
        bus,
        start,
        size,
        mappings,
        0,
        found.cookie1,
        found.cookie2,
        numa_node=numa_node,
        target_node=target_node,
    )
    name = nd_region_create(state, region)
    if name is None:
        state.log("err", f"{_dev(state)}: failed to register spa range {range_index}")
        return None
    state.put(state.misc, f"nfit:{name}", range_index)
    nd_device_register(state, name)
    return name
