"""The libnvdimm side of a CXL region: ``cxl_pmem_region_alloc`` of core/region.c, with the driver of drivers/cxl/pmem.c."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.kernel import dd
from sparsemem.kernel.cxl.core import decoder_of, memdev_of, put, region_of
from sparsemem.kernel.cxl.dpa import dpa_from_region, region_from_dpa
from sparsemem.kernel.nvdimm.cxl_pmem import cxl_nvdimm_bridge_probe, cxl_pmem_region_probe, cxl_pmem_region_remove
from sparsemem.kernel.refusal import Refusal

if TYPE_CHECKING:
    from sparsemem.kernel.state import State

__all__ = ["TARGET_NODE", "devm_cxl_add_pmem_region", "remove_pmem_region"]

TARGET_NODE = 1
"""The node that ACPI's CEDT makes the kernel set aside for a window: memory made of it goes there."""


def devm_cxl_add_pmem_region(state: State, name: str) -> None:
    """A committed region becomes ``pmem_regionN``, and that a region of libnvdimm. That this fails is only logged."""
    put(state, region_of(state, name)._replace(pmem=True))
    try:
        _cxl_pmem_region_probe(state, name)
    except Refusal as refusal:
        if refusal.crash:
            raise
        dd.probe_failed(state, "cxl_pmem_region", f"pmem_{name}", refusal.errno)


def _cxl_pmem_region_probe(state: State, name: str) -> None:
    """Raises Refusal: ENXIO (v6.15+: a device without a serial number), EBUSY (its range is not free), ENODEV (no DIMM)."""
    region = region_of(state, name)
    devices = [memdev_of(state, decoder_of(state, target).memdev) for target in region.targets]
    if state.kernel.features.cxl_pmem_needs_serial:
        for each in devices:
            if not each.serial:
                line = f"cxl_pmem_region pmem_{name}: {each.name}: invalid or missing serial number"
                state.log("err", line)
                raise Refusal(6, "cxl_pmem_region_probe", "cxl-serial", (line,))
    region = region._replace(members=tuple(each.name for each in devices))
    region_from_dpa(state, region)
    try:
        found = cxl_pmem_region_probe(
            state, cxl_nvdimm_bridge_probe(state), region.start, region.size, [each.nvdimm for each in devices],
            target_node=TARGET_NODE, id=region.id,
        )  # fmt: skip
    except Refusal:
        dpa_from_region(state, region)
        raise
    put(state, region._replace(nd_region=found or ""))


def remove_pmem_region(state: State, name: str) -> None:
    """Region of libnvdimm, its entry in the iomem tree and ``pmem_regionN`` go."""
    region = region_of(state, name)
    if region.nd_region:
        cxl_pmem_region_remove(state, region.nd_region, region.start, region.size)
        dpa_from_region(state, region)
    put(state, region._replace(pmem=False, nd_region="", members=()))
