"""A board of labelled DIMMs, for tests of labels and namespaces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.kernel.nvdimm import bus, media, namespace_devs
from sparsemem.kernel.nvdimm.core import nvdimm_of, region_of
from sparsemem.kernel.nvdimm.interleave import qemu_member
from sparsemem.kernel.nvdimm.label_area import fresh
from sparsemem.kernel.nvdimm.nfit import Dimm, acpi_nfit_init, acpi_nfit_register_dimm, acpi_nfit_register_region
from sparsemem.machine.notation import parse_machine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sparsemem.kernel.nvdimm.types import NdNamespace
    from sparsemem.kernel.state import State

__all__ = ["GIB", "MIB", "area", "board", "identity", "make", "namespaces", "reboot", "rescan", "uuid"]

MIB, GIB = 1 << 20, 1 << 30
START = 4 * GIB
AREA = 8 << 10


def uuid(number: int) -> str:
    """A uuid for namespace ``number``."""
    return f"8d1ed20a-9d0c-4f0b-bb65-26d4b2a7{number:04x}"


def board(version: str, areas: Sequence[bytes], *, size: int = 256 * MIB, dpa: Sequence[int] | int = 0) -> State:
    """DIMMs with these label areas, interleaved as one region of ``size`` bytes a DIMM."""
    state = parse_machine(f"{version}; 0-1G ram").state
    nfit = acpi_nfit_init(state)
    names = [
        acpi_nfit_register_dimm(state, nfit, Dimm(slot, len(content), ((0, content),) if any(content) else ()))
        for slot, content in enumerate(areas)
    ]
    members = [qemu_member(slot, slot * 4096) for slot in range(len(areas))]
    total = size * len(areas)
    name = acpi_nfit_register_region(state, nfit, START, total, names, members, range_index=1, dpa=dpa)
    assert name == "region0"
    return state


def labelled(version: str, ways: int = 1, label_version: str = "1.2", *, size: int = 256 * MIB) -> State:
    """A board with initialized label areas."""
    return board(version, [fresh(AREA, label_version)] * ways, size=size)


def area(state: State, name: str = "nmem0") -> bytes:
    """The label area of a DIMM, as it is on the medium."""
    return media.read_label_area(state, name, 0, nvdimm_of(state, name).config_size)


def reboot(state: State, version: str) -> State:
    """The same DIMMs in a machine that starts anew."""
    region = region_of(state, "region0")
    areas = [area(state, each.nvdimm) for each in region.mappings]
    return board(version, areas, size=region.mappings[0].size)


def rescan(state: State) -> None:
    """Disable the region and its DIMMs, and enable them again."""
    bus.device_release_driver(state, "region0")
    for each in region_of(state, "region0").mappings:
        bus.device_release_driver(state, each.nvdimm)
        bus.probe(state, each.nvdimm)
    bus.probe(state, "region0")


def namespaces(state: State) -> list[NdNamespace]:
    """The namespaces that have a size, by address."""
    found = [state.nd[key] for key in state.nd.children.get("region0", ()) if key.startswith("namespace")]
    return sorted((each for each in found if each.size), key=lambda each: each.start)


def identity(ndns: NdNamespace) -> tuple[object, ...]:
    """What a label keeps of a namespace."""
    return ndns.start, ndns.size, ndns.uuid, ndns.alt_name, ndns.lbasize, ndns.claim_class


def make(state: State, number: int, size: int, **attributes: str) -> str:
    """Give the seed a uuid and a size, as ndctl does, and let a driver have it; its name."""
    name = region_of(state, "region0").ns_seed
    namespace_devs.uuid_store(state, name, uuid(number) + "\n")
    for attribute, text in attributes.items():
        getattr(namespace_devs, f"{attribute}_store")(state, name, text)
    namespace_devs.size_store(state, name, f"{size:#x}\n")
    bus.probe(state, name)
    return name
