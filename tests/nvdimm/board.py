"""A bare state with one region, for tests of the drivers that need neither a machine nor labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.kernel.nvdimm import btt_devs, bus, pfn_devs
from sparsemem.kernel.nvdimm.claim import nd_namespace_store
from sparsemem.kernel.nvdimm.core import namespace_of, put, region_of
from sparsemem.kernel.nvdimm.e820 import e820_register_one
from sparsemem.kernel.nvdimm.interleave import qemu_member
from sparsemem.kernel.nvdimm.nfit import Dimm, acpi_nfit_init, acpi_nfit_register_dimm, acpi_nfit_register_region
from sparsemem.kernel.nvdimm.types import NdNamespace
from sparsemem.kernel.refusal import Refusal
from sparsemem.machine.notation import parse_machine

if TYPE_CHECKING:
    from collections.abc import Callable

    from sparsemem.kernel.state import State

__all__ = [
    "GIB",
    "MIB",
    "UUID",
    "add_region",
    "configure",
    "errno_of",
    "labelled",
    "logged",
    "region",
    "texts",
]

MIB, GIB = 1 << 20, 1 << 30
UUID = "8d1ed20a-9d0c-4f0b-bb65-26d4b2a7ee3f"


def region(
    version: str, start: int = 4 * GIB, size: int = GIB, *, pagemap: bool = False, ram: str = "0-1G ram", nr: int = 0
) -> State:
    """A label-less region of this size: from the NFIT, or (``pagemap``) from e820."""
    state = parse_machine(f"{version}; {ram}").state
    add_region(state, start, size, pagemap=pagemap, nr=nr)
    return state


def add_region(state: State, start: int, size: int, *, pagemap: bool = False, nr: int = 0) -> str:
    if pagemap:
        name = e820_register_one(state, start, size)
    else:
        nfit = acpi_nfit_init(state)
        dimm = acpi_nfit_register_dimm(state, nfit, Dimm(nr))
        member = qemu_member(nr)
        name = acpi_nfit_register_region(state, nfit, start, size, [dimm], [member], range_index=nr + 1)
    assert name is not None
    return name


def labelled(version: str, pieces: list[tuple[int, int]], start: int = 4 * GIB, size: int = GIB) -> State:
    """A region with namespaces in pieces (offset, size), as labels would make them: 0.0, 0.1 and so on, unbound."""
    state = region(version, start, size)
    bus.nd_device_unregister(state, "namespace0.0")
    for number, (offset, length) in enumerate(pieces):
        uuid = f"{UUID[:-4]}{number:04x}"
        put(state, NdNamespace(f"namespace0.{number}", number, "region0", "pmem", start + offset, length, uuid))
    put(state, region_of(state, "region0")._replace(ns_seed=""))
    return state


def configure(
    state: State,
    kind: str,
    namespace: str = "namespace0.0",
    *,
    mode: str = "pmem",
    align: int = 2 * MIB,
    lbasize: int = 4096,
    uuid: str = UUID,
    bind: bool = True,
) -> str:
    """What user space does to make a namespace fsdax ("pfn"), devdax ("dax") or sector ("btt"); the key of the device."""
    if namespace_of(state, namespace).driver:
        bus.unbind_store(state, "nd_pmem", namespace)
    parent = region_of(state, namespace_of(state, namespace).region)
    if kind == "btt":
        key = parent.btt_seed
        btt_devs.uuid_store(state, key, uuid)
        btt_devs.sector_size_store(state, key, str(lbasize))
    else:
        key = parent.pfn_seed if kind == "pfn" else f"nd:{parent.dax_seed}"
        pfn_devs.uuid_store(state, key, uuid)
        pfn_devs.mode_store(state, key, f"{mode}\n")
        pfn_devs.align_store(state, key, str(align))
    nd_namespace_store(state, key, namespace)
    if bind:
        bus.bind_store(state, "dax_pmem" if kind == "dax" else "nd_pmem", key.removeprefix("nd:"))
    return key


def errno_of(call: Callable[..., object], *args: object) -> int:
    """What the kernel answers: 0, or the errno."""
    try:
        call(*args)
    except Refusal as refused:
        return refused.errno
    return 0


def texts(state: State) -> list[str]:
    """What the log shows."""
    return [line.text for line in state.lines if line.level != "debug"]


def logged(state: State, call: Callable[..., object], *args: object) -> list[str]:
    """What a call adds to the log, whatever it answers."""
    before = len(state.lines)
    errno_of(call, *args)
    return [line.text for line in state.lines[before:] if line.level != "debug"]
