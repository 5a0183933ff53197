"""The files of a bus and of a DIMM: drivers/nvdimm/core.c and dimm_devs.c, and the nfit groups of drivers/acpi/nfit/core.c."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.kernel.nvdimm.core import bus_of, nvdimm_of
from sparsemem.kernel.nvdimm.cxl_pmem import cxl_nvdimm_of
from sparsemem.kernel.nvdimm.dimm import available_slots_show, flags_show, state_show
from sparsemem.kernel.nvdimm.nfit import PROVIDER, nfit_mem_of
from sparsemem.kernel.refusal import Refusal
from sparsemem.machine.sysfs_nd_attribute import COMMON, UEVENT, Attribute, devnum, ro, text

if TYPE_CHECKING:
    from collections.abc import Callable

    from sparsemem.kernel.nvdimm.cxl_pmem import CxlNvdimm
    from sparsemem.kernel.nvdimm.nfit import NfitMem
    from sparsemem.kernel.state import State

__all__ = ["bus_attributes", "bus_groups", "dimm_attributes", "dimm_groups"]

_LABEL_COMMANDS = "get_size get_data set_data "


def _bus_commands(state: State, key: str) -> str:
    return "cmd_call \n" if bus_of(state, key).provider == PROVIDER else "\n"


_BUS = {
    "uevent": UEVENT,
    "commands": ro(_bus_commands),
    "provider": ro(lambda state, key: f"{bus_of(state, key).provider}\n"),
    "wait_probe": text("1"),
}


def _hw_error_scrub_show(state: State, key: str) -> str:
    return f"{state.misc.get(f'nfit:{key}:scrub', 0)}\n"


def _hw_error_scrub_store(state: State, key: str, word: str) -> None:
    from sparsemem.kernel.kstrtox import kstrtoull

    value = kstrtoull(word, "hw_error_scrub_store")
    if value > 1:
        raise Refusal(22, "hw_error_scrub_store", "attribute-syntax")
    state.put(state.misc, f"nfit:{key}:scrub", value)


_BUS_NFIT = {
    "dsm_mask": text("0x0"),
    "hw_error_scrub": Attribute(0o644, _hw_error_scrub_show, _hw_error_scrub_store),
    "revision": text("1"),
}


def bus_attributes(state: State, key: str) -> dict[str, Attribute]:
    """The files of a bus."""
    return _BUS


def bus_groups(state: State, key: str) -> dict[str, dict[str, Attribute]]:
    """Its directories of attributes; ``firmware`` is empty where the platform cannot activate firmware."""
    found: dict[str, dict[str, Attribute]] = {}
    if state.kernel.features.nd_firmware_group:
        found["firmware"] = {}
    if bus_of(state, key).provider == PROVIDER:
        found["nfit"] = _BUS_NFIT
    return found


def _commands(state: State, key: str) -> str:
    dimm = nvdimm_of(state, key)
    labels = _LABEL_COMMANDS if dimm.config_size else ""
    call = "cmd_call " if nfit_mem_of(state, key) is not None else ""
    return f"{labels}{call}\n"


_DIMM = {
    **COMMON,
    "available_slots": ro(available_slots_show),
    "commands": ro(_commands),
    "dev": ro(lambda state, key: ":".join(map(str, devnum(state, key))) + "\n"),
    "flags": ro(flags_show),
    "state": ro(state_show),
}


def dimm_attributes(state: State, key: str) -> dict[str, Attribute]:
    """The files of a DIMM; one that knows no security commands has none for them."""
    return _DIMM


def _nfit(show: Callable[[NfitMem], object], *, needs_family: bool = False) -> Attribute:
    def read(state: State, key: str) -> str:
        mem = nfit_mem_of(state, key)
        assert mem is not None
        if needs_family and mem.family < 0:
            raise Refusal(6, "family_show", "device-disabled")
        return f"{show(mem)}\n"

    return ro(read)


_DIMM_NFIT = {
    "device": _nfit(lambda mem: f"0x{mem.device:04x}"),
    "dsm_mask": _nfit(lambda mem: f"{mem.dsm_mask:#x}", needs_family=True),
    "family": _nfit(lambda mem: mem.family, needs_family=True),
    "flags": _nfit(lambda mem: mem.flags),
    "format": _nfit(lambda mem: f"0x{mem.format:04x}"),
    "formats": _nfit(lambda mem: 1),
    "handle": _nfit(lambda mem: f"{mem.handle:#x}"),
    "id": _nfit(lambda mem: mem.id),
    "phys_id": _nfit(lambda mem: f"{mem.phys_id:#x}"),
    "rev_id": _nfit(lambda mem: f"0x{mem.rev_id:04x}"),
    "serial": _nfit(lambda mem: f"0x{mem.serial:08x}"),
    "subsystem_device": _nfit(lambda mem: f"0x{mem.subsystem_device:04x}"),
    "subsystem_rev_id": _nfit(lambda mem: f"0x{mem.subsystem_rev_id:04x}"),
    "subsystem_vendor": _nfit(lambda mem: f"0x{mem.subsystem_vendor:04x}"),
    "vendor": _nfit(lambda mem: f"0x{mem.vendor:04x}"),
}


def _cxl(show: Callable[[CxlNvdimm], object]) -> Attribute:
    def read(state: State, key: str) -> str:
        found = cxl_nvdimm_of(state, key)
        assert found is not None
        return f"{show(found)}\n"

    return ro(read)


_DIMM_CXL = {"id": _cxl(lambda dev: dev.id), "provider": _cxl(lambda dev: dev.provider)}


def dimm_groups(state: State, key: str) -> dict[str, dict[str, Attribute]]:
    """The directories of attributes of a DIMM: nfit, and an empty ``firmware``."""
    found: dict[str, dict[str, Attribute]] = {}
    if state.kernel.features.nd_firmware_group:
        found["firmware"] = {}
    if nfit_mem_of(state, key) is not None:
        found["nfit"] = _DIMM_NFIT
    if cxl_nvdimm_of(state, key) is not None and state.kernel.features.cxl_dimm_group:
        found["cxl"] = _DIMM_CXL
    return found
