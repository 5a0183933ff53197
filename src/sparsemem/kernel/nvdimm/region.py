"""``drivers/nvdimm/region.c``: the driver of regions: finds the namespaces and makes the seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.kernel.nvdimm.btt_devs import nd_btt_create
from sparsemem.kernel.nvdimm.core import children_of, dev_printk, put, region_of
from sparsemem.kernel.nvdimm.namespace_devs import nd_region_register_namespaces
from sparsemem.kernel.nvdimm.namespace_scan import deactivate_labels
from sparsemem.kernel.nvdimm.pfn_devs import nd_pfn_create
from sparsemem.kernel.refusal import Refusal

if TYPE_CHECKING:
    from sparsemem.kernel.state import State

__all__ = ["devres_release", "nd_region_probe", "nd_region_remove"]


def nd_region_probe(state: State, name: str) -> None:
    """Bring up a region: its namespaces, from the labels or over all of it, and a btt, pfn and dax seed.

    Raises Refusal: ENXIO (a DIMM that is locked, or has labels and no driver), ENODEV (no namespace could be registered), ENOMEM.
    """
    state.alloc("nd_region_activate")
    nd_region_register_namespaces(state, name)
    region = region_of(state, name)
    failed = region.ns_count - region.ns_active
    if region.ns_active and failed == region.ns_active:
        raise Refusal(19, "nd_region_probe", "namespace-registration")
    btt, pfn, dax = nd_btt_create(state, name), nd_pfn_create(state, name, "pfn"), nd_pfn_create(state, name, "dax")
    put(state, region_of(state, name)._replace(btt_seed=btt, pfn_seed=pfn, dax_seed=dax))
    if failed:
        plural = "s" if failed > 1 else ""
        dev_printk(state, "err", name, f"failed to register {failed} namespace{plural}, continuing...")


def nd_region_remove(state: State, name: str) -> None:
    """Take a region down: all its devices go, bound or not. What they left on the medium stays there."""
    from sparsemem.kernel.nvdimm.bus import nd_device_unregister  # it imports the drivers

    for key in children_of(state, name):
        nd_device_unregister(state, key)
    put(state, region_of(state, name)._replace(ns_seed="", btt_seed="", pfn_seed="", dax_seed=""))


def devres_release(state: State, name: str) -> None:
    """``deactivate_labels``, and what the region's driver data held."""
    deactivate_labels(state, name)
    put(state, region_of(state, name)._replace(ns_active=0, ns_count=0))
