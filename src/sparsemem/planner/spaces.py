"""The regions of a machine as space for namespaces: what is free after everything that is to go has gone. Bytes, half-open ranges."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sparsemem.errors import InputError, NotModelledError
from sparsemem.kernel.dax.bus import devices_of
from sparsemem.kernel.dax.types import DaxRegion
from sparsemem.kernel.nvdimm.core import namespace_of, nvdimm_of, region_of
from sparsemem.kernel.nvdimm.dimm_devs import dpa_align, free_extents, label_id
from sparsemem.kernel.nvdimm.label_index import nvdimm_num_label_slots
from sparsemem.kernel.nvdimm.region_devs import ND_DEVICE_NAMESPACE_PMEM, nd_region_to_nstype
from sparsemem.kernel.nvdimm.types import NdBtt, NdPfn
from sparsemem.ranges import Range
from sparsemem.tools.daxctl_features import daxctl_features
from sparsemem.tools.ndctl_features import ndctl_features

if TYPE_CHECKING:
    from sparsemem.kernel.dax.types import DevDax
    from sparsemem.kernel.nvdimm.types import Dpa, NdNamespace, NdRegion
    from sparsemem.kernel.state import State

__all__ = ["Space", "find_spaces", "with_labels"]

_V11_LABEL = 128
"""Bytes of a label as ``ndctl init-labels`` makes them (v1.1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """A region. ``gaps``: the free extents, trimmed to ``align`` and in the order in which the kernel tries them; ``slots``: labels
    that can still be written (None: no limit); ``labelled``: it can be divided. ``label_area``: label-less now, and its DIMMs could
    have labels. ``kept`` and ``replaced`` are the namespaces that it has.

    ``seed``: a kept namespace that was set up half-way, or is disabled, where ndctl would make the next one: it stops there (up to release
    67 it takes that one). ``claimed``: kinds of seeds ("pfn", "dax", "btt") that have a kept namespace and are not enabled.

    ``dax``: a dax region (soft-reserved or CXL memory), with devices instead of namespaces. ``relabelled``: it gets labels first.
    """

    name: str
    range: Range
    ways: int
    align: int
    gaps: tuple[tuple[int, int], ...]
    labelled: bool
    label_area: bool
    slots: int | None
    numa_node: int
    target_node: int
    region: NdRegion | None = None
    kept: tuple[NdNamespace, ...] = ()
    replaced: tuple[NdNamespace, ...] = ()
    dax: DaxRegion | None = None
    kept_devices: tuple[DevDax, ...] = ()
    replaced_devices: tuple[DevDax, ...] = ()
    disabled: bool = False
    relabelled: bool = False
    seed: str | None = None
    claimed: tuple[str, ...] = ()

    @property
    def places(self) -> tuple[str, ...]:
        """The words that select it."""
        return self.name, f"node{self.numa_node}", f"node{self.target_node}"

    @property
    def device_names(self) -> tuple[str, ...]:
        """Its namespaces or dax devices."""
        namespaces = tuple(each.name for each in (*self.kept, *self.replaced))
        return namespaces + tuple(each.name for each in (*self.kept_devices, *self.replaced_devices))

    @property
    def taken(self) -> int:
        """Bytes of what is kept."""
        return sum(each.size for each in self.kept) + sum(each.size for each in self.kept_devices)


def _free(state: State, region: NdRegion, gone: set[str]) -> tuple[tuple[int, int], ...]:
    """Free extents as addresses. Raises NotModelledError where the DIMMs of a set are used differently."""
    found: list[list[tuple[int, int]]] = []
    align = dpa_align(region)
    for mapping in region.mappings:
        ndd = nvdimm_of(state, mapping.nvdimm).ndd
        if ndd is None or not align:
            return ()
        dpa: tuple[Dpa, ...] = tuple(each for each in ndd.dpa if each.name not in gone)
        extents = free_extents(dpa, align, mapping)
        found.append([(start - mapping.start, end + 1 - mapping.start) for start, end in extents])
    if any(each != found[0] for each in found[1:]):
        raise NotModelledError(
            f"I cannot tell where {region.name} has room",
            why="its DIMMs do not hold the same extents, as after a power cut between two label writes",
            remedy="ndctl list -DRi shows them; ndctl zero-labels and init-labels set them anew (all namespaces are lost)",
        )
    ways = region.ndr_mappings
    return tuple((region.ndr_start + low * ways, region.ndr_start + high * ways) for low, high in found[0])


def _slots(state: State, region: NdRegion, gone: int) -> int | None:
    """Namespaces that the label area has room for: every change of a label needs one free slot beside those in use."""
    free = None
    for mapping in region.mappings:
        dimm = nvdimm_of(state, mapping.nvdimm)
        if dimm.ndd is None or dimm.ndd.ns_current < 0:
            continue
        left = (dimm.ndd.free & ((1 << dimm.ndd.nslot) - 1)).bit_count() + gone - 1
        free = left if free is None else min(free, left)
    return None if free is None else max(free, 0)


def _seed(
    state: State, region: NdRegion, kept: tuple[NdNamespace, ...], ndctl: tuple[int, ...]
) -> tuple[str | None, int]:
    """The kept namespace that ndctl comes to where it wants an idle one, and how many it makes before (``region_get_namespace``)."""
    have = {each.name: each for each in kept}
    zeroth = f"namespace{region.id}.0"
    if (
        zeroth in have
        and not ndctl_features(ndctl).configuration_idle
        and not have[zeroth].driver
        and not have[zeroth].claim
    ):
        return zeroth, 0
    if region.ns_seed not in have:
        return None, 0
    there = any(
        namespace_of(state, key).name == zeroth
        for key in state.nd.children.get(region.name, ())
        if key.endswith(zeroth)
    )
    return region.ns_seed, int(there and zeroth not in have)


def _claimed(state: State, region: NdRegion, kept: tuple[NdNamespace, ...]) -> tuple[str, ...]:
    """The kinds of seeds that another namespace holds: ``ndctl create-namespace`` needs them free."""
    names = {each.name for each in kept}
    seeds = {"pfn": region.pfn_seed, "dax": region.dax_seed, "btt": region.btt_seed}
    found = ((kind, state.nd.get(f"nd:{name}" if kind == "dax" else name)) for kind, name in seeds.items())
    return tuple(kind for kind, dev in found if isinstance(dev, NdPfn | NdBtt) and dev.ndns in names)


def _nd_space(state: State, name: str, names: set[str], ndctl: tuple[int, ...]) -> Space:
    region = region_of(state, name)
    children = [namespace_of(state, key) for key in state.nd.children.get(name, ()) if key.startswith("namespace")]
    children = [each for each in children if each.size]
    everything = "all" in names
    replaced = tuple(each for each in children if everything or each.name in names)
    kept = tuple(each for each in children if each not in replaced)
    labelled = nd_region_to_nstype(state, region) == ND_DEVICE_NAMESPACE_PMEM
    whole = Range(region.ndr_start, region.ndr_end + 1)
    if labelled:
        gaps = _free(state, region, {label_id(each.uuid) for each in replaced if each.uuid})
    else:
        gaps = () if kept else ((whole.start, whole.end),)
    dimms = [nvdimm_of(state, mapping.nvdimm) for mapping in region.mappings]
    slots = _slots(state, region, len(replaced)) if labelled else None
    seed, before = _seed(state, region, kept, ndctl) if labelled else (None, 0)
    if seed is not None:
        slots = before if slots is None else min(slots, before)
    return Space(
        name=name, range=whole, ways=max(region.ndr_mappings, 1), align=region.align, gaps=gaps, labelled=labelled,
        label_area=not labelled and bool(dimms) and all(each.config_size and each.ndd is not None for each in dimms),
        slots=slots, numa_node=region.numa_node, target_node=region.target_node, region=region, kept=kept, replaced=replaced,
        disabled=not region.driver, seed=seed, claimed=_claimed(state, region, kept) if labelled else (),
    )  # fmt: skip


def _dax_space(state: State, key: str, region: DaxRegion, names: set[str], ndctl: tuple[int, ...]) -> Space:
    devices = [dev for dev in devices_of(state, key) if dev.size]
    replaced = tuple(dev for dev in devices if "all" in names or dev.name in names)
    kept = tuple(dev for dev in devices if dev not in replaced)
    divisible = state.kernel.features.dax_multi_range and daxctl_features(ndctl).sizes
    at, gaps = region.start, []
    for start, end in sorted((each.start, each.end) for dev in kept for each in dev.ranges):
        gaps.append((at, start))
        at = end + 1
    gaps.append((at, region.end + 1))
    return Space(
        name=f"dax_region{region.id}", range=Range(region.start, region.end + 1), ways=1, align=region.align,
        gaps=tuple(gap for gap in gaps if gap[0] < gap[1]), labelled=divisible, label_area=False, slots=None,
        numa_node=region.numa_node, target_node=region.target_node, dax=region, kept_devices=kept, replaced_devices=replaced,
    )  # fmt: skip


def find_spaces(state: State, gone: tuple[str, ...], ndctl: tuple[int, ...] = (76,)) -> list[Space]:
    """The regions by number, libnvdimm's first. ``gone``: the devices that are replaced, or "all".

    Raises InputError for a device that is not there, NotModelledError for a region whose space cannot be told.
    """
    names = set(gone)
    spaces = [_nd_space(state, name, names, ndctl) for name in sorted(state.nd.regions, key=lambda n: (len(n), n))]
    dax = [(key, dev) for key, dev in state.dax.items() if isinstance(dev, DaxRegion) and not dev.static]
    spaces += [_dax_space(state, key, dev, names, ndctl) for key, dev in sorted(dax, key=lambda each: each[1].id)]
    have = [name for space in spaces for name in space.device_names]
    missing = names - set(have) - {"all"}
    if missing:
        raise InputError(
            f"replace {min(missing)}: there is no such device with a size",
            where="intent",
            remedy=f"there are {', '.join(have)}" if have else "there is none: leave the replace out",
        )
    return spaces


def with_labels(state: State, space: Space) -> Space:
    """A label-less region as it will be when its DIMMs have new labels: empty, and to be divided."""
    assert space.region is not None
    align = space.region.align
    size = space.range.size // align * align
    area = min(nvdimm_of(state, mapping.nvdimm).config_size for mapping in space.region.mappings)
    gaps = ((space.range.start, space.range.start + size),) if size else ()
    slots = nvdimm_num_label_slots(area, _V11_LABEL) - 1
    return replace(space, labelled=True, relabelled=True, gaps=gaps, slots=slots, seed=None, claimed=())
