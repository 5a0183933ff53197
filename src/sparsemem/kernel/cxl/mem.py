"""``drivers/cxl/mem.c`` and what finds the devices at boot: memory devices get an endpoint port with a decoder, and a DIMM of libnvdimm."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sparsemem.kernel import dd
from sparsemem.kernel.cxl.attach import cxl_region_detach
from sparsemem.kernel.cxl.core import (
    PORT_DECODER,
    CxlDecoder,
    CxlMemdev,
    CxlRoot,
    drop,
    endpoint_decoder,
    memdev_of,
    memdevs,
    put,
)
from sparsemem.kernel.cxl.hdm import init_hdm_decoder
from sparsemem.kernel.nvdimm.bus import nd_device_unregister
from sparsemem.kernel.nvdimm.core import ida_get
from sparsemem.kernel.nvdimm.cxl_pmem import cxl_nvdimm_bridge_probe, cxl_nvdimm_probe
from sparsemem.kernel.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sparsemem.kernel.state import State

__all__ = ["Device", "cxl_acpi_probe", "mem_bind", "mem_unbind"]

_FIRST_ENDPOINT = 2  # port 0 is the root, port 1 the host bridge


class Device(NamedTuple):
    """A memory device as the hypervisor made it: bytes, serial number (0: none), and bytes of its label area."""

    size: int
    serial: int
    lsa_size: int


def cxl_acpi_probe(
    state: State,
    start: int,
    size: int,
    devices: Sequence[Device],
    *,
    dports: int,
    taken: frozenset[int] = frozenset(),
    flushes: bool = True,
    interrupts: bool = True,
) -> None:
    """The root with a window, a host bridge of ``dports`` root ports, and a device below each of the first. ``taken``: numbers of regions
    that others have; ``flushes``: no hypervisor hides the CPU's caches; ``interrupts``: the kernel takes message interrupts."""
    names = tuple(f"mem{index}" for index in range(len(devices)))
    missed = state.kernel.features.cxl_event_interrupts and interrupts
    next_id = next(each for each in range(len(taken) + 1) if each not in taken)
    root = CxlRoot(start, size, () if missed else names, (), next_id, taken, dports, len(names), flushes, interrupts)
    put(state, root)
    put(state, CxlDecoder(PORT_DECODER, targets=(0,)))
    cxl_nvdimm_bridge_probe(state)
    if missed:
        return
    for index, (name, device) in enumerate(zip(names, devices, strict=True)):
        put(state, CxlMemdev(name, index, index, device.size, device.serial, device.lsa_size))
    for name in names:
        _cxl_mem_probe(state, name)


def _nvdimm(state: State, name: str) -> None:
    memdev = memdev_of(state, name)
    if memdev.nvdimm:
        return
    bus = cxl_nvdimm_bridge_probe(state)
    if state.kernel.features.cxl_dirty_shutdown:
        state.log("warn", f"cxl_nvdimm pmem{memdev.id}: GPF: could not set dirty shutdown state")
    number = ida_get(state.nd[each].id for each in state.nd.dimms)
    _move_labels(state, f"{name}:label", f"nmem{number}:label")
    nmem = cxl_nvdimm_probe(state, bus, memdev.lsa_size, serial=memdev.serial, device=f"pmem{memdev.id}")
    put(state, memdev._replace(nvdimm=nmem))


def _move_labels(state: State, old: str, new: str) -> None:
    """A label area is kept under the name of its DIMM, and under its device's while it has none."""
    for medium, base in [key for key in state.media if key[0] == old]:
        state.put(state.media, (new, base), state.media[medium, base])
        state.drop(state.media, (medium, base))


def _cxl_mem_probe(state: State, name: str) -> None:
    """Raises Refusal(ENXIO): the decoder of its endpoint port is not as it should be."""
    memdev = memdev_of(state, name)
    used = {each.endpoint for each in memdevs(state)}
    endpoint = next(each for each in range(_FIRST_ENDPOINT, _FIRST_ENDPOINT + len(used) + 1) if each not in used)
    _nvdimm(state, name)
    try:
        init_hdm_decoder(state, memdev._replace(endpoint=endpoint))
    except Refusal:
        state.log("err", f"cxl_mem {name}: endpoint{endpoint} failed probe")
        _release_nvdimm(state, name)
        raise
    put(state, memdev_of(state, name)._replace(bound=True, endpoint=endpoint))


def _release_nvdimm(state: State, name: str) -> None:
    memdev = memdev_of(state, name)
    if state.kernel.features.cxl_nvdimm_of_memdev and memdev.nvdimm:
        nd_device_unregister(state, memdev.nvdimm)
        _move_labels(state, f"{memdev.nvdimm}:label", f"{name}:label")
        state.drop(state.misc, f"cxl:{memdev.nvdimm}")
        put(state, memdev._replace(nvdimm=""))


def mem_bind(state: State, name: str) -> None:
    """Give a memory device to the driver cxl_mem. Raises Refusal: ENODEV (no such device), EBUSY, ENXIO."""
    found = [each for each in memdevs(state) if each.name == name]
    bound = bool(found) and found[0].bound
    dd.bind(state, bound=bound, matches=bool(found), probe=lambda: _cxl_mem_probe(state, name))


def mem_unbind(state: State, name: str) -> None:
    """Take it away: its endpoint port goes, and with its decoder the region that it is in. Raises Refusal(ENODEV)."""
    found = [each for each in memdevs(state) if each.name == name and each.bound]
    if not found:
        raise Refusal(19, "unbind_store", "driver-match")
    decoder = endpoint_decoder(found[0])
    cxl_region_detach(state, decoder)
    drop(state, decoder)
    _release_nvdimm(state, name)
    put(state, memdev_of(state, name)._replace(bound=False, endpoint=0))
