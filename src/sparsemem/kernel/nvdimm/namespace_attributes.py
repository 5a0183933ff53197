"""``drivers/nvdimm/namespace_devs.c``, the attributes of a namespace but its size: what is shown, and what a write does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.kernel.kstrtox import kstrtobool
from sparsemem.kernel.nvdimm.core import (
    dev_name,
    namespace_of,
    nd_size_select_show,
    nd_size_select_store,
    nd_uuid_store,
    nvdimm_of,
    put,
    region_of,
)
from sparsemem.kernel.nvdimm.dimm_devs import label_id, set_dpa, to_ndd
from sparsemem.kernel.nvdimm.label_bytes import NAME_LEN
from sparsemem.kernel.nvdimm.label_read import label_at
from sparsemem.kernel.nvdimm.namespace_size import nd_namespace_label_update
from sparsemem.kernel.nvdimm.region_devs import nd_region_to_nstype
from sparsemem.kernel.nvdimm.types import (
    CCLASS_BTT,
    CCLASS_BTT2,
    CCLASS_DAX,
    CCLASS_NONE,
    CCLASS_PFN,
    CCLASS_UNKNOWN,
    NdBtt,
    NdNamespace,
    NdPfn,
)
from sparsemem.kernel.refusal import Refusal

if TYPE_CHECKING:
    from sparsemem.kernel.state import State

__all__ = [
    "alt_name_show",
    "alt_name_store",
    "btt_claim_class",
    "dpa_extents_show",
    "force_raw_show",
    "force_raw_store",
    "holder_class_show",
    "holder_class_store",
    "holder_show",
    "mode_show",
    "nstype_show",
    "numa_node_show",
    "resource_show",
    "sector_size_show",
    "sector_size_store",
    "size_show",
    "target_node_show",
    "uuid_show",
    "uuid_store",
]

_SPACES = b" \t\n\v\f\r\xa0"  # isspace() of the kernel: Latin-1's no-break space is one
_CLASS_WORDS = {CCLASS_NONE: "", CCLASS_BTT: "btt", CCLASS_BTT2: "btt", CCLASS_PFN: "pfn", CCLASS_DAX: "dax"}
_PMEM_LBASIZE = (512, 4096)


def _labelled(state: State, name: str, function: str) -> NdNamespace:
    ndns = namespace_of(state, name)
    if ndns.type != "pmem":
        raise Refusal(6, function, "namespace-unlabelled")
    return ndns


def nstype_show(state: State, name: str) -> str:
    """4 (label-less) or 5: that of the region, as it is now."""
    return f"{nd_region_to_nstype(state, region_of(state, namespace_of(state, name).region))}\n"


def size_show(state: State, name: str) -> str:
    """Bytes."""
    return f"{namespace_of(state, name).size}\n"


def resource_show(state: State, name: str) -> str:
    """The first address. Raises Refusal(ENXIO) for a namespace without a size."""
    ndns = namespace_of(state, name)
    if not ndns.size:
        raise Refusal(6, "resource_show", "namespace-size")
    return f"{ndns.start:#x}\n"


def holder_show(state: State, name: str) -> str:
    """The btt, pfn or dax device that has the namespace."""
    return f"{dev_name(namespace_of(state, name).claim)}\n"


def mode_show(state: State, name: str) -> str:
    """``safe``, ``memory``, ``dax`` or ``raw``; ``memory`` also for a raw namespace that gets page structures."""
    from sparsemem.kernel.nvdimm.namespace_devs import pmem_should_map_pages

    claim = state.nd.get(namespace_of(state, name).claim)
    if isinstance(claim, NdBtt):
        return "safe\n"
    if isinstance(claim, NdPfn):
        return "memory\n" if claim.type == "pfn" else "dax\n"
    return "memory\n" if pmem_should_map_pages(state, name) else "raw\n"


def numa_node_show(state: State, name: str) -> str:
    """The node of the region's devices."""
    return f"{region_of(state, namespace_of(state, name).region).numa_node}\n"


def target_node_show(state: State, name: str) -> str:
    """The node that the memory would be of."""
    return f"{region_of(state, namespace_of(state, name).region).target_node}\n"


# -- uuid


def uuid_show(state: State, name: str) -> str:
    """The uuid, or nothing. Raises Refusal(ENXIO) for a label-less namespace."""
    return f"{_labelled(state, name, 'uuid_show').uuid}\n"


def uuid_store(state: State, name: str, text: str) -> None:
    """Give a namespace its uuid, or another one as long as its region has labels.

    Raises Refusal: ENXIO (label-less; no free label slot), EBUSY (in use; see above), EINVAL (no uuid, or somebody has it).
    """
    ndns = _labelled(state, name, "uuid_store")
    if ndns.claim:
        raise Refusal(16, "uuid_store", "namespace-busy")
    uuid = nd_uuid_store(state, ndns.driver, text)
    _update_uuid(state, ndns, uuid)
    nd_namespace_label_update(state, name)


def _update_uuid(state: State, ndns: NdNamespace, uuid: str) -> None:
    from sparsemem.kernel.nvdimm.namespace_devs import nd_is_uuid_unique

    if not nd_is_uuid_unique(state, ndns.region, uuid):
        raise Refusal(22, "namespace_update_uuid", "namespace-uuid")
    region = region_of(state, ndns.region)
    if ndns.uuid:
        if not all(mapping.labels for mapping in region.mappings):
            raise Refusal(16, "namespace_update_uuid", "namespace-uuid")
        old, new = label_id(ndns.uuid), label_id(uuid)
        reaped = set(region.reaped)
        for index, mapping in enumerate(region.mappings):
            ndd = to_ndd(state, mapping)
            if ndd is None:
                raise Refusal(14, "namespace_update_uuid", "dimm-disabled", crash=True)
            renamed = tuple(each._replace(name=new) if each.name == old else each for each in ndd.dpa)
            set_dpa(state, mapping.nvdimm, renamed)
            for slot in mapping.labels if state.kernel.features.renamed_label_reaped else ():
                if slot is not None and label_at(state, mapping.nvdimm, slot).uuid == ndns.uuid:
                    reaped.add((index, slot))
        put(state, region._replace(reaped=frozenset(reaped)))
    put(state, ndns._replace(uuid=uuid))


# -- alt_name


def alt_name_show(state: State, name: str) -> str:
    """The name, up to its first NUL."""
    return f"{_labelled(state, name, 'alt_name_show').alt_name.partition(chr(0))[0]}\n"


def alt_name_store(state: State, name: str, text: str) -> None:
    """Name a namespace: at most 63 bytes after white space at both ends is gone.

    Raises Refusal: ENXIO (label-less; no free label slot), EBUSY (in use), EINVAL (too long).
    """
    ndns = _labelled(state, name, "__alt_name_store")
    if ndns.driver or ndns.claim:
        raise Refusal(16, "__alt_name_store", "namespace-busy")
    state.alloc("__alt_name_store")
    raw = text.encode("utf-8", "surrogateescape").partition(b"\0")[0].strip(_SPACES)
    if len(raw) + 1 > NAME_LEN:
        raise Refusal(22, "__alt_name_store", "attribute-syntax")
    put(state, ndns._replace(alt_name=raw.decode("utf-8", "surrogateescape")))
    nd_namespace_label_update(state, name)


# -- sector_size, dpa_extents


def sector_size_show(state: State, name: str) -> str:
    """512 and 4096, the chosen one in brackets. Raises Refusal(ENXIO) for a label-less namespace."""
    return nd_size_select_show(_labelled(state, name, "sector_size_show").lbasize, _PMEM_LBASIZE)


def sector_size_store(state: State, name: str, text: str) -> None:
    """Raises Refusal: ENXIO (label-less; no free label slot), EBUSY (in use), EINVAL (not 512 or 4096)."""
    ndns = _labelled(state, name, "sector_size_store")
    if ndns.claim:
        raise Refusal(16, "sector_size_store", "namespace-busy")
    put(state, ndns._replace(lbasize=nd_size_select_store(ndns.driver, text, _PMEM_LBASIZE)))
    nd_namespace_label_update(state, name)


def dpa_extents_show(state: State, name: str) -> str:
    """Extents on the region's DIMMs, all together."""
    ndns = namespace_of(state, name)
    count = 0
    if ndns.uuid:
        wanted = label_id(ndns.uuid)
        for mapping in region_of(state, ndns.region).mappings:
            ndd = nvdimm_of(state, mapping.nvdimm).ndd
            count += sum(each.name == wanted for each in ndd.dpa) if ndd is not None else 0
    return f"{count}\n"


# -- holder_class, force_raw


def btt_claim_class(state: State, region: str) -> int:
    """Which version of BTT the region's labels call for; -6 where its DIMMs disagree."""
    kinds = set()
    for mapping in region_of(state, region).mappings:
        ndd = to_ndd(state, mapping)
        if ndd is None:
            return CCLASS_BTT
        kinds.add(0 if ndd.ns_current < 0 else 1 if (ndd.major, ndd.minor) == (1, 1) else 2)
    if len(kinds) > 1:
        return -6
    return CCLASS_BTT if kinds in (set(), {1}) else CCLASS_BTT2


def holder_class_show(state: State, name: str) -> str:
    """``btt``, ``pfn``, ``dax``, nothing, or ``<unknown>``."""
    return f"{_CLASS_WORDS.get(namespace_of(state, name).claim_class, '<unknown>')}\n"


def holder_class_store(state: State, name: str, text: str) -> None:
    """Say what the namespace is for: its label then says so, and nothing else is looked for on it.

    Raises Refusal: EBUSY (in use), EINVAL (another word), ENXIO (btt, and the DIMMs' labels disagree; a label-less namespace, which
    takes it all the same until the region is enabled again; no free label slot).
    """
    ndns = namespace_of(state, name)
    if ndns.driver or ndns.claim:
        raise Refusal(16, "__holder_class_store", "namespace-busy")
    classes = {"": CCLASS_NONE, "pfn": CCLASS_PFN, "dax": CCLASS_DAX}
    word = text.partition("\0")[0].removesuffix("\n")
    if word == "btt":
        chosen = btt_claim_class(state, ndns.region)
        if chosen < 0:
            if not state.kernel.features.holder_class_hides_label_mismatch:
                raise Refusal(6, "__holder_class_store", "label-set")
            chosen = CCLASS_UNKNOWN
    elif word in classes:
        chosen = classes[word]
    else:
        raise Refusal(22, "__holder_class_store", "attribute-syntax")
    put(state, ndns._replace(claim_class=chosen))
    nd_namespace_label_update(state, name)


def force_raw_show(state: State, name: str) -> str:
    """1 or 0."""
    return f"{int(namespace_of(state, name).force_raw)}\n"


def force_raw_store(state: State, name: str, text: str) -> None:
    """Raises Refusal(EINVAL). Nothing is written to a label, and nobody is asked whether the namespace is in use."""
    put(state, namespace_of(state, name)._replace(force_raw=kstrtobool(text, "force_raw_store")))
